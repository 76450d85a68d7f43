"""What a visit to a mailbox brought, and when the next one comes."""

from dataclasses import dataclass, field

from ..outgoing.session import SIGN_IN_CODES

# Minutes until the next look: soon after something came or was sent, later when quiet.
SOON, LATE = 1, 10
_RETRY_MINUTES = (1, 2, 5, 10, 20, 30)


@dataclass(frozen=True)
class Progress:
    """What was done in a mailbox; put back when a transaction fails.

    ``octets``: what came of a message that is not whole yet. ``states``: id of a
    folder -> its state, as it was kept last.
    """

    answers: int = 0
    unrelated: int = 0
    octets: int = 0
    states: dict[int, dict] = field(default_factory=dict)

    @property
    def is_some(self):
        return bool(self.answers or self.unrelated or self.octets or self.states)


class VisitEnd:
    """The end of a visit to one mailbox.

    :param account: mail.external.account in superuser mode
    :param row: the columns that the claim read, see ``mailbox_claims``
    """

    def __init__(self, account, row):
        self.account = account
        self.env = account.env
        self.row = row
        self.progress = Progress()

    @property
    def is_troubled(self):
        """Whether its server was slow or failed the last time."""
        return bool(self.row["attempts"] or self.row["cuts"])

    def finish(self, error):
        """Say when to look again: one write.

        :param error: MailError, or None when all went well
        """
        if error is None:
            self._finish_well()
        elif error.code in SIGN_IN_CODES:
            self.account._stop_reading(error.code.value, str(error.reply or ""))
        else:
            attempts = (self.row["attempts"] or 0) + 1
            minutes = _RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES)) - 1]
            self._write(
                minutes,
                attempts=attempts,
                failure_code=error.code.value,
                failure_reply=str(error.reply or "") or None,
                **self._counts(),
            )

    def put_back(self):
        """The run ends in the middle of this mailbox: the next one goes on."""
        self._write(0, **self._counts())

    def cut_off(self, cut):
        """It took more time than a mailbox may take at once, or than the run had.

        What it brought is kept, and the next visit goes on; others go first.
        """
        if self.progress.is_some or cut.early:
            self._write(0, cuts=(self.row["cuts"] or 0) + 1, **self._counts())
        else:
            self.finish(cut.error)

    def _finish_well(self):
        came = bool(self.progress.answers)
        quiet = 0 if came else (self.row["quiet_looks"] or 0) + 1
        values = self._counts()
        if self.row["attempts"]:
            values |= {"attempts": 0, "failure_code": None, "failure_reply": None}
        for name in ("cuts", "crashes", "judging"):
            if self.row[name]:
                values[name] = None
        self._write(
            min(SOON + quiet // 5, LATE),
            looked=True,
            quiet_looks=quiet,
            **values,
        )

    def _counts(self):
        return {
            name: (self.row[name] or 0) + count
            for name, count in (
                ("answer_count", self.progress.answers),
                ("unrelated_count", self.progress.unrelated),
            )
            if count
        }

    def _write(self, minutes, *, looked=False, **values):
        """Plain SQL: nobody reads these fields by the ORM here, and it is all that a
        look at a quiet mailbox writes. Who asked to fetch meanwhile is heard."""
        values["run"] = 0
        names = [*values]
        assignments = ", ".join(f"{name} = %s" for name in names)
        if looked:
            assignments += ", last_look = clock_timestamp() AT TIME ZONE 'UTC'"
        self.env.cr.execute(
            f"UPDATE mail_external_mailbox SET {assignments},"  # noqa: S608
            " next_look = CASE WHEN next_look IS DISTINCT FROM %s THEN next_look"
            " ELSE now() AT TIME ZONE 'UTC' + %s * interval '1 minute' END"
            " WHERE account_id = %s AND next_look IS NOT NULL",
            [*values.values(), self.row["next_look"], minutes, self.account.id],
        )
