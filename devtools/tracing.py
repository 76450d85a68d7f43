"""Which functions of the addon a served Odoo calls meanwhile.

The process is started with ``TRACE_VARIABLE``: the path of a Unix socket that it makes
(``inside/call_trace.py``). It needs Python 3.11: before, code doesn't tell its class.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client
from pathlib import Path

TRACE_VARIABLE = "MEA_TRACE"


@contextmanager
def called(socket: Path) -> Iterator[list[str]]:
    """Fill the list, when the block ends, with what was called in it.

    :param socket: what the process got as ``TRACE_VARIABLE``
    :return: ``file:function`` in the order of the first calls
    """
    functions: list[str] = []
    with Client(str(socket)) as connection:
        connection.recv()
        yield functions
        connection.send("ended")
        functions += connection.recv()
