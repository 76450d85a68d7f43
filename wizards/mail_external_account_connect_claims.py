from odoo import models
from odoo.tools import escape_psql

from ..mailkit.addresses import same_mailbox
from ..mailkit.from_header import address_key, header_addresses
from ..mailkit.settings import same_address


def _mailbox(address):
    """One form of all addresses whose mail comes into the same mailbox, or ""."""
    key = address_key(address or "")
    return key and same_mailbox(key)


class MailExternalAccountConnect(models.TransientModel):
    """Who has the address of the window already: others, the company, Odoo itself.

    A code that is mailed to it shows nothing about who it belongs to, then.
    """

    _inherit = "mail.external.account.connect"

    def _is_own_address(self):
        """Whether Odoo itself writes from the address, or gets its reports there."""
        # sudo: alias domains are not readable for everybody, the answer is yes or no
        return any(
            same_address(address, self.email)
            for domain in self.env["mail.alias.domain"].sudo().search([])
            for address in (
                domain.bounce_email,
                domain.catchall_email,
                domain.default_from_email,
            )
            if address
        )

    def _is_read_by_odoo(self):
        """Whether mail to the address comes into Odoo, by an alias or a server that it
        fetches from (``fetchmail.server``)."""
        mailbox = _mailbox(self.email)
        local, _at, domain = mailbox.rpartition("@")
        # sudo: neither is readable for everybody, the answer is yes or no
        aliases = self.env["mail.alias"].sudo()
        if aliases.search_count(
            [
                *("|", ("alias_full_name", "=ilike", escape_psql(self.email))),
                *("|", ("alias_full_name", "=ilike", escape_psql(mailbox))),
                *("&", ("alias_incoming_local", "=", True)),
                ("alias_name", "=ilike", escape_psql(local)),
            ],
            limit=1,
        ):
            return True
        servers = self.env["fetchmail.server"].sudo().with_context(active_test=False)
        return any(
            _mailbox(server.user) == mailbox
            # where people sign in with the part before the @ only
            or (server.user or "").lower() == local
            and f".{(server.server or '').lower()}".endswith(f".{domain}")
            for server in servers.search([("user", "=ilike", f"{escape_psql(local)}%")])
        )

    def _same_mailbox_accounts(self):
        """Everybody's accounts of this mailbox, archived ones too (sudo).

        Drafts claim nothing, but for the company's: a manager has made them.
        """
        mailbox = _mailbox(self.email)
        local = mailbox.rpartition("@")[0]
        # sudo: nobody sees them all; what is told is that there are some
        accounts = self.env["mail.external.account"].sudo()
        if not mailbox:
            return accounts
        found = accounts.with_context(active_test=False).search(
            [
                ("email", "=ilike", f"{escape_psql(local)}%"),
                *("|", ("state", "!=", "draft"), ("user_id", "=", False)),
            ]
        )
        return found.filtered(lambda account: _mailbox(account.email) == mailbox)

    def _company_claims(self):
        """Accounts of companies that have this address."""
        return self._same_mailbox_accounts().filtered(lambda each: not each.user_id)

    def _other_claims(self):
        """Accounts of others than the window's owner that have this address."""
        owner, company = self._owner(), self.company_id._origin
        return self._same_mailbox_accounts().filtered(
            lambda account: (
                account.user_id != owner
                if account.user_id or owner
                else account.company_id != company
            )
        )

    def _manages_claims(self):
        """Whether the user manages the companies of all whose address this is."""
        companies = self.env.user.company_ids
        claims = self._other_claims()
        return self._is_manager() and not (
            claims.company_id - companies
            or any(not owner.company_ids & companies for owner in claims.user_id)
            or self._is_elsewhere(companies)
            or self._domain_companies() - companies
        )

    def _is_elsewhere(self, companies):
        """Whether the mailbox is that of people, or of a company, outside of these."""
        mailbox = _mailbox(self.email)
        if not mailbox:
            return False
        local = escape_psql(mailbox.rpartition("@")[0])
        # sudo: whose address it is, of people whom this user may not see
        everybody = self.env(su=True, context={"active_test": False})
        people, others = everybody["res.users"], everybody["res.company"]
        for pattern in (f"{local}@", f"{local}+"):
            people |= people.search(
                [
                    ("share", "=", False),
                    *("|", ("email", "ilike", pattern), ("login", "ilike", pattern)),
                ]
            )
            others |= others.search([("email", "ilike", pattern)])
        people = people.filtered(lambda user: not user.company_ids & companies)
        others -= companies
        texts = (
            *people.mapped("email"),
            *people.mapped("login"),
            *others.mapped("email"),
        )
        return any(
            mailbox in map(same_mailbox, header_addresses(text))
            for text in filter(None, texts)
        )

    def _domain_companies(self):
        """The companies whose own domain, at which Odoo gets their mail, it is at; none
        when the user's companies are among them."""
        # sudo: alias domains are not readable for everybody
        domains = self.env["mail.alias.domain"].sudo()
        name = _mailbox(self.email).rpartition("@")[2]
        found = domains.search([("name", "=ilike", escape_psql(name))]).company_ids
        return found.browse() if found & self.env.user.company_ids else found
