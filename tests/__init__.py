from . import (
    test_accounts,
    test_connect,
    test_demo,
    test_js,
    test_posting,
    test_queries,
    test_rights,
    test_send_again,
    test_sender_scale,
    test_vault,
)
