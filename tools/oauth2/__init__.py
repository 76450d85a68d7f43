"""Signing in with a mail service (OAuth 2.0, RFC 6749), in place of a password.

``authorization`` leads people to the service's page and takes what they come back with;
``tokens`` keeps the access tokens of all accounts good, ``revocation`` ends what is not
needed any more. What is stored is opened by ``vault``; the protocol is
``mailkit/oauth.py``. ``quiet_logs`` keeps codes out of the logs.

Of an application: ``services``: what is known of Google and Microsoft; ``words``: what
services say when a sign-in fails; ``web_address``: where people come back to;
``expiry``: telling that a client secret ends.
"""
