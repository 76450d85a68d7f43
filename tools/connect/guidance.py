"""What people do at their mail service, step by step: before the first test, and when
the server's answer asks for it.

The steps are those of the preset (``mail.external.provider``); where it has none, what
is usual at mail services. Plain functions; ``window`` is the one connect window.
"""

from markupsafe import Markup
from odoo.tools import format_date

from ...mailkit import checks
from ...mailkit.errors import ErrorCode
from ...models.mail_external_connection_mixin import READ_PROTOCOLS

# Answers that ask for an app password where the service has such.
_PASSWORD_CODES = {ErrorCode.APP_PASSWORD_REQUIRED, ErrorCode.LOGIN_REFUSED}
# Access by programs is switched off in the mailbox's settings.
_ACCESS_CODES = {ErrorCode.LOGIN_DISABLED, ErrorCode.LISTING_FAILED}
# Another port may be open where this one is not.
_WAY_CODES = {ErrorCode.PORT_REFUSED, ErrorCode.UNREACHABLE, ErrorCode.TIMEOUT}


def before(window):
    """What has to be done at the service before the first test, as HTML."""
    env, provider = window.env, window.provider_id
    if not provider:
        return False
    parts = []
    if window.auth_method == "password":
        if text := _words_before(window):
            parts.append(Markup("<p><strong>%s</strong></p>") % text)
        title = (
            env._("To get an app password:")
            if provider.app_password == "required"  # noqa: S105
            else env._("With two-factor sign-in, to get an app password:")
        )
        parts.append(_list(window, title, provider._steps("app_password_steps")))
    title = env._("To allow sending:")
    parts.append(_list(window, title, provider._steps("admin_steps")))
    if _reads(window) and not _is_same(provider):
        title = env._("To switch on IMAP or POP3:")
        parts.append(_list(window, title, provider._steps("access_steps")))
    return Markup("").join(parts) or False


def _reads(window):
    """Whether the mailbox is read, and can be with what the window signs in with."""
    provider = window.provider_id
    takes = provider.password_works and provider.password_reads
    return window.incoming_protocol in READ_PROTOCOLS and (
        takes or window.auth_method != "password"
    )


def _is_same(provider):
    """Whether the way to an app password switches on access as well."""
    return provider.access_steps and (
        provider.access_steps == provider.app_password_steps
    )


def _words_before(window):
    """What is to be known of passwords there, and what to do about it."""
    env, provider = window.env, window.provider_id
    if provider.oauth_kind and not provider.password_works:
        return ""  # there is no field for one, and it is said in its place
    text = password_words(env, provider)
    if not provider.password_works or provider.password_reads:
        return text
    if window.incoming_protocol not in READ_PROTOCOLS:
        return text
    return f"{text} " + env._(
        "To use a password all the same, switch off “Receive replies”: then answers go "
        "to Odoo's own address."
    )


def _list(window, title, steps):
    """Steps, folded where one's own sign-in is offered: most need none of them."""
    if not steps:
        return Markup("")
    lines = Markup("").join(Markup("<li>%s</li>") % step for step in steps)
    text = Markup('<p class="mb-1">%s</p><ol class="mb-2">%s</ol>')
    if window.sign_in_service:
        text = Markup(
            '<details class="mb-1"><summary>%s</summary><ol>%s</ol></details>'
        )
    return text % (title, lines)


def after(window, result):
    """What to do when a check failed.

    :param mailkit.checks.CheckResult result:
    :return: list of str, in order; empty where cause and remedy say it all
    """
    code, provider = result.error.code, service(window)
    if code is ErrorCode.SMTP_AUTH_DISABLED:
        return provider._steps("admin_steps")
    if code is ErrorCode.OAUTH_REQUIRED:
        return _sign_in_steps(window, provider)
    if code in _WAY_CODES:
        return _other_ways(window, provider, result.step)
    if code in _ACCESS_CODES:
        return provider._steps("access_steps") or _usual_access(window.env)
    if code not in _PASSWORD_CODES or window.auth_method != "password":
        return []
    if provider.oauth_kind and not _takes_password(provider, result.step):
        return [*_sign_in_steps(window, provider), *_without_reading(window, result)]
    if code is ErrorCode.LOGIN_REFUSED and provider.app_password in (False, "no"):
        return []  # it is just a wrong one
    return provider._steps("app_password_steps") or _usual_app_password(window.env)


def service(window):
    """The window's preset; where none with servers was chosen, that of its host."""
    if window.provider_id.smtp_host:
        return window.provider_id
    found = window.provider_id._find_for_server(window.smtp_host, window.email)
    return found or window.provider_id


def password_words(env, provider):
    """What is to be known about passwords at a service that gives them up.

    :return: a sentence or two; "" where passwords go on working, or nothing is known
    """
    if not provider:
        return ""
    if not provider.password_works:
        return env._("%s takes no passwords from programs any more.", provider.name)
    parts = []
    if not provider.password_reads:
        parts.append(
            env._("With a password mail can be sent here, but no mailbox be read.")
        )
    if provider.password_ends:
        parts.append(
            env._(
                "%(service)s takes passwords until %(date)s.",
                service=provider.name,
                date=format_date(env, provider.password_ends),
            )
        )
    return " ".join(parts)


def _takes_password(provider, step):
    reads = step.value.startswith("incoming_") or step in (
        checks.Step.ARRIVAL,
        checks.Step.ROUND_TRIP,
    )
    return provider.password_works and (provider.password_reads or not reads)


def _sign_in_steps(window, provider):
    env = window.env
    if not provider.oauth_kind:
        return _usual_app_password(env)
    kind, steps = provider._sign_in_name(), []
    if provider != window.provider_id:
        steps.append(env._("As mail service choose “%s” above.", provider.name))
    if not provider._application(window.company_id or window.user_id.company_id):
        steps.append(
            env._(
                "Ask your administrator to set up the sign-in with %s once, under "
                "External Addresses > Sign-In Applications.",
                kind,
            )
        )
    return [
        *steps,
        env._("Choose “Sign in with %s” and sign in with this address.", kind),
        env._("Test the account again."),
    ]


def _without_reading(window, result):
    if not result.step.value.startswith("incoming_"):
        return []
    return [
        window.env._(
            "Or switch off “Receive replies”: then answers go to Odoo's own address."
        )
    ]


def _other_ways(window, provider, step):
    """Another port of the service than the one that does not answer."""
    env = window.env
    if not provider:
        return []
    protocol = "smtp"
    if step.value.startswith("incoming_"):
        protocol = window.incoming_protocol
    names = dict(window._fields["smtp_security"]._description_selection(env))
    host = window.smtp_host if protocol == "smtp" else window.incoming_host
    port = window.smtp_port if protocol == "smtp" else window.incoming_port
    others = [
        server
        for server in provider._servers(protocol)
        if (server.host, server.port) != ((host or "").lower(), port)
    ]
    return [
        env._(
            "Under “Server Settings” try %(host)s, port %(port)s, %(security)s.",
            host=server.host,
            port=server.port,
            security=names[server.security],
        )
        for server in others[:2]
    ]


def _usual_app_password(env):
    return [
        env._(
            "Open your mailbox in the browser and go to the account's security page."
        ),
        env._("Switch on two-factor sign-in, where app passwords need it."),
        env._("Make an app password with the name “Odoo” and copy it."),
        env._("Enter it here instead of your usual password, and test again."),
    ]


def _usual_access(env):
    return [
        env._("Open your mailbox in the browser and go to its settings."),
        env._("Look for IMAP, POP3 or “mail programs”, and switch access on."),
        env._("Wait some minutes, then test again."),
    ]
