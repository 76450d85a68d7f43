"""The mail service of ``./dev run``: SMTP, IMAP and POP3 on loopback, nothing outside.

Built on Twisted's mail servers. A Maildir per address below one folder.
"""
