"""``./dev mail reply``: answer a mail of a sandbox mailbox, as its owner would."""

import smtplib
from collections.abc import Sequence
from email.utils import getaddresses
from pathlib import Path

from ..console import DevError, say
from ..testbed.clients import answer
from .maildir import open_mailbox
from .service import LOOPBACK
from .show import read_mailbox, wanted_position

_SECONDS = 10


def main(folder: Path, relay_port: int, argv: Sequence[str]) -> int:
    """Write the answer with Thunderbird's headers and quoting, and hand it over.

    `folder` is the sandbox's, `relay_port` where it takes mail without sign-in; `argv`:
    address, number of the mail as ``./dev mail ADDRESS`` counts, text. Raises DevError.
    """
    if len(argv) != 3 or not argv[2].strip():
        raise DevError('say: ./dev mail reply ADDRESS NUMBER "text"')
    address, number, text = argv
    position = wanted_position(read_mailbox(folder, address), number)
    original = open_mailbox(folder, address).entries()[position].raw()
    raw = answer("thunderbird", original, sender=address, text=text)
    _hand_over(relay_port, address, raw)
    return 0


def _hand_over(port: int, sender: str, raw: bytes) -> None:
    head = raw.partition(b"\r\n\r\n")[0].decode().splitlines()
    to = [line.partition(":")[2] for line in head if line.lower().startswith("to:")]
    recipients = [address for _name, address in getaddresses(to) if address]
    try:
        with smtplib.SMTP(LOOPBACK, port, timeout=_SECONDS) as smtp:
            smtp.sendmail(sender, recipients, raw, mail_options=["BODY=8BITMIME"])
    except OSError as error:
        raise DevError(
            f"the sandbox mail server took no mail ({error}); './dev run' starts it."
        ) from None
    say(f"{sender} has answered {', '.join(recipients)}.")
