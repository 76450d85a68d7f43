"""What stands beside Odoo's environment, where no remote caller can write.

Remote callers write the environment's context themselves, so it can't say who speaks or
what was checked. These values can: only code sets them, for what runs inside a
``with``. Each is read by ``.value`` and set by ``.during(value)``. Here is also what
else has to be known of callers: what they called, and how Odoo acts without their
context.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

from odoo import SUPERUSER_ID
from odoo.http import request
from odoo.service.server import thread_local

from ..mailkit.message.address import Address
from .incoming.heavy import HeavyParts


class Trusted:
    """One such value; ``default`` is what it is outside of any ``during``."""

    def __init__(self, name, default=False):
        self._variable = ContextVar(f"mail_external_account_{name}", default=default)

    @property
    def value(self):
        return self._variable.get()

    @contextmanager
    def during(self, value=True):
        """Inside, this is the value."""
        token = self._variable.set(value)
        try:
            yield
        finally:
            self._variable.reset(token)


# Automatic: no person writes, or nobody is there to choose

#: What is posted is written by no person: a template of a stage, a rule.
automatic = Trusted("automatic")
#: What is posted was written earlier: nobody is there to choose again.
scheduled = Trusted("scheduled")

# Posting: what was checked already

#: Messages that are created come from Odoo's code, not from a caller.
posting = Trusted("posting")
#: Rows of mail are created: their values overwrite those of a message that is there
#: already (``_inherits`` of ``mail.mail``).
making_rows = Trusted("making_rows")
#: Whoever called a method from outside, what they typed as sender is checked: what is
#: posted gets its sender from Odoo's code.
sender_checked = Trusted("sender_checked")
#: Addresses are deleted, which archives them first: nobody is told of that.
deleting = Trusted("deleting")

# Notifying: rows of mail for one message


class Notified(NamedTuple):
    """The message whose recipients are being notified by mail."""

    message_id: int = 0
    address_id: int = 0  # what it leaves through; 0: Odoo's own server
    partner_ids: frozenset = frozenset()  # of whom the address carries it to

    def is_carried_to(self, partner_ids):
        """Whether all of these get it through the address.

        :param partner_ids: False among them stands for addresses without a partner;
            so does an empty list, as of a mail that has only such ones
        """
        return bool(self.address_id) and self.partner_ids.issuperset(
            partner_ids or [False]
        )


#: What rows of mail are made for; ``Notified()`` for nothing.
notified = Trusted("notified", Notified())
#: Core divides rows of mail that were there: those that it makes say nothing new.
splitting = Trusted("splitting")


def is_notified(message_id):
    """Whether rows of mail that are made now make up this message's notification."""
    return bool(message_id) and notified.value.message_id == message_id


# Proven writer: who speaks in a mail that core's gateway processes

#: Id of the internal user who wrote the mail for sure; 0 when that is not sure or
#: nobody of ours wrote it, None while no mail is processed.
proven_writer = Trusted("proven_writer", None)


def is_unproven(user_id):
    """Whether the running code acts as this user only because a mail says it is theirs.

    Core's gateway runs what a mail sets off as the user of its From.
    """
    return proven_writer.value not in (None, user_id)


# Arrival: the message from a mailbox that core's gateway processes


@dataclass(frozen=True)
class Arrival:
    """Where a message belongs, decided before core parses it.

    ``parent_id``: the mail.message that it answers, 0 for a new conversation, which
    begins with ``model`` and ``values``. ``mark``: see mail.message.external_mark.
    ``internal``: customers do not read it in the portal.
    ``foreign``: it came out of a mailbox that has no part in the conversation.
    ``row_id``: of mail.external.arrival. ``author``: who wrote it
    (``mailkit.message.author.author_of``), ``author_id`` the partner when that is known
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


#: The ``Arrival`` that is being processed, or None.
arrival = Trusted("arrival", None)

# Carried addresses: what may stand in the From of mail that leaves


class Carried(NamedTuple):
    """The external addresses that mail may have in its From."""

    addresses: frozenset = frozenset()  # keys, see ``mailkit.message.address``
    # An external one that stands for Odoo itself, where it has no other address.
    odoos_own: str = ""


#: What mail that leaves meanwhile may carry; ``Carried()``: nothing.
carried = Trusted("carried", Carried())

# Code mail: the mail with the code that proves an address

#: Key of the one address that mail may go to, or it does not leave; "" for any.
sole_recipient = Trusted("sole_recipient", "")

# Callers from outside

#: The whole request is ours, from its start on: its transaction may end in the middle.
own_request = Trusted("own_request")


def is_remote_call(model, *methods):
    """Whether somebody called one of these methods of ``model`` from outside.

    A business flow calls the same methods; only who is called by name can have been
    given values that a person made up. Routes: ``web/controllers/dataset.py``,
    ``rpc/controllers/json2.py``, ``service/model.py`` (XML-RPC and JSON-RPC).
    """
    return _remote_call() in {(model, method) for method in methods}


def _remote_call():
    # XML-RPC and its twins run without a request (http.borrow_request).
    name = getattr(thread_local, "rpc_model_method", "")
    if name:
        model, _dot, method = name.rpartition(".")
        return model, method
    if not request:
        return None
    path = request.httprequest.path
    if path.startswith("/web/dataset/call_"):
        return request.params.get("model"), request.params.get("method")
    if path.startswith("/json/2/"):
        return request.params.get("__model__"), request.params.get("__method__")
    return None


def as_odoo(records):
    """``records`` as OdooBot has them, without anything of the caller's context.

    A remote caller writes their context themselves: ``default_email_cc`` in it adds a
    recipient to every mail that is made. ``with_user(SUPERUSER_ID)`` keeps such keys,
    and ``sudo()`` drops those that begin with ``default_`` only
    (odoo/orm/environments.py, ``Environment.__call__``). So this is the only place
    that names the superuser; ``./dev lint`` finds others.

    :param records: a recordset, or a model
    :return: the same, by another environment
    """
    return records.with_env(records.env(user=SUPERUSER_ID, su=True, context={}))
