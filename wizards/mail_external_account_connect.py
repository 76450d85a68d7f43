import logging

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command

from ..mailkit.checks import Step
from ..mailkit.message.address import Address
from ..models.mail_external_address import NEW_MAIL
from ..models.mail_external_connection_mixin import CONNECTION, READ_PROTOCOLS
from ..models.mail_external_look_mixin import check_sender_name
from ..tools import notices, vault
from ..tools.connect import rights, saving, sign_in, test
from ..tools.connect.turn import Turn
from .mail_external_oauth_mixin import CHOICE

_logger = logging.getLogger(__name__)


class MailExternalAccountConnect(models.TransientModel):
    """The connect window: nothing untested or unproven becomes an address.

    A person meets it in the order of this page: they open it, for a new address or for
    one that is there (then its settings stand in it, but no secret); fill it in, helped
    by the presets of mail services; enter a password, which is sealed at once for this
    window and this user, or sign in with the mail service
    (``mail.external.oauth.mixin``); let it be tested, one check a request
    (``tools/connect/test.py``), in turns with everybody else's
    (``tools/connect/turn.py``); prove the address where the test did not
    (``mail.external.proof.mixin``); choose how replies come in; and save
    (``tools/connect/saving.py``).

    It is about an account with its own address; or only about an address: another one
    of an account, an alias that is tested again, or one that moves to another account
    (``is_address_only``). Then the account's part is closed: the connection is the
    account's, its password is used without being entered again, and only the address's
    own checks are made.

    An address is created, or its settings are replaced, in ``action_save`` only, and
    only when the last test of exactly these settings passed. Rights, test and proof are
    checked there again, whatever the screen showed.

    The window of an account is for who may connect it, from the first value on.
    Otherwise the answers would tell whether guessed settings are those of somebody
    else's account.
    """

    _name = "mail.external.account.connect"
    _inherit = [
        "mail.external.service.mixin",
        "mail.external.discovery.mixin",
        "mail.external.connection.mixin",
        "mail.external.oauth.mixin",
        "mail.external.proof.mixin",
        "mail.external.advice.mixin",
    ]
    _description = "Connect an External Address"
    _rec_name = None  # core shows those of records that the reader may not see

    # Whose address it is
    account_id = fields.Many2one(
        "mail.external.account",
        "Mail Account",
        ondelete="cascade",
        help="Whose connection it is; of an address that moves, the new one.",
    )
    address_id = fields.Many2one(
        "mail.external.address", readonly=True, ondelete="cascade"
    )
    is_move = fields.Boolean(readonly=True)
    target_ids = fields.Many2many(
        "mail.external.account",
        compute="_compute_target_ids",
        help="Other accounts of the owner, to which the address may move.",
    )
    is_address_only = fields.Boolean(compute="_compute_is_address_only")
    also_for = fields.Char(
        compute="_compute_is_address_only", help="Further addresses of the account."
    )
    is_own_sign_in = fields.Boolean(
        "My Own Sign-In",
        help="You open a mailbox of the company with your own user name and password. "
        "Nobody else can use them for anything else, and you can withdraw them.",
    )
    is_company = fields.Boolean("Company Address")
    user_id = fields.Many2one(
        "res.users",
        "Employee",
        # whom a manager may connect addresses for, see ``_check_rights``
        domain="[('share', '=', False), ('company_ids', 'in', allowed_company_ids)]",
        ondelete="cascade",
    )
    company_id = fields.Many2one("res.company", ondelete="cascade")
    is_manager = fields.Boolean(compute="_compute_is_manager")
    # The address
    email = fields.Char("E-mail Address")
    sender_name = fields.Char()
    from_preview = fields.Char("Recipients See", compute="_compute_from_preview")
    is_default = fields.Boolean("General Default")
    project_ids = fields.One2many(
        "mail.external.account.connect.project", "wizard_id", "Projects"
    )
    allowed_user_ids = fields.Many2many(
        "res.users",
        "mail_external_account_connect_user_rel",
        string="Allowed Users",
        domain="[('share', '=', False)]",
    )
    allowed_group_ids = fields.Many2many(
        "res.groups",
        "mail_external_account_connect_group_rel",
        string="Allowed Groups",
    )
    # The connection, besides what the mixin has
    smtp_port = fields.Integer(default=465)
    smtp_security = fields.Selection(default="ssl")
    incoming_security = fields.Selection(default="ssl")
    allow_private_host = fields.Boolean(compute="_compute_allow_private_host")
    password = fields.Char(compute="_compute_passwords", inverse="_inverse_password")
    incoming_password = fields.Char(
        compute="_compute_passwords", inverse="_inverse_incoming_password"
    )
    password_sealed = fields.Char(groups=fields.NO_ACCESS)
    incoming_password_sealed = fields.Char(groups=fields.NO_ACCESS)
    has_password = fields.Boolean(compute="_compute_has_password")
    tested_ok = fields.Boolean(compute="_compute_tested_ok")
    needs_password = fields.Boolean(compute="_compute_tested_ok")
    # How replies come in
    receive_replies = fields.Boolean("Receive Replies to This Same Address")
    folder_ids = fields.One2many(
        "mail.external.account.connect.folder", "wizard_id", "Folders"
    )
    look_back_days = fields.Integer(
        "Look Back (Days)", help="0: from now on. Earlier answers are left out."
    )
    keep_sent_copy = fields.Boolean("Copies in the Sent Folder", default=True)
    new_mail = fields.Selection(
        NEW_MAIL,
        "Mail That Answers Nothing",
        default="ignore",
        required=True,
    )
    new_mail_project_id = fields.Many2one(
        "project.project", "Tasks In", ondelete="set null"
    )
    starts_reading = fields.Boolean(compute="_compute_starts_reading")
    # see tools/connect/probe.py
    arrival_probe = fields.Json(groups=fields.NO_ACCESS)
    forward_token = fields.Char(groups=fields.NO_ACCESS)
    forward_address = fields.Char(compute="_compute_forwarding")
    forward_problem = fields.Char(compute="_compute_forwarding")
    forward_confirmation = fields.Text(compute="_compute_forwarding")

    # Opening

    @api.model
    def _action_open(self, name, context):
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": self._name,
            "view_mode": "form",
            "target": "new",
            "context": {**self.env.context, "dialog_size": "large", **context},
        }

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        address = self.env["mail.external.address"].browse(values.get("address_id"))
        account = self.env["mail.external.account"].browse(values.get("account_id"))
        if address:
            rights.check_account(address.account_id)
            account = account or address.account_id
        if account:
            rights.check_account(account)
            values.update(self._account_values_of(account))
            values["receive_replies"] = account.incoming_protocol != "none"
        if address:
            values.update(self._address_values_of(address))
            if values.get("is_move"):
                others = rights.targets(address)
                values["account_id"] = len(others) == 1 and others.id
            else:
                values["account_id"] = account.id
        if not account and not values.get("is_company"):
            user = self.env["res.users"].browse(values.get("user_id") or self.env.uid)
            values.setdefault("user_id", user.id)
            values.setdefault("sender_name", user.name)
        if values.get("is_company"):
            values["user_id"] = False
            values.setdefault("company_id", self.env.company.id)
        if not account and not values.get("ca_certificate"):
            company = self.env.company.sudo()
            values["ca_certificate"] = company.external_ca_certificate
        values.update(self._choice_of(account.sudo()))
        return {name: value for name, value in values.items() if name in fields_list}

    def _account_values_of(self, account):
        """Whose it is, how it signs in, and how its mailbox is read."""
        values = account._connection_values()
        return {
            **{name: value for name, value in values.items() if value},
            "is_company": not account.user_id,
            "user_id": account.user_id.id,
            "company_id": account.company_id.id,
            "is_own_sign_in": account.sign_in_user_id == self.env.user,
            "look_back_days": account.look_back_days,
            "keep_sent_copy": account.keep_sent_copy
            if account.receives
            else not account.provider_id.saves_sent,
        }

    def _address_values_of(self, address):
        """What an address is for, and for whom."""
        names = ("email", "sender_name", "is_default")
        values = {name: address[name] for name in names if address[name]}
        project = address.new_mail_project_id
        return {
            **values,
            "receive_replies": address.receive_replies,
            "company_id": address.company_id.id,
            "new_mail": address.new_mail,
            "new_mail_project_id": project.has_access("read") and project.id,
            "allowed_user_ids": [Command.set(address.allowed_user_ids.ids)],
            "allowed_group_ids": [Command.set(address.allowed_group_ids.ids)],
            "project_ids": [
                Command.create(
                    {"project_id": b.project_id.id, "is_default": b.is_default}
                )
                for b in address.binding_ids
            ],
        }

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            rights.check_values(self.env, vals)
        plain = [
            self._with_account(self._with_plain_address(vals)) for vals in vals_list
        ]
        windows = super().create(plain)
        windows._take_choice()
        windows._close_account_part()
        saving.make_forward_tokens(windows)
        return windows

    def write(self, vals):
        rights.check_values(self.env, vals)
        if not (self.env.su or CHOICE.isdisjoint(vals)):
            self._refuse_choice()
        result = super().write(self._with_plain_address(vals))
        for window in self.filtered("address_id"):
            if not (window.account_id or window.is_move):
                window.account_id = window.address_id.account_id
        if signing_in := self.filtered(lambda each: each.auth_method == "oauth2"):
            signing_in._follow_choice()
        self._close_account_part()
        saving.make_forward_tokens(self)
        return result

    def onchange(self, values, field_names, fields_spec):
        rights.check_values(self.env, values)
        return super().onchange(self._with_choice(values), field_names, fields_spec)

    def _with_account(self, vals):
        """The window of an address is about its account, unless it moves."""
        default = self.env.context.get
        address_id = vals.get("address_id", default("default_address_id"))
        is_move = vals.get("is_move", default("default_is_move"))
        if not address_id or vals.get("account_id") or is_move:
            return vals
        address = self.env["mail.external.address"].browse(address_id)
        return {**vals, "account_id": address.account_id.id}

    def _with_plain_address(self, vals):
        """The address as it is tested, proven and saved: all three mean the same."""
        if not vals.get("email"):
            return vals
        email = Address(vals["email"]).envelope
        return {**vals, "email": email} if email else vals  # told when it is used

    # What it is about

    @api.depends("account_id", "address_id", "is_move")
    def _compute_is_address_only(self):
        for window in self:
            account, address = window.account_id._origin, window.address_id._origin
            # sudo: which of its addresses is the account's own
            known = address.sudo()
            main = known.is_main and known.account_id == account
            # one that was removed has no password: it is connected as a whole
            removed = not account.sudo().active
            window.is_address_only = window.is_move or bool(
                account and not main and not removed
            )
            others = account.sudo().address_ids - address.sudo()
            told = not window.is_address_only and window._may_see()
            window.also_for = told and ", ".join(others.mapped("email"))

    @api.depends("address_id", "is_move")
    def _compute_target_ids(self):
        for window in self:
            address = window.is_move and window.address_id._origin
            window.target_ids = address and rights.targets(address)

    def _close_account_part(self):  # pylint: disable=missing-return
        """The connection is the account's, whatever a caller wrote into the window."""
        for window in self:
            if not (window.is_address_only and window.account_id):
                continue
            values = self._account_values_of(window.account_id)
            values = {name: values.get(name, False) for name in CONNECTION}
            account = window.account_id.sudo()
            values.update(
                user_id=account.user_id.id,
                is_company=not account.user_id,
                incoming_protocol=account.incoming_protocol,
            )
            # sudo: what stands in the window is the server's to say now
            hidden = super(MailExternalAccountConnect, window.sudo())
            hidden.write(values)  # pylint: disable=super-method-mismatch

    # Whose it is, and who may connect it

    def _owner(self):
        """The employee whose address it is; none for a company's."""
        if self.is_address_only and self.account_id:
            # sudo: whose account it is, of one that this user may connect
            return self.account_id._origin.sudo().user_id.sudo(self.env.su)
        return self.env["res.users"] if self.is_company else self.user_id._origin

    def _sign_in_user(self):
        """Who opens a mailbox of the company with a sign-in of their own, or nobody."""
        if self.auth_method == "oauth2":
            return sign_in.signer(self)
        own = self.is_company and self.is_own_sign_in
        return self.env.user if own else self.env["res.users"]

    def _secret_holder(self):
        if self.is_address_only:
            # The account's, but for where it goes: the connection may be another one
            # since the window was opened, or in an onchange.
            return self.account_id._origin.sudo()._secret_holder()
        return self.account_id, self._owner(), self.company_id, self._sign_in_user()

    def _may_see(self):
        """Whether this user may connect the window's account and address, if any."""
        # The saved ones: an onchange may say anything about new ones.
        account, address = self.account_id._origin, self.address_id._origin
        return all(
            not record or (record.has_access("read") and record._may_connect())
            for record in (account, address)
        )

    def _check_rights(self):
        """:raise AccessError: this user may not connect an address for this owner"""
        rights.check_owner(self)
        # which it may have become since it was written: another address is the main one
        self._close_account_part()
        if self.is_address_only:
            rights.check_target(self)
        else:
            rights.check_new_owner(self)

    def _compute_is_manager(self):
        self.is_manager = self._is_manager()

    def _compute_allow_private_host(self):
        allowed = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("mail_external_account.allow_private_hosts", "")
        )
        self.allow_private_host = allowed in ("1", "True") or self._is_manager()

    # Filling in: what the address and the mail service say about the settings

    @api.onchange("email")
    def _onchange_email(self):
        if self.is_address_only:
            return
        provider = self.env["mail.external.provider"]._find_for_address(self.email)
        if provider and provider != self.provider_id:
            self.provider_id = provider
            self._onchange_provider_id()
        elif self.provider_id:
            self._fill_logins(self.email)
        elif not self.smtp_login:
            self.smtp_login = self.email

    @api.onchange("is_company")
    def _onchange_is_company(self):
        if self.is_address_only:
            return
        if self.is_company:
            self.user_id = False
            self.company_id = self.company_id or self.env.company
        else:
            self.company_id = False
            self.user_id = self.user_id or self.env.user

    @api.onchange("sender_name")
    def _onchange_sender_name(self):
        try:
            check_sender_name(self.env, self.sender_name)
        except ValidationError as error:
            return {
                "warning": {
                    "title": self.env._("Sender Name"),
                    "message": error.args[0],
                    "type": "notification",
                }
            }
        return None

    @api.onchange("provider_id")
    def _onchange_provider_id(self):
        if self.is_address_only:
            return
        provider = self.provider_id
        if not provider.smtp_host:
            return
        self._fill_sending()
        self._fill_incoming()
        self._fill_logins(self.email)

    @api.onchange("provider_id")
    def _onchange_provider_receives(self):
        if self.is_address_only:
            return
        provider = self.provider_id
        if provider:
            self.keep_sent_copy = not provider.saves_sent
        modes = [m for m in READ_PROTOCOLS if provider[f"{m}_host"]]
        if not modes:
            return
        if self.incoming_protocol not in (*modes, "forwarded"):
            self.incoming_protocol = modes[0]
        self.receive_replies = True
        self._onchange_incoming_protocol()

    @api.onchange("receive_replies")
    def _onchange_receive_replies(self):
        if self.is_address_only:
            return
        if not self.receive_replies:
            self.incoming_protocol = "none"
        elif self.incoming_protocol == "none":
            pop3_only = self.provider_id.pop3_host and not self.provider_id.imap_host
            self.incoming_protocol = "pop3" if pop3_only else "imap"
            self._onchange_incoming_protocol()

    @api.onchange("incoming_protocol")
    def _onchange_incoming_protocol(self):
        if self.is_address_only:
            return
        self._fill_incoming()
        if self.incoming_protocol in READ_PROTOCOLS and not self.incoming_login:
            self.incoming_login = self.smtp_login

    @api.depends(
        *("email", "sender_name", "is_company", "user_id", "company_id"),
        "project_ids.project_id",
    )
    def _compute_from_preview(self):
        for window in self:
            # sudo: names of the owner, for who may connect the address
            address = (
                self.env["mail.external.address"]
                .sudo()
                .new(
                    {
                        "email": window.email,
                        "sender_name": window.sender_name,
                        "user_id": not window.is_company and window.user_id.id,
                        "company_id": window.company_id.id,
                    }
                )
            )
            author = address.user_id or self.env.user
            project = window.project_ids.project_id[:1].sudo().name
            window.from_preview = window.email and address._sender_label(
                author.name, project or ""
            )

    # Passwords go in and never come out

    def _compute_passwords(self):
        self.password = False
        self.incoming_password = False

    def _inverse_password(self):
        self._seal_typed("password")

    def _inverse_incoming_password(self):
        self._seal_typed("incoming_password")

    def _seal_typed(self, name):
        for window in self.filtered(name):
            window.sudo()[f"{name}_sealed"] = vault.seal(
                self.env, window[name], test.typed_context(window, name)
            )
        # The plain text must not linger in the cache of this request.
        self.invalidate_recordset([name], flush=False)

    @api.depends("password_sealed", "account_id")
    def _compute_has_password(self):
        for window in self:
            account = window.account_id.sudo()
            window.has_password = bool(
                window.sudo().password_sealed
                or (account and account.auth_method != "oauth2")
            )

    # Testing; proving is in the mixin

    @api.depends(
        *("email", "is_company", "user_id", "company_id", "receive_replies"),
        *("password", "incoming_password", *CONNECTION),
    )
    def _compute_tested_ok(self):
        for window in self:
            saved = window._origin
            typed = window.password or window.incoming_password
            window.tested_ok = bool(saved) and not typed and not test.untested(window)
            window.needs_password = (
                bool(saved)
                and not typed
                and window.auth_method != "oauth2"
                and test.passwords(window).smtp is None
            )

    def get_steps(self):
        """The checks to run, for the window.

        :return: list of (step, what is checked)
        """
        self.ensure_one()
        return [(step.value, test.step_label(self, step)) for step in test.steps(self)]

    def run_check(self, step):
        """Run one check of the test and keep its result.

        A request's transaction is committed before the network and after it: no
        connection to the database waits for somebody's server.

        :param str step: value of ``mailkit.checks.Step``
        :return: dict: step, label, ok, milliseconds, cause, remedy, field, reply
        :raise UserError: another check of this user is under way, or too many were
        """
        self.ensure_one()
        test.check_step(self, step)
        with Turn(self, step).taken(test.seconds(self, step)) as line:
            fingerprint, result, folders = test.done(self, step, line)
            line.write(
                {
                    "ok": result.ok,
                    "is_private": bool(result.facts.get("private")),
                    "fingerprint": fingerprint,
                }
            )
            if result.facts.get("seen"):
                self._keep_round_trip(result, fingerprint)
            if result.ok and result.step is Step.ARRIVAL:
                self._note_arrival()
            if folders:
                offered = self.env["mail.external.account.connect.folder"]
                offered._offer(self, folders)
        return test.told(self, result)

    # Receiving replies: how they come in, from which folders, and since when

    @api.depends(
        "incoming_protocol", "account_id", "user_id", "company_id", "forward_token"
    )
    @api.depends_context("uid")
    def _compute_forwarding(self):
        account_model = self.env["mail.external.account"]
        for window in self:
            hidden = window.sudo()
            company = window.company_id or window.user_id.company_id
            domain = account_model._forward_domain(company)
            forwarded = window.incoming_protocol == "forwarded" and window._may_see()
            window.forward_problem = (
                forwarded and not domain and saving.no_domain(self.env)
            )
            window.forward_address = (
                forwarded
                and hidden.forward_token
                and account_model._forward_address_for(company, hidden.forward_token)
            )
            window.forward_confirmation = (
                forwarded and hidden.account_id.forward_confirmation
            )

    @api.depends("account_id", "incoming_protocol", "incoming_host", "incoming_login")
    def _compute_starts_reading(self):
        for window in self:
            window.starts_reading = window._starts_reading()

    def _starts_reading(self):
        """Whether this is not the mailbox that the account reads already."""
        # sudo: whether it is read, of an account that this user may connect
        account = self._may_see() and self.account_id._origin.sudo()
        return not account or (
            # one that was removed is read on from where it was
            not (account.mailbox_ids or account.folder_ids)
            or account._reading_place()
            != (self.incoming_protocol, self.incoming_host, self.incoming_login)
        )

    def _read_folders(self):
        """What is read, or will be: list of (path, whether sent mail is in it)."""
        if self.is_address_only:
            # sudo: of an account that this user may connect
            folders = self.account_id.sudo().folder_ids
            return [(folder.path, folder.is_sent) for folder in folders]
        return self._chosen_folders()

    def _chosen_folders(self):
        """:return: list of (path, whether sent mail is in it)"""
        if self.incoming_protocol != "imap" or not self.folder_ids:
            return [("INBOX", False)]
        chosen = self.folder_ids.filtered("is_read")
        return [(folder.path, folder.is_sent) for folder in chosen]

    # Saving

    def action_save(self):
        """Create or update the account with the tested settings.

        :raise UserError: untested, unproven or unusable settings; nothing is saved
        """
        self.ensure_one()
        self._check_rights()
        self._check_address()
        if self.auth_method == "oauth2":
            sign_in.check_places(self)
        rights.check_sign_in(self)
        saving.check_replies(self)
        saving.check_once(self)
        missing = test.untested(self)
        if missing:
            raise UserError(
                self.env._(
                    "Nothing was saved: these settings have not passed the test. Press "
                    "“Test account” and wait until every line is passed. Open: %s",
                    ", ".join(test.step_label(self, step) for step in missing),
                )
            )
        proof = self._current_proof()
        if not proof:
            raise UserError(
                self.env._(
                    "Nothing was saved: it is not shown yet that %s is yours. Let a "
                    "code be sent to the address and enter it; where others have "
                    "connected it, ask a manager to vouch for it.",
                    self.email,
                )
            )
        address = saving.save(self, proof)
        _logger.info(
            "External address %s connected by user %s for %s, proof: %s",
            address.email,
            self.env.uid,
            f"user {address.user_id.id}" if address.user_id else "company",
            proof,
        )
        return notices.on_screen(
            "success", self.env._("%s is connected.", address.email)
        )

    def action_keep_draft(self):
        """Keep a new address without connection: it sends nothing, holds no secret."""
        self.ensure_one()
        saved = (self.account_id, self.address_id)
        if self.is_address_only or any(each.state != "draft" for each in saved if each):
            raise UserError(
                self.env._(
                    "This address is connected already. It goes on working with its "
                    "settings until new ones have passed the test."
                )
            )
        self._check_rights()
        self._check_address()
        saving.keep_draft(self)
        return {"type": "ir.actions.act_window_close"}
