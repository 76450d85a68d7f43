"""Signing in with a mail service (OAuth 2.0, RFC 6749), in place of a password.

``authorization`` leads from the button to the service's page, and back with the tokens.
``tokens`` keeps the access tokens of all accounts good, ``revocation`` ends what is not
needed any more. What is stored is opened by ``vault``; the protocol is
``mailkit/oauth.py``.
"""
