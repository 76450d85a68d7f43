from odoo.addons.mail.controllers.thread import ThreadController
from werkzeug.exceptions import BadRequest


class ExternalSenderThreadController(ThreadController):
    """Accepts the sender that the user picked in the chatter."""

    def _prepare_message_data(self, post_data, *, thread, **kwargs):
        data = super()._prepare_message_data(post_data, thread=thread, **kwargs)
        if kwargs.get("from_create") and "external_account_id" in post_data:
            # Whether this user may use it is checked when the message is created.
            account_id = post_data["external_account_id"] or False
            if account_id and not isinstance(account_id, int):
                raise BadRequest("external_account_id is not a number")
            data["external_account_id"] = account_id
        return data
