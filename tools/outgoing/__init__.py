"""Who a message leaves from, and how it gets to the customer's server.

While it is posted ``default_sender`` says who writes it, and ``choice`` which address
it leaves from, and why: the message keeps that (``external_address_id``). ``notifying``
tells external contacts apart from colleagues: their rows of mail (``mail.mail``) keep
the address, too (``sending_address_id``), and wait. Five stations follow:

- ``run``, by the scheduled action: which accounts are due, several at a time, a thread
  and a cursor each. It stores nothing.
- ``account`` claims the account, and goes through its waiting mails, recipient by
  recipient. The ledger (``mail.external.delivery``) has each as "sending" before the
  server is asked, and then what came of it: two commits.
- ``message`` makes the bytes of a mail, by core's methods, in the address's name
  (``names``).
- ``session`` is signed in at the account's server with its stored password.
- ``result`` writes what came of all recipients into the mail and the chatter.

A crash frees the account. Its mails still wait, and whom the ledger has as served is
not served again. Whom it has as "sending" gets the same Message-ID once more: better
than a mail that is lost.
"""
