"""Signing in with a mail service (OAuth 2.0, RFC 6749), in place of a password.

``authorization`` leads from the button to the service's page, and back with the tokens;
``quiet_logs`` is what logs leave out of that.

Of the accounts: ``tokens`` keeps the access tokens of all of them good, ``revocation``
ends what is not needed any more. What is stored is opened by ``vault``; the protocol is
``mailkit/oauth.py``.

Of the firm's applications: ``services`` is what is known of Google and Microsoft,
``entered`` whether what was typed can be right, ``check`` asks the service, ``words``
is what services say when a sign-in fails, ``web_address`` where people come back to,
``expiry`` tells that a client secret ends, and ``odoos_own`` takes over those of Odoo's
own modules.
"""
