"""Nasty messages: pictures, attachments and their names."""

from __future__ import annotations

import base64

from .nasty_parts import Cases, Frame, part

CASES = Cases()
_PLAIN = part("text/plain; charset=utf-8", b"The answer.")


@CASES.add
def inline_image_missing(f: Frame) -> bytes:
    """Inline pictures whose parts are missing, doubled or unused."""
    markup = b'<img src="cid:one@x"><img src="cid:gone@x"><img src="CID:one@x">'
    image = [("Content-ID", "<one@x>"), ("Content-Transfer-Encoding", "base64")]
    return f.multipart(
        part("text/html", markup),
        part('image/png; name="a.png"', b"iVBORw0KGgo=", *image),
        part('image/png; name="a.png"', b"iVBORw0KGgo=", *image),
        kind="related",
    )


@CASES.add
def data_uri_image(f: Frame) -> bytes:
    """Pictures in the HTML itself, one of them broken."""
    pixel = base64.b64encode(b"GIF89a").decode()
    return f.html(
        f'<img src="data:image/gif;base64,{pixel}"><img src="data:image/png;base64,%%">'
    )


@CASES.add
def name_path_traversal(f: Frame) -> bytes:
    """A file name that leads out of the folder."""
    return f.attachment('attachment; filename="../../../../etc/cron.d/x"')


@CASES.add
def name_windows_path(f: Frame) -> bytes:
    """A file name with drive, backslashes, stream and a device's name."""
    return f.attachment('attachment; filename="C:\\\\temp\\\\..\\\\CON:evil.exe:$DATA"')


@CASES.add
def name_nul(f: Frame) -> bytes:
    """A file name with NUL and line ends, RFC 2231."""
    return f.attachment("attachment; filename*=utf-8''a.pdf%00.exe%0D%0AX: y")


@CASES.add
def name_rtl(f: Frame) -> bytes:
    """A file name that a direction mark shows as another."""
    return f.attachment("attachment; filename*=utf-8''invoice%E2%80%AEfdp.exe")


@CASES.add
def name_empty(f: Frame) -> bytes:
    """An empty file name."""
    return f.attachment('attachment; filename=""')


@CASES.add
def name_100kb(f: Frame) -> bytes:
    """A file name of 100 kB."""
    return f.attachment(f'attachment; filename="{"n" * 100_000}.pdf"')


@CASES.add
def name_continuations(f: Frame) -> bytes:
    """RFC 2231 continuations: 500, out of order, doubled, one missing."""
    pieces = "; ".join(f"filename*{n}*=a{n}" for n in range(500) if n != 3)
    return f.attachment(f"attachment; {pieces}; filename*0*=utf-8'en'b")


@CASES.add
def name_bad_charset(f: Frame) -> bytes:
    """RFC 2231 with an unknown charset and broken escapes."""
    return f.attachment("attachment; filename*=x-none''%ZZ%D0%; filename=fallback.pdf")


@CASES.add
def name_encoded_word(f: Frame) -> bytes:
    """RFC 2047 in a parameter, where it is forbidden and usual."""
    return f.attachment('attachment; filename="=?utf-8?B?0KDQsNGF0YPQvdC+0Lo=?=.pdf"')


@CASES.add
def disposition_senseless(f: Frame) -> bytes:
    """A Content-Disposition of separators."""
    return f.attachment(";;;=;\"';filename")


@CASES.add
def zero_byte_file(f: Frame) -> bytes:
    """An attachment of no bytes."""
    name = ("Content-Disposition", 'attachment; filename="empty.pdf"')
    return f.multipart(_PLAIN, part("application/pdf", b"", name))


@CASES.add
def many_files(f: Frame) -> bytes:
    """300 attachments of one name."""
    name = ("Content-Disposition", 'attachment; filename="a.txt"')
    return f.multipart(_PLAIN, *[part("text/plain", b"x", name)] * 300)
