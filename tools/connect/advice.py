"""What a test mail and the domain's DNS say, as advice: it never stops anybody.

Lines with a mark: a warning ("!") where customers or answers are concerned, else a
hint ("i").
"""

from ...mailkit.connection.network import Deadline
from ...mailkit.preflight import evidence
from ...mailkit.preflight.judge import judge, receiving_hosts
from ...mailkit.preflight.lookups import Lookups
from ...mailkit.preflight.verdicts import Subject, Verdict
from ...mailkit.records import is_available
from .advice_texts import NOTES, REASONS, VERDICTS
from .discovery import name_servers

# Seconds for all questions to DNS about one address.
DNS_SECONDS = 15.0
_NAMES = {Subject.SPF: "SPF", Subject.DKIM: "DKIM", Subject.DMARC: "DMARC"}
_WARN = (Verdict.FAIL, Verdict.NO_POLICY)


# A test mail


def of_round_trip(window, result):
    """What a mail to oneself has shown, besides that it came.

    :param mailkit.checks.CheckResult result: of Step.ROUND_TRIP
    :return: list of dict: warns, text, remedy
    """
    facts = result.facts
    if "seen" not in facts:
        return []
    if not facts["seen"]:
        return [_note(window, "late")] if result.ok else []
    return [_note(window, name) for name in _noted(facts)]


def _noted(facts):
    """The names in ``NOTES`` of what there is to tell."""
    if facts["junk"]:
        yield "junk"
    if facts["name"] != "kept":
        yield "name"
    if facts["reply_to"] != "kept":
        yield "reply_to"
    yield from _noted_of_answers(facts)
    yield "removed" if facts["removed"] else "left"


def _noted_of_answers(facts):
    """By what answers will be known."""
    loses_references = facts["references"] != "kept"
    loses_marks = not {"kept", "unknown"} & {facts["text_mark"], facts["html_mark"]}
    if facts["message_id"] != "kept" and not facts.get("rule") and loses_references:
        yield "all_lost" if loses_marks else "header_lost"
        return
    if facts["message_id"] != "kept":
        yield "id_told" if facts.get("rule") else "id_hidden"
    if loses_references:
        yield "references"
    if loses_marks:
        yield "marks"


def _note(window, name):
    warns, text, remedy = NOTES[name]
    names = {"email": window.email or ""}
    return {
        "name": name,
        "warns": warns,
        "text": str(window.env._(text)) % names,
        "remedy": str(window.env._(remedy)) % names if remedy else "",
    }


# SPF, DKIM and DMARC


def prepared_preflight(window, head):
    """The judgement of the window's address, ready to be made without a database.

    :param str head: the header of the test mail that came back, "" none
    :return: function without parameters, which returns a tuple of
        ``mailkit.preflight.verdicts.Finding``, None: the package is not installed
    """
    email, host = window.email, window.smtp_host or ""
    incoming = window.incoming_host or ""
    allow_private = window.allow_private_host
    servers = name_servers(window.env)

    def run():
        if not is_available():
            return None
        lookups = Lookups(Deadline(DNS_SECONDS), servers, allow_private=allow_private)
        found = None
        if head:
            hosts = (*receiving_hosts(lookups, email), incoming)
            found = evidence.read(head.encode("latin-1"), hosts)
        return judge(lookups, email, host, found)

    return run


def told(env, findings):
    """What the window shows.

    :param findings: what ``prepared_preflight``'s function returned
    :return: list of dict: step, verdict, label, warns, text, remedy, name, record
    """
    if findings is None:
        text = env._("DNS cannot be asked: the Python package dnspython is missing.")
        remedy = env._("Ask your administrator to install it: pip install dnspython")
        return [_line("dns", "unknown", env._("SPF, DKIM, DMARC"), text, remedy)]
    return [_told(env, finding) for finding in findings]


def _told(env, finding):
    text, remedy = REASONS[finding.reason.value]
    values = {name: "" for name in _VALUES} | dict(finding.values)
    label = env._(
        "%(what)s: %(verdict)s",
        what=_NAMES[finding.subject],
        verdict=env._(VERDICTS[finding.verdict.value]),
    )
    return _line(
        finding.subject.value,
        finding.verdict.value,
        label,
        str(env._(text)) % values,
        str(env._(remedy)) % values if remedy else "",
        warns=finding.verdict in _WARN,
        name=finding.name,
        record=finding.record,
    )


_VALUES = (
    *("domain", "record", "term", "service", "address", "other", "name", "selector"),
    *("policy", "percent", "where"),
)


def _line(step, verdict, label, text, remedy, *, warns=False, name="", record=""):
    return {
        "step": step,
        "verdict": verdict,
        "label": label,
        "warns": warns,
        "text": text,
        "remedy": remedy,
        "name": name,
        "record": record,
    }
