"""The large parts of a message that core processes, on their way past its parser."""

import base64
from email.message import EmailMessage

from ...mailkit.message.heavy_part import FIELD, find_mark
from ...mailkit.message.lightening import lighten


class HeavyParts:
    """A message in two: what core parses, and the parts that are stored directly.

    ``raw``: the light message.

    :param MessageSource source: the whole message
    :param str notice: tells a reader that the rest of a text is in a file
    """

    def __init__(self, source, notice):
        self.notice = notice
        self._source = source.buffer()
        light = lighten(self._source)
        # PostgreSQL takes no NUL, and no mail needs one.
        self.raw = light.raw.replace(b"\0", b"")
        self._parts = {part.mark: part for part in light.parts}
        self._stored = set()

    def __bool__(self):
        return bool(self._parts)

    def beginnings(self, part):
        """Those of which this EmailMessage has only the beginning of the text."""
        marks = (value.strip().encode() for value in part.get_all(FIELD, ()))
        found = (self._parts[mark] for mark in marks if mark in self._parts)
        return [heavy for heavy in found if heavy.is_beginning]

    def missing(self, attachments):
        """(name, content, info) of the parts that core made no attachment of."""
        there = {find_mark(_octets(content, info)) for _, content, info in attachments}
        return [
            (part.name, part.mark, {})
            for mark, part in self._parts.items()
            if mark not in there
        ]

    def restored(self, values):
        """An attachment's values with the part itself instead of its mark."""
        mark = find_mark(base64.b64decode(values.get("datas") or b""))
        if mark not in self._parts:
            return values
        self._stored.add(mark)
        values = {name: value for name, value in values.items() if name != "datas"}
        return {**values, "raw": self._parts[mark].content(self._source)}

    def all_stored(self):
        return self._stored.issuperset(self._parts)


def _octets(content, info):
    """As core stores it: ``_process_attachments_for_post`` in mail_thread.py."""
    if isinstance(content, EmailMessage):
        return content.as_bytes()
    if isinstance(content, str):
        encoding = (info or {}).get("encoding") or "utf-8"
        try:
            return content.encode(encoding)
        except UnicodeEncodeError:
            return content.encode()
    return content or b""
