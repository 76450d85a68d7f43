"""Handing a message from a mailbox over to core's gateway, and what that is told of it.

Where it belongs, who wrote it and what it may set off is decided before core parses it
(``Arrival``): no alias, no bounce, no reply of the gateway's own. And the other way
round: mail that the gateway gets for a mailbox, and employees who wrote to it for sure.
"""

import logging
import re
import xmlrpc.client
from dataclasses import replace

from odoo import SUPERUSER_ID
from odoo.addons.project.models.project_task import CLOSED_STATES
from odoo.tools import SQL
from odoo.tools.mail import (
    email_normalize,
    email_normalize_all,
    email_split,
    email_split_and_format,
    formataddr,
    generate_tracking_message_id,
)

from ...mailkit.message import mime
from ...mailkit.message.author import dmarc_passed, shown_name
from ...mailkit.message.headers import parse_headers
from .. import trusted_context
from ..trusted_context import Arrival, as_odoo
from .facts import (
    colleagues,
    decide_batch,
    is_colleague,
    is_open_to,
    may_follow,
    own_emails,
    took_part,
)
from .heavy import HeavyParts
from .intake import Intake

_logger = logging.getLogger(__name__)

# So many answers of one sender in one conversation within an hour are a loop.
LOOP_LIMIT = 100
# Local part of the address that a mailbox redirects its mail to, before its token.
FORWARD_PREFIX = "reply-"
_TOKEN = re.compile(rb"\b%b([a-z2-7]{26})@" % FORWARD_PREFIX.encode(), re.IGNORECASE)
# Octets of a header in which the address may stand.
_HEADER = 64 * 1024
# Who writes, and about what, when a mailbox is to be redirected: Gmail, and others.
_CONFIRMATION = re.compile(
    r"forwarding-noreply@google\.com|confirm|verif|forward|redirect|підтвер|пересил",
    re.IGNORECASE,
)


class ArrivalProcessing:
    """Posts one message.

    :param arrival: its row, a mail.external.arrival in superuser mode
    :param decision: what it answers and whom it comes from
        (``mailkit.answers.matching.Decision``)
    :param bool is_sent: it lies in the owner's own Sent folder
    """

    def __init__(self, arrival, decision, is_sent):
        self.arrival = arrival
        self.account = arrival.account_id
        self.decision = decision
        self.is_sent = is_sent
        self.env = arrival.env

    def is_loop(self):
        """Two programs that answer each other, whatever they say about themselves."""
        if self.arrival.kind != "answer":
            return False
        [[count]] = self.env.execute_query(
            SQL(
                """
                SELECT count(*)
                  FROM mail_external_arrival r
                  JOIN mail_message m ON m.id = r.mail_message_id
                  JOIN mail_message parent
                    ON parent.model = m.model AND parent.res_id = m.res_id
                 WHERE parent.id = %s AND r.id <> %s AND r.sender = %s
                   AND r.account_id = %s
                   AND r.kind = 'answer'
                   AND r.create_date > now() AT TIME ZONE 'UTC' - interval '1 hour'
                """,
                self.decision.message,
                self.arrival.id,
                self.arrival.sender or "",
                self.account.id,
            )
        )
        return count >= LOOP_LIMIT

    def post(self, source):
        """Post it where it belongs; the row tells the message that it became.

        :param MessageSource source: the message
        :raise ValueError: a part of it would have been lost
        """
        author = parse_headers(source.head).author
        target = self._target(author.email)
        if target is None:
            self.arrival.kind = "ignored"
            return
        # Colleagues' notifications are queued: nobody's mailbox waits for their server.
        thread = self.env["mail.thread"].with_context(mail_notify_force_send=False)
        account = self.account
        lang = account.user_id.lang or account.company_id.partner_id.lang
        reader = self.arrival.with_context(lang=lang).env
        target = replace(
            target,
            row_id=self.arrival.id,
            author=author,
            nobody=reader._("Unclear sender"),
            secret=account.forward_token or "",
            heavy=HeavyParts(source, _rest_notice(reader)),
        )
        with trusted_context.arrival.during(target):
            thread.message_process(None, target.heavy.raw)
        message = self.env["mail.message"].browse(target.posted[-1:])
        if not message:
            self.arrival.kind = "known"  # it came in by the gateway before
            return
        if not target.heavy.all_stored():
            raise ValueError("A part of the message was left out")
        self.arrival.mail_message_id = message
        if self.arrival.kind == "answer" and not target.mark:
            self._wake(self.env[target.model].browse(target.res_id))

    def _wake(self, record):
        """A finished task goes on after an answer, where its company wants that."""
        if record._name != "project.task" or record.state not in CLOSED_STATES:
            return
        company = record.company_id or self.env.company
        if company.external_finished_policy == "reopen":
            record.state = "01_in_progress"

    def _target(self, author):
        """Where the message belongs and what it may set off.

        :param str author: address of who wrote it, "" for nobody
        :rtype: Arrival | None
        """
        kind = self.arrival.kind
        own = own_emails(self.account)
        if kind == "new":
            address = self.arrival.address_id
            values = {"project_id": address.new_mail_project_id.id}
            mark = self._is_ours(author) and "colleague"
            place = {"model": "project.task", "res_id": 0, "values": values, "own": own}
            return Arrival(**place, mark=mark, internal=bool(mark))
        parent = self.env["mail.message"].browse(self.decision.message).exists()
        thread = parent and parent._external_sender_thread()
        if not thread or not thread.exists():
            return None
        place = {
            "model": thread._name,
            "res_id": thread.id,
            "parent_id": parent.id,
            "own": own,
        }
        is_ours = Intake(self.account).may_speak_in(parent, thread)
        if kind == "own_copy":
            mark = "own_copy" if self.is_sent else "unproven"
            owner = self.account.user_id.partner_id
            place.update(author_id=owner.id, internal=not self.is_sent)
            return Arrival(**place, mark=mark) if is_ours else None
        if not is_ours:
            return Arrival(**place, mark="stranger", internal=True, foreign=True)
        mark = False
        if self._is_ours(author):
            mark = "colleague"
        elif not (
            self.decision.from_addressee or self._took_part(parent, thread, author)
        ):
            mark = "stranger"
        place["internal"] = bool(mark)
        if kind == "auto_reply":
            mark = "auto_reply"
        return Arrival(**place, mark=mark)

    def _is_ours(self, author):
        """Whether a mail names a colleague, or an address of ours, as its author; also
        one that was removed or moved: it does not become a customer by that.

        Colleagues get their mail from Odoo's own server, so what they answer does not
        come out of a mailbox; and whoever wrote to one can write any From.
        """
        senders = self.env["mail.external.sender"]
        return bool(
            senders._external_in(author)
            or author.lower() in senders._proven_addresses()
            or is_colleague(self.env, author)
        )

    def _took_part(self, parent, thread, author):
        """Whether an author was written to in this conversation before ``parent``.

        What they answer need not have been sent to them by Odoo: the answer of another
        customer who copied them, a mail that the owner sent from a mail program, their
        own absence note.
        """
        if took_part(thread, [author]):
            return True
        named = parent.external_mark == "own_copy" and ",".join(
            filter(None, (parent.incoming_email_to, parent.incoming_email_cc))
        )
        return bool(author) and author in email_normalize_all(named or "")


def _rest_notice(env):
    return env._(
        "The rest is too long or too complicated to be shown here."
        " Open the attached file to read everything."
    )


# What core's gateway is told


def routes(thread, message, message_dict, arrived):
    """The one route of a message, as core's ``message_route`` returns them.

    :param thread: the model that core's gateway asked
    :param dict message_dict: what core read of it; changed in place
    :param Arrival arrived: what was decided
    """
    env = thread.env
    record = env[arrived.model].browse(arrived.res_id or [])
    _correct(message_dict, arrived)
    parent = env["mail.message"].sudo().browse(arrived.parent_id)
    if parent:
        message_dict.update(thread._message_parse_extract_from_parent(parent))
    values = dict(arrived.values or {})
    if not record:
        values["email_cc"] = _copies(env, message_dict, arrived.own)
    _leave_out_others(record, message_dict, arrived)
    user_id = set_author(thread, record, message_dict, arrived)
    route = (arrived.model, arrived.res_id, values, user_id, None)
    route = env[arrived.model]._routing_check_route(
        message, message_dict, route, raise_exception=True
    )
    return [route]


def post_values(record, arrived, kwargs):
    """Nobody follows or is told because a mail says so.

    :param dict kwargs: what ``message_post`` was given
    :return: (values for ``message_post``, whether its author may follow by it)
    """
    partners = record.env["res.partner"].browse
    writer = partners(kwargs.get("author_id") or [])
    follows = not (
        arrived.mark not in (False, "colleague") or writer.sudo().partner_share
    ) and may_follow(record, writer)
    told = partners(kwargs.get("partner_ids") or [])
    if arrived.mark:
        told = told.sudo().filtered(lambda partner: not partner.partner_share)
    values = {
        **kwargs,
        "author_id": writer.id,  # False, not None: core would look for one again
        "email_from": kwargs.get("email_from") or unclear_author(record.env, arrived),
        "partner_ids": may_follow(record, told).ids,
        # What is for the team only is not shown in the portal either.
        "is_internal": kwargs.get("is_internal") or arrived.internal,
    }
    return values, follows


def note_posted(arrived, messages):
    """Write down what a mail became, before anybody is told: who is, follows from it
    (``mail.message``)."""
    mails = messages.filtered(lambda message: message.message_type == "email")
    if mails and arrived.mark:
        mails._set_external_mark(arrived.mark)
    if mails:
        row = messages.env["mail.external.arrival"].sudo().browse(arrived.row_id)
        row.mail_message_id = mails[-1:]
    arrived.posted.extend(mails.ids)


def _correct(message_dict, arrived):
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


def _copies(env, message_dict, own):
    """Whom new mail names besides us: kept on the record, and suggested there.

    Core assigns colleagues whom it finds among them, and makes them followers.
    """
    texts = (message_dict.get("to_filtered"), message_dict.get("cc_filtered"))
    told = email_split_and_format(",".join(filter(None, texts)))
    emails = [email_normalize(address) for address in told]
    found = colleagues(env, emails)
    known = {*own, *found.mapped("email_normalized")}
    return ", ".join(
        address
        for address, email in zip(told, emails, strict=True)
        if email and email not in known
    )


def _leave_out_others(record, message_dict, arrived):
    """Core makes contacts in To and Cc followers: only who took part already.

    The others are suggested, from what is stored of To and Cc.
    """
    texts = {name: message_dict.get(name) or "" for name in ("to", "cc")}
    emails = set(email_normalize_all(",".join(texts.values())))
    known = set()
    if record and not arrived.mark:
        known = took_part(record, emails.difference(arrived.own))
    for name, text in texts.items():
        message_dict[name] = ",".join(
            address
            for address in email_split_and_format(text)
            if email_normalize(address) in known
        )
    message_dict["recipients"] = ""


# Who wrote it


def set_author(thread, record, message_dict, arrived):
    """Put the author that was decided in the place of the one that core read.

    :param thread: the model that core's gateway asked
    :param record: what the message answers; may be empty
    :return: id of the user whom core runs as what the mail sets off: its author,
        but nobody in whose name it only pretends to come
    """
    env = thread.env
    author = env["res.partner"].sudo().browse(arrived.author_id or [])
    text = author_text(arrived.author)
    if text and not author:
        finder = record or env["mail.thread"]
        emails = [arrived.author.email]
        found = finder._partner_find_from_emails_single(emails, no_create=True)
        author = found[:1].sudo()
    if author.name:  # what Odoo calls them, not what the mail does
        text = author_text(replace(arrived.author, display=author.name))
    message_dict.update({"author_id": author.id, "email_from": text, "from": text})
    if arrived.mark or not text:
        return SUPERUSER_ID
    user = thread._mail_find_user_for_gateway(arrived.author.email)
    place = record or env["project.project"].browse(
        (arrived.values or {}).get("project_id") or []
    )
    may = user and (user.share or is_open_to(place, user))
    return user.id if may else SUPERUSER_ID


def author_text(author):
    """A From that every parser reads as this address alone, or an empty text.

    :param mailkit.message.address.Address author: who wrote a message
    """
    name = shown_name(author.display)
    for text in (formataddr((name, author.email)), author.email):
        if author.email and email_normalize(text) == author.email:
            return text
    return ""


def unclear_author(env, arrived):
    """What is shown of a From that names no mailbox, or more than one."""
    name = shown_name(arrived.author.display) or arrived.nobody
    # Colleagues get it by mail, which needs an address: Odoo's, if nobody has it.
    own = email_normalize(env["ir.mail_server"]._get_default_from_address())
    senders = env["mail.external.sender"]
    if not own or senders._external_in(own) or colleagues(env, [own]):
        return name
    return formataddr((name, own))


# Who is told


def told_values(record, message, msg_vals, row):
    """What core decides by whom it tells of a mail that came out of a mailbox.

    Colleagues are told by Odoo, though the mail was addressed to them too: who reads
    the mailbox is Odoo. Customers in To and Cc have it already.

    :param message: mail.message (sudo)
    :param dict msg_vals: what it was just created with, as core hands it on
    :param row: mail.external.arrival (sudo), whose owner is told too; may be empty
    :return: ``msg_vals`` with other recipients
    """
    values = dict(msg_vals)
    names = ("incoming_email_to", "incoming_email_cc")
    texts = {name: values.get(name, message[name]) or "" for name in names}
    found = colleagues(record.env, email_normalize_all(",".join(texts.values())))
    known = set(found.mapped("email_normalized"))
    for name, text in texts.items():
        values[name] = ",".join(
            address
            for address in email_split_and_format(text)
            if not known.intersection(email_normalize_all(address))
        )
    partner_ids = values.get("partner_ids", message.partner_ids.ids) or []
    owner = row.user_id
    if owner.partner_id != message.author_id and is_open_to(record, owner):
        partner_ids = [*partner_ids, owner.partner_id.id]
    values["partner_ids"] = partner_ids
    return values


# Out of the gateway: mail that a mailbox redirects to it, and mail of employees


def octets(message):
    """What ``message_process`` was given, or nothing where core says what is wrong.

    :param message: bytes, text or ``xmlrpc.client.Binary``
    """
    raw = message.data if isinstance(message, xmlrpc.client.Binary) else message
    if isinstance(raw, str):
        return raw.encode()
    return raw if isinstance(raw, bytes) else b""


def account_of(env, raw):
    """The account (sudo) whose secret address a message came to, or none.

    :param bytes raw: the message
    """
    accounts = env["mail.external.account"]
    if not raw or not env["mail.external.sender"]._any_configured():
        return accounts
    tokens = {m.group(1).decode().lower() for m in _TOKEN.finditer(raw[:_HEADER])}
    if not tokens:
        return accounts
    # sudo: the address itself is the right to be read; nobody else knows it
    hidden = accounts.sudo().with_context(active_test=False)
    found = hidden.search(
        # also of those that are refused, removed or read in another way by now: core
        # would make tasks of what goes on being redirected, or bounce it
        [("forward_token", "in", list(tokens)), ("state", "!=", "draft")],
        order="active desc, id",
        limit=1,
    )
    return accounts.sudo().browse(found.ids)


def take_in_forwarded(account, raw):
    """Take in one message that a mailbox redirected to Odoo's gateway.

    What is not for Odoo is dropped here: it lies in the mailbox. While the account
    does not work it is kept, and processed when it does again.

    :param account: of ``account_of``
    :return: id of the record that it was posted to, or False
    """
    if not (
        account.active and account.receives and account.incoming_protocol == "forwarded"
    ):
        _logger.info("Dropped: a mailbox redirects what is not read here any more")
        return False
    intake = Intake(as_odoo(account))
    headers = parse_headers(raw)
    [decision], facts = decide_batch(intake.account, [headers])
    row = None
    if intake.wants_whole(decision, headers):
        waits = account.state != "working"
        row = intake.take_in(raw, decision, facts, place="forwarded", waits=waits)
    if row is None:
        _note_confirmation(intake.account, headers, raw)
        return False
    if row.mail_message_id:
        row._let_notifications_leave()
    return row.mail_message_id.res_id


def _note_confirmation(account, headers, raw):
    """A service that redirects mail asks first: show its code or link."""
    if not _CONFIRMATION.search(f"{headers.author.email} {headers.subject}"):
        return
    parts = [p for p in mime.walk(raw) if p.content_type.startswith("text/")]
    text = next((text for p in parts if (text := p.plain()).strip()), "")
    account.forward_notice = f"{headers.subject}\n\n{text.strip()[:2000]}"


def proven_writer(env, message, message_dict):
    """Id of the employee who wrote a mail of the gateway for sure, or 0.

    Sure it is when our own receiving server says that DMARC passed. A remote
    caller of ``message_process`` can write any header, so they have to be an
    administrator; and so can whoever runs the server of a connected mailbox.
    """
    if trusted_context.arrival.value is not None:
        return 0
    senders = env["mail.external.sender"]
    if not senders._any_configured() or trusted_context.proven_writer.value:
        return trusted_context.proven_writer.value or 0
    server = (
        env["ir.config_parameter"]
        .sudo()
        .get_param("mail_external_account.trusted_authserv")
    )
    trusted = env.su or env.user.has_group("base.group_system")
    senders = email_split(message_dict.get("email_from") or "")
    if not (server and trusted) or len(senders) != 1:
        return 0
    if len(message.get_all("From", [])) != 1:
        return 0
    domain = senders[0].rpartition("@")[2]
    results = [str(value) for value in message.get_all("Authentication-Results", [])]
    if not dmarc_passed(results, server.strip(), domain):
        return 0
    author = env["res.partner"].sudo().browse(message_dict.get("author_id"))
    return author.user_ids.filtered(lambda user: not user.share)[:1].id or 0
