"""The message from a mailbox that Odoo's gateway is processing right now.

Deliberately no keys of Odoo's context: a remote caller of ``message_process`` writes
his context himself, but he cannot get into this.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field

from ..mailkit.message.addresses import Address
from .during import during
from .incoming.heavy import HeavyParts

_current = ContextVar("mail_external_account_arrival", default=None)
# Who is told of a message with this mail.message.external_mark. Any other: all.
_AUDIENCES = {
    "stranger": "team",
    "colleague": "team",
    "auto_reply": "nobody",
    "own_copy": "nobody",
    "unproven": "nobody",
}


def audience(mark):
    """Who is told: "all", "team" (internal followers) or "nobody"."""
    return _AUDIENCES.get(mark, "all")


@dataclass(frozen=True)
class Arrival:
    """Where a message belongs, decided before core parses it.

    ``parent_id``: the mail.message that it answers, 0 for a new conversation, which
    begins with ``model`` and ``values``. ``mark``: see mail.message.external_mark.
    ``internal``: customers do not read it in the portal.
    ``foreign``: it came out of a mailbox that has no part in the conversation.
    ``row_id``: of mail.external.arrival. ``author``: who wrote it
    (``mailkit.answers.author.author_of``), ``author_id`` the partner when that is known
    otherwise, ``nobody`` what is shown when From names none. ``own``: addresses of the
    mailbox itself, ``secret`` the token in the one that it is redirected to. ``heavy``:
    its large parts
    (``heavy.HeavyParts``), which core is not given. ``posted``: ids of the
    messages that it became. ``aliases``: addresses -> which of them are Odoo's own.
    """

    model: str
    res_id: int
    parent_id: int = 0
    values: dict | None = None
    mark: str | bool = False
    internal: bool = False
    foreign: bool = False
    row_id: int = 0
    author: Address = Address("")
    author_id: int = 0
    nobody: str = ""
    own: tuple[str, ...] = ()
    secret: str = ""
    heavy: HeavyParts | None = None
    posted: list[int] = field(default_factory=list)
    aliases: dict[tuple, tuple] = field(default_factory=dict)


def processing(arrival):
    """What the gateway processes inside is this message."""
    return during(_current, arrival)


def current():
    """The message that is being processed, or None.

    :rtype: Arrival | None
    """
    return _current.get()
