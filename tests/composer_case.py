from datetime import timedelta

from odoo import fields

from .common import ExternalAccountCase


class ComposerCase(ExternalAccountCase):
    def composer(self, user, records=None, **values):
        """The full composer as the client opens it for ``records``."""
        context = {f"default_{name}": value for name, value in values.items()}
        records = self.task if records is None else records
        model = self.env["mail.compose.message"].with_user(user)
        return model.with_context(
            default_model=records._name,
            default_res_ids=records.ids,
            **({"default_subtype_xmlid": "mail.mt_comment"} | context),
        )

    def template(self, **values):
        return self.env["mail.template"].create(
            {
                "name": "T",
                "model_id": self.env["ir.model"]._get_id("project.task"),
                "subject": "S",
                "body_html": "<p>From the template</p>",
                **values,
            }
        )

    def senders(self, composer):
        return [row["id"] for row in composer.external_sender_options or []]


class ScheduledCase(ComposerCase):
    def scheduled(self, user, **values):
        composer = self.composer(user).create(
            {
                "body": "<p>Later</p>",
                "scheduled_date": fields.Datetime.now() + timedelta(hours=1),
                **values,
            }
        )
        return composer._action_schedule_message()

    def cron(self, scheduled):
        self.env.cr.execute(
            "UPDATE mail_scheduled_message SET scheduled_date = %s WHERE id IN %s",
            (fields.Datetime.now() - timedelta(minutes=1), scheduled._ids),
        )
        self.env.invalidate_all()
        self.env["mail.scheduled.message"]._post_messages_cron()
