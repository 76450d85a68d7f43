"""A connection that keeps its deadline, in the shape the protocol modules expect.

smtplib, imaplib and poplib set a timeout for each single read, so that a server
which sends one byte now and then holds them for ever, and they know no limit for
a reply. They get this object in place of their socket and their file.
"""

from __future__ import annotations

import socket

from ..errors import ErrorCode, MailError
from . import tls
from .network import Deadline, Endpoint
from .settings import Server

_CHUNK = 65536
# What one operation may read: far more than any answer that is only a few lines. The
# protocol modules look through what comes in a time that grows with its square.
MAX_ANSWER = 128 * 1024
# And where many folders, messages or headers are told.
MAX_READ = 16 * 1024 * 1024
# A slower server or network counts as hung.
OCTETS_PER_SECOND = 65536


class Wire:
    """Socket and binary file in one. All its failures are MailErrors:
    TIMEOUT, CONNECTION_LOST, PROTOCOL_ERROR, and those of `tls.encrypt`.

    `last_line`: the line read last, as the server sent it.
    """

    def __init__(
        self, sock: socket.socket, endpoint: Endpoint, deadline: Deadline
    ) -> None:
        self._sock = sock
        self._deadline = deadline
        self._buffer = bytearray()
        self._allowance = MAX_ANSWER
        self._silence: float | None = None
        self.endpoint = endpoint
        self.last_line = b""

    @property
    def tls(self) -> tls.TlsFacts:
        """How the connection is encrypted now."""
        return tls.facts(self._sock)

    @property
    def local_address(self) -> str:
        """Numeric address of this end."""
        return str(self._sock.getsockname()[0])

    @property
    def deadline(self) -> Deadline:
        """Until when the current operation may take."""
        return self._deadline

    def begin(
        self,
        deadline: Deadline,
        allowance: int = MAX_ANSWER,
        silence: float | None = None,
    ) -> None:
        """Start an operation that has to be over by `deadline`.

        `allowance`: how many octets it may read at the most. `silence`: seconds that
        may pass without any; None: that is not limited besides.
        """
        self._deadline = deadline
        self._allowance = allowance
        self._silence = silence

    def prolong(self, deadline: Deadline) -> None:
        """Give the operation more time, as it gets on; not more to read."""
        self._deadline = deadline

    def encrypt(self, server: Server) -> None:
        """Turn on TLS.

        What arrived before the handshake was not protected by it: bytes that wait
        already were put there to be taken for answers of the encrypted session.
        """
        if self._buffer:
            raise MailError(ErrorCode.PROTOCOL_ERROR, field="security")
        self._sock = tls.encrypt(self._sock, server, self._deadline)

    def wait_readable(self, seconds: float) -> bool:
        """Whether something arrives (or the connection ends) within `seconds`."""
        regular, self._deadline = self._deadline, self._deadline.within(seconds)
        try:
            if not self._buffer:
                self._fill()
        except MailError as error:
            if error.code is ErrorCode.TIMEOUT:
                return False
            raise
        finally:
            self._deadline = regular
        return True

    def makefile(self, *_args: object, **_kwargs: object) -> Wire:
        """Return itself: it has the methods of a file opened for reading bytes."""
        return self

    def readline(self, limit: int = -1) -> bytes:
        """Read a line with its ending, or its first `limit` bytes."""
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched) + 1
            if not end and 0 <= limit <= len(self._buffer):
                end = limit
            if end:
                break
            searched = len(self._buffer)
            self._fill()
        self.last_line = self._take(end if limit < 0 else min(end, limit))
        return self.last_line

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        while len(self._buffer) < size:
            self._fill()
        return self._take(size)

    def read_until(self, mark: bytes, most: int) -> bytes:
        """Read up to and including `mark`, or some of what comes before it.

        The latter, which never ends with `mark`, when that is `most` octets or more.
        """
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            searched = max(len(self._buffer) - len(mark) + 1, 0)
            if searched >= most:
                return self._take(searched)
            self._fill()
        return self._take(at + len(mark))

    def unread(self, data: bytes) -> None:
        """Put `data` back: it is read next."""
        self._buffer[:0] = data

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._deadline.remaining())
            try:
                sent = self._sock.send(view[:_CHUNK])
            except OSError as error:
                raise _lost(error) from None
            view = view[sent:]

    def close(self) -> None:
        """End the connection at once. May be called twice."""
        try:
            self._sock.close()
        except OSError:
            return  # it is closed all the same

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        left = self._deadline.remaining()
        self._sock.settimeout(min(left, self._silence or left))
        try:
            data = self._sock.recv(_CHUNK)
        except OSError as error:
            raise _lost(error) from None
        if not data:
            raise MailError(ErrorCode.CONNECTION_LOST)
        self._allowance -= len(data)
        if self._allowance < 0:
            raise MailError(ErrorCode.PROTOCOL_ERROR)
        self._buffer += data


def _lost(error: OSError) -> MailError:
    if isinstance(error, TimeoutError):
        return MailError(ErrorCode.TIMEOUT)
    return MailError(ErrorCode.CONNECTION_LOST)
