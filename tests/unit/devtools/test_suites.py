"""How the results of Odoo's own suites are read, compared and told."""

import json
from pathlib import Path

import pytest

from devtools.bench import in_turns, ratio
from devtools.console import DevError
from devtools.suites import (
    Result,
    compare,
    counts,
    read_report,
    run_suites,
    short,
    suite_tags,
    tag,
)
from devtools.testing import QUERIES, Tally, route

POST = "odoo.addons.test_mail.tests.test_message_post.TestMessagePost.test_post"
NESTED = "odoo.addons.mail.tests.discuss.test_rtc.TestChannelRTC.test_01_join"
SETUP = "setUpClass (odoo.addons.mail.tests.discuss.test_rtc.TestChannelRTC)"


def report(*entries: dict[str, object], ended: bool = True) -> list[str]:
    return [json.dumps(entry) for entry in [*entries, *[{"ended": 1}] * ended]]


def test_worst_result_of_a_test_counts() -> None:
    results = read_report(
        report(
            {"test": POST, "outcome": "failed", "said": "36 != 35", "queries": 4},
            {"test": POST, "outcome": "passed"},
            {"test": NESTED, "outcome": "passed"},
        )
    )
    assert results == {POST: Result("failed", "36 != 35", 4), NESTED: Result("passed")}
    assert counts(results) == "2 tests: 1 passed, 1 failed"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (report({"test": POST, "outcome": "passed"}, ended=False), "ended before"),
        (report(), "no test was run"),
        ([], "ended before"),
    ],
)
def test_half_a_run_and_none_are_no_result(lines: list[str], words: str) -> None:
    with pytest.raises(DevError, match=words):
        read_report(lines)


def test_what_differs_is_named_with_both_outcomes() -> None:
    stock = {
        POST: Result("passed"),
        NESTED: Result("failed", "a"),
        "x": Result("passed"),
    }
    addon = {POST: Result("error", "boom"), NESTED: Result("failed", "b")}
    first, second = compare(stock, addon)
    assert first.line() == (
        "test_mail/test_message_post.TestMessagePost.test_post: passed -> error: boom"
    )
    assert second.line() == "x: passed -> not run"
    assert compare(stock, stock) == []


def test_a_test_is_run_again_by_its_tag() -> None:
    assert tag(POST) == "*/test_mail:TestMessagePost.test_post"
    assert tag(NESTED) == "*/mail:TestChannelRTC.test_01_join"
    assert tag(SETUP) == "*/mail:TestChannelRTC"
    assert short(NESTED) == "mail/discuss.test_rtc.TestChannelRTC.test_01_join"
    assert suite_tags(["mail", "project"], None) == "/mail,/project"
    assert suite_tags(["mail"], "/mail:TestX") == "/mail:TestX"


class FakeSuites:
    """Hands out prepared results, run after run, as Odoo would take minutes for."""

    def __init__(self, *runs: dict[str, Result]) -> None:
        self.runs = list(runs)
        self.tags: list[str] = []

    def templates(self) -> dict[str, str]:
        return {"without the addon": "stock", "with the addon": "addon"}

    def run(self, template: str, label: str, tags: str) -> dict[str, Result]:
        self.tags.append(tags)
        return self.runs.pop(0)


GOOD, BAD = {POST: Result("passed")}, {POST: Result("failed", "timeout")}


def test_flaky_test_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    suites = FakeSuites(GOOD, BAD, GOOD, GOOD)
    assert run_suites(suites, "/test_mail") == 0
    assert suites.tags == ["/test_mail"] * 2 + [tag(POST)] * 2
    said = capsys.readouterr().out
    assert "TestMessagePost.test_post: without / with the addon" in said
    assert "passed / failed or passed" in said


def test_test_that_fails_now_and_then_on_either_side_does_not_count() -> None:
    assert run_suites(FakeSuites(GOOD, BAD, BAD, GOOD), "/test_mail") == 0
    assert run_suites(FakeSuites(GOOD, BAD, GOOD, BAD, GOOD, GOOD), "/x") == 0


def test_lasting_difference_fails(capsys: pytest.CaptureFixture[str]) -> None:
    suites = FakeSuites(GOOD, BAD, GOOD, BAD, GOOD, BAD)
    assert run_suites(suites, "/test_mail") == 1
    assert "FAILED: 1 of the tests end otherwise" in capsys.readouterr().out


def test_failure_of_both_sides_is_no_difference() -> None:
    assert run_suites(FakeSuites(BAD, BAD), "/test_mail") == 0


def test_query_counts_of_odoo_are_run_with_all_tests_only() -> None:
    assert QUERIES in route([], Path("/"))
    assert QUERIES not in route(["tests"], Path("/"))
    tally = Tally()
    tally.add_results({**BAD, NESTED: Result("passed"), "x": Result("skipped")})
    assert tally.closing_line() == "1 passed, 1 failed, 1 skipped"


def test_measured_in_turns_and_compared_by_the_middle_one() -> None:
    order: list[str] = []

    def task(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    found = in_turns({"a": lambda: task("a", 3.0), "b": lambda: task("b", 2.0)}, 2)
    assert order == ["a", "b", "b", "a"]
    assert ratio(found["a"], found["b"]) == 1.5
    assert ratio([1, 1, 90], [2, 2, 2]) == 0.5
