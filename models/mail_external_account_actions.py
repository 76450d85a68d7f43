from odoo import models
from odoo.exceptions import AccessError


class MailExternalAccount(models.Model):
    """What the buttons of the lists and forms open."""

    _inherit = "mail.external.account"

    def action_add(self):
        """Open the connect window for a new address (context: default_user_id...)."""
        return self.env["mail.external.account.connect"]._action_open(
            self.env._("Add External Address"), {}
        )

    def action_connect(self):
        """Open the connect window for this address."""
        self.ensure_one()
        if not self._may_connect():
            raise AccessError(
                self.env._(
                    "Only the owner or a manager may change how %s is connected.",
                    self.email,
                )
            )
        return self.env["mail.external.account.connect"]._action_open(
            self.env._("Connect %s", self.email), {"default_account_id": self.id}
        )

    def action_settings(self):
        """Open what can be changed without a test: name, projects, access."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.display_name,
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_view_waiting(self):
        """The mails that wait for this account."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Waiting Mails"),
            "res_model": "mail.mail",
            "view_mode": "list,form",
            "domain": [
                ("sending_account_id", "=", self.id),
                ("state", "=", "outgoing"),
            ],
        }
