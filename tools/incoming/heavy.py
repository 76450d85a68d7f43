"""The bytes of a message, and mail that would cost core's gateway too much.

Large parts go past its parser, and of a text that is too long or too complicated only
the beginning is shown, as plain text; the whole of it is a file.
"""

import base64
import html
import mmap
import os
import re
import tempfile
from collections import Counter
from email.message import EmailMessage
from functools import reduce
from operator import or_

import lxml.html
from lxml import etree
from lxml.html import defs
from markupsafe import escape
from odoo.tools.mail import SANITIZE_TAGS

from ...mailkit.message import fields
from ...mailkit.message.lightening import FIELD, find_mark, lighten

# Larger ones lie on the disk: Odoo's parser needs several times their size in memory.
LARGE = 1024 * 1024
# So much of a message tells what it is (headers, and the first texts).
_HEAD = 2 * LARGE
_KINDS = {"text/plain": "message.txt", "text/html": "message.html"}
# What is shown of a text that is too much.
_KEPT_CHARACTERS, _KEPT_LINES = 64 * 1024, 1000

# Core's html_sanitize and html2plaintext (odoo/tools/mail.py) need a time that grows
# with the square of much that a sender may write, and nothing can interrupt them. So
# this is what the texts of a message may have together. At each of these limits core
# needs a second at most, all its rounds together.
_MOST = {
    "characters": 4 << 20,
    "elements": 16_000,
    # Characters of attributes, except pictures in them, of styles and of comments.
    "attributes": 512 << 10,
    # Characters of pictures' addresses: html2plaintext looks for a name in each.
    "addresses": 40_000,
    # Children of an element where core looks at all of them for each, to find quotes.
    "siblings": 500,
    # For each group of quoted lines core copies the rest of the text; for each tag that
    # it leaves out, maybe all text before it.
    "copied": 800_000_000,
    # "<" that another one follows before any ">": core's patterns look for the ">".
    "unclosed": 1000,
    # What follows is longer, or there more often, than any mail program writes it.
    "odd": 0,
}
_MOST_VALUE, _MOST_ADDRESS = 4000, 2000  # characters
_MOST_UNCLOSED = 10_000  # characters
_MOST_ATTRIBUTES = 100  # of a tag
_MOST_ODD_VALUES = 100
_MOST_OPENED, _MOST_CONDITIONS = 100, 20
# In a style, core tries each word from every letter on.
_LONG_WORD = re.compile(r"[\w-]{101}")
# Patterns that are tried from here to the far end of a style, or ("[if") a comment.
_OPENED = re.compile(r"expression|url\s*\(|/\*", re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CSS_IGNORED = re.compile(r"[\s\x00-\x1f\\]+")
_PICTURE = re.compile(r"data:image/[\w.+-]{1,40};base64,[\w+/=\s]*", re.ASCII)
_ODD_VALUE = re.compile(r"""="[^">]*>|='[^'>]*>""")  # a ">" that does not end the tag
_QUOTED_VALUE = re.compile(r""""[^"]*"|'[^']*'""")
_TAG_BEGIN = re.compile(r"<[a-z]", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s/]+")
# What core removes before it parses (``append_content_to_html``, ``html_normalize``),
# from here to the next ">". Of tags with an encoding it does so in some more ways.
_AROUND = re.compile(r"</?(?:html|body|head|!\s*doctype)", re.IGNORECASE)
_ENCODING = re.compile(r"\sencoding=")
_ENCODED = re.compile(
    r"""<[^<>]{0,500}?\sencoding=(?:"[^"'<>]{0,99}"|'[^"'<>]{0,99}'|[^"'<>\s]{1,99})"""
    r"(?:[?/]|\s[^<>]*)?"
)
_OUTLOOK = re.compile(r"</?o:")
_LEFT = defs.tags.difference(
    *(SANITIZE_TAGS["kill_tags"], SANITIZE_TAGS["remove_tags"], defs.frame_tags),
    "applet blink button form input layer marquee param select textarea".split(),
)
# Whose parent's children core looks at one by one (``tag_quote``).
_QUOTES_AROUND = re.compile("gmail_extra|SkyDrivePlaceholder|yahoo_quoted|stopSpelling")
_SIGNATURE = re.compile(r"(?:^|\n)--\s?$")
_QUOTED_LINES = re.compile(r"(?:\n>[^\n\r]*)+")

_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(style|script|title|head)\b.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_LINE_END = re.compile(r"</?(?:br|p|div|tr|li|h\d|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")


class MessageSource:
    """The bytes of a message; a large one costs no memory until it is asked for.

    ``head``: the beginning, with all headers and the first texts.

    :param raw: bytes, or an open file, which stays the caller's
    """

    def __init__(self, raw):
        self._raw, self._file = None, None
        if isinstance(raw, bytes):
            self._take_bytes(raw)
        else:
            self._take_file(raw)

    def _take_bytes(self, raw):
        self.head = raw[:_HEAD]
        if len(raw) < LARGE:
            self._raw = raw
            return
        self._file = tempfile.TemporaryFile()
        self._file.write(raw)
        self._file.flush()

    def _take_file(self, file):
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.head = file.read(_HEAD)
        if size < LARGE:
            self._raw = self.head
            return
        file.flush()
        self._file = file

    def buffer(self):
        """Return what can be sliced and searched like bytes: a large message is read
        from the disk, as far as it is looked at."""
        if self._file is None:
            return self._raw
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def is_large(self):
        return self._file is not None

    def content(self):
        """Return the whole message. Nothing here keeps what is returned."""
        if self._file is None:
            return self._raw
        self._file.seek(0)
        return self._file.read()


class HeavyParts:
    """A message in two: what core parses, and the parts that are stored directly.

    ``raw``: the light message.

    :param MessageSource source: the whole message
    :param str notice: tells a reader that the rest of a text is in a file
    """

    def __init__(self, source, notice):
        self.notice = notice
        self._source = source.buffer()
        light = lighten(self._source)
        # PostgreSQL takes no NUL, and no mail needs one.
        self.raw = light.raw.replace(b"\0", b"")
        self._parts = {part.mark: part for part in light.parts}
        self._stored = set()

    def __bool__(self):
        return bool(self._parts)

    def has_rest(self, part):
        """Whether this EmailMessage has only the beginning of its text."""
        marks = (value.strip().encode() for value in part.get_all(FIELD, ()))
        return any(
            mark in self._parts and self._parts[mark].is_beginning for mark in marks
        )

    def missing(self, attachments):
        """(name, content, info) of the parts that core made no attachment of."""
        there = {find_mark(_octets(content, info)) for _, content, info in attachments}
        return [
            (part.name, part.mark, {})
            for mark, part in self._parts.items()
            if mark not in there
        ]

    def restored(self, values):
        """An attachment's values with the part itself instead of its mark."""
        mark = find_mark(base64.b64decode(values.get("datas") or b""))
        if mark not in self._parts:
            return values
        self._stored.add(mark)
        values = {name: value for name, value in values.items() if name != "datas"}
        return {**values, "raw": self._parts[mark].content(self._source)}

    def all_stored(self):
        return self._stored.issuperset(self._parts)


class ShownTexts:
    """Shortens the texts of a message that are too much for core.

    :param EmailMessage message: what core is going to read; changed in place
    :param HeavyParts heavy: the message's large parts
    """

    def __init__(self, message, heavy):
        self._heavy = heavy
        self._files = []
        self._whole = {}
        self._change(message, self._plan(message))

    def attachments(self, found, make):
        """Add what core is not shown, or only in part.

        :param list found: core's attachments
        :param make: of a name, a content and a dictionary
        """
        found = [
            each._replace(content=self._whole[id(each.content)])
            if id(each.content) in self._whole
            else each
            for each in found
        ]
        found += [make(*each) for each in self._files]
        return found + [make(*each) for each in self._heavy.missing(found)]

    def _plan(self, message):
        """:return: (part, what is shown of it or None: it becomes a file) of what is
        changed"""
        parts = [part for part in message.walk() if _is_shown(part, message)]
        # Core goes over all that it has for each HTML part again.
        rounds = sum(map(_is_html, parts))
        spent = Counter()
        changes = []
        for part in parts:
            text = _text(part)
            is_html = _is_html(part)
            found = None if self._heavy.has_rest(part) else count(text, is_html)
            if found is None or not _fits(spent, found, rounds):
                shown = beginning(text, is_html)
                found = count(shown, False)
                if not _fits(spent, found, rounds):
                    shown, found = None, {}
                changes.append((part, shown))
            for name, number in found.items():
                spent[name] += number * max(rounds, 1)
            rounds -= is_html
        return changes

    def _change(self, message, changes):
        if not changes:
            return
        for part in message.walk():
            if part.get_content_type() == "message/rfc822" and part.is_multipart():
                inner = part.get_payload(0)
                self._whole[id(inner)] = inner.as_bytes()
        for part, shown in changes:
            name = _KINDS[part.get_content_type()]
            if shown is None:
                del part["Content-Disposition"]
                part.add_header("Content-Disposition", "attachment", filename=name)
                continue
            if not self._heavy.has_rest(part):
                self._files.append((name, part.get_payload(decode=True) or b"", {}))
            self._shorten(part, shown)

    def _shorten(self, part, shown):
        notice = self._heavy.notice
        if _is_html(part):
            kind, shown = "html", f"<pre>{escape(shown)}</pre><p>{escape(notice)}</p>"
        else:
            kind, shown = "plain", f"{shown}\n\n[{notice}]\n"
        part.clear_content()
        part.set_content(shown, subtype=kind, cte="base64")


def count(text, is_html):
    """What a text has of each that is limited.

    :rtype: Counter
    """
    if is_html:
        # A text among several is read without the tags around it.
        readings = dict.fromkeys((text, _without(_AROUND, text)))
        return reduce(or_, map(_count_html, readings))
    found = Counter(characters=len(text), elements=1)
    _count_quotes(text, found)
    return found


def _count_html(markup):
    found = Counter(characters=len(markup))
    _count_tags(markup, found)
    if not _fits(Counter(), found, 1):
        return found  # what follows may itself take too long
    read = _as_core_reads(markup)
    if read is None:
        found["odd"] += 1
        return found
    if read != markup:
        _count_tags(read, found)
    if _fits(Counter(), found, 1):
        _count_elements(read, found)
    return found


def _as_core_reads(markup):
    """The markup as ``html_normalize`` (odoo/tools/mail.py) gives it to the parser.

    :return: None when it cannot be said in linear time
    """
    if _ENCODING.search(markup):
        *pieces, rest = markup.split(">")
        for number, piece in enumerate(pieces):
            start = piece.find("<")
            if start >= 0 and _ENCODING.search(piece, start):
                if not _ENCODED.fullmatch(piece, start):
                    return None
                pieces[number] = piece[:start]
            else:
                pieces[number] = f"{piece}>"
        markup = "".join([*pieces, rest])
    markup = markup.replace("--!>", "-->")
    markup = markup.replace("<!--->", "<!-- -->").replace("<!-->", "<!-- -->")
    return _without(_OUTLOOK, markup, within_line=True)


def _without(begin, markup, *, within_line=False):
    """The markup without what starts with the pattern and ends with the next ">".

    :param within_line: it ends in the same line, or is none
    """
    if not begin.search(markup):
        return markup
    *pieces, rest = markup.split(">")
    for number, piece in enumerate(pieces):
        found = begin.search(piece, piece.rfind("\n") + 1 if within_line else 0)
        pieces[number] = piece[: found.start()] if found else f"{piece}>"
    return "".join([*pieces, rest])


def beginning(text, is_html):
    """The first lines of a text, as plain text."""
    if is_html:
        text = _HIDDEN.sub("", text[: 16 * _KEPT_CHARACTERS])
        text = html.unescape(_TAG.sub("", _LINE_END.sub("\n", text)))
        text = _EMPTY_LINES.sub("\n\n", text.replace("\r", "")).strip()
    lines = text[:_KEPT_CHARACTERS].splitlines()
    return "\n".join(lines[:_KEPT_LINES]).rstrip()


def _fits(spent, found, rounds):
    rounds = max(rounds, 1)
    return all(
        spent[name] + number * rounds <= _MOST[name] for name, number in found.items()
    )


def _count_quotes(text, found):
    groups = len(_QUOTED_LINES.findall(text))
    found["elements"] += groups
    found["copied"] += groups * len(text)


def _count_tags(markup, found):
    found["odd"] += len(_ODD_VALUE.findall(markup)) > _MOST_ODD_VALUES
    for piece in markup.split(">"):
        start = piece.find("<")
        unclosed = piece.count("<") - 1
        if unclosed > 0:
            found["unclosed"] += unclosed
            found["odd"] += len(piece) - start > _MOST_UNCLOSED
        tag = _TAG_BEGIN.search(piece)
        if tag and len(piece) - tag.start() > _MOST_ATTRIBUTES:
            rest, quoted = _QUOTED_VALUE.subn('"', piece[tag.start() :])
            attributes = max(quoted, len(_SEPARATOR.findall(rest)))
            found["odd"] += attributes > _MOST_ATTRIBUTES


def _count_elements(markup, found):
    # Whatever the text says of its charset: core removes that.
    parser = lxml.html.HTMLParser(encoding="utf-8")
    data = markup.encode("utf-8", "replace")
    try:
        root = lxml.html.document_fromstring(data, parser=parser)
    except etree.ParserError:
        return  # empty
    parents = set()
    left_out = characters = 0
    for element in root.iter():
        found["elements"] += 1
        if found["elements"] > _MOST["elements"] or found["odd"]:
            return
        text = element.text or ""
        characters += len(text) + len(element.tail or "")
        left_out += element.tag not in _LEFT
        _count_quotes(text, found)
        if not isinstance(element.tag, str):  # a comment
            found["attributes"] += len(text)
            found["odd"] += text.lower().count("[if") > _MOST_CONDITIONS
            continue
        if element.tag == "style":
            found["attributes"] += len(text)
            found["odd"] += _opened(text) > _MOST_OPENED
        _count_attributes(element, found)
        parents.add(_looked_through(element, text))
    found["siblings"] = sum(len(parent) for parent in parents if parent is not None)
    found["copied"] += left_out * characters


def _count_attributes(element, found):
    for name, value in element.items():
        if name == "src" and _PICTURE.fullmatch(value):
            continue
        found["attributes"] += len(name) + len(value)
        found["odd"] += len(value) > _MOST_VALUE
        if name == "style":
            found["odd"] += bool(_LONG_WORD.search(value))
            found["odd"] += len(_OPENED.findall(value)) > _MOST_OPENED
        elif name == "src" and element.tag in ("img", "image"):
            found["addresses"] += len(value)
            found["odd"] += len(value) > _MOST_ADDRESS


def _opened(text):
    found = len(_OPENED.findall(text))
    if found <= _MOST_OPENED:
        # Core looks for pictures in what a browser makes of it, up to their ends.
        before, end, after = text.rpartition("*/")
        read = _CSS_COMMENT.sub("", before + end) + after
        found += _CSS_IGNORED.sub("", read).lower().count("data:image/")
    return found


def _looked_through(element, text):
    """The element of which core looks at all children because of this one, or None."""
    words = f"{element.get('class')} {element.get('id')}"
    if _QUOTES_AROUND.search(words) or _SIGNATURE.search(text):
        return element.getparent()
    is_container = element.get("data-o-mail-quote-container")
    return element if is_container and not element.get("data-o-mail-quote") else None


def _is_shown(part, message):
    """As core tells texts from files: ``_message_parse_extract_payload``."""
    if part.get_content_type() not in _KINDS or part.is_multipart():
        return False
    if part is message:
        return True
    disposition = part.get("content-disposition", "").strip()
    return not (part.get_filename() or disposition.startswith("attachment"))


def _is_html(part):
    return part.get_content_type() == "text/html"


def _text(part):
    data = part.get_payload(decode=True) or b""
    return fields.decode(data, part.get_content_charset() or "utf-8")


def _octets(content, info):
    """As core stores it: ``_process_attachments_for_post`` in mail_thread.py."""
    if isinstance(content, EmailMessage):
        return content.as_bytes()
    if isinstance(content, str):
        encoding = (info or {}).get("encoding") or "utf-8"
        try:
            return content.encode(encoding)
        except UnicodeEncodeError:
            return content.encode()
    return content or b""
