"""Servers for the tests: real ones (Postfix, Dovecot) and one that misbehaves."""
