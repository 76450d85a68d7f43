from . import (
    mail_external_account_connect,
    mail_external_account_connect_check,
    mail_external_account_connect_presets,
    mail_external_account_connect_proof,
    mail_external_account_connect_reading,
    mail_external_account_connect_save,
)
