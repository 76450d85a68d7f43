from typing import NamedTuple

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import ormcache

from ..mailkit.sender import Candidate, Reason, ordered


class AccountRow(NamedTuple):
    """What the choice of the sender needs to know of one account, cached."""

    id: int
    email: str
    label: str
    personal: bool
    company_id: int | bool
    sequence: int
    general_default: bool
    bindings: dict[int, bool]  # project id -> default of this project


class MailExternalAccount(models.Model):
    """Who may send from an account, and which one is picked by itself."""

    _inherit = "mail.external.account"

    def _register_hook(self):
        super()._register_hook()
        # Warm, so that the first message after a start costs no query either.
        self._any_configured()

    @api.model
    @ormcache(cache="stable")
    def _any_configured(self):
        """Whether there is any account at all: without one the addon is inert."""
        return bool(self.sudo().with_context(active_test=False).search([], limit=1))

    @api.model
    def _clear_sender_cache(self, cache="default"):
        registry = self.env.registry
        registry.clear_cache(cache)
        # Until the commit, other threads may have cached what was before it.
        self.env.cr.postcommit.add(lambda: registry.clear_cache(cache))

    @api.model
    @ormcache("user_id")
    def _usable_rows(self, user_id):
        """The working accounts that a user may send from, wherever they are bound.

        Group and company changes of a user clear this cache, as those of accounts do.

        :rtype: tuple[AccountRow]
        """
        user = self.env["res.users"].sudo().browse(user_id)
        if not user.active or user.share:
            return ()
        # sudo: whose accounts may be used is decided by this very domain
        accounts = self.sudo().search(self._usable_domain(user))
        return tuple(
            AccountRow(
                id=account.id,
                email=account.email,
                label=account.display_name,
                personal=bool(account.user_id),
                company_id=account.company_id.id,
                sequence=account.sequence,
                general_default=account.is_default,
                bindings={b.project_id.id: b.is_default for b in account.binding_ids},
            )
            for account in accounts
        )

    @api.model
    def _usable_domain(self, user):
        """Domain of the accounts that ``user`` may send from (design: access)."""
        return [
            ("state", "=", "working"),
            *self._access_domain(user),
        ]

    @api.model
    def _access_domain(self, user):
        return [
            "|",
            ("user_id", "=", user.id),
            "&",
            "&",
            ("user_id", "=", False),
            ("company_id", "in", user.company_ids.ids),
            "|",
            "|",
            ("allowed_user_ids", "in", user.ids),
            ("allowed_group_ids", "in", user.all_group_ids.ids),
            "&",
            ("allowed_user_ids", "=", False),
            ("allowed_group_ids", "=", False),
        ]

    @api.model
    def _sender_options(self, thread):
        """The accounts that the current user may use on ``thread``, best first.

        :param thread: one record of a model with a chatter
        :return: list of (AccountRow, Candidate)
        """
        rows = self._usable_rows(self.env.uid)
        if not rows:
            return []
        project_id = thread._external_sender_project_id()
        company_id = thread._external_sender_company_id()
        by_id = {row.id: row for row in rows}
        candidates = [
            Candidate(
                account_id=row.id,
                personal=row.personal,
                bound=bool(row.bindings),
                bound_default=row.bindings.get(project_id, False),
                general_default=row.general_default,
                sequence=row.sequence,
            )
            for row in rows
            if (not row.bindings or project_id in row.bindings)
            and (not row.company_id or not company_id or row.company_id == company_id)
        ]
        return [(by_id[c.account_id], c) for c in ordered(candidates)]

    @api.model
    def _check_choice(self, account_id, model, res_id):
        """Refuse an account that the real user may not use on the record.

        ``env.user`` is the real user also where the caller is in sudo mode.

        :raise UserError: when he may not; the text names the remedy
        """
        if (
            model
            and res_id
            and hasattr(self.env.get(model), "_external_sender_project_id")
        ):
            thread = self.env[model].sudo().browse(res_id)
            if any(row.id == account_id for row, _c in self._sender_options(thread)):
                return
        raise UserError(
            self.env._(
                "You cannot send from this external address here: it is not yours, "
                "not shared with you, not working, or bound to other projects. "
                "Choose another sender in “From”."
            )
        )

    def _may_send(self, user):
        """Whether ``user`` may send from this account (its state aside)."""
        self.ensure_one()
        if not self.active or user.sudo().share:
            return False
        domain = [("id", "=", self.id), *self._access_domain(user.sudo())]
        return bool(user.active and self.sudo().search_count(domain, limit=1))

    @api.model
    def _reason_text(self, candidate, project):
        """Why an account is the default, for the composer."""
        kind = self.env._("personal") if candidate.personal else self.env._("company")
        name = project.display_name or ""
        match candidate.reason:
            case Reason.PROJECT_DEFAULT:
                return self.env._(
                    "%(kind)s default for “%(name)s”", kind=kind, name=name
                )
            case Reason.PROJECT:
                return self.env._(
                    "%(kind)s address of “%(name)s”", kind=kind, name=name
                )
            case Reason.GENERAL_DEFAULT:
                return self.env._("%(kind)s default address", kind=kind)
        return self.env._("%(kind)s address", kind=kind)
