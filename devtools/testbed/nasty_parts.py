"""What the nasty messages are put together from."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """The sound frame of a message that answers `answers`."""

    name: str
    answers: str
    sender: str
    to: str

    def fields(self, **changed: str | None) -> bytes:
        """The header: usual fields, with some changed, or left out by None.

        Underlines in names stand for hyphens.
        """
        usual: dict[str, str | None] = {
            "From": self.sender,
            "To": self.to,
            "Subject": f"Re: nasty {self.name}",
            "Date": "Mon, 10 Mar 2025 11:00:00 +0000",
            "Message-ID": f"<nasty-{self.name}@customer.test>",
            "In-Reply-To": self.answers,
            "References": self.answers,
            "MIME-Version": "1.0",
        }
        for name, value in changed.items():
            usual[name.replace("_", "-")] = value
        lines = [f"{k}: {v}\r\n" for k, v in usual.items() if v is not None]
        return "".join(lines).encode("utf-8", "surrogateescape")

    def message(self, body: bytes, **changed: str | None) -> bytes:
        """A whole message."""
        return self.fields(**changed) + b"\r\n" + body

    def text(self, body: bytes = b"The answer.\r\n", **changed: str | None) -> bytes:
        """A plain text message."""
        changed.setdefault("Content_Type", "text/plain; charset=utf-8")
        return self.message(body, **changed)

    def html(self, markup: str) -> bytes:
        """An HTML message."""
        kind = "text/html; charset=utf-8"
        return self.message(markup.encode() + b"\r\n", Content_Type=kind)

    def multipart(
        self,
        *parts: bytes,
        kind: str = "mixed",
        boundary: str = "edge",
        closed: bool = True,
    ) -> bytes:
        """A multipart message of parts that bring their own fields."""
        body = joined(parts, boundary, closed=closed)
        return self.message(
            body, Content_Type=f'multipart/{kind}; boundary="{boundary}"'
        )

    def attachment(self, disposition: str, *, kind: str = "application/pdf") -> bytes:
        """A text and an attachment with this Content-Disposition."""
        return self.multipart(
            part("text/plain", b"See the file."),
            part(
                kind,
                b"JVBERi0xLjQK",
                ("Content-Transfer-Encoding", "base64"),
                ("Content-Disposition", disposition),
            ),
        )


Case = Callable[[Frame], bytes]


def part(kind: str, body: bytes, *fields: tuple[str, str]) -> bytes:
    """A body part."""
    head = "".join(f"{k}: {v}\r\n" for k, v in (("Content-Type", kind), *fields))
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + body


def joined(parts: tuple[bytes, ...], boundary: str, *, closed: bool = True) -> bytes:
    """Parts between boundary lines."""
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + piece + b"\r\n" for piece in parts)
    return body + (mark + b"--\r\n" if closed else b"")


def encoded(data: bytes) -> bytes:
    """Base64 lines."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


class Cases(dict[str, Case]):
    """The builders of a file, by their names."""

    def add(self, builder: Case) -> Case:
        self[builder.__name__.strip("_")] = builder
        return builder
