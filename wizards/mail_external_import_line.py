from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..tools import odoo_servers


class MailExternalImportLine(models.TransientModel):
    """A mailbox of Odoo's own servers: whether it is wanted, and what became of it."""

    _name = "mail.external.import.line"
    _description = "Mailbox of Odoo's Mail Servers"
    _order = "id"
    _rec_name = "emails"

    import_id = fields.Many2one(
        "mail.external.import", required=True, ondelete="cascade", index=True
    )
    key = fields.Char(readonly=True, help="Which of Odoo's servers these are.")
    names = fields.Char("Servers", readonly=True)
    emails = fields.Text("Addresses", readonly=True)
    is_chosen = fields.Boolean("Take Over")
    can_choose = fields.Boolean(readonly=True)
    user_id = fields.Many2one(
        "res.users",
        "Employee",
        domain="[('share', '=', False), ('company_ids', 'in', allowed_company_ids)]",
        ondelete="cascade",
        help="Whose it becomes. Empty: the company's.",
    )
    result = fields.Text("What Happens", readonly=True)
    address_id = fields.Many2one(
        "mail.external.address", readonly=True, ondelete="set null"
    )

    def write(self, vals):
        if not self.env.su and set(vals) - {"is_chosen", "user_id"}:
            raise AccessError(
                self.env._("These lines are what Odoo found: choose, and for whom.")
            )
        result = super().write(vals)
        if not self.env.su and "user_id" in vals:
            self._look()
        return result

    @api.model
    def _owner_of(self, line, found):
        """Whose it becomes: an administrator says it, but not of somebody's own."""
        if not line.import_id._is_administrator():
            return line.env.user
        return found.owner or line.user_id

    def _look(self):
        """Say of each what would happen, and choose what can be taken over."""
        for one, lines in self.grouped("import_id").items():
            mailboxes = {each.key: each for each in one._mailboxes()}
            for line in lines:
                if found := mailboxes.get(line.key):
                    line._show(found)

    def _show(self, found):
        owner = self._owner_of(self, found)
        problem = odoo_servers.problem(self.env, found, owner)
        known = not problem and odoo_servers.existing(self.env, found, owner)
        # sudo: see ``write``
        self.sudo().write(
            {
                "names": found.names,
                "emails": ", ".join(found.emails),
                "user_id": owner.id,
                "can_choose": not problem,
                "is_chosen": not problem and not known,
                "result": problem or self._forecast(known),
                "address_id": known and known[:1].id,
            }
        )

    def _forecast(self, known):
        if not known:
            return self.env._("Becomes a draft.")
        if known[0].state == "draft":
            return self.env._("Is here as a draft already.")
        return self.env._("Is connected here already.")

    def _take_over(self, found):
        """Make the draft, and say what remains."""
        self.ensure_one()
        if not self.is_chosen:
            return
        env, owner = self.env, self._owner_of(self, found)
        problem = odoo_servers.problem(env, found, owner)
        if problem:
            self.sudo().result = problem
            return
        made, known = odoo_servers.take_over(env, found, owner)
        account = known[:1].account_id
        if made:
            text = env._(
                "A draft was made. %s", odoo_servers.remains(env, made[0].account_id)
            )
        elif account.state == "draft":
            text = env._(
                "Is here as a draft already. %s", odoo_servers.remains(env, account)
            )
        else:
            text = env._("Is connected here already.")
        # sudo: see ``write``
        self.sudo().write(
            {"result": text, "address_id": (made or known)[:1].id, "is_chosen": False}
        )

    def action_connect(self):
        """Open the connect window of the address that it became."""
        self.ensure_one()
        return self.address_id.action_connect()
