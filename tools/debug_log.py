"""What is typed into the connect window stays out of Odoo's debug log.

At level DEBUG, ``odoo/service/model.py`` logs every remote call with its arguments,
passwords among them. Such logs get copied into support requests.
"""

import logging

WINDOW = "mail.external.account.connect"


class _WithoutArguments(logging.Filter):
    """Leaves away the arguments of calls on the connect window."""

    def filter(self, record):
        called, *rest = record.args if isinstance(record.args, tuple) else [None]
        if getattr(called, "_name", None) == WINDOW and len(rest) == 2:
            record.args = (called, rest[0], "...")
        return True


logging.getLogger("odoo.service.model").addFilter(_WithoutArguments())
