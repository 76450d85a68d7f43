from . import (  # before what inherits them
    mail_external_advice_mixin,
    mail_external_discovery_mixin,
    mail_external_oauth_mixin,
    mail_external_proof_mixin,
    mail_external_service_mixin,
)

# isort: split
from . import (
    mail_compose_message,
    mail_external_account_connect,
    mail_external_account_connect_check,
    mail_external_account_connect_folder,
    mail_external_account_connect_project,
    mail_external_account_connect_sign_in,
    mail_external_import,
    mail_external_import_line,
)
