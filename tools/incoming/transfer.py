"""Fetching one whole message during a visit, if need be over several of them.

A slow server gives a large message piece by piece: IMAP goes on where it stopped. What
does not get on is told as too slow, so that it does not hold up what lies behind it.
"""

import os
import tempfile
import threading
import time
from contextlib import nullcontext
from dataclasses import replace

from ...mailkit.errors import FATAL, ErrorCode, MailError
from ...mailkit.imap.mailbox import SMALL_CHUNK
from .message_source import LARGE, MessageSource
from .requests import Begun, Held, Part

# Of large messages one at a time is processed, whatever mailbox it is in; they are
# fetched to the disk, so that nobody waits for a slow server.
_one_large = threading.Semaphore()
# Octets of a message that go into one row.
_PIECE = 4 * 1024 * 1024
# Octets to ask for first: a slow server may not get on with more.
_FIRST_CHUNK = 64 * 1024
# Visits that brought nothing of a message: of a slow server, of one that breaks off. A
# header is small, so that the server has rather another trouble at this moment.
_SLOW_VISITS, _BROKEN_VISITS = 3, 6
# A message that took so many seconds is taken in even when the run is over.
_SLOW_SECONDS = 3.0
# Visits for one message, whatever they bring.
_MOST_VISITS = 200


def given_up(transfer):
    """Whether a message held up enough visits.

    :param dict transfer: see ``counted``
    :return: the reason, or ""
    """
    slow = transfer.get("slow", 0)
    broken = transfer.get("broken", 0)
    if slow >= _SLOW_VISITS and not transfer.get("header"):
        return "too_slow"
    if slow + broken >= _BROKEN_VISITS:
        return "too_slow" if slow >= broken else "unreadable"
    return "too_slow" if transfer.get("visits", 0) >= _MOST_VISITS else ""


def counted(transfer, held):
    """How a message stands after one more visit that ended at it.

    :param dict transfer: how it stood before, of another message perhaps
    :param Held held:
    :return: dict, as ``mail.external.folder`` keeps it
    """
    if not transfer or transfer["message"] != held.message:
        transfer = {"message": held.message, "visits": 0, "slow": 0, "broken": 0}
        transfer["header"] = held.message.endswith(HEADER)
    name = "slow" if held.code == ErrorCode.TIMEOUT.value else "broken"
    poor = held.octets < SMALL_CHUNK
    return {
        **transfer,
        "visits": transfer["visits"] + 1,
        name: transfer[name] + int(poor),
    }


# Ends the name of a message of which not even the header came.
HEADER = " header"


def transfer_of(folder, message):
    """What is known of earlier visits to this message; {} when there were none."""
    transfer = folder.transfer or {}
    return transfer if transfer.get("message") == message else {}


def hand_over(fetch, empty, message, ask, *, goes_on=True):
    """Fetch one message and wait until the run is done with it.

    :param fetch: adds it to the file that it is given; its second argument says how
        many octets to ask for first, when that can be chosen
    :param Whole empty: what to tell the run, but for the content
    :param str message: names it for later visits
    :param bool goes_on: whether it can be fetched from the middle on
    """
    transfer = transfer_of(empty.folder, message)
    if problem := given_up(transfer):
        ask(replace(empty, problem=problem))
        return
    with tempfile.SpooledTemporaryFile(max_size=LARGE) as file:
        if transfer and goes_on:
            _recall(file, empty.folder, message, ask)
        begun, started = file.tell(), time.monotonic()
        try:
            fetch(file, SMALL_CHUNK if transfer else _FIRST_CHUNK)
        except MailError as error:
            if error.code not in FATAL:
                ask(replace(empty, problem=error.code.value))
                return
            octets = _keep(file, begun, empty.folder, message, ask) if goes_on else 0
            ask(Held(empty.folder, message, octets, error.code.value))
            raise
        slow = bool(transfer) or time.monotonic() - started > _SLOW_SECONDS
        source = MessageSource(file)
        with _one_large if source.is_large else nullcontext():
            ask(replace(empty, raw=source, keeps=slow))


def _recall(file, folder, message, ask):
    while content := ask(Begun(folder, message, file.tell())):
        file.write(content)


def _keep(file, begun, folder, message, ask):
    """:return: how many octets this visit brought"""
    size = file.seek(0, os.SEEK_END)
    file.seek(begun)
    for position in range(begun, size, _PIECE):
        ask(Part(folder, message, position, file.read(_PIECE)))
    return max(size - begun, 0)
