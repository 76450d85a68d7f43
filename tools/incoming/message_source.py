"""A raw message on its way from a mailbox to Odoo's gateway."""

import mmap
import os
import tempfile

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
