"""Sign-in with a mail service by OAuth 2.0 (RFC 6749), as far as it knows Odoo.

- ``authorization``: from the button to the service's page, and back with the tokens.
"""
