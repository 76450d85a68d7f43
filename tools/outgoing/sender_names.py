"""The names in a From line: of people, projects and companies."""

from odoo.tools.mail import email_normalize, parse_contact_from_email

from ...mailkit.message.address_fields import MAX_FROM


def from_line(name, email):
    """The From line as people read it."""
    return f"{name} <{email}>" if name else email or ""


def names_on(thread):
    """The names of a record's project and company, or ""; in superuser mode."""
    company_id = thread._external_sender_company_id()
    company = thread.env["res.company"].browse(company_id or [])
    return project_name(thread), company.name or ""


def project_name(thread):
    project_id = thread._external_sender_project_id()
    return thread.env["project.project"].browse(project_id or []).name or ""


def customer_name(message):
    """The name of the external contact who wrote the message, or ""."""
    if message.message_type not in ("comment", "email"):
        return ""
    author = message.author_id.with_context(active_test=False)
    if author.user_ids.filtered(lambda user: not user.share):
        return ""  # OdooBot, say
    email_from = (message.email_from or "")[:MAX_FROM]
    name = author.name or parse_contact_from_email(email_from)[0]
    return name or email_normalize(email_from) or ""
