"""Sign-ins in real life: what was found by attacking them."""

import threading
import time
from contextlib import contextmanager, suppress
from unittest.mock import patch

from odoo import fields
from odoo.tools import mute_logger
from psycopg2.pool import PoolError

from ..mailkit import oauth
from ..mailkit.connection.network import Deadline
from ..mailkit.errors import ErrorCode, MailError, ServerReply
from ..tools import vault
from ..tools.incoming import requests
from ..tools.incoming import visit as reading
from ..tools.incoming.work import MailboxWork
from ..tools.oauth2 import gate, tokens
from ..tools.outgoing import account as delivery
from ..tools.outgoing.account import AccountDelivery
from ..tools.outgoing.session import Opened
from .common import ExternalAccountCase
from .token_case import TokenCase


class TestVisitThatIsLate(TokenCase):
    """What a visit says of a sign-in that the account has no more is no news."""

    def setUp(self):
        super().setUp()
        self.mailbox = self.account.mailbox_ids
        began = fields.Datetime.subtract(fields.Datetime.now(), minutes=1)
        self.mailbox.write({"next_look": began, "run": 7})
        self.work = MailboxWork(
            self.account,
            {
                "id": self.account.id,
                "folders": [],
                "next_look": began,
                "secret_id": self.row().id,
                **dict.fromkeys(("attempts", "cuts", "crashes", "quiet_looks")),
                **dict.fromkeys(("answer_count", "unrelated_count", "judging")),
            },
        )
        self.ends = (
            requests.Unusable(),
            MailError(ErrorCode.OAUTH_ENDED),
            MailError(ErrorCode.TOKEN_REFUSED),
            MailError(ErrorCode.LOGIN_REFUSED),
        )

    def end(self, how):
        self.env.flush_all()
        self.work.end(how)
        self.env.flush_all()
        self.env.invalidate_all()

    def test_connected_anew_meanwhile(self):
        self.account.auth_method = "password"
        self.row().unlink()
        vault.store_password(self.account, "incoming", "hunter2")
        self.account._set_up_reading([("INBOX", False)])
        for how in self.ends:
            with self.subTest(how=how):
                self.end(how)
                self.assertTrue(self.mailbox.next_look)
                self.assertFalse(self.mailbox.run or self.mailbox.failure_code)
                self.assertEqual(self.account.state, "working")
        self.assertFalse(self.told(self.anna))

    def test_removed_meanwhile(self):
        self.account.action_remove()
        for how in self.ends:
            with self.subTest(how=how):
                self.end(how)
                self.assertNotEqual(self.account.state, "refused")
        self.assertFalse(self.told(self.anna))

    def test_signed_in_again_meanwhile(self):
        vault.store_tokens(self.account, self.gave("at-5", "rt-5"), "new grant")
        self.end(MailError(ErrorCode.OAUTH_ENDED))
        self.assertEqual(self.account.state, "working")
        self.assertTrue(self.mailbox.next_look)

    def test_what_is_still_so_stops_it(self):
        self.account._look_soon(0)  # somebody wants it read, or has sent something
        self.pass_time(3700)
        self.settle(self.look(), self.gave("at-2", "rt-2"))
        self.end(MailError(ErrorCode.OAUTH_ENDED))
        self.assertEqual(self.account.state, "refused")
        self.assertFalse(self.mailbox.next_look)
        self.assertEqual(len(self.told(self.anna)), 1)


class TestRunThatIsBusy(TokenCase):
    """The run takes long to keep what a visit was given."""

    def test_the_visit_keeps_it_itself(self):
        self.pass_time(3700)
        renewal, kept = self.look(), []
        row = {"folders": [], "judging": None, "crashes": None}
        work = MailboxWork(self.account, row)
        work.keep_renewed = lambda renewed: kept.append(renewed.outcome)
        self.patch(reading, "_KEEP_SECONDS", 0.2)
        asking = reading.Asking(work, requests.queue.SimpleQueue())
        answer = tokens.Access(None)
        threading.Timer(0.6, lambda: asking._replies.put(answer)).start()
        given = self.gave("at-2", "rt-2")
        told = asking.kept(requests.Renewed(renewal, given))
        self.assertEqual((told, kept), (answer, [given]))

    def test_kept_twice_it_is_kept(self):
        self.pass_time(3700)
        renewal, given = self.look(), self.gave("at-2", "rt-2")
        self.settle(renewal, given)
        again = self.settle(renewal, given)
        self.assertIsInstance(again, tokens.Wait)
        self.assertEqual(self.look().credentials.access_token, "at-2")


class TestAskedInTime(TokenCase):
    """A renewal that is begun has the time that it needs."""

    def setUp(self):
        super().setUp()
        self.pass_time(3700)
        self.given = []

        def refresh(_client, _refresh_token, deadline):
            self.given.append(deadline.remaining())
            return self.gave("at-2", "rt-2")

        self.patch(oauth, "refresh", refresh)

    def test_at_the_end_of_a_run(self):
        self.assertIsInstance(tokens.ask(self.look(), Deadline(0.5)), oauth.Tokens)
        self.assertGreater(self.given[0], 5)

    def test_never_for_as_long_as_the_run_would_let_it(self):
        tokens.ask(self.look(), Deadline(1000))
        self.assertLess(self.given[0], 21)

    def test_it_is_not_begun_when_the_time_is_over(self):
        deadline = Deadline(0.01)
        time.sleep(0.02)
        renewal = self.look("first")
        told = self.failure(self.settle, renewal, tokens.ask(renewal, deadline))
        self.assertEqual(told.code, ErrorCode.OAUTH_BUSY)
        self.assertFalse(self.given)
        self.assertFalse(self.row().failure_code or self.row().lease)
        self.assertIsInstance(self.look("second"), tokens.Renewal)


class TestNoConnection(TokenCase):
    """Others have all connections to the database at this moment."""

    @contextmanager
    def without_connections(self, times):
        registry = self.env.registry
        origin, left = registry.cursor, [times]

        def cursor(*args, **kwargs):
            if left[0]:
                left[0] -= 1
                raise PoolError("The Connection Pool Is Full")
            return origin(*args, **kwargs)

        with patch.object(registry, "cursor", cursor):
            yield

    def test_it_is_waited_for(self):
        with self.without_connections(2):
            found = tokens.access(self.env, self.account, "smtp")
        self.assertEqual(found.credentials.access_token, "at-1")

    def test_else_the_account_waits(self):
        with self.without_connections(-1):
            told = self.failure(
                tokens.access, self.env, self.account, "smtp", deadline=Deadline(1)
            )
        self.assertEqual(told.code, ErrorCode.OAUTH_BUSY)

    @mute_logger("odoo.addons.mail_external_account.tools.oauth2.tokens")
    def test_while_an_answer_is_kept(self):
        self.patch(tokens, "_TRIES", 2)
        self.pass_time(3700)

        def refresh(*_args):
            patching = self.without_connections(-1)
            patching.__enter__()
            self.addCleanup(patching.__exit__, None, None, None)
            return self.gave("at-2", "rt-2")

        self.patch(oauth, "refresh", refresh)
        told = self.failure(tokens.access, self.env, self.account, "smtp")
        self.assertEqual(told.code, ErrorCode.OAUTH_BUSY)


class TestWhoseWords(TokenCase):
    def test_an_application_that_fails_is_quoted_itself(self):
        self.pass_time(3700)
        busy = MailError(ErrorCode.OAUTH_BUSY, reply=ServerReply(None, "", "later"))
        self.failure(self.settle, self.look(), busy)
        self.pass_time(120)
        self.application.write(
            {
                "failure_code": "oauth_secret_expired",
                "failure_reply": "the secret has expired",
                "retry_at": fields.Datetime.add(fields.Datetime.now(), minutes=5),
            }
        )
        told = self.failure(self.look)
        self.assertEqual(told.code, ErrorCode.OAUTH_SECRET_EXPIRED)
        self.assertEqual(str(told.reply), "the secret has expired")


class TestGate(ExternalAccountCase):
    """Who asks a service that does not answer."""

    def setUp(self):
        super().setUp()
        self.patch(gate, "_PATIENCE", 0.1)
        self.patch(gate, "_SLOW_SECONDS", 0.2)
        self.patch(gate, "_CLOSED_SECONDS", (0.5, 1.0))
        self.gate = gate.Gate()
        self.release = threading.Event()
        self.addCleanup(self.release.set)
        self.told = []

    def ask(self, fails=True):
        with suppress(MailError), self.gate.entered() as wait:
            self.told.append(wait)
            if not wait:
                self.release.wait(10)
                if fails:
                    raise MailError(ErrorCode.OAUTH_FAILED)

    def begin(self, count, **more):
        threads = [
            threading.Thread(target=self.ask, kwargs=more) for _number in range(count)
        ]
        for thread in threads:
            thread.start()
        return threads

    def end(self, threads):
        self.release.set()
        for thread in threads:
            thread.join(5)
        self.release.clear()

    def test_some_wait_and_the_others_are_told_soon(self):
        threads = self.begin(20)
        time.sleep(0.5)
        self.assertEqual(self.told.count(0.0), gate.MOST)
        self.assertEqual(len(self.told), 20)
        self.end(threads)
        self.ask()
        self.assertTrue(self.told[-1], "it is left alone now")
        time.sleep(0.6)
        threads = self.begin(3)
        time.sleep(0.3)
        self.assertEqual(self.told.count(0.0), gate.MOST + 1, "one tries it")
        self.end(threads)
        time.sleep(1.1)
        self.release.set()
        self.ask(fails=False)
        self.end(self.begin(gate.MOST))
        self.assertEqual(self.told.count(0.0), 2 * gate.MOST + 2, "it answers again")

    def test_what_is_refused_at_once_holds_up_nobody(self):
        self.release.set()
        for _each in range(20):
            self.ask()
        self.assertEqual(set(self.told), {0.0})

    def test_a_service_that_is_quick_has_room_for_all(self):
        def quick():
            with self.gate.entered() as wait:
                self.told.append(wait)
                time.sleep(0.01)

        threads = [threading.Thread(target=quick) for _number in range(12)]
        for thread in threads:
            thread.start()
        self.end(threads)
        self.assertEqual(self.told, 12 * [0.0])


class TestSessionThatOutlivesItsToken(TokenCase):
    """Servers refuse it with many a number; no mail and no address suffers from it."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.sent, self.renewed, self.refusals = [], [], []
        case = self

        class Session:
            alive = True

            def send(self, _sender, recipient, _content):
                if case.sent and case.refusals:
                    raise case.refusals.pop(0)
                case.sent.append(recipient)
                return "250 OK"

            def close(self):
                pass

        def opened(_account, _deadline, refused=""):
            case.renewed += [refused] if refused else []
            return Opened(Session(), "at-1")

        self.startPatcher(patch.object(delivery, "open_session", opened))
        self.task.message_unsubscribe(self.bohdan.partner_id.ids)
        self.post_two()

    def post_two(self):
        for _number in range(2):
            self.post(self.anna, external_address_id=self.own.id)

    def deliver(self):
        self.env.flush_all()
        far = float("inf")
        AccountDelivery(self.account.sudo(), far, far, lambda: None).run()
        self.env.invalidate_all()

    def refused(self, code, number, enhanced, text):
        return MailError(code, reply=ServerReply(number, enhanced, text))

    def test_in_whatever_words(self):
        texts = (
            (ErrorCode.SENDER_REFUSED, 535, "5.7.3", "Authentication unsuccessful"),
            (ErrorCode.SENDER_REFUSED, 550, "5.7.1", "Client not authenticated"),
            (ErrorCode.RECIPIENT_REFUSED, 535, "5.7.8", "bad credentials"),
            (ErrorCode.CONTENT_REFUSED, 530, "5.7.0", "Authentication required"),
            (ErrorCode.CONTENT_REFUSED, 554, "5.7.1", "access token has expired"),
            (ErrorCode.TEMPORARY, 454, "4.7.0", "Token expired"),
            (ErrorCode.PROTOCOL_ERROR, 503, "5.5.1", "Error: authenticate first"),
        )
        for text in texts:
            with self.subTest(text=text):
                self.sent.clear()
                self.renewed.clear()
                self.refusals = [self.refused(*text)]
                self.deliver()
                self.assertEqual(self.renewed, ["at-1"])
                self.assertEqual(len(self.sent), 2)
                self.assertEqual(self.own.state, "working")
                self.post_two()

    def test_what_is_about_the_mail_renews_nothing(self):
        texts = (
            (
                ErrorCode.RECIPIENT_REFUSED,
                550,
                "5.7.1",
                "Recipient only takes mail "
                "from authenticated senders: authentication required by the recipient",
            ),
            (ErrorCode.CONTENT_REFUSED, 554, "5.7.1", "looks like spam"),
            (ErrorCode.RECIPIENT_UNKNOWN, 550, "5.1.1", "no such user"),
        )
        for text in texts:
            self.refusals = [self.refused(*text)]
            self.sent.clear()
            self.deliver()
            with self.subTest(text=text):
                self.assertFalse(self.renewed)
                self.assertEqual(len(self.sent), 1)
            self.post_two()

    def test_the_same_again_counts_as_what_it_is(self):
        told = (ErrorCode.RECIPIENT_REFUSED, 535, "5.7.8", "bad credentials")
        self.refusals = [self.refused(*told), self.refused(*told)]
        self.deliver()
        self.assertEqual(self.renewed, ["at-1"])
        rows = self.env["mail.external.delivery"].search([], order="id")
        self.assertEqual(rows.mapped("state"), ["sent", "failed"])

    def test_a_refused_sign_in_is_no_attempt_of_a_mail(self):
        told = (ErrorCode.LOGIN_REQUIRED, 530, "5.7.0", "Authentication required")
        self.refusals = [self.refused(*told), self.refused(*told)]
        self.deliver()
        self.assertEqual(self.account.state, "refused")
        rows = self.env["mail.external.delivery"].search([], order="id")
        self.assertEqual(rows.mapped("state"), ["sent", "retry"])
        self.assertEqual(rows[1].attempts, 0)


class TestPatience(TokenCase):
    """Mail that waited for something else is given up as late as any other."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(self.env.cr, "commit", self.env.flush_all))
        self.error = None

        def opened(_account, _deadline, _refused=""):
            raise self.error

        self.startPatcher(patch.object(delivery, "open_session", opened))
        self.post(self.anna, external_address_id=self.own.id)
        waiting = [("sending_address_id", "=", self.own.id)]
        self.mail = self.env["mail.mail"].search(waiting)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_mail SET create_date = create_date - interval '5 days'"
        )
        self.env.invalidate_all()

    def seconds_until_given_up(self, most):
        """How long it waits from attempt to attempt, at most so often."""
        total, far = 0.0, float("inf")
        for _attempt in range(most):
            self.account.delivery_next_try = False
            AccountDelivery(self.account.sudo(), far, far, lambda: None).run()
            self.env.flush_all()
            self.env.invalidate_all()
            if self.mail.state != "outgoing":
                return total
            left = self.account.delivery_next_try - fields.Datetime.now()
            total += left.total_seconds()
        return None

    def test_a_service_that_wants_to_be_asked_again_soon(self):
        self.error = MailError(ErrorCode.OAUTH_BUSY, retry_after=30.0)
        total = self.seconds_until_given_up(20)
        self.assertGreater(total, 60 * sum(delivery.RETRY_MINUTES) - 60)

    def test_what_an_administrator_mends_is_waited_for(self):
        self.error = MailError(ErrorCode.OAUTH_SECRET_EXPIRED, retry_after=30.0)
        self.assertIsNone(self.seconds_until_given_up(20))
        left = self.account.delivery_next_try - fields.Datetime.now()
        self.assertLess(left.total_seconds(), 60)
