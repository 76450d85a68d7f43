from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Command

from ..tools import odoo_servers


class MailExternalImport(models.TransientModel):
    """Odoo's own mail servers become drafts of external addresses.

    An administrator sees all of them, an employee the one that is theirs. What is made
    follows from the servers as they are then (``tools/odoo_servers.py``); the lines
    only say which are wanted, and for whom.
    """

    _name = "mail.external.import"
    _description = "Take Over Odoo's Mail Servers"
    _allow_sudo_commands = False
    _rec_name = None

    line_ids = fields.One2many("mail.external.import.line", "import_id", "Mailboxes")
    is_own = fields.Boolean(readonly=True, help="Only the server of this employee.")
    is_done = fields.Boolean(readonly=True)

    @api.model_create_multi
    def create(self, vals_list):
        # Nothing of a caller: the lines are what is found.
        imports = super().create([{} for _vals in vals_list])
        for one in imports:
            one._find()
        return imports

    @api.model
    def _action_open(self):
        """Open the window with what can be taken over now."""
        return self.create({})._reopen()

    def action_take_over(self):
        """Make drafts of the chosen mailboxes; pressed again, it makes no second ones.

        :raise AccessError: it is not for this user to do that
        """
        self.ensure_one()
        self._check_rights()
        by_key = {each.key: each for each in self._mailboxes()}
        for line in self.line_ids:
            if line.key in by_key:
                line._take_over(by_key[line.key])
        # sudo: what was done is the server's to say
        self.sudo().is_done = True
        return self._reopen()

    def _is_administrator(self):
        return self.env.user.has_group("base.group_system")

    def _check_rights(self):
        addresses = self.env["mail.external.address"]
        if not self._is_administrator() and not addresses._personal_allowed():
            raise AccessError(
                self.env._(
                    "Your administrator does not allow personal external addresses."
                )
            )

    def _mailboxes(self):
        user = None if self._is_administrator() else self.env.user
        return odoo_servers.mailboxes(self.env, user)

    def _find(self):
        self._check_rights()
        lines = [
            {"key": each.key, "user_id": each.owner.id} for each in self._mailboxes()
        ]
        # sudo: nobody else writes lines, nor which mailbox one is about
        self.sudo().write(
            {
                "is_own": not self._is_administrator(),
                "line_ids": [Command.create(values) for values in lines],
            }
        )
        self.line_ids._look()

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Take Over Odoo's Mail Servers"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
            "context": {"dialog_size": "large"},
        }
