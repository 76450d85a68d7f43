from typing import NamedTuple

from odoo import api, models
from odoo.tools import SQL
from odoo.tools.mail import email_normalize_all

from ..mailkit.long_fields import MOST
from ..mailkit.sender import Candidate, Policy, choose, ordered
from ..mailkit.settings import same_address
from ..tools import origin
from ..tools.fresh_cache import fresh_ormcache, note_change

_WRITTEN_TO = (
    *("model", "res_id", "message_type", "author_id"),
    *("incoming_email_to", "incoming_email_cc", "external_mark"),
)


class AccountRow(NamedTuple):
    """What the choice of the sender needs to know of one account, cached."""

    id: int
    email: str
    name: str  # what stands for the sender's name, perhaps a pattern
    company_name: str  # for the pattern; empty: the record's company's
    owner_company_name: str  # when the record has none either
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
    @fresh_ormcache(cache="stable")
    def _any_configured(self):
        """Whether there is any account at all: without one the addon is inert."""
        return bool(self.sudo().with_context(active_test=False).search([], limit=1))

    @api.model
    def _clear_sender_cache(self, cache="default"):
        registry, cr = self.env.registry, self.env.cr
        registry.clear_cache(cache)

        def clear_again():
            # Until the commit, other threads may have cached what was before it.
            note_change(cr)
            registry.clear_cache(cache)

        cr.postcommit.add(clear_again)

    # What may be used, cached

    @api.model
    def _usable_rows(self, user_id):
        """The working accounts that a user may send from, wherever they are bound.

        None while Odoo acts as him only because a mail says that it is his.

        :rtype: tuple[AccountRow]
        """
        return () if origin.is_unproven(user_id) else self._rows_of(user_id)

    @api.model
    @fresh_ormcache("user_id")
    def _rows_of(self, user_id):
        # Group and company changes of a user clear this cache, as those of accounts do.
        user = self.env["res.users"].sudo().browse(user_id)
        if not user.active or user.share:
            return ()
        return self._rows(self._usable_domain(user))

    @api.model
    @fresh_ormcache()
    def _proven_addresses(self):
        """The addresses in lower case that are proven to be ours, also former ones."""
        accounts = self.sudo().with_context(active_test=False)
        proven = accounts.search_fetch([("state", "!=", "draft")], ["email"])
        return frozenset(account.email.lower() for account in proven)

    @api.model
    @fresh_ormcache("project_id")
    def _project_rows(self, project_id):
        """The working company accounts of a project, for mail that no person writes.

        :rtype: tuple[AccountRow]
        """
        return self._rows(
            [
                ("state", "=", "working"),
                ("user_id", "=", False),
                ("company_id.active", "=", True),
                ("binding_ids.project_id", "=", project_id),
            ]
        )

    @api.model
    def _rows(self, domain):
        # sudo: whose accounts may be used is decided by the domain itself
        return tuple(
            AccountRow(
                id=account.id,
                email=account.email,
                name=account._name_pattern(),
                company_name=account.company_id.name or "",
                owner_company_name=account.user_id.company_id.name or "",
                personal=bool(account.user_id),
                company_id=account.company_id.id,
                sequence=account.sequence,
                general_default=account.is_default,
                bindings={b.project_id.id: b.is_default for b in account.binding_ids},
            )
            for account in self.sudo().search(domain)
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
            ("company_id", "in", user.company_ids.filtered("active").ids),
            "|",
            "|",
            ("allowed_user_ids", "in", user.ids),
            ("allowed_group_ids", "in", user.all_group_ids.ids),
            "&",
            ("allowed_user_ids", "=", False),
            ("allowed_group_ids", "=", False),
        ]

    @api.model
    @fresh_ormcache("company_id")
    def _sender_policy(self, company_id):
        """What goes first in a company, see ``mailkit.sender.Policy``."""
        company = self.env["res.company"].sudo().browse(company_id)
        return Policy(company.external_sender_policy or Policy.EMPLOYEE_FIRST)

    # The choice on one record

    @api.model
    def _sender_options(self, thread):
        """The accounts that the current user may use on ``thread``, best first.

        :param thread: one record of a model with a chatter
        :return: list of (AccountRow, Candidate)
        """
        rows = self._usable_rows(self.env.uid)
        return self._ranked(rows, thread) if rows else []

    @api.model
    def _best_account_id(self, thread):
        """Id of the first of ``_sender_options``, or False for Odoo's own server."""
        candidate = self._sender_choice(thread).candidate
        return candidate.account_id if candidate else False

    @api.model
    def _usable_ids(self, thread):
        """Those of ``_sender_options``, in no order: cheaper, where that is enough.

        :rtype: set[int]
        """
        rows = self._usable_rows(self.env.uid)
        return {row.id for row in self._fitting(rows, thread)}

    @api.model
    def _sender_choice(self, thread, picked=None):
        """What a message of the current user on ``thread`` leaves through, and why.

        :param picked: see ``mailkit.sender.choose``
        :rtype: mailkit.sender.Choice
        """
        policy = self._thread_policy(thread)
        rows = self._usable_rows(self.env.uid)
        return choose(self._candidates(rows, thread, policy), policy, picked)

    @api.model
    def _project_options(self, thread):
        """The company's accounts of the record's project, best first: for what no
        employee writes.

        :return: list of (AccountRow, Candidate)
        """
        project_id = thread._external_sender_project_id()
        rows = self._project_rows(project_id) if project_id else ()
        return self._ranked(rows, thread) if rows else []

    @api.model
    def _project_sender(self, thread, only_default):
        """The best of ``_project_options``.

        :param bool only_default: the project's default one, or none
        :return: id of the account, or False for Odoo's own server
        """
        for row, candidate in self._project_options(thread):
            if candidate.bound_default or not only_default:
                return row.id
        return False

    @api.model
    def _ranked(self, rows, thread):
        by_id = {row.id: row for row in rows}
        policy = self._thread_policy(thread)
        candidates = self._candidates(rows, thread, policy)
        return [(by_id[c.account_id], c) for c in ordered(candidates, policy)]

    @api.model
    def _thread_policy(self, thread):
        company_id = thread._external_sender_company_id() or self.env.company.id
        return self._sender_policy(company_id)

    @api.model
    def _fitting(self, rows, thread):
        """Those of the rows that fit the record, by project and company."""
        project_id = thread._external_sender_project_id()
        company_id = thread._external_sender_company_id()
        # A record of no company: a binding to its project is fit enough, else the
        # companies that the user works in now.
        companies = {company_id} if company_id else {*self.env.companies.ids}
        return [
            row
            for row in rows
            if (not row.bindings or project_id in row.bindings)
            and (
                not row.company_id
                or row.company_id in companies
                or (row.bindings and not company_id)
            )
        ]

    @api.model
    def _candidates(self, rows, thread, policy):
        rows = self._fitting(rows, thread)
        project_id = thread._external_sender_project_id()
        written_to, received_by = (), 0
        if policy is Policy.CUSTOMER_ADDRESS and len(rows) > 1:
            written_to, received_by = self._addressed(thread)
        return [
            Candidate(
                account_id=row.id,
                personal=row.personal,
                bound=bool(row.bindings),
                bound_default=row.bindings.get(project_id, False),
                general_default=row.general_default,
                sequence=row.sequence,
                addressed=row.id == received_by
                or any(same_address(row.email, each) for each in written_to),
            )
            for row in rows
        ]

    @api.model
    def _addressed(self, thread):
        """What the customer's last mail in this conversation was sent to.

        An absence note, or what somebody wrote who was not asked, says nothing about
        the address that the customer wants an answer from.

        :return: (normalised addresses of To and Cc, those of Odoo itself left out by
            core (``mail_thread.message_parse``: to_filtered); id of the account whose
            mailbox it came out of, or 0. That one is not in To when the mail was
            redirected, or sent by Bcc)
        """
        # One query, each time that a message is written or a chatter is opened; by no
        # rights: which of his own addresses fits is no secret to who may write here.
        self.env["mail.message"].flush_model(_WRITTEN_TO)
        self.env["res.partner"].flush_model(["partner_share"])
        self.env["mail.external.arrival"].flush_model(["account_id", "mail_message_id"])
        found = self.env.execute_query(
            SQL(
                """
                SELECT m.incoming_email_to, m.incoming_email_cc, r.account_id
                  FROM mail_message m
             LEFT JOIN res_partner author ON author.id = m.author_id
             LEFT JOIN mail_external_arrival r ON r.mail_message_id = m.id
                 WHERE m.model = %s AND m.res_id = %s AND m.message_type = 'email'
                   AND (author.id IS NULL OR author.partner_share)
                   AND m.external_mark IS NULL
              ORDER BY m.id DESC, r.id
                 LIMIT 1
                """,
                thread._name,
                thread.id,
            )
        )
        if not found:
            return (), 0
        [(to, cc, account_id)] = found
        told = ",".join((text or "")[:MOST] for text in (to, cc))
        return email_normalize_all(told), account_id or 0

    def _may_send(self, user):
        """Whether ``user`` may send from this account (its state aside)."""
        self.ensure_one()
        if not self.active or user.sudo().share:
            return False
        domain = [("id", "=", self.id), *self._access_domain(user.sudo())]
        return bool(user.active and self.sudo().search_count(domain, limit=1))
