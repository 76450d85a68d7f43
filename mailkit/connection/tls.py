"""Verified TLS, and what went wrong with it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from functools import lru_cache

from ..errors import ErrorCode, MailError, ServerReply
from .network import Deadline
from .settings import Security, Server

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


@dataclass(frozen=True)
class TlsFacts:
    """How a connection is encrypted: "TLSv1.3" and OpenSSL's cipher name, or ""."""

    version: str = ""
    cipher: str = ""


@lru_cache(maxsize=64)
def context(ca_pem: str) -> ssl.SSLContext:
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


def encrypt(sock: socket.socket, server: Server, deadline: Deadline) -> ssl.SSLSocket:
    """Do the handshake on `sock`, for the name `server.host`.

    Raises MailError TIMEOUT, CONNECTION_LOST, TLS_FAILED, TLS_EXPECTED_PLAIN, CERT_*.
    """
    verifying = context(server.ca_pem)
    sock.settimeout(deadline.remaining())
    try:
        return verifying.wrap_socket(sock, server_hostname=server.host)
    except OSError as error:  # ssl.SSLError is one
        raise _explain(error, server.security) from None


def facts(sock: socket.socket) -> TlsFacts:
    """Return what was agreed on for `sock`."""
    if not isinstance(sock, ssl.SSLSocket):
        return TlsFacts()
    cipher = sock.cipher()
    return TlsFacts(sock.version() or "", cipher[0] if cipher else "")


def speaks_tls(sock: socket.socket, server: Server, deadline: Deadline) -> bool:
    """Whether the other side of a fresh connection answers a TLS handshake.

    Nothing but the handshake is sent; `sock` is closed.
    """
    try:
        encrypt(sock, server, deadline).close()
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
