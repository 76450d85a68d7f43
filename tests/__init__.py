from . import (
    test_accounts,
    test_automatic_mail,
    test_connect,
    test_demo,
    test_js,
    test_lifecycle,
    test_posting,
    test_queries,
    test_rights,
    test_send_again,
    test_sender_rules,
    test_vault,
)
