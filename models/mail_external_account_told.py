import logging
from contextvars import ContextVar

from odoo import SUPERUSER_ID, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools.translate import LazyTranslate

from ..tools.as_odoo import as_odoo
from ..tools.during import during

_logger = logging.getLogger(__name__)
_lt = LazyTranslate(__name__)

# Deleting archives first, which is no news of its own.
_DELETING = ContextVar("mail_external_account_deleting", default=False)
# What another person did -> (subject, text); %(emails)s are the addresses.
_CHANGES = {
    "connected": (
        _lt("Connected in your name: %(emails)s"),
        _lt(
            "%(name)s connected %(emails)s as your external address: mail can leave "
            "from it in your name. If you did not expect that, ask %(name)s or your "
            "administrator."
        ),
    ),
    "changed": (
        _lt("Connected anew: %(emails)s"),
        _lt(
            "%(name)s saved other settings for your external address %(emails)s: how "
            "its mail leaves and comes in. If you did not expect that, ask %(name)s or "
            "your administrator."
        ),
    ),
    "moved": (
        _lt("No longer your external address: %(emails)s"),
        _lt(
            "%(name)s gave %(emails)s to another owner: you cannot send from there any "
            "more. If you did not expect that, ask %(name)s or your administrator."
        ),
    ),
    "archived": (
        _lt("Archived: %(emails)s"),
        _lt(
            "%(name)s archived %(emails)s: nothing leaves from there, and the mailbox "
            "is not read any more, until it is taken up again."
        ),
    ),
    "taken_up": (
        _lt("Taken up again: %(emails)s"),
        _lt(
            "%(name)s took %(emails)s out of the archive: mail can leave from there in "
            "your name. If you did not expect that, ask %(name)s or your administrator."
        ),
    ),
    "deleted": (
        _lt("Deleted: %(emails)s"),
        _lt(
            "%(name)s deleted your external address %(emails)s: nothing leaves from "
            "there any more. The mailbox itself is as it was."
        ),
    ),
    "folders": (
        _lt("Other folders are read: %(emails)s"),
        _lt(
            "%(name)s changed which folders of your mailbox %(emails)s Odoo reads. If "
            "you did not expect that, ask %(name)s or your administrator."
        ),
    ),
}


class MailExternalAccount(models.Model):
    """Whoever's connection somebody else changes is told of it."""

    _inherit = "mail.external.account"

    def write(self, vals):
        changed = self.browse()
        if "active" in vals and not _DELETING.get():
            now = bool(vals["active"])
            changed = self.filtered(lambda account: account.active != now)
        result = super().write(vals)
        if changed:
            changed._tell_owners("taken_up" if vals["active"] else "archived")
        return result

    def unlink(self):
        addresses = {
            owner: accounts.mapped("email")
            for owner, accounts in self.grouped("user_id").items()
        }
        with during(_DELETING, True):
            result = super().unlink()
        for owner, emails in addresses.items():
            self.browse()._tell_of_change(owner, "deleted", emails)
        return result

    def _tell_owners(self, kind):
        """One notification for each owner, whatever number of addresses it is about."""
        for owner, accounts in self.grouped("user_id").items():
            accounts._tell_of_change(owner, kind, accounts.mapped("email"))

    def _tell_of_connection(self, former, email):
        """The connect window wrote this account.

        :param former: the employee whose it was before; none of a new one, or of a
            company's
        :param email: its address then
        """
        self.ensure_one()
        if former != self.user_id:
            self.browse()._tell_of_change(former, "moved", [email])
        if self.state != "draft":  # which sends nothing in anybody's name
            kind = "changed" if former == self.user_id else "connected"
            self._tell_of_change(self.user_id, kind, [self.email])

    def _tell_of_change(self, owner, kind, emails):
        """Tell ``owner`` what somebody else did; it never stops who does it.

        What Odoo does by itself has words of its own where they are needed (``_stop``).

        :param owner: an employee; none: the account was the company's
        :param str kind: see ``_CHANGES``
        """
        # sudo: where and in which language a colleague is told
        doer, owner = self.env.user, owner.sudo()
        if not owner.active or owner.id == doer.id or doer.id == SUPERUSER_ID:
            return
        # What the user himself did wrong must not be taken for a fault of the notice.
        self.env.flush_all()
        # As Odoo, and without the caller's context: that could hide the notice.
        env = as_odoo(self).with_context(lang=owner.lang).env
        subject, text = (env._(message) for message in _CHANGES[kind])
        names = {"name": doer.name, "emails": ", ".join(emails)}
        try:
            with self.env.cr.savepoint():
                self.with_env(env)._tell(
                    owner.with_env(env), subject % names, text % names
                )
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception:
            _logger.exception("User %s was not told: %s", owner.id, kind)
