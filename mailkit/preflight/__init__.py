"""How receivers will judge mail of an address: SPF, DKIM and DMARC, read from DNS."""
