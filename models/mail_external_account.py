from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..tools.explanations import cause_and_remedy
from ..tools.fresh_cache import fresh_ormcache

# Local part of the address that a mailbox redirects to, before its token.
FORWARD_PREFIX = "reply-"


class MailExternalAccount(models.Model):
    """A real mailbox from which Odoo sends: an employee's, or shared by a company.

    ``user_id`` set: a personal account. Not set: the company's, for the users of
    ``allowed_user_ids`` and ``allowed_group_ids``, or for everybody when both are
    empty. Passwords are kept apart, see ``mail.external.secret`` and ``vault``.
    """

    _name = "mail.external.account"
    _inherit = ["mail.external.connection.mixin"]
    _allow_sudo_commands = False
    _description = "External Address"
    _order = "user_id, sequence, email, id"
    _rec_name = "email"
    _check_company_auto = False

    email = fields.Char("E-mail Address", required=True, copy=False)
    sender_name = fields.Char(
        help="The name that recipients see next to the address. {author}, {project} "
        "and {company} stand for the names of who writes, of the project and of the "
        "company. Empty: the employee's name, or the company's for its addresses.",
    )
    active = fields.Boolean(default=True, copy=False)
    sequence = fields.Integer(default=10)
    user_id = fields.Many2one(
        "res.users",
        "Employee",
        index="btree_not_null",
        ondelete="restrict",
        help="Whose address this is. Empty: an address of the company.",
    )
    company_id = fields.Many2one("res.company", index=True)
    allowed_user_ids = fields.Many2many(
        "res.users",
        "mail_external_account_user_rel",
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
        "mail_external_account_group_rel",
        ondelete="restrict",
        string="Allowed Groups",
    )
    allow_private_host = fields.Boolean(copy=False)
    receive_replies = fields.Boolean("Receive Replies to This Same Address", copy=False)
    mailbox_ids = fields.One2many("mail.external.mailbox", "account_id", readonly=True)
    folder_ids = fields.One2many("mail.external.folder", "account_id", "Folders")
    forward_token = fields.Char(copy=False, groups=fields.NO_ACCESS)
    forward_address = fields.Char(
        compute="_compute_forward_address",
        help="Where the mailbox redirects its mail to. Keep it secret.",
    )
    look_back_days = fields.Integer(
        "Look Back (Days)", help="Of a mailbox that is newly connected. 0: from now."
    )
    new_mail = fields.Selection(
        [("ignore", "Leave it alone"), ("task", "Make a task")],
        "Mail That Answers Nothing",
        default="ignore",
        required=True,
        help="For company addresses.",
    )
    new_mail_project_id = fields.Many2one(
        "project.project", "Tasks In", ondelete="set null"
    )
    keep_sent_copy = fields.Boolean(
        "Copies in the Sent Folder",
        help="For services that make none themselves; the preset says so. IMAP only.",
    )
    is_default = fields.Boolean(
        "General Default",
        help="Picked before the owner's other addresses where no project decides.",
    )
    binding_ids = fields.One2many(
        "mail.external.account.project", "account_id", "Projects"
    )
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
    verified_fingerprint = fields.Char(copy=False, groups=fields.NO_ACCESS)
    proof = fields.Selection(
        [
            ("provider", "Signed in at its own service"),
            ("code", "Code sent to the address"),
            ("manager", "Vouched for by a manager"),
        ],
        copy=False,
        help="How it was shown that the address belongs to its owner.",
    )
    proof_user_id = fields.Many2one("res.users", copy=False, ondelete="set null")
    proof_date = fields.Datetime(copy=False)
    last_check = fields.Datetime(
        copy=False, help="When the mail server last answered, well or badly."
    )
    failure_code = fields.Char(copy=False)
    failure_reply = fields.Char(
        "Server's Answer", copy=False, help="What the mail server said last."
    )
    project_names = fields.Char("Bound Projects", compute="_compute_project_names")
    access_names = fields.Char("Who May Use It", compute="_compute_access_names")
    reply_mode = fields.Selection(
        [("here", "to here"), ("odoo", "to Odoo")],
        "Replies",
        compute="_compute_reply_mode",
    )
    failure_text = fields.Char(compute="_compute_failure_text")
    can_connect = fields.Boolean(compute="_compute_can_connect")
    waiting_count = fields.Integer("Waiting Mails", compute="_compute_waiting_count")

    _personal_once = models.UniqueIndex(
        "(lower(email), user_id) WHERE user_id IS NOT NULL AND active",
        "This employee already has this address. Open the existing one instead.",
    )
    _company_once = models.UniqueIndex(
        "(lower(email), company_id) WHERE user_id IS NULL AND active",
        "The company already has this address. Open the existing one instead.",
    )
    _owner_set = models.Constraint(
        "CHECK(user_id IS NOT NULL OR company_id IS NOT NULL)",
        "Choose the employee or the company that the address belongs to.",
    )

    @api.depends_context("uid", "lang")
    @api.depends("email", "sender_name", "user_id", "company_id")
    def _compute_display_name(self):
        # Core asks in superuser mode for the name of whatever a field points to, also
        # of a new record, which anybody may say points to any address.
        saved = self._origin.sudo(False)
        hidden = saved - saved._filtered_access("read")
        for account in self:
            if account._origin in hidden:
                account.display_name = self.env._("External address")
                continue
            email = account.email or ""
            owner = account.user_id or account.company_id
            name = account.sender_name or owner.sudo().name
            account.display_name = f"{name} <{email}>" if name else email

    @api.depends("binding_ids.project_id", "binding_ids.is_default")
    def _compute_project_names(self):
        for account in self:
            account.project_names = ", ".join(
                f"* {binding.project_id.name}"
                if binding.is_default
                else (binding.project_id.name or "")
                # a project that the reader may not see keeps its name
                for binding in account.binding_ids.filtered(
                    lambda b: b.project_id.has_access("read")
                )
            ) or (False if account.binding_ids else self.env._("all"))

    @api.depends("user_id", "allowed_user_ids", "allowed_group_ids")
    def _compute_access_names(self):
        for account in self:
            # sudo: names of colleagues and groups, for who may see the account
            allowed = account.sudo()
            names = allowed.allowed_user_ids.mapped("name")
            names += allowed.allowed_group_ids.mapped("display_name")
            everybody = False if account.user_id else self.env._("everybody")
            account.access_names = ", ".join(names) or everybody

    @api.depends("receive_replies")
    def _compute_reply_mode(self):
        for account in self:
            account.reply_mode = "here" if account.receive_replies else "odoo"

    @api.depends_context("uid")
    @api.depends("incoming_protocol")
    def _compute_forward_address(self):
        for account in self:
            account.forward_address = account._may_connect() and (
                account._forward_address()
            )

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

    @api.depends("failure_code", "failure_reply")
    def _compute_failure_text(self):
        for account in self:
            account.failure_text = account.failure_code and " ".join(
                cause_and_remedy(self.env, account.failure_code)
            )

    @api.depends_context("uid")
    @api.depends("user_id", "company_id")
    def _compute_can_connect(self):
        for account in self:
            account.can_connect = account._may_connect()

    def _compute_waiting_count(self):
        counts = dict(
            self.env["mail.mail"]
            .sudo()
            ._read_group(
                [("sending_account_id", "in", self.ids), ("state", "=", "outgoing")],
                ["sending_account_id"],
                ["__count"],
            )
        )
        for account in self:
            account.waiting_count = counts.get(account, 0)

    @api.constrains("allowed_user_ids", "allowed_group_ids", "user_id")
    def _check_access_is_company(self):
        for account in self:
            if account.user_id and (
                account.allowed_user_ids or account.allowed_group_ids
            ):
                raise ValidationError(
                    self.env._(
                        "Allowed users and groups are for company addresses; %s is a "
                        "personal one.",
                        account.email,
                    )
                )

    @api.constrains("email", "sender_name")
    def _check_header_text(self):
        for account in self:
            for value in (account.email, account.sender_name):
                if value and any(ord(char) < 32 for char in value):
                    raise ValidationError(
                        self.env._(
                            "The address and the sender name must not contain line "
                            "breaks or control characters."
                        )
                    )

    @api.model
    @fresh_ormcache("account_id")
    def _address_of(self, account_id):
        """The address of an account, for who may know it: no query when warm."""
        # cleared with the senders, see SENDER_FIELDS
        return self.sudo().browse(account_id).email
