"""What an attacker writes: one piece again and again, between two ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# Pieces that parsers of mail, HTML and protocols take for the beginning of something.
UNITS = (
    *"a1\"\\()[]{}<>,;:@=&#%*.-_+/?!'",
    *(" ", "\t", "\n", "\r", "\r\n", "\n ", "\n\n", "\n\t", "\0", "\u200b", "\u00e9"),
    *("\u212a", "\u043f", "\U0001f600", "\u3000", "\ud800"),
    *(
        '\\"',
        '"\\',
        '"" ',
        '"a" ',
        "()",
        "((",
        "<>",
        "<<",
        "< ",
        "<a",
        "a,",
        "a;",
        "a:",
    ),
    *("a@", "@a", "a@b ", "a@b,", "<a@b>", "<a@b>,", "a.", "a-", "a b ", "a=b;"),
    *("=?", "=?utf-8?q?", "=?utf-8?q?a?= ", "=?utf-8?b?YQ==?=", "=?a?b?", "?=", "=41"),
    *(
        "=\n",
        "YWFh",
        "YWFh\n",
        "&amp;",
        "&#65;",
        "&lt",
        "&AOk-",
        "&-",
        "{1}",
        "{1}\r\n",
    ),
    *(
        "Re:",
        "re: ",
        "re[1]",
        "re ",
        "A: b\n",
        "A:\n",
        "A: b\n c\n",
        "To: a@b,\n",
        "> a\n",
    ),
    *("--a\n", "--a--\n", "--a\nContent-Type: multipart/mixed; boundary=a\n\n"),
    *("Content-Type: message/rfc822\n\n", "--a\nContent-Type: text/html\n\n<b>\n"),
    *("<b>", "</b>", "<b ", "<!--", "-->", "<!", "<?", "<b a='", '<b a="', ' a="b"'),
    *("<style>", "<br/>", "<img ", "/web/image/1", "url(", "/*", "*/", "a:b;", "\n>"),
    *(
        "* 1 FETCH (",
        "UID 1 ",
        "BODY[] {1} ",
        'BODY[] "',
        "FLAGS (",
        "1:3,",
        ". ",
        "..\r\n",
    ),
)


class Seed(NamedTuple):
    """`unit` is repeated until the text has the length that is asked for."""

    beginning: str
    unit: str
    end: str

    def text(self, length: int) -> str:
        """The text with about `length` characters."""
        count = max(length - len(self.beginning) - len(self.end), 0)
        body = (self.unit * (count // len(self.unit) + 1))[:count]
        return self.beginning + body + self.end


def seeds(*further: str) -> Iterator[Seed]:
    """All of them, and those behind `further` beginnings."""
    for unit in UNITS:
        for beginning in ("", *further):
            yield Seed(beginning, unit, "\0")
        yield Seed("", unit, "a@b")
