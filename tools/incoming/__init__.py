"""Reading mailboxes: what comes out of them, and what becomes of it.

In the order of a message's journey, beside ``tools/outgoing``:

- ``run``: one run of the scheduled action. It opens with the map: who asks whom.
- ``visit``: the network's part, one connection to one mailbox, in a thread.
- ``work``: the database's part of the same mailbox, in the thread of the run.
- ``intake``: one message: what it is, and its row in the ledger.
- ``gateway``: handing it over to core's gateway, and what that is told of it.

Beside them: ``claims``, who reads a mailbox now; ``requests``, what a visit asks the
run for; ``facts``, what headers and the database tell of a message, and who takes part
in a conversation; ``heavy``, a message's bytes, and what of them would be too much for
core's parser.

A run *reads* the mailboxes that are due; that is one *visit* to each. A message is
*fetched* when it is taken out of the mailbox whole. ``next_look`` and ``last_look`` of
mail.external.mailbox are the moments of the next visit and the last good one.
"""
