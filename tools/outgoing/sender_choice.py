"""What a field "From" holds instead of an address's id."""

ODOO = 0  # Odoo's own mail server
EACH_DEFAULT = -1  # the default of each record
# Parameter of a scheduled message: whose signature is below the text, if nobody picked
SIGNED_FOR = "external_signed_for"
