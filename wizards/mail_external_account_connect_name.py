from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..models.mail_external_account_name import check_sender_name


class MailExternalAccountConnect(models.TransientModel):
    """The From line as recipients will see it, while the name is typed."""

    _inherit = "mail.external.account.connect"

    from_preview = fields.Char("Recipients See", compute="_compute_from_preview")

    @api.depends(
        *("email", "sender_name", "is_company", "user_id", "company_id"),
        "project_ids.project_id",
    )
    def _compute_from_preview(self):
        for wizard in self:
            # sudo: names of the owner, for who may connect the address
            account = (
                self.env["mail.external.account"]
                .sudo()
                .new(
                    {
                        "email": wizard.email,
                        "sender_name": wizard.sender_name,
                        "user_id": not wizard.is_company and wizard.user_id.id,
                        "company_id": wizard.company_id.id,
                    }
                )
            )
            author = account.user_id or self.env.user
            project = wizard.project_ids.project_id[:1].sudo().name
            wizard.from_preview = wizard.email and account._sender_label(
                author.name, project or ""
            )

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
