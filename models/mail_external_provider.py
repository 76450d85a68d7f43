from datetime import date
from typing import NamedTuple
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Domain
from odoo.tools import email_normalize, escape_psql

from ..mailkit.message.address import Address
from ..tools import mail_services
from .mail_external_application import OAUTH_KINDS
from .mail_external_connection_mixin import SECURITY

LOGIN_FORMATS = [
    ("email", "The whole address"),
    ("local", "The part before the @"),
    ("other", "A name of its own"),
]
PROTOCOLS = ("smtp", "imap", "pop3")
# What signing in proves, and where access tokens may go, depends on these.
TRUSTED_FIELDS = (
    *("domains", "mx_patterns", "login_format", "incoming_login_format"),
    *(f"{kind}_{part}" for kind in PROTOCOLS for part in ("host", "port", "security")),
    *("alternates", "oauth_kind", "application_id"),
)
# Written here only, together: no caller says by themselves what is trusted.
_TRUST = frozenset({"is_trusted", "unproven_fields"})


class Server(NamedTuple):
    """A server of a mail service; ``protocol`` is "smtp", "imap" or "pop3"."""

    protocol: str
    host: str
    port: int
    security: str


class MailExternalProvider(models.Model):
    """Preset of a mail service: how to connect, and what its users must know.

    A preset fills the connect window. Changing one alters nothing of an account that
    was already saved, except its sending limits: those are read at delivery
    (``mail.external.account._room_by_limits``).

    Those that come along are in ``data/mail_services.json``; an update of the addon
    brings new values of them (``tools/mail_services.py``). Whether a preset proves
    addresses follows from who entered its servers and domains, field by field
    (``_note_writer``): managers may enter any, and prove nothing by them.
    """

    _name = "mail.external.provider"
    _description = "Mail Service Preset"
    _order = "sequence, name, id"
    _allow_sudo_commands = False

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    domains = fields.Char(
        help="Domains of this service's addresses, separated by commas; *.example.com "
        "stands for everything below example.com. An address of these domains is "
        "offered this preset, and signing in proves it.",
    )
    mx_patterns = fields.Char(
        "MX Hosts",
        help="Host names of its mail exchangers, separated by commas, with * for any "
        "beginning: a firm's own domain is known by them.",
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
    alternates = fields.Text(
        "Other Servers",
        help="Further servers of the service, one a line, such as “smtp "
        "smtp.example.com:587 starttls”: offered where the usual one cannot be "
        "reached, and known in other settings.",
    )
    login_format = fields.Selection(
        LOGIN_FORMATS, "User Name", default="email", required=True
    )
    incoming_login_format = fields.Selection(
        LOGIN_FORMATS,
        "User Name for Reading",
        help="Where it is another one than for sending.",
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
    password_works = fields.Boolean(
        "Passwords Work", default=True, help="App passwords are passwords, too."
    )
    password_reads = fields.Boolean(
        "Passwords Work for Reading",
        default=True,
        help="Off: with a password mail can be sent, but no mailbox be read.",
    )
    password_ends = fields.Date(
        "Passwords Work Until",
        help="The day on which the service switches passwords off, where it is known. "
        "Owners of accounts with a password are told 30, 7 and 1 days before.",
    )
    is_trusted = fields.Boolean(
        "Proves Addresses",
        readonly=True,
        copy=False,
        help="Its servers and domains are as they came, or as an administrator entered "
        "them: only then does signing in prove an address, and may people sign in "
        "with their mail service.",
    )
    # Which of TRUSTED_FIELDS somebody else entered, separated by commas. Of a preset
    # that is not trusted, and has none: all of them.
    unproven_fields = fields.Char(copy=False, groups=fields.NO_ACCESS)
    unproven_names = fields.Char(compute="_compute_unproven_names")
    note = fields.Text(
        translate=True, help="What the user must do at the mail service first."
    )
    help_url = fields.Char(
        "Help Page", help="Its whole address, with https:// or http://."
    )
    app_password_steps = fields.Text(
        "Steps to an App Password", translate=True, help="One step a line."
    )
    access_steps = fields.Text(
        "Steps to Switch On IMAP and POP3", translate=True, help="One step a line."
    )
    admin_steps = fields.Text(
        "Steps to Allow SMTP",
        translate=True,
        help="For the service's administrator, where sending by programs is switched "
        "off for the firm. One step a line.",
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

    @api.constrains("alternates")
    def _check_alternates(self):
        for preset in self:
            for line in (preset.alternates or "").splitlines():
                if line.strip() and not _server_of(line):
                    raise ValidationError(
                        self.env._(
                            "Other Servers: “%s” is not understood. Enter protocol, "
                            "host, port and security, such as “smtp "
                            "smtp.example.com:587 starttls”.",
                            line,
                        )
                    )

    @api.depends("unproven_fields", "is_trusted")
    def _compute_unproven_names(self):
        for preset in self:
            preset.unproven_names = ", ".join(
                self._fields[name].get_description(self.env)["string"]
                for name in TRUSTED_FIELDS
                if name in preset._unproven()
            )

    # Who entered its servers and domains

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._refuse_trust(vals)
        presets = super().create(vals_list)
        # Also what came by the context or by a default: a new one is all theirs.
        unproven = () if self._is_administrator() else TRUSTED_FIELDS
        for preset in presets:
            preset._set_unproven(unproven)
        return presets

    def write(self, vals):
        self._refuse_trust(vals)
        watched = [name for name in TRUSTED_FIELDS if name in vals]
        before = {preset: preset._plain(watched) for preset in self}
        brought_back = self.filtered(lambda preset: not preset.active)
        result = super().write(vals)
        if vals.get("active") and not self._is_administrator():
            # An administrator may have put it away because it is not right any more.
            nothing = dict.fromkeys(TRUSTED_FIELDS, False)
            for preset in brought_back:
                preset._note_writer(TRUSTED_FIELDS, nothing)
        for preset in self if watched else ():
            preset._note_writer(watched, before[preset])
        return result

    def action_trust(self):
        """An administrator has looked at these settings: they prove addresses.

        :raise AccessError: the user is no administrator
        """
        if not self._is_administrator():
            raise AccessError(
                self.env._(
                    "Only an administrator can confirm the servers of a mail service."
                )
            )
        for preset in self:
            preset._set_unproven(())

    @api.model
    def _is_administrator(self):
        return self.env.su or self.env.user.has_group("base.group_system")

    @api.model
    def _refuse_trust(self, vals):
        if _TRUST.intersection(vals):
            raise AccessError(
                self.env._(
                    "Proves Addresses: this follows from who entered the servers and "
                    "domains, and is not entered itself."
                )
            )

    def _plain(self, names):
        """Values that can be compared: dict of name -> value."""
        # sudo: managers see nothing of an application
        found = {name: self.sudo()[name] for name in names}
        for name, value in found.items():
            if isinstance(value, models.BaseModel):
                found[name] = value.id
            elif isinstance(value, date):
                found[name] = fields.Date.to_string(value)
        return {name: value or False for name, value in found.items()}

    def _note_writer(self, names, before):
        """An administrator answers for what they write; of others it counts what they
        change, unless it is as it came along.

        :param names: those of ``TRUSTED_FIELDS`` that were written
        :param before: what stood in them, see ``_plain``
        """
        unproven = self._unproven()
        if self._is_administrator():
            unproven -= set(names)
        else:
            after, shipped = self._plain(names), mail_services.shipped(self)
            unproven |= {name for name in names if after[name] != before[name]}
            unproven -= {n for n in names if n in shipped and after[n] == shipped[n]}
        self._set_unproven(unproven)

    def _unproven(self):
        """Names of ``TRUSTED_FIELDS`` that nobody answers for."""
        # sudo: nobody has access to it
        names = (self.sudo().unproven_fields or "").split(",")
        known = {name for name in names if name in self._fields}
        return known if known or self.is_trusted else set(TRUSTED_FIELDS)

    def _set_unproven(self, names):  # pylint: disable=missing-return
        """
        :param names: those of ``TRUSTED_FIELDS`` that nobody answers for
        """
        values = {
            "is_trusted": not names,
            "unproven_fields": ",".join(sorted(names)) or False,
        }
        # sudo: what follows from a write is no write of the user's
        hidden = super(MailExternalProvider, self.sudo())
        hidden.write(values)  # pylint: disable=super-method-mismatch

    # What its users read

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

    def _steps(self, name):
        """:return: list of str: the steps of a field that has one a line"""
        return [
            line.strip() for line in (self[name] or "").splitlines() if line.strip()
        ]

    # Finding the preset of an address, of servers, or of a domain's mail exchangers

    @api.model
    def _find_for_address(self, email):
        """The preset for an e-mail address, by its domain.

        :param str email: an address
        :return: one preset, or none when no preset knows the domain
        """
        return self._all_for_address(email)[:1]

    @api.model
    def _find_proving(self, email):
        """The preset at whose servers a sign-in proves an address.

        Only one whose servers and domains an administrator answers for, and where
        people sign in by the address itself.

        :return: one preset, or none
        """
        return self._all_for_address(email).filtered(
            lambda preset: (
                preset.is_trusted
                and preset.smtp_host
                and preset.login_format != "other"
            )
        )[:1]

    def _all_for_address(self, email):
        domain = _domain_of(email or "")
        if not domain:
            return self.browse()
        # an archived preset proves nothing, whatever the caller's context says
        presets = self.with_context(active_test=True)
        perhaps = Domain("domains", "ilike", escape_psql(domain)) | Domain(
            "domains", "ilike", "*."
        )
        if "xn--" in domain:  # entered in another spelling, perhaps
            perhaps = Domain("domains", "!=", False)
        return presets.search(perhaps).filtered(
            lambda preset: (
                domain in preset._domain_set()
                or _fits(domain, preset._domain_set(), least=".")
            )
        )

    @api.model
    def _exchanger_patterns(self):
        """By which mail exchangers a domain of a firm's own is known, see
        ``mailkit/discovery/search.py:matches``.

        :return: dict: id -> tuple of str, in the presets' order
        """
        presets = self.with_context(active_test=True)
        return {
            preset.id: tuple(_listed(preset.mx_patterns))
            for preset in presets.search([("mx_patterns", "!=", False)])
        }

    @api.model
    def _find_for_server(self, host, email=""):
        """The preset of a mail server, as other settings name it.

        :param str host: name of a server of whatever protocol
        :param str email: an address; it decides where services share a server
        :return: one preset, or none
        """
        name = (host or "").strip().rstrip(".").lower()
        if not name:
            return self.browse()
        presets = self.with_context(active_test=True)
        presets = presets.search([("smtp_host", "!=", False)])
        found = presets.filtered(lambda preset: name in preset._hosts())
        own = found & self._all_for_address(email)
        # One for the domains of firms has few of its own.
        return (own or found.sorted(lambda preset: len(preset._domain_set())))[:1]

    def _servers(self, protocol=None):
        """:return: list of ``Server``, the usual ones first"""
        self.ensure_one()
        usual = [
            Server(
                kind,
                self[f"{kind}_host"].strip().rstrip(".").lower(),
                self[f"{kind}_port"],
                self[f"{kind}_security"],
            )
            for kind in PROTOCOLS
            if self[f"{kind}_host"]
        ]
        others = [_server_of(line) for line in (self.alternates or "").splitlines()]
        return [
            server
            for server in (*usual, *filter(None, others))
            if protocol in (None, server.protocol)
        ]

    def _hosts(self):
        """:return: set of the names of all its servers"""
        return {server.host for server in self._servers()}

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

    def _sign_in_name(self):
        """Whom people sign in with here, in the reader's language; False: nobody."""
        if self.oauth_kind == "other":
            # sudo: the name of an application is no secret
            return self.sudo().application_id.name or self.name
        return dict(self._fields["oauth_kind"]._description_selection(self.env)).get(
            self.oauth_kind, False
        )

    def _domain_set(self):
        """:return: set of str, in A-labels; those that begin with "*." too"""
        return {
            sign + _a_labels(name)
            for sign, name in map(_without_star, _listed(self.domains))
        }

    def _login_for(self, email, *, reading=False):
        """The usual sign-in name for ``email`` at this service."""
        self.ensure_one()
        login_format = (reading and self.incoming_login_format) or self.login_format
        if login_format == "local":
            return (email or "").partition("@")[0]
        return email or ""

    # What comes along with the addon

    @api.model
    def _load_services(self):
        """Called at each installation and update, see ``tools/mail_services.py``."""
        mail_services.load(self.env)


def _listed(text):
    """The parts of a text with commas: set of str in small letters."""
    parts = (part.strip().lower() for part in (text or "").split(","))
    return {part for part in parts if part}


def _domain_of(email):
    """The domain of an address, however it is spelled, in A-labels; "" for none."""
    address = Address(email)
    if not address.key:  # with a name beside it, say
        address = Address(email_normalize(email) or "")
    return address.key.rpartition("@")[2]


def _without_star(pattern):
    return ("*.", pattern[2:]) if pattern.startswith("*.") else ("", pattern)


def _a_labels(name):
    """A domain in A-labels; what is none stays as it is."""
    return name if name.isascii() else _domain_of(f"postmaster@{name}") or name


def _fits(name, patterns, *, least=""):
    """Whether a name is one of the patterns, or ends like one that begins with *.

    :param least: what a pattern must go on with after its *
    """
    return any(
        name.endswith(pattern[1:]) and name != pattern[1:]
        if pattern.startswith(f"*{least}") and len(pattern) > 2
        else name == pattern
        for pattern in patterns
    )


def _server_of(line):
    """:return: ``Server``, or None where the line is none"""
    words = line.split()
    if len(words) != 3:
        return None
    host, _colon, port = words[1].rpartition(":")
    known = words[0] in PROTOCOLS and words[2] in dict(SECURITY)
    if not (known and host and port.isascii() and port.isdigit()):
        return None
    if not 0 < int(port) < 65536:
        return None
    return Server(words[0], host.rstrip(".").lower(), int(port), words[2])
