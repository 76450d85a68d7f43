import json
import logging

from markupsafe import Markup
from odoo import api, fields, models
from odoo.addons.mail.tools.discuss import Store
from odoo.exceptions import AccessError, UserError
from odoo.tools.misc import clean_context

from ..tools import trusted_context
from ..tools.outgoing.choice import EACH_DEFAULT, ODOO, SIGNED_FOR

_logger = logging.getLogger(__name__)

# Without them a change is about when it is sent, not about what.
WHEN_FIELDS = frozenset({"scheduled_date"})
# Where a user says in whose name it leaves.
_AUTHOR_FIELDS = frozenset({"author_id", "notification_parameters"})


class MailScheduledMessage(models.Model):
    """A scheduled message is posted later, by the right of who created it.

    The picked sender waits with the message, among the notification parameters, and is
    checked when it is posted: where it can no longer be used, nothing is sent, and the
    author gets all of it back. Until then nobody else changes what it says.
    """

    _inherit = "mail.scheduled.message"

    external_sender = fields.Integer(
        "From",
        compute="_compute_external_sender",
        inverse="_inverse_external_sender",
        help="The address that external contacts get the message from. Colleagues are "
        "notified from Odoo's own server.",
    )
    external_sender_options = fields.Json(compute="_compute_external_sender_options")

    # The picked sender

    @api.depends("notification_parameters")
    def _compute_external_sender(self):
        for scheduled in self:
            chosen = scheduled._parameters().get("external_address_id", EACH_DEFAULT)
            if type(chosen or ODOO) is not int:  # no address: nothing was picked
                chosen = EACH_DEFAULT
            scheduled.external_sender = chosen or ODOO

    def _inverse_external_sender(self):
        for scheduled in self:
            parameters = scheduled._parameters()
            parameters["external_address_id"] = scheduled.external_sender or False
            scheduled.notification_parameters = json.dumps(parameters)

    def _parameters(self):
        """The notification parameters; none where they cannot be read.

        A remote call may have written anything. Core reads them when it posts: it
        fails there, for this message alone.
        """
        try:
            parameters = json.loads(self.notification_parameters or "{}")
        except (ValueError, RecursionError):
            return {}
        return parameters if isinstance(parameters, dict) else {}

    @api.model
    def _notification_parameters_whitelist(self):
        return super()._notification_parameters_whitelist() | {"external_address_id"}

    @api.depends("model", "res_id", "is_note", "author_id")
    @api.depends_context("uid")
    def _compute_external_sender_options(self):
        for scheduled in self:
            composer = scheduled._as_composer()
            scheduled.external_sender_options = (
                composer.external_sender_options if composer else []
            )

    @api.onchange("external_sender")
    def _onchange_external_sender(self):
        """The signature below the text is the chosen address's."""
        senders = self.env["mail.external.sender"]
        self.body = senders._with_signature_of(self.external_sender, self.body)

    def _as_composer(self):
        """The composer as its author has it before them; empty for somebody else."""
        self.ensure_one()
        composer = self.env["mail.compose.message"]
        if self.is_note or self.create_uid != self.env.user:
            return composer
        parameters = self._parameters()
        author = self.author_id
        if "external_address_id" in parameters:
            # the full composer offered the choice, also where a template has a From
            author = self.env.user.partner_id
        return composer.new(
            {
                "model": self.model,
                "res_ids": str([self.res_id]),
                "author_id": author.id,
                "mail_server_id": parameters.get("mail_server_id"),
                "message_type": parameters.get("message_type", "comment"),
                "composition_mode": "comment",
                "external_sender": self.external_sender,
            }
        )

    def _to_store_defaults(self, target):
        fields_to_store = super()._to_store_defaults(target)
        if self.env["mail.external.sender"]._any_configured():
            fields_to_store.append(
                Store.Attr("has_external_sender", lambda s: s.external_sender > ODOO)
            )
        return fields_to_store

    # Written: by who created it, in a name of their own

    @api.model_create_multi
    def create(self, vals_list):
        scheduled = super().create(vals_list)
        scheduled._check_from_is_own()
        return scheduled

    def write(self, vals):
        if not WHEN_FIELDS.issuperset(vals):
            self._check_created_by_user()
        if not _AUTHOR_FIELDS.intersection(vals):
            return super().write(vals)
        before = self._names()
        result = super().write(vals)
        self._check_from_is_own(before)
        return result

    def _names(self):
        """In whose name each leaves: {id: (author, From)}."""
        return {
            scheduled.id: (
                scheduled.author_id,
                scheduled._parameters().get("email_from"),
            )
            for scheduled in self.sudo()
        }

    def _check_from_is_own(self, before=None):
        """:param before: result of ``_names``; what a template had said stays allowed
        :raise AccessError: From or author are somebody else's external address
        """
        senders = self.env["mail.external.sender"]
        if (
            self.env.su
            or trusted_context.posting.value
            or not senders._any_configured()
        ):
            return
        # The database takes "7" for the author 7, the cache for none.
        self.invalidate_recordset(["author_id"])
        for scheduled_id, (author, email_from) in self._names().items():
            old_author, old_from = (before or {}).get(scheduled_id, (None, None))
            if author != old_author:
                senders._check_typed_author(self.env._("Author (author_id)"), author)
            if email_from != old_from:
                senders._check_typed_from(self.env._("From (email_from)"), email_from)

    def _check_created_by_user(self):
        """:raise AccessError: another user changes what leaves in the creator's name"""
        senders = self.env["mail.external.sender"]
        if self.env.su or not senders._any_configured():
            return
        for scheduled in self.sudo():
            creator = scheduled.create_uid
            if creator.id != self.env.uid and senders._addresses_of(creator.id):
                raise AccessError(
                    self.env._(
                        "This message will leave in the name of %s. Nobody else can "
                        "change what it says: delete it, and schedule one of your own.",
                        creator.name,
                    )
                )

    # Posted

    def external_sender_problem(self):
        """Why "Send Now" would be refused because of the sender, or "".

        For the chatter, whose button takes every error for "already sent". Who may
        not send it, or comes too late, hears so from the button.
        """
        self.ensure_one()
        self.check_access("read")
        if not self.exists() or not (
            self.env.is_admin() or self.create_uid == self.env.user  # post_message
        ):
            return ""
        refused = self._attempt("_is_refused")
        return self._refusal_text(self.env.user) if refused else ""

    def _post_message(self, raise_exception=True):
        ours = self
        if not self.env["mail.external.sender"]._any_configured():
            # but what was picked while there was one leaves in no other name
            ours = self.filtered(lambda scheduled: scheduled.external_sender > ODOO)
        refused = ours.filtered(lambda scheduled: scheduled._attempt("_is_refused"))
        if refused and raise_exception:
            raise UserError(refused._refusal_text(self.env.user))
        for scheduled in ours - refused:
            scheduled._attempt("_sign_for_best_sender")
        with trusted_context.scheduled.during():
            result = super(MailScheduledMessage, self - refused)._post_message(
                raise_exception=raise_exception
            )
        # afterwards: core rolls back when one of the others cannot be posted
        for scheduled in refused:
            scheduled._attempt("_tell_author")
        refused.unlink()  # as core does with what cannot be posted
        return result

    def _is_refused(self):
        """Whether the author may no longer send from the address that they picked."""
        if self.external_sender <= ODOO or self.is_note:
            return False
        senders, record = self._for_creator()
        sender = self.external_sender
        usable = sender in senders._usable_ids(record) or senders._may_wait_for(
            sender, record
        )
        # where the record is gone, core says so
        return not usable and bool(record.exists())

    def _sign_for_best_sender(self):
        """Where nobody picked one: the signature of what is the best one now."""
        parameters = self._parameters()
        signed_for = parameters.get(SIGNED_FOR)
        if signed_for is None or self.external_sender != EACH_DEFAULT:
            return
        senders, record = self._for_creator()
        best = senders._best_address_id(record) or ODOO
        if best != signed_for:
            # sudo: no change of its creator's words
            self.sudo().body = senders._with_signature_of(best, self.body)

    def _for_creator(self):
        """The addresses as its creator may use them, and the record; both in sudo."""
        self.ensure_one()
        # sudo: the record may have moved out of their sight; core tells them
        creator = self.with_user(self.create_uid).sudo()
        # as core posts it: in the companies that they worked in
        env = creator.with_context(**clean_context(self.send_context or {})).env
        return env["mail.external.sender"], env[self.model].browse(self.res_id)

    def _attempt(self, step, *args):
        """The result of a method; None where it fails, which must not stop the others.

        The record or its model may be gone: core then fails to post this message, and
        tells its author. Nor may anything be undone that core has posted.
        """
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                return getattr(self, step)(*args)
        except Exception:
            _logger.warning(
                "%s of scheduled message %s failed", step, self.id, exc_info=True
            )
            return None

    # Given back

    @api.model
    def _give_back_external(self, reason):
        """The addresses go: what would leave from one is given back to its author."""
        on_records = self.search([("model", "!=", "discuss.channel")])
        waiting = on_records.filtered(lambda each: each._attempt("_waits_for_address"))
        for scheduled in waiting:
            scheduled._attempt("_tell_author", reason)
        waiting.unlink()

    def _waits_for_address(self):
        """Whether it would leave from an external address, if it were posted now."""
        if self.external_sender >= ODOO:
            return self.external_sender > ODOO
        senders, record = self._for_creator()
        partners = self.partner_ids
        if not self.is_note:
            partners |= record.message_partner_ids
        outside = any(partners.mapped("partner_share"))
        return outside and bool(senders._best_address_id(record))

    def _refusal_text(self, reader):
        # the name that this reader may see: the id may be any that somebody tries
        addresses = self.env["mail.external.address"].with_user(reader)
        address = addresses.browse(self[:1].external_sender).exists()
        return self.env._(
            "The message was not sent: the address chosen in “From” (%s) can no longer "
            "be used here. It was deleted, is not working, is no longer shared with "
            "the author, or is bound to other projects. Choose another sender.",
            address.display_name or self.env._("deleted"),
        )

    def _tell_author(self, reason=""):
        """The author gets all of it back, with the reason, on the record.

        :param str reason: empty: that the sender can no longer be used
        """
        self.ensure_one()
        author = self.create_uid.partner_id
        thread = self.env["mail.thread"].with_context(lang=author.lang)
        attachments = self._attachments_of_author()
        notice = thread.message_notify(
            partner_ids=author.ids,
            model=self.model,
            res_id=self.res_id,
            subject=thread.env._("A scheduled message could not be sent"),
            body=self.with_env(thread.env)._notice_body(reason),
            attachment_ids=attachments.ids,
        )
        # those that belong to the scheduled message would be deleted with it
        attachments.filtered(
            lambda file: (file.res_model, file.res_id) == (self._name, self.id)
        ).write({"res_model": notice._name, "res_id": notice.id})

    def _attachments_of_author(self):
        """The attachments (sudo) that the author may have back: theirs, or readable."""
        author = self.create_uid
        return self.attachment_ids.sudo().filtered(
            lambda file: (
                file.create_uid == author or file.with_user(author).has_access("read")
            )
        )

    def _notice_body(self, reason=""):
        recipients = ", ".join(self.partner_ids.mapped("email_formatted"))
        return Markup("<p>%s</p><p>%s</p><p>%s<br/>%s</p><hr/>%s") % (
            reason or self._refusal_text(self.create_uid),
            self.env._("The message, to be sent again:"),
            self.env._("To: %s", recipients or self.env._("followers")),
            self.env._("Subject: %s", self.subject or ""),
            self.body or "",
        )
