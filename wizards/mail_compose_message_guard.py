from odoo import api, models

from ..mailkit.from_header import header_addresses
from ..tools import from_guard

FROM_FIELDS = ("email_from", "author_id")
REMOTE = ("create", "write", "web_save", "web_save_multi", "load", "copy")


class MailComposeMessage(models.TransientModel):
    """The full composer: nobody enters somebody else's address as From."""

    _inherit = "mail.compose.message"

    @api.model_create_multi
    def create(self, vals_list):
        typed = [self.env.context.get("default_email_from")]
        self._check_lengths([*typed, *(vals.get("email_from") for vals in vals_list)])
        composers = super().create(vals_list)
        defaults = {f"default_{name}" for name in FROM_FIELDS}
        if defaults.intersection(self.env.context) or any(
            name in vals for vals in vals_list for name in FROM_FIELDS
        ):
            composers._check_typed_from()
        return composers

    def write(self, vals):
        self._check_lengths([vals.get("email_from")])
        result = super().write(vals)
        if any(name in vals for name in FROM_FIELDS):
            self._check_typed_from()
        return result

    def _check_lengths(self, texts):
        """:raise ValidationError: a remote caller typed one that is too long"""
        account = self.env["mail.external.account"]
        if (
            any(texts)
            and not self.env.su
            and account._any_configured()
            and from_guard.is_remote_call(self._name, *REMOTE)
        ):
            for text in texts:
                account._check_typed_length(self.env._("From (email_from)"), text)

    def _check_typed_from(self):
        """:raise AccessError: From or author are somebody else's external address"""
        account = self.env["mail.external.account"]
        if (
            self.env.su
            or not account._any_configured()
            or not from_guard.is_remote_call(self._name, *REMOTE)
        ):
            return
        for composer in self:
            allowed = composer._template_addresses()
            account._check_typed_from(
                self.env._("From (email_from)"), composer.email_from, allowed
            )
            account._check_typed_author(
                self.env._("Author (author_id)"), composer.author_id, allowed
            )

    def _template_addresses(self):
        """The addresses that the template itself puts into From: nobody typed them."""
        template = self.template_id
        res_ids = self._evaluate_res_ids()
        if not template.email_from or not res_ids or self.composition_batch:
            return header_addresses(template.email_from or "")
        rendered = template._render_field("email_from", res_ids)
        texts = {str(text) for text in rendered.values() if text}
        return frozenset().union(*map(header_addresses, texts))

    def _action_schedule_message(self):
        with from_guard.posting():
            return super()._action_schedule_message()
