import os
from unittest.mock import patch

from odoo import fields
from odoo.tests import TransactionCase, new_test_user, tagged

from ..mailkit.message.headers import parse_headers
from ..tools import vault
from ..tools.connect import test
from ..tools.incoming.facts import decide_batch
from ..tools.incoming.intake import Intake

KEY = "a-key-for-tests-of-more-than-32-characters"


@tagged("post_install", "-at_install")
class ExternalAccountCase(TransactionCase):
    """Two employees, two projects, two customers; Anna's colleague gets e-mails."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        patcher = patch.dict(os.environ, {vault.KEY_VARIABLE: KEY})
        patcher.start()
        cls.addClassCleanup(patcher.stop)
        groups = "base.group_user,project.group_project_user,base.group_partner_manager"
        cls.anna = new_test_user(
            cls.env, "ext_anna", groups, name="Anna K", email="anna@corp.example"
        )
        cls.bohdan = new_test_user(
            cls.env, "ext_bohdan", groups, name="Bohdan M", email="bohdan@corp.example"
        )
        cls.manager = new_test_user(
            cls.env,
            "ext_manager",
            f"{groups},mail_external_account.group_manager",
            name="Manager",
            email="manager@corp.example",
        )
        cls.company = cls.env.company
        cls.project_a, cls.project_b = cls.env["project.project"].create(
            [
                {"name": "Brand A", "privacy_visibility": "employees"},
                {"name": "Brand B", "privacy_visibility": "employees"},
            ]
        )
        cls.customer, cls.second = cls.env["res.partner"].create(
            [
                {"name": "Clara", "email": "clara@customer.example"},
                {"name": "Samuel", "email": "samuel@customer.example"},
            ]
        )
        cls.task = cls.env["project.task"].create(
            {"name": "Market analysis", "project_id": cls.project_a.id}
        )
        cls.task.message_subscribe((cls.customer | cls.bohdan.partner_id).ids)

    @classmethod
    def address(cls, email, user=None, bindings=(), **values):
        """A working address, as the connect window leaves it.

        :param bindings: (project, is_default) pairs
        :param values: fields of the address or of its account; ``account_id``: another
            address of an account that is there
        """
        addresses = cls.env["mail.external.address"]
        accounts = cls.env["mail.external.account"]
        company_id = values.pop("company_id", False if user else cls.company.id)
        state = values.pop("state", "working")
        own = {n: values.pop(n) for n in [*values] if n in addresses._fields}
        account = accounts.browse(own.pop("account_id", False))
        if not account:
            account = accounts.create(
                {
                    "user_id": user.id if user else False,
                    "company_id": company_id,
                    "smtp_host": "smtp.example.com",
                    "smtp_port": 465,
                    "smtp_security": "ssl",
                    "smtp_login": email,
                    "state": state,
                    **values,
                }
            )
        return addresses.create(
            {
                "email": email,
                "account_id": account.id,
                "company_id": company_id,
                "is_main": not account.address_ids,
                "binding_ids": [
                    (0, 0, {"project_id": project.id, "is_default": default})
                    for project, default in bindings
                ],
                **own,
            }
        )

    def post(self, user, task=None, **values):
        """Post a comment to the task's followers as ``user``."""
        return (
            (task or self.task)
            .with_user(user)
            .message_post(
                **{
                    "body": "Hello",
                    "message_type": "comment",
                    "subtype_xmlid": "mail.mt_comment",
                    **values,
                }
            )
        )

    def passed(self, window):
        """As if every check had just passed for what stands in the window."""
        self.env["mail.external.account.connect.check"].create(
            [
                {
                    "wizard_id": window.id,
                    "step": step.value,
                    "ok": True,
                    "fingerprint": test.settings_fingerprint(window),
                }
                for step in test.steps(window)
            ]
        )
        window.invalidate_recordset()

    def external_mails(self, message):
        return message.sudo().mail_ids.filtered("sending_address_id")


class ConnectCase(ExternalAccountCase):
    """Connect windows, and as if their tests had passed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.env["mail.external.provider"].create(
            {
                "name": "Example Mail",
                "domains": "brand-a.example, brand-b.example",
                "smtp_host": "smtp.brand-a.example",
                "smtp_port": 465,
                "smtp_security": "ssl",
                "imap_host": "imap.brand-a.example",
                "imap_port": 993,
            }
        )

    def window(self, user=None, **values):
        model = self.env["mail.external.account.connect"].with_user(user or self.anna)
        email = values.get("email", "anna@brand-a.example")
        return model.create(
            {
                "email": email,
                "user_id": (user or self.anna).id,
                "sender_name": "Anna",
                "smtp_host": "smtp.brand-a.example",
                "smtp_port": 465,
                "smtp_security": "ssl",
                "smtp_login": email,
                "password": "hunter2",
                **values,
            }
        )


class IntakeCase(ExternalAccountCase):
    """Anna's mailbox is read, and she has asked Clara something."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = cls.address(
            "anna@own.example",
            cls.anna,
            receive_replies=True,
            incoming_protocol="imap",
        )
        cls.question = cls.post(cls, cls.anna)
        cls.ledger = cls.env["mail.external.delivery"].create(
            {
                "message_id_header": cls.question.message_id,
                "recipient": "clara@customer.example",
                "subject": "Market analysis",
                "address_id": cls.own.id,
                "account_id": cls.own.account_id.id,
                "mail_message_id": cls.question.id,
                "state": "sent",
                "date": fields.Datetime.now(),
            }
        )

    def mail(
        self, sender="Clara <clara@customer.example>", body="An answer", **headers
    ):
        fields = {
            "From": sender,
            "To": "anna@own.example",
            "Subject": "Re: Market analysis",
            "Message-ID": "<answer@customer.example>",
            "In-Reply-To": self.question.message_id,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        return "\r\n".join([*lines, "", body, ""]).encode()

    def take_in(self, raw, address=None, **kw):
        """As reading does it: headers first, the whole message if wanted.

        :param address: of the address whose mailbox it lies in
        :return: the messages that came of it
        """
        intake = Intake((address or self.own).account_id)
        known = self.task.message_ids
        headers = parse_headers(raw)
        [decision], facts = decide_batch(intake.account, [headers])
        if intake.wants_whole(decision, headers):
            intake.take_in(raw, decision, facts, **kw)
        self.task.invalidate_recordset(["message_ids"])
        return self.task.message_ids - known
