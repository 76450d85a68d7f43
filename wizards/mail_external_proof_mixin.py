import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import escape_psql
from odoo.tools.mail import email_normalize

from ..mailkit.message.address import Address, lower, without_subaddress
from ..mailkit.message.address_fields import header_addresses
from ..models.mail_external_address import PROOFS
from ..models.mail_external_connection_mixin import READ_PROTOCOLS
from ..tools import code_mail, notices, vault
from ..tools.connect import rights, sign_in
from ..tools.connect.turn import Turn, may_end_transaction

# Who signs in where. A host is known by its certificate, whatever its port, as long as
# the same authorities are trusted.
_SIGN_IN = ("smtp_host", "smtp_login", "ca_certificate")
CODE_MINUTES = 30
CODE_TRIES = 5
# Seconds that Odoo's own mail server may take, as core allows it for each step.
CODE_SECONDS = 60


class MailExternalProofMixin(models.AbstractModel):
    """Proof that the address of a window belongs to its owner, and who has it already.

    An accept-all server of one's own passes every test for any address, so signing in
    counts only at the address's own mail service; otherwise a code that Odoo's own
    server mails to the address, or a manager's word, is needed. Only the latter counts
    where another employee has connected the address: a code that is mailed to it shows
    nothing about who it belongs to, then.

    The window that inherits this has the fields ``email``, ``address_id`` (whose
    proof it may go on with, or none), ``is_company``, ``user_id``,
    ``company_id``, ``tested_ok`` and those of ``mail.external.connection.mixin``; and
    the methods ``_owner`` (the employee whose address it is; none for a company's),
    ``_may_see`` (whether the user may connect that address) and ``_check_rights``
    (raises when they may connect nothing for that owner).
    """

    _name = "mail.external.proof.mixin"
    _description = "Proof of an Address"

    code_entry = fields.Char("Code from the Mail")
    code_hash = fields.Char(groups=fields.NO_ACCESS)
    code_expires = fields.Datetime(groups=fields.NO_ACCESS)
    code_tries = fields.Integer(groups=fields.NO_ACCESS)
    code_sent = fields.Boolean(compute="_compute_code_sent")
    proof_token = fields.Char(groups=fields.NO_ACCESS)
    proof = fields.Selection(
        PROOFS,
        compute="_compute_proof",
    )
    needs_word = fields.Boolean(
        compute="_compute_proof", help="Others have the address: a code shows nothing."
    )

    same_account_id = fields.Many2one(
        "mail.external.account", compute="_compute_same_account_id"
    )

    silences_odoo = fields.Boolean(
        compute="_compute_silences_odoo",
        help="Odoo has no other address, and may not use this one.",
    )

    @api.depends("email", "code_hash")
    def _compute_code_sent(self):
        for window in self:
            window.code_sent = bool(window.sudo().code_hash)

    @api.depends("email", "user_id", "is_company", "tested_ok", "proof_token")
    def _compute_proof(self):
        for window in self:
            window.proof = window._current_proof()
            window.needs_word = bool(
                window.tested_ok and not window.proof and window._other_claims()
            )

    def _current_proof(self):
        """How the address is proven at this moment, or False."""
        if not self._may_see():
            return False
        known = self._known_proof()
        if known == "manager" or self._has_proof_token("manager"):
            return "manager"
        if self._other_claims() and not self._manages_claims():
            return False  # more than one read this mailbox
        if known:
            return known
        if self._has_proof_token("code"):
            return "code"
        # Managers write presets: these show nothing about other companies' people.
        companies = self._owner().sudo().company_ids or self.company_id
        if self._signs_in_at_own_service() and not self._is_elsewhere(companies):
            return "provider"
        return False

    def _known_proof(self):
        """What proved the address to its owner before, and still does."""
        address = self.address_id._origin.sudo()
        if not address.proof or not self._is_of_same_owner(address):
            return False
        account = address.account_id
        # Who signed in at one server has shown nothing about another one.
        if address.proof == "provider" and (
            self.smtp_security == "none"
            or any((account[name] or "") != (self[name] or "") for name in _SIGN_IN)
        ):
            return False
        return address.proof

    def _has_proof_token(self, kind):
        return vault.same_fingerprint(
            self.sudo().proof_token, self._proof_fingerprint(kind)
        )

    def _is_of_same_owner(self, address):
        """Whether what proved ``address`` proves that of the window."""
        return address.user_id == self._owner() and self._address().is_same(
            Address.of(address.email)
        )

    def _address(self):
        """
        :rtype: mailkit.message.address.Address
        """
        return Address.of(self.email)

    def _note_arrival(self):
        """Who opens the mailbox has got Odoo's mail there, as with a code that is
        entered; a manager's word counts more."""
        if not self._has_proof_token("manager"):
            self.sudo().proof_token = self._proof_fingerprint("code")

    def _proof_fingerprint(self, kind):
        owner = f"user:{self._owner().id}" if self._owner() else "company"
        return vault.fingerprint(
            self.env,
            ("proof", kind, self._origin.id, self.env.uid, owner, self.email or ""),
        )

    def _signs_in_at_own_service(self):
        """Signed in with the address itself, at the servers of its domain's preset."""
        provider = self.env["mail.external.provider"]._find_proving(self.email)
        if not provider:
            return False
        if (
            self.smtp_host != provider.smtp_host
            or self.smtp_port != provider.smtp_port
            or self.smtp_security != provider.smtp_security
            or self.smtp_security == "none"
        ):
            return False
        if self.auth_method == "oauth2" and not sign_in.proves(self):
            return False
        login, usual = self.smtp_login or "", provider._login_for(self.email)
        return lower(login) == lower(usual) or sign_in.is_same_name(login, usual)

    # Who has the address already

    def _check_address(self):
        """:raise UserError: not one valid address, or one that is Odoo's own"""
        if not self._address().envelope:
            raise UserError(
                self.env._(
                    "E-mail Address: enter one address such as name@example.com."
                )
            )
        if self.is_company and not self.company_id:
            raise UserError(self.env._("Company: choose whose address this is."))
        if not self.is_company and not self.user_id:
            raise UserError(self.env._("Employee: choose whose address this is."))
        # What a manager has vouched for already may be connected anew.
        vouched = self._is_manager() or self._known_proof() == "manager"
        if self._is_own_address() or (self._is_read_by_odoo() and not vouched):
            raise UserError(
                self.env._(
                    "E-mail Address: %s is used by Odoo itself (alias, bounce, "
                    "catchall or notification address, or a mailbox that it fetches). "
                    "Use the mailbox of a person or a team.",
                    self.email,
                )
            )
        if self._company_claims() and not vouched:
            raise UserError(
                self.env._(
                    "E-mail Address: %s is an address of the company. Ask a manager of "
                    "external addresses to let you use it, or to connect it for you.",
                    self.email,
                )
            )

    @api.depends(
        *("email", "is_company", "company_id", "user_id"),
        *("allowed_user_ids", "allowed_group_ids"),
    )
    def _compute_silences_odoo(self):
        known = self.env["mail.external.sender"]._external_in
        for window in self:
            company = window.company_id or window.user_id.sudo().company_id
            server = self.env["ir.mail_server"].with_company(company)
            own = {c for c in server._external_candidates() if not known(c)}
            restricted = window.allowed_user_ids or window.allowed_group_ids
            for_all = window.is_company and not restricted
            window.silences_odoo = bool(own and window.email and not for_all) and all(
                window._address().is_same(Address(email_normalize(address) or address))
                for address in own
            )

    def _is_own_address(self):
        """Whether Odoo itself writes from the address, or gets its reports there."""
        # sudo: alias domains are not readable for everybody, the answer is yes or no
        return any(
            self._address().is_same(Address(address))
            for domain in self.env["mail.alias.domain"].sudo().search([])
            for address in (
                domain.bounce_email,
                domain.catchall_email,
                domain.default_from_email,
            )
            if address
        )

    def _is_read_by_odoo(self):
        """Whether mail to the address comes into Odoo, by an alias or a server that it
        fetches from (``fetchmail.server``)."""
        mailbox = self._address().mailbox
        local, _at, domain = mailbox.rpartition("@")
        # sudo: neither is readable for everybody, the answer is yes or no
        aliases = self.env["mail.alias"].sudo()
        if aliases.search_count(
            [
                *("|", ("alias_full_name", "=ilike", escape_psql(self.email))),
                *("|", ("alias_full_name", "=ilike", escape_psql(mailbox))),
                *("&", ("alias_incoming_local", "=", True)),
                ("alias_name", "=ilike", escape_psql(local)),
            ],
            limit=1,
        ):
            return True
        servers = self.env["fetchmail.server"].sudo().with_context(active_test=False)
        return any(
            Address.of(server.user).mailbox == mailbox
            # where people sign in with the part before the @ only
            or (server.user or "").lower() == local
            and f".{(server.server or '').lower()}".endswith(f".{domain}")
            for server in servers.search([("user", "=ilike", f"{escape_psql(local)}%")])
        )

    def _same_mailbox_addresses(self):
        """Everybody's addresses of this mailbox, archived ones too (sudo).

        Drafts claim nothing, but for the company's: a manager has made them.
        """
        mailbox = self._address().mailbox
        local = mailbox.rpartition("@")[0]
        # sudo: nobody sees them all; what is told is that there are some
        addresses = self.env["mail.external.address"].sudo()
        if not mailbox:
            return addresses
        found = addresses.with_context(active_test=False).search(
            [
                ("email", "=ilike", f"{escape_psql(local)}%"),
                *("|", ("state", "!=", "draft"), ("user_id", "=", False)),
            ]
        )
        return found.filtered(
            lambda address: Address.of(address.email).mailbox == mailbox
        )

    def _company_claims(self):
        """Those of companies."""
        return self._same_mailbox_addresses().filtered(lambda each: not each.user_id)

    def _other_claims(self):
        """Those of others than the window's owner."""
        owner, company = self._owner(), self.company_id._origin
        return self._same_mailbox_addresses().filtered(
            lambda address: (
                address.user_id != owner
                if address.user_id or owner
                else address.company_id != company
            )
        )

    @api.depends(
        *("smtp_host", "smtp_login", "incoming_protocol", "incoming_host"),
        *("incoming_login", "account_id", "user_id", "company_id", "is_company"),
    )
    def _compute_same_account_id(self):
        for window in self:
            is_new = not window.account_id
            window.same_account_id = is_new and window._same_account()

    def _same_account(self):
        """Another account of this owner with the same sign-in, to which the address
        can be added instead. One sign-in of a relay may send for mailboxes that are
        read apart: these are accounts of their own."""
        accounts = self.env["mail.external.account"]
        if self.is_address_only or not (self.smtp_host and self.smtp_login):
            return accounts
        owner = [("user_id", "=", self._owner().id)]
        if not self._owner():
            owner.append(("company_id", "=", self.company_id.id))
        found = accounts.search(
            [
                *owner,
                ("active", "=", True),
                ("id", "!=", self.account_id._origin.id),
                ("state", "!=", "draft"),
                ("smtp_host", "=ilike", escape_psql(self.smtp_host)),
                ("smtp_login", "=ilike", escape_psql(self.smtp_login)),
            ]
        )
        return found.filtered(lambda account: not self._reads_elsewhere(account))[:1]

    def _reads_elsewhere(self, account):
        """Whether both read a mailbox, and not the same one."""
        places = [
            ((each.incoming_host or "").lower(), (each.incoming_login or "").lower())
            for each in (self, account)
            if each.incoming_protocol in READ_PROTOCOLS
        ]
        return len(set(places)) == 2

    def action_use_same_account(self):
        """Add the address to the account that has this sign-in already."""
        self.ensure_one()
        account = self._same_account()
        if not account:  # it is not so any more
            return self._reopen()
        rights.check_account(account)
        return self._action_open(
            self.env._("Another Address of %s", account.display_name),
            {
                "default_account_id": account.id,
                "default_email": self.email,
                "default_sender_name": self.sender_name,
            },
        )

    def _manages_claims(self):
        """Whether the user manages the companies of all whose address this is."""
        companies = self.env.user.company_ids
        claims = self._other_claims()
        return self._is_manager() and not (
            claims.company_id - companies
            or any(not owner.company_ids & companies for owner in claims.user_id)
            or self._is_elsewhere(companies)
            or self._domain_companies() - companies
        )

    def _is_elsewhere(self, companies):
        """Whether the mailbox is that of people, or of a company, outside of these."""
        mailbox = self._address().mailbox
        if not mailbox:
            return False
        local = escape_psql(mailbox.rpartition("@")[0])
        # sudo: whose address it is, of people whom this user may not see
        everybody = self.env(su=True, context={"active_test": False})
        people, others = everybody["res.users"], everybody["res.company"]
        for pattern in (f"{local}@", f"{local}+"):
            people |= people.search(
                [
                    ("share", "=", False),
                    *("|", ("email", "ilike", pattern), ("login", "ilike", pattern)),
                ]
            )
            others |= others.search([("email", "ilike", pattern)])
        people = people.filtered(lambda user: not user.company_ids & companies)
        others -= companies
        texts = (
            *people.mapped("email"),
            *people.mapped("login"),
            *others.mapped("email"),
        )
        return any(
            mailbox in map(without_subaddress, header_addresses(text))
            for text in filter(None, texts)
        )

    def _domain_companies(self):
        """The companies whose own domain, at which Odoo gets their mail, it is at; none
        when the user's companies are among them."""
        # sudo: alias domains are not readable for everybody
        domains = self.env["mail.alias.domain"].sudo()
        name = self._address().mailbox.rpartition("@")[2]
        found = domains.search([("name", "=ilike", escape_psql(name))]).company_ids
        return found.browse() if found & self.env.user.company_ids else found

    def _is_manager(self):
        return self.env["mail.external.account"]._is_manager()

    # The code

    def action_send_code(self):
        """Mail a code to the address, through Odoo's own server."""
        self.ensure_one()
        self._check_rights()
        self._check_address()
        if self._other_claims():
            raise UserError(
                self.env._(
                    "E-mail Address: somebody else has connected %s already, so a code "
                    "would not show whose it is. Ask a manager of external addresses "
                    "to vouch for it.",
                    self.email,
                )
            )
        with Turn(self, "code").taken(CODE_SECONDS):
            code = f"{secrets.randbelow(1_000_000):06d}"
            expires = fields.Datetime.now() + timedelta(minutes=CODE_MINUTES)
            self.sudo().write(
                {
                    "code_hash": self._code_fingerprint(code),
                    "code_expires": expires,
                    "code_tries": 0,
                }
            )
            self._mail_code(code)
        return self._reopen()

    def _mail_code(self, code):
        """Send the code in Odoo's name: the user must not get it in another way.

        :raise UserError: Odoo's own mail server does not take it
        """
        text = self.env._(
            "Somebody wants to send mail from this address with Odoo. If that is you, "
            "enter this code there: %(code)s. It is valid for %(minutes)s minutes. If "
            "you know nothing of this, ignore this mail, and show the code to nobody; "
            "nothing happens.",
            code=code,
            minutes=CODE_MINUTES,
        )
        subject = self.env._("Your code for Odoo")
        try:
            code_mail.send(self.env, self.email, subject, text, CODE_MINUTES)
        except code_mail.NOT_SENT as error:
            raise UserError(
                self.env._(
                    "The code was not sent: Odoo's own mail server does not take it. "
                    "Ask your administrator to set up an outgoing mail server, or a "
                    "manager to vouch for the address."
                )
            ) from error

    def _code_fingerprint(self, code):
        return vault.fingerprint(
            self.env, ("code", self.id, self.env.uid, self.email or "", code)
        )

    def action_verify_code(self):
        """Compare the entered code; five tries, then a new one is needed.

        The try is committed before anything is compared. Otherwise a caller lets the
        rest fail, by a language that does not exist say, which takes the count back,
        and sees by the error's traceback whether the code was right.
        """
        self.ensure_one()
        self._check_rights()
        window = self.sudo()
        now = fields.Datetime.now()
        if not window.code_hash or window.code_expires < now:
            raise UserError(
                self.env._("The code is no longer valid. Let a new one be sent.")
            )
        if window.code_tries >= CODE_TRIES:
            raise UserError(self.env._("Too many wrong codes. Let a new one be sent."))
        is_own = may_end_transaction(self.env)
        window.code_tries += 1
        if is_own:
            self.env.cr.commit()  # pylint: disable=invalid-commit
        if vault.same_fingerprint(
            window.code_hash, self._code_fingerprint((self.code_entry or "").strip())
        ):
            window.write(
                {"proof_token": self._proof_fingerprint("code"), "code_hash": False}
            )
            return self._reopen()
        # No exception: it would take the count back where the transaction goes on.
        text = self.env._("This is not the code from the newest mail.")
        return notices.on_screen("danger", text, closes=False)

    # A manager's word

    def action_vouch(self):
        """A manager's word that the address belongs to its owner; it is logged."""
        self.ensure_one()
        self._check_address()
        if not self._is_manager():
            raise AccessError(self.env._("Only a manager may vouch for an address."))
        self._check_rights()
        if not self._manages_claims():
            raise AccessError(
                self.env._(
                    "E-mail Address: %s belongs to another company. A manager of that "
                    "company vouches for it.",
                    self.email,
                )
            )
        self.sudo().proof_token = self._proof_fingerprint("manager")
        return self._reopen()

    def _reopen(self):
        """Show this very window again, with what changed."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Connect %s", self.email),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
            "context": {"dialog_size": "large"},
        }
