"""How mail programs quote the message that they answer.

What becomes of the quoted HTML's attributes is what public reports tell (osTicket #584
and #1963: attributes get lost; AnonAddy #253: Outlook's desktop version drops `id`).
The sentences are our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from mailkit.message.headers import Headers, parse_headers


@dataclass(frozen=True)
class Sent:
    """The message that is answered, as its receiver's program sees it."""

    headers: Headers
    reply_to: str
    subject: str
    date: str
    plain: str
    html: str

    @classmethod
    def read(cls, raw: bytes) -> Sent:
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101
        plain = message.get_body(("plain",))
        html = message.get_body(("html",))
        text = plain.get_content() if plain else ""
        return cls(
            parse_headers(raw),
            str(message["Reply-To"] or message["From"] or ""),
            str(message["Subject"] or ""),
            str(message["Date"] or ""),
            text,
            html.get_content() if html else f"<pre>{text}</pre>",
        )

    @property
    def inner_html(self) -> str:
        found = re.search(r"<body[^>]*>(.*)</body>", self.html, re.S | re.I)
        return found.group(1) if found else self.html

    @property
    def author(self) -> str:
        return self.headers.author.display or self.headers.author.email

    @property
    def references(self) -> tuple[str, ...]:
        """What an answer's References are by RFC 5322, 3.6.4."""
        named = (*self.headers.ancestors, self.headers.message_id)
        return tuple(dict.fromkeys(named))


def cited(text: str, sent: Sent) -> str:
    """Plain text below an introduction, each line with "> "."""
    quoted = "\n".join(f"> {line}" for line in sent.plain.splitlines())
    return f"{text}\n\nOn {sent.date}, {sent.author} wrote:\n\n{quoted}\n"


def outlook_plain(text: str, sent: Sent) -> str:
    to = ", ".join(a.email for a in sent.headers.to)
    return (
        f"{text}\n\n-----Original Message-----\n"
        f"From: {sent.author}\nSent: {sent.date}\nTo: {to}\n"
        f"Subject: {sent.subject}\n\n{sent.plain}\n"
    )


def _prefixed(html: str, prefix: str) -> str:
    """Ids and classes renamed, `data-` attributes gone: web mail."""
    html = re.sub(r'\sdata-[\w-]+="[^"]*"', "", html)
    return re.sub(r'\s(id|class)="([^"]*)"', rf' \1="{prefix}\2"', html)


def _word_html(html: str) -> str:
    """Outlook's desktop version: the HTML is written anew, by Word."""
    html = re.sub(r'\s(?:id|class|data-[\w-]+)="[^"]*"', "", html)
    html = re.sub(r"<div([^>]*)>", r"<p class=MsoNormal\1>", html)
    return html.replace("</div>", "<o:p></o:p></p>")


def thunderbird_html(text: str, sent: Sent) -> str:
    mid = sent.headers.message_id.strip("<>")
    return (
        f"<!DOCTYPE html><html><body><p>{text}</p>"
        f'<div class="moz-cite-prefix">On {sent.date}, {sent.author} wrote:<br></div>\n'
        f'<blockquote type="cite" cite="mid:{mid}">{sent.inner_html}</blockquote>'
        "</body></html>"
    )


def gmail_html(text: str, sent: Sent) -> str:
    return (
        f'<div dir="ltr">{text}</div><br><div class="gmail_quote">'
        f'<div dir="ltr" class="gmail_attr">On {sent.date} {sent.author} wrote:<br>'
        "</div>"
        '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">'
        f"{_prefixed(sent.inner_html, 'm_4711')}</blockquote></div>\n"
    )


def outlook_html(text: str, sent: Sent) -> str:
    return (
        '<html xmlns:o="urn:schemas-microsoft-com:office:office"><body lang=DE>'
        f"<div class=WordSection1><p class=MsoNormal>{text}<o:p></o:p></p>"
        "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal>"
        f"<b>From:</b> {sent.author}<br><b>Sent:</b> {sent.date}<br>"
        f"<b>Subject:</b> {sent.subject}<o:p></o:p></p></div>"
        f"{_word_html(sent.inner_html)}</div></body></html>"
    )


def owa_html(text: str, sent: Sent) -> str:
    return (
        f'<html><body dir="ltr"><div class="elementToProof">{text}</div>'
        '<div id="appendonsend"></div><hr style="display:inline-block;width:98%">'
        f'<div id="divRplyFwdMsg" dir="ltr"><b>Von:</b> {sent.author}<br>'
        f"<b>Gesendet:</b> {sent.date}<br><b>Betreff:</b> {sent.subject}</div>"
        f"<div>{_prefixed(sent.inner_html, 'x_')}</div></body></html>"
    )


def apple_html(text: str, sent: Sent) -> str:
    return (
        '<html><head></head><body style="overflow-wrap: break-word;">'
        f'{text}<br><div><br><blockquote type="cite"><div>On {sent.date}, {sent.author}'
        f' wrote:</div><br class="Apple-interchange-newline"><div>{sent.inner_html}'
        "</div></blockquote></div></body></html>"
    )


def yahoo_html(text: str, sent: Sent) -> str:
    return (
        f'<html><body><div class="ydp1yahoo-style-wrap"><div>{text}</div></div>'
        f'<div id="yahoo_quoted_1" class="yahoo_quoted">On {sent.date}, {sent.author}'
        f" wrote:<div>{_prefixed(sent.inner_html, 'yiv99')}</div></div></body></html>"
    )
