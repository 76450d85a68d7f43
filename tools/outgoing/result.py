"""What became of a mail's recipients, as the chatter shows it."""

from typing import NamedTuple

from ...mailkit.errors import ErrorCode
from ..explanations import reason_text


class RecipientResult(NamedTuple):
    """What became of one recipient: "sent", "retry" or "failed"."""

    state: str
    code: str = ""
    reply: str = ""
    next_try: object = False  # datetime, for "retry"


_WORST_FIRST = ("failed", "retry", "sent")


def _by_partner(results):
    """One result a partner: the worst, when they have several addresses."""
    worst = {}
    for partner, addresses, result in results:
        key = partner or tuple(addresses)
        known = worst.get(key)
        if known is None or _WORST_FIRST.index(result.state) < _WORST_FIRST.index(
            known[2].state
        ):
            worst[key] = (partner, addresses, result)
    return list(worst.values())


class MailResult:
    """Writes what became of the recipients of one mail.

    :param mail: one mail.mail
    :param results: list of (partner or empty recordset, [address], RecipientResult)
    """

    def __init__(self, mail, results):
        lang = mail.mail_message_id.create_uid.lang
        self.env = mail.with_context(lang=lang).env
        self.mail = mail.with_env(self.env)
        self.results = _by_partner(results)

    def apply(self):
        mail = self.mail
        notifications = self.env["mail.notification"].search(
            [("mail_mail_id", "=", mail.id), ("notification_type", "=", "email")]
        )
        messages = mail.mail_message_id
        waiting = [r for r in self.results if r[2].state == "retry"]
        if waiting:
            result = waiting[0][2]
            mail.write(
                {
                    "external_next_try": min(r[2].next_try for r in waiting),
                    "failure_reason": self._reason(result),
                }
            )
        else:
            self._finish()
        for partner, addresses, result in self.results:
            of_recipient = notifications.exists().filtered(
                lambda n, p=partner, a=addresses: (
                    n.res_partner_id == p if p else n.mail_email_address in a
                )
            )
            of_recipient.write(self._notification_values(result))
        messages.exists()._notify_message_notification_update()

    def _finish(self):
        failed = [r for r in self.results if r[2].state == "failed"]
        if not self.results:
            failed = [(None, [], RecipientResult("failed", "mail_email_missing"))]
        values = {"state": "sent", "failure_type": False, "failure_reason": False}
        if failed:
            result = failed[0][2]
            values = {
                "state": "exception",
                "failure_type": self._failure_type(result),
                "failure_reason": self._reason(result),
            }
        self.mail.write(values)
        sent = [r for r in self.results if r[2].state == "sent"]
        self.mail._postprocess_sent_message(
            success_pids=[partner for partner, _a, _o in sent if partner],
            success_emails=[a for p, addresses, _o in sent if not p for a in addresses],
            failure_reason=values["failure_reason"],
            # core deletes mails with some types of failure; they could not be retried
            failure_type="unknown" if failed else None,
        )

    def _notification_values(self, result):
        if result.state == "sent":
            return {
                "notification_status": "sent",
                "failure_type": "",
                "failure_reason": "",
            }
        if result.state == "retry":
            return {
                "notification_status": "ready",
                "failure_reason": self._reason(result),
            }
        return {
            "notification_status": "exception",
            "failure_type": self._failure_type(result),
            "failure_reason": self._reason(result),
        }

    def _reason(self, result):
        return reason_text(self.env, result.code, result.reply)

    def _failure_type(self, result):
        return {
            "mail_email_missing": "mail_email_missing",
            "mail_email_invalid": "mail_email_invalid",
            ErrorCode.RECIPIENT_UNKNOWN.value: "mail_email_invalid",
            ErrorCode.CONTENT_REFUSED.value: "mail_spam",
            ErrorCode.SENDER_REFUSED.value: "mail_from_invalid",
        }.get(result.code, "unknown")
