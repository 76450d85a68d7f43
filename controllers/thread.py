from odoo.addons.mail.controllers.thread import ThreadController
from werkzeug.exceptions import BadRequest


class ExternalSenderThreadController(ThreadController):
    """Accepts the sender that the user picked in the chatter."""

    def _prepare_message_data(self, post_data, *, thread, **kwargs):
        data = super()._prepare_message_data(post_data, thread=thread, **kwargs)
        if kwargs.get("from_create") and "external_address_id" in post_data:
            # Whether this user may use it is checked when the message is created.
            address_id = post_data["external_address_id"] or False
            if address_id and not isinstance(address_id, int):
                raise BadRequest("external_address_id is not a number")
            data["external_address_id"] = address_id
        return data
