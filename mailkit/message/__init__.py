"""A mail's author, addresses, header fields and parts, read within caps."""
