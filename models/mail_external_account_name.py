from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import formataddr
from odoo.tools.mail import email_normalize, parse_contact_from_email

from ..mailkit.from_header import MAX_FROM
from ..mailkit.sender_name import (
    is_pattern,
    render_sender_name,
    shown_name,
    unknown_placeholders,
)


class MailExternalAccount(models.Model):
    """The name that recipients see next to the address."""

    _inherit = "mail.external.account"

    from_preview = fields.Char(
        "Recipients See", compute="_compute_from_preview", compute_sudo=True
    )

    @api.constrains("sender_name")
    def _check_sender_name(self):
        for account in self:
            check_sender_name(self.env, account.sender_name)

    @api.depends_context("uid")
    @api.depends("email", "sender_name", "user_id.name", "company_id.name")
    def _compute_from_preview(self):
        for account in self:
            author = account.user_id or self.env.user
            account.from_preview = account._sender_label(author.name, "")

    def _sender_label(self, author, project):
        """The From line as people read it.

        :param str author: name of who writes; empty: nobody does
        :param str project: name of the record's project; empty: none
        """
        self.ensure_one()
        company = self._sender_company().name or ""
        name = shown_name(self._name_pattern(), author, project, company)
        return _line(name, self.email)

    @api.model
    def _labels(self, rows, thread=None):
        """The From lines of accounts that the current user may use.

        :param rows: list of AccountRow
        :param thread: the record, in superuser mode; None: there are several
        :return: {account id: "Name <address>"}
        """
        author = project = company = ""
        if any(is_pattern(row.name) for row in rows):
            author = self.env.user.name
            if thread is not None:
                project, company = _names_on(thread)
        return {
            row.id: _line(
                shown_name(
                    row.name,
                    author,
                    project,
                    row.company_name or company or row.owner_company_name,
                ),
                row.email,
            )
            for row in rows
        }

    def _name_pattern(self):
        """The entered name, which may be a pattern. Empty: the owner's of a personal
        address, the company's of a company address (who writes from a shared mailbox
        gives his own name only when asked for by ``{author}``)."""
        return self.sender_name or self.user_id.name or self.company_id.name or ""

    def _sender_company(self, of_record=None):
        """The company in whose name this account writes on a record."""
        return self.company_id or of_record or self.user_id.company_id

    def _email_from(self, message=None):
        """The From header of one message's mails, "Name <address>".

        What nobody wrote has the company as author. A customer's words, passed on to
        other customers, must not look like the company's own: his name is given.

        :param message: mail.message in superuser mode; None: nobody's
        """
        self.ensure_one()
        author, project, of_record, customer = "", "", None, ""
        if message:
            of_record = message.record_company_id
            if is_pattern(self.sender_name or ""):
                thread = message._external_sender_thread()
                project = _project_name(thread.exists()) if thread is not None else ""
            if message.external_origin == "project":
                customer = _customer_name(message)
            else:
                # OdooBot's user is archived: what it says nobody wrote
                user = message.author_id.main_user_id
                author = user.active and user._is_internal() and message.author_id.name
        company = self._sender_company(of_record)
        name = shown_name(self._name_pattern(), author, project, company.name or "")
        if customer:
            via = self.with_context(lang=company.partner_id.lang).env._(
                "{author} via {company}"
            )
            values = {"author": customer, "project": "", "company": name}
            name = render_sender_name(via, values)
        return formataddr((name, self.email))


def _line(name, email):
    return f"{name} <{email}>" if name else email or ""


def _names_on(thread):
    """The names of a record's project and company, or ""; in superuser mode."""
    company_id = thread._external_sender_company_id()
    company = thread.env["res.company"].browse(company_id or [])
    return _project_name(thread), company.name or ""


def _project_name(thread):
    project_id = thread._external_sender_project_id()
    return thread.env["project.project"].browse(project_id or []).name or ""


def _customer_name(message):
    """The name of the external contact who wrote the message, or ""."""
    if message.message_type not in ("comment", "email"):
        return ""
    author = message.author_id.with_context(active_test=False)
    if author.user_ids.filtered(lambda user: not user.share):
        return ""  # OdooBot, say
    email_from = (message.email_from or "")[:MAX_FROM]
    name = author.name or parse_contact_from_email(email_from)[0]
    return name or email_normalize(email_from) or ""


def check_sender_name(env, name):
    """:raise ValidationError: when there is an unknown placeholder in the name"""
    unknown = unknown_placeholders(name or "")
    if unknown:
        raise ValidationError(
            env._(
                "Sender Name: %(unknown)s is not known. Use {author}, {project} or "
                "{company} in braces, or a name without braces.",
                unknown=", ".join(text.strip() for text in unknown),
            )
        )
