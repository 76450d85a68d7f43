"""Who wrote a mail that core's gateway processes.

Of what came out of a mailbox it was decided before (``trusted_context.Arrival``): here
it is put in the place of what core read. Of other mail it is asked whether it is
proven.
"""

from dataclasses import replace

from odoo import SUPERUSER_ID
from odoo.tools.mail import email_normalize, email_split, formataddr

from ...mailkit.answers.authentication import dmarc_passed
from ...mailkit.answers.author import shown_name
from .. import conversation, trusted_context

# Out of a mailbox


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
    may = user and (user.share or conversation.is_open_to(place, user))
    return user.id if may else SUPERUSER_ID


def author_text(author):
    """A From that every parser reads as this address alone, or an empty text.

    :param mailkit.message.addresses.Address author: who wrote a message
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
    if not own or senders._external_in(own) or conversation.colleagues(env, [own]):
        return name
    return formataddr((name, own))


# Out of the gateway


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
