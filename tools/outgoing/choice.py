"""Which address one message leaves through, and why: a pure rule.

The callers collect the addresses that the user may use on the record; this module
only ranks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# What a field "From" holds instead of an address's id
ODOO = 0  # Odoo's own mail server
EACH_DEFAULT = -1  # the default of each record
# Parameter of a scheduled message: whose signature is below the text, if nobody picked
SIGNED_FOR = "external_signed_for"


class Policy(str, Enum):
    """What a company wants to go first. The value is stored."""

    EMPLOYEE_FIRST = "employee"
    """The employee's settings win over the company's."""
    CUSTOMER_ADDRESS = "customer"
    """The address that the customer wrote to, then as EMPLOYEE_FIRST."""
    PROJECT_DEFAULT = "project"
    """As EMPLOYEE_FIRST, but the company's default of the project goes before those
    addresses of the employee that are bound to no project."""


class Why(str, Enum):
    """Why an address was chosen, from the strongest to the weakest."""

    PICKED = "picked"
    ADDRESSED = "addressed"
    PROJECT_DEFAULT = "project_default"
    PROJECT = "project"
    GENERAL_DEFAULT = "general_default"
    FIRST = "first"
    NONE = "none"


@dataclass(frozen=True)
class Candidate:
    """One address that the user may use on the record.

    ``bound``: the address has bindings, and one is for the record's project (an
    address that is bound elsewhere only is no candidate). ``bound_default``: that
    binding is marked as default. ``sequence`` orders equals, lowest first.
    ``addressed``: the customer's last mail in this conversation was sent to it.
    """

    address_id: int
    personal: bool
    bound: bool = False
    bound_default: bool = False
    general_default: bool = False
    sequence: int = 0
    addressed: bool = False

    @property
    def rank(self) -> Why:
        """The reason that the address's own settings give."""
        if self.bound_default:
            return Why.PROJECT_DEFAULT
        if self.bound:
            return Why.PROJECT
        if self.general_default:
            return Why.GENERAL_DEFAULT
        return Why.FIRST


@dataclass(frozen=True)
class SenderChoice:
    """The sender: ``candidate`` is None for Odoo's own server."""

    candidate: Candidate | None
    reason: Why


_RANK = {reason: rank for rank, reason in enumerate(Why)}


def ordered(
    candidates: Iterable[Candidate], policy: Policy = Policy.EMPLOYEE_FIRST
) -> list[Candidate]:
    """Sort by precedence: the employee's addresses before the company's, and within
    each: default binding, binding, general default, then by sequence.

    ``policy`` says what goes before that.
    """
    return sorted(
        candidates,
        key=lambda c: (
            not _is_addressed(c, policy),
            _owner_group(c, policy),
            _RANK[c.rank],
            c.sequence,
            c.address_id,
        ),
    )


def choose(
    candidates: Iterable[Candidate],
    policy: Policy = Policy.EMPLOYEE_FIRST,
    picked: int | None = None,
) -> SenderChoice:
    """Choose the sender.

    :param picked: id of the address that the user chose; ``ODOO``;
        None when they chose nothing. An id that is no candidate counts for nothing:
        whether to refuse it is the caller's decision.
    """
    ranked = ordered(candidates, policy)
    if picked == ODOO:
        return SenderChoice(None, Why.PICKED)
    for candidate in ranked:
        if candidate.address_id == picked:
            return SenderChoice(candidate, Why.PICKED)
    if not ranked:
        return SenderChoice(None, Why.NONE)
    return SenderChoice(ranked[0], reason_of(ranked[0], policy))


def reason_of(candidate: Candidate, policy: Policy) -> Why:
    """Why the candidate stands where it stands, when nobody picked it."""
    if _is_addressed(candidate, policy):
        return Why.ADDRESSED
    return candidate.rank


def _is_addressed(candidate: Candidate, policy: Policy) -> bool:
    return policy is Policy.CUSTOMER_ADDRESS and candidate.addressed


def _owner_group(candidate: Candidate, policy: Policy) -> int:
    """0: first ... 3: last."""
    if policy is not Policy.PROJECT_DEFAULT:
        return 0 if candidate.personal else 1
    if candidate.personal:
        return 0 if candidate.bound else 2
    return 1 if candidate.bound_default else 3
