from odoo import api, models
from odoo.tools.mail import email_normalize_all, email_split_and_format

from ..tools import arrival


class MailThread(models.AbstractModel):
    """Core's gateway takes a message from a mailbox to where it belongs.

    Who asks for it has decided already that it answers something, and what it may
    set off (``mail.external.account``, intake): no alias, no bounce, no reply of the
    gateway's own.
    """

    _inherit = "mail.thread"

    @api.model
    def message_route(
        self, message, message_dict, model=None, thread_id=None, custom_values=None
    ):
        arrived = arrival.current()
        if arrived is None:
            return super().message_route(
                message, message_dict, model, thread_id, custom_values
            )
        return self._external_route(message, message_dict, arrived)

    @api.model
    def _detect_loop_headers(self, msg_dict):
        return arrival.current() is None and super()._detect_loop_headers(msg_dict)

    @api.model
    def _detect_loop_sender(self, message, message_dict, routes):
        # Core drops what comes after 20 mails of one sender, and mails him; the
        # guard of the intake keeps it in quarantine.
        return arrival.current() is None and super()._detect_loop_sender(
            message, message_dict, routes
        )

    @api.model
    def _external_route(self, message, message_dict, arrived):
        for name in ("is_bounce", "bounced_email", "bounced_partner"):
            message_dict[name] = False
        parent = self.env["mail.message"].sudo().browse(arrived.parent_id)
        if parent:
            message_dict.update(self._message_parse_extract_from_parent(parent))
        # Core makes known recipients of the mail followers: only for a customer.
        for name in ("to", "cc", "recipients"):
            told = email_split_and_format(message_dict.get(name) or "")
            message_dict[name] = ",".join(
                address
                for address in told
                if arrived.audience == "all"
                and not set(email_normalize_all(address)).intersection(arrived.own)
            )
        if arrived.author_id:
            message_dict["author_id"] = arrived.author_id
        user = self._mail_find_user_for_gateway(message_dict["email_from"])
        route = (
            arrived.model,
            arrived.res_id,
            dict(arrived.values or {}),
            user.id or self.env.uid,
            None,
        )
        route = self.env[arrived.model]._routing_check_route(
            message, message_dict, route, raise_exception=True
        )
        if arrived.author_id:
            message_dict["author_id"] = arrived.author_id
        return [route]

    def _message_create(self, values_list):
        arrived = arrival.current()
        if arrived is None:
            return super()._message_create(values_list)
        messages = super()._message_create(values_list)
        mails = messages.filtered(lambda message: message.message_type == "email")
        if arrived.mark:
            mails._set_external_mark(arrived.mark)
        arrived.posted.extend(mails.ids)
        return messages

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        arrived = arrival.current()
        if arrived is None or message.message_type != "email":
            return super()._notify_get_recipients(message, msg_vals, **kwargs)
        if arrived.audience == "nobody":
            return []
        values = self._external_arrival_values(message, msg_vals or {}, arrived)
        recipients = super()._notify_get_recipients(message, values, **kwargs)
        if arrived.audience == "team":
            return [data for data in recipients if data["id"] and not data["share"]]
        return recipients

    def _external_arrival_values(self, message, msg_vals, arrived):
        """Colleagues are told by Odoo, though the mail was addressed to them too: who
        reads the mailbox is Odoo. Customers in To and Cc have it already."""
        message = message.sudo()
        values = dict(msg_vals)
        names = ("incoming_email_to", "incoming_email_cc")
        texts = {name: values.get(name, message[name]) or "" for name in names}
        addresses = email_normalize_all(",".join(texts.values()))
        users = self.env["res.users"].sudo()
        inside = users.search(
            [("share", "=", False), ("email_normalized", "in", addresses)]
        )
        known = set(inside.mapped("email_normalized"))
        for name, text in texts.items():
            values[name] = ",".join(
                address
                for address in email_split_and_format(text)
                if not known.intersection(email_normalize_all(address))
            )
        partner_ids = values.get("partner_ids", message.partner_ids.ids) or []
        if arrived.owner_id and arrived.owner_id != message.author_id.id:
            partner_ids = [*partner_ids, arrived.owner_id]
        values["partner_ids"] = partner_ids
        return values
