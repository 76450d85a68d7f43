"""Asking a service whether it takes an application, before anybody signs in."""

import logging
from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError

from ...mailkit import oauth
from ...mailkit.connection.network import Deadline
from ...mailkit.errors import MailError
from .. import vault
from ..connect.turn import connection_returned

_logger = logging.getLogger(__name__)

# How long a service may take to answer.
SECONDS = 20.0


def check(application):
    """Ask, and note the answer on the application.

    Nobody waits for the service with a connection to the database, and one application
    is asked about at a time.

    :param application: one mail.external.application that may be written
    :return: whether it was noted; not where the application was changed meanwhile
    :raise UserError: it cannot be asked
    """
    application.ensure_one()
    env = application.env
    _check_turn(application)
    client = _client(application)
    redirect_uri = application._redirect_uri()
    # sudo: what only this writes
    application.sudo().checking_until = env.cr.now() + timedelta(seconds=SECONDS + 5)
    error = None
    try:
        with connection_returned(env):
            error = _ask(client, redirect_uri)
    finally:
        if not env.cr.closed:
            application.sudo().checking_until = False
    if not application.exists() or _client(application) != client:
        return False
    application._note_check(error)
    return True


def _ask(client, redirect_uri):
    """:return: MailError, or None when the service takes the application"""
    try:
        oauth.check(client, redirect_uri, Deadline(SECONDS))
    except MailError as error:
        return error
    return None


def _check_turn(application):
    busy = application.sudo().search_count(
        [("checking_until", ">", fields.Datetime.now())], limit=1
    )
    if busy:
        raise UserError(
            application.env._(
                "An application is being checked already. Try again in half a minute."
            )
        )


def _client(application):
    """:rtype: mailkit.oauth.Client"""
    env = application.env
    if not application.is_ready:
        raise UserError(
            env._(
                "Enter the client ID and the client secret first, and for another "
                "service its addresses. Then check."
            )
        )
    try:
        return application._client()
    except vault.UnsealError:
        raise UserError(
            env._(
                "Client Secret: the stored one cannot be opened, because Odoo's "
                "encryption key or the database changed. Enter it again."
            )
        ) from None
