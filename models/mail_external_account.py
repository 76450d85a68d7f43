import logging
from datetime import timedelta

from odoo import api, fields, models, modules
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, config
from odoo.tools.misc import clean_context

from ..tools import account_screen, notices, odoo_servers, password_end
from ..tools.cron import RunTime, seconds_allowed
from ..tools.explanations import cause_and_remedy
from ..tools.incoming import claims
from ..tools.incoming.gateway import FORWARD_PREFIX
from ..tools.incoming.run import FetchRun
from ..tools.oauth2 import tokens
from ..tools.outgoing.run import DeliveryRun, next_delivery
from ..tools.sign_in_codes import SIGN_IN_AGAIN
from .mail_external_connection_mixin import CONNECTION, READ_PROTOCOLS

_logger = logging.getLogger(__name__)

# So many accounts are served at a time, where the system parameter says nothing.
DELIVER_THREADS = 8
# Mailboxes that one run reads at a time, unless a parameter says otherwise.
FETCH_THREADS = 32
# What is written by the connect window, or by what sends and reads; never by a caller.
PROTECTED = frozenset(
    {
        *CONNECTION,
        "user_id",
        "company_id",
        "sign_in_user_id",
        "active",
        "state",
        "address_ids",
        "former_address_ids",
        "allow_private_host",
        "forward_token",
        "forward_notice",
        "forward_confirmation",
        "receives",
        "last_check",
        "failure_code",
        "failure_reply",
        "password_end_told",
        "delivery_next_try",
        "delivery_last_run",
        "delivery_attempts",
        "service_habits",
    }
)


class MailExternalAccount(models.Model):
    """One sign-in at one mail service, from which Odoo sends and which it reads.

    What mail leaves from stands in its addresses (``mail.external.address``): its own,
    aliases, mailboxes that it may send as. ``user_id`` set: an employee's account. Not
    set: the company's. Passwords are kept apart (``mail.external.secret``, ``vault``),
    and so is what reading writes (``mail.external.mailbox``, ``mail.external.folder``).

    A page in the order of: fields; writing; addresses; state and who is told; sending;
    reading. Users see addresses, so most of what people press is there.
    """

    _name = "mail.external.account"
    _inherit = ["mail.external.owner.mixin", "mail.external.connection.mixin"]
    _allow_sudo_commands = False
    _description = "External Mail Account"
    _order = "user_id, id"
    _rec_names_search = ("address_ids.email", "smtp_login")
    _check_company_auto = False

    active = fields.Boolean(default=True, copy=False)
    sign_in_user_id = fields.Many2one(
        "res.users",
        "Signed In By",
        index="btree_not_null",
        ondelete="restrict",
        copy=False,
        help="Who opened a mailbox of the company with a sign-in of their own. Empty: "
        "the mailbox has a sign-in of its own.",
    )
    address_ids = fields.One2many("mail.external.address", "account_id", "Addresses")
    former_address_ids = fields.Many2many(
        "mail.external.address",
        "mail_external_address_former_rel",
        "account_id",
        "address_id",
        "Addresses That Moved Away",
        copy=False,
        help="Their answers may still come into this mailbox.",
    )
    allow_private_host = fields.Boolean(copy=False)
    mailbox_ids = fields.One2many("mail.external.mailbox", "account_id", readonly=True)
    folder_ids = fields.One2many("mail.external.folder", "account_id", "Folders")
    forward_token = fields.Char(copy=False, groups=fields.NO_ACCESS)
    forward_address = fields.Char(
        compute="_compute_forwarding",
        help="Where the mailbox redirects its mail to. Keep it secret.",
    )
    # Only the owner and managers see it: whoever confirms it redirects the mailbox.
    forward_notice = fields.Text(copy=False, groups=fields.NO_ACCESS)
    forward_confirmation = fields.Text(
        compute="_compute_forwarding",
        help="What the mail service sent to confirm the redirection.",
    )
    receives = fields.Boolean(
        compute="_compute_receives",
        store=True,
        help="Answers to one of its addresses are taken out of its mailbox.",
    )
    look_back_days = fields.Integer(
        "Look Back (Days)", help="Of a mailbox that is newly connected. 0: from now."
    )
    keep_sent_copy = fields.Boolean(
        "Copies in the Sent Folder",
        help="For services that make none themselves; the preset says so. IMAP only.",
    )
    # What the mail service does to mail, see tools/service_habits.py.
    service_habits = fields.Json(copy=False, groups=fields.NO_ACCESS)
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("working", "Working"),
            ("refused", "Sign-in refused"),
        ],
        "Status",
        default="draft",
        required=True,
        copy=False,
    )
    last_check = fields.Datetime(
        copy=False, help="When the mail server last answered, well or badly."
    )
    failure_code = fields.Char(copy=False)
    failure_reply = fields.Char(
        "Server's Answer", copy=False, help="What the mail server said last."
    )
    failure_text = fields.Char(compute="_compute_failure_text")
    signs_in_again = fields.Boolean(compute="_compute_signs_in_again")
    delivery_next_try = fields.Datetime(
        "Sending Again From",
        copy=False,
        readonly=True,
        help="After a passing failure, or when a sending limit is reached.",
    )
    delivery_last_run = fields.Datetime(copy=False, readonly=True)
    delivery_attempts = fields.Integer(copy=False, readonly=True)
    password_warning = fields.Char(
        "Password", compute="_compute_password_warning", help="Whether it ends soon."
    )
    sign_in_instead = fields.Char(compute="_compute_password_warning")
    # What the owner was told of the end of passwords, see tools/password_end.py.
    password_end_told = fields.Char(copy=False, groups=fields.NO_ACCESS)
    mailbox_status = fields.Char(
        "Reading", compute="_compute_mailbox_status", help="How the mailbox is read."
    )
    mailbox_failed = fields.Boolean(compute="_compute_mailbox_status")

    _owner_set = models.Constraint(
        "CHECK(user_id IS NOT NULL OR company_id IS NOT NULL)",
        "Choose the employee or the company that the account belongs to.",
    )

    @api.depends_context("uid", "lang")
    @api.depends("address_ids.email", "address_ids.is_main", "smtp_login")
    def _compute_display_name(self):
        # Core asks in superuser mode for the name of whatever a field points to.
        saved = self._origin.sudo(False)
        hidden = saved - saved._filtered_access("read")
        for account in self:
            own = account.sudo()._own_address()
            account.display_name = (
                self.env._("Mail account")
                if account._origin in hidden
                else own.email or account.smtp_login or self.env._("Mail account")
            )

    @api.depends(
        "incoming_protocol",
        "address_ids.receive_replies",
        "address_ids.active",
        "former_address_ids",
    )
    def _compute_receives(self):
        for account in self:
            account.receives = account.incoming_protocol != "none" and bool(
                account.address_ids.filtered(
                    lambda address: address.active and address.receive_replies
                )
                or account.with_context(active_test=False).former_address_ids
            )

    @api.depends_context("uid")
    @api.depends("incoming_protocol", "forward_token", "forward_notice")
    def _compute_forwarding(self):
        for account in self:
            seen = account._may_connect()
            account.forward_address = seen and account._forward_address()
            account.forward_confirmation = seen and account.sudo().forward_notice

    @api.depends("failure_code", "failure_reply")
    def _compute_failure_text(self):
        for account in self:
            account.failure_text = account.failure_code and " ".join(
                cause_and_remedy(self.env, account.failure_code)
            )

    @api.depends_context("lang")
    @api.depends("auth_method", "state", "smtp_host", "provider_id.password_ends")
    def _compute_password_warning(self):
        known = password_end.services(self.env)
        for account in self:
            provider = password_end.service(account, known)
            account.password_warning = password_end.words(account, provider)
            account.sign_in_instead = password_end.instead(provider)

    @api.depends_context("uid")
    @api.depends("active", "auth_method", "failure_code", "mailbox_ids.failure_code")
    def _compute_signs_in_again(self):
        for account in self:
            account.signs_in_again = account_screen.signs_in_again(account)

    @api.depends_context("uid", "lang")
    @api.depends(
        *("active", "receives", "incoming_protocol", "state"),
        *("folder_ids.failure_code", "mailbox_ids.last_look"),
        *("mailbox_ids.next_look", "mailbox_ids.failure_code"),
    )
    def _compute_mailbox_status(self):
        for account in self:
            # sudo: who may read the account may know how its mailbox is read
            failed, text = account_screen.reading_words(account.sudo())
            account.mailbox_failed, account.mailbox_status = failed, text

    # Writing

    @api.model_create_multi
    def create(self, vals_list):
        self._refuse_creation()
        # What is not in the values must not come in by the context either.
        clean = clean_context(self.env.context)
        model = self.with_context(clean)  # pylint: disable=context-overridden
        return super(MailExternalAccount, model).create(vals_list)

    def write(self, vals):
        if not self.env.su and (protected := PROTECTED.intersection(vals)):
            self._refuse_values(protected)
        result = super().write(vals)
        if {"state", "user_id"}.intersection(vals):
            # Its addresses follow by their computed fields, not by a write of theirs.
            self.env["mail.external.sender"]._clear_sender_cache()
        return result

    def unlink(self):
        """With all its addresses and its secret; the database drops what was read."""
        if not self:
            return True
        self.check_access("unlink")
        self._forget_secret()
        # sudo: who may delete the account may delete what it consists of
        self.sudo().with_context(active_test=False).address_ids.unlink()
        return super(MailExternalAccount, self.exists()).unlink()

    def copy(self, default=None):  # pylint: disable=method-required-super
        raise UserError(
            self.env._(
                "A mail account cannot be duplicated: its password belongs to this one "
                "only. Add a new address instead."
            )
        )

    def action_connect(self):
        """Open the connect window for the connection of this account."""
        self.ensure_one()
        return self.sudo(False)._own_address().action_connect()

    def action_sign_in_again(self):
        """Open the page of the mail service; only for who may connect it."""
        self.ensure_one()
        return account_screen.sign_in_again(self)

    def action_add_address(self):
        """Open the connect window for another address of this account."""
        self.ensure_one()
        if not self._may_connect():
            raise AccessError(
                self.env._("Only the owner or a manager may add an address to it.")
            )
        return self.env["mail.external.account.connect"]._action_open(
            self.env._("Another Address of %s", self.display_name),
            {"default_account_id": self.id},
        )

    def action_remove(self):
        """Send and read no more with this sign-in, and forget its password."""
        for account in self:
            if not account._may_connect():
                raise AccessError(
                    self.env._("Only the owner or a manager may remove an account.")
                )
        # sudo: only the connect window and this may write these
        accounts = self.sudo()
        accounts.former_address_ids = False
        accounts.address_ids.action_remove()
        accounts._follow_addresses()
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_withdraw_sign_in(self):
        """Take one's own sign-in back from a company's account.

        :raise AccessError: it is somebody else's
        """
        # sudo: who signed in need be no manager of the account
        for account in self.sudo():
            if account.sign_in_user_id != self.env.user:
                raise AccessError(
                    self.env._("This account was signed in by somebody else.")
                )
            account._withdraw_sign_in()
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def _withdraw_sign_in(self):
        """A person's sign-in is theirs: without it the account stops, visibly."""
        self.ensure_one()
        self._forget_secret()
        self._stop("sign_in_withdrawn", "")
        self.sign_in_user_id = False

    @api.model
    def _withdraw_lost_sign_ins(self):
        """Stop what was opened with the sign-in of people who have left, in whatever
        way: archived, become customers, or no more in the company."""
        for account in self.search([("sign_in_user_id", "!=", False)]):
            person = account.sign_in_user_id
            works_there = account.company_id in person.company_ids
            if not (person.active and not person.share and works_there):
                account._withdraw_sign_in()

    # Addresses

    def _all_addresses(self):
        """Archived and moved ones too: they stay ours, answers come for years."""
        accounts = self.sudo().with_context(active_test=False)
        return accounts.address_ids | accounts.former_address_ids

    def _own_address(self):
        """The address that it was connected with; another one where that is gone."""
        found = self.with_context(active_test=False).address_ids.sorted(
            lambda address: (not address.active, not address.is_main, address.id)
        )
        return self.env["mail.external.address"].browse(found[:1].ids)

    def _follow_addresses(self):
        """After an address was added, archived, restored, moved or deleted."""
        # Whatever a caller's context says of archived ones.
        accounts = self.sudo().with_context(active_test=False)
        for account in accounts.exists():
            ends = account._ends_with_its_last()
            if not account._all_addresses():
                if ends:
                    account.unlink()
                continue
            if own := account._own_address():
                own._become_main()
            used = bool(
                account.address_ids.filtered("active") or account.former_address_ids
            )
            if account.active and not used and ends:
                account.active = False
                account._forget_secret()
                self.env["mail.external.arrival"].sudo()._give_up_waiting(account)
            elif used and not account.active:
                account.active = True
            account._follow_reading()

    def _ends_with_its_last(self):
        """Whether who removes its last address ends it as well. A manager of another
        company, whose address that was, does not."""
        account = self.sudo(False)
        return account.env.su or (
            account.has_access("read") and (account._is_own() or account._manages())
        )

    def _secret_holder(self):
        """:return: the account that holds the passwords; the employee whose it is (none
        for a company's); its company, or none; who opened a company's with their own
        sign-in, or none"""
        return self, self.user_id, self.company_id, self.sign_in_user_id

    def _forget_secret(self):
        """What an account that is not used any more signed in with is not kept."""
        # sudo: nobody has access rights on secrets
        secrets = self.env["mail.external.secret"].sudo()
        secrets.search([("account_id", "in", self.ids)]).unlink()

    # What stops it, and who is told

    def _stop(self, code, reply):
        """A refused sign-in: stop at once (no lock-out), and tell the owner."""
        self.ensure_one()
        if self.state != "working":
            return
        self.sudo().write(
            {
                "state": "refused",
                "failure_code": code,
                "failure_reply": reply,
                "last_check": fields.Datetime.now(),
            }
        )
        notices.tell_of_refused_sign_in(self, self._people(), code, is_sending=True)

    def _tell_of_folders(self):
        """Somebody changed which folders of these accounts are read."""
        for account in self:
            notices.tell_of_change(
                self.env, account.user_id, "folders", [account._emails_text()]
            )

    def _emails_text(self):
        """Its addresses, as the owner knows the account by them."""
        own = self.sudo()._own_address()
        addresses = own | self.sudo().address_ids
        return ", ".join(addresses.mapped("email"))

    def _people(self):
        """Who is told of it: the employee; of a company's its managers, and who signed
        in."""
        self.ensure_one()
        account = self.sudo()
        return account.user_id or (
            notices.managers_of(account, account.user_id, account.company_id)
            | account.sign_in_user_id
        )

    # Sending: which accounts have something to send, and when

    @api.model
    def _cron_deliver(self):
        """Send what waits, for a part of a cron's time."""
        if modules.module.current_test:
            return  # as core: nothing is sent in test mode
        self._withdraw_lost_sign_ins()
        run_time = RunTime(seconds_allowed())
        crons = self.env["ir.cron"]
        # Each takes two connections to the database: one serves, one holds the claim.
        threads = crons._external_threads("deliver", DELIVER_THREADS)
        threads = min(threads, config["db_maxconn"] // 4)
        more = DeliveryRun(self.env, max(threads, 1), run_time).run()
        if more:
            crons._external_trigger("deliver")
        elif next_time := next_delivery(self.env):
            # Due, and still here: another process holds the account. Look again soon.
            soon = fields.Datetime.add(fields.Datetime.now(), minutes=1)
            crons._external_trigger("deliver", at=max(next_time, soon))

    def _room_by_limits(self):
        """How many mails the account may still send, from all its addresses.

        Its sending limits are those of its mail service: ``limit_minute``,
        ``limit_hour`` and ``limit_day`` of ``provider_id``, 0 where there is none; an
        account has none of its own. What was sent is counted in the ledger
        (``mail.external.delivery``). What is over a limit waits until
        ``delivery_next_try``.

        :return: (count or None when nothing limits it, when there is room again)
        """
        self.ensure_one()
        provider = self.provider_id.sudo()
        room, again = None, None
        now = fields.Datetime.now()
        for limit, window in (
            (provider.limit_minute, timedelta(minutes=1)),
            (provider.limit_hour, timedelta(hours=1)),
            (provider.limit_day, timedelta(days=1)),
        ):
            if not limit:
                continue
            count, oldest = self.env.execute_query(
                SQL(
                    "SELECT count(*), min(date) FROM mail_external_delivery"
                    " WHERE account_id = %s AND date > %s"
                    " AND state IN ('sent', 'bounced')",
                    self.id,
                    now - window,
                )
            )[0]
            left = max(0, limit - count)
            if room is None or left < room:
                room, again = left, (oldest or now) + window
        return room, again

    def _note_success(self):
        """The server works: forget earlier failures (one write, not one a mail)."""
        self.ensure_one()
        if self.failure_code or self.delivery_attempts or self.delivery_next_try:
            self.write(
                {
                    "failure_code": False,
                    "failure_reply": False,
                    "delivery_attempts": 0,
                    "delivery_next_try": False,
                    "last_check": fields.Datetime.now(),
                }
            )

    def _delay_delivery(self, when, code, reply, *, counts=True):
        """Nothing can leave before ``when``; the reason is shown.

        :param bool counts: it is one more attempt that failed
        """
        self.ensure_one()
        self.write(
            {
                "delivery_next_try": when,
                "delivery_attempts": self.delivery_attempts + bool(counts),
                "failure_code": code,
                "failure_reply": reply,
                "last_check": fields.Datetime.now(),
            }
        )

    def _delay_reason(self):
        """Why nothing leaves before ``delivery_next_try``, for the reader."""
        self.ensure_one()
        if self.delivery_attempts:
            return self.failure_text or ""
        # It is no failure that the service's limit is reached.
        return " ".join(cause_and_remedy(self.env, "quota_exceeded"))

    def _resume(self):
        """After the connection was tested anew: what waits goes on at once."""
        self.sudo().write({"delivery_attempts": 0, "delivery_next_try": False})
        if with_tokens := self.filtered("application_id"):
            tokens.forget_failures(with_tokens)
        self.env["ir.cron"]._external_trigger("deliver")
        waiting = self.env["mail.external.arrival"].sudo()
        if waiting._waiting_of(self):
            self.env["ir.cron"]._external_trigger("fetch")

    # Reading: which mailboxes are due, and who reads them

    @api.model
    def _cron_fetch(self):
        """Read the mailboxes that are due, for a part of a cron's time."""
        if modules.module.current_test:
            return  # as core: nothing goes over the network in test mode
        self._withdraw_lost_sign_ins()
        run_time = RunTime(seconds_allowed())
        crons = self.env["ir.cron"]
        odoo_servers.leave_to_odoo(self.env)
        waiting = self.env["mail.external.arrival"]._process_waiting(run_time)
        threads = crons._external_threads("fetch", FETCH_THREADS)
        with claims.fetch_run(self.env) as number:
            more = FetchRun(self, number, threads, run_time).run()
        if more or waiting:
            crons._external_trigger("fetch")
        elif next_look := claims.next_look(self.env):
            # Due, and still here: another run reads it. Look again soon.
            soon = fields.Datetime.add(fields.Datetime.now(), minutes=1)
            crons._external_trigger("fetch", at=max(next_look, soon))

    def _fetch_now(self):
        """Look into these mailboxes as soon as a scheduled action can.

        :return: the notification that says so
        """
        accounts = self.filtered("mailbox_ids")
        if not accounts:
            raise UserError(
                self.env._(
                    "This mailbox is not read. Switch on “Receive replies” in the "
                    "connect window first."
                )
            )
        accounts._look_soon(0)
        kind, text = "info", self.env._("The mailbox is being read.")
        if not self.env["ir.cron"]._external_active_crons("fetch"):
            kind = "warning"
            text = self.env._(
                "No mailbox is read: the scheduled action was deleted or archived. "
                "Your administrator makes it again in General Settings > External "
                "Addresses."
            )
        return notices.on_screen(kind, text)

    def _look_soon(self, minutes):
        """Look into these mailboxes in ``minutes`` at the latest."""
        when = fields.Datetime.add(fields.Datetime.now(), minutes=minutes)
        self.env.cr.execute(
            # One that is being read now may be past what has just come.
            "UPDATE mail_external_mailbox SET next_look = %s"
            " WHERE account_id = ANY(%s) AND (next_look > %s OR run <> 0)",
            (when, self.ids, when),
        )
        # Who presses the button waits for no interval, also when it is due already.
        if self.env.cr.rowcount or not minutes:
            self.env["ir.cron"]._external_trigger("fetch", at=when)

    def _reads_mailbox(self):
        """Whether messages are fetched for this account (not: forwarded to Odoo)."""
        self.ensure_one()
        return (
            self.active
            and self.state == "working"
            and self.receives
            and self.incoming_protocol in READ_PROTOCOLS
        )

    def _reading_place(self):
        """What makes it the same mailbox: UIDs and UIDLs of another mean nothing."""
        self.ensure_one()
        return (self.incoming_protocol, self.incoming_host, self.incoming_login)

    def _set_up_reading(self, folders, anew=False):
        """Read the mailbox from now on, or no more, as the account's settings say.

        :param folders: list of (path on the wire, whether sent mail is in it)
        :param bool anew: it is another mailbox than before, or was not read before
        """
        self.ensure_one()
        if not self._reads_mailbox():
            self.env["mail.external.mailbox"]._end(self)
            self.folder_ids.unlink()
            return
        if anew:
            # New rows: what a visit under way still notes about the old ones is lost.
            self.folder_ids.unlink()
        self.folder_ids._choose(self, dict(folders))
        since = fields.Datetime.now() - timedelta(days=self.look_back_days)
        self.env["mail.external.mailbox"]._begin(self, since if anew else None)

    def _follow_reading(self):
        """No address receives here any more: not read. One does again: read on from
        where it was."""
        if not (self.active and self.receives):
            self.env["mail.external.mailbox"]._end(self)
        elif self._reads_mailbox() and not self.mailbox_ids:
            if not self.folder_ids:
                self.folder_ids._choose(self, {"INBOX": False})
            # POP3 knows by the day which of the unknown messages are new.
            listed = [when for when in self.folder_ids.mapped("last_listing") if when]
            since = min(listed, default=fields.Datetime.now())
            self.env["mail.external.mailbox"]._begin(self, since)

    def _stop_reading(self, code, reply):
        """A refused sign-in: stop at once (no lock-out), and tell the owner.

        Tokens are the same for sending, so that stops as well.
        """
        self.ensure_one()
        failure = {"failure_code": code, "failure_reply": reply}
        self.mailbox_ids.write({"next_look": False, "run": 0, **failure})
        if self.auth_method == "oauth2" and code in SIGN_IN_AGAIN:
            self._stop(code, reply)
        else:
            notices.tell_of_refused_sign_in(
                self, self._people(), code, is_sending=False
            )

    # Forwarding

    def _forward_address(self):
        """Where the mailbox redirects to: an address that nobody can guess.

        :return: the address, or False when this is not how its mail comes in
        """
        account = self.sudo()
        if account.incoming_protocol != "forwarded" or not account.forward_token:
            return False
        company = account.company_id or account.user_id.company_id
        return self._forward_address_for(company, account.forward_token)

    @api.model
    def _forward_address_for(self, company, token):
        domain = self._forward_domain(company)
        return domain and f"{FORWARD_PREFIX}{token}@{domain}"

    @api.model
    def _forward_domain(self, company):
        """:return: the domain at which Odoo gets mail, or False"""
        # sudo: alias domains are not readable for everybody
        domains = self.env["mail.alias.domain"].sudo()
        return (company.sudo().alias_domain_id or domains.search([], limit=1)).name
