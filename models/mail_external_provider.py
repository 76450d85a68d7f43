from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import email_domain_extract

from .mail_external_application import OAUTH_KINDS
from .mail_external_connection_mixin import SECURITY


class MailExternalProvider(models.Model):
    """Preset of a mail service: how to connect, and what its users must know.

    A preset fills the connect window. Changing one alters nothing of an account that
    was already saved, except its sending limits: those are read at delivery
    (``mail.external.account._room_by_limits``).
    """

    _name = "mail.external.provider"
    _description = "Mail Service Preset"
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    domains = fields.Char(
        help="Domains of this service's addresses, separated by commas. An address "
        "of these domains is offered this preset, and signing in proves it.",
    )
    smtp_host = fields.Char("SMTP Host")
    smtp_port = fields.Integer("SMTP Port")
    smtp_security = fields.Selection(SECURITY, "SMTP Security", default="ssl")
    imap_host = fields.Char("IMAP Host")
    imap_port = fields.Integer("IMAP Port")
    imap_security = fields.Selection(SECURITY, "IMAP Security", default="ssl")
    pop3_host = fields.Char("POP3 Host")
    pop3_port = fields.Integer("POP3 Port")
    pop3_security = fields.Selection(SECURITY, "POP3 Security", default="ssl")
    login_format = fields.Selection(
        [
            ("email", "The whole address"),
            ("local", "The part before the @"),
            ("other", "A name of its own"),
        ],
        default="email",
        required=True,
    )
    app_password = fields.Selection(
        [
            ("no", "The usual password"),
            ("optional", "App password when two-factor sign-in is on"),
            ("required", "App password always"),
        ],
        default="no",
        required=True,
    )
    mx_patterns = fields.Char(
        help="Host names of its mail exchangers, separated by commas, with * for any "
        "beginning: a firm's own domain is known by them.",
    )
    oauth_kind = fields.Selection(
        OAUTH_KINDS,
        "Sign-In With",
        help="At which service people sign in, instead of entering a password.",
    )
    application_id = fields.Many2one(
        "mail.external.application",
        domain="[('kind', '=', 'other')]",
        ondelete="set null",
        help="For “Another service”: the application that is used here.",
    )
    password_works = fields.Boolean("Passwords Work", default=True)
    password_ends = fields.Date(
        "Passwords Work Until",
        help="The day on which the service switches passwords off, where it is known.",
    )
    is_trusted = fields.Boolean(
        "Proves Addresses",
        readonly=True,
        copy=False,
        help="Its servers and domains are as they came, or as an administrator entered "
        "them: only then does signing in prove an address.",
    )
    note = fields.Text(
        translate=True, help="What the user must do at the mail service first."
    )
    help_url = fields.Char(
        "Help Page", help="Its whole address, with https:// or http://."
    )
    saves_sent = fields.Boolean(
        "Keeps Sent Mail",
        help="The service puts what is sent through it into the Sent folder itself.",
    )
    limit_minute = fields.Integer(
        "Mails per Minute", help="0 = no limit known. What is over the limit waits."
    )
    limit_hour = fields.Integer("Mails per Hour")
    limit_day = fields.Integer("Mails per Day")

    _limits_positive = models.Constraint(
        "CHECK(limit_minute >= 0 AND limit_hour >= 0 AND limit_day >= 0)",
        "A sending limit cannot be negative; use 0 for no limit.",
    )

    @api.constrains("help_url")
    def _check_help_url(self):
        for preset in self:
            if preset.help_url and not preset._help_link():
                raise ValidationError(
                    self.env._(
                        "Help Page: “%s” is not the address of a web page. Enter it "
                        "whole, beginning with https:// or http://, without blanks.",
                        preset.help_url,
                    )
                )

    def _help_link(self):
        """The help page, if it is one: users open it with a click.

        :return: an address with http or https, or False
        """
        text = self.help_url or ""
        # Browsers leave out or turn what is refused here, and so may get elsewhere.
        if not text.isprintable() or any(char in ' \\"<>' for char in text):
            return False
        try:
            parts = urlsplit(text)
        except ValueError:
            return False
        return bool(parts.scheme in ("http", "https") and parts.hostname) and text

    @api.model
    def _find_for_address(self, email):
        """The preset for an e-mail address, by its domain.

        :param str email: an address
        :return: one preset, or none when no preset knows the domain
        """
        domain = email_domain_extract(email or "")
        if not domain:
            return self.browse()
        # an archived preset proves nothing, whatever the caller's context says
        presets = self.with_context(active_test=True)
        candidates = presets.search([("domains", "ilike", domain)])
        return candidates.filtered(lambda preset: domain in preset._domain_set())[:1]

    def _application(self, company):
        """The application as which people of a company sign in at this service.

        :return: mail.external.application, in superuser mode; none where there is none
        """
        # sudo: only administrators see applications
        applications = self.env["mail.external.application"].sudo()
        if self.oauth_kind == "other":
            own = self.sudo().application_id
            return own.filtered(lambda each: each.active and each.is_ready)
        if not self.oauth_kind:
            return applications
        return applications.search(
            [
                ("kind", "=", self.oauth_kind),
                ("is_ready", "=", True),
                ("company_id", "in", (False, company.id)),
            ],
            order="company_id, id",  # the company's own before the one for all
            limit=1,
        )

    def _domain_set(self):
        return {
            domain.strip().lower()
            for domain in (self.domains or "").split(",")
            if domain.strip()
        }

    def _login_for(self, email):
        """The usual sign-in name for ``email`` at this service."""
        self.ensure_one()
        if self.login_format == "local":
            return (email or "").partition("@")[0]
        return email or ""
