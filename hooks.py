"""What is done when the addon is loaded, and when it is uninstalled."""

import logging

from .tools.oauth2 import quiet_logs

# Models whose methods are given secrets that somebody has typed.
TOLD_SECRETS = ("mail.external.account.connect", "mail.external.application")


class _WithoutArguments(logging.Filter):
    """Leaves away the arguments of calls on models that are told secrets.

    At level DEBUG, ``odoo/service/model.py`` logs every remote call with its arguments,
    passwords among them. Such logs get copied into support requests.
    """

    def filter(self, record):
        called, *rest = record.args if isinstance(record.args, tuple) else [None]
        if getattr(called, "_name", None) in TOLD_SECRETS and len(rest) == 2:
            record.args = (called, rest[0], "...")
        return True


def post_load():
    """What is typed as a password or secret stays out of Odoo's debug log."""
    logging.getLogger("odoo.service.model").addFilter(_WithoutArguments())
    quiet_logs.install()


def uninstall_hook(env):
    """What waits for external addresses must not leave in another name."""
    # What people are told meanwhile is left to Odoo's own queue, for afterwards.
    env = env(context={**env.context, "mail_notify_force_send": False})
    reason = env._(
        "Not sent: external addresses were uninstalled while this mail was waiting."
    )
    env["mail.scheduled.message"]._give_back_external(reason)
    addresses = env["mail.external.address"].with_context(active_test=False).search([])
    env["mail.mail"]._external_fail_waiting(addresses, reason)
    addresses.filtered("active").active = False
    env["mail.message.schedule"]._tell_of_external()
    # Deleted so, sign-ins end at the mail services, too.
    env["mail.external.secret"].search([]).unlink()
    env["mail.external.account.connect.sign.in"].search([]).unlink()
    # Settings that were entered belong to no module's data.
    env["ir.config_parameter"].search(
        [("key", "=like", "mail_external_account.%")]
    ).unlink()
