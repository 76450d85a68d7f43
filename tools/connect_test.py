"""The connection test behind the connect window: plain functions, no model.

Passwords exist here as plain text for the moment of a test; nothing here can be
reached by RPC or from a server action.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from odoo.exceptions import UserError

from ..mailkit import checks
from ..mailkit.connection.network import Deadline
from ..mailkit.connection.settings import Credentials, Protocol
from ..mailkit.errors import ErrorCode, MailError
from ..mailkit.imap.mailbox import ImapMailbox
from . import connect_probe, connect_rights, vault
from .destination import READ_PROTOCOLS
from .explanations import cause_and_remedy
from .step_labels import step_label

# Seconds that each of a check's sessions may take.
NETWORK_SECONDS = 10.0
SMTP_STEPS = (
    checks.Step.SMTP_HOST,
    checks.Step.SMTP_PORT,
    checks.Step.SMTP_LOGIN,
    checks.Step.SMTP_SENDER,
)
INCOMING_STEPS = (
    checks.Step.INCOMING_HOST,
    checks.Step.INCOMING_PORT,
    checks.Step.INCOMING_LOGIN,
    checks.Step.INCOMING_LISTING,
)
# Mail that is sent in order to be found, see ``connect_probe``.
PROBE_STEPS = (checks.Step.ARRIVAL, checks.Step.ROUND_TRIP)
_WITH_SIGN_IN = frozenset(
    {
        checks.Step.SMTP_LOGIN,
        checks.Step.SMTP_SENDER,
        checks.Step.INCOMING_LOGIN,
        checks.Step.INCOMING_LISTING,
        *PROBE_STEPS,
    }
)


class Passwords(NamedTuple):
    """Plain passwords; None = none entered and none stored for these settings."""

    smtp: str | None
    incoming: str | None


def steps(wizard):
    """The checks that must pass before ``wizard`` may be saved, in order.

    Of another address of an account: its own ones only. That mail to an account's own
    address arrives in its mailbox is plain where the mailbox is opened by its name.
    """
    reads = wizard.incoming_protocol in READ_PROTOCOLS
    found = [checks.Step.SMTP_SENDER] if wizard.is_address_only else [*SMTP_STEPS]
    if reads and not wizard.is_address_only:
        found += INCOMING_STEPS
    if reads and (wizard.is_address_only or not _is_named_in_login(wizard)):
        if wizard.receive_replies:
            found.append(checks.Step.ARRIVAL)
        found.append(checks.Step.ROUND_TRIP)
    return tuple(found)


def _is_named_in_login(wizard):
    """Whether the mailbox is opened by the address's own name."""
    login, email = (wizard.incoming_login or "").lower(), (wizard.email or "").lower()
    provider = wizard.provider_id
    usual = provider._login_for(wizard.email) if provider and wizard.email else ""
    return login in (email, email.rpartition("@")[0], (usual or "").lower())


def passwords(wizard):
    """What was typed; else what the account has stored, if it may go there."""
    smtp = _typed(wizard, "password_sealed", "password")
    if smtp is None:
        smtp = _stored(wizard, "smtp")
    incoming = _typed(wizard, "incoming_password_sealed", "incoming_password")
    if incoming is None:
        incoming = _typed(wizard, "password_sealed", "password")
    if incoming is None:
        incoming = _stored(wizard, "incoming")
    return Passwords(smtp, incoming)


def _typed(wizard, field, purpose):
    sealed = wizard.sudo()[field]
    if not sealed or wizard.is_address_only:
        return None  # what is tested is what the account sends with
    try:
        return vault.unseal(wizard.env, sealed, typed_context(wizard, purpose))
    except vault.UnsealError:
        return None


def typed_context(wizard, purpose):
    """What a typed password is bound to: this window of this user."""
    uuid = wizard.env["ir.config_parameter"].sudo().get_param("database.uuid")
    return (uuid, f"window:{wizard._origin.id}", f"user:{wizard.env.uid}", purpose)


def _stored(wizard, purpose):
    """The account's password, only when the window still means the same place."""
    account = wizard.account_id._origin.sudo()
    if not (account and wizard._may_see()) or (
        wizard._secret_context(purpose) != account._secret_context(purpose)
    ):
        return None
    secret = (
        wizard.env["mail.external.secret"]
        .sudo()
        .search([("account_id", "=", account.id), ("purpose", "=", purpose)])
    )
    try:
        return vault.unseal(
            wizard.env, secret.sealed or "", wizard._secret_context(purpose)
        )
    except vault.UnsealError:
        return None


def fingerprint(wizard):
    """Keyed hash over everything that a test is about, the passwords included."""
    secrets = passwords(wizard)
    return vault.fingerprint(
        wizard.env,
        (
            wizard.env.uid,
            wizard.email or "",
            wizard.allow_private_host,
            wizard.receive_replies,
            *wizard._secret_context("smtp"),
            *wizard._secret_context("incoming"),
            *("-" if secret is None else f"+{secret}" for secret in secrets),
        ),
    )


def store_passwords(wizard, account):
    """Seal the tested passwords for ``account``; the typed ones are forgotten."""
    secrets = passwords(wizard)
    model = wizard.env["mail.external.secret"].sudo()
    model.search([("account_id", "=", account.id)]).unlink()
    for purpose, secret in (("smtp", secrets.smtp), ("incoming", secrets.incoming)):
        if secret is None or (
            purpose == "incoming" and wizard.incoming_protocol not in READ_PROTOCOLS
        ):
            continue
        model.create(
            {
                "account_id": account.id,
                "purpose": purpose,
                "sealed": vault.seal(
                    wizard.env, secret, account._secret_context(purpose)
                ),
            }
        )
    wizard.sudo().write({"password_sealed": False, "incoming_password_sealed": False})


def seconds(step):
    """How long a check takes at the most, Odoo's own part of it included."""
    if step in [each.value for each in PROBE_STEPS]:
        return NETWORK_SECONDS + connect_probe.ARRIVAL_SECONDS + 2.0
    sessions = 2 if step == checks.Step.INCOMING_LISTING.value else 1
    return sessions * NETWORK_SECONDS + 2.0


def check_step(wizard, step):
    """:raise AccessError: it is not for this user to test this
    :raise UserError: no such check; or it sends mail, and others come first, or the
        address can be nobody's
    """
    wizard._check_rights()
    connect_rights.check_sign_in(wizard)
    known = [each.value for each in steps(wizard)]
    if step not in known:
        raise UserError(wizard.env._("There is no check named %s here.", step))
    if checks.Step(step) not in PROBE_STEPS:
        return
    wizard._check_address()
    before = {checks.Step(each) for each in known[: known.index(step)]}
    if before.intersection(untested(wizard)):
        raise UserError(wizard.env._("Let the checks before this one pass first."))


def prepared(wizard, step):
    """One check, ready to be run: it needs the database no more.

    :param mailkit.checks.Step step:
    :return: function without parameters, which returns what ``_run`` does
    """
    try:
        if step in PROBE_STEPS:
            return _prepared_probe(wizard, step)
        purpose = "smtp" if step in SMTP_STEPS else "incoming"
        target = wizard._server(purpose, NETWORK_SECONDS)
        credentials = _credentials(wizard, step)
    except MailError as error:
        failed = checks.CheckResult(step, False, 0.0, {}, error)
        return lambda: (failed, ())
    return partial(_run, step, target, credentials, wizard.email or "")


def _prepared_probe(wizard, step):
    """A mail is sent by Odoo now, or by the account later; then it is looked for."""
    mailbox = connect_probe.Mailbox(
        wizard._server("incoming", NETWORK_SECONDS),
        _credentials(wizard, checks.Step.INCOMING_LISTING),
        tuple(path for path, _sent in wizard._read_folders()),
    )
    if step is checks.Step.ARRIVAL:
        sent = connect_probe.send_from_odoo(wizard)
        return lambda: (connect_probe.arrival(mailbox, *sent), ())
    # sudo: of an account that this user may connect
    own = wizard.account_id.sudo()._own_address().email
    email = wizard.email or ""
    recipient = email if wizard.receive_replies or not own else own
    content, message_id = connect_probe.round_trip_mail(wizard, recipient)
    smtp = wizard._server("smtp", NETWORK_SECONDS)
    credentials = _credentials(wizard, checks.Step.SMTP_LOGIN)
    return lambda: (
        connect_probe.round_trip(
            smtp, credentials, (email, recipient), content, mailbox, message_id
        ),
        (),
    )


def _run(step, target, credentials, email):
    """One check against the network, in ``seconds(step)``.

    :return: (mailkit.checks.CheckResult, the folders of an IMAP mailbox that can be
        listed: tuple of mailkit.imap.folders.Folder)
    """
    result = checks.run(step, target, credentials, email)
    is_listing = step is checks.Step.INCOMING_LISTING
    if not (result.ok and is_listing and target.protocol is Protocol.IMAP):
        return result, ()
    deadline = Deadline(target.timeout)
    try:
        with ImapMailbox(target, credentials, deadline=deadline) as mailbox:
            mailbox.open()
            mailbox.login()
            return result, mailbox.folders()
    except MailError as error:
        return replace(result, ok=False, error=error), ()


def _credentials(wizard, step):
    """:raise MailError: a sign-in is to be tried, and there is no password for it"""
    smtp = step in SMTP_STEPS
    login = (wizard.smtp_login if smtp else wizard.incoming_login) or ""
    if step not in _WITH_SIGN_IN:
        return Credentials(login, "")
    secrets = passwords(wizard)
    secret = secrets.smtp if smtp else secrets.incoming
    if secret is None:
        raise MailError(ErrorCode.LOGIN_REQUIRED, field="password")
    return Credentials(login, secret)


def results(wizard):
    """What the tests of exactly these settings gave.

    :return: dict: step -> its last line, whatever passed before
    """
    current = fingerprint(wizard)
    lines = (
        wizard.env["mail.external.account.connect.check"]
        .sudo()
        .search([("wizard_id", "=", wizard._origin.id)], order="id")
    )
    return {
        line.step: line
        for line in lines
        if vault.same_fingerprint(line.fingerprint, current)
    }


def untested(wizard):
    """The steps that did not pass with exactly these settings, in order."""
    passed = {step for step, line in results(wizard).items() if line.ok}
    return [step for step in steps(wizard) if step.value not in passed]


def told(wizard, result):
    """What the window shows of one check.

    :param mailkit.checks.CheckResult result:
    :return: dict: step, label, ok, milliseconds, cause, remedy, field, reply
    """
    data = {
        "step": result.step.value,
        "label": step_label(wizard, result.step, result),
        "ok": result.ok,
        "milliseconds": round(result.seconds * 1000),
        "cause": "",
        "remedy": "",
        "field": "",
        "reply": "",
    }
    if result.error:
        code = result.error.code.value
        if code == "login_required" and not result.error.reply:
            code = "secret_needed"
        data["cause"], data["remedy"] = cause_and_remedy(wizard.env, code)
        data["field"] = result.error.field or ""
        data["reply"] = str(result.error.reply or "")
        if wizard.provider_help_url and data["field"] in ("password", "login"):
            data["help_url"] = wizard.provider_help_url
    return data
