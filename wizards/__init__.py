from . import mail_external_advice_mixin, mail_external_proof_mixin  # inherited below

# isort: split
from . import (
    mail_compose_message,
    mail_external_account_connect,
    mail_external_account_connect_check,
    mail_external_account_connect_folder,
    mail_external_account_connect_project,
)
