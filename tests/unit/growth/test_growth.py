"""What strangers write is read in a time that grows with its length, not faster.

A mail of 60 kB that takes minutes stops everybody's mail: a worker does nothing else
meanwhile, and nothing can interrupt it.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from mailkit.connection.network import Deadline, Endpoint, Wire
from mailkit.imap.session import Dialog

from . import functions, hostile, patterns
from .measuring import MOST, Case, Growth, measured

PATTERNS, LATER = patterns.patterns()
PUBLIC = functions.public()
# Expressions whose text is only known when they are used, and why they are harmless.
MADE_LATER = {
    "mailkit/connection/replies.py: re.sub("
    "re.escape(form), MARK, text, flags=re.IGNORECASE)": (
        "a fixed text, without any repetition"
    ),
    "mailkit/preflight/spf.py: re.split(f\"[{re.escape(delimiters or '.')}]\","
    " self.macro(letter, domain))": "a set of characters, without any repetition",
    "mailkit/round_trip.py: re.search(b'(?mi)^' + line + b'\\\\s*$', head)": (
        "only a server that knows the secret says the line, and each end is its own"
    ),
    "tools/oauth2/words.py: re.search(f'(?<!\\\\w){re.escape(word)}(?!\\\\w)',"
    " reply or '')": "a fixed word, without any repetition",
    "mailkit/connection/replies.py: re.compile('|'.join(patterns), re.IGNORECASE)": (
        "found in the table of rules"
    ),
}
_MAILS = (
    "From: ",
    "From: mailer-daemon@b.test\nContent-Type: text/html\n\n",
    "From: mailer-daemon@b.test\nContent-Type: multipart/report;"
    " report-type=delivery-status; boundary=a\n\n--a\nContent-Type: text/plain\n\n",
)
_TAKES_MAIL = ("raw", "source", "block")


def is_measured(name: str) -> bool:
    """Whether neither it nor its class is excepted."""
    parents = {name, name.rpartition(".")[0]}
    return not parents & functions.NOT_MEASURED.keys()


def assert_linear(found: Growth) -> None:
    assert found.ratio <= MOST, f"{found.ratio:.1f} times as long: {found.what}"


def of_pattern(pattern: re.Pattern[Any]) -> Iterator[Case]:
    def make(seed: hostile.Seed, length: int) -> str | bytes:
        text = seed.text(length)
        octets = isinstance(pattern.pattern, bytes)
        return text.encode("utf-8", "surrogatepass") if octets else text

    def every(text: Any) -> int:
        return sum(1 for _found in pattern.finditer(text))

    for seed in dict.fromkeys([*hostile.seeds('"'), *patterns.own_seeds(pattern)]):
        yield Case(f"search for {seed}", partial(make, seed), every)
        yield Case(f"fullmatch of {seed}", partial(make, seed), pattern.fullmatch)


def of_function(name: str) -> Iterator[Case]:
    subject = functions.subject(name, PUBLIC[name])
    further = _MAILS if set(subject.makers) & set(_TAKES_MAIL) else ()
    for hostile_one, make in subject.cases():
        for seed in hostile.seeds(*further):

            def made(length: int, seed: hostile.Seed = seed, make: Any = make) -> Any:
                return make(seed.text(length))

            yield Case(
                f"{hostile_one} = {seed}", made, lambda values: subject.call(**values)
            )


@pytest.mark.parametrize("name", list(PATTERNS), ids=map(str, range(len(PATTERNS))))
def test_every_pattern_is_linear(name: str) -> None:
    assert_linear(measured(lambda: of_pattern(PATTERNS[name])))


def test_no_pattern_is_left_out() -> None:
    assert len(PATTERNS) > 80
    assert MADE_LATER.keys() == LATER


@pytest.mark.parametrize("name", [name for name in PUBLIC if is_measured(name)])
def test_every_public_function_is_linear(name: str) -> None:
    assert_linear(measured(lambda: of_function(name)))


def test_what_is_not_measured_is_there_and_cannot_be() -> None:
    known = PUBLIC.keys() | {name.rpartition(".")[0] for name in PUBLIC}
    assert functions.NOT_MEASURED.keys() <= known


def over_a_wire(seed: hostile.Seed) -> Iterator[Case]:
    """A server says it: as one line, as many, in an answer to a command."""

    def asked(text: str) -> None:
        spoken = text.encode("utf-8", "surrogatepass").replace(b"\n", b"\n* ")
        with talking(b"* " + spoken + b"\r\nR1 OK done\r\n") as wire:
            Dialog(wire, ("secret",)).ask(b"NOOP")

    def lines(text: str) -> None:
        with talking(text.encode("utf-8", "surrogatepass")) as wire:
            while wire.readline():
                pass

    def until(text: str) -> None:
        with talking(text.encode("utf-8", "surrogatepass")) as wire:
            wire.read_until(b"\r\n.\r\n", 1 << 20)

    for call in (asked, lines, until):
        yield Case(f"{call.__name__} {seed}", seed.text, call)


class talking:
    """A wire to a server that says all of `data` in small pieces, and goes."""

    def __init__(self, data: bytes) -> None:
        self.ours, theirs = socket.socketpair()
        self.thread = threading.Thread(target=self._say, args=(theirs, data))

    def _say(self, theirs: socket.socket, data: bytes) -> None:
        with theirs:
            for start in range(0, len(data), 500):
                theirs.sendall(data[start : start + 500])

    def __enter__(self) -> Wire:
        self.thread.start()
        endpoint = Endpoint(socket.AF_UNIX, "", 1)
        return Wire(self.ours, endpoint, Deadline(20))

    def __exit__(self, *_error: object) -> None:
        self.thread.join()
        self.ours.close()


def test_what_a_server_says_is_read_in_linear_time() -> None:
    def cases() -> Iterator[Case]:
        for unit in (
            "a",
            "\n",
            "* ",
            "{1}",
            "{1}\r\na",
            ".\r\n",
            "\r",
            "* 1 FETCH (\n",
        ):
            yield from over_a_wire(hostile.Seed("", unit, ""))

    assert_linear(measured(cases))


# The test itself: what it has to see.
@pytest.mark.parametrize(
    "pattern",
    [
        r"\s+$",
        r'"(?:[^"\\]|\\.)*"',
        r"[^\s<>]+@[^\s<>]+",
        r"<img[^>]*\blogo\b[^>]*>",
        r"\s*(?:re|aw)\s*\[?\s*:",
        r"x[a-z]*y",
    ],
)
def test_a_pattern_that_grows_faster_is_seen(pattern: str) -> None:
    found = measured(lambda: of_pattern(re.compile(pattern)))
    assert found.ratio > MOST


def test_what_never_ends_is_ended() -> None:
    cases = [Case("a", lambda length: "a" * length, re.compile("(?:a|aa)+b").search)]
    assert measured(lambda: cases, deadline=1).ratio == float("inf")


def test_a_function_that_grows_faster_is_seen() -> None:
    def slow(text: str) -> list[str]:
        return [text[at:] + text for at in range(len(text))]

    def cases() -> Iterator[Case]:
        for seed in hostile.seeds():
            yield Case(str(seed), seed.text, slow)

    assert measured(cases).ratio > MOST


@pytest.mark.parametrize("pattern", ["a{1,50}", r"\s+x", "[^<>]*<", r"(?:\n>[^\n]*)+"])
def test_a_linear_one_passes(pattern: str) -> None:
    bounded = pattern.replace("]*", "]{0,50}").replace(r"\s+", r"\s{1,50}")
    assert_linear(measured(lambda: of_pattern(re.compile(bounded))))
