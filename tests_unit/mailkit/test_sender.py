"""The precedence of senders, case by case."""

import itertools

import pytest

from mailkit.sender import Candidate, Reason, choose, ordered

PERSONAL, COMPANY = True, False


def candidate(number: int, personal: bool, **marks: object) -> Candidate:
    return Candidate(account_id=number, personal=personal, **marks)  # type: ignore[arg-type]


CASES = [
    # (what the user may use on the record, who wins, why)
    ([], None, None),
    ([candidate(1, PERSONAL)], 1, Reason.FIRST),
    ([candidate(1, COMPANY)], 1, Reason.FIRST),
    # the employee's settings win over the company's, whatever their marks
    (
        [candidate(1, COMPANY, bound=True, bound_default=True), candidate(2, PERSONAL)],
        2,
        Reason.FIRST,
    ),
    # inside one owner: default of the project, project, general default, sequence
    (
        [
            candidate(1, PERSONAL, general_default=True),
            candidate(2, PERSONAL, bound=True),
            candidate(3, PERSONAL, bound=True, bound_default=True),
        ],
        3,
        Reason.PROJECT_DEFAULT,
    ),
    (
        [
            candidate(1, PERSONAL, general_default=True),
            candidate(2, PERSONAL, bound=True, sequence=99),
        ],
        2,
        Reason.PROJECT,
    ),
    (
        [
            candidate(1, PERSONAL, sequence=1),
            candidate(2, PERSONAL, general_default=True, sequence=99),
        ],
        2,
        Reason.GENERAL_DEFAULT,
    ),
    (
        [candidate(1, PERSONAL, sequence=20), candidate(2, PERSONAL, sequence=10)],
        2,
        Reason.FIRST,
    ),
    # the same order among the company's
    (
        [
            candidate(1, COMPANY, bound=True),
            candidate(2, COMPANY, bound=True, bound_default=True),
        ],
        2,
        Reason.PROJECT_DEFAULT,
    ),
    # the oldest of equals: the choice does not change from one message to the next
    ([candidate(7, PERSONAL), candidate(5, PERSONAL)], 5, Reason.FIRST),
]


@pytest.mark.parametrize(("candidates", "winner", "reason"), CASES)
def test_who_sends_and_why(
    candidates: list[Candidate], winner: int | None, reason: Reason | None
) -> None:
    for arrangement in itertools.permutations(candidates):
        chosen = choose(arrangement)
        if winner is None:
            assert chosen is None
        else:
            assert chosen is not None
            assert (chosen.account_id, chosen.reason) == (winner, reason)


def test_the_picker_lists_the_own_addresses_first() -> None:
    listed = ordered(
        [
            candidate(1, COMPANY, bound=True, bound_default=True),
            candidate(2, PERSONAL),
            candidate(3, COMPANY),
            candidate(4, PERSONAL, bound=True),
        ]
    )
    assert [c.account_id for c in listed] == [4, 2, 1, 3]
