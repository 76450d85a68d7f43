from odoo import models
from odoo.tools import clean_context

from ..tools import trusted_context


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    def _run_action_mail_post_multi(self, eval_context=None):
        action = self
        if self.env["mail.external.sender"]._any_configured():
            # Who sets it off may not complete what it says: core takes their defaults
            # over into superuser mode (``ir.actions.server._run``).
            action = self.with_context(clean_context(self.env.context))
        # The text is the template's, whoever or whatever set the action off.
        with trusted_context.automatic.during():
            return super(IrActionsServer, action)._run_action_mail_post_multi(
                eval_context=eval_context
            )
