"""Judging headers that anybody can send, with an eye on the clock."""

import logging
import time

from ..mailkit.headers import Headers, parse_headers

_logger = logging.getLogger(__name__)

# Processor's seconds for one header: far more than any takes. And for those that are
# judged in one go: others wait for their turn.
HEAVY_SECONDS = 2.0
SLICE_SECONDS = 1.0


class TooMuch(Exception):
    """Several headers take longer than what may be judged in one go."""


def timed(judge, spent, *columns):
    """What ``judge`` returns for each row of ``columns``.

    :param list spent: the processor's seconds of each are added to it
    :raise TooMuch: there are several, and no time for all of them
    """
    results, total = [], 0.0
    for number, row in enumerate(zip(*columns, strict=True)):
        if total > SLICE_SECONDS:
            raise TooMuch
        began = time.thread_time()
        results.append(judge(*row))
        taken = time.thread_time() - began
        spent[number] += taken
        total += taken
    return results


def parsed(raws):
    """The first of these headers: as many as fit into one go, and one at least.

    :return: (list of mailkit.headers.Headers, the processor's seconds of each)
    """
    headers, spent = [], []
    for raw in raws:
        one = [0.0]
        headers += timed(_parse, one, [raw])
        spent += one
        if sum(spent) > SLICE_SECONDS:
            break
    return headers, spent


def _parse(raw):
    return parse_headers(raw)


def pass_by(account, asked, reason):
    """Show by its place what nobody can judge; nothing of it is looked at.

    :param asked: a ``Seen`` of one header, or a ``Whole``
    """
    name = asked.names[0] if hasattr(asked, "names") else asked.name
    validity = getattr(asked, "uid_validity", 0)
    keep_place(account, asked.folder, name, reason, validity)
    _logger.warning(
        "Message %s of folder %s of mailbox %s is shown by its place: %s",
        name,
        asked.folder.id,
        account.id,
        reason,
    )


def keep_place(account, folder, name, reason, validity=0):
    """:param name: UID or UIDL of a message of which nothing is known"""
    key = f"unreadable:{folder.id}:{validity}:{name}"
    account._keep_place(Headers(), False, f"{folder.path} {name}", reason, key)
