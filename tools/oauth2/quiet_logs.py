"""What a mail service says in the address of a callback stays out of Odoo's logs.

The address holds a code and a state. Whoever serves a request logs its first line
(werkzeug with threads and workers, gevent for the websocket's port), and
``odoo.tools.misc.dumpstacks`` logs what each thread is serving. Logs get copied into
support requests.
"""

import logging
import re

# Those that write addresses; what comes up to the root's handlers is looked at anyway.
_LOGGERS = ("werkzeug", "longpolling", "odoo.http", "odoo.tools.misc")
# As it is, or as a parameter of another address: up to what no address contains.
_ANSWER = re.compile(
    r"(mail_external_account(?:/|%2F)oauth2(?:/|%2F)[^\s?%\"'<>]{0,100})"
    r"(?:\?|%3F)[^\s\"'<>]*",
    re.IGNORECASE,
)


class _WithoutAnswer(logging.Filter):
    """Leaves away what follows the path in the address of a callback."""

    def filter(self, record):
        if isinstance(record.msg, str):
            record.msg = without_answer(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(
                without_answer(arg) if isinstance(arg, str) else arg
                for arg in record.args
            )
        return True


def without_answer(text):
    """
    :param str text: a line of a log
    """
    if "mail_external_account" not in text:
        return text  # nearly always
    return _ANSWER.sub(r"\1?...", text)


def install():
    """Once, when the addon is loaded."""
    quiet = _WithoutAnswer()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(quiet)
    for handler in logging.getLogger().handlers:
        handler.addFilter(quiet)
