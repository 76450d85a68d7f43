from odoo import models

from ..tools import origin


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    def _run_action_mail_post_multi(self, eval_context=None):
        # The text is the template's, whoever or whatever set the action off.
        with origin.automatic():
            return super()._run_action_mail_post_multi(eval_context=eval_context)
