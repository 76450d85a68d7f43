"""Who speaks in a message that Odoo makes by itself, or that came in by mail.

Deliberately no keys of Odoo's context: a remote caller writes his context himself, but
he cannot get into these.
"""

from contextvars import ContextVar
from typing import NamedTuple

from .during import during


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


_automatic = ContextVar("mail_external_account_automatic", default=False)
_scheduled = ContextVar("mail_external_account_scheduled", default=False)
# None: no mail is being processed
_proven_writer = ContextVar("mail_external_account_proven_writer", default=None)
_splitting = ContextVar("mail_external_account_splitting", default=False)
_NOBODY = Notified()
_notified = ContextVar("mail_external_account_notified", default=_NOBODY)


def automatic():
    """What is posted inside is written by no person: a template of a stage, a rule."""
    return during(_automatic, True)


def is_automatic():
    """Whether the running code is inside ``automatic()``."""
    return _automatic.get()


def scheduled():
    """What is posted inside was written earlier: nobody is there to choose again."""
    return during(_scheduled, True)


def is_scheduled():
    """Whether the running code is inside ``scheduled()``."""
    return _scheduled.get()


def proven_writer(user_id):
    """The mail being processed inside was written by this internal user for sure.

    :param int user_id: 0 when that is not sure, or nobody of ours wrote it
    """
    return during(_proven_writer, user_id)


def proven_writer_id():
    """Id of the internal user who is proven to have written the mail, or 0."""
    return _proven_writer.get() or 0


def is_unproven(user_id):
    """Whether the running code acts as this user only because a mail says it is his.

    Core's gateway runs what a mail sets off as the user of its From.
    """
    proven = _proven_writer.get()
    return proven is not None and proven != user_id


def notifying(message_id, address_id=0, partner_ids=frozenset()):
    """Rows of mail that are made inside for this message make up its notification.

    See ``Notified`` for the parameters.
    """
    return during(_notified, Notified(message_id, address_id, partner_ids))


def is_notified(message_id):
    """Whether the running code is inside ``notifying(message_id)``."""
    return bool(message_id) and _notified.get().message_id == message_id


def notified():
    """What the running code makes rows of mail for, by ``notifying``."""
    return _notified.get()


def splitting():
    """Core divides rows of mail that were there: those made inside say nothing new."""
    return during(_splitting, True)


def is_splitting():
    """Whether the running code is inside ``splitting()``."""
    return _splitting.get()
