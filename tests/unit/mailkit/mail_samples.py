"""A mail as this addon sends it, and times for tests."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email import policy
from email.message import EmailMessage

from mailkit.answers.token import Signer, html_mark, reference, text_mark

SIGNER = Signer(b"k" * 32, "5c8f1f6e-database")
CUSTOMER = "client@customer.test"
SENT_AT = datetime(2025, 3, 10, 9, 0, tzinfo=timezone.utc)


def sent_mail(
    message: int = 4711, address: int = 3, *, plain: str = "Our offer.\n"
) -> bytes:
    """Message number `message`, from anna@brand-a.test to the customer."""
    token = SIGNER.token(message, address)
    mail = EmailMessage(policy=policy.SMTP)
    mail["Message-Id"] = odoo_id(message)
    mail["References"] = f"{odoo_id(message)} {reference(token, 'brand-a.test')}"
    mail["X-Odoo-Message-Id"] = odoo_id(message)
    mail["Thread-Index"] = SIGNER.thread_index(message, SENT_AT)
    mail["Subject"] = "Offer for the kitchen"
    mail["From"] = "Anna <anna@brand-a.test>"
    mail["To"] = f"Client <{CUSTOMER}>"
    mail["Date"] = SENT_AT
    mail.set_content(plain + text_mark(token), charset="utf-8")
    markup = f'<div id="x" class="y" data-z="1">{plain}{html_mark(token)}</div>'
    mail.add_alternative(markup, subtype="html", charset="utf-8")
    return mail.as_bytes()


def odoo_id(message: int) -> str:
    """As Odoo's generate_tracking_message_id makes them."""
    return f"<{message}.1741597200.123456-openerp-55-project.task@odoo-host>"


@contextmanager
def quick(seconds: float) -> Iterator[None]:
    """Fail when the processor needed longer; a busy machine doesn't count."""
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds
