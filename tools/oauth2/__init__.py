"""Signing in at the mail service (OAuth 2.0, RFC 6749) instead of with a password.

``services``: what is known of Google and Microsoft. ``words``: what services say when a
sign-in fails. ``web_address``: where people come back to. ``expiry``: telling that a
client secret ends.
"""
