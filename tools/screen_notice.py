"""What a button says when it is done."""


def notice(kind, text, *, closes=True):
    """The client action that shows a text for a moment.

    :param str kind: "success", "info", "warning" or "danger"
    :param bool closes: whether the window that the button stands in is closed
    """
    params = {"type": kind, "message": text}
    if closes:
        params["next"] = {"type": "ir.actions.act_window_close"}
    return {
        "type": "ir.actions.client",
        "tag": "display_notification",
        "params": params,
    }
