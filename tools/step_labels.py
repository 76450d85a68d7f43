"""The text of each line of the connection test."""

from ..mailkit.checks import Step


def step_label(wizard, step, result=None):
    """What a check is about; what it found, once it passed."""
    names = _names(wizard, result)
    passed = result and result.ok
    texts = (
        _passed(wizard.env, result.facts.get("seen"))
        if passed
        else _pending(wizard.env)
    )
    return texts[step] % names


def _names(wizard, result):
    facts = result.facts if result else {}
    kinds = dict(wizard._fields["incoming_protocol"]._description_selection(wizard.env))
    tls = facts.get("tls")
    return {
        "smtp": wizard.smtp_host or "",
        "smtp_port": wizard.smtp_port,
        "smtp_login": wizard.smtp_login or "",
        "kind": kinds[wizard.incoming_protocol],
        "incoming": wizard.incoming_host or "",
        "incoming_port": wizard.incoming_port,
        "incoming_login": wizard.incoming_login or "",
        "email": wizard.email or "",
        "count": facts.get("messages", 0),
        "tls": wizard.env._("%s, certificate valid", tls)
        if tls
        else wizard.env._("not encrypted"),
    }


def _pending(env):
    return {
        Step.SMTP_HOST: env._("Host %(smtp)s"),
        Step.SMTP_PORT: env._("Connection on port %(smtp_port)s"),
        Step.SMTP_LOGIN: env._("Sign-in as %(smtp_login)s"),
        Step.SMTP_SENDER: env._("Sending as %(email)s"),
        Step.INCOMING_HOST: env._("%(kind)s: host %(incoming)s"),
        Step.INCOMING_PORT: env._("%(kind)s: connection on port %(incoming_port)s"),
        Step.INCOMING_LOGIN: env._("%(kind)s: sign-in as %(incoming_login)s"),
        Step.INCOMING_LISTING: env._("%(kind)s: list of messages"),
        Step.ARRIVAL: env._("Mail to %(email)s arrives in this mailbox"),
        Step.ROUND_TRIP: env._("A mail that is sent from %(email)s"),
    }


def _passed(env, seen):
    return {
        Step.SMTP_HOST: env._("Host %(smtp)s found"),
        Step.SMTP_PORT: env._("Connected on port %(smtp_port)s, %(tls)s"),
        Step.SMTP_LOGIN: env._("Signed in as %(smtp_login)s"),
        Step.SMTP_SENDER: env._("The server accepts %(email)s as sender so far"),
        Step.INCOMING_HOST: env._("%(kind)s: host %(incoming)s found"),
        Step.INCOMING_PORT: env._(
            "%(kind)s: connected on port %(incoming_port)s, %(tls)s"
        ),
        Step.INCOMING_LOGIN: env._("%(kind)s: signed in as %(incoming_login)s"),
        Step.INCOMING_LISTING: env._(
            "%(kind)s: mailbox can be read, %(count)s messages"
        ),
        Step.ARRIVAL: env._("Mail to %(email)s arrives in this mailbox"),
        Step.ROUND_TRIP: _came_back(env, seen),
    }


def _came_back(env, seen):
    if seen:
        return env._("A mail sent from %(email)s came back with this sender")
    return env._(
        "A mail sent from %(email)s was accepted so far, but not seen again yet"
    )
