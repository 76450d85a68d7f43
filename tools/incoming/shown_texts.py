"""The texts of a message that core makes the body of; see ``text_weight``."""

from markupsafe import escape

from ...mailkit.message import fields
from . import text_weight

_KINDS = {"text/plain": "message.txt", "text/html": "message.html"}
# Core goes over the whole body again for each further text.
_KEPT_SECONDS = 0.02


class ShownTexts:
    """Shortens the texts of a message that are too heavy for core.

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
        """:return: (part, its text or None: it becomes a file) of what is changed"""
        parts = [part for part in message.walk() if _is_shown(part, message)]
        changes = []
        spent = 0.0
        for number, part in enumerate(parts):
            times = len(parts) - number
            text = _text(part)
            is_html = part.get_content_type() == "text/html"
            cut = bool(self._heavy.beginnings(part))
            if spent > text_weight.BUDGET:
                changes.append((part, None))
                continue
            needed = times * text_weight.seconds(text, is_html)
            if cut or spent + needed > text_weight.BUDGET:
                changes.append((part, text))
                needed = times * _KEPT_SECONDS
            spent += needed
        return changes

    def _change(self, message, changes):
        if not changes:
            return
        for part in message.walk():
            if part.get_content_type() == "message/rfc822" and part.is_multipart():
                inner = part.get_payload(0)
                self._whole[id(inner)] = inner.as_bytes()
        for part, text in changes:
            name = _KINDS[part.get_content_type()]
            if text is None:
                del part["Content-Disposition"]
                part.add_header("Content-Disposition", "attachment", filename=name)
                continue
            if not self._heavy.beginnings(part):
                self._files.append((name, part.get_payload(decode=True) or b"", {}))
            self._shorten(part, text, name)

    def _shorten(self, part, text, name):
        is_html = name == "message.html"
        notice = self._heavy.notice
        shown = text_weight.beginning(text, is_html)
        if is_html:
            shown = f"<pre>{escape(shown)}</pre><p>{escape(notice)}</p>"
        else:
            shown = f"{shown}\n\n[{notice}]\n"
        part.clear_content()
        part.set_content(shown, subtype="html" if is_html else "plain", cte="base64")


def _is_shown(part, message):
    """As core tells texts from files: ``_message_parse_extract_payload``."""
    if part.get_content_type() not in _KINDS or part.is_multipart():
        return False
    if part is message:
        return True
    disposition = part.get("content-disposition", "").strip()
    return not (part.get_filename() or disposition.startswith("attachment"))


def _text(part):
    data = part.get_payload(decode=True) or b""
    return fields.decode(data, part.get_content_charset() or "utf-8")
