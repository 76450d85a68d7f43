"""Which message a mail answers: matching, tokens, reports, and what programs wrote."""
