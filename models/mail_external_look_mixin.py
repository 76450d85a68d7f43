import base64
import re
from types import SimpleNamespace
from typing import NamedTuple

from lxml import etree
from lxml import html as lxml_html
from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import formataddr, is_html_empty
from odoo.tools.mail import email_normalize, parse_contact_from_email
from odoo.tools.mimetypes import guess_mimetype

from ..mailkit.message.address_fields import MAX_FROM
from ..tools.fresh_cache import fresh_ormcache
from ..tools.outgoing.names import (
    from_line,
    is_pattern,
    project_name,
    render_sender_name,
    unknown_placeholders,
)

# What every mail program shows; Outlook and Gmail show neither SVG nor WebP.
_LOGO_TYPES = ("image/png", "image/jpeg", "image/gif")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_DEFAULT_COLOR = "#714B67"
LOGO_SIZE = (360, 120)  # pixels; shown at half of it on fine screens
# mail/static/src/core/web/composer_patch.js marks the composer's signature so
_SIGNATURE_CLASS = "o-signature-container"

PLAIN_LAYOUT = "mail_external_account.mail_layout_plain"
BRAND_LAYOUT = "mail_external_account.mail_layout_brand"


class Look(NamedTuple):
    """An address's own look; what comes from its company is read when needed."""

    layout: str
    signature: str  # sanitized HTML; empty: the author's own
    show_record_button: bool

    @property
    def layout_xmlid(self):
        return BRAND_LAYOUT if self.layout == "brand" else PLAIN_LAYOUT


class MailExternalLookMixin(models.AbstractModel):
    """What recipients see: the sender's name, the signature and the layout.

    Needs ``email``, ``user_id`` (the employee whose it is, or none) and ``company_id``.
    """

    _name = "mail.external.look.mixin"
    _description = "Look of Mail From an External Address"

    sender_name = fields.Char(
        help="The name that recipients see next to the address. {author}, {project} "
        "and {company} stand for the names of who writes, of the project and of the "
        "company. Empty: the employee's name, or the company's for its addresses.",
    )
    from_preview = fields.Char(
        "Recipients See", compute="_compute_from_preview", compute_sudo=True
    )
    signature = fields.Html(
        help="Replaces the author's own signature in mail to external contacts. "
        "Empty: the author's own.",
    )
    layout = fields.Selection(
        [
            ("plain", "Plain, as from a mail program"),
            ("brand", "With the brand's logo and color"),
        ],
        required=True,
        default="plain",
        help="How mail to external contacts looks. A template with a layout of its own "
        "keeps it.",
    )
    brand_logo = fields.Image(
        max_width=LOGO_SIZE[0],
        max_height=LOGO_SIZE[1],
        help="Sent inside the mail. Empty: the company's logo.",
    )
    brand_color = fields.Char(help="Empty: the color of the company's e-mails.")
    show_record_button = fields.Boolean(
        "Button to the Record",
        help="A button such as “View Task” for external contacts who can open the "
        "record in the customer portal. Others never get it.",
    )

    @api.constrains("brand_color")
    def _check_brand_color(self):
        for address in self:
            if address.brand_color and not _COLOR.fullmatch(address.brand_color):
                raise ValidationError(
                    self.env._(
                        "Brand Color: “%s” is no color. Choose one, or enter six "
                        "digits such as #1a73e8.",
                        address.brand_color,
                    )
                )

    @api.constrains("brand_logo")
    def _check_brand_logo(self):
        for address in self.filtered("brand_logo"):
            image = base64.b64decode(address.brand_logo)
            if guess_mimetype(image) not in _LOGO_TYPES:
                raise ValidationError(
                    self.env._(
                        "Brand Logo: mail programs do not show this kind of picture. "
                        "Choose a PNG, JPEG or GIF file."
                    )
                )

    # Signature and layout

    def _has_signature(self):
        return not is_html_empty(self.signature)

    @api.model
    @fresh_ormcache("address_id")
    def _look(self, address_id):
        """How one address's mails look; cached, because every posting asks for it."""
        address = self.sudo().browse(address_id)
        return Look(
            layout=address.layout,
            signature=str(address.signature) if address._has_signature() else "",
            show_record_button=address.show_record_button,
        )

    def _layout_values(self, render_values, of_record):
        """What the layouts need besides what core gives them.

        :param dict render_values: of ``_notify_by_email_prepare_rendering_context``
        :param of_record: the record's company
        """
        self.ensure_one()
        look = self._look(self.id)
        author = render_values.get("author_user")
        values = self._brand_values(of_record) if look.layout == "brand" else {}
        if (
            render_values.get("email_add_signature")
            and look.signature
            and author
            and author._is_internal()
        ):
            # as core frames the user's own; the field has sanitized it
            signature = Markup(look.signature)  # noqa: S704
            values["signature"] = Markup("<div>-- <br/>%s</div>") % signature
        return values

    def _wrap_body(self, body, lang=None):
        """A mail without a layout in the one of this address, as text of HTML.

        Mass mailings have neither signature nor button.
        """
        self.ensure_one()
        if self._look(self.id).layout == "plain":
            return body
        rendered = Markup(body or "")  # noqa: S704 - the HTML that core would send
        values = {
            "message": SimpleNamespace(body=rendered),
            "lang": lang or self.env.lang,
            **self._brand_values(),
        }
        qweb = self.env["ir.qweb"]
        return qweb._render(BRAND_LAYOUT, values, lang=values["lang"])

    def _brand_values(self, of_record=None):
        company = self._sender_company(of_record)
        # a person's name, or a pattern with one, is no brand's
        fixed = not self.user_id and not is_pattern(self.sender_name or "")
        color = self.brand_color or company.email_secondary_color or ""
        if not _COLOR.fullmatch(color):
            color = _DEFAULT_COLOR
        return {
            "brand_color": color,
            "brand_text_color": _readable_on(color),
            "brand_name": fixed and self.sender_name or company.name or "",
            "has_brand_logo": bool(self._brand_image(of_record)),
        }

    def _brand_image(self, of_record=None):
        """The logo in mails: (bytes, MIME type), or None.

        The company's own when the address has none, unless it is Odoo's default one.

        :param of_record: the record's company
        """
        self.ensure_one()
        company = self._sender_company(of_record)
        encoded = self.brand_logo
        if not encoded and not company.uses_default_logo:
            encoded = company.logo_web
        image = base64.b64decode(encoded or b"")
        kind = guess_mimetype(image) if image else ""
        return (image, kind) if kind in _LOGO_TYPES else None

    # The name

    @api.constrains("sender_name")
    def _check_sender_name(self):
        for address in self:
            check_sender_name(self.env, address.sender_name)

    @api.depends_context("uid")
    @api.depends("email", "sender_name", "user_id.name", "company_id.name")
    def _compute_from_preview(self):
        for address in self:
            author = address.user_id or self.env.user
            address.from_preview = address._sender_label(author.name, "")

    def _sender_label(self, author, project):
        """The From line as people read it.

        :param str author: name of who writes; empty: nobody does
        :param str project: name of the record's project; empty: none
        """
        self.ensure_one()
        company = self._sender_company().name or ""
        name = render_sender_name(self._name_pattern(), author, project, company)
        return from_line(name, self.email)

    def _name_pattern(self):
        """The entered name, which may be a pattern. Empty: the owner's of a personal
        address, the company's of a company address (who writes from a shared mailbox
        gives their own name only when asked for by ``{author}``)."""
        return self.sender_name or self.user_id.name or self.company_id.name or ""

    def _sender_company(self, of_record=None):
        """The company in whose name this address writes on a record."""
        return self.company_id or of_record or self.user_id.company_id

    def _email_from(self, message):
        """The From header of one message's mails, "Name <address>".

        What nobody wrote has the company as author. A customer's words, passed on to
        other customers, must not look like the company's own: their name is given.

        :param message: mail.message in superuser mode
        """
        self.ensure_one()
        author = project = customer = ""
        if is_pattern(self.sender_name or ""):
            thread = message._external_sender_thread()
            project = project_name(thread.exists()) if thread is not None else ""
        if message.external_origin == "project":
            customer = _customer_name(message)
        else:
            # OdooBot's user is archived: what it says nobody wrote
            user = message.author_id.main_user_id
            author = user.active and user._is_internal() and message.author_id.name
        company = self._sender_company(message.record_company_id)
        name = render_sender_name(
            self._name_pattern(), author, project, company.name or ""
        )
        if customer:
            via = self.with_context(lang=company.partner_id.lang).env._(
                "{author} via {company}"
            )
            name = render_sender_name(via, customer, "", name)
        return formataddr((name, self.email))


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


def _readable_on(color):
    """Black or white, whichever is easier to read on ``color`` (ITU-R BT.601 luma)."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 299 * red + 587 * green + 114 * blue > 150000 else "#ffffff"


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


def swap_signature(body, signature, add=False):
    """Exchange the signature in the full composer's text; without one it stays as is.

    A signature that the writer deleted stays deleted, and one in a message that is
    quoted stays as it was: the writer's own is not inside of anything. Where there is
    none to show its place is kept, as an empty line, for the next exchange.

    :param str body: HTML of the composer
    :param str signature: sanitized HTML
    :param bool add: below the text, when there is no signature yet
    """
    if not body or (_SIGNATURE_CLASS not in body and not add):
        return body
    try:
        tree = lxml_html.fragment_fromstring(str(body), create_parent="div")
        new = lxml_html.fragment_fromstring(
            f'<div data-o-mail-quote="1"><br>-- <br>{signature}</div>'
        )
    except (etree.ParserError, etree.XMLSyntaxError):
        return body
    container = _signature_in(tree)
    if container is None and add:
        container = etree.SubElement(tree, "div", {"class": _SIGNATURE_CLASS})
    if container is not None:
        for child in list(container):
            container.remove(child)
        container.text = None
        container.append(etree.Element("br") if is_html_empty(signature) else new)
    return lxml_html.tostring(tree, encoding="unicode")[5:-6]  # the parent <div>


def _signature_in(tree):
    for element in tree:
        if _SIGNATURE_CLASS in (element.get("class") or "").split():
            return element
    return None
