"""How long core will need for a text of a mail, told before it begins.

``html_sanitize`` (odoo/tools/mail.py) works in a time that grows with the square of
what a sender may write: quoted lines, unclosed tags, attributes, neighbours of a
quote. 40 kB can take minutes, and nothing can interrupt it. So what takes long is
told from what is counted, and the marking of quotes, where so much depends on so
little, is tried out with core's own function, one element after the other.
"""

import html
import re
import time

from lxml import etree
from odoo.tools.mail import fromstring, tag_quote

# Seconds that core may need for the texts of a message, roughly.
BUDGET = 1.0
# What is shown of a text that takes longer.
KEPT_CHARACTERS, KEPT_LINES = 64 * 1024, 1000

# Measured, in seconds: per character, and per pair of characters for patterns that
# are tried from every beginning to the far end.
_CHARACTER, _STEP = 2e-7, 2e-8
_QUOTES = re.compile(r"(?:\n>[^\n\r]*)+")
_MOST_ATTRIBUTES = 500
_MOST_ODD_VALUES = 20
_ODD_VALUE = re.compile(r"""="[^">]*>|='[^'>]*>""")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_SEPARATOR = re.compile(r"[\s/]")
_WORD = re.compile(r"[\w-]+")
_LAZY = re.compile(r"\[if\b|expression\s*\(|url\s*\(|/\*", re.IGNORECASE)
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(style|script|title|head)\b.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_LINE_END = re.compile(r"</?(?:br|p|div|tr|li|h\d|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")


def seconds(text, is_html):
    """What core needs for a text, roughly; any number above ``BUDGET`` is too much."""
    if not is_html:
        # Only once: what is stored next has its quotes marked.
        return len(text) * _CHARACTER / 40 + _seconds_of_quotes(text) / 2
    total = len(text) * _CHARACTER + _seconds_of_tags(text)
    if total > BUDGET:
        return total
    return total + _seconds_of_elements(text, BUDGET - total)


def beginning(text, is_html):
    """The first lines of a text, as plain text."""
    if is_html:
        text = _HIDDEN.sub("", text[: 16 * KEPT_CHARACTERS])
        text = html.unescape(_TAG.sub("", _LINE_END.sub("\n", text)))
        text = _EMPTY_LINES.sub("\n\n", text.replace("\r", "")).strip()
    lines = text[:KEPT_CHARACTERS].splitlines()
    return "\n".join(lines[:KEPT_LINES]).rstrip()


def _seconds_of_quotes(text):
    """tag_quote puts an element in for each group of quoted lines, behind all those
    before it, and copies the rest of the text."""
    groups = len(_QUOTES.findall(text))
    return groups * (groups * 3e-8 + len(text) * 1e-9)


def _seconds_of_tags(markup):
    """Before core parses it: unclosed tags, and attributes, of which libxml2 compares
    each with all others."""
    steps = attributes = 0
    odd = len(_ODD_VALUE.findall(markup))  # a ">" that does not end the tag
    for piece in markup.split(">"):
        start = piece.find("<")
        if start < 0:
            continue
        steps += piece.count("<") * (len(piece) - start)
        if len(piece) - start > 2 * _MOST_ATTRIBUTES:
            tag, quoted = _QUOTED.subn('"', piece[start:])
            attributes = max(attributes, quoted + len(_SEPARATOR.findall(tag)))
    if odd > _MOST_ODD_VALUES or attributes > _MOST_ATTRIBUTES:
        return float("inf")
    return steps * _STEP


def _seconds_of_elements(markup, limit):
    """After the parser, with core's own marking of quotes."""
    try:
        root, _single = fromstring(markup)
    except (etree.ParserError, ValueError):
        return 0.0  # core will not get any further
    begin = time.thread_time()
    told = 0.0
    for element in root.iter():
        is_tag = isinstance(element.tag, str)  # not so for comments
        text = element.text or ""
        style = is_tag and element.get("style") or ""
        steps = _steps(style) + len(text) * len(_LAZY.findall(text))
        steps += len(_address(element)) ** 2 if element.tag == "img" else 0
        told += steps * _STEP
        if told + _seconds_of_quotes(text) > limit:
            return float("inf")
        if is_tag:
            tag_quote(element)
        if told + time.thread_time() - begin > limit:
            return float("inf")
    return told + time.thread_time() - begin


def _address(image):
    """What core's html2plaintext looks for the name of a picture in."""
    source = image.get("src") or ""
    return "" if source.startswith("data:") else source


def _steps(style):
    """What core's and lxml's patterns for styles do with it."""
    if len(style) < 200:
        return 0
    words = sum(len(word) ** 2 for word in _WORD.findall(style))
    return words + len(style) * len(_LAZY.findall(style))
