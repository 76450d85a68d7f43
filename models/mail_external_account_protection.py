from odoo import api, models
from odoo.exceptions import AccessError, UserError
from odoo.tools.misc import clean_context

# What decides where a password goes and in whose name mail leaves: only the connect
# window changes these, after its tests passed.
CONNECTION_FIELDS = frozenset(
    {
        "email",
        "user_id",
        "company_id",
        "smtp_host",
        "smtp_port",
        "smtp_security",
        "smtp_login",
        "incoming_protocol",
        "incoming_host",
        "incoming_port",
        "incoming_security",
        "incoming_login",
        "ca_certificate",
        "allow_private_host",
        "receive_replies",
        "forward_token",
        "forward_confirmation",
        "forward_notice",
        "state",
        "verified_fingerprint",
        "proof",
        "proof_user_id",
        "proof_date",
        "last_check",
        "failure_code",
        "failure_reply",
    }
)
# What the choice of the sender and the look of his mail depend on; it is cached.
SENDER_FIELDS = frozenset(
    {
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
        "proof",
        "signature",
        "layout",
        "show_record_button",
    }
)
DRAFT_FIELDS = frozenset({"email", "user_id", "company_id"})


class MailExternalAccount(models.Model):
    """What may be written, by whom, and what happens to waiting mail."""

    _inherit = "mail.external.account"

    # Writing: connection settings only through the connect window

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if not self.env.su:
                self._check_direct_values(vals, CONNECTION_FIELDS - DRAFT_FIELDS)
        # What is not in the values must not come in by the context either.
        clean = clean_context(self.env.context)
        model = self.with_context(clean)  # pylint: disable=context-overridden
        accounts = super(MailExternalAccount, model).create(vals_list)
        accounts._keep_one_default()
        self._clear_sender_cache("stable")
        return accounts

    def write(self, vals):
        if not self.env.su:
            self._check_direct_values(vals, CONNECTION_FIELDS)
            if vals.get("active"):
                self._check_taking_up_again()
        result = super().write(vals)
        if vals.get("is_default"):
            self._keep_one_default()
        if SENDER_FIELDS.intersection(vals):
            self._clear_sender_cache()
        if vals.get("active") is False:
            self._release_waiting_mails("account_gone")
        return result

    def unlink(self):
        # Archived first: nothing of it may be chosen for what waits.
        self.sudo().filtered("active").active = False
        self._fail_waiting_mails(
            self.env._("The external address of this mail was deleted.")
        )
        self._leave_ledger()
        result = super().unlink()
        self._clear_sender_cache("stable")
        return result

    def _leave_ledger(self):
        """What was sent stays noted, for the managers of who sent it, and no others."""
        # sudo: the ledger is written by the server only
        rows = self.env["mail.external.delivery"].sudo()
        for account in self.sudo().filtered("user_id"):
            domain = [("account_id", "=", account.id), ("company_id", "=", False)]
            rows.search(domain).company_id = account.user_id.company_id

    def _check_direct_values(self, vals, protected):
        """:raise AccessError: when a value could bypass the connect window"""
        names = sorted(name for name in protected if vals.get(name))
        names += sorted(
            name for name in protected if name in vals and self and name not in names
        )
        if names:
            labels = ", ".join(
                self._fields[name].get_description(self.env)["string"] for name in names
            )
            raise AccessError(
                self.env._(
                    "%s can only be changed in the connect window, which tests the "
                    "settings first. Open the address and choose “Connect”.",
                    labels,
                )
            )

    def _check_taking_up_again(self):
        """:raise AccessError: personal addresses are no longer allowed"""
        if not all(account._may_connect() for account in self):
            raise AccessError(
                self.env._(
                    "Your administrator does not allow personal external addresses. A "
                    "manager can take this one up again."
                )
            )

    def _keep_one_default(self):
        """The newest general default of an owner takes over from the others."""
        for account in self.filtered("is_default"):
            owner = [("user_id", "=", account.user_id.id)]
            if not account.user_id:
                owner.append(("company_id", "=", account.company_id.id))
            self.search(
                [*owner, ("is_default", "=", True), ("id", "!=", account.id)]
            ).is_default = False

    def _fail_waiting_mails(self, reason):
        """Nothing that waits for an account, or may be sent again, leaves in another
        name: it is shown as failed, and its rows go.
        """
        mails = (
            self.env["mail.mail"]
            .sudo()
            .search(
                [
                    ("sending_account_id", "in", self.ids),
                    ("state", "not in", ("sent", "cancel")),
                ]
            )
        )
        mails._end_in_chatter(reason)

    @api.model
    def _check_still_restricted(self, field, records):
        """Nobody is left in an access list = everybody may: refuse that by accident.

        :param str field: "allowed_user_ids" or "allowed_group_ids"
        :param records: users or groups that are about to be deleted
        :raise UserError: one of them is the last one who may use an address
        """
        accounts = self.sudo().with_context(active_test=False)
        for account in accounts.search([(field, "in", records.ids)]):
            others = {"allowed_user_ids", "allowed_group_ids"} - {field}
            if not account[field] - records and not account[others.pop()]:
                raise UserError(
                    self.env._(
                        "%s would become usable by everybody, because nobody else is "
                        "allowed to use it. Choose other people in “Who may use it” of "
                        "this external address first.",
                        account.email,
                    )
                )
            account[field] -= records

    def copy(self, default=None):  # pylint: disable=method-required-super
        raise UserError(
            self.env._(
                "An external address cannot be duplicated: its password belongs to "
                "this one only. Add a new address instead."
            )
        )
