from typing import NamedTuple

from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL, is_html_empty
from odoo.tools.mail import email_normalize_all

from ..mailkit.message.address import Address, without_subaddress
from ..mailkit.message.address_fields import MAX_FROM, header_addresses
from ..mailkit.message.lightening import MOST_OF_FIELD
from ..tools import trusted_context
from ..tools.fresh_cache import fresh_ormcache, note_change
from ..tools.outgoing.choice import (
    Candidate,
    Policy,
    Why,
    choose,
    ordered,
    reason_of,
)
from ..tools.outgoing.names import (
    from_line,
    is_pattern,
    names_on,
    render_sender_name,
)
from .mail_external_look_mixin import swap_signature

# Shown by more than that somebody has read one mail, see ``_addresses_of``.
FIRM_PROOFS = ("provider", "manager")
_WRITTEN_TO = (
    *("model", "res_id", "message_type", "author_id"),
    *("incoming_email_to", "incoming_email_cc", "external_mark"),
)


def _keys(addresses):
    return frozenset(Address(each.email).key for each in addresses) - {""}


class AddressRow(NamedTuple):
    """What the choice of the sender needs to know of one address, cached."""

    id: int
    account_id: int
    email: str
    name: str  # what stands for the sender's name, perhaps a pattern
    company_name: str  # for the pattern; empty: the record's company's
    owner_company_name: str  # when the record has none either
    personal: bool
    company_id: int | bool
    sequence: int
    general_default: bool
    bindings: dict[int, bool]  # project id -> default of this project


class MailExternalSender(models.AbstractModel):
    """The address, or Odoo's own server, that one message leaves from.

    In this order: what is known of all addresses, cached; who may use which; which one
    is picked on a record, and why; whether a choice is allowed; whose address may stand
    in a From. The choice itself is a pure rule (``tools.outgoing.choice``). No table:
    the addresses are ``mail.external.address``.
    """

    _name = "mail.external.sender"
    _description = "Choice of the Sender"

    def _register_hook(self):
        super()._register_hook()
        # Warm, so that the first message after a start costs no query either.
        self._any_configured()

    @api.model
    @fresh_ormcache(cache="stable")
    def _any_configured(self):
        """Whether there is any address at all: without one the addon is inert."""
        addresses = self.env["mail.external.address"].sudo()
        return bool(addresses.with_context(active_test=False).search([], limit=1))

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
        """The working addresses that a user may send from, wherever they are bound.

        None while Odoo acts as them only because a mail says that it is theirs.

        :rtype: tuple[AddressRow]
        """
        return () if trusted_context.is_unproven(user_id) else self._rows_of(user_id)

    @api.model
    @fresh_ormcache("user_id")
    def _rows_of(self, user_id):
        # Group and company changes of a user clear this cache, as addresses' own do.
        user = self.env["res.users"].sudo().browse(user_id)
        if not user.active or user.share:
            return ()
        return self._rows(self._usable_domain(user))

    @api.model
    @fresh_ormcache()
    def _proven_addresses(self):
        """The addresses in lower case that are proven to be ours, also former ones."""
        addresses = (
            self.env["mail.external.address"].sudo().with_context(active_test=False)
        )
        proven = addresses.search_fetch([("state", "!=", "draft")], ["email"])
        return frozenset(address.email.lower() for address in proven)

    @api.model
    @fresh_ormcache("address_id")
    def _address_of(self, address_id):
        """The e-mail of an address, for who may know it: no query when warm."""
        # cleared with the others, see CACHED_FIELDS of mail.external.address
        return self.env["mail.external.address"].sudo().browse(address_id).email

    @api.model
    @fresh_ormcache("address_id")
    def _is_in_use(self, address_id):
        """Whether there is this address, and neither it nor its owner is archived: no
        query when warm."""
        domain = [("id", "=", address_id), ("active", "=", True)]
        for owner in ("user_id", "company_id"):
            domain += ["|", (owner, "=", False), (f"{owner}.active", "=", True)]
        addresses = self.env["mail.external.address"].sudo()
        return bool(addresses.search_count(domain, limit=1))

    @api.model
    @fresh_ormcache("project_id")
    def _project_rows(self, project_id):
        """The working company addresses of a project, for mail that no person writes.

        :rtype: tuple[AddressRow]
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
        # sudo: whose addresses may be used is decided by the domain itself
        return tuple(
            AddressRow(
                id=address.id,
                account_id=address.account_id.id,
                email=address.email,
                name=address._name_pattern(),
                company_name=address.company_id.name or "",
                owner_company_name=address.user_id.company_id.name or "",
                personal=bool(address.user_id),
                company_id=address.company_id.id,
                sequence=address.sequence,
                general_default=address.is_default,
                bindings={b.project_id.id: b.is_default for b in address.binding_ids},
            )
            for address in self.env["mail.external.address"].sudo().search(domain)
        )

    @api.model
    def _usable_domain(self, user):
        """Domain of the addresses that ``user`` may send from."""
        return [
            ("state", "=", "working"),
            *self.env["mail.external.address"]._access_domain(user),
        ]

    @api.model
    @fresh_ormcache("company_id")
    def _sender_policy(self, company_id):
        """What goes first in a company, see ``tools.outgoing.choice.Policy``."""
        company = self.env["res.company"].sudo().browse(company_id)
        return Policy(company.external_sender_policy or Policy.EMPLOYEE_FIRST)

    # The choice on one record

    @api.model
    def _sender_options(self, thread):
        """The addresses that the current user may use on ``thread``, best first.

        :param thread: one record of a model with a chatter
        :return: list of (AddressRow, Candidate)
        """
        rows = self._usable_rows(self.env.uid)
        return self._ranked(rows, thread) if rows else []

    @api.model
    def _best_address_id(self, thread):
        """Id of the first of ``_sender_options``, or False for Odoo's own server."""
        candidate = self._sender_choice(thread).candidate
        return candidate.address_id if candidate else False

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

        :param picked: see ``tools.outgoing.choice.choose``
        :rtype: tools.outgoing.choice.SenderChoice
        """
        policy = self._thread_policy(thread)
        rows = self._usable_rows(self.env.uid)
        return choose(self._candidates(rows, thread, policy), policy, picked)

    @api.model
    def _project_options(self, thread):
        """The company's addresses of the record's project, best first: for what no
        employee writes.

        :return: list of (AddressRow, Candidate)
        """
        project_id = thread._external_sender_project_id()
        rows = self._project_rows(project_id) if project_id else ()
        return self._ranked(rows, thread) if rows else []

    @api.model
    def _project_sender(self, thread, only_default):
        """The best of ``_project_options``.

        :param bool only_default: the project's default one, or none
        :return: id of the address, or False for Odoo's own server
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
        return [(by_id[c.address_id], c) for c in ordered(candidates, policy)]

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
        addressed = ()
        if policy is Policy.CUSTOMER_ADDRESS and len(rows) > 1:
            addressed = self._addressed_of(rows, *self._addressed(thread))
        return [
            Candidate(
                address_id=row.id,
                personal=row.personal,
                bound=bool(row.bindings),
                bound_default=row.bindings.get(project_id, False),
                general_default=row.general_default,
                sequence=row.sequence,
                addressed=row.id in addressed,
            )
            for row in rows
        ]

    @api.model
    def _addressed_of(self, rows, received_by, *told):
        """Ids of those rows that a customer wrote to: To names them, else Cc, with a
        subaddress or without; else who received it.

        Of the addresses of one account it is the one that received it: core puts
        Delivered-To among To (``mail_thread.message_parse``), where the account's own
        address stands when the mail was written to another one.

        :param received_by, told: see ``_addressed``
        """
        accounts = {row.account_id for row in rows if row.id == received_by}
        exact, loose = {}, {}
        for row in rows:
            if row.id == received_by or row.account_id not in accounts:
                key = Address(row.email).key
                exact.setdefault(key, set()).add(row.id)
                loose.setdefault(without_subaddress(key), set()).add(row.id)
        for emails in told:
            found = set()
            for key in {Address(email).key for email in emails} - {""}:
                found |= exact.get(key) or loose.get(without_subaddress(key), set())
            if found:
                return found
        return {received_by}

    @api.model
    def _addressed(self, thread):
        """What the customer's last mail in this conversation was sent to.

        An absence note, or what somebody wrote who was not asked, says nothing about
        the address that the customer wants an answer from.

        :return: (id of the address that it was written to as who received it knows,
            see ``incoming.facts.addressed``, or 0; normalised addresses of To; those of
            Cc. Both without those of Odoo itself, which core leaves out
            (``mail_thread.message_parse``: to_filtered). The received one is in neither
            when the mail was redirected, or sent by Bcc)
        """
        # One query, each time that a message is written or a chatter is opened; by no
        # rights: which of their own addresses fits is no secret to who may write here.
        self.env["mail.message"].flush_model(_WRITTEN_TO)
        self.env["res.partner"].flush_model(["partner_share"])
        self.env["mail.external.arrival"].flush_model(["address_id", "mail_message_id"])
        found = self.env.execute_query(
            SQL(
                """
                SELECT m.incoming_email_to, m.incoming_email_cc, r.address_id
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
            return 0, (), ()
        [(to, cc, address_id)] = found
        told = [email_normalize_all((text or "")[:MOST_OF_FIELD]) for text in (to, cc)]
        return address_id or 0, *told

    # Whether a choice is allowed, and how it is told

    @api.model
    def _check_message(self, message):
        """Refuse a sender that the writer of ``message`` may not use on its record.

        ``env.user`` is the real user also where the caller is in sudo mode.

        :param message: a mail.message with an address, as it was created
        :raise UserError: when they may not; the text names the remedy
        """
        if not self._is_allowed(message):
            self._refuse_sender()

    @api.model
    def _refuse_sender(self):
        """:raise UserError: always"""
        raise UserError(
            self.env._(
                "You cannot send from this external address here: it is not yours, "
                "not shared with you, not working, or bound to other projects. "
                "Choose another sender in “From”."
            )
        )

    @api.model
    def _is_allowed(self, message):
        thread = message._external_sender_thread()
        if thread is None:
            return False
        address_id = message.external_address_id.id
        if message.external_origin == "project":
            # Nobody can pick this for themselves: Odoo speaks, or a customer.
            return (
                trusted_context.automatic.value
                or self.env.user.share
                or self._is_odoo_bot()
            ) and self._belongs_to_project(address_id, thread)
        user_id = self.env.uid
        if message.external_origin == "mail":
            user_id = message._external_writer().id
            if not user_id or user_id != trusted_context.proven_writer.value:
                return False
        return address_id in self.with_user(user_id)._usable_ids(thread) or (
            trusted_context.scheduled.value and self._may_wait_for(address_id, thread)
        )

    @api.model
    def _may_wait_for(self, address_id, thread):
        """Whether only the server's refusal keeps the user from this address here.

        What is posted waits then, as what was posted before the refusal does.
        """
        address = self.env["mail.external.address"].sudo().browse(address_id).exists()
        return bool(
            address.state in ("refused", "stopped")
            and address._may_send(self.env.user)
            and self._fitting(self._rows([("id", "=", address.id)]), thread)
        )

    @api.model
    def _is_odoo_bot(self):
        """Nobody can sign in as this user: what it does, Odoo itself does."""
        return self.env.uid == SUPERUSER_ID

    @api.model
    def _belongs_to_project(self, address_id, thread):
        project_id = thread._external_sender_project_id()
        rows = self._project_rows(project_id) if project_id else ()
        return any(row.id == address_id for row in rows)

    @api.model
    def _reason_text(self, candidate, thread):
        """Why an address is the default on ``thread``, for the composer."""
        kind = self.env._("personal") if candidate.personal else self.env._("company")
        reason = reason_of(candidate, self._thread_policy(thread))
        name = ""
        if reason in (Why.PROJECT_DEFAULT, Why.PROJECT):
            project = self.env["project.project"].browse(
                thread._external_sender_project_id()
            )
            # sudo: who may write here may know the name of the project
            name = project.sudo().display_name
        match reason:
            case Why.ADDRESSED:
                return self.env._("the customer wrote to this %s address", kind)
            case Why.PROJECT_DEFAULT:
                return self.env._(
                    "%(kind)s default for “%(name)s”", kind=kind, name=name
                )
            case Why.PROJECT:
                return self.env._(
                    "%(kind)s address of “%(name)s”", kind=kind, name=name
                )
            case Why.GENERAL_DEFAULT:
                return self.env._("%(kind)s default address", kind=kind)
        return self.env._("%(kind)s address", kind=kind)

    @api.model
    def _labels(self, rows, thread=None):
        """The From lines of addresses that the current user may use.

        :param rows: list of AddressRow
        :param thread: the record, in superuser mode; None: there are several
        :return: {address id: "Name <address>"}
        """
        author = project = company = ""
        if any(is_pattern(row.name) for row in rows):
            author = self.env.user.name
            if thread is not None:
                project, company = names_on(thread)
        return {
            row.id: from_line(
                render_sender_name(
                    row.name,
                    author,
                    project,
                    row.company_name or company or row.owner_company_name,
                ),
                row.email,
            )
            for row in rows
        }

    @api.model
    def _with_signature_of(self, sender, body, add=False):
        """``body`` with the signature of an address, or the user's own.

        :param int sender: id of an address; any other number: Odoo's own server
        :param bool add: also where there is none yet: core leaves it out for a user
            without a signature, who may still have addresses with one
        """
        if not self._any_configured():
            return body
        usable = [row.id for row in self._usable_rows(self.env.uid)]
        if not usable:
            return body
        signature = (
            self.env["mail.external.address"]._look(sender).signature
            if sender in usable
            else ""
        )
        own = self.env.user.signature or ""
        add = add and is_html_empty(own) and self._any_signature(usable)
        return swap_signature(body, signature or own, add=add)

    @api.model
    def _any_signature(self, ids):
        # sudo: signatures of addresses that the user may use
        addresses = (
            self.env["mail.external.address"]
            .sudo()
            .search_fetch([("id", "in", ids)], ["signature"])
        )
        return any(address._has_signature() for address in addresses)

    @api.model
    def _other_sender(self, message):
        """Another address that may carry ``message`` when its own one cannot.

        :return: (id of the address or False, value of external_origin)
        """
        thread = message._external_sender_thread()
        if thread is None or not thread.exists():
            return False, False
        company_id = thread._external_sender_company_id()
        company = self.env["res.company"].sudo().browse(company_id)
        company = company or message.external_address_id.company_id
        if (company or self.env.company).external_orphan_policy != "next":
            return False, False
        gone = message.external_address_id.id
        options, origin = self._project_options(thread), "project"
        writer = message.external_origin != "project" and message._external_writer()
        if writer and writer.active:
            # They could give up their own address in order to speak for the project.
            options = self.with_user(writer)._sender_options(thread)
            origin = message.external_origin or "user"
        for row, _candidate in options:
            if row.id != gone:
                return row.id, origin
        return False, False

    # Whose address stands in a From

    @api.model
    @fresh_ormcache()
    def _external_addresses(self):
        """All external addresses, as keys (``message.address``); drafts are none.

        :rtype: frozenset[str]
        """
        return self._address_keys([])

    @api.model
    @fresh_ormcache("user_id")
    def _addresses_of(self, user_id):
        """Those of ``_external_addresses`` that a user may carry in a From.

        Through their own address everybody sends what its server lets them. At Odoo's
        server nobody asks: there an address is for whom its mail service or a manager
        has proved it, or the company gave access. Who has read one code of a mailbox
        that others have too has shown too little.
        """
        user = self.env["res.users"].sudo().browse(user_id)
        if not user.active or user.share:
            return frozenset()
        usable = self._connected(self.env["mail.external.address"]._access_domain(user))
        shown = usable.filtered(
            lambda address: not address.user_id or address.proof in FIRM_PROOFS
        )
        others = self._connected([("user_id", "!=", user.id)])
        return _keys(shown) | (_keys(usable) - _keys(others))

    @api.model
    @fresh_ormcache("user_id")
    def _address_for_odoo(self, user_id):
        """The e-mail of a user's company, if it is an address for all its employees.

        It may stand for Odoo in what this user, Odoo itself or the public one, made.

        :return: an address, or an empty text
        """
        company = self.env["res.users"].sudo().browse(user_id).company_id
        shared = self._address_keys(
            [
                ("user_id", "=", False),
                ("company_id", "=", company.id),
                ("allowed_user_ids", "=", False),
                ("allowed_group_ids", "=", False),
            ]
        )
        return company.email if Address.of(company.email).key in shared else ""

    @api.model
    def _address_keys(self, domain):
        return _keys(self._connected(domain))

    @api.model
    def _connected(self, domain):
        # sudo: everybody's addresses are guarded, also those that nobody may see
        addresses = self.env["mail.external.address"].sudo()
        return addresses.search([("state", "!=", "draft"), *domain])

    @api.model
    def _external_in(self, text):
        """The external addresses that a From header names.

        What is too long to be looked at may name any of them.
        """
        known = self._external_addresses()
        if not text or not known:
            return frozenset()
        text = str(text)
        return known if len(text) > MAX_FROM else header_addresses(text) & known

    @api.model
    def _check_typed_length(self, label, text):
        """Refuse a From that is too long, before anybody reads it.

        :raise ValidationError: longer than a line of a mail may be
        """
        if text and len(str(text)) > MAX_FROM:
            raise ValidationError(
                self.env._(
                    "%(field)s is longer than %(count)s characters. Enter one name and "
                    "e-mail address, or leave the field out.",
                    field=label,
                    count=MAX_FROM,
                )
            )

    @api.model
    def _check_typed_from(self, label, text, allowed=frozenset()):
        """Refuse a From that the user made up.

        Their own e-mail address is no reason to refuse what they write, whoever may use
        it as an external address: the mail then leaves with Odoo's address.

        :param str label: the field that they entered, for the message
        :param str text: a From header
        :param frozenset allowed: addresses that they did not make up
        :raise AccessError: it names somebody else's external address
        """
        self._check_typed_length(label, text)
        refused = self._external_in(text) - self._addresses_of(self.env.uid) - allowed
        if refused:
            refused -= header_addresses(self.env.user.email or "")
        if refused:
            raise AccessError(
                self.env._(
                    "%(field)s: %(address)s is an external address that you may not "
                    "use. Leave this field out, or choose an address of your own. A "
                    "manager can let you use an address of the company.",
                    field=label,
                    address=", ".join(sorted(refused)),
                )
            )

    @api.model
    def _check_typed_author(self, label, partner, allowed=frozenset()):
        """As ``_check_typed_from``, for a partner who is said to be the author."""
        if partner and partner != self.env.user.partner_id:
            # sudo: the address is only compared
            self._check_typed_from(label, partner.sudo().email, allowed)
