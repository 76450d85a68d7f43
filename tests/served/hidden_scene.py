"""Two external addresses that nothing shows: Anna's own, and one for Anna alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import steps
from site_setup import KINDS, Attackers, Site

#: Anna's own, which no message has left from, and a company's for Anna alone.
HIDDEN = "hidden@brand-a.test"
BOARD = "board@brand-b.test"
PASSWORD = "сир/Käse+quiet-9Zr"
SIGNS = (HIDDEN, BOARD, "hidden sender", "hidden board")
MANAGERS = ("manager", "admin")
OUTSIDERS = tuple(kind for kind in KINDS if kind not in MANAGERS)


@dataclass
class HiddenScene:
    site: Site
    attackers: Attackers
    hidden: int
    board: int
    binding: int

    def accounts(self) -> tuple[int, int]:
        """The accounts behind the two."""
        odoo = self.site.odoo
        return steps.account_of(odoo, self.hidden), steps.account_of(odoo, self.board)

    def stored(self) -> list[tuple[Any, ...]]:
        """All that the database holds about the two, and who may use them."""
        addresses, accounts = (self.hidden, self.board), self.accounts()
        rows = []
        for table, column, ids in (
            ("mail_external_account", "id", accounts),
            ("mail_external_address", "account_id", accounts),
            ("mail_external_address", "id", addresses),
            ("mail_external_address_project", "address_id", addresses),
            ("mail_external_address_user_rel", "mail_external_address_id", addresses),
            ("mail_external_secret", "account_id", accounts),
        ):
            rows += steps.sql(
                self.site.odoo,
                f"SELECT * FROM {table} WHERE {column} IN %s"  # noqa: S608
                " ORDER BY 1, 2",
                ids,
            )
        return rows


@pytest.fixture(scope="module")
def hidden(site: Site) -> Iterator[HiddenScene]:
    site.remove_accounts()
    steps.forget_tests(site.odoo)
    for address in (HIDDEN, BOARD):
        site.bed.add_mailbox(address, PASSWORD)
    own = steps.connect(
        site.anna,
        HIDDEN,
        PASSWORD,
        sender_name="hidden sender",
        projects=((site.ids["project_brand_a"], True),),
    )
    board = steps.connect(
        site.admin,
        BOARD,
        PASSWORD,
        company=True,
        sender_name="hidden board",
        allowed_user_ids=[[6, 0, [site.anna.uid]]],
    )
    [binding] = site.anna.call(
        f"{steps.ADDRESS}.project", "search", [("address_id", "=", own)]
    )
    yield HiddenScene(site, site.attackers, own, board, binding)
    site.remove_accounts()
