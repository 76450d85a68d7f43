from . import (
    test_accounts,
    test_connect,
    test_demo,
    test_full_composer,
    test_js,
    test_layout,
    test_posting,
    test_queries,
    test_rights,
    test_send_again,
    test_vault,
)
