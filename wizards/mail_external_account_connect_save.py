import logging

from odoo import fields, models
from odoo.exceptions import AccessError, UserError

from ..mailkit.errors import MailError
from ..mailkit.settings import normalize_address
from ..tools import connection
from .step_labels import step_label

_logger = logging.getLogger(__name__)


class MailExternalAccountConnect(models.TransientModel):
    """Saving: rights, tests and proof are checked here again, whatever the screen."""

    _inherit = "mail.external.account.connect"

    def action_save(self):
        """Create or update the account with the tested settings.

        :raise UserError: untested, unproven or unusable settings; nothing is saved
        """
        self.ensure_one()
        self._check_rights()
        self._check_address()
        self._check_reading()
        missing = self._untested()
        if missing:
            raise UserError(
                self.env._(
                    "Nothing was saved: these settings have not passed the test. Press "
                    "“Test account” and wait until every line is passed. Open: %s",
                    ", ".join(step_label(self, step) for step in missing),
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
        values = {**self._owner_values(), **self._connection_values(proof)}
        folders, anew = self._chosen_folders(), self._starts_reading()
        account = self._write_account(values)
        connection.store_passwords(self, account)
        account._set_up_reading(folders, anew)
        _logger.info(
            "External address %s connected by user %s for %s, proof: %s",
            account.email,
            self.env.uid,
            f"user {account.user_id.id}" if account.user_id else "company",
            proof,
        )
        account._resume_delivery()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("%s is connected.", account.email),
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    def action_keep_draft(self):
        """Keep a new address without connection: it sends nothing, holds no secret."""
        self.ensure_one()
        if self.account_id and self.account_id.state != "draft":
            raise UserError(
                self.env._(
                    "This address is connected already. It goes on working with its "
                    "settings until new ones have passed the test."
                )
            )
        self._check_rights()
        self._check_address()
        nothing = dict.fromkeys(("proof", "proof_user_id", "proof_date"), False)
        self._write_account({**self._owner_values(), **nothing, "state": "draft"})
        return {"type": "ir.actions.act_window_close"}

    def _check_rights(self):
        """:raise AccessError: this user may not connect an address for this owner"""
        if self.account_id and not self.account_id._may_connect():
            raise AccessError(
                self.env._("Only the owner or a manager may change this address.")
            )
        self._check_company()
        account = self.env["mail.external.account"]
        if account._is_manager():
            if not account._manages_owner(self._owner(), self.company_id):
                raise AccessError(
                    self.env._(
                        "%s works in no company of yours: their addresses are "
                        "connected by themselves or by a manager of their company.",
                        self._owner().name,
                    )
                )
            return
        if self.is_company or self.user_id != self.env.user:
            raise AccessError(
                self.env._(
                    "You can connect addresses of your own only. Company addresses "
                    "are connected by a manager."
                )
            )
        if not account._personal_allowed():
            raise AccessError(
                self.env._(
                    "Your administrator does not allow personal external addresses."
                )
            )

    def _check_company(self):
        """:raise AccessError: the user, or the owner, does not belong to the company"""
        company, owner = self.company_id, self._owner()
        if company and company.id not in self.env.user._get_company_ids():
            raise AccessError(
                self.env._("You do not belong to the company of this address.")
            )
        # Else nobody would be left who may see it: neither the owner nor a manager.
        # sudo: where a colleague works is asked by yes or no
        if company and owner and company not in owner.sudo().company_ids:
            raise AccessError(
                self.env._(
                    "%(employee)s does not belong to %(company)s: choose the address's "
                    "company anew, or none.",
                    employee=owner.name,
                    company=company.name,
                )
            )

    def _check_address(self):
        """:raise UserError: not one valid address, or one that is Odoo's own"""
        try:
            normalize_address(self.email or "")
        except MailError as error:
            raise UserError(
                self.env._(
                    "E-mail Address: enter one address such as name@example.com."
                )
            ) from error
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

    def _is_manager(self):
        return self.env["mail.external.account"]._is_manager()

    def _owner_values(self):
        company = self.company_id
        return {
            "email": self.email,
            "sender_name": self.sender_name,
            "user_id": False if self.is_company else self.user_id.id,
            "company_id": company.id,
            "provider_id": self.provider_id.id,
            "is_default": self.is_default,
            "allowed_user_ids": [
                fields.Command.set(self.allowed_user_ids.ids if self.is_company else [])
            ],
            "allowed_group_ids": [
                fields.Command.set(
                    self.allowed_group_ids.ids if self.is_company else []
                )
            ],
        }

    def _connection_values(self, proof):
        incoming = self.incoming_protocol in connection.READ_PROTOCOLS
        known = self.account_id.sudo()
        same_proof = known.proof == proof and self._is_of_same_owner(known)
        return {
            "smtp_host": self.smtp_host,
            "smtp_port": self.smtp_port,
            "smtp_security": self.smtp_security,
            "smtp_login": self.smtp_login,
            **self._reading_values(),
            "incoming_protocol": self.incoming_protocol,
            "incoming_host": self.incoming_host if incoming else False,
            "incoming_port": self.incoming_port if incoming else False,
            "incoming_security": self.incoming_security if incoming else False,
            "incoming_login": self.incoming_login if incoming else False,
            "ca_certificate": self.ca_certificate,
            # Only where it was needed: later the name of a host may mean another one.
            "allow_private_host": self.allow_private_host
            and any(line.is_private for line in self._results().values()),
            "state": "working",
            "failure_code": False,
            "failure_reply": False,
            "last_check": fields.Datetime.now(),
            "proof": proof,
            "proof_user_id": self.account_id.proof_user_id.id
            if same_proof
            else self.env.uid,
            "proof_date": self.account_id.proof_date
            if same_proof
            else fields.Datetime.now(),
        }

    def _write_account(self, values):
        # sudo: rights were checked above; connection fields are written only here
        account = self.account_id.sudo()
        former, email = account.user_id, account.email
        if account:
            account.write(values)
        else:
            account = self.env["mail.external.account"].sudo().create(values)
            self.sudo().account_id = account
        self._write_bindings(account)
        account._tell_of_connection(former, email)
        return account

    def _write_bindings(self, account):
        # what is bound already stays, also where the user sees the project no more
        added = self.project_ids.project_id - account.binding_ids.project_id
        added.check_access("read")
        wanted = {line.project_id.id: line.is_default for line in self.project_ids}
        existing = {binding.project_id.id: binding for binding in account.binding_ids}
        for project_id, binding in existing.items():
            if project_id not in wanted:
                binding.unlink()
        for project_id, is_default in wanted.items():
            if project_id not in existing:
                account.binding_ids.create(
                    {
                        "account_id": account.id,
                        "project_id": project_id,
                        "is_default": is_default,
                    }
                )
            elif existing[project_id].is_default != is_default:
                existing[project_id].is_default = is_default
