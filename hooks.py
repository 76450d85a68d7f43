def uninstall_hook(env):
    """Waiting mail of external addresses must not leave in another name."""
    accounts = env["mail.external.account"].with_context(active_test=False).search([])
    accounts._fail_waiting_mails(
        env._(
            "Not sent: external addresses were uninstalled while this mail was waiting."
        )
    )
    # Settings that were entered belong to no module's data.
    env["ir.config_parameter"].search(
        [("key", "=like", "mail_external_account.%")]
    ).unlink()
