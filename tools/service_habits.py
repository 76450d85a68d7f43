"""What is known of how an account's mail service treats mail, from a mail to oneself.

It is kept on the account (``mail.external.account.service_habits``) and used: answers
name the Message-ID that the service gave, not ours.
"""

from ..mailkit import given_ids

#: Of ``mailkit.round_trip.Return``: what is told, and kept.
PARTS = (
    *("message_id", "name", "reply_to", "references"),
    *("thread_index", "text_mark", "html_mark"),
)


def kept(facts):
    """What of a test stays with an account: nothing of the mail itself.

    :param facts: of ``connect/round_trip.py``, or False
    :return: dict, or False when no mail came back
    """
    if not (facts and facts.get("seen")):
        return False
    names = (*PARTS, "rule", "word", "domain")
    return {name: facts[name] for name in names if name in facts}


def given_id(habits, answer):
    """The Message-ID that a service told in its answer to a mail, "" none.

    :param habits: what ``kept`` returned for the account, or False
    :param str answer: what ``SmtpSession.send`` returned
    """
    rule = None
    if habits and habits.get("rule"):
        rule = given_ids.IdRule(habits["word"], habits["domain"])
    return given_ids.given(answer, rule)


def hides_ids(habits):
    """Whether a service gives ids of its own and does not tell them when it takes a
    mail."""
    return bool(habits) and habits["message_id"] != "kept" and not habits.get("rule")
