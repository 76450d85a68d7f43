import psycopg2
from odoo import api, fields, models

# A message that takes longer is begun anew.
KEEP_PARTS_DAYS = 7
# Folders of a mailbox of which something is kept: a server may have thousands, and
# begin a large message in each.
_MOST_FOLDERS = 3


class MailExternalPart(models.Model):
    """What came of a message that takes several visits; gone once it is whole.

    In the table itself: nothing is left when the row goes with its folder.
    """

    _name = "mail.external.part"
    _description = "Part of a Message That Is Being Fetched"
    _log_access = False

    folder_id = fields.Many2one(
        "mail.external.folder", required=True, readonly=True, ondelete="cascade"
    )
    message = fields.Char(required=True, readonly=True)
    position = fields.Integer(required=True, readonly=True)
    # written and read by SQL only
    content = fields.Binary(attachment=False, readonly=True, groups=fields.NO_ACCESS)
    date = fields.Datetime(readonly=True, index=True)

    _once = models.UniqueIndex("(folder_id, message, position)")

    @api.model
    def _content(self, folder_id, message, position):
        """:return: bytes, b"" when there is no more"""
        self.env.cr.execute(
            "SELECT content FROM mail_external_part"
            " WHERE folder_id = %s AND message = %s AND position = %s",
            (folder_id, message, position),
        )
        row = self.env.cr.fetchone()
        return bytes(row[0]) if row else b""

    @api.model
    def _keep(self, folder_id, message, position, content):
        """Of another message of this folder nothing is kept any more."""
        self.env.cr.execute(
            "DELETE FROM mail_external_part WHERE folder_id = %s AND message <> %s",
            (folder_id, message),
        )
        self.env.cr.execute(
            # None when the folder was removed meanwhile
            "INSERT INTO mail_external_part"
            " (folder_id, message, position, content, date)"
            " SELECT id, %s, %s, %s, now() AT TIME ZONE 'UTC'"
            "   FROM mail_external_folder WHERE id = %s"
            " ON CONFLICT (folder_id, message, position)"
            " DO UPDATE SET content = EXCLUDED.content",
            (message, position, psycopg2.Binary(content), folder_id),
        )
        # What is dropped is fetched from its beginning, if ever.
        self.env.cr.execute(
            "DELETE FROM mail_external_part WHERE folder_id IN ("
            " SELECT p.folder_id FROM mail_external_part p"
            "   JOIN mail_external_folder f ON f.id = p.folder_id"
            "   JOIN mail_external_folder this ON this.account_id = f.account_id"
            "  WHERE this.id = %(id)s AND f.id <> %(id)s"
            "  GROUP BY p.folder_id ORDER BY max(p.date) DESC OFFSET %(others)s)",
            {"id": folder_id, "others": _MOST_FOLDERS - 1},
        )

    @api.model
    def _forget(self, folder_id):
        """Its message is whole, or given up."""
        self.env.cr.execute(
            "DELETE FROM mail_external_part WHERE folder_id = %s", (folder_id,)
        )

    @api.autovacuum
    def _gc_old_parts(self):
        """Of messages that nobody goes on fetching, they were deleted perhaps."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_PARTS_DAYS)
        self.search([("date", "<", limit)], limit=10_000).unlink()
