"""Header fields as they leave: Python's `email` may write another text than it shows.

What it cannot read is shown as nothing and written as it was (``str`` and ``fold``
of ``email.headerregistry``); and line breaks in encoded words end a field, so that what
follows is a field of its own (CVE-2024-6923, mended in Python 3.12.5).
"""

import re

_LINE_END = re.compile(r"\r\n|\r|\n")
_DEPTH = 5  # encoded words within encoded words


def written(message, name):
    """Every value of the fields ``name``, unfolded, as it leaves.

    :param email.message.EmailMessage message: what leaves
    """
    return [
        _value(message, key, value)
        for key, value in message.raw_items()
        if key.lower() == name.lower()
    ]


def has_breaks(message, names=None):
    """Whether a field would leave as more than one.

    :param names: of the fields that are looked at, in lower case; None: all
    """
    return any(
        _breaks(message, key, value)
        for key, value in message.raw_items()
        if names is None or key.lower() in names
    )


def join_lines(message):
    """Make one field of each again; what is nested too deep for that goes."""
    for again in reversed(range(_DEPTH)):
        if not has_breaks(message):
            return
        fields = [
            (key, value, _breaks(message, key, value))
            for key, value in message.raw_items()
        ]
        values = [
            (key, _value(message, key, value) if broken else value)
            for key, value, broken in fields
            if again or not broken
        ]
        for key in set(message.keys()):
            del message[key]
        for key, value in values:
            message[key] = value


def _breaks(message, key, value):
    folded = message.policy.fold(key, value).removesuffix(message.policy.linesep)
    _first, *others = _LINE_END.split(folded)
    return any(not line.strip() or line[0] not in " \t" for line in others)


def _value(message, key, value):
    return " ".join(message.policy.fold(key, value).partition(":")[2].split())
