"""What core's gateway is told of a message that came out of a mailbox.

Who asks for it has decided already that it answers something, and what it may set off
(``mail.external.account``, intake): no alias, no bounce, no reply of the gateway's own.
"""

from odoo.tools.mail import (
    email_normalize,
    email_normalize_all,
    email_split_and_format,
    generate_tracking_message_id,
)

from .. import conversation
from . import author


def routes(thread, message, message_dict, arrived):
    """The one route of a message, as core's ``message_route`` returns them.

    :param thread: the model that core's gateway asked
    :param dict message_dict: what core read of it; changed in place
    :param arrival.Arrival arrived: what was decided
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
    user_id = author.set_author(thread, record, message_dict, arrived)
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
    ) and conversation.may_follow(record, writer)
    told = partners(kwargs.get("partner_ids") or [])
    if arrived.mark:
        told = told.sudo().filtered(lambda partner: not partner.partner_share)
    values = {
        **kwargs,
        "author_id": writer.id,  # False, not None: core would look for one again
        "email_from": kwargs.get("email_from")
        or author.unclear_author(record.env, arrived),
        "partner_ids": conversation.may_follow(record, told).ids,
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
    found = conversation.colleagues(env, emails)
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
        known = conversation.took_part(record, emails.difference(arrived.own))
    for name, text in texts.items():
        message_dict[name] = ",".join(
            address
            for address in email_split_and_format(text)
            if email_normalize(address) in known
        )
    message_dict["recipients"] = ""
