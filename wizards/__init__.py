from . import mail_external_proof_mixin  # before what inherits it

# isort: split
from . import (
    mail_compose_message,
    mail_external_account_connect,
    mail_external_account_connect_check,
    mail_external_account_connect_folder,
    mail_external_account_connect_project,
)
