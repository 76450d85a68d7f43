import re
from types import SimpleNamespace

from odoo import api, models
from odoo.tools.mail import email_normalize, encapsulate_email

from ..mailkit.message.address import Address
from ..mailkit.message.address_fields import MAX_FROM, header_addresses
from ..tools import trusted_context

# Besides From they tell who sent a mail (RFC 5322 section 3.6.2, 3.6.6).
SENDER_HEADERS = ("Sender", "Resent-From", "Resent-Sender")
_LINE_END = re.compile(r"\r\n|\r|\n")
_DEPTH = 5  # encoded words within encoded words


class IrMailServer(models.Model):
    """Odoo's own servers: nobody's external address leaves through them unproven.

    The last place that all of Odoo's mail passes, whatever route made it. Whose
    address a mail may carry says ``mail.mail.send``.
    """

    _inherit = "ir.mail_server"

    @api.model
    def _find_mail_server(self, email_from, mail_servers=None):
        if self._external_in_vain(email_from):
            email_from = self._external_replacement(email_from) or email_from
        return super()._find_mail_server(email_from, mail_servers)

    def _prepare_smtp_to_list(self, message, smtp_session):
        recipients = super()._prepare_smtp_to_list(message, smtp_session)
        sole = trusted_context.sole_recipient.value
        # by keys: core writes all addresses in lower case
        if sole and {Address(each).key for each in recipients} != {sole}:
            raise AssertionError(
                self.NO_VALID_RECIPIENT,
                self.env._("A code goes to the address that it proves only."),
            )
        return recipients

    def _prepare_email_message__(self, message, smtp_session):
        if not self.env["mail.external.sender"]._any_configured():
            return super()._prepare_email_message__(message, smtp_session)
        join_lines(message)
        smtp_session = self._external_own_from(message, smtp_session)
        sender, recipients, message = super()._prepare_email_message__(
            message, smtp_session
        )
        if self._external_in_vain(sender):
            own = email_normalize(self._external_own_address() or "")
            sender = own or self._refuse_external_from(sender)
        if self._external_leaves_in_vain(message, "Return-Path"):
            del message["Return-Path"]  # core leaves it there
        if not self._external_is_replaced(message):
            self._refuse_external_from(message["From"])
        return sender, recipients, message

    def _refuse_external_from(self, address):
        """:raise AssertionError: always; shown at the mail, as core's own are"""
        raise AssertionError(
            self.NO_VALID_FROM,
            self.env._(
                "%s is an external address, which this mail may not leave from, "
                "and Odoo has no address of its own. Your administrator enters one "
                "as “Default From” of the alias domain in General Settings.",
                address,
            ),
        )

    @api.model
    def _external_in_vain(self, text):
        """External addresses in a header that the mail at hand may not carry."""
        senders = self.env["mail.external.sender"]
        if not senders._any_configured():
            return frozenset()
        return senders._external_in(text) - trusted_context.carried.value.addresses

    @api.model
    def _external_leaves_in_vain(self, message, name):
        """``_external_in_vain`` for all fields of a name (Resent-From may stand there
        more than once), as Python shows and as it writes them."""
        if not self.env["mail.external.sender"]._external_addresses():
            return frozenset()
        texts = [*message.get_all(name, []), *written(message, name)]
        return frozenset().union(*map(self._external_in_vain, texts))

    @api.model
    def _external_is_replaced(self, message):
        """Whether From leaves as one field, and names none but who may stand there."""
        refused = self._external_leaves_in_vain(message, "From")
        own = refused and header_addresses(self._external_own_address() or "")
        # Core puts these two in; the others are as they were looked at.
        broken = has_breaks(message, ("from", "to"))
        return not (broken or refused - (own or frozenset()))

    @api.model
    def _external_own_address(self):
        """Odoo's own address, which is nobody's external one, or False.

        A firm may have a single mailbox, which Odoo writes from, too: when everybody
        may use it, Odoo may.
        """
        known = self.env["mail.external.sender"]._external_in
        own = next((c for c in self._external_candidates() if not known(c)), False)
        return own or trusted_context.carried.value.odoos_own or False

    @api.model
    def _external_candidates(self):
        """The addresses that Odoo itself writes from, the preferred one first."""
        candidates = (
            self.env.context.get("domain_notifications_email"),
            self._get_default_from_address(),
            self.env.company.default_from_email,
            self.env.company.email,
        )
        return [address for address in candidates if address]

    @api.model
    def _external_replacement(self, email_from):
        """Odoo's address with the author's name, or False when Odoo has none."""
        own = self._external_own_address()
        return own and encapsulate_email(str(email_from)[:MAX_FROM], own)

    @api.model
    def _external_own_from(self, message, smtp_session):
        """Replace what ``message`` may not carry in From; Reply-To stays.

        :return: the session as core's method is to see it: it forces its sender into
            the header, which may be the very address that was refused
        :raise AssertionError: Odoo has no address of its own (shown at the mail)
        """
        for name in SENDER_HEADERS:
            if self._external_leaves_in_vain(message, name):
                del message[name]
        forced = getattr(smtp_session, "smtp_from", False)
        if not (
            self._external_leaves_in_vain(message, "From")
            or self._external_in_vain(forced)
        ):
            return smtp_session
        replacement = self._external_replacement(message["From"])
        if not replacement:
            self._refuse_external_from(message["From"])
        message.replace_header("From", replacement)
        if not self._external_is_replaced(message):  # its name cannot be written
            message.replace_header("From", self._external_own_address())
        return SimpleNamespace(
            from_filter=getattr(smtp_session, "from_filter", False), smtp_from=False
        )


# Header fields as they leave: Python's ``email`` may write another text than it shows.
# What it cannot read is shown as nothing and written as it was (``str`` and ``fold``
# of ``email.headerregistry``); and line breaks in encoded words end a field, so that
# what follows is a field of its own (CVE-2024-6923, mended in Python 3.12.5).


def written(message, name):
    """Every value of the fields ``name``, unfolded, as it leaves.

    :param email.message.EmailMessage message: what leaves
    """
    return [
        _value(message, key, value)
        for key, value in message.raw_items()
        if key.lower() == name.lower()
    ]


def has_breaks(message, names=None):
    """Whether a field would leave as more than one.

    :param names: of the fields that are looked at, in lower case; None: all
    """
    return any(
        _breaks(message, key, value)
        for key, value in message.raw_items()
        if names is None or key.lower() in names
    )


def join_lines(message):
    """Make one field of each again; what is nested too deep for that goes."""
    for again in reversed(range(_DEPTH)):
        if not has_breaks(message):
            return
        fields = [
            (key, value, _breaks(message, key, value))
            for key, value in message.raw_items()
        ]
        values = [
            (key, _value(message, key, value) if broken else value)
            for key, value, broken in fields
            if again or not broken
        ]
        for key in set(message.keys()):
            del message[key]
        for key, value in values:
            message[key] = value


def _breaks(message, key, value):
    folded = message.policy.fold(key, value).removesuffix(message.policy.linesep)
    _first, *others = _LINE_END.split(folded)
    return any(not line.strip() or line[0] not in " \t" for line in others)


def _value(message, key, value):
    return " ".join(message.policy.fold(key, value).partition(":")[2].split())
