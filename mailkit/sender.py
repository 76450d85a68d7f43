"""Which account one message leaves through, and why: a pure rule.

The callers collect the accounts that the user may use on the record; this module
only ranks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Reason(str, Enum):
    """Why an account was chosen, from the strongest to the weakest."""

    PROJECT_DEFAULT = "project_default"
    PROJECT = "project"
    GENERAL_DEFAULT = "general_default"
    FIRST = "first"


@dataclass(frozen=True)
class Candidate:
    """One account that the user may use on the record.

    ``bound``: the account has bindings, and one is for the record's project (an
    account that is bound elsewhere only is no candidate). ``bound_default``: that
    binding is marked as default. ``sequence`` orders equals, lowest first.
    """

    account_id: int
    personal: bool
    bound: bool = False
    bound_default: bool = False
    general_default: bool = False
    sequence: int = 0

    @property
    def reason(self) -> Reason:
        if self.bound_default:
            return Reason.PROJECT_DEFAULT
        if self.bound:
            return Reason.PROJECT
        if self.general_default:
            return Reason.GENERAL_DEFAULT
        return Reason.FIRST


_RANK = {reason: rank for rank, reason in enumerate(Reason)}


def ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Sort by precedence: the employee's accounts before the company's, and within
    each: default binding, binding, general default, then by sequence.
    """
    return sorted(
        candidates,
        key=lambda c: (not c.personal, _RANK[c.reason], c.sequence, c.account_id),
    )


def choose(candidates: Iterable[Candidate]) -> Candidate | None:
    """The default sender, or None for Odoo's own server."""
    return next(iter(ordered(candidates)), None)
