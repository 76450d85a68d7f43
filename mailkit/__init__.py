"""What a mail program needs to know: settings, TLS, SMTP, IMAP, POP3, messages, checks.

Pure Python without Odoo. Small frozen dataclasses go in and come out; every failure is
an `errors.MailError` with an `errors.ErrorCode`, whose text holds no secret.
"""
