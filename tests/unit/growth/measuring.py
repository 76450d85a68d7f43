"""How the processor time of a call grows with what it is given.

Each subject is measured in a process of its own, which ends when it needs more than
its share: one call of a regular expression cannot be interrupted from within.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

SHORT, LONG = 1000, 4000  # characters: n and 4n
MOST = 6.0  # times as long; a linear one needs 4 times
# Seconds. Less tells nothing: a step of a nanosecond for each pair would take 8 ms.
FLOOR = 0.003
SUM = 0.08  # so long it is repeated: the clock of a process is a coarse one
TRIES = 5
DEADLINE = 20  # seconds of processor time, for all seeds of one subject


class Growth(NamedTuple):
    """The worst of all inputs that were tried: how much longer, and for what."""

    ratio: float
    seconds: float
    what: str


class Case(NamedTuple):
    """`call` takes what `make` makes of a length."""

    what: str
    make: Callable[[int], Any]
    call: Callable[[Any], object]


def worst(cases: Iterable[Case]) -> Growth:
    """Measure one after the other in this process, until one grows too fast."""
    found = Growth(0.0, 0.0, "")
    for case in cases:
        ratio, seconds = _ratio(case)
        if ratio > found.ratio:
            found = Growth(ratio, seconds, case.what)
        if ratio > MOST:
            break
    return found


def _ratio(case: Case) -> tuple[float, float]:
    long = case.make(LONG)
    seconds = _seconds(case.call, long)
    if seconds < FLOOR:
        return 0.0, seconds
    short = case.make(SHORT)
    quick = min(_seconds(case.call, long) for _try in range(2))
    quick /= min(_seconds(case.call, short) for _try in range(2))
    if quick <= MOST:
        return quick, seconds
    best = float("inf")  # the clock on the wall may be wrong on a busy machine
    for _try in range(TRIES):
        seconds = _repeated(case.call, long)
        best = min(best, seconds / _repeated(case.call, short))
        if best <= MOST or seconds < FLOOR:
            return min(best, MOST), seconds
    return best, seconds


def _repeated(call: Callable[[Any], object], value: Any) -> float:
    """Processor time of one call."""
    count = 0
    begin = time.process_time()
    while (spent := time.process_time() - begin) < SUM:
        _seconds(call, value)
        count += 1
    return spent / count


def _seconds(call: Callable[[Any], object], value: Any) -> float:
    """By the clock on the wall, which is exact and shows at least what was needed."""
    begin = time.perf_counter()
    try:
        call(value)
    except Exception:  # noqa: BLE001, S110 - how long it takes is what counts here
        pass
    return time.perf_counter() - begin


def measured(cases: Callable[[], Iterable[Case]], deadline: int = DEADLINE) -> Growth:
    """``worst`` in a process of its own; a ratio without end when that was ended.

    :param cases: called in that process
    :param deadline: seconds of processor time
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(cases, deadline, sender))
    process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError:
        found = Growth(float("inf"), deadline, "ended at its deadline")
    finally:
        process.join()
        receiver.close()
    assert isinstance(found, Growth), found
    return found


def _work(cases: Callable[[], Iterable[Case]], deadline: int, sender: Any) -> None:
    # The system ends the process then, whatever it is doing.
    resource.setrlimit(resource.RLIMIT_CPU, (deadline, deadline))
    try:
        sender.send(worst(cases()))
    except BaseException as error:  # noqa: BLE001 - shown by who asked
        sender.send(repr(error))
