"""Signing in with a mail service (OAuth 2.0, RFC 6749), in place of a password.

``authorization`` leads from the button to the service's page, and back with the tokens.
``tokens`` keeps the access tokens of all accounts good, ``revocation`` ends what is not
needed any more. ``services``: what is known of Google and Microsoft. ``words``: what
services say when a sign-in fails. ``web_address``: where people come back to.
``expiry``: telling that a client secret ends. ``quiet_logs``: what logs leave out. What
is stored is opened by ``vault``; the protocol is ``mailkit/oauth.py``.
"""
