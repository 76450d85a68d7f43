"""What SMTP, IMAP and POP3 have in common: which server and as whom, vetted addresses,
TLS, deadlines, the ways to sign in, and what a server's refusals mean."""
