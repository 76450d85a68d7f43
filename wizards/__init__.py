# before what inherits them
from . import mail_external_discovery_mixin, mail_external_proof_mixin

# isort: split
from . import (
    mail_compose_message,
    mail_external_account_connect,
    mail_external_account_connect_check,
    mail_external_account_connect_folder,
    mail_external_account_connect_project,
)
