"""Nasty messages: broken MIME, encodings and line ends."""

from __future__ import annotations

from .nasty_parts import Cases, Frame, encoded, joined, part

CASES = Cases()
_PLAIN = part("text/plain; charset=utf-8", b"The answer.")


@CASES.add
def no_boundary(f: Frame) -> bytes:
    """multipart/mixed that names no boundary."""
    return f.message(joined((_PLAIN,), "edge"), Content_Type="multipart/mixed")


@CASES.add
def wrong_boundary(f: Frame) -> bytes:
    """The boundary that is named never comes."""
    body = joined((_PLAIN,), "other")
    return f.message(body, Content_Type='multipart/mixed; boundary="edge"')


@CASES.add
def empty_boundary(f: Frame) -> bytes:
    """The boundary is an empty string."""
    return f.message(joined((_PLAIN,), ""), Content_Type='multipart/mixed; boundary=""')


@CASES.add
def unclosed_boundary(f: Frame) -> bytes:
    """The last boundary line is missing: the mail was cut off."""
    return f.multipart(_PLAIN, part("text/plain", b"and"), closed=False)


@CASES.add
def same_boundary_inside(f: Frame) -> bytes:
    """A multipart inside of another with the same boundary."""
    inner = part('multipart/alternative; boundary="edge"', joined((_PLAIN,), "edge"))
    return f.multipart(inner)


@CASES.add
def boundary_beginning_alike(f: Frame) -> bytes:
    """The inner boundary begins with the outer one."""
    kind = 'multipart/alternative; boundary="edge-2"'
    return f.multipart(part(kind, joined((_PLAIN,), "edge-2")))


@CASES.add
def multipart_without_parts(f: Frame) -> bytes:
    """A multipart with nothing between its boundaries."""
    return f.multipart()


@CASES.add
def multipart_empty_body(f: Frame) -> bytes:
    """A multipart without any body."""
    return f.message(b"", Content_Type='multipart/mixed; boundary="edge"')


@CASES.add
def multipart_base64(f: Frame) -> bytes:
    """A multipart that is base64 as a whole, which RFC 2045 forbids."""
    return f.message(
        encoded(joined((_PLAIN,), "edge")),
        Content_Type='multipart/mixed; boundary="edge"',
        Content_Transfer_Encoding="base64",
    )


@CASES.add
def parts_2000(f: Frame) -> bytes:
    """2,000 parts."""
    return f.multipart(*[part("text/plain", b"piece %d" % n) for n in range(2000)])


@CASES.add
def nested_multipart_100(f: Frame) -> bytes:
    """Multiparts 100 levels deep."""
    inner = _PLAIN
    for level in range(100):
        body = joined((inner,), f"edge{level}")
        inner = part(f'multipart/mixed; boundary="edge{level}"', body)
    return f.multipart(inner)


@CASES.add
def nested_rfc822_30(f: Frame) -> bytes:
    """message/rfc822 30 levels deep."""
    inner = b"Subject: innermost\r\n\r\nEnd.\r\n"
    for _level in range(30):
        inner = part("message/rfc822", inner)
    return f.multipart(_PLAIN, inner)


@CASES.add
def attached_message(f: Frame) -> bytes:
    """An attached message, itself multipart with an attachment."""
    inner = f.multipart(_PLAIN, part("application/zip", b"PK", ("X", "y")))
    name = ("Content-Disposition", 'attachment; filename="Fwd.eml"')
    return f.multipart(_PLAIN, part("message/rfc822", inner, name))


@CASES.add
def attached_message_base64(f: Frame) -> bytes:
    """An attached message in base64, as some programs send it."""
    inner = encoded(b"Subject: inner\r\n\r\nText.\r\n")
    how = ("Content-Transfer-Encoding", "base64")
    return f.multipart(_PLAIN, part("message/rfc822", inner, how))


@CASES.add
def attached_message_empty(f: Frame) -> bytes:
    """An attached message of no bytes."""
    return f.multipart(_PLAIN, part("message/rfc822", b""))


@CASES.add
def truncated_base64(f: Frame) -> bytes:
    """Base64 that stops in the middle of a group."""
    body = encoded("Відповідь".encode() * 20)[:101]
    return f.text(body, Content_Transfer_Encoding="base64")


@CASES.add
def garbage_base64(f: Frame) -> bytes:
    """Base64 with foreign characters in it."""
    return f.text(
        b"VGhl!!!\x00IGFu%%c3dlci4=\r\n--\r\n=", Content_Transfer_Encoding="base64"
    )


@CASES.add
def broken_quoted_printable(f: Frame) -> bytes:
    """Quoted-printable with senseless escapes and a cut end."""
    return f.text(
        b"A=ZZ =C3=\r\n=A4 =\r\n= 100% =3", Content_Transfer_Encoding="quoted-printable"
    )


@CASES.add
def unknown_encoding(f: Frame) -> bytes:
    """A transfer encoding that nobody knows."""
    return f.text(Content_Transfer_Encoding="x-rot13")


@CASES.add
def uuencoded(f: Frame) -> bytes:
    """A uuencoded file in the text, as of 1995, with a broken line."""
    return f.text(b"The answer.\r\n\r\nbegin 644 a.txt\r\n#0V%T\r\n~~~\r\n`\r\nend\r\n")


@CASES.add
def uuencode_header(f: Frame) -> bytes:
    """x-uuencode as transfer encoding, without a beginning."""
    return f.text(b"#0V%T\r\n", Content_Transfer_Encoding="x-uuencode")


@CASES.add
def binary_octet_stream(f: Frame) -> bytes:
    """The content type binary/octet-stream, which Odoo replaces."""
    return f.multipart(_PLAIN, part("binary/octet-stream", b"\x00\x01\xff"))


@CASES.add
def senseless_content_type(f: Frame) -> bytes:
    """Content types without a slash, with stars, or empty."""
    return f.multipart(
        _PLAIN, part("text", b"a"), part("*/*", b"b"), part("", b"c"), part("/", b"d")
    )


@CASES.add
def no_content_type(f: Frame) -> bytes:
    """8-bit text without any MIME field."""
    return f.message("Відповідь".encode("cp1251"), MIME_Version=None)


@CASES.add
def unknown_charset(f: Frame) -> bytes:
    """A charset that doesn't exist."""
    kind = "text/plain; charset=x-klingon-8"
    return f.text("Grüße".encode(), Content_Type=kind)


@CASES.add
def codec_as_charset(f: Frame) -> bytes:
    """Python codecs that are no charsets."""
    kinds = ("hex", "zip", "unicode_escape", "idna", "punycode", "undefined")
    texts = (part(f"text/plain; charset={name}", rb"\x41-zz") for name in kinds)
    return f.multipart(_PLAIN, *texts)


@CASES.add
def wrong_charset(f: Frame) -> bytes:
    """Windows-1251 that says it is UTF-8."""
    return f.text("Дякую, підходить".encode("cp1251"))


@CASES.add
def ascii_with_8bit(f: Frame) -> bytes:
    """8-bit characters in what says it is ASCII."""
    return f.text("Größe".encode(), Content_Type="text/plain; charset=us-ascii")


@CASES.add
def invalid_utf8(f: Frame) -> bytes:
    """Bytes that are never UTF-8: cut, overlong, surrogates."""
    return f.text(b"\xff\xfe \xc0\x80 \xed\xa0\x80 \xf0\x9f\x98")


@CASES.add
def utf7_markup(f: Frame) -> bytes:
    """UTF-7 that becomes a script when it is decoded, and half a surrogate pair."""
    kind = "text/html; charset=utf-7"
    return f.message(
        b"+ADw-script+AD4-alert(1)+ADw-/script+AD4- +2D0-", Content_Type=kind
    )


@CASES.add
def utf16_text(f: Frame) -> bytes:
    """UTF-16 with NUL bytes, sent as 8bit."""
    kind = "text/plain; charset=utf-16"
    return f.text("Відповідь".encode("utf-16"), Content_Type=kind)


@CASES.add
def nul_in_body(f: Frame) -> bytes:
    """NUL bytes in the text, which PostgreSQL refuses."""
    return f.text(b"Before\x00after \x00\x00\r\n")


@CASES.add
def endless_line(f: Frame) -> bytes:
    """A line of 5 MB."""
    return f.text(b"word " * (1 << 20))


@CASES.add
def bare_lf(f: Frame) -> bytes:
    """Only LF line ends."""
    return f.text(b"One\r\nTwo\r\n").replace(b"\r\n", b"\n")


@CASES.add
def bare_cr(f: Frame) -> bytes:
    """Only CR line ends."""
    return f.text(b"One\r\nTwo\r\n").replace(b"\r\n", b"\r")


@CASES.add
def mixed_line_ends(f: Frame) -> bytes:
    """CRLF in the header, then LF, CR and CRCRLF."""
    return f.text(b"One\nTwo\rThree\r\r\nFour\n\r")


@CASES.add
def doubled_cr(f: Frame) -> bytes:
    """Every line ends with CRCRLF."""
    return f.text().replace(b"\r\n", b"\r\r\n")


@CASES.add
def lf_header_crlf_body(f: Frame) -> bytes:
    """The header has LF, the body CRLF with an empty line of its own."""
    head = f.fields().replace(b"\r\n", b"\n")
    return head + b"\nOne\r\n\r\nTwo\r\n"


@CASES.add
def empty(_f: Frame) -> bytes:
    """No byte at all."""
    return b""


@CASES.add
def only_line_ends(_f: Frame) -> bytes:
    """Nothing but line ends."""
    return b"\r\n\r\n\r\n"


@CASES.add
def only_nul(_f: Frame) -> bytes:
    """A kilobyte of NUL."""
    return bytes(1024)


@CASES.add
def only_body(_f: Frame) -> bytes:
    """A text without any header."""
    return b"\r\nJust a text.\r\nFrom: nobody\r\n"


@CASES.add
def only_header(f: Frame) -> bytes:
    """A header without the empty line and a body."""
    return f.fields()


@CASES.add
def lying_content_length(f: Frame) -> bytes:
    """Content-Length and Lines that lie."""
    return f.text(Content_Length="99999999999999999999", Lines="-1")
