from ..tools.connect.saving import _move_values
from .common import IntakeCase

NOBODY = "undisclosed-recipients:;"


class WrittenToCase(IntakeCase):
    """One mailbox of the company with four addresses; ``boss`` is the manager's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reads = {"receive_replies": True}
        cls.info = cls.address("info@shop.example", incoming_protocol="imap", **reads)
        cls.account = cls.info.account_id
        reads["account_id"] = cls.account.id
        cls.sales = cls.address("sales@shop.example", **reads)
        cls.support = cls.address("support@shop.example", **reads)
        cls.boss = cls.address(
            "boss@shop.example", allowed_user_ids=cls.manager.ids, **reads
        )
        # The firm's new provider, where an address may move to.
        cls.new = cls.address(
            "new@shop.example",
            incoming_protocol="imap",
            **reads | {"account_id": False},
        )

    def move(self, address):
        """As the connect window does it."""
        account = self.new.account_id
        values = _move_values(address, account)
        address.write({**values, "account_id": account.id})

    def arrival(self, **values):
        """The newest row of the ledger."""
        arrivals = self.env["mail.external.arrival"]
        return arrivals.search([], order="id desc", limit=1)
