"""Odoo's program, whatever ``ODOO_HOME`` is: a source checkout or Debian's package.

With ``--workers`` Odoo starts its server for web sockets by running ``sys.argv[0]``
again (``PreforkServer.long_polling_spawn``, odoo/service/server.py). That has to be a
file beside which nothing shadows a module: ``odoo/__main__.py`` of ``python -m odoo``
is not one, because ``http`` and others are Odoo's there.
"""

import os

import odoo.cli

if __name__ == "__main__":
    if socket := os.environ.get("MEA_TRACE"):
        import call_trace

        call_trace.start(socket)
    odoo.cli.main()
