"""How external contacts are told of a message through its address.

Core notifies colleagues and customers in one go: here they are told apart, by whom the
address carries the message to, and what leaves through it gets the address's look.
"""

from contextlib import nullcontext

from odoo.tools.misc import clean_context

from .. import trusted_context
from ..explanations import cause_and_remedy

_CORE_LAYOUTS = ("mail.mail_notification_layout", "mail.mail_notification_light")

# Whom the address carries it to


def through_address(env, message, recipients_data):
    """Rows of mail that are made inside leave through the message's address.

    :param list recipients_data: core's, see ``mail.followers``
    """
    if not env["mail.external.sender"]._any_configured():
        return nullcontext()
    address_id = message.sudo().external_address_id.id or 0
    partner_ids = frozenset()
    if address_id:
        partner_ids = carried_to(message.sudo(), recipients_data)
    return trusted_context.notified.during(
        trusted_context.Notified(message.id, address_id, partner_ids)
    )


def carried_to(message, recipients_data):
    """Whom the message's address carries it to: external contacts.

    A customer's words only to those who follow the record anyway. Whom they name
    themselves core's route leaves out (``mail/controllers/thread.py``,
    ``_prepare_message_data``), but not a remote call of ``message_post``.

    :param message: mail.message (sudo)
    :return: frozenset of ids of partners; False stands for addresses without one
    """
    by_customer = message.external_origin == "project" and message.create_uid.share
    return frozenset(
        recipient["id"]
        for recipient in recipients_data
        if recipient["share"] and (recipient["is_follower"] or not by_customer)
    )


def split_group(group, outside):
    """Who gets the message through the address, and the others of one group, get
    mails of their own.

    :param dict group: core's, of recipients
    :param outside: ids of the former, see ``carried_to``
    """
    carried = {"recipients_ids": [], "recipients_emails": []}
    others = {"recipients_ids": [], "recipients_emails": []}
    for pid in group["recipients_ids"]:
        (carried if pid in outside else others)["recipients_ids"].append(pid)
    part = carried if False in outside else others
    part["recipients_emails"] = group["recipients_emails"]
    for part in (others, carried):
        if any(part.values()):
            yield {**group, **part}


# How it looks


def address_of_group(env, group):
    """The address (sudo) that this group's mails leave through; none: colleagues."""
    addresses = env["mail.external.address"].sudo()
    notified = trusted_context.notified.value
    # the groups were split: one has either colleagues or external contacts
    if notified.is_carried_to(group["recipients_ids"]):
        return addresses.browse(notified.address_id)
    return addresses


def in_look_of(address, message, group, msg_vals, render_values):
    """Core's arguments for rendering, changed to the address's signature and look.

    A layout that a template or a document asks for stays, with its button. What
    core's code asks for when no person writes (a stage's template, a rating) is
    no choice of anybody's.

    :return: (group, msg_vals, render_values)
    """
    msg_vals = msg_vals or {}
    look = address._look(address.id)
    values = {
        **(render_values or {}),
        **address._layout_values(render_values or {}, message.record_company_id),
    }
    explicit = (
        msg_vals["email_layout_xmlid"]
        if "email_layout_xmlid" in msg_vals
        else message.email_layout_xmlid
    )
    if not explicit or (trusted_context.automatic.value and explicit in _CORE_LAYOUTS):
        msg_vals = {**msg_vals, "email_layout_xmlid": look.layout_xmlid}
        # core decided who can open the record at all
        button = look.show_record_button and group.get("has_button_access")
        group = {**group, "has_button_access": button}
    return group, msg_vals, values


# When the address is gone


def show_missed(thread, message, recipients_data):
    """The chatter shows who does not get ``message``, and why; there is no mail."""
    context = clean_context(thread.env.context)
    context["lang"] = message.sudo().create_uid.lang
    env = thread.env(context=context)
    values = {
        **thread._notify_by_email_get_base_notification_values(message),
        "notification_status": "exception",
        "failure_type": "unknown",
        "failure_reason": " ".join(cause_and_remedy(env, "address_gone")),
    }
    # sudo: notifications are the server's, as those that core makes
    env["mail.notification"].sudo().create(
        [
            {
                **values,
                "res_partner_id": data["id"],
                "mail_email_address": not data["id"] and data["email_normalized"],
            }
            for data in recipients_data
            if data["notif"] == "email"
        ]
    )
    message.sudo()._notify_message_notification_update()
