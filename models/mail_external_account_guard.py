from odoo import api, models
from odoo.exceptions import AccessError, ValidationError

from ..mailkit.from_header import MAX_FROM, address_key, header_addresses
from ..tools.fresh_cache import fresh_ormcache

# Shown by more than that somebody has read one mail, see ``_addresses_of``.
FIRM_PROOFS = ("provider", "manager")


def _keys(accounts):
    return frozenset(filter(None, map(address_key, accounts.mapped("email"))))


class MailExternalAccount(models.Model):
    """A From that is an external address is for those who may use the account."""

    _inherit = "mail.external.account"

    @api.model
    @fresh_ormcache()
    def _external_addresses(self):
        """All external addresses, as keys (``mailkit.from_header``); drafts are none.

        :rtype: frozenset[str]
        """
        return self._address_keys([])

    @api.model
    @fresh_ormcache("user_id")
    def _addresses_of(self, user_id):
        """Those of ``_external_addresses`` that a user may carry in a From.

        Through their own account everybody sends what its server lets them. At Odoo's
        server nobody asks: there an address is for whom its mail service or a manager
        has proved it, or the company gave access. Who has read one code of a mailbox
        that others have too has shown too little.
        """
        user = self.env["res.users"].sudo().browse(user_id)
        if not user.active or user.share:
            return frozenset()
        usable = self._connected(self._access_domain(user))
        shown = usable.filtered(
            lambda account: not account.user_id or account.proof in FIRM_PROOFS
        )
        others = self._connected([("user_id", "!=", user.id)])
        return _keys(shown) | (_keys(usable) - _keys(others))

    @api.model
    @fresh_ormcache("user_id")
    def _address_for_odoo(self, user_id):
        """The e-mail of a user's company, if it is an address for all its employees.

        It may stand for Odoo in what this user, Odoo itself or the public one, made.

        :return: an address, or an empty text
        """
        company = self.env["res.users"].sudo().browse(user_id).company_id
        shared = self._address_keys(
            [
                ("user_id", "=", False),
                ("company_id", "=", company.id),
                ("allowed_user_ids", "=", False),
                ("allowed_group_ids", "=", False),
            ]
        )
        return company.email if address_key(company.email or "") in shared else ""

    @api.model
    def _address_keys(self, domain):
        return _keys(self._connected(domain))

    @api.model
    def _connected(self, domain):
        # sudo: everybody's addresses are guarded, also those that nobody may see
        return self.sudo().search([("state", "!=", "draft"), *domain])

    @api.model
    def _external_in(self, text):
        """The external addresses that a From header names.

        What is too long to be looked at may name any of them.
        """
        known = self._external_addresses()
        if not text or not known:
            return frozenset()
        text = str(text)
        return known if len(text) > MAX_FROM else header_addresses(text) & known

    @api.model
    def _check_typed_length(self, label, text):
        """Refuse a From that is too long, before anybody reads it.

        :raise ValidationError: longer than a line of a mail may be
        """
        if text and len(str(text)) > MAX_FROM:
            raise ValidationError(
                self.env._(
                    "%(field)s is longer than %(count)s characters. Enter one name and "
                    "e-mail address, or leave the field out.",
                    field=label,
                    count=MAX_FROM,
                )
            )

    @api.model
    def _check_typed_from(self, label, text, allowed=frozenset()):
        """Refuse a From that the user made up.

        His own e-mail address is no reason to refuse what he writes, whoever may use
        it as an external address: the mail then leaves with Odoo's address.

        :param str label: the field that he entered, for the message
        :param str text: a From header
        :param frozenset allowed: addresses that he did not make up
        :raise AccessError: it names somebody else's external address
        """
        self._check_typed_length(label, text)
        refused = self._external_in(text) - self._addresses_of(self.env.uid) - allowed
        if refused:
            refused -= header_addresses(self.env.user.email or "")
        if refused:
            raise AccessError(
                self.env._(
                    "%(field)s: %(address)s is an external address that you may not "
                    "use. Leave this field out, or choose an address of your own. A "
                    "manager can let you use an address of the company.",
                    field=label,
                    address=", ".join(sorted(refused)),
                )
            )

    @api.model
    def _check_typed_author(self, label, partner, allowed=frozenset()):
        """As ``_check_typed_from``, for a partner who is said to be the author."""
        if partner and partner != self.env.user.partner_id:
            # sudo: the address is only compared
            self._check_typed_from(label, partner.sudo().email, allowed)
