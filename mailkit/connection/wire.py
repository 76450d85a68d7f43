"""One connection: verified TLS, and bytes in and out, all before a deadline.

smtplib sets a timeout for each single read, so that a server which sends one byte now
and then holds it for ever, and it knows no limit for a reply. It gets a `Wire` in place
of its socket and its file; IMAP and POP3 are spoken over one directly.
"""

from __future__ import annotations

import socket
import ssl
from functools import lru_cache

from ..errors import ErrorCode, MailError, ServerReply
from .network import Deadline, Endpoint
from .settings import Security, Server

_CHUNK = 65536
# What one operation may read: far more than any answer that is only a few lines.
# smtplib looks through what comes in a time that grows with its square.
MAX_ANSWER = 128 * 1024
# And where many folders, messages or headers are told.
MAX_READ = 16 * 1024 * 1024
# OpenSSL's words for "this is no TLS": they vary with its version and the bytes.
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
    "BAD_RECORD_TYPE",
)
# X509_V_ERR_*, from OpenSSL's x509_vfy.h.
_EXPIRED = (9, 10)  # not yet valid, has expired
_OTHER_NAME = (62, 63, 64)  # host name, e-mail, IP address


class Wire:
    """Socket and binary file in one. All its failures are MailErrors:
    TIMEOUT, CONNECTION_LOST, PROTOCOL_ERROR, and those of TLS (TLS_*, CERT_*).

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
    def tls_version(self) -> str:
        """How the connection is encrypted now: "TLSv1.3", or "" if it is not."""
        sock = self._sock
        return (sock.version() or "") if isinstance(sock, ssl.SSLSocket) else ""

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
        self._sock = _handshake(self._sock, server, self._deadline)

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


@lru_cache(maxsize=64)
def _verifying(ca_pem: str) -> ssl.SSLContext:
    """Return a context that verifies names and chains, with TLS 1.2 or newer.

    `ca_pem`: trusted besides the system's CAs. Kept, since reading all of these takes
    about 30 ms; one context serves many connections. Raises MailError CA_INVALID.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem:
        # A company may hand out an intermediate CA only, or the server's own
        # certificate: these are trusted as given.
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            made.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise MailError(ErrorCode.CA_INVALID) from None
    return made


def _handshake(
    sock: socket.socket, server: Server, deadline: Deadline
) -> ssl.SSLSocket:
    """Do the handshake on `sock`, for the name `server.host`.

    Raises MailError TIMEOUT, CONNECTION_LOST, TLS_FAILED, TLS_EXPECTED_PLAIN, CERT_*.
    """
    context = _verifying(server.ca_pem)
    sock.settimeout(deadline.remaining())
    try:
        return context.wrap_socket(sock, server_hostname=server.host)
    except OSError as error:  # ssl.SSLError is one
        raise _explain(error, server.security) from None


def speaks_tls(sock: socket.socket, server: Server, deadline: Deadline) -> bool:
    """Whether the other side of a fresh connection answers a TLS handshake.

    Nothing but the handshake is sent; `sock` is closed.
    """
    try:
        _handshake(sock, server, deadline).close()
    except MailError as error:
        return error.code.name.startswith("CERT_") or (
            # An alert is an answer in TLS, too.
            error.code is ErrorCode.TLS_FAILED
            and error.reply is not None
            and "ALERT" in error.reply.text
        )
    finally:
        sock.close()
    return True


def _explain(error: OSError, security: Security) -> MailError:
    if isinstance(error, TimeoutError):
        return MailError(ErrorCode.TIMEOUT)
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailError(
            _certificate_code(error.verify_code),
            reply=ServerReply(None, "", error.verify_message),
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return MailError(ErrorCode.CONNECTION_LOST)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if security is not Security.STARTTLS and any(w in reason for w in _NOT_TLS):
            return MailError(ErrorCode.TLS_EXPECTED_PLAIN)
        return MailError(ErrorCode.TLS_FAILED, reply=ServerReply(None, "", reason))
    return MailError(ErrorCode.CONNECTION_LOST)


def _certificate_code(verify_code: int) -> ErrorCode:
    if verify_code in _EXPIRED:
        return ErrorCode.CERT_EXPIRED
    if verify_code in _OTHER_NAME:
        return ErrorCode.CERT_NAME_MISMATCH
    return ErrorCode.CERT_UNTRUSTED
