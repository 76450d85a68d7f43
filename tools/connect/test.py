"""The connection test behind the connect window: plain functions, no model.

Passwords exist here as plain text for the moment of a test; nothing here can be
reached by RPC or from a server action.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from odoo.exceptions import UserError

from ...mailkit import checks
from ...mailkit.connection.network import Deadline
from ...mailkit.connection.settings import Credentials, Protocol
from ...mailkit.errors import ErrorCode, MailError
from ...mailkit.imap.mailbox import ImapMailbox
from ...models.mail_external_connection_mixin import READ_PROTOCOLS
from .. import vault
from ..explanations import cause_and_remedy
from . import advice, guidance, probe, rights, round_trip, sign_in
from .turn import cancelled, connection_returned

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
# Mail that is sent in order to be found, see ``probe``.
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


def steps(window):
    """The checks that must pass before ``window`` may be saved, in order.

    Of another address of an account: its own ones only. That mail to an account's own
    address arrives in its mailbox is plain where the mailbox is opened by its name.
    """
    reads = window.incoming_protocol in READ_PROTOCOLS
    found = [checks.Step.SMTP_SENDER] if window.is_address_only else [*SMTP_STEPS]
    if reads and not window.is_address_only:
        found += INCOMING_STEPS
    if reads and (window.is_address_only or not _is_named_in_login(window)):
        if window.receive_replies:
            found.append(checks.Step.ARRIVAL)
        found.append(checks.Step.ROUND_TRIP)
    return tuple(found)


def offered(window):
    """The checks that may be run besides, of a mailbox that is read."""
    is_read = window.incoming_protocol in READ_PROTOCOLS
    return (checks.Step.ROUND_TRIP,) if is_read else ()


def _is_named_in_login(window):
    """Whether the mailbox is opened by the address's own name."""
    login, email = (window.incoming_login or "").lower(), (window.email or "").lower()
    provider = window.provider_id
    usual = provider._login_for(window.email) if provider and window.email else ""
    return login in (email, email.rpartition("@")[0], (usual or "").lower())


def passwords(window):
    """What was typed; else what the account has stored, if it may go there.

    None where people sign in with the mail service, see ``sign_in``.
    """
    if window.auth_method == "oauth2":
        return Passwords(None, None)
    smtp = _typed(window, "password_sealed", "password")
    if smtp is None:
        smtp = _stored(window, "smtp")
    incoming = _typed(window, "incoming_password_sealed", "incoming_password")
    if incoming is None:
        incoming = _typed(window, "password_sealed", "password")
    if incoming is None:
        incoming = _stored(window, "incoming")
    return Passwords(smtp, incoming)


def _typed(window, field, purpose):
    sealed = window.sudo()[field]
    if not sealed or window.is_address_only:
        return None  # what is tested is what the account sends with
    try:
        return vault.unseal(window.env, sealed, typed_context(window, purpose))
    except vault.UnsealError:
        return None


def typed_context(window, purpose):
    """What a typed password is bound to: this window of this user."""
    uuid = window.env["ir.config_parameter"].sudo().get_param("database.uuid")
    return (uuid, f"window:{window._origin.id}", f"user:{window.env.uid}", purpose)


def _stored(window, purpose):
    """The account's password, only when the window still means the same place."""
    account = window.account_id._origin.sudo()
    env = window.env
    if account.auth_method == "oauth2":
        return None
    if not (account and window._may_see()) or (
        vault.secret_context(env, window, purpose)
        != vault.secret_context(env, account, purpose)
    ):
        return None
    try:
        return vault.stored_credentials(env, account, purpose).password
    except vault.UnsealError:
        return None


def settings_fingerprint(window):
    """Keyed hash over everything that a test is about, the passwords included.

    Tokens change by themselves: in their place stands when somebody signed in.
    """
    secrets = passwords(window)
    if window.auth_method == "oauth2":
        grant = sign_in.current(window)
        secrets = (window.application_id.id, grant and f"{grant.id} {grant.hint}")
    return vault.fingerprint(
        window.env,
        (
            window.env.uid,
            window.email or "",
            window.allow_private_host,
            window.receive_replies,
            *vault.secret_context(window.env, window, "smtp"),
            *vault.secret_context(window.env, window, "incoming"),
            *("-" if secret is None else f"+{secret}" for secret in secrets),
        ),
    )


def seconds(window, step):
    """How long a check takes at the most, Odoo's own part of it included."""
    spare = 2.0
    if window.auth_method == "oauth2":
        # once more, where the token is refused
        spare += 2 * sign_in.SERVICE_SECONDS + NETWORK_SECONDS
    if step in [each.value for each in PROBE_STEPS]:
        # sending before, and taking it out of the mailbox afterwards
        return 2 * NETWORK_SECONDS + probe.ARRIVAL_SECONDS + spare
    sessions = 2 if step == checks.Step.INCOMING_LISTING.value else 1
    return sessions * NETWORK_SECONDS + spare


def check_step(window, step):
    """:raise AccessError: it is not for this user to test this
    :raise UserError: no such check; or it sends mail, and others come first, or the
        address can be nobody's
    """
    window._check_rights()
    if window.auth_method == "oauth2":
        sign_in.check_places(window)
    rights.check_sign_in(window)
    known = [each.value for each in dict.fromkeys((*steps(window), *offered(window)))]
    if step not in known:
        raise UserError(window.env._("There is no check named %s here.", step))
    if checks.Step(step) not in PROBE_STEPS:
        return
    window._check_address()
    before = {checks.Step(each) for each in known[: known.index(step)]}
    if before.intersection(untested(window)):
        raise UserError(window.env._("Let the checks before this one pass first."))


def done(window, step, line):
    """Do one check. A token of the account that is refused, though it should be good,
    is renewed once, as sending and reading do it.

    :param str step: value of ``mailkit.checks.Step``
    :param line: the one of the turn that was taken
    :return: (fingerprint of what was checked, and what ``_run`` returns)
    """
    outcome = _done(window, step, line)
    error = outcome[1].error
    refused = error is not None and error.code is ErrorCode.TOKEN_REFUSED
    is_probe = step in [each.value for each in PROBE_STEPS]
    if refused and not is_probe and sign_in.is_of_account(window):
        return _done(window, step, line, is_refused=True)
    return outcome


def _done(window, step, line, is_refused=False):
    is_token = window.auth_method == "oauth2"
    problem = sign_in.renew(window, is_refused) if is_token else None
    # again: what stands in the window may be another since the turn was taken
    check_step(window, step)
    fingerprint = settings_fingerprint(window)
    check = prepared(window, checks.Step(step), cancelled(line), problem)
    with connection_returned(window.env):
        return fingerprint, *check()


def prepared(window, step, is_cancelled, problem=None):
    """One check, ready to be run: it needs the database no more.

    :param mailkit.checks.Step step:
    :param is_cancelled: function: whether nobody waits for it any more
    :param problem: MailError for which it cannot be run if it signs in, or None
    :return: function without parameters, which returns what ``_run`` does
    """
    try:
        if problem and step in _WITH_SIGN_IN:
            raise problem
        if step in PROBE_STEPS:
            return _prepared_probe(window, step, is_cancelled)
        purpose = "smtp" if step in SMTP_STEPS else "incoming"
        target = vault.server(window, purpose, NETWORK_SECONDS)
        credentials = _credentials(window, step)
    except MailError as error:
        failed = checks.CheckResult(step, False, 0.0, {}, error)
        return lambda: (failed, ())
    return partial(_run, step, target, credentials, window.email or "")


def _prepared_probe(window, step, is_cancelled):
    """A mail is sent by Odoo now, or by the account later; then it is looked for."""
    mailbox = probe.Mailbox(
        vault.server(window, "incoming", NETWORK_SECONDS),
        _credentials(window, checks.Step.INCOMING_LISTING),
        tuple(path for path, _sent in window._read_folders()),
    )
    if step is checks.Step.ARRIVAL:
        sent = probe.send_from_odoo(window)
        return lambda: (probe.wait_for_arrival(mailbox, *sent, is_cancelled), ())
    # sudo: of an account that this user may connect
    own = window.account_id.sudo()._own_address().email
    email = window.email or ""
    recipient = email if window.receive_replies or not own else own
    letter = round_trip.letter(window, recipient, _reply_to(window))
    smtp = vault.server(window, "smtp", NETWORK_SECONDS)
    credentials = _credentials(window, checks.Step.SMTP_LOGIN)
    is_required = step in steps(window)
    return lambda: (
        round_trip.travel(
            *(smtp, credentials, recipient, letter, mailbox),
            is_cancelled=is_cancelled,
            may_be_late=is_required,
        ),
        (),
    )


def _reply_to(window):
    """Where answers to mail from the address go."""
    if window.receive_replies:
        return window.email
    company = (window.company_id or window.env.company).sudo()
    return company.catchall_email or company.email or window.email


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


def _credentials(window, step):
    """:raise MailError: a sign-in is to be tried, and there is no password for it"""
    smtp = step in SMTP_STEPS
    login = (window.smtp_login if smtp else window.incoming_login) or ""
    if step not in _WITH_SIGN_IN:
        return Credentials(login, "")
    if window.auth_method == "oauth2":
        return sign_in.credentials(window, "smtp" if smtp else "incoming")
    secrets = passwords(window)
    secret = secrets.smtp if smtp else secrets.incoming
    if secret is None:
        raise MailError(ErrorCode.LOGIN_REQUIRED, field="password")
    return Credentials(login, secret)


def results(window):
    """What the tests of exactly these settings gave.

    :return: dict: step -> its last line, whatever passed before
    """
    current = settings_fingerprint(window)
    lines = (
        window.env["mail.external.account.connect.check"]
        .sudo()
        .search([("wizard_id", "=", window._origin.id)], order="id")
    )
    return {
        line.step: line
        for line in lines
        if vault.same_fingerprint(line.fingerprint, current)
    }


def untested(window):
    """The steps that did not pass with exactly these settings, in order."""
    passed = {step for step, line in results(window).items() if line.ok}
    return [step for step in steps(window) if step.value not in passed]


# What the window shows


def told(window, result):
    """What the window shows of one check.

    :param mailkit.checks.CheckResult result:
    :return: dict: step, label, ok, milliseconds, cause, remedy, field, reply; for one
        that failed steps (list of str), and help_url where there is one; of a mail to
        oneself notes (see ``advice.of_round_trip``) and warns: whether one of them is a
        warning
    """
    data = {
        "step": result.step.value,
        "label": step_label(window, result.step, result),
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
            code = _what_is_needed(window)
        data["cause"], data["remedy"] = cause_and_remedy(window.env, code)
        data["field"] = result.error.field or ""
        data["reply"] = str(result.error.reply or "")
        data["steps"] = guidance.after(window, result)
        help_url = guidance.service(window)._help_link()
        if help_url and (data["steps"] or data["field"] in ("password", "login")):
            data["help_url"] = help_url
    if result.step is checks.Step.ROUND_TRIP:
        notes = advice.of_round_trip(window, result)
        data.update(notes=notes, warns=any(note["warns"] for note in notes))
    return data


def _what_is_needed(window):
    """Which of ``explanations.TEXTS`` says that there is nothing to sign in with."""
    if window.auth_method != "password":
        return "sign_in_needed"
    return "secret_needed" if window.account_id else "password_needed"


def step_label(window, step, result=None):
    """What a check is about; what it found, once it passed."""
    names = _names(window, result)
    passed = result and result.ok
    texts = (
        _passed(window.env, result.facts.get("seen"))
        if passed
        else _pending(window.env)
    )
    return texts[step] % names


def _names(window, result):
    facts = result.facts if result else {}
    kinds = dict(window._fields["incoming_protocol"]._description_selection(window.env))
    tls = facts.get("tls")
    return {
        "smtp": window.smtp_host or "",
        "smtp_port": window.smtp_port,
        "smtp_login": window.smtp_login or "",
        "kind": kinds[window.incoming_protocol],
        "incoming": window.incoming_host or "",
        "incoming_port": window.incoming_port,
        "incoming_login": window.incoming_login or "",
        "email": window.email or "",
        "count": facts.get("messages", 0),
        "tls": window.env._("%s, certificate valid", tls)
        if tls
        else window.env._("not encrypted"),
    }


def _pending(env):
    return {
        checks.Step.SMTP_HOST: env._("Host %(smtp)s"),
        checks.Step.SMTP_PORT: env._("Connection on port %(smtp_port)s"),
        checks.Step.SMTP_LOGIN: env._("Sign-in as %(smtp_login)s"),
        checks.Step.SMTP_SENDER: env._("Sending as %(email)s"),
        checks.Step.INCOMING_HOST: env._("%(kind)s: host %(incoming)s"),
        checks.Step.INCOMING_PORT: env._(
            "%(kind)s: connection on port %(incoming_port)s"
        ),
        checks.Step.INCOMING_LOGIN: env._("%(kind)s: sign-in as %(incoming_login)s"),
        checks.Step.INCOMING_LISTING: env._("%(kind)s: list of messages"),
        checks.Step.ARRIVAL: env._("Mail to %(email)s arrives in this mailbox"),
        checks.Step.ROUND_TRIP: env._("A mail that is sent from %(email)s"),
    }


def _passed(env, seen):
    return {
        checks.Step.SMTP_HOST: env._("Host %(smtp)s found"),
        checks.Step.SMTP_PORT: env._("Connected on port %(smtp_port)s, %(tls)s"),
        checks.Step.SMTP_LOGIN: env._("Signed in as %(smtp_login)s"),
        checks.Step.SMTP_SENDER: env._("The server accepts %(email)s as sender so far"),
        checks.Step.INCOMING_HOST: env._("%(kind)s: host %(incoming)s found"),
        checks.Step.INCOMING_PORT: env._(
            "%(kind)s: connected on port %(incoming_port)s, %(tls)s"
        ),
        checks.Step.INCOMING_LOGIN: env._("%(kind)s: signed in as %(incoming_login)s"),
        checks.Step.INCOMING_LISTING: env._(
            "%(kind)s: mailbox can be read, %(count)s messages"
        ),
        checks.Step.ARRIVAL: env._("Mail to %(email)s arrives in this mailbox"),
        checks.Step.ROUND_TRIP: _came_back(env, seen),
    }


def _came_back(env, seen):
    if seen:
        return env._("A mail sent from %(email)s came back with this sender")
    return env._(
        "A mail sent from %(email)s was accepted so far, but not seen again yet"
    )
