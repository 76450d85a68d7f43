from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..mailkit.message.address_fields import header_addresses
from ..models.mail_message import FROM_FIELDS
from ..tools import trusted_context
from ..tools.outgoing.choice import EACH_DEFAULT, ODOO, SIGNED_FOR
from ..tools.trusted_context import is_remote_call

# What the chatter says by the context when it opens the full composer.
_SENDER_KEY = "external_sender_id"
_SIGNATURE_KEY = "external_sender_signature"
NAMED_RECORDS = 5  # so many are named in an error; the others are counted
REMOTE = ("create", "write", "web_save", "web_save_multi", "load", "copy")


class MailComposeMessage(models.TransientModel):
    """ "From" in the full composer, as in the chatter.

    It offers the addresses that the user may use, and what is picked goes along with
    the message that is posted, scheduled or, in mass mode, made a row of mail of for
    each record. Nobody enters somebody else's address as From.
    """

    _inherit = "mail.compose.message"

    # Id of an address, ODOO or EACH_DEFAULT: a many2one could not tell the last two.
    external_sender = fields.Integer(
        "From (External)",
        compute="_compute_external_sender",
        store=True,
        readonly=False,
        help="The address that external contacts get the message from. Colleagues are "
        "notified from Odoo's own server.",
    )
    external_sender_picked = fields.Boolean(
        help="Picked by the user in the chatter, even if it is the default.",
    )
    external_sender_options = fields.Json(compute="_compute_external_sender_options")

    # Opened: the default, what the list offers, the signature

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        sender = self.env.context.get(_SENDER_KEY)
        if sender is not None and "external_sender" in fields:
            values["external_sender"] = sender
        if sender is not None and values.get("body"):
            # the chatter hands over the text with the user's own signature
            values["body"] = self.env["mail.external.sender"]._with_signature_of(
                sender, values["body"], add=self.env.context.get(_SIGNATURE_KEY)
            )
        return values

    @api.depends("composition_mode", "model", "res_domain", "res_ids")
    def _compute_external_sender(self):
        """The default, where the chatter gave no pick; no template changes it."""
        for composer in self:
            composer.external_sender = composer._best_sender()

    @api.depends(
        *("author_id", "composition_mode", "email_from", "mail_server_id"),
        *("message_type", "model", "res_domain", "res_ids", "subtype_id"),
        "template_id",
    )
    def _compute_external_sender_options(self):
        """What the list offers: ``[{"id", "label", "reason"}]``; empty hides it."""
        for composer in self:
            options = []
            senders = composer._external_senders()
            if senders:
                odoo = self.env["ir.mail_server"].sudo()._get_default_from_address()
                label = self.env._("Odoo (%s)", odoo) if odoo else self.env._("Odoo")
                options = [*senders, {"id": ODOO, "label": label, "reason": ""}]
                if composer._is_for_several():
                    default = self.env._("The default address of each record")
                    options.insert(
                        0, {"id": EACH_DEFAULT, "label": default, "reason": ""}
                    )
            composer.external_sender_options = options

    @api.onchange("external_sender")
    def _onchange_external_sender(self):
        """The signature below the text is the chosen address's."""
        senders = self.env["mail.external.sender"]
        self.body = senders._with_signature_of(self.external_sender, self.body)

    # Who may be chosen

    def _is_for_several(self):
        return self.composition_batch or self.composition_mode == "mass_mail"

    def _may_choose_sender(self):
        """Whether this is a message of the user's own to external contacts.

        A template's own server, a mailing of another addon and what a caller posts in
        another author's name keep the way that core gives them; what no person writes
        has its own (``mail.thread``).
        """
        self.ensure_one()
        thread = self.env.get(self.model) if self.model else None
        senders = self.env["mail.external.sender"]
        return bool(
            senders._any_configured()
            and not trusted_context.automatic.value
            and senders._usable_rows(self.env.uid)
            and hasattr(thread, "_external_sender_project_id")
            and self.model not in ("mail.thread", "discuss.channel")
            and not self.mail_server_id
            and not ("mass_mailing_id" in self._fields and self.mass_mailing_id)
            and (self._is_in_own_name() or self._is_in_name_of_template())
            and (self.composition_mode == "mass_mail" or self._is_comment())
        )

    def _is_in_own_name(self):
        return self.author_id == self.env.user.partner_id

    def _is_in_name_of_template(self):
        """Whether the author is whom core finds for the template's own From.

        See ``_compute_authorship``. It is the chatter's author, not who may send: that
        is checked of the user.
        """
        if not self.template_id.email_from:
            return False
        thread = self.env["mail.thread"].with_context(active_test=False)
        author_id, _from = thread._message_compute_author(None, self.email_from)
        return bool(
            author_id
            and author_id == self.author_id.id
            and header_addresses(self.email_from) <= self._template_addresses()
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

    def _is_comment(self):
        return self.message_type == "comment" and not self.subtype_id.sudo().internal

    def _external_senders(self):
        """The addresses to choose from, best first: those that one record offers, or,
        for several, all that the user may use (checked for each record on sending).
        """
        if not self._may_choose_sender():
            return []
        if not self._is_for_several():
            res_ids = self._evaluate_res_ids()
            if not res_ids:
                return []
            record = self.env[self.model].browse(res_ids[0])
            if not record.has_access("read"):
                return []  # the reason would tell its project
            return record._external_senders_data()["externalSenders"]
        senders = self.env["mail.external.sender"]
        labels = senders._labels(senders._usable_rows(self.env.uid))
        return [
            {"id": address_id, "label": label, "reason": ""}
            for address_id, label in labels.items()
        ]

    def _best_sender(self):
        """The sender when nobody picks one."""
        senders = [] if self._is_for_several() else self._external_senders()
        return senders[0]["id"] if senders else EACH_DEFAULT

    def _default_accounts(self, res_ids):
        """The id of each record's default address, False for Odoo's own server."""
        senders = self.env["mail.external.sender"]
        records = self.env[self.model].sudo().browse(res_ids)
        return {record.id: senders._best_address_id(record) for record in records}

    def _check_sender(self, res_ids):
        """:raise UserError: the chosen address cannot be used on some records"""
        if self.external_sender <= ODOO or not self._may_choose_sender():
            return
        senders = self.env["mail.external.sender"]
        records = self.env[self.model].sudo().browse(res_ids)
        refused = records.filtered(
            lambda record: self.external_sender not in senders._usable_ids(record)
        )
        if refused:
            raise UserError(self._refusal_text(refused))

    def _refusal_text(self, records):
        named = self.env[self.model].browse(records[:NAMED_RECORDS].ids)
        names = ", ".join(f"“{name}”" for name in named.mapped("display_name"))
        further = len(records) - len(named)
        if further:
            names = self.env._(
                "%(names)s and %(number)s more", names=names, number=further
            )
        return self.env._(
            "Nothing was sent: the address chosen in “From” cannot be used on %s. It "
            "is not yours, not shared with you, not working, or bound to other "
            "projects. "
            "Choose another sender in “From”, or leave these records out.",
            names,
        )

    # Filled in: a From that a remote caller typed

    @api.model_create_multi
    def create(self, vals_list):
        typed = [self.env.context.get("default_email_from")]
        self._check_lengths([*typed, *(vals.get("email_from") for vals in vals_list)])
        composers = super().create(vals_list)
        defaults = {f"default_{name}" for name in FROM_FIELDS}
        if defaults.intersection(self.env.context) or any(
            FROM_FIELDS.intersection(vals) for vals in vals_list
        ):
            composers._check_typed_from()
        return composers

    def write(self, vals):
        self._check_lengths([vals.get("email_from")])
        result = super().write(vals)
        if FROM_FIELDS.intersection(vals):
            self._check_typed_from()
        return result

    def _check_lengths(self, texts):
        """:raise ValidationError: a remote caller typed one that is too long"""
        senders = self.env["mail.external.sender"]
        if (
            any(texts)
            and not self.env.su
            and senders._any_configured()
            and is_remote_call(self._name, *REMOTE)
        ):
            for text in texts:
                senders._check_typed_length(self.env._("From (email_from)"), text)

    def _check_typed_from(self):
        """:raise AccessError: From or author are somebody else's external address"""
        senders = self.env["mail.external.sender"]
        if (
            self.env.su
            or not senders._any_configured()
            or not is_remote_call(self._name, *REMOTE)
        ):
            return
        for composer in self:
            allowed = composer._template_addresses()
            senders._check_typed_from(
                self.env._("From (email_from)"), composer.email_from, allowed
            )
            senders._check_typed_author(
                self.env._("Author (author_id)"), composer.author_id, allowed
            )

    # Sent or scheduled, as a comment

    def _action_send_mail(self, auto_commit=False):
        composers = self._without_pick()
        return super(MailComposeMessage, composers)._action_send_mail(
            auto_commit=auto_commit
        )

    def _without_pick(self):
        """The pick is on the composer; it is not for what else is posted on the way,
        nor for the context that core keeps with a scheduled message."""
        context = dict(self.env.context)
        if context.pop(_SENDER_KEY, None) is None:
            return self
        context.pop(_SIGNATURE_KEY, None)
        return self.with_env(self.env(context=context))

    def _action_schedule_message(self):
        with trusted_context.posting.during():
            composers = self._without_pick()
            for composer in composers:
                composer._check_sender(composer._evaluate_res_ids()[:1])
            return super(MailComposeMessage, composers)._action_schedule_message()

    def _prepare_schedule_message_post_values(self, post_values):
        if "external_address_id" in post_values and not (
            self.external_sender_picked or self.external_sender != self._best_sender()
        ):
            post_values[SIGNED_FOR] = self.external_sender
            post_values["external_address_id"] = EACH_DEFAULT  # the best one by then
        return super()._prepare_schedule_message_post_values(post_values)

    def _action_send_mail_comment(self, res_ids):
        self._check_sender(res_ids)  # all, before the first one is posted
        return super()._action_send_mail_comment(res_ids)

    def _prepare_mail_values_static(self):
        values = super()._prepare_mail_values_static()
        if self.composition_mode == "comment" and self._may_choose_sender():
            values["external_address_id"] = self.external_sender or False
        return values

    # Sent in mass mode: rows of ``mail.mail``, made without ``message_post``

    def _action_send_mail_mass_mail(self, res_ids, auto_commit=False):
        self._check_sender(res_ids)  # all, before the first one leaves
        return super()._action_send_mail_mass_mail(res_ids, auto_commit=auto_commit)

    def _prepare_mail_values(self, res_ids):
        values_by_record = super()._prepare_mail_values(res_ids)
        if self.composition_mode == "mass_mail":
            addresses = self._addresses_by_record(res_ids)
            for res_id, values in values_by_record.items():
                if addresses.get(res_id) and self._has_external_recipient(values):
                    values.update(self._external_mail_values(addresses[res_id], values))
        return values_by_record

    def _addresses_by_record(self, res_ids):
        """The id of the address of each record; absent: Odoo's own server."""
        if self.external_sender == ODOO or not self._may_choose_sender():
            return {}
        if self.external_sender == EACH_DEFAULT:
            return self._default_accounts(res_ids)
        return dict.fromkeys(res_ids, self.external_sender)

    def _recipients(self, values):
        """The partners of a mail's values, in superuser mode."""
        ids = [command[1] for command in values.get("recipient_ids") or []]
        return self.env["res.partner"].sudo().browse(ids)

    def _has_external_recipient(self, values):
        return bool(
            values.get("email_to")
            or values.get("email_cc")
            or any(self._recipients(values).mapped("partner_share"))
        )

    def _external_mail_values(self, address_id, values):
        # sudo: the layout of an address that the user may use
        address = self.env["mail.external.address"].sudo().browse(address_id)
        changed = {"external_address_id": address_id, "sending_address_id": address_id}
        if not self.email_layout_xmlid:
            changed["body_html"] = address._wrap_body(
                values["body_html"], self._recipients(values)[:1].lang
            )
        return changed

    def _generate_mail_notification_values(self, mails):
        """The one step between making the mails and sending them."""
        return super()._generate_mail_notification_values(
            mails + self._split_off_colleagues(mails)
        )

    def _split_off_colleagues(self, mails):
        """Colleagues get the mail from Odoo's own server, without the address's look.

        :return: the new mails, to them alone. Neither deletes the message that both
            share, when it is deleted after sending.
        """
        split = mails.browse()
        for mail in mails.filtered("sending_address_id"):
            colleagues = mail.recipient_ids.filtered(lambda p: not p.partner_share)
            if not colleagues:
                continue
            notified = trusted_context.Notified(mail.mail_message_id.id)
            with trusted_context.notified.during(notified):
                split += mail.create(self._colleagues_values(mail, colleagues))
            mail.recipient_ids -= colleagues
            mail.is_notification = True
        if split and self.force_send:
            split.filtered(lambda m: not m.scheduled_date).send_after_commit()
        return split

    def _colleagues_values(self, mail, colleagues):
        return {
            "mail_message_id": mail.mail_message_id.id,
            "body_html": mail.body_html if self.email_layout_xmlid else mail.body,
            "recipient_ids": [Command.set(colleagues.ids)],
            "auto_delete": mail.auto_delete,
            "headers": mail.headers,
            "references": mail.references,
            "state": mail.state,
            "scheduled_date": mail.scheduled_date,
        }
