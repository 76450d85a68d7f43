"""What the connect window (``wizards/mail_external_account_connect.py``) does.

Its plain functions and classes, in the order in which a window needs them:

- ``rights``: for whom this user may connect an address, and with whose sign-in.
- ``discovery``: the servers of a domain that no preset names, source by source.
- ``test``: the checks, each prepared with the database and then run without it; the
  passwords that they use; what is shown of their results.
- ``sign_in``: the tokens of who signed in with the mail service, and where they may go.
- ``turn``: one check at a time for a user, few for all, and no connection to the
  database while somebody's server is waited for.
- ``probe``, ``round_trip``: mail that Odoo, or the account, sends in order to be found.
- ``advice``: what the test mail and the domain's DNS say; it stops nobody.
- ``saving``: what has to be right besides, and what is written.

How an address is proven is in ``wizards/mail_external_proof_mixin.py``.
"""
