"""Messages that take several visits: what came of them is kept between."""

import psycopg2

from .transfer import counted

# Folders of a mailbox of which something is kept: a server may have thousands, and
# begin a large message in each.
_MOST_FOLDERS = 3


class Transfers:
    """Those of one mailbox. Nothing of what is kept can be read by anybody.

    :param dict row: the columns that the claim read, see ``mailbox_claims``
    """

    def __init__(self, env, row):
        self.env = env
        self.before = {
            folder["id"]: folder["transfer"]
            for folder in row["folders"] or ()
            if folder["transfer"]
        }

    def content(self, begun):
        """:return: bytes, b"" when there is no more"""
        self.env.cr.execute(
            "SELECT content FROM mail_external_part"
            " WHERE folder_id = %s AND message = %s AND position = %s",
            (begun.folder.id, begun.message, begun.position),
        )
        row = self.env.cr.fetchone()
        return bytes(row[0]) if row else b""

    def keep(self, part):
        """Of another message of this folder nothing is kept any more."""
        self.env.cr.execute(
            "DELETE FROM mail_external_part WHERE folder_id = %s AND message <> %s",
            (part.folder.id, part.message),
        )
        self.env.cr.execute(
            # None when the folder was removed meanwhile
            "INSERT INTO mail_external_part"
            " (folder_id, message, position, content, date)"
            " SELECT id, %s, %s, %s, now() AT TIME ZONE 'UTC'"
            "   FROM mail_external_folder WHERE id = %s"
            " ON CONFLICT (folder_id, message, position)"
            " DO UPDATE SET content = EXCLUDED.content",
            (
                part.message,
                part.position,
                psycopg2.Binary(part.content),
                part.folder.id,
            ),
        )
        self._keep_newest(part.folder)

    def _keep_newest(self, folder):
        """What is dropped is fetched from its beginning, if ever."""
        self.env.cr.execute(
            "DELETE FROM mail_external_part WHERE folder_id IN ("
            " SELECT p.folder_id FROM mail_external_part p"
            "   JOIN mail_external_folder f ON f.id = p.folder_id"
            "   JOIN mail_external_folder this ON this.account_id = f.account_id"
            "  WHERE this.id = %(id)s AND f.id <> %(id)s"
            "  GROUP BY p.folder_id ORDER BY max(p.date) DESC OFFSET %(others)s)",
            {"id": folder.id, "others": _MOST_FOLDERS - 1},
        )

    def count(self, held):
        """One more visit ended at this message."""
        transfer = counted(self.before.get(held.folder.id), held)
        self.env["mail.external.folder"].browse(held.folder.id).transfer = transfer

    def outdated(self, folder):
        """The folder got on: what earlier visits ended at is behind it."""
        if folder.id in self.before:
            self.forget(folder)

    def forget(self, folder):
        """The message came whole, or was given up."""
        if folder.id not in self.before:
            return
        self.env.cr.execute(
            "DELETE FROM mail_external_part WHERE folder_id = %s", (folder.id,)
        )
        self.env["mail.external.folder"].browse(folder.id).transfer = False
