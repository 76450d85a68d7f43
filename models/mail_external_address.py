from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools.misc import clean_context

from ..tools import account_screen, notices, trusted_context

# How it was shown that an address belongs to its owner; what is done with new mail.
PROOFS = [
    ("provider", "Signed in at its own service"),
    ("code", "A mail to it was received"),
    ("manager", "Vouched for by a manager"),
]
NEW_MAIL = [("ignore", "Leave it alone"), ("task", "Make a task")]
# In whose name mail leaves, and by whose sign-in: only the connect window changes
# these, after its tests passed. Nobody writes an address of theirs onto somebody's
# account, which would be sending with their sign-in.
PROTECTED = frozenset(
    {
        "account_id",
        "email",
        "user_id",
        "company_id",
        "is_main",
        "former_account_ids",
        "receive_replies",
        "state",
        "proof",
        "proof_user_id",
        "proof_date",
        "failure_code",
        "failure_reply",
    }
)
# What the choice of the sender and the look of their mail depend on; it is cached.
CACHED_FIELDS = frozenset(
    {
        "account_id",
        "email",
        "sender_name",
        "active",
        "sequence",
        "user_id",
        "company_id",
        "allowed_user_ids",
        "allowed_group_ids",
        "is_default",
        "state",
        "failure_code",
        "proof",
        "signature",
        "layout",
        "show_record_button",
    }
)


class MailExternalAddress(models.Model):
    """An e-mail address that mail can leave from: its account's own, an alias, or a
    mailbox that the account may send as.

    Its owner is the account's: an employee (``user_id``), or a company. A company
    address is for the users of ``allowed_user_ids`` and ``allowed_group_ids``, or for
    everybody when both are empty; it may be for another company than its account.

    A page in the order of: fields; who may use, see and change it; writing; what waits
    for it; what people press. Which address is picked says ``mail.external.sender``.
    """

    _name = "mail.external.address"
    _inherit = ["mail.external.owner.mixin", "mail.external.look.mixin"]
    _allow_sudo_commands = False
    _description = "External Address"
    # Those of one account stand together, its own one first.
    _order = "user_id, sequence, account_id.id, is_main desc, email, id"
    _rec_name = "email"
    _check_company_auto = False

    email = fields.Char("E-mail Address", required=True, copy=False)
    account_id = fields.Many2one(
        "mail.external.account",
        "Mail Account",
        required=True,
        index=True,
        ondelete="restrict",
        copy=False,
    )
    is_main = fields.Boolean(
        "Main Address", copy=False, help="The account was connected with this address."
    )
    former_account_ids = fields.Many2many(
        "mail.external.account",
        "mail_external_address_former_rel",
        "address_id",
        "account_id",
        "Former Accounts",
        copy=False,
    )
    active = fields.Boolean(default=True, copy=False)
    sequence = fields.Integer(default=10)
    user_id = fields.Many2one(compute="_compute_user_id", store=True, readonly=True)
    allowed_user_ids = fields.Many2many(
        "res.users",
        "mail_external_address_user_rel",
        ondelete="restrict",
        string="Allowed Users",
        # A text, for the screen: a list would also narrow what "nobody" means in a
        # search, and an address whose only user became a portal user everybody's.
        domain="[('share', '=', False)]",
        help="Who may send from a company address. Nobody and no group chosen: every "
        "internal user of the company.",
    )
    allowed_group_ids = fields.Many2many(
        "res.groups",
        "mail_external_address_group_rel",
        ondelete="restrict",
        string="Allowed Groups",
    )
    can_use = fields.Boolean(
        "May Be Used",
        compute="_compute_can_use",
        search="_search_can_use",
        help="Whether you may send from it, as far as people decide that.",
    )
    is_default = fields.Boolean(
        "General Default",
        help="Picked before the owner's other addresses where no project decides.",
    )
    binding_ids = fields.One2many(
        "mail.external.address.project", "address_id", "Projects"
    )
    receive_replies = fields.Boolean("Receive Replies to This Same Address", copy=False)
    new_mail = fields.Selection(
        NEW_MAIL,
        "Mail That Answers Nothing",
        default="ignore",
        required=True,
        help="For company addresses.",
    )
    new_mail_project_id = fields.Many2one(
        "project.project", "Tasks In", ondelete="set null"
    )
    proof = fields.Selection(
        PROOFS,
        copy=False,
        help="How it was shown that the address belongs to its owner.",
    )
    proof_user_id = fields.Many2one("res.users", copy=False, ondelete="set null")
    proof_date = fields.Datetime(copy=False)
    # What stopped this address alone; what stops the account stands there. Shown by
    # ``failure_text`` and ``failure_answer``: a server says its name, and whose login.
    failure_code = fields.Char(copy=False, groups=fields.NO_ACCESS)
    failure_reply = fields.Char(copy=False, groups=fields.NO_ACCESS)
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("working", "Working"),
            ("refused", "Sign-in refused"),
            ("stopped", "Sender refused"),
        ],
        "Status",
        compute="_compute_state",
        store=True,
    )
    project_names = fields.Char("Bound Projects", compute="_compute_project_names")
    access_names = fields.Char("Who May Use It", compute="_compute_access_names")
    reply_mode = fields.Selection(
        [("here", "to here"), ("odoo", "to Odoo")],
        "Replies",
        compute="_compute_reply_mode",
    )
    waiting_count = fields.Integer("Waiting Mails", compute="_compute_waiting_count")
    # What the account behind it tells, to its owner and to managers: who may only send
    # from an address learns nothing of these.
    sibling_count = fields.Integer(
        "Other Addresses of Its Account", compute="_compute_of_account"
    )
    list_name = fields.Char("Address", compute="_compute_of_account")
    account_label = fields.Char("Same Account As", compute="_compute_of_account")
    connection = fields.Char(compute="_compute_of_account")
    failure_text = fields.Char(compute="_compute_of_account")
    failure_answer = fields.Char("The Server Said", compute="_compute_of_account")
    last_check = fields.Datetime(compute="_compute_of_account")
    delivery_next_try = fields.Datetime(
        "Sending Again From", compute="_compute_of_account"
    )
    password_warning = fields.Char("Password", compute="_compute_of_account")
    sign_in_instead = fields.Char(compute="_compute_of_account")
    can_fetch = fields.Boolean(compute="_compute_of_account")
    mailbox_status = fields.Char(
        "Reading",
        compute="_compute_of_account",
        help="How the mailbox is read; for its owner and for managers.",
    )
    mailbox_failed = fields.Boolean(compute="_compute_of_account")
    signs_in_again = fields.Boolean(compute="_compute_of_account")
    mailbox_last_look = fields.Datetime("Last Read", compute="_compute_of_account")
    mailbox_answer_count = fields.Integer(
        "Taken In",
        compute="_compute_of_account",
        help="Answers, reports about sent mail and, where wanted, new mail.",
    )
    mailbox_unrelated_count = fields.Integer(
        "Left Alone",
        compute="_compute_of_account",
        help="Other messages in the mailbox: only counted, never kept.",
    )
    quarantine_count = fields.Integer("Quarantine", compute="_compute_quarantine_count")

    _personal_once = models.UniqueIndex(
        "(lower(email), user_id) WHERE user_id IS NOT NULL AND active",
        "This employee already has this address. Open the existing one instead.",
    )
    _company_once = models.UniqueIndex(
        "(lower(email), company_id) WHERE user_id IS NULL AND active",
        "The company already has this address. Open the existing one instead.",
    )
    _one_main = models.UniqueIndex(
        "(account_id) WHERE is_main", "An account has one main address."
    )

    @api.depends_context("uid", "lang")
    @api.depends("email", "sender_name", "user_id", "company_id")
    def _compute_display_name(self):
        # Core asks in superuser mode for the name of whatever a field points to, also
        # of a new record, which anybody may say points to any address.
        saved = self._origin.sudo(False)
        hidden = saved - saved._filtered_access("read")
        for address in self:
            if address._origin in hidden:
                address.display_name = self.env._("External address")
                continue
            email = address.email or ""
            owner = address.user_id or address.company_id
            name = address.sender_name or owner.sudo().name
            address.display_name = f"{name} <{email}>" if name else email

    @api.depends("account_id.user_id")
    def _compute_user_id(self):
        for address in self:
            address.user_id = address._known_account().user_id

    @api.depends("account_id.state", "failure_code")
    def _compute_state(self):
        for address in self:
            state = address._known_account().state or "draft"
            stopped = state == "working" and address._saved().sudo().failure_code
            address.state = "stopped" if stopped else state

    def _known_account(self):
        """The account behind it, in superuser mode; of a new record, whose account
        an onchange's caller names, only one that they may see."""
        saved = self._saved().sudo()
        # the origin: everybody has access to what is not saved
        account = saved.account_id._origin
        seen = account if saved.id else account.sudo(False)._filtered_access("read")
        return seen.sudo()

    @api.depends("binding_ids.project_id", "binding_ids.is_default")
    def _compute_project_names(self):
        for address in self:
            address.project_names = ", ".join(
                f"* {binding.project_id.name}"
                if binding.is_default
                else (binding.project_id.name or "")
                # a project that the reader may not see keeps its name
                for binding in address.binding_ids.filtered(
                    lambda b: b.project_id.has_access("read")
                )
            ) or (False if address.binding_ids else self.env._("all"))

    @api.depends("user_id", "allowed_user_ids", "allowed_group_ids")
    def _compute_access_names(self):
        for address in self:
            # sudo: names of colleagues and groups, for who may see the address
            allowed = address.sudo()
            names = allowed.allowed_user_ids.mapped("name")
            names += allowed.allowed_group_ids.mapped("display_name")
            everybody = False if address.user_id else self.env._("everybody")
            address.access_names = ", ".join(names) or everybody

    @api.depends("receive_replies")
    def _compute_reply_mode(self):
        for address in self:
            address.reply_mode = "here" if address.receive_replies else "odoo"

    def _compute_waiting_count(self):
        counts = dict(
            self.env["mail.mail"]
            .sudo()
            ._read_group(
                [("sending_address_id", "in", self.ids), ("state", "=", "outgoing")],
                ["sending_address_id"],
                ["__count"],
            )
        )
        for address in self:
            address.waiting_count = counts.get(address, 0)

    @api.depends_context("uid", "lang")
    @api.depends(
        *("email", "active", "receive_replies", "failure_code", "failure_reply"),
        *("account_id.address_ids", "account_id.mailbox_status", "account_id.state"),
        *("account_id.failure_code", "account_id.delivery_next_try"),
    )
    def _compute_of_account(self):
        for address in self:
            seen = address._sees_account()
            values = account_screen.shown(address._saved()) if seen else {}
            for name in account_screen.NAMES:
                address[name] = values.get(name, False)
            address.list_name = values.get("list_name") or address.email

    @api.depends_context("uid")
    def _compute_quarantine_count(self):
        # by the reader's own rights: an employee's mail is nobody else's business
        counts = dict(
            self.env["mail.external.arrival"]._read_group(
                [("address_id", "in", self.ids), ("state", "=", "quarantine")],
                ["address_id"],
                ["__count"],
            )
        )
        for address in self:
            address.quarantine_count = counts.get(address, 0)

    @api.constrains("allowed_user_ids", "allowed_group_ids", "user_id")
    def _check_access_is_company(self):
        for address in self:
            if address.user_id and (
                address.allowed_user_ids or address.allowed_group_ids
            ):
                raise ValidationError(
                    self.env._(
                        "Allowed users and groups are for company addresses; %s is a "
                        "personal one.",
                        address.email,
                    )
                )

    @api.constrains("email", "sender_name")
    def _check_header_text(self):
        for address in self:
            for value in (address.email, address.sender_name):
                if value and any(ord(char) < 32 for char in value):
                    raise ValidationError(
                        self.env._(
                            "The address and the sender name must not contain line "
                            "breaks or control characters."
                        )
                    )

    @api.constrains("company_id", "user_id", "account_id")
    def _check_company_set(self):
        for address in self:
            if not (address.user_id or address.company_id):
                raise ValidationError(
                    self.env._(
                        "Company: %s is for no company; choose one.", address.email
                    )
                )

    @api.constrains("new_mail", "new_mail_project_id", "user_id", "company_id")
    def _check_new_mail(self):
        for address in self.filtered(lambda address: address.new_mail == "task"):
            project = address.new_mail_project_id
            if address.user_id:
                raise ValidationError(
                    self.env._(
                        "%s is a personal address: mail that answers nothing is left "
                        "alone there. Only company addresses make tasks of it.",
                        address.email,
                    )
                )
            if project.company_id and project.company_id != address.company_id:
                raise ValidationError(
                    self.env._(
                        "Tasks In: %(project)s belongs to another company than "
                        "%(email)s. Choose a project of the same company.",
                        project=project.display_name,
                        email=address.email,
                    )
                )

    # Who may use, see and change it

    @api.model
    def _access_domain(self, user):
        """Who may use an address: the one rule of the picker, the delivery, ``can_use``
        and the record rules. State and archiving are asked besides.

        :param user: res.users in superuser mode, or the reader's own
        """
        if user.share or not user.active:
            return [(0, "=", 1)]
        return [
            "|",
            ("user_id", "=", user.id),
            "&",
            "&",
            ("user_id", "=", False),
            ("company_id", "in", user.company_ids.filtered("active").ids),
            "|",
            "|",
            ("allowed_user_ids", "in", user.ids),
            ("allowed_group_ids", "in", user.all_group_ids.ids),
            "&",
            ("allowed_user_ids", "=", False),
            ("allowed_group_ids", "=", False),
        ]

    @api.depends_context("uid")
    @api.depends("user_id", "company_id", "allowed_user_ids", "allowed_group_ids")
    def _compute_can_use(self):
        # sudo: it is told by yes or no. Archived users count, as in a search.
        domain = self._access_domain(self.env.user.sudo())
        usable = self.sudo().with_context(active_test=False).filtered_domain(domain)
        for address in self:
            address.can_use = address.id in usable._ids

    def _search_can_use(self, operator, value):
        if operator != "in":
            return NotImplemented
        domain = self._access_domain(self.env.user.sudo())
        if set(value) == {True, False}:
            return []
        return domain if True in value else ["!", *domain]

    def _may_send(self, user):
        """Whether ``user`` may send from this address (its state aside)."""
        self.ensure_one()
        if not self.active or user.sudo().share:
            return False
        domain = [("id", "=", self.id), *self._access_domain(user.sudo())]
        return bool(user.active and self.sudo().search_count(domain, limit=1))

    def _may_deliver(self, message):
        """Whether ``message`` may still leave from this address."""
        self.ensure_one()
        if message.external_address_id != self:
            return False
        if message.external_origin == "project":
            thread = message._external_sender_thread()
            sender = self.env["mail.external.sender"]
            return thread is not None and sender._belongs_to_project(self.id, thread)
        return self._may_send(message._external_writer())

    def _sees_account(self):
        """Whether the current user may know what is behind it: hosts, mailbox."""
        self.ensure_one()
        # the origin: everybody has access to what is not saved
        account = self._saved().account_id._origin
        return bool(account) and account.sudo(self.env.su).has_access("read")

    def _may_connect(self):
        """Whether the current user may open the connect window for this address."""
        self.ensure_one()
        return super()._may_connect() and (
            self._sees_account() and self._saved().account_id._may_connect()
        )

    # Writing

    @api.model_create_multi
    def create(self, vals_list):
        self._refuse_creation()
        # What is not in the values must not come in by the context either.
        clean = clean_context(self.env.context)
        model = self.with_context(clean)  # pylint: disable=context-overridden
        addresses = super(MailExternalAddress, model).create(vals_list)
        addresses._keep_one_default()
        addresses.account_id._follow_addresses()
        self.env["mail.external.sender"]._clear_sender_cache("stable")
        return addresses

    def write(self, vals):
        if not self.env.su:
            self._check_direct_values(vals)
        # tasks are made only where the user sees them
        project = self.env["project.project"].browse(vals.get("new_mail_project_id"))
        project.check_access("read")
        changed = self.browse()
        if "active" in vals and not trusted_context.deleting.value:
            now = bool(vals["active"])
            changed = self.filtered(lambda address: address.active != now)
        # sudo: who may archive an address need not see its account
        accounts = self.sudo().account_id
        result = super().write(vals)
        if vals.get("is_default"):
            self._keep_one_default()
        if CACHED_FIELDS.intersection(vals):
            self.env["mail.external.sender"]._clear_sender_cache()
        if not vals.get("active", True):
            # Nothing may wait for ever: fail it visibly, or let it leave otherwise.
            self.env["mail.mail"]._external_waiting(self)._release("address_gone")
        if {"active", "account_id", "receive_replies"}.intersection(vals):
            (accounts | self.sudo().account_id)._follow_addresses()
        if changed:
            kind = "taken_up" if vals["active"] else "archived"
            notices.tell_owners(changed, kind)
        return result

    def unlink(self):
        """The last address goes with its account and secret."""
        if not self:
            return True
        addresses = {
            owner: group.mapped("email")
            for owner, group in self.grouped("user_id").items()
        }
        # sudo: who may delete an address need not see its accounts
        accounts = self.sudo().account_id | self.sudo().former_account_ids
        with trusted_context.deleting.during():
            # Archived first: nothing of it may be chosen for what waits.
            self.sudo().filtered("active").active = False
            self.env["mail.mail"]._external_fail_waiting(
                self, self.env._("The external address of this mail was deleted.")
            )
            self.env["mail.external.delivery"]._outlive(self)
            self.sudo().former_account_ids = False  # whether these are read follows
            result = super().unlink()
        accounts._follow_addresses()
        self.env["mail.external.sender"]._clear_sender_cache("stable")
        for owner, emails in addresses.items():
            notices.tell_of_change(self.env, owner, "deleted", emails)
        return result

    def copy(self, default=None):  # pylint: disable=method-required-super
        raise UserError(
            self.env._(
                "An external address cannot be duplicated: its proof belongs to this "
                "one only. Add a new address instead."
            )
        )

    def _check_direct_values(self, vals):
        """:raise AccessError: a value would bypass the connect window"""
        if not self.env.su and (protected := PROTECTED.intersection(vals)):
            self._refuse_values(protected)
        if vals.get("active") and not all(self.mapped("active")):
            raise AccessError(
                self.env._(
                    "An address that was removed is taken up again in the connect "
                    "window, which tests it first. Open the address and choose "
                    "“Connect”."
                )
            )

    def _keep_one_default(self):
        """The newest general default of an owner takes over from the others."""
        for address in self.filtered("is_default"):
            owner = [("user_id", "=", address.user_id.id)]
            if not address.user_id:
                owner.append(("company_id", "=", address.company_id.id))
            self.search(
                [*owner, ("is_default", "=", True), ("id", "!=", address.id)]
            ).is_default = False

    def _become_main(self):
        """The account's own address from now on; in superuser mode."""
        if not self.is_main:
            siblings = self.account_id.with_context(active_test=False).address_ids
            siblings.filtered("is_main").is_main = False
            siblings.flush_recordset()  # the index looks at each row
            self.is_main = True

    # What waits for it

    def _stop(self, code, reply):
        """The server does not let the account send from it: what waits goes on
        waiting, its owner is told, and its siblings go on."""
        self.ensure_one()
        if self.failure_code:
            return
        self.sudo().write({"failure_code": code, "failure_reply": reply})
        notices.tell_of_stop(self, code)

    # What people press

    def action_add(self):
        """Open the connect window for a new address (context: default_user_id...)."""
        return self.env["mail.external.account.connect"]._action_open(
            self.env._("Add External Address"), {}
        )

    def action_connect(self):
        """Open the connect window for this address; taken up again, where removed."""
        self.ensure_one()
        self._check_may_connect()
        return self.env["mail.external.account.connect"]._action_open(
            self.env._("Connect %s", self.email), {"default_address_id": self.id}
        )

    def action_sign_in_again(self):
        """Open the page of the mail service, whose sign-in has ended."""
        self.ensure_one()
        return self.account_id.action_sign_in_again()

    def action_add_sibling(self):
        """Open the connect window for another address of the same account."""
        self.ensure_one()
        self._check_may_connect()
        return self.account_id.action_add_address()

    def action_move(self):
        """Open the connect window to move it to another account of its owner."""
        self.ensure_one()
        self._check_may_connect()
        return self.env["mail.external.account.connect"]._action_open(
            self.env._("Move %s to Another Account", self.email),
            {"default_address_id": self.id, "default_is_move": True},
        )

    def action_remove(self):
        """Send from it no more; the last one takes the account's password along."""
        for address in self:
            if not (address._is_own() or address._manages()):
                raise AccessError(
                    self.env._(
                        "Only the owner or a manager may remove %s.", address.email
                    )
                )
        self.active = False
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_settings(self):
        """Open what can be changed without a test: name, projects, access."""
        self.ensure_one()
        return self._action_form(self, self.display_name)

    def action_mailbox(self):
        """Open what can be changed about the mailbox behind it: folders, copies."""
        self.ensure_one()
        self._check_may_connect()
        return self._action_form(
            self.account_id, self.env._("Mailbox of %s", self.email)
        )

    def _action_form(self, record, name):
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": record._name,
            "res_id": record.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_fetch_now(self):
        """Look into the mailboxes of these addresses as soon as possible."""
        for address in self:
            if not address._may_connect():
                raise AccessError(
                    self.env._(
                        "Only the owner or a manager may fetch the mail of %s.",
                        address.email,
                    )
                )
        # sudo: who may connect the account may have it read
        return self.sudo().account_id._fetch_now()

    def action_view_waiting(self):
        """The mails that wait for this address."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Waiting Mails"),
            "res_model": "mail.mail",
            "view_mode": "list,form",
            "domain": [
                ("sending_address_id", "=", self.id),
                ("state", "=", "outgoing"),
            ],
        }

    def action_view_quarantine(self):
        """What came for this address and could not be processed."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "mail_external_account.mail_external_arrival_action_quarantine"
        )
        return {**action, "domain": [("address_id", "=", self.id)]}

    def _check_may_connect(self):
        if not self._may_connect():
            raise AccessError(
                self.env._(
                    "Only the owner or a manager may change how %s is connected.",
                    self.email,
                )
            )
