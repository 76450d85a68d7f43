from odoo import api, fields, models

# A message that takes longer is begun anew.
KEEP_PARTS_DAYS = 7


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

    @api.autovacuum
    def _gc_old_parts(self):
        """Of messages that nobody goes on fetching, they were deleted perhaps."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_PARTS_DAYS)
        self.search([("date", "<", limit)], limit=10_000).unlink()
