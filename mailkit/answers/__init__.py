"""Whose answer a mail is, and to what: who wrote it, tokens, reports, loops."""
