"""The bytes of a message, and its large parts on their way past core's parser."""

import base64
import mmap
import os
import tempfile
from email.message import EmailMessage

from ...mailkit.message.heavy_part import FIELD, find_mark
from ...mailkit.message.lightening import lighten

# Larger ones lie on the disk: Odoo's parser needs several times their size in memory.
LARGE = 1024 * 1024
# So much of a message tells what it is (headers, and the first texts).
_HEAD = 2 * LARGE


class MessageSource:
    """The bytes of a message; a large one costs no memory until it is asked for.

    ``head``: the beginning, with all headers and the first texts.

    :param raw: bytes, or an open file, which stays the caller's
    """

    def __init__(self, raw):
        self._raw, self._file = None, None
        if isinstance(raw, bytes):
            self._take_bytes(raw)
        else:
            self._take_file(raw)

    def _take_bytes(self, raw):
        self.head = raw[:_HEAD]
        if len(raw) < LARGE:
            self._raw = raw
            return
        self._file = tempfile.TemporaryFile()
        self._file.write(raw)
        self._file.flush()

    def _take_file(self, file):
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.head = file.read(_HEAD)
        if size < LARGE:
            self._raw = self.head
            return
        file.flush()
        self._file = file

    def buffer(self):
        """Return what can be sliced and searched like bytes: a large message is read
        from the disk, as far as it is looked at."""
        if self._file is None:
            return self._raw
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def is_large(self):
        return self._file is not None

    def content(self):
        """Return the whole message. Nothing here keeps what is returned."""
        if self._file is None:
            return self._raw
        self._file.seek(0)
        return self._file.read()


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
