"""Judging headers that anybody can send, with an eye on the clock."""

import time

from ...mailkit.message.headers import parse_headers

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
    before = time.thread_time()
    for number, row in enumerate(zip(*columns, strict=True)):
        if total > SLICE_SECONDS:
            raise TooMuch
        results.append(judge(*row))
        now = time.thread_time()
        spent[number] += now - before
        total += now - before
        before = now
    return results


def parsed(raws):
    """The first of these headers: as many as fit into one go, and one at least.

    :return: (list of mailkit.message.headers.Headers, the processor's seconds of each)
    """
    headers, spent = [], []
    before = began = time.thread_time()
    for raw in raws:
        headers.append(parse_headers(raw))
        now = time.thread_time()
        spent.append(now - before)
        before = now
        if now - began > SLICE_SECONDS:
            break
    return headers, spent
