"""A mail's addresses, header fields and texts, read from hostile octets within caps."""
