"""What users do, over the routes that the web client uses, and what they then see."""

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2

from devtools.rpc import OdooClient, OdooRpcError
from devtools.served import ServedOdoo
from devtools.testbed.bed import PASSWORD
from devtools.testbed.faults import FaultServer
from devtools.testbed.mailboxes import ReceivedMail

if TYPE_CHECKING:
    from site_setup import Site

WINDOW = "mail.external.account.connect"
ACCOUNT = "mail.external.account"
ADDRESS = "mail.external.address"
#: Every password that was typed into a window: none may be found anywhere later.
TYPED: set[str] = set()
_SPECIFICATION: dict[str, dict[str, Any]] = {
    name: {}
    for name in (
        "email sender_name provider_id user_id is_company company_id is_default "
        "password incoming_password has_password smtp_host smtp_port smtp_security "
        "smtp_login receive_replies incoming_protocol incoming_host incoming_port "
        "incoming_security incoming_login ca_certificate tested_ok needs_password "
        "proof code_entry code_sent account_id address_id look_back_days "
        "keep_sent_copy new_mail new_mail_project_id forward_address forward_problem "
        "forward_confirmation"
    ).split()
}
_SPECIFICATION["project_ids"] = {"fields": {"project_id": {}, "is_default": {}}}
_SPECIFICATION["folder_ids"] = {"fields": {"name": {}, "is_read": {}}}
# What somebody chooses who only wants to send.
SEND_ONLY = {"receive_replies": False, "incoming_protocol": "none"}

Result = TypeVar("Result")


class Window:
    """A user's connect window: of a new address, or of ``default_address_id``."""

    def __init__(self, client: OdooClient, **context: Any) -> None:
        self.client = client
        self.context = context
        values = self._onchange({}, [])
        self.values = values
        self.id: int | None = None

    @classmethod
    def of(cls, client: OdooClient, window_id: int) -> "Window":
        """A window that is there already."""
        window = cls.__new__(cls)
        window.client, window.context, window.id = client, {}, window_id
        window.values = {}
        return window

    def _onchange(self, values: dict[str, Any], names: list[str]) -> dict[str, Any]:
        answer = self.client.call(
            WINDOW, "onchange", [], values, names, _SPECIFICATION, context=self.context
        )
        return dict(answer["value"])

    def type_address(self, email: str) -> None:
        """Enter the address; the window fills in what it knows of its service."""
        self.values["email"] = email
        self.values.update(self._onchange(self.values, ["email"]))

    def enter(self, **values: Any) -> dict[str, Any]:
        """Change fields and let the client save the window, as before each test."""
        TYPED.update(
            values[n] for n in ("password", "incoming_password") if n in values
        )
        if self.id is None:
            values = {**self.values, **values}
            values = {name: _plain(value) for name, value in values.items()}
        ids = [] if self.id is None else [self.id]
        [record] = self.client.call(
            WINDOW, "web_save", ids, values, _SPECIFICATION, context=self.context
        )
        self.id = record["id"]
        return dict(record)

    def read(self) -> dict[str, Any]:
        """What the window shows now."""
        [record] = self.client.call(WINDOW, "web_read", [self.id], _SPECIFICATION)
        return dict(record)

    def steps(self) -> list[str]:
        """The checks that the window lists."""
        return [
            step for step, _label in self.client.call(WINDOW, "get_steps", [self.id])
        ]

    def check(self, step: str) -> dict[str, Any]:
        """Run one check."""
        return dict(self.client.call(WINDOW, "run_check", [self.id], step))

    def test(self) -> list[dict[str, Any]]:
        """Press "Test account": every line up to the first failed one."""
        lines = []
        for step in self.steps():
            lines.append(self.check(step))
            if not lines[-1]["ok"]:
                break
        return lines

    def press(self, action: str) -> Any:
        """Press a button of the window."""
        return self.client.call(WINDOW, action, [self.id])

    def choose_folders(self, *names: str) -> None:
        """Tick these folders of the list, and no others."""
        listed = self.read()["folder_ids"]
        assert set(names) <= {folder["name"] for folder in listed}, listed
        self.enter(
            folder_ids=[
                [1, folder["id"], {"is_read": folder["name"] in names}]
                for folder in listed
            ]
        )

    def save(self) -> int:
        """Press "Save"; return the address's id."""
        self.press("action_save")
        [record] = self.client.call(WINDOW, "web_read", [self.id], {"address_id": {}})
        return int(record["address_id"])


def _plain(value: Any) -> Any:
    """What the client sends for a many2one that a default filled in."""
    return value["id"] if isinstance(value, dict) else value


def connect(
    client: OdooClient,
    email: str,
    password: str = PASSWORD,
    *,
    company: bool = False,
    projects: tuple[tuple[int, bool], ...] = (),
    folders: tuple[str, ...] = (),
    **values: Any,
) -> int:
    """Connect a mailbox of the bed through the window; return the address's id.

    It only sends, unless ``values`` say how replies come in. ``folders``: those that
    are read instead of what the window chooses.
    """
    window = Window(client, **({"default_is_company": True} if company else {}))
    window.type_address(email)
    window.enter(
        password=password,
        project_ids=[
            [0, 0, {"project_id": project, "is_default": default}]
            for project, default in projects
        ],
        **{**SEND_ONLY, **values},
    )
    lines = window.test()
    assert lines[-1]["ok"], lines[-1]
    if folders:
        window.choose_folders(*folders)
    return window.save()


def connect_to(
    admin: OdooClient, server: FaultServer, email: str, **values: Any
) -> int:
    """Connect a company address at a fault server; the administrator vouches."""
    window = Window(admin, default_is_company=True)
    window.type_address(email)
    window.enter(**at(server), smtp_login=email, **{"password": PASSWORD, **values})
    lines = window.test()
    assert lines[-1]["ok"], lines[-1]
    window.press("action_vouch")
    return window.save()


def account_of(odoo: ServedOdoo, address: int) -> int:
    """The account behind an address."""
    statement = "SELECT account_id FROM mail_external_address WHERE id = %s"
    [[account]] = sql(odoo, statement, address)
    return int(account)


def at(server: FaultServer, prefix: str = "smtp") -> dict[str, Any]:
    """The settings that lead to a fault server."""
    return {
        f"{prefix}_host": "localhost",
        f"{prefix}_port": server.port,
        f"{prefix}_security": server.security,
        "ca_certificate": server.ca_pem,
    }


def refusal(action: Callable[..., Any], *args: Any, **kwargs: Any) -> OdooRpcError:
    """Return with which error Odoo refuses ``action``."""
    try:
        answer = action(*args, **kwargs)
    except OdooRpcError as error:
        return error
    raise AssertionError(f"not refused, but answered {answer!r}")


def new_task(
    admin: OdooClient, project: int, name: str, customers: tuple[int, ...] = ()
) -> int:
    """A task that only ``customers`` (partners) follow."""
    values = {"name": name, "project_id": project}
    [task] = admin.call("project.task", "create", [values])
    domain = [("res_model", "=", "project.task"), ("res_id", "=", task)]
    followers = admin.call("mail.followers", "search", domain)
    admin.call("mail.followers", "unlink", followers)
    admin.call("project.task", "message_subscribe", [task], list(customers))
    return int(task)


def post(
    client: OdooClient,
    task: int,
    body: str,
    sender: int | None = None,
    **post_data: Any,
) -> int:
    """Post a message to the followers; ``sender``: what was picked in "From:"."""
    if sender is not None:
        post_data["external_address_id"] = sender
    answer = client.post(
        "/mail/message/post",
        {
            "thread_model": "project.task",
            "thread_id": task,
            "post_data": {
                "body": body,
                "message_type": "comment",
                "subtype_xmlid": "mail.mt_comment",
                **post_data,
            },
        },
    )
    return int(answer["message_id"])


def upload(client: OdooClient, task: int, name: str, content: bytes) -> dict[str, Any]:
    """An attachment of the user on a task: its id, and the token of its links."""
    [attachment] = client.call(
        "ir.attachment",
        "create",
        [
            {
                "name": name,
                "datas": base64.b64encode(content).decode(),
                "res_model": "project.task",
                "res_id": task,
            }
        ],
    )
    [token] = client.call("ir.attachment", "generate_access_token", [attachment])
    return {"id": attachment, "token": token}


def shown(client: OdooClient, task: int, message: int) -> dict[str, Any]:
    """How the chatter shows a message: its data, with its notifications by address."""
    answer = client.post(
        "/mail/thread/messages", {"thread_model": "project.task", "thread_id": task}
    )
    store = answer["data"]
    [record] = [m for m in store["mail.message"] if m["id"] == message]
    partners = {p["id"]: p for p in store.get("res.partner", [])}
    notifications = [
        n for n in store.get("mail.notification", []) if n["mail_message_id"] == message
    ]
    for notification in notifications:
        notification["name"] = partners[notification["res_partner_id"]]["name"]
    return {**record, "by_name": {n["name"]: n for n in notifications}}


def until(condition: Callable[[], Result], what: str, seconds: float = 20.0) -> Result:
    """Return what ``condition`` gives, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return found


@contextmanager
def cursor(odoo: ServedOdoo) -> Iterator[Any]:
    """A cursor on the served database; what is done is committed at the end."""
    access = odoo.odoo.postgres.access
    connection = psycopg2.connect(
        host=access.host,
        port=access.port,
        user=access.user,
        password=access.password,
        dbname=odoo.database,
    )
    try:
        with connection, connection.cursor() as opened:
            yield opened
    finally:
        connection.close()


def sql(odoo: ServedOdoo, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement; return its rows, if any."""
    with cursor(odoo) as opened:
        opened.execute(statement, values or None)
        return opened.fetchall() if opened.description else []


def let_time_pass(odoo: ServedOdoo, admin: OdooClient) -> None:
    """As if every waiting time were over: the delivery runs, and is done on return."""
    sql(
        odoo,
        "UPDATE mail_mail SET external_next_try = now() AT TIME ZONE 'UTC'"
        " WHERE external_next_try IS NOT NULL",
    )
    sql(odoo, "UPDATE mail_external_account SET delivery_next_try = NULL")
    run_cron(admin, "mail_external_account.ir_cron_deliver")


def run_cron(admin: OdooClient, name: str) -> None:
    """Press "Run manually" on a scheduled action, until it is not running already."""
    module, _, xmlid = name.partition(".")
    [row] = admin.call(
        "ir.model.data",
        "search_read",
        [("module", "=", module), ("name", "=", xmlid)],
        ["res_id"],
    )

    def run() -> bool:
        try:
            answer = admin.call("ir.cron", "method_direct_trigger", [row["res_id"]])
        except OdooRpcError as error:
            if "already executing" in str(error):
                return False
            raise
        assert answer is True, answer
        return True

    until(run, f"{name} can be run", 90)


def wake_crons(odoo: ServedOdoo) -> None:
    """Let a server that was just started look for due work now, not in a minute."""
    odoo.odoo.postgres.execute("SELECT pg_notify('cron_trigger', %s)", odoo.database)


def sender_of(mail: ReceivedMail) -> tuple[str, str]:
    """Name and address of a mail's From.

    The header classes of Python's "default" policy set a space between two encoded
    words, against RFC 2047 section 6.2; the older functions read them right.
    """
    header = message_from_bytes(mail.raw)["From"]
    name, _, address = header.rpartition("<")
    return str(make_header(decode_header(name.strip(' "')))), address.rstrip("> ")


def html_text(mail: ReceivedMail) -> str:
    """The text of a received mail's HTML body."""
    part = mail.message.get_body(("html", "plain"))
    return str(part.get_content())


def code_in(mail: ReceivedMail) -> str:
    """The code of a received mail that proves an address."""
    found = re.search(r"\b(\d{6})\b", html_text(mail))
    assert found, html_text(mail)
    return found[1]


def api_key(site: "Site", client: OdooClient) -> str:
    """An API key of a user, as they make one in their preferences."""
    name = "a key of a test"
    site.run_code(
        f"key = env['res.users.apikeys'].with_user({client.uid}).sudo()._generate("
        "'rpc', 'test', datetime.datetime.now() + datetime.timedelta(days=1))\n"
        f"env['ir.config_parameter'].set_param({name!r}, key)"
    )
    key = str(site.admin.call("ir.config_parameter", "get_param", name))
    site.admin.call("ir.config_parameter", "set_param", name, False)
    return key


def forget_tests(odoo: ServedOdoo) -> None:
    """As if ten minutes passed since the last connection test."""
    sql(odoo, "DELETE FROM mail_external_account_connect_check")
