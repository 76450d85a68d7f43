from odoo.tests import new_test_user

from .common import IntakeCase

STRANGER = "Max <max@stranger.example>"


class HearersCase(IntakeCase):
    """A third customer and a colleague who have no part in the conversation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.third = cls.env["res.partner"].create(
            {"name": "Theo", "email": "theo@customer.example"}
        )
        cls.eve = new_test_user(
            cls.env,
            "ext_eve",
            "base.group_user,project.group_project_user",
            name="Eve",
            email="eve@corp.example",
        )

    def followers(self):
        self.task.invalidate_recordset(["message_follower_ids", "message_partner_ids"])
        return self.task.message_partner_ids

    def told(self, message):
        message.invalidate_recordset(["notified_partner_ids"])
        return message.notified_partner_ids

    def suggested(self):
        self.task.invalidate_recordset()
        return {
            recipient["email"]
            for recipient in self.task._message_get_suggested_recipients(
                reply_discussion=True
            )
        }
