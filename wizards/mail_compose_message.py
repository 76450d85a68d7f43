from odoo import api, fields, models
from odoo.exceptions import UserError

from ..tools import origin
from ..tools.sender_choice import EACH_DEFAULT, ODOO
from ..tools.signature import swap_signature

NAMED_RECORDS = 5  # so many are named in an error; the others are counted


class MailComposeMessage(models.TransientModel):
    """ "From" in the full composer, as in the chatter."""

    _inherit = "mail.compose.message"

    # Id of an account, ODOO or EACH_DEFAULT: a many2one could not tell the last two.
    external_sender = fields.Integer(
        "From (External)",
        compute="_compute_external_sender",
        store=True,
        readonly=False,
        help="The address that external contacts get the message from. Colleagues are "
        "notified from Odoo's own server.",
    )
    external_sender_options = fields.Json(compute="_compute_external_sender_options")

    @api.depends("composition_mode", "model", "res_domain", "res_ids")
    def _compute_external_sender(self):
        """The default, where the chatter gave no pick; no template changes it."""
        for composer in self:
            if composer._is_for_several():
                composer.external_sender = EACH_DEFAULT
            else:
                senders = composer._external_senders()
                composer.external_sender = senders[0]["id"] if senders else EACH_DEFAULT

    @api.depends(
        *("author_id", "composition_mode", "mail_server_id", "message_type"),
        *("model", "res_domain", "res_ids", "subtype_id"),
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
        self.body = self._with_signature_of(self.external_sender, self.body)

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        picked = self.env.context.get("external_sender_id")
        if picked is not None and "external_sender" in fields:
            values["external_sender"] = picked
        if picked and values.get("body"):
            # the chatter hands over the text with the user's own signature
            values["body"] = self._with_signature_of(picked, values["body"])
        return values

    def _with_signature_of(self, sender, body):
        """``body`` with the signature of an address, or the user's own."""
        account = self.env["mail.external.account"]
        if not account._any_configured():
            return body
        usable = {row.id for row in account._usable_rows(self.env.uid)}
        if not usable:
            return body
        # sudo: the signature of an account that the user may use
        chosen = account.sudo().browse(sender if sender in usable else [])
        signature = chosen.signature if chosen._has_signature() else False
        return swap_signature(body, signature or self.env.user.signature or "")

    # Who may be chosen

    def _is_for_several(self):
        return self.composition_batch or self.composition_mode == "mass_mail"

    def _may_choose_sender(self):
        """Whether this is a message of the user's own to external contacts.

        A template's own server, a mailing of another addon and what is posted in
        another author's name keep the way that core gives them; what no person writes
        has its own (``mail.thread``).
        """
        self.ensure_one()
        thread = self.env.get(self.model) if self.model else None
        account = self.env["mail.external.account"]
        return bool(
            account._any_configured()
            and not origin.is_automatic()
            and account._usable_rows(self.env.uid)
            and hasattr(thread, "_external_sender_project_id")
            and self.model not in ("mail.thread", "discuss.channel")
            and not self.mail_server_id
            and not ("mass_mailing_id" in self._fields and self.mass_mailing_id)
            and self.author_id == self.env.user.partner_id
            and (self.composition_mode == "mass_mail" or self._is_comment())
        )

    def _is_comment(self):
        return self.message_type == "comment" and not self.subtype_id.sudo().internal

    def _external_senders(self):
        """The accounts to choose from, best first: those that one record offers, or,
        for several, all that the user may use (checked for each record on sending).
        """
        if not self._may_choose_sender():
            return []
        if not self._is_for_several():
            res_ids = self._evaluate_res_ids()
            if not res_ids:
                return []
            record = self.env[self.model].browse(res_ids[0])
            return record._external_senders_data()["externalSenders"]
        accounts = self.env["mail.external.account"]
        return [
            {
                "id": row.id,
                # sudo: the From line of an account that the user may use
                "label": accounts.sudo()
                .browse(row.id)
                ._sender_label(self.env.user.name, ""),
                "reason": "",
            }
            for row in accounts._usable_rows(self.env.uid)
        ]

    def _default_accounts(self, res_ids):
        """The id of each record's default account, False for Odoo's own server."""
        account = self.env["mail.external.account"]
        defaults = {}
        for record in self.env[self.model].sudo().browse(res_ids):
            options = account._sender_options(record)
            defaults[record.id] = options[0][0].id if options else False
        return defaults

    def _check_sender(self, res_ids):
        """:raise UserError: the chosen account cannot be used on some records"""
        if self.external_sender <= ODOO or not self._may_choose_sender():
            return
        account = self.env["mail.external.account"]
        refused = (
            self.env[self.model]
            .sudo()
            .browse(res_ids)
            .filtered(
                lambda record: (
                    self.external_sender
                    not in [row.id for row, _c in account._sender_options(record)]
                )
            )
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

    # Sending

    def _action_send_mail(self, auto_commit=False):
        composers = self._without_pick()
        return super(MailComposeMessage, composers)._action_send_mail(
            auto_commit=auto_commit
        )

    def _without_pick(self):
        """The pick is on the composer; it is not for what else is posted on the way."""
        if "external_sender_id" not in self.env.context:
            return self  # core keeps the context with a scheduled message
        return self.with_context(external_sender_id=None)

    def _action_schedule_message(self):
        composers = self._without_pick()
        for composer in composers:
            composer._check_sender(composer._evaluate_res_ids()[:1])
        return super(MailComposeMessage, composers)._action_schedule_message()

    def _action_send_mail_comment(self, res_ids):
        self._check_sender(res_ids)  # all, before the first one is posted
        return super()._action_send_mail_comment(res_ids)

    def _prepare_mail_values_static(self):
        values = super()._prepare_mail_values_static()
        if (
            self.composition_mode == "comment"
            and self.external_sender != EACH_DEFAULT
            and self._may_choose_sender()
        ):
            values["external_account_id"] = self.external_sender or False
        return values
