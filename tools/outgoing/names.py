"""The name next to an address in "From:", which may be a pattern.

"{author} at Brand A" becomes "Anna Kovalenko at Brand A". Braces mean a placeholder;
there are three: the author's name, the project's and the company's.
"""

from __future__ import annotations

import re
import unicodedata

PLACEHOLDERS = ("author", "project", "company")
#: A longer name makes header lines that some servers fold wrongly or refuse; programs
#: show less. Characters, not bytes.
MAX_LENGTH = 120

_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_BRACED = re.compile(r"\{[^{}]*\}?|\}")


def unknown_placeholders(pattern: str) -> list[str]:
    """What stands in braces and is no placeholder, lone braces included.

    >>> unknown_placeholders("{author} at {brand}")
    ['{brand}']
    """
    return _BRACED.findall(_PLACEHOLDER.sub("", pattern))


def is_pattern(name: str) -> bool:
    """Whether the name differs from message to message."""
    return bool(_PLACEHOLDER.search(name))


def render_sender_name(pattern: str, author: str, project: str, company: str) -> str:
    """The name of one message, where the company stands in for whom there is not.

    A value is text of somebody's choice, so placeholders in it are not filled in, and
    what could end or disguise a header (RFC 5322 section 2.2: control characters; the
    invisible marks that turn the direction of text) does not get through.

    >>> render_sender_name("{author} at {project}", "Anna", "", "Brand A")
    'Anna at Brand A'
    """
    values = {
        "author": author or company,
        "project": project or company,
        "company": company,
    }
    name = _PLACEHOLDER.sub(lambda match: values[match[1]], pattern)
    visible = (
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in name
        if not _turns_direction(char)
    )
    name = " ".join("".join(visible).split())
    if len(name) > MAX_LENGTH:
        name = name[: MAX_LENGTH - 1].rstrip() + "…"
    return name


def from_line(name: str, email: str | bool) -> str:
    """The From line as people read it."""
    return f"{name} <{email}>" if name else email or ""


def names_on(thread):
    """The names of a record's project and company, or ""; in superuser mode."""
    company_id = thread._external_sender_company_id()
    company = thread.env["res.company"].browse(company_id or [])
    return project_name(thread), company.name or ""


def project_name(thread):
    """The name of a record's project, or ""; in superuser mode."""
    project_id = thread._external_sender_project_id()
    return thread.env["project.project"].browse(project_id or []).name or ""


def _turns_direction(char: str) -> bool:
    """Embeddings, overrides and isolates (Unicode TR 9), not the letters themselves."""
    return "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
