from contextlib import contextmanager

from odoo import models

from ..tools import from_guard


class MailThread(models.AbstractModel):
    """Who posts by a remote call does not do so in somebody else's name."""

    _inherit = "mail.thread"

    def message_post(self, **kwargs):
        with self._checking_typed_sender("message_post", kwargs):
            return super().message_post(**kwargs)

    def message_notify(self, **kwargs):
        with self._checking_typed_sender("message_notify", kwargs):
            return super().message_notify(**kwargs)

    def message_post_with_source(self, source_ref, **kwargs):
        with self._checking_typed_sender("message_post_with_source", kwargs):
            return super().message_post_with_source(source_ref, **kwargs)

    def message_mail_with_source(self, source_ref, **kwargs):
        with self._checking_typed_sender("message_mail_with_source", kwargs):
            return super().message_mail_with_source(source_ref, **kwargs)

    @contextmanager
    def _checking_typed_sender(self, method, values):
        """Check the outermost call only. What Odoo posts inside of it by the same
        method, an absence note say, is in the name of whom Odoo's code chooses."""
        if not from_guard.is_sender_checked():
            self._check_typed_sender(method, values)
        with from_guard.sender_checked():
            yield

    def _check_typed_sender(self, method, values):
        """:raise AccessError: a remote caller names somebody else's address, or has no
        right to see the record
        :raise ValidationError: what he typed is too long to be looked at
        """
        account = self.env["mail.external.account"]
        if (
            self.env.su
            or not (values.get("email_from") or values.get("author_id"))
            or not account._any_configured()
            or not from_guard.is_remote_call(self._name, method)
        ):
            return
        account._check_typed_length("email_from", values.get("email_from"))
        if method.startswith("message_post"):
            self.check_access("read")  # as core does, which reads the address before
        author = self.env["res.partner"].browse(values.get("author_id") or [])
        account._check_typed_from("email_from", values.get("email_from"))
        account._check_typed_author("author_id", author.exists())

    def _message_create(self, values_list):
        with from_guard.posting():
            return super()._message_create(values_list)

    def _message_update_content(self, message, /, **kwargs):
        if self.env["mail.external.account"]._any_configured():
            message._check_may_edit()
        return super()._message_update_content(message, **kwargs)
