"""What is being judged, for the case that Odoo does not survive it.

A mailbox is claimed with the number of a run, so the next run sees that one ended while
it was reading. From then on each message is marked before it is judged, until the
mailbox was read to its end.
"""

import json

from . import requests as visit

# So often may Odoo end while it judges one and the same message.
CRASHES = 3


class Marks:
    """Those of one mailbox.

    :param account: mail.external.account in superuser mode
    :param dict row: the columns that the claim read, see ``mailbox_claims``
    """

    def __init__(self, account, row):
        self._account, self._env = account, account.env
        self._careful = bool(row["crashes"])
        self._last = row["judging"] or {}
        self._marked = False

    def wanted(self, asked):
        """Whether ``asked`` has to be marked first, in a transaction of its own."""
        one = isinstance(asked, visit.Seen) and len(asked.names) == 1
        return self._careful and (one or isinstance(asked, visit.Whole))

    def is_suspect(self, asked):
        """Whether Odoo ended too often while it judged this."""
        return self.wanted(asked) and self._count(asked) >= CRASHES

    def mark(self, asked):
        """The caller commits."""
        self._write(json.dumps({**_key(asked), "count": self._count(asked) + 1}))
        self._marked = True

    def clear(self):
        if self._marked:
            self._write(None)
            self._marked = False

    def _count(self, asked):
        same = {**self._last, **_key(asked)} == self._last
        return self._last["count"] if same else 0

    def _write(self, value):
        self._env.cr.execute(
            "UPDATE mail_external_mailbox SET judging = %s WHERE account_id = %s",
            (value, self._account.id),
        )


def _key(asked):
    name = asked.name if isinstance(asked, visit.Whole) else asked.names[0]
    return {"folder": asked.folder.id, "name": name}
