from odoo import api, fields, models

from ..mailkit.message.address import Address
from ..models.mail_external_connection_mixin import READ_PROTOCOLS
from ..tools.connect import discovery
from ..tools.connect.turn import Turn, connection_returned

_USUAL = {"smtp": 465, "imap": 993, "pop3": 995}


class MailExternalDiscoveryMixin(models.AbstractModel):
    """The settings of a mail service that no preset knows, found out from the address.

    The screen asks for one source after the other (``find_settings``), and puts what
    was found into ``found_settings``; its onchange fills in the servers. So nothing is
    overwritten that the user has typed meanwhile, no onchange waits for the network,
    and what was found, and where, stays in the window. It proves nothing: it is no more
    than if the user had typed it.
    """

    _name = "mail.external.discovery.mixin"
    _inherit = "mail.external.connection.mixin"
    _description = "Finding the Settings of a Mail Service"

    # as ``tools/connect/discovery.py:told`` makes it; shown, and written by the screen
    found_settings = fields.Json()

    @api.model
    def find_settings(self, email, source=None, ca_certificate=None):
        """Ask one source for the servers of an address; without one, which there are.

        No source is asked, and none told, for a domain that a preset names.

        :return: without ``source`` list of dict: source, label, skipped (why it is not
            asked, or ""); else dict: source, text, found (False, or what
            ``found_settings`` takes)
        :raise UserError: another check of this user is under way, or too many were
        """
        asker = discovery.asker(self, str(email or ""), ca_certificate)
        if source is None:
            return discovery.lines(asker) if asker else []
        if not asker:
            return {"source": source, "text": "", "found": False}
        wanted = discovery.source_of(asker, source)
        seconds = discovery.seconds(wanted)
        with Turn(self.browse(), f"find_{wanted.value}").taken(seconds):
            with connection_returned(self.env):
                result = asker.search.ask(wanted)
        return discovery.told(asker, result)

    @api.onchange("found_settings")
    def _onchange_found_settings(self):
        found = self.found_settings or {}
        email = Address.of(self.email)
        if self.is_address_only or not Address.of(found.get("email")).is_same(email):
            return
        if (self.smtp_host or self.provider_id) and not found.get("replace"):
            return  # typed, or chosen, while it was looked for
        if found.get("provider_id"):
            # what else it knows comes by its own onchange
            self.provider_id = found["provider_id"]
            return
        self.provider_id = False
        self._fill_found("smtp", found.get("smtp"))
        modes = [mode for mode in READ_PROTOCOLS if found.get(mode)]
        if modes and (found.get("replace") or not self.incoming_host):
            self.receive_replies = True
            self.incoming_protocol = modes[0]
            self._fill_found("incoming", found[modes[0]])

    @api.onchange("email")
    def _onchange_email_found(self):
        """What was found for another address goes, unless somebody changed it."""
        found = self.found_settings or {}
        if not found or Address.of(found.get("email")).is_same(Address.of(self.email)):
            return
        self.found_settings = False
        presets = self.env["mail.external.provider"]
        if self.is_address_only or presets._find_for_address(self.email):
            return
        if self.provider_id and self.provider_id._origin.id == found.get("provider_id"):
            self.provider_id = False
        for purpose, kind in (("smtp", "smtp"), ("incoming", self.incoming_protocol)):
            host = (found.get(kind) or {}).get("host")
            if host and self[f"{purpose}_host"] == host:
                self[f"{purpose}_host"] = False
                self[f"{purpose}_port"] = _USUAL[kind]
                self[f"{purpose}_security"] = "ssl"
                self[f"{purpose}_login"] = self.email

    def _fill_incoming(self):
        """Between IMAP and POP3, too, what was found stays."""
        result = super()._fill_incoming()
        found = self.found_settings or {}
        if not self.provider_id and self._is_found(found):
            self._fill_found("incoming", found.get(self.incoming_protocol))
        return result

    def _is_found(self, found):
        """Whether the servers in the window are those that were found."""
        return bool(self.smtp_host) and self.smtp_host == (found.get("smtp") or {}).get(
            "host"
        )

    def _fill_found(self, purpose, server):
        """:param dict server: host, port, security, login; or nothing"""
        if not server:
            return
        for name in ("host", "port", "security"):
            self[f"{purpose}_{name}"] = server[name]
        typed = self[f"{purpose}_login"]
        if not typed or typed == self.email:
            self[f"{purpose}_login"] = server.get("login") or self.email
