"""A model has one class, in which each method is defined once."""

import pytest

from devtools.model_classes import faults

FIRST = """from odoo import models


class MailMail(models.Model):
    _inherit = "mail.mail"

    def write(self, vals):
        return super().write(vals)
"""


def a_class(*attributes: str, method: str = "send") -> str:
    lines = [*attributes, f"def {method}(self):", "    pass"]
    return "\n".join(["class Other(models.Model):", *(f"    {line}" for line in lines)])


@pytest.mark.parametrize(
    "attributes",
    [
        ('_inherit = "mail.mail"',),
        ('_inherit = ["mail.mail"]',),
        ('_inherit = ("mail.mail", "mail.thread")',),
        ('_name = "mail.mail"', '_inherit = ["mail.thread", "mail.mail"]'),
        ('_name = "mail.mail"', '_inherit = "mail.thread"'),
        ('_name = "mail.mail"',),
        ('_name: str = "mail.mail"',),
    ],
)
def test_a_second_class_is_told_with_both_places(attributes: tuple[str, ...]) -> None:
    sources = [("models/a.py", FIRST), ("wizards/b.py", "\n\n" + a_class(*attributes))]
    assert faults(sources) == [
        "wizards/b.py:3: a second class of mail.mail, the first is at models/a.py:4"
    ]


def test_a_second_class_in_the_same_file() -> None:
    assert faults([("models/a.py", FIRST + a_class('_inherit = "mail.mail"'))]) == [
        "models/a.py:9: a second class of mail.mail, the first is at models/a.py:4"
    ]


def test_a_third_class_is_told_too() -> None:
    other = a_class('_inherit = "mail.mail"')
    found = faults(
        [
            ("models/a.py", FIRST),
            ("models/b.py", other),
            ("models/c.py", other.replace("send", "cancel")),
        ]
    )
    assert [line.partition(" ")[0] for line in found] == [
        "models/b.py:1:",
        "models/c.py:1:",
    ]


def test_a_method_that_is_overridden_twice_is_told_with_both_places() -> None:
    other = a_class('_inherit = "mail.mail"', method="write")
    assert faults([("models/a.py", FIRST), ("models/b.py", other)]) == [
        "models/b.py:1: a second class of mail.mail, the first is at models/a.py:4",
        "models/b.py:3: a second mail.mail.write(), the first is at models/a.py:7",
    ]


def test_a_method_twice_in_one_class() -> None:
    again = "\n    @api.model\n    async def write(self, vals):\n        pass\n"
    assert faults([("models/a.py", FIRST + again)]) == [
        "models/a.py:11: a second mail.mail.write(), the first is at models/a.py:7"
    ]


def test_a_property_and_its_setter_are_one() -> None:
    text = a_class(
        '_inherit = "mail.mail"',
        *("@property", "def age(self):", "    return 1"),
        *("@age.setter", "def age(self, value):", "    pass"),
    )
    assert faults([("models/a.py", text)]) == []


def test_mixins_and_plain_classes_are_no_fault() -> None:
    sources = [
        ("models/a.py", FIRST),
        ("models/mixin.py", a_class('_name = "our.mixin"', method="write")),
        (
            "models/b.py",
            a_class('_name = "our.b"', '_inherit = ["our.mixin", "mail.thread"]'),
        ),
        (
            "models/c.py",
            a_class(
                '_name = "project.task"', '_inherit = ["project.task", "our.mixin"]'
            ),
        ),
        ("tools/d.py", "class Other:\n    def write(self):\n        pass\n"),
        ("tools/e.py", "class Other:\n    def write(self):\n        pass\n"),
    ]
    assert faults(sources) == []


@pytest.mark.parametrize(
    "attribute", ["_inherit = MODEL", "_inherit = []", '_name = "mail" + ".mail"']
)
def test_a_name_that_cannot_be_read_is_a_fault(attribute: str) -> None:
    assert faults([("models/a.py", a_class(attribute))]) == [
        "models/a.py:1: _name and _inherit have to be plain strings"
    ]


def test_a_file_that_is_no_python_is_named() -> None:
    [line] = faults([("models/a.py", "class:\n")])
    assert line.startswith("models/a.py:1: ")
