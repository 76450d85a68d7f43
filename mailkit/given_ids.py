"""The Message-ID that a mail service gives instead of ours, told from its answer.

Amazon SES answers "250 Ok <local part>", Exchange "250 2.0.0 OK <the whole id> [...]".
Where in the answer it stands is learned once, from a message that came back; an id in
angle brackets needs no lesson.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .message.headers import message_ids

# A shorter word, or one without a digit, is no id: "Ok", "queued".
_LEAST = 8
_AROUND = "<>()[]{}:;,.\"'"
_BRACKETS = re.compile(r"<[^<>\s]{3,900}@[^<>\s]{1,250}>")


@dataclass(frozen=True)
class IdRule:
    """The id is the word number `word` of the answer (0 is the reply code), with
    "@" and `domain` behind it; "": the word is the whole id.
    """

    word: int
    domain: str = ""


def learn(answer: str, message_id: str) -> IdRule | None:
    """How the answer to a message told `message_id` (normalised), which it got."""
    inside = message_id.strip("<>")
    local, _at, domain = inside.rpartition("@")
    for number, word in enumerate(_words(answer)):
        if word == inside:
            return IdRule(number)
        if word == local and _is_id(word):
            return IdRule(number, domain)
    return None


def given(answer: str, rule: IdRule | None) -> str:
    """The id that the answer tells, normalised; "" when it tells none."""
    found = _BRACKETS.findall(answer)
    if rule is None:
        return _one(found[0]) if len(found) == 1 else ""
    words = _words(answer)
    word = words[rule.word] if rule.word < len(words) else ""
    if not _is_id(word):
        return ""
    if rule.domain:
        return _one(f"<{word}@{rule.domain}>")
    return _one(f"<{word}>") if "@" in word else ""


def _words(answer: str) -> list[str]:
    return [word.strip(_AROUND) for word in answer.split()]


def _is_id(word: str) -> bool:
    return len(word) >= _LEAST and any(map(str.isdigit, word))


def _one(text: str) -> str:
    found = message_ids(text)
    return found[0] if len(found) == 1 and found[0] == text else ""
