"""What the commands of an x2many field do, in values that are about to be written."""

from odoo import Command


def linked_ids(command):
    """Ids of the existing records that one command links."""
    operation, record_id, *rest = command
    if operation == Command.LINK:
        return [record_id]
    return rest[0] if operation == Command.SET else []


def keeps(commands, ids):
    """Whether commands, or plain ids, leave a field with ``ids`` as it is."""
    for command in commands or ():
        operation, record_id, *rest = (
            (Command.LINK, command) if isinstance(command, int) else command
        )
        if operation == Command.LINK:
            kept = record_id in ids
        else:
            kept = operation == Command.SET and set(rest[0]) == ids
        if not kept:
            return False
    return True
