from odoo import models

from ..tools import vault
from ..tools.message_builder import envelope_form


class MailExternalArrival(models.Model):
    """Delivery reports: which of our mails came back, to whom, and why."""

    _inherit = "mail.external.arrival"

    def _mark_bounced(self, report):
        """Mark the recipients that a report tells of, if they are ours.

        A report proves nothing: it counts for a recipient whom this very mail was
        sent to through this account, and for nobody else.

        :param report: ``mailkit.reports.Report``
        """
        rows = self.env["mail.external.delivery"].search(
            [
                ("message_id_header", "in", self._reported_ids(report)),
                ("account_id", "=", self.account_id.id),
            ]
        )
        found = False
        for told in report.failed:
            addresses = {
                envelope_form(address).lower()
                for address in (told.original, told.final)
                if address
            }
            for row in rows.filtered(lambda r, a=addresses: r.recipient.lower() in a):
                row._came_back(told.diagnostic or report.text, told.status)
                found = True
        if not found:
            self.kind = "ignored"
        self.mail_message_id = rows.mail_message_id[:1]

    def _reported_ids(self, report):
        """Message-IDs of the mail that is reported about, also by our own mark."""
        ids = set(report.original.ids)
        headers = report.original.headers
        if headers is not None:
            ids.update((*headers.references, headers.odoo_message_id))
            for signer in vault.signers(self.env):
                marks = signer.in_headers(headers).values()
                sent = self.env["mail.message"].browse(m.message_id for m in marks)
                ids.update(sent.exists().mapped("message_id"))
        return list(ids)
