from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..models.mail_external_connection_mixin import READ_PROTOCOLS
from ..tools.connect import rights, sign_in

# What only the buttons below set, never what a caller sends.
CHOICE = frozenset({"auth_method", "application_id"})


class MailExternalOauthMixin(models.AbstractModel):
    """The part of the connect window that is about signing in with the mail service.

    A person meets it in this order: the window says whether that is possible for the
    mail service that was chosen, or what is missing; "Sign in with ..." saves the
    window and opens the service's page in another tab (``controllers/sign_in.py``);
    that tab tells the window when it is done; then the window tests the account as with
    a password. "Use a password instead" is the way back.

    Which application the window signs in with, and that it does, is written by these
    buttons only; where the tokens may go, and whose sign-in it is, says
    ``tools/connect/sign_in.py``.

    The window that inherits this has the fields of ``mail.external.connection.mixin``
    and of ``mail.external.proof.mixin``, and what that asks for.
    """

    _name = "mail.external.oauth.mixin"
    _description = "Sign-In with a Mail Service"

    sign_in_service = fields.Char(
        compute="_compute_sign_in",
        help="The service at whose page people can sign in now. Empty: they cannot.",
    )
    sign_in_problem = fields.Char(
        compute="_compute_sign_in", help="Why nobody can sign in there yet."
    )
    sign_in_registers = fields.Boolean(
        compute="_compute_sign_in",
        help="What is missing is an application, which this user may register.",
    )
    takes_password = fields.Boolean(
        compute="_compute_sign_in", help="The mail service lets people use a password."
    )
    is_signed_in = fields.Boolean(compute="_compute_is_signed_in")
    signed_in_as = fields.Char(compute="_compute_is_signed_in")
    is_persons_sign_in = fields.Boolean(
        compute="_compute_is_signed_in",
        help="A mailbox of the company is opened with this user's own sign-in.",
    )
    sign_in_failure = fields.Char(compute="_compute_is_signed_in")
    sign_in_reply = fields.Char(compute="_compute_is_signed_in")

    @api.depends("provider_id", "is_company", "user_id", "company_id", "account_id")
    def _compute_sign_in(self):
        for window in self:
            provider = window.provider_id
            has_service = bool(provider.oauth_kind) and not window.is_address_only
            problem = has_service and sign_in.problem(window)
            application = has_service and not problem and sign_in.offered(window)
            window.sign_in_problem = problem or False
            window.sign_in_registers = bool(
                problem
                and self.env.user.has_group("base.group_system")
                and not provider._application(sign_in.company_of(window))
            )
            window.sign_in_service = application and provider._sign_in_name()
            window.takes_password = not has_service or provider.password_works

    @api.depends(
        *("auth_method", "application_id", "provider_id", "account_id"),
        *("is_company", "smtp_login", "incoming_login", "incoming_protocol"),
    )
    def _compute_is_signed_in(self):
        for window in self:
            grant = window.auth_method == "oauth2" and sign_in.current(window)
            window.is_signed_in = bool(grant)
            window.signed_in_as = grant and grant.hint
            window.is_persons_sign_in = bool(grant and sign_in.signer(window))
            failed = sign_in.failed(window)
            window.sign_in_failure = failed.failure_text
            window.sign_in_reply = failed.failure_reply

    # The buttons

    def action_sign_in(self):
        """Sign in with the mail service: opens its page.

        :raise UserError: nobody can sign in there now; the text says what is missing
        """
        self.ensure_one()
        self._check_rights()
        self._check_address()
        self._choose_sign_in()
        return {
            "type": "ir.actions.act_url",
            "url": f"/mail_external_account/sign_in/window/{self.id}",
            "target": "new",
        }

    def _choose_sign_in(self):
        """From now on the window is about a sign-in at the servers of its preset."""
        sign_in.check_offered(self)
        application = sign_in.offered(self)
        self._write_choice("oauth2", application)
        self._keep_to_preset()
        for name in ("smtp_login", "incoming_login"):
            self[name] = self[name] or self.email

    def _keep_to_preset(self):
        """A token goes to servers of the preset only, whatever stood in the window."""
        provider, protocol = self.provider_id, self.incoming_protocol
        values = {
            "ca_certificate": sign_in.certificate_authority(self.application_id.sudo())
        }
        for purpose, kind in (("smtp", "smtp"), ("incoming", protocol)):
            asked = kind == "smtp" or kind in READ_PROTOCOLS
            if asked and not sign_in.is_of_preset(self, purpose):
                for part in ("host", "port", "security"):
                    values[f"{purpose}_{part}"] = provider[f"{kind}_{part}"]
        self._write_plainly(values)

    def action_use_password(self):
        """Use a password instead: what was signed in with in this window is dropped."""
        self.ensure_one()
        self._check_rights()
        sign_in.forget(self)
        self._write_choice("password", self.env["mail.external.application"])
        return self._reopen()

    def action_go_on(self):
        """Open this window again, for who came back from the service in another tab.

        :return: list of actions: what stands behind the window, and the window
        """
        window = self.exists()
        behind = "personal"
        if window:
            window.check_access("read")
            behind = "company" if window.is_company else "personal"
        actions = self.env["ir.actions.act_window"]
        behind = actions._for_xml_id(
            f"mail_external_account.mail_external_address_action_{behind}"
        )
        if not self.env["mail.external.address"]._is_manager():
            behind["context"] = {}  # one's own are few: no groups
        if not window:  # it was saved or closed, or open for too long
            return [behind]
        action = window._reopen()
        context = {**action["context"], "starts_test": True}
        views = [[False, "form"]]  # as the web client wants it from another action
        return [behind, {**action, "context": context, "views": views}]

    @api.model
    def _open_for_sign_in(self, account_id):
        """A connect window for signing in again.

        :raise AccessError: this user may not connect the account
        """
        account = self.env["mail.external.account"].browse(account_id).exists()
        if not account or not account.has_access("read"):
            raise rights.not_theirs(self.env)
        rights.check_account(account)
        address = account.sudo()._own_address().sudo(False)
        context = {"default_address_id": address.id, "default_account_id": account.id}
        windows = self.with_context(**context)
        names = [n for n, field in self._fields.items() if not field.compute]
        window = windows.create(windows.default_get(names)).with_env(self.env)
        if account.auth_method == "oauth2":
            window._choose_sign_in()
        return window

    def unlink(self):
        """With what was signed in with in it: the database would only delete that."""
        self.check_access("unlink")
        sign_in.forget(self)
        return super().unlink()

    # What decides how the window signs in

    def _with_choice(self, vals):
        """``vals`` with what the buttons have set; a new window is as its account."""
        account_id = vals.get("account_id") or False
        if isinstance(account_id, dict):  # so an onchange may name it as well
            account_id = account_id.get("id")
        known = self or self.env["mail.external.account"].browse(account_id)
        # sudo: of one that this user may connect; employees see no applications
        return {**vals, **self._choice_of(known.sudo())}

    @api.model
    def _choice_of(self, known):
        """
        :param known: a window or an account in superuser mode, or none
        """
        method = known.auth_method or "password"
        return {"auth_method": method, "application_id": known.application_id.id}

    @api.model
    def _refuse_choice(self):
        """:raise AccessError: always; a caller writes what only the buttons do"""
        raise AccessError(
            self.env._("How you sign in is chosen by the buttons of the window.")
        )

    def _follow_choice(self):
        """After a caller wrote: as a button set it, as long as the mail service is one
        where people sign in so."""
        for window in self.sudo():
            if window.is_address_only:
                continue
            application = window.application_id
            if sign_in.is_for_window(window, application):
                window._keep_to_preset()
            else:
                window._write_choice("password", application.browse())

    def _take_choice(self):
        """A new window begins as its account is connected."""
        for window in self.sudo():
            account = window.account_id
            method = account.auth_method or "password"
            window._write_choice(method, account.application_id)

    def _write_choice(self, method, application):
        self._write_plainly({"auth_method": method, "application_id": application.id})

    def _write_plainly(self, values):  # pylint: disable=missing-return
        """Write what the server decides, not a caller."""
        known = {
            name: self._fields[name].convert_to_write(self[name], self)
            for name in values
        }
        if any((known[name] or False) != (values[name] or False) for name in values):
            # sudo: employees may not see applications
            plain = super(MailExternalOauthMixin, self.sudo())
            plain.write(values)  # pylint: disable=super-method-mismatch
