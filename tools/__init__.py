"""What knows Odoo and is no model, so that nobody can call it from outside.

- ``outgoing/``: who a message leaves from, who gets it, and how it is delivered.
- ``incoming/``: how mailboxes are read, what a message is, and where it belongs.
- ``connect/``: what the connect window tests and saves.
- ``trusted_context``: what stands beside the environment, where no caller can write.
- ``vault``: stored passwords, and what Odoo signs.
- ``code_mail``: the mail with the code that proves an address.
- ``service_habits``: what an account's mail service does to mail.
- ``cron``: scheduled actions, and how long a run of them may take.
- ``explanations``, ``notices``, ``account_screen``: what people are told.
- ``access_lists``, ``fresh_cache``: who may use an address, and what is cached of it.
"""
