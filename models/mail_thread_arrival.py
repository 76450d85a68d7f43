from dataclasses import replace

from odoo import SUPERUSER_ID, api, models
from odoo.tools.mail import (
    email_normalize,
    email_normalize_all,
    email_split_and_format,
    formataddr,
    generate_tracking_message_id,
)

from ..mailkit.author import shown_name
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
        record = self.env[arrived.model].browse(arrived.res_id or [])
        for name in ("is_bounce", "bounced_email", "bounced_partner"):
            message_dict[name] = False
        for name in ("to_filtered", "cc_filtered"):
            # They are stored: whoever knows the secret address puts mail in there.
            message_dict[name] = ",".join(
                address
                for address in email_split_and_format(message_dict.get(name) or "")
                if not (arrived.secret and arrived.secret in address.lower())
            )
        if arrived.foreign:
            # The real one may still come, under its own name.
            message_dict["message_id"] = generate_tracking_message_id(arrived.res_id)
        parent = self.env["mail.message"].sudo().browse(arrived.parent_id)
        if parent:
            message_dict.update(self._message_parse_extract_from_parent(parent))
        values = dict(arrived.values or {})
        if not record:
            values["email_cc"] = self._external_copies(message_dict, arrived.own)
        self._external_leave_out_others(record, message_dict, arrived)
        route = (
            arrived.model,
            arrived.res_id,
            values,
            self._external_set_author(record, message_dict, arrived),
            None,
        )
        route = self.env[arrived.model]._routing_check_route(
            message, message_dict, route, raise_exception=True
        )
        return [route]

    # Who wrote it

    @api.model
    def _external_set_author(self, record, message_dict, arrived):
        """Put the author that was decided in the place of the one that core read.

        :return: id of the user whom core runs as what the mail sets off: its author,
            but nobody in whose name it only pretends to come
        """
        author = self.env["res.partner"].sudo().browse(arrived.author_id or [])
        text = self._external_author_text(arrived.author)
        if text and not author:
            finder = record or self.env["mail.thread"]
            emails = [arrived.author.email]
            found = finder._partner_find_from_emails_single(emails, no_create=True)
            author = found[:1].sudo()
        if author.name:  # what Odoo calls them, not what the mail does
            named = replace(arrived.author, display=author.name)
            text = self._external_author_text(named)
        message_dict.update({"author_id": author.id, "email_from": text, "from": text})
        if arrived.mark or not text:
            return SUPERUSER_ID
        user = self._mail_find_user_for_gateway(arrived.author.email)
        place = record or self.env["project.project"].browse(
            (arrived.values or {}).get("project_id") or []
        )
        may = user and (user.share or place._external_is_open_to(user))
        return user.id if may else SUPERUSER_ID

    @api.model
    def _external_author_text(self, author):
        """A From that every parser reads as this address alone, or an empty text.

        :param mailkit.addresses.Address author: who wrote a message
        """
        name = shown_name(author.display)
        for text in (formataddr((name, author.email)), author.email):
            if author.email and email_normalize(text) == author.email:
                return text
        return ""

    @api.model
    def _external_unclear_author(self, arrived):
        """What is shown of a From that names no mailbox, or more than one."""
        name = shown_name(arrived.author.display) or arrived.nobody
        # Colleagues get it by mail, which needs an address: Odoo's, if nobody has it.
        own = email_normalize(self.env["ir.mail_server"]._get_default_from_address())
        account = self.env["mail.external.account"]
        if not own or account._external_in(own) or self._external_colleagues([own]):
            return name
        return formataddr((name, own))

    @api.model
    def _message_parse_post_process(self, message, message_dict, routes):
        if arrival.current() is None:
            return super()._message_parse_post_process(message, message_dict, routes)
        # The author stands. Recipients whom core would add after the message was told
        # are those who have the mail anyway; told later, they would count.
        return {"author_id": message_dict["author_id"], "partner_ids": []}

    def message_post(self, **kwargs):
        arrived = arrival.current()
        if arrived is None or kwargs.get("message_type") != "email":
            return super().message_post(**kwargs)
        values, follows = self._external_post_values(arrived, kwargs)
        thread = self.with_context(mail_post_autofollow_author_skip=not follows)
        return super(MailThread, thread).message_post(**values)

    def _external_post_values(self, arrived, kwargs):
        """Nobody follows or is told because a mail says so.

        :return: (values for ``message_post``, whether its author may follow by it)
        """
        partners = self.env["res.partner"].browse
        author = partners(kwargs.get("author_id") or [])
        follows = not (
            arrived.mark not in (False, "colleague") or author.sudo().partner_share
        ) and self._external_may_follow(author)
        told = partners(kwargs.get("partner_ids") or [])
        if arrived.mark:
            told = told.sudo().filtered(lambda partner: not partner.partner_share)
        values = {
            **kwargs,
            "author_id": author.id,  # False, not None: core would look for one again
            "email_from": kwargs.get("email_from")
            or self._external_unclear_author(arrived),
            "partner_ids": self._external_may_follow(told).ids,
            # What is for the team only is not shown in the portal either.
            "is_internal": kwargs.get("is_internal") or arrived.internal,
        }
        return values, follows

    def _message_create(self, values_list):
        arrived = arrival.current()
        if arrived is None:
            return super()._message_create(values_list)
        messages = super()._message_create(values_list)
        mails = messages.filtered(lambda message: message.message_type == "email")
        if mails and arrived.mark:
            mails._set_external_mark(arrived.mark)
        if mails:
            # Before anybody is told: who is, follows from it (``mail.message``).
            row = self.env["mail.external.arrival"].sudo().browse(arrived.row_id)
            row.mail_message_id = mails[-1:]
        arrived.posted.extend(mails.ids)
        return messages

    # Whom it names

    @api.model
    def _external_copies(self, message_dict, own):
        """Whom new mail names besides us: kept on the record, and suggested there.

        Core assigns colleagues whom it finds among them, and makes them followers.
        """
        texts = (message_dict.get("to_filtered"), message_dict.get("cc_filtered"))
        told = email_split_and_format(",".join(filter(None, texts)))
        emails = [email_normalize(address) for address in told]
        known = {*own, *self._external_colleagues(emails).mapped("email_normalized")}
        return ", ".join(
            address
            for address, email in zip(told, emails, strict=True)
            if email and email not in known
        )

    @api.model
    def _external_leave_out_others(self, record, message_dict, arrived):
        """Core makes contacts in To and Cc followers: only who took part already.

        The others are suggested, from what is stored of To and Cc.
        """
        texts = {name: message_dict.get(name) or "" for name in ("to", "cc")}
        emails = set(email_normalize_all(",".join(texts.values())))
        known = set()
        if record and not arrived.mark:
            known = record._external_took_part(emails.difference(arrived.own))
        for name, text in texts.items():
            message_dict[name] = ",".join(
                address
                for address in email_split_and_format(text)
                if email_normalize(address) in known
            )
        message_dict["recipients"] = ""
