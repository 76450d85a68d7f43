"""A company's accounts that somebody opened with their own sign-in."""


def withdraw_lost(env):
    """Stop those whose people have left, in whatever way: archived, become customers,
    or no more in the company. For who sends and reads, before anything is done.

    Commits nothing.

    :param env: of superuser mode
    """
    accounts = env["mail.external.account"].search([("sign_in_user_id", "!=", False)])
    for account in accounts:
        person = account.sign_in_user_id
        works_there = account.company_id in person.company_ids
        if not (person.active and not person.share and works_there):
            account._withdraw_sign_in()
