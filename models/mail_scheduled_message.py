import json

from markupsafe import Markup
from odoo import api, fields, models
from odoo.addons.mail.tools.discuss import Store
from odoo.exceptions import UserError

from ..tools.sender_choice import EACH_DEFAULT, ODOO


class MailScheduledMessage(models.Model):
    """The picked sender waits with the message, and is checked when it is posted."""

    _inherit = "mail.scheduled.message"

    external_sender = fields.Integer(
        "From",
        compute="_compute_external_sender",
        inverse="_inverse_external_sender",
        help="The address that external contacts get the message from. Colleagues are "
        "notified from Odoo's own server.",
    )
    external_sender_options = fields.Json(compute="_compute_external_sender_options")

    @api.depends("notification_parameters")
    def _compute_external_sender(self):
        for scheduled in self:
            parameters = json.loads(scheduled.notification_parameters or "{}")
            chosen = parameters.get("external_account_id", EACH_DEFAULT)
            scheduled.external_sender = chosen or ODOO

    def _inverse_external_sender(self):
        for scheduled in self:
            parameters = json.loads(scheduled.notification_parameters or "{}")
            parameters.pop("external_account_id", None)
            if scheduled.external_sender != EACH_DEFAULT:
                parameters["external_account_id"] = scheduled.external_sender or False
            scheduled.notification_parameters = json.dumps(parameters)

    @api.depends("model", "res_id", "is_note", "author_id")
    @api.depends_context("uid")
    def _compute_external_sender_options(self):
        for scheduled in self:
            composer = scheduled._as_composer()
            scheduled.external_sender_options = (
                composer.external_sender_options if composer else []
            )

    def _as_composer(self):
        """The composer as its author has it before him; empty for somebody else."""
        self.ensure_one()
        composer = self.env["mail.compose.message"]
        if self.is_note or self.create_uid != self.env.user:
            return composer
        parameters = json.loads(self.notification_parameters or "{}")
        return composer.new(
            {
                "model": self.model,
                "res_ids": str([self.res_id]),
                "author_id": self.author_id.id,
                "mail_server_id": parameters.get("mail_server_id"),
                "message_type": parameters.get("message_type", "comment"),
                "composition_mode": "comment",
                "external_sender": self.external_sender,
            }
        )

    @api.model
    def _notification_parameters_whitelist(self):
        return super()._notification_parameters_whitelist() | {"external_account_id"}

    def external_sender_problem(self):
        """Why "Send Now" would be refused because of the sender, or "".

        For the chatter, whose button takes every error for "already sent".
        """
        self.ensure_one()
        self.check_access("write")
        return "" if self._sender_is_usable() else self._refusal_text(self.env.user)

    def _to_store_defaults(self, target):
        fields_to_store = super()._to_store_defaults(target)
        if self.env["mail.external.account"]._any_configured():
            fields_to_store.append(
                Store.Attr("has_external_sender", lambda s: s.external_sender > ODOO)
            )
        return fields_to_store

    def _post_message(self, raise_exception=True):
        refused = self.filtered(lambda scheduled: not scheduled._sender_is_usable())
        if refused and raise_exception:
            raise UserError(refused._refusal_text(self.env.user))
        result = super(MailScheduledMessage, self - refused)._post_message(
            raise_exception=raise_exception
        )
        # afterwards: core rolls back when one of the others cannot be posted
        for scheduled in refused:
            scheduled._tell_author()
        refused.unlink()  # as core does with what cannot be posted
        return result

    def _sender_is_usable(self):
        """Whether the author may still send from the address that he picked."""
        self.ensure_one()
        if self.external_sender <= ODOO or self.is_note:
            return True
        # sudo: the record may have moved out of the author's sight; core tells him
        thread = self.with_user(self.create_uid).sudo().env[self.model]
        options = thread.env["mail.external.account"]._sender_options(
            thread.browse(self.res_id)
        )
        return self.external_sender in [row.id for row, _candidate in options]

    def _refusal_text(self, reader):
        # the name that this reader may see: the id may be any that somebody tries
        account = self.env["mail.external.account"].with_user(reader)
        account = account.browse(self[:1].external_sender).exists()
        return self.env._(
            "The message was not sent: the address chosen in “From” (%s) can no longer "
            "be used here. It was deleted, is not working, is no longer shared with "
            "the author, or is bound to other projects. Choose another sender.",
            account.display_name or self.env._("deleted"),
        )

    def _tell_author(self):
        """The author gets the text back, with the reason, on the record."""
        self.ensure_one()
        author = self.create_uid.partner_id
        thread = self.env["mail.thread"].with_context(lang=author.lang)
        scheduled = self.with_env(thread.env)
        thread.message_notify(
            partner_ids=author.ids,
            model=self.model,
            res_id=self.res_id,
            subject=thread.env._("A scheduled message could not be sent"),
            body=Markup("<p>%s</p><p>%s</p><hr/>%s")
            % (
                scheduled._refusal_text(self.create_uid),
                thread.env._("Its text, to be sent again:"),
                self.body or "",
            ),
        )
