"""The precedence of senders, case by case, and for any addresses at all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.outgoing.choice import Candidate, Policy, SenderChoice, Why, choose, ordered

PERSONAL, COMPANY = True, False


def candidate(number: int, personal: bool, **marks: object) -> Candidate:
    return Candidate(address_id=number, personal=personal, **marks)  # type: ignore[arg-type]


CASES = [
    # (what the user may use on the record, who wins, why)
    ([], None, Why.NONE),
    ([candidate(1, PERSONAL)], 1, Why.FIRST),
    ([candidate(1, COMPANY)], 1, Why.FIRST),
    # the employee's settings win over the company's, whatever their marks
    (
        [candidate(1, COMPANY, bound=True, bound_default=True), candidate(2, PERSONAL)],
        2,
        Why.FIRST,
    ),
    # inside one owner: default of the project, project, general default, sequence
    (
        [
            candidate(1, PERSONAL, general_default=True),
            candidate(2, PERSONAL, bound=True),
            candidate(3, PERSONAL, bound=True, bound_default=True),
        ],
        3,
        Why.PROJECT_DEFAULT,
    ),
    (
        [
            candidate(1, PERSONAL, general_default=True),
            candidate(2, PERSONAL, bound=True, sequence=99),
        ],
        2,
        Why.PROJECT,
    ),
    (
        [
            candidate(1, PERSONAL, sequence=1),
            candidate(2, PERSONAL, general_default=True, sequence=99),
        ],
        2,
        Why.GENERAL_DEFAULT,
    ),
    (
        [candidate(1, PERSONAL, sequence=20), candidate(2, PERSONAL, sequence=10)],
        2,
        Why.FIRST,
    ),
    # the same order among the company's
    (
        [
            candidate(1, COMPANY, bound=True),
            candidate(2, COMPANY, bound=True, bound_default=True),
        ],
        2,
        Why.PROJECT_DEFAULT,
    ),
    # the oldest of equals: the choice does not change from one message to the next
    ([candidate(7, PERSONAL), candidate(5, PERSONAL)], 5, Why.FIRST),
]


EMPLOYEE, CUSTOMER, PROJECT = (
    Policy.EMPLOYEE_FIRST,
    Policy.CUSTOMER_ADDRESS,
    Policy.PROJECT_DEFAULT,
)
OWN_FREE = candidate(1, PERSONAL, general_default=True)
OWN_BOUND = candidate(2, PERSONAL, bound=True)
OWN_DEFAULT = candidate(3, PERSONAL, bound=True, bound_default=True)
TEAM_FREE = candidate(4, COMPANY, general_default=True)
TEAM_BOUND = candidate(5, COMPANY, bound=True)
TEAM_DEFAULT = candidate(6, COMPANY, bound=True, bound_default=True)
OWN_WRITTEN_TO = candidate(7, PERSONAL, sequence=99, addressed=True)
TEAM_WRITTEN_TO = candidate(8, COMPANY, sequence=99, addressed=True)

POLICY_CASES = [
    # (policy, what the user may use on the record, who wins, why)
    # "the employee's settings win": the other two policies' marks count for nothing
    (EMPLOYEE, [OWN_FREE, TEAM_DEFAULT], 1, Why.GENERAL_DEFAULT),
    (EMPLOYEE, [OWN_FREE, TEAM_WRITTEN_TO], 1, Why.GENERAL_DEFAULT),
    (
        EMPLOYEE,
        [OWN_FREE, OWN_BOUND, OWN_DEFAULT, TEAM_DEFAULT],
        3,
        Why.PROJECT_DEFAULT,
    ),
    # "the address that the customer wrote to", whoever it belongs to, ...
    (CUSTOMER, [OWN_DEFAULT, TEAM_WRITTEN_TO], 8, Why.ADDRESSED),
    (CUSTOMER, [OWN_WRITTEN_TO, TEAM_DEFAULT], 7, Why.ADDRESSED),
    # ... the employee's one when the mail went to both, ...
    (CUSTOMER, [TEAM_WRITTEN_TO, OWN_WRITTEN_TO, OWN_DEFAULT], 7, Why.ADDRESSED),
    # ... and the usual rule when it went to none of these
    (CUSTOMER, [OWN_FREE, TEAM_DEFAULT], 1, Why.GENERAL_DEFAULT),
    (CUSTOMER, [TEAM_FREE, TEAM_BOUND], 5, Why.PROJECT),
    # "the project's default first": before the employee's unbound addresses only
    (PROJECT, [OWN_FREE, TEAM_DEFAULT], 6, Why.PROJECT_DEFAULT),
    (PROJECT, [OWN_BOUND, TEAM_DEFAULT], 2, Why.PROJECT),
    (PROJECT, [OWN_DEFAULT, TEAM_DEFAULT], 3, Why.PROJECT_DEFAULT),
    (PROJECT, [OWN_FREE, TEAM_BOUND], 1, Why.GENERAL_DEFAULT),
    (PROJECT, [OWN_FREE, TEAM_FREE], 1, Why.GENERAL_DEFAULT),
    (PROJECT, [TEAM_FREE, TEAM_BOUND, TEAM_WRITTEN_TO], 5, Why.PROJECT),
    (PROJECT, [], None, Why.NONE),
]


@pytest.mark.parametrize(
    ("policy", "candidates", "winner", "reason"),
    [*((EMPLOYEE, *case) for case in CASES), *POLICY_CASES],
)
def test_who_sends_and_why(
    policy: Policy, candidates: list[Candidate], winner: int | None, reason: Why
) -> None:
    for arrangement in itertools.permutations(candidates):
        chosen = choose(arrangement, policy)
        assert chosen.reason is reason
        assert (chosen.candidate and chosen.candidate.address_id) == winner


def test_the_picker_lists_the_own_addresses_first() -> None:
    listed = ordered([TEAM_DEFAULT, OWN_FREE, TEAM_FREE, OWN_BOUND])
    assert [c.address_id for c in listed] == [2, 1, 6, 4]


def address(number: int) -> st.SearchStrategy[Candidate]:
    """Any address that may exist: a default binding is a binding."""
    flag = st.booleans()
    return st.builds(
        lambda personal, binding, general, sequence, addressed: Candidate(
            number,
            personal,
            bound=binding > 0,
            bound_default=binding > 1,
            general_default=general,
            sequence=sequence,
            addressed=addressed,
        ),
        flag,
        st.integers(0, 2),
        flag,
        st.integers(0, 3),
        flag,
    )


ACCOUNTS = st.integers(0, 6).flatmap(
    lambda n: st.tuples(*map(address, range(1, n + 1)))
)
POLICIES = st.sampled_from(Policy)


def beats(a: Candidate, b: Candidate, policy: Policy) -> bool:
    """The rules of the README, one after the other, between two addresses."""
    if policy is CUSTOMER and a.addressed != b.addressed:
        return a.addressed
    if a.personal != b.personal:
        own, team = (a, b) if a.personal else (b, a)
        team_first = policy is PROJECT and team.bound_default and not own.bound
        return (a is team) == team_first
    marks = ["bound_default", "bound"]
    if not (a.bound and b.bound):  # where a binding decides, the general mark does not
        marks.append("general_default")
    for mark in marks:
        if getattr(a, mark) != getattr(b, mark):
            return bool(getattr(a, mark))
    return (a.sequence, a.address_id) < (b.sequence, b.address_id)


@given(ACCOUNTS, POLICIES)
def test_the_chosen_one_beats_every_other(
    candidates: tuple[Candidate, ...], policy: Policy
) -> None:
    chosen = choose(candidates, policy).candidate
    if not candidates:
        assert chosen is None
        return
    assert chosen is not None
    assert all(beats(chosen, c, policy) for c in candidates if c is not chosen)
    listed = ordered(candidates, policy)
    assert listed[0] is chosen
    assert all(beats(*pair, policy) for pair in itertools.combinations(listed, 2))


@given(ACCOUNTS, POLICIES, st.integers(0, 9))
def test_what_was_picked_is_kept_where_it_may_be_used(
    candidates: tuple[Candidate, ...], policy: Policy, picked: int
) -> None:
    chosen = choose(candidates, policy, picked)
    usable = {c.address_id: c for c in candidates}
    if picked == 0:
        assert chosen == SenderChoice(None, Why.PICKED)
    elif picked in usable:
        assert chosen == SenderChoice(usable[picked], Why.PICKED)
    else:
        assert chosen == choose(candidates, policy)


@given(ACCOUNTS, POLICIES)
def test_an_address_that_others_may_use_changes_nothing_for_them(
    candidates: tuple[Candidate, ...], policy: Policy
) -> None:
    """Taking away any but the chosen one leaves the choice as it is."""
    chosen = choose(candidates, policy)
    for left_out in candidates:
        if left_out is not chosen.candidate:
            rest = [c for c in candidates if c is not left_out]
            assert choose(rest, policy) == chosen
