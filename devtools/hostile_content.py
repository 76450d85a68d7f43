"""What ``./dev bench hostile`` lets loose: texts that are hard to look through.

Sixty kilobytes each, which is little: what takes the square of it takes seconds, and
what takes more than that never ends.
"""

from datetime import datetime, timezone
from email.utils import format_datetime

from .testbed import clients
from .testbed.quoting import Sent

_SIZE = 60_000
_MEGABYTE = 1024 * 1024
#: An image whose address begins again and again, and does not end as one does.
HARD_BODY = f"""<p>Hello</p><img src="{"/web/image/1" * (_SIZE // 12)}'">"""


def hard_mails(original: bytes, recipient: str) -> list[bytes]:
    """Two answers whose From is the trouble; anybody may write such ones."""
    quotes = '"' + '\\"' * (_SIZE // 2)
    blanks = "x" + " " * _SIZE + "<y"
    answered = Sent.read(original).headers.message_id
    return [
        (
            f"From: {sender}\r\nTo: {recipient}\r\nSubject: Hello\r\n"
            f"Date: {format_datetime(datetime.now(timezone.utc))}\r\n"
            f"Message-ID: <hard{number}@elsewhere.test>\r\n"
            f"In-Reply-To: {answered}\r\n\r\nHello\r\n"
        ).encode()
        for number, sender in enumerate((quotes, blanks))
    ]


def large_answer(original: bytes, sender: str) -> bytes:
    """An answer with a megabyte of text."""
    text = "A line of the text of this message.\n" * (_MEGABYTE // 36)
    return clients.answer("thunderbird", original, sender=sender, text=text)
