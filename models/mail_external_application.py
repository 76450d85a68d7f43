import secrets

from odoo import api, fields, models, modules
from odoo.exceptions import UserError
from odoo.tools.misc import clean_context
from psycopg2.errors import SerializationFailure

from ..mailkit import oauth
from ..mailkit.errors import ErrorCode
from ..tools import announcements, notices, vault
from ..tools.explanations import TRIED_ONCE, cause_and_remedy
from ..tools.oauth2 import (
    check,
    entered,
    expiry,
    idle,
    odoos_own,
    services,
    tokens,
    web_address,
    words,
)
from ..tools.sign_in_codes import OF_APPLICATION

OAUTH_KINDS = [
    ("google", "Google"),
    ("microsoft", "Microsoft"),
    ("other", "Another service"),
]
# The service's words, as they are kept.
_REPLY_CHARACTERS = 500
# Set once: the redirect address, which the service knows, goes with them.
_FIXED = ("kind", "key")
_TOLD = ("date", "code", "reply")
NO_SECRET = "none"  # noqa: S105 - RFC 7591 section 2: of a public client
# Typed for another service; Google's and Microsoft's are known.
_FROM_SERVICE = {
    "compute": "_compute_data",
    "store": True,
    "readonly": False,
    "precompute": True,
}


class MailExternalApplication(models.Model):
    """The firm's own application at Google, at Microsoft, or at another service.

    An administrator registers it there once (RFC 6749 calls it the client). People then
    sign in as themselves, at the service's own page, and Odoo gets tokens instead of
    their passwords. Only administrators see applications; others know their names.

    A page in the order of: fields; writing; checks of what is entered; accounts that
    sign in with it; what the page of an application does; what fails.
    """

    _name = "mail.external.application"
    _description = "Sign-In Application"
    _order = "company_id, kind, id"

    name = fields.Char(
        compute="_compute_name",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
        help="Of another service: people read it on the button “Sign in with ...”.",
    )
    active = fields.Boolean(default=True)
    kind = fields.Selection(OAUTH_KINDS, "Service", required=True, default="google")
    company_id = fields.Many2one("res.company", help="Empty: for every company.")
    client_id = fields.Char("Client ID", copy=False)
    client_secret = fields.Char(
        compute="_compute_client_secret",
        inverse="_inverse_client_secret",
        help="Its value. It is stored encrypted, and never shown again.",
    )
    secret_sealed = fields.Char(groups=fields.NO_ACCESS, copy=False)
    has_secret = fields.Boolean("Secret Entered", compute="_compute_has_secret")
    secret_expires = fields.Date(
        "Secret Ends On",
        copy=False,
        help="As the service shows it. Odoo tells administrators 30, 7 and 1 days "
        "before.",
    )
    tenant = fields.Char(
        default="common",
        help="Microsoft's directory (tenant) ID or a domain of it; “common” for all "
        "accounts, “organizations” for work accounts, “consumers” for personal ones.",
    )
    # What is typed for other services only, see ``services.data_of``
    authorization_endpoint = fields.Char(
        "Authorization Address",
        **_FROM_SERVICE,
        help="Where people sign in (authorization endpoint), with https.",
    )
    token_endpoint = fields.Char(
        "Token Address",
        **_FROM_SERVICE,
        help="Where Odoo gets tokens (token endpoint), with https.",
    )
    revocation_endpoint = fields.Char(
        "Revocation Address",
        **_FROM_SERVICE,
        help="Where Odoo gives tokens back (revocation endpoint), where there is one.",
    )
    issuer = fields.Char(
        **_FROM_SERVICE,
        help="What the service calls itself when people come back (parameter “iss”, "
        "RFC 9207). Empty: it does not say.",
    )
    scopes = fields.Char(
        **_FROM_SERVICE,
        help="Separated by blanks.",
    )
    mechanism = fields.Selection(
        [("XOAUTH2", "XOAUTH2"), ("OAUTHBEARER", "OAUTHBEARER")],
        **_FROM_SERVICE,
        help="How mail servers are told the token. Empty: as they offer it.",
    )
    token_auth = fields.Selection(
        [
            (services.SECRET_IN_BODY, "In the body (client_secret_post)"),
            ("client_secret_basic", "In the header (client_secret_basic)"),
            (NO_SECRET, "There is none (none)"),
        ],
        "Secret Is Sent",
        **_FROM_SERVICE,
    )
    authorization_parameters = fields.Char(
        "More Parameters",
        **_FROM_SERVICE,
        help="Of the authorization address, as name=value&name=value.",
    )
    ca_certificate = fields.Text("Additional CA Certificate")
    allow_private_host = fields.Boolean(
        "Internal Server", help="The service is in the company's own network."
    )
    # Of the page that guides
    key = fields.Char(required=True, copy=False, readonly=True)
    redirect_uri = fields.Char("Redirect Address", compute="_compute_redirect_uri")
    registered_scopes = fields.Char(
        "Scopes to Register", compute="_compute_registered_scopes"
    )
    is_ready = fields.Boolean(
        compute="_compute_is_ready",
        store=True,
        help="All is entered that a sign-in needs.",
    )
    address_problem = fields.Text(compute="_compute_address_problem")
    is_address_frozen = fields.Boolean(compute="_compute_address_problem")
    is_library_missing = fields.Boolean(compute="_compute_is_library_missing")
    has_odoos_own = fields.Boolean(compute="_compute_has_odoos_own")
    page_words = fields.Html(
        "What the Service's Page Says", compute="_compute_page_words", sanitize=False
    )
    account_count = fields.Integer("Accounts", compute="_compute_account_count")
    ending_count = fields.Integer(compute="_compute_ending_count")
    is_end_confirmed = fields.Boolean("They Sign In Again", store=False)
    # What was told last
    checking_until = fields.Datetime(copy=False, groups=fields.NO_ACCESS)
    check_date = fields.Datetime("Checked", copy=False, readonly=True)
    check_code = fields.Char(copy=False, readonly=True)
    check_reply = fields.Char("Answer to the Check", copy=False, readonly=True)
    check_text = fields.Text("Result of the Check", compute="_compute_texts")
    failure_date = fields.Datetime("Accounts Wait Since", copy=False, readonly=True)
    failure_code = fields.Char(copy=False, readonly=True)
    failure_reply = fields.Char("Answer to Accounts", copy=False, readonly=True)
    failure_text = fields.Text("Why Accounts Wait", compute="_compute_texts")
    callback_date = fields.Datetime("Last Failed Sign-In", copy=False, readonly=True)
    callback_code = fields.Char(copy=False, readonly=True)
    callback_reply = fields.Char("Answer to the Sign-In", copy=False, readonly=True)
    callback_text = fields.Text("Why the Sign-In Failed", compute="_compute_texts")
    # The service is not asked before, whatever account it is for: ``tokens``.
    retry_at = fields.Datetime(groups=fields.NO_ACCESS, copy=False)
    announced = fields.Integer(copy=False, readonly=True)  # see ``expiry``

    _key_unique = models.Constraint(
        "UNIQUE(key)", "Another application has this redirect address."
    )

    @api.depends("kind")
    def _compute_name(self):
        names = dict(OAUTH_KINDS)
        for application in self:
            if not application.name or application.name in names.values():
                known = application.kind != "other"
                application.name = known and names[application.kind]

    def _compute_client_secret(self):
        self.client_secret = False

    def _inverse_client_secret(self):
        for application in self:
            if secret := application.client_secret:
                entered.check_client_secret(application, secret)
                vault.seal_application_secret(application, secret)
        # The plain text must not linger in the cache, from where it would be read.
        self.invalidate_recordset(["client_secret"], flush=False)

    @api.depends("secret_sealed")
    def _compute_has_secret(self):
        for application in self:
            # sudo: that there is one, not which
            application.has_secret = bool(application.sudo().secret_sealed)

    @api.depends("kind", "tenant")
    def _compute_data(self):
        for application in self:
            if application.kind != "other":
                tenant = services.tenant(application.tenant)
                application.update(services.data_of(application.kind, tenant))
                continue
            for name in services.DATA:
                application[name] = application[name]
            application.token_auth = application.token_auth or services.SECRET_IN_BODY

    @api.depends("kind", "key")
    def _compute_redirect_uri(self):
        for application in self:
            known = application.kind != "other" or application.key
            application.redirect_uri = known and application._redirect_uri()

    @api.depends("kind", "scopes")
    def _compute_registered_scopes(self):
        for application in self:
            application.registered_scopes = services.to_register(
                application.kind, application.scopes or ""
            )

    @api.depends(
        *("client_id", "secret_sealed", "token_auth"),
        *("authorization_endpoint", "token_endpoint"),
    )
    def _compute_is_ready(self):
        for application in self:
            needed = ["client_id", "authorization_endpoint", "token_endpoint"]
            if application.token_auth != NO_SECRET:
                needed.append("secret_sealed")
            application.is_ready = all(application[name] for name in needed)

    @api.depends_context("uid", "lang")
    @api.depends("kind")
    def _compute_address_problem(self):
        for application in self:
            found = web_address.problems(self.env, application.kind == "google")
            application.address_problem = "\n".join(found)
            application.is_address_frozen = web_address.is_frozen(self.env)

    def _compute_is_library_missing(self):
        self.is_library_missing = not oauth.is_available()

    @api.depends("kind", "client_id")
    def _compute_has_odoos_own(self):
        for application in self:
            found = odoos_own.client_id(self.env, application.kind)
            application.has_odoos_own = bool(found and not application.client_id)

    @api.depends_context("lang")
    @api.depends("kind")
    def _compute_page_words(self):
        for application in self:
            application.page_words = words.table(self.env, application.kind)

    def _compute_account_count(self):
        for application in self:
            application.account_count = len(application._origin._accounts())

    @api.depends("client_id", "tenant", "token_endpoint")
    def _compute_ending_count(self):
        for application in self:
            saved = application._origin
            ends = saved and application._bound_to() != saved._bound_to()
            application.ending_count = len(saved._accounts()) if ends else 0

    @api.depends_context("lang")
    @api.depends("check_code", "failure_code", "callback_code", "kind")
    def _compute_texts(self):
        for application in self:
            for name in ("check", "failure", "callback"):
                code, reply = application[f"{name}_code"], application[f"{name}_reply"]
                waits = name == "failure"
                text = code and " ".join(application._explained(code, reply, waits))
                application[f"{name}_text"] = text

    @api.onchange("kind")
    def _onchange_kind(self):
        """What is known of Google or Microsoft says nothing of another service."""
        if self.kind == "other":
            self.update(dict.fromkeys(services.DATA, False))
            self.token_auth = services.SECRET_IN_BODY

    @api.onchange("client_id")
    def _onchange_client_id(self):
        if self.client_id:
            self.client_id = services.trimmed(self.client_id, self.kind)

    @api.onchange("client_secret")
    def _onchange_client_secret(self):
        if self.client_secret:  # the old one's end says nothing of the new one
            self.secret_expires = False

    # Writing

    @api.model
    def default_get(self, fields_list):
        """Of a caller's context only what a link to a new application says."""
        allowed = {"default_kind", "default_name", "default_company_id"}
        context = {
            name: value
            for name, value in self.env.context.items()
            if not name.startswith("default_") or name in allowed
        }
        clean = self.with_context(context)  # pylint: disable=context-overridden
        return super(MailExternalApplication, clean).default_get(fields_list)

    @api.model_create_multi
    def create(self, vals_list):
        vals_list = [self._cleaned(vals, vals.get("kind")) for vals in vals_list]
        for vals in vals_list:
            vals["key"] = secrets.token_hex(8)  # used once, so nobody chooses it
        clean = clean_context(self.env.context)
        model = self.with_context(clean)  # pylint: disable=context-overridden
        return super(MailExternalApplication, model).create(vals_list)

    def write(self, vals):
        self._check_fixed(vals)
        vals = self._cleaned(vals, self[:1].kind)
        if vals.get("client_secret"):  # the old one's end says nothing of the new one
            vals.setdefault("secret_expires", False)
        if "secret_expires" in vals:
            vals["announced"] = 0
        others = self.filtered(lambda each: each._bound_after(vals) != each._bound_to())
        (self - others)._check_revocation(vals)
        if others:
            others._end_sign_ins(vals.get("is_end_confirmed"))
        before = [
            (each, each.client_id, vault.application_context(each)) for each in self
        ]
        result = super().write(vals)
        if not vals.get("client_secret"):
            for each, client_id, context in before:
                each._follow_secret(client_id, context, is_another=each in others)
        if vals.get("client_secret") or vals.get("active"):
            self._forget_told("check", "failure")
            (self - others)._resume_accounts()
        return result

    def load(self, fields, data):
        """No secret comes out of a file, which would still be there afterwards."""
        if any(name.partition("/")[0] == "client_secret" for name in fields):
            raise UserError(
                self.env._(
                    "Client Secret: it is not imported. Enter it on the page of the "
                    "application, and delete the file."
                )
            )
        return super().load(fields, data)

    @api.ondelete(at_uninstall=False)
    def _unlink_unless_used(self):
        # sudo: who administers applications need not manage accounts
        accounts = self.env["mail.external.account"].sudo()
        accounts = accounts.with_context(active_test=False)
        for application in self:
            domain = [("application_id", "=", application.id)]
            if count := accounts.search_count(domain):
                raise UserError(
                    self.env._(
                        "%(count)s mail accounts sign in with “%(name)s”. Connect them "
                        "in another way first; or archive the application: then they "
                        "wait.",
                        count=count,
                        name=application.name,
                    )
                )

    def unlink(self):
        # sudo: connect windows that people left open would keep it
        windows = self.env["mail.external.account.connect"].sudo()
        windows.search([("application_id", "in", self.ids)]).unlink()
        return super().unlink()

    def action_archive(self):
        """Archive them, and say what that stops.

        :return: the notification that says so, or None
        """
        super().action_archive()
        count = sum(self.mapped("account_count"))
        if not count:
            return None
        text = self.env._(
            "%s accounts sign in with it: they neither send nor read until it is taken "
            "out of the archive. Their mail waits.",
            count,
        )
        return notices.on_screen("warning", text, closes=False)

    def _check_fixed(self, vals):
        """:raise UserError: what the service knows Odoo by would change"""
        for name in _FIXED:
            if name in vals and any(each[name] != vals[name] for each in self):
                raise UserError(
                    self.env._(
                        "Service: it stays as it is, because the redirect address goes "
                        "with it. Make a new application for another service."
                    )
                )

    def _cleaned(self, vals, kind):
        """Values without what was pasted along with them."""
        vals = dict(vals)
        for name, value in vals.items():
            if not isinstance(value, str):
                continue
            if name in ("client_id", "client_secret"):
                vals[name] = services.trimmed(value, kind or "google")
                if name == "client_id" and kind == "microsoft":
                    vals[name] = vals[name].lower()
            elif name == "tenant":
                vals[name] = services.tenant(value)
            elif name in services.DATA:
                vals[name] = services.trimmed(value)
        return vals

    @api.constrains("client_id", "kind", "tenant")
    def _check_client_id(self):
        for application in self.filtered("client_id"):
            entered.check_client_id(application)

    @api.constrains("kind", "tenant")
    def _check_tenant(self):
        for application in self:
            if application.kind == "microsoft":
                entered.check_tenant(application)

    @api.constrains("kind", "tenant", "allow_private_host", *services.DATA)
    def _check_data(self):
        for application in self:
            entered.check_data(application)

    # Accounts that sign in with it

    def _accounts(self):
        """Those that stop without it; in superuser mode."""
        # sudo: who administers applications need not manage accounts
        return (
            self.env["mail.external.account"]
            .sudo()
            .search(
                [
                    ("application_id", "in", self.ids),
                    ("auth_method", "=", "oauth2"),
                    ("state", "!=", "draft"),
                ]
            )
        )

    def _bound_to(self):
        """What a sign-in is bound to: with another value the service is another one, or
        the application at it."""
        self.ensure_one()
        return self.client_id or "", self.token_endpoint or ""

    def _bound_after(self, vals):
        """:return: as ``_bound_to``, when this is written"""
        self.ensure_one()
        client_id = vals.get("client_id", self.client_id) or ""
        if self.kind == "other":
            return client_id, vals.get("token_endpoint", self.token_endpoint) or ""
        data = services.data_of(self.kind, vals.get("tenant", self.tenant))
        return client_id, data["token_endpoint"] or ""

    def _end_sign_ins(self, is_confirmed):
        """They are about to mean other applications, for which nobody has signed in.

        Before that: the service is to be told that the tokens are not needed any more.

        :raise UserError: accounts would stop, and nobody said that they may
        """
        accounts = self._accounts()
        if accounts and not is_confirmed:
            raise UserError(
                self.env._(
                    "%(count)s accounts sign in with this application. When its client "
                    "ID, tenant or token address changes, their sign-ins end, and the "
                    "owners have to sign in again. Tick “They Sign In Again” to change "
                    "it all the same.",
                    count=len(accounts),
                )
            )
        self._forget_told("check", "failure", "callback")
        accounts._forget_secret()
        for account in accounts:
            account._stop(ErrorCode.OAUTH_ENDED.value, "")

    def _check_revocation(self, vals):
        """:raise UserError: the secret would be told to another address than those that
        it was entered for"""
        address = vals.get("revocation_endpoint")
        if not address or vals.get("client_secret"):
            return
        for application in self.filtered("has_secret"):
            is_typed = application.kind == "other"
            if is_typed and application.revocation_endpoint != address:
                raise UserError(
                    self.env._(
                        "Revocation Address: the client secret is told there, too. "
                        "Enter the secret once more, together with the address."
                    )
                )

    def _follow_secret(self, client_id, context, *, is_another):
        """The secret goes nowhere else than it was entered for.

        :param client_id: before the write
        :param context: see ``vault.application_context``, before the write
        :param bool is_another: its ``_bound_to`` is another one
        """
        if vault.application_context(self) == context:
            return
        # Another tenant: the same application, at the same host.
        is_tenant = self.kind == "microsoft" and self.client_id == client_id
        if is_another and not is_tenant:
            vault.seal_application_secret(self, "")
        else:
            vault.move_application_secret(self, context)

    def _resume_accounts(self):
        """Those that waited for this application go on."""
        accounts = self._accounts()
        tokens.forget_failures(accounts)
        codes = {code.value for code in OF_APPLICATION}
        waiting = accounts.filtered(
            lambda account: (
                account.failure_code in codes
                or codes.intersection(account.mailbox_ids.mapped("failure_code"))
            )
        )
        if waiting:
            waiting._resume()
            waiting._look_soon(0)

    # The application at the service

    def _client(self):
        """:rtype: mailkit.oauth.Client
        :raise tools.vault.UnsealError: its secret cannot be opened
        """
        return vault.application_client(self.sudo())

    def _parameters(self):
        """What the authorization address is told besides; tuple of (name, value)"""
        return entered.parameters(self)

    def _redirect_uri(self):
        """Where people come back to: one address for each service (RFC 9700 section
        4.4.2.2), so that no service can take itself for another one."""
        self.ensure_one()
        key = self.key if self.kind == "other" else self.kind
        return f"{web_address.base_url(self.env)}{web_address.PATH}{key}"

    def action_check(self):
        """Ask the service whether it takes the application.

        :return: what shows that for a moment: whoever fills in the lower part of the
            page does not see its head, where it stays
        """
        self.check_access("write")
        if not check.check(self):
            text = self.env._(
                "The application was changed while it was checked. Check it again."
            )
            return notices.on_screen("warning", text)
        if self.check_code:
            return notices.on_screen("danger", self.check_text)
        return notices.on_screen(
            "success", self.env._("The service accepts this application.")
        )

    def action_take_odoos_own(self):
        """Use the application that Odoo's own Gmail or Outlook module has."""
        self.check_access("write")
        odoos_own.take(self)
        return notices.on_screen(
            "warning",
            self.env._(
                "Taken over. Now add the redirect address of this page to that "
                "application at the service, beside the one that is there; and the "
                "scopes. Then check."
            ),
        )

    def action_view_accounts(self):
        """The accounts that sign in with it."""
        self.ensure_one()
        return {
            **self.env["ir.actions.act_window"]._for_xml_id(
                "mail_external_account.mail_external_account_action"
            ),
            "domain": [("application_id", "=", self.id)],
        }

    # What fails, and what is told

    @api.model
    def _cron_announce(self):
        """Once a day: tell people of what ends soon, and keep what is hardly used."""
        announcements.run(self.env)
        if not modules.module.current_test:  # as core: nothing goes over the network
            idle.renew(self.env)

    def _note_check(self, error):
        """What the service answered to a check.

        :param error: MailError, or None
        """
        self._note("check", error and error.code.value, error and error.reply)
        if error is None:
            self._note_success()

    def _note_failure(self, code, reply):
        """The service refused to renew a sign-in because of the application itself.

        Administrators are told once, until it works again. Several accounts may find
        out at the same moment: one of them notes it.

        :param str code: of ``mailkit.errors.ErrorCode``
        :param reply: what the service said, or None
        """
        application = self.sudo()
        if application.failure_code == code or not application.active:
            return
        if not application._is_free():
            return
        known = application.failure_code
        application._note("failure", code, reply)
        if not known:
            expiry.tell_failure(application, code)

    def _note_success(self):
        """It works (again): those that waited go on."""
        application = self.sudo()
        if application.failure_code:
            application._forget_told("failure")
            application._resume_accounts()

    def _note_callback_error(self, code, reply):
        """Somebody came back from the service's page without being signed in.

        :param str code: of ``mailkit.errors.ErrorCode``
        :param reply: what the service said, or None
        """
        application = self.sudo()
        if application._is_free():
            application._note("callback", code, reply)

    def _is_free(self):
        """Whether nobody else notes something at this moment; it is ours then."""
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(
                    "SELECT id FROM mail_external_application WHERE id = %s"
                    " FOR NO KEY UPDATE SKIP LOCKED",
                    [self.id],
                )
                return bool(self.env.cr.rowcount)
        except SerializationFailure:
            return False  # somebody noted something since this transaction began

    def _note(self, what, code, reply):
        self.sudo().write(
            {
                f"{what}_date": fields.Datetime.now(),
                f"{what}_code": code or False,
                f"{what}_reply": str(reply or "")[:_REPLY_CHARACTERS] or False,
            }
        )

    def _forget_told(self, *whats):
        names = [f"{what}_{part}" for what in whats for part in _TOLD]
        self.sudo().write(dict.fromkeys([*names, "retry_at"], False))

    def _explained(self, code, reply, waits=False):
        """
        :param bool waits: it is tried again by itself, as for accounts
        :return: (cause, remedy): of the service's words, where they are known
        """
        self.ensure_one()
        known = words.explained(self.env, self.kind, code, reply)
        if known or waits:
            return known or cause_and_remedy(self.env, code)
        cause, remedy = cause_and_remedy(self.env, TRIED_ONCE.get(code, code))
        return words.unreached(self.env, code, reply) or cause, remedy
