"""Who wrote a message, and so which address it leaves through."""

from .. import trusted_context
from .choice import Why

_IN_THEIR_NAME = ("comment", "notification", "user_notification")


class DefaultSender:
    """What a message that is being created is told of its sender.

    :param env: of whom creates it
    :param dict values: of mail.message; they stay as they are
    """

    def __init__(self, env, values):
        self._env = env
        self._values = values
        self._senders = env["mail.external.sender"]

    def with_best(self):
        """The values from the full composer, where no address was picked.

        By then it was known that a person writes; the author may be a template's.
        """
        values = self._values
        if not self.may_be_external():
            return {**values, "external_address_id": False}
        best = self._senders._best_address_id(self._thread())
        return {**values, "external_address_id": best}

    def with_default(self):
        """The values with the default address, where nothing was chosen."""
        address_id, written_by = self._choose()
        # Both said explicitly: they need no query when they are read back.
        return {
            **self._values,
            "external_address_id": address_id or False,
            "external_origin": written_by if address_id else False,
        }

    def may_be_external(self):
        """Messages on records go to customers; those of templates with a mail server
        of their own keep it."""
        values = self._values
        return bool(
            values.get("model", "discuss.channel") != "discuss.channel"
            and values.get("res_id")
            and not values.get("mail_server_id")
            and hasattr(self._env[values["model"]], "_external_sender_project_id")
        )

    def _thread(self):
        return self._env[self._values["model"]].sudo().browse(self._values["res_id"])

    def _choose(self):
        """The address, by ``message_type`` and author.

        :return: (id of the address or False, value of mail.message.external_origin)
        """
        if not self.may_be_external():
            return False, False
        senders, user = self._senders, self._env.user
        by_itself = trusted_context.automatic.value or senders._is_odoo_bot()
        if not (by_itself or user.share or senders._usable_rows(user.id)):
            return False, False
        if self._is_hidden_from_customers():
            return False, False
        thread = self._thread()
        if senders._is_odoo_bot() and self._values.get("message_type") == "email":
            return self._of_mail(thread)
        if by_itself:
            return senders._project_sender(thread, only_default=True), "project"
        if user.share:  # their own words, relayed to the other customers
            return senders._project_sender(thread, only_default=False), "project"
        if self._values.get("message_type") == "auto_comment":
            return self._of_automation(thread), "user"
        if not self._is_written_by_user():
            return False, False
        # What was picked before the full composer was opened comes by the context.
        picked = self._env.context.get("external_sender_id")
        choice = senders._sender_choice(thread, picked)
        if picked and choice.reason is not Why.PICKED:
            return picked, "user"  # refused, with the remedy, when it is created
        return choice.candidate and choice.candidate.address_id, "user"

    def _of_automation(self, thread):
        """Written by no person, in a way that we know nothing of: anybody could say
        so in a remote call, so the user has to be one who may use the address."""
        address_id = self._senders._project_sender(thread, only_default=True)
        rows = self._senders._usable_rows(self._env.uid)
        return address_id if any(row.id == address_id for row in rows) else False

    def _of_mail(self, thread):
        """A mail that came in by the gateway: relayed as what its author may do."""
        arrived = trusted_context.arrival.value
        if arrived is not None and arrived.mark:
            return False, False  # only the team is told, or nobody
        # sudo: whether an internal user writes decides, whoever may read their data
        author_id = self._values.get("author_id") or []
        author = self._env["res.partner"].sudo().browse(author_id)
        if author.partner_share or not author:
            return self._senders._project_sender(thread, only_default=False), "project"
        # In an employee's name only when it is proven that they wrote it.
        writer = self._env["res.users"].browse(
            trusted_context.proven_writer.value or []
        )
        if writer.sudo().partner_id != author:
            return False, False
        chosen = self._senders.with_user(writer)._sender_choice(thread).candidate
        return chosen and chosen.address_id, "mail"

    def _is_hidden_from_customers(self):
        """Whether only colleagues get it: a note, which mentions nobody else."""
        subtype_id = self._values.get("subtype_id")
        is_internal = (
            self._values.get("is_internal")
            or not subtype_id
            or self._env["mail.message.subtype"]._is_internal_id(subtype_id)
        )
        return bool(is_internal and not self._is_addressed_to_customers())

    def _is_addressed_to_customers(self):
        if self._values.get("outgoing_email_to"):
            return True
        # sudo: whether they are colleagues decides, whoever may read their data
        partner_ids = self._values.get("partner_ids") or ()
        partners = self._env["res.partner"].sudo().browse(partner_ids)
        return any(partners.mapped("partner_share"))

    def _is_written_by_user(self):
        """A message of their own, or what Odoo posts in their name: an invitation."""
        return (
            self._values.get("message_type") in _IN_THEIR_NAME
            and self._values.get("author_id") == self._env.user.partner_id.id
        )
