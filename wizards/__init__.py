from . import (
    mail_compose_message,
    mail_external_account_connect,
    mail_external_account_connect_check,
    mail_external_account_connect_claims,
    mail_external_account_connect_guard,
    mail_external_account_connect_name,
    mail_external_account_connect_presets,
    mail_external_account_connect_proof,
    mail_external_account_connect_reading,
    mail_external_account_connect_save,
    mail_external_account_connect_turn,
)
