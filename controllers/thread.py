from odoo.addons.mail.controllers.thread import ThreadController


class ExternalSenderThreadController(ThreadController):
    """Accepts the sender that the user picked in the chatter."""

    def _prepare_message_data(self, post_data, *, thread, **kwargs):
        data = super()._prepare_message_data(post_data, thread=thread, **kwargs)
        if kwargs.get("from_create") and "external_account_id" in post_data:
            # Whether this user may use it is checked when the message is created.
            data["external_account_id"] = int(post_data["external_account_id"] or 0)
        return data
