"""What a mail program needs to know: servers, SMTP, IMAP, POP3, messages, answers.

Pure Python without Odoo. Small frozen dataclasses go in and come out; every failure is
an `errors.MailError` with an `errors.ErrorCode`, whose text holds no secret.
"""
