from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from ..mailkit.checks import Step
from ..mailkit.errors import MailError
from ..mailkit.settings import normalize_address
from ..models.mail_external_account import INCOMING
from ..models.mail_external_provider import SECURITY
from ..tools import connection, vault
from ..tools.destination import secret_context
from ..tools.explanations import cause_and_remedy
from ..tools.idle_connection import connection_returned
from .step_labels import step_label


class MailExternalAccountConnect(models.TransientModel):
    """The connect window: nothing untested or unproven becomes an account.

    A new address is created, or the settings of an existing one are replaced, in
    ``action_save`` only, and only when the last test of exactly these settings passed.
    """

    _name = "mail.external.account.connect"
    _description = "Connect an External Address"
    # No name: core shows those of records that the reader may not see.
    _rec_name = None

    account_id = fields.Many2one(
        "mail.external.account", readonly=True, ondelete="cascade"
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
    email = fields.Char("E-mail Address")
    sender_name = fields.Char()
    provider_id = fields.Many2one("mail.external.provider", "Mail Service")
    provider_note = fields.Text(related="provider_id.note", string="Service Note")
    provider_help_url = fields.Char("Help Page", compute="_compute_provider_help_url")
    app_password = fields.Selection(related="provider_id.app_password")
    password = fields.Char(compute="_compute_passwords", inverse="_inverse_password")
    incoming_password = fields.Char(
        compute="_compute_passwords", inverse="_inverse_incoming_password"
    )
    password_sealed = fields.Char(groups=fields.NO_ACCESS)
    incoming_password_sealed = fields.Char(groups=fields.NO_ACCESS)
    has_password = fields.Boolean(compute="_compute_has_password")
    smtp_host = fields.Char("SMTP Host")
    smtp_port = fields.Integer("SMTP Port", default=465)
    smtp_security = fields.Selection(SECURITY, "SMTP Security", default="ssl")
    smtp_login = fields.Char("SMTP User")
    incoming_protocol = fields.Selection(
        INCOMING,
        "Incoming Mail",
        default="none",
        required=True,
    )
    incoming_host = fields.Char()
    incoming_port = fields.Integer()
    incoming_security = fields.Selection(SECURITY, default="ssl")
    incoming_login = fields.Char("Incoming User")
    ca_certificate = fields.Text("Additional CA Certificate")
    allow_private_host = fields.Boolean(compute="_compute_allow_private_host")
    receive_replies = fields.Boolean("Receive Replies to This Same Address")
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
    tested_ok = fields.Boolean(compute="_compute_tested_ok")
    needs_password = fields.Boolean(compute="_compute_tested_ok")

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
        account = self.env["mail.external.account"].browse(values.get("account_id"))
        if account:
            values.update(self._values_of(account))
        elif not values.get("is_company"):
            user = self.env["res.users"].browse(values.get("user_id") or self.env.uid)
            values.setdefault("user_id", user.id)
            values.setdefault("sender_name", user.name)
        if values.get("is_company"):
            values["user_id"] = False
            values.setdefault("company_id", self.env.company.id)
        if not account and not values.get("ca_certificate"):
            company = self.env.company.sudo()
            values["ca_certificate"] = company.external_ca_certificate
        return {name: value for name, value in values.items() if name in fields_list}

    def _values_of(self, account):
        if not account._may_connect():
            raise AccessError(
                self.env._("Only the owner or a manager may change this address.")
            )
        names = (
            "email sender_name smtp_host smtp_port smtp_security smtp_login "
            "incoming_protocol incoming_host incoming_port incoming_security "
            "incoming_login ca_certificate is_default receive_replies"
        ).split()
        values = {name: account[name] for name in names if account[name]}
        return {
            **values,
            "is_company": not account.user_id,
            "user_id": account.user_id.id,
            "company_id": account.company_id.id,
            "provider_id": account.provider_id.id,
            "allowed_user_ids": [Command.set(account.allowed_user_ids.ids)],
            "allowed_group_ids": [Command.set(account.allowed_group_ids.ids)],
            "project_ids": [
                Command.create(
                    {"project_id": b.project_id.id, "is_default": b.is_default}
                )
                for b in account.binding_ids
            ],
        }

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._with_plain_address(vals) for vals in vals_list])

    def write(self, vals):
        return super().write(self._with_plain_address(vals))

    def _with_plain_address(self, vals):
        """The address as it is tested, proven and saved: all three mean the same."""
        if not vals.get("email"):
            return vals
        try:
            return {**vals, "email": normalize_address(vals["email"])}
        except MailError:
            return vals  # told when it is used

    def _compute_is_manager(self):
        self.is_manager = self.env["mail.external.account"]._is_manager()

    def _compute_allow_private_host(self):
        allowed = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("mail_external_account.allow_private_hosts", "")
        )
        self.allow_private_host = (
            allowed in ("1", "True") or self.env["mail.external.account"]._is_manager()
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
        for wizard in self.filtered(name):
            wizard.sudo()[f"{name}_sealed"] = vault.seal(
                self.env, wizard[name], connection.typed_context(wizard, name)
            )
        # The plain text must not linger in the cache of this request.
        self.invalidate_recordset([name], flush=False)

    @api.depends("password_sealed", "account_id")
    def _compute_has_password(self):
        for wizard in self:
            wizard.has_password = bool(
                wizard.sudo().password_sealed or wizard.account_id
            )

    def _destination(self, purpose):
        """What a password stored with these settings would be bound to."""
        self.ensure_one()
        return secret_context(self, purpose, self.account_id, self._owner())

    def _owner(self):
        """The employee whose address it is; none for a company's."""
        return self.env["res.users"] if self.is_company else self.user_id._origin

    # Testing

    @api.depends(
        "email",
        "is_company",
        "user_id",
        "company_id",
        "password",
        "incoming_password",
        "smtp_host",
        "smtp_port",
        "smtp_security",
        "smtp_login",
        "receive_replies",
        "incoming_protocol",
        "incoming_host",
        "incoming_port",
        "incoming_security",
        "incoming_login",
        "ca_certificate",
    )
    def _compute_tested_ok(self):
        for wizard in self:
            saved = wizard._origin
            typed = wizard.password or wizard.incoming_password
            wizard.tested_ok = bool(saved) and not typed and not wizard._untested()
            wizard.needs_password = (
                bool(saved)
                and not typed
                and (connection.passwords(wizard).smtp is None)
            )

    def _untested(self):
        """The steps that did not pass with exactly these settings, in order."""
        results = self._results()
        passed = {step for step, line in results.items() if line.ok}
        return [s for s in connection.steps(self) if s.value not in passed]

    def _results(self):
        """What the tests of exactly these settings gave.

        :return: dict: step -> its last line, whatever passed before
        """
        fingerprint = connection.fingerprint(self)
        lines = (
            self.env["mail.external.account.connect.check"]
            .sudo()
            .search([("wizard_id", "=", self._origin.id)], order="id")
        )
        return {
            line.step: line
            for line in lines
            if vault.same_fingerprint(line.fingerprint, fingerprint)
        }

    def get_steps(self):
        """The checks to run, for the window.

        :return: list of (step, what is checked)
        """
        self.ensure_one()
        return [(step.value, step_label(self, step)) for step in connection.steps(self)]

    def run_check(self, step):
        """Run one check of the test and keep its result.

        A request's transaction is committed before the network and after it: no
        connection to the database waits for somebody's server.

        :param str step: value of ``mailkit.checks.Step``
        :return: dict: step, label, ok, milliseconds, cause, remedy, field, reply
        :raise UserError: another check of this user is under way, or too many were
        """
        self.ensure_one()
        self._check_rights()
        self._check_step(step)
        with self._under_way(step, connection.seconds(step)) as line:
            # again: what stands in the window may be another since the turn was taken
            self._check_rights()
            self._check_step(step)
            fingerprint = connection.fingerprint(self)
            check = connection.prepared(self, Step(step))
            with connection_returned(self.env):
                result, folders = check()
            line.write(
                {
                    "ok": result.ok,
                    "is_private": bool(result.facts.get("private")),
                    "fingerprint": fingerprint,
                }
            )
            if folders:
                self._keep_folders(folders)
        return self._result_data(result)

    def _check_step(self, step):
        if step not in [known.value for known in connection.steps(self)]:
            raise UserError(self.env._("There is no check named %s here.", step))

    def _result_data(self, result):
        data = {
            "step": result.step.value,
            "label": step_label(self, result.step, result),
            "ok": result.ok,
            "milliseconds": round(result.seconds * 1000),
            "cause": "",
            "remedy": "",
            "field": "",
            "reply": "",
        }
        if result.error:
            code = result.error.code.value
            if code == "login_required" and not result.error.reply:
                code = "secret_needed"
            data["cause"], data["remedy"] = cause_and_remedy(self.env, code)
            data["field"] = result.error.field or ""
            data["reply"] = str(result.error.reply or "")
            if self.provider_help_url and data["field"] in ("password", "login"):
                data["help_url"] = self.provider_help_url
        return data
