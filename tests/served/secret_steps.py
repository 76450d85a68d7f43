"""Finding a secret where there must be none."""

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import steps

from devtools.odoo import Odoo
from devtools.rpc import OdooClient, OdooRpcError
from devtools.served import ServedOdoo

#: Typed here, besides what other tests typed.
PASSWORD = "пароль: dough+7/Œuvre"
MODELS = (
    steps.ACCOUNT,
    steps.ADDRESS,
    f"{steps.ADDRESS}.project",
    "mail.external.delivery",
    "mail.external.provider",
    "mail.external.arrival",
    "mail.external.mailbox",
    "mail.external.folder",
    "mail.external.seen",
    "mail.external.sent.copy",
    steps.WINDOW,
    f"{steps.WINDOW}.check",
    f"{steps.WINDOW}.folder",
    f"{steps.WINDOW}.project",
)


def forms(secret: str, login: str = "") -> Iterator[bytes]:
    """How a password may be written: as it is, escaped, in base64, in hex."""
    plain = secret.encode()
    yield plain
    yield json.dumps(secret)[1:-1].encode()
    yield repr(plain)[2:-1].encode()
    yield plain.hex().encode()
    # in base64 a text looks in three ways, by its place in what surrounds it
    for before in (b"", b"\0", b"\0\0"):
        code = base64.b64encode(before + plain)
        first = 4 if before else 0  # a group of four shares bits with what is before
        whole = len(code) - 4 if code.endswith(b"=") else len(code)
        yield code[first:whole]


def leaks(secret: str, text: bytes) -> list[bytes]:
    # very short pieces would be found by chance
    return [form for form in forms(secret) if len(form) > 6 and form in text]


def assert_clean(text: bytes, where: str) -> None:
    assert text
    for secret in {*steps.TYPED, PASSWORD}:
        found = leaks(secret, text)
        assert not found, f"{secret!r} as {found} in {where}"


def dump(bench: Odoo, odoo: ServedOdoo) -> bytes:
    postgres = bench.postgres
    command = [str(postgres.binary("pg_dump")), "--inserts", odoo.database]
    return subprocess.run(
        command, env=postgres.environment(), capture_output=True, check=True
    ).stdout


def ask(client: OdooClient, model: str, *question: Any) -> Any:
    """The answer, or all that a refusal says."""
    try:
        return client.call(model, *question)
    except OdooRpcError as error:
        return f"{error} {error.debug}"
