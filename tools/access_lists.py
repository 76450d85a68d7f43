"""Lists of who may use an address of the company: an empty one means everybody."""

from odoo.exceptions import UserError

_LISTS = {"allowed_user_ids", "allowed_group_ids"}


def check_still_restricted(field, records):
    """Nobody is left in an access list = everybody may: refuse that by accident.

    :param str field: "allowed_user_ids" or "allowed_group_ids"
    :param records: users or groups that are about to be deleted
    :raise UserError: one of them is the last one who may use an address
    """
    # sudo: who deletes users need not see every address
    addresses = records.env["mail.external.address"].sudo()
    addresses = addresses.with_context(active_test=False)
    [other] = _LISTS - {field}
    for address in addresses.search([(field, "in", records.ids)]):
        if not address[field] - records and not address[other]:
            raise UserError(
                address.env._(
                    "%s would become usable by everybody, because nobody else is "
                    "allowed to use it. Choose other people in “Who may use it” of "
                    "this external address first.",
                    address.email,
                )
            )
        address[field] -= records
