"""A real mail service for tests: Postfix and Dovecot, loopback, free ports, a test CA.

    with TestBed(folder) as bed:
        bed.deliver("client@customer.test", "anna@brand-a.test", message)
        [mail] = bed.wait_for("anna@brand-a.test", 1)

Only `folder` and one temporary folder (where `folder`/runtime points to) are written.
The daemons end with the thread that started them, and what a killed run left behind
is ended and removed by the next start with the same folder.
"""

import email.policy
import os
import pwd
import shutil
import smtplib
import time
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from pathlib import Path

from ..running import Running
from . import dovecot, postfix
from .authorization import AuthorizationServer
from .ca import TestCA
from .mailboxes import Mailboxes, ReceivedMail
from .runtime import Runtime, free_ports

PASSWORD = "correct horse"  # noqa: S105 - of mailboxes that last one test run
DOMAINS = (
    "brand-a.test",
    "brand-b.test",
    "customer.test",
    "corp.test",
    "xn--80a1acny.test",  # IDNA form of пошта.test
)
ADDRESSES = (
    "anna@brand-a.test",
    "support@brand-a.test",
    "anna@brand-b.test",
    "bohdan@brand-b.test",
    "support@brand-b.test",
    "client@customer.test",
    "second@customer.test",
    "third@customer.test",
    "notifications@corp.test",
    "admin@corp.test",
    "anna@corp.test",
    "olena@corp.test",
    "bohdan@corp.test",
    "anna@xn--80a1acny.test",
)
REFUSALS = {
    "refused@customer.test": "550 5.7.1 This recipient wants no mail from you",
    "busy@customer.test": "451 4.3.0 The mailbox is busy, try again later",
}
PORTS = postfix.PORTS + dovecot.PORTS
CERTIFICATE_NAMES = (
    "localhost",
    "127.0.0.1",
    "127.0.0.2",
    "mail.brand-a.test",
    "mail.brand-b.test",
    "mail.corp.test",
)
SIZE_LIMIT = 25_000_000  # bytes, about what the large services take


class TestBed(Running):
    """Postfix and Dovecot. Ports: see `PORTS`; each is an attribute once started."""

    __test__ = False  # the name looks like a test class to pytest

    host = "localhost"
    #: Where IMAP and POP3 demand TLS before a sign-in: Dovecot trusts a client that
    #: has the server's own address, as on `host`.
    distant_host = "127.0.0.2"
    smtp_starttls: int
    smtp_ssl: int
    relay: int
    imap_starttls: int
    imap_ssl: int
    pop3_starttls: int
    pop3_ssl: int

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._runtime = Runtime(self.folder)
        self._users: dict[str, dovecot.User] = {}
        self._logins: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._refusals: dict[str, str] = {}
        self._shared: set[tuple[str, str]] = set()
        self._servers: list[postfix.Postfix | dovecot.Dovecot] = []

    @staticmethod
    def missing() -> str | None:
        """Why the bed cannot run here; None when it can."""
        if os.geteuid() != 0:
            return "Postfix and Dovecot have to be started as root"
        for program, package in (
            ("postfix", "postfix"),
            ("dovecot", "dovecot-imapd and dovecot-pop3d"),
        ):
            if shutil.which(program) is None:
                return f"{program} is not installed (Debian: {package})"
        if not Path("/usr/lib/dovecot/pop3").exists():
            return "Dovecot's POP3 server is not installed (Debian: dovecot-pop3d)"
        if not Path("/usr/lib/dovecot/imap").exists():
            return "Dovecot's IMAP server is not installed (Debian: dovecot-imapd)"
        return None

    # -- start and stop -------------------------------------------------------------

    def start(self) -> "TestBed":
        """Raises RuntimeError with the servers' own words when they do not start."""
        reason = self.missing()
        if reason:
            raise RuntimeError(reason)
        runtime = self._runtime.open()
        try:
            self._prepare(runtime)
            for server in self._servers:
                server.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the servers and remove their files; the CA stays in the folder."""
        while self._servers:
            self._servers.pop().stop()
        self._runtime.close()

    # -- mailboxes ------------------------------------------------------------------

    def password(self, address: str) -> str:
        """The password of the login that owns `address`."""
        return self._users[self._logins[address.lower()]].password

    def login(self, address: str) -> str:
        """The login that owns `address` (the address itself unless told otherwise)."""
        return self._logins[address.lower()]

    @property
    def addresses(self) -> list[str]:
        """Every address that has a mailbox."""
        return list(self._mailboxes.addresses)

    def add_mailbox(
        self, address: str, password: str = PASSWORD, login: str | None = None
    ) -> None:
        """Make a mailbox that can receive, be read, and be sent from.

        It belongs to `login` (the address itself by default). A login may own several
        addresses; it reads the mailbox of the one it was first given. Calling it again
        changes the password. Takes up to a second.
        """
        self._add(address.lower(), password, (login or address).lower())
        self._write_users()

    def add_alias(self, address: str, of: str) -> None:
        """Another address of the mailbox `of`: its mail arrives there.

        The mailbox's login may send from it.
        """
        address, of = address.lower(), of.lower()
        self._aliases[address] = of
        self._logins[address] = self._logins[of]
        self._write_users()

    def remove_alias(self, address: str) -> None:
        """There is no such address any more, and nobody may send from it."""
        del self._aliases[address.lower()], self._logins[address.lower()]
        self._write_users()

    def take_tokens(self, server: AuthorizationServer | None) -> None:
        """Let people sign in with what `server` gave them, too; None: passwords only.

        Takes about a second, and ends the connections to Dovecot.
        """
        self._shared.clear()
        self._dovecot.stop()
        self._dovecot.prepare(server and server.introspection)
        self._write_users()
        self._dovecot.start()

    def share(self, address: str, person: str, shared: bool = True) -> None:
        """Let the login `person` open the mailbox with a token of theirs, or not.

        They sign in with the mailbox's own login as the user, and their token.
        """
        pair = (self.login(address), person.lower())
        (self._shared.add if shared else self._shared.discard)(pair)
        self._write_users()

    def add_mailboxes(self, addresses: Iterable[str]) -> None:
        """`add_mailbox` for many at once."""
        for address in addresses:
            self._add(address.lower(), PASSWORD, address.lower())
        self._write_users()

    def set_recipient_refusal(self, address: str, reply: str | None) -> None:
        """Answer RCPT TO for `address` with `reply` ("550 5.7.1 Text"); None: accept.

        Postfix sets "<address>: Recipient address rejected: " before the text.
        """
        self._refusals.pop(address.lower(), None)
        if reply is not None:
            self._refusals[address.lower()] = reply
        self._postfix.write_table("refusals", self._refusals)

    def set_routes(self, ports: Mapping[str, int], lifetime: int = 0) -> None:
        """Hand mail to these domains on to SMTP at a port of this machine.

        Postfix accepts it first: what is refused there comes back as its own report.
        What cannot be delivered now is tried each second until it is `lifetime`
        seconds old, with a warning after one; 0: it comes back at once. Takes a
        second or two.
        """
        rows = {name: f"smtp:[127.0.0.1]:{port}" for name, port in ports.items()}
        self._postfix.write_table("routes", rows)
        self._postfix.write_main(lifetime)
        self._postfix.stop()  # its resolver never reads this table again
        self._postfix.start()

    def messages(self, address: str) -> list[ReceivedMail]:
        """What lies in the mailbox, oldest first; nothing is marked as read."""
        return self._mailboxes.read(address.lower())

    def wait_for(
        self, address: str, count: int, seconds: float = 20.0
    ) -> list[ReceivedMail]:
        """`messages`, as soon as there are at least `count`.

        Raises AssertionError, with the end of Postfix's log, when they do not come.
        """
        deadline = time.monotonic() + seconds
        while len(found := self.messages(address)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{len(found)} instead of {count} mails for {address} after "
                    f"{seconds:.0f} s. Postfix:\n{self._postfix.log()[-3000:]}"
                )
            time.sleep(0.05)
        return found

    def clear(self, address: str | None = None) -> None:
        """Empty one mailbox, or all."""
        for each in [address.lower()] if address else self.addresses:
            self._mailboxes.clear(each)

    def put(self, address: str, messages: Iterable[bytes], folder: str = "") -> None:
        """Lay messages into a mailbox, thousands a second; see `Mailboxes.put`."""
        self._mailboxes.put(address.lower(), messages, folder)

    def maildir(self, address: str) -> Path:
        """Where the mailbox lies on the disk."""
        return self._mailboxes.folder / address.lower()

    def deliver(
        self, sender: str, recipient: str, message: EmailMessage | bytes
    ) -> None:
        """Hand a mail in at the relay port, as any foreign server would do."""
        if isinstance(message, EmailMessage):
            message = message.as_bytes(policy=email.policy.SMTP)
        with smtplib.SMTP(self.host, self.relay, timeout=10) as smtp:
            smtp.sendmail(sender, [recipient], message)

    def log(self) -> str:
        """What Postfix and Dovecot wrote."""
        return self._postfix.log() + self._dovecot.log()

    @property
    def ca_pem(self) -> str:
        """The certificate (PEM) to trust."""
        return TestCA(self.folder / "ca").pem

    # -- inside ---------------------------------------------------------------------

    def _prepare(self, runtime: Path) -> None:
        """Write all configuration."""
        cert, key = TestCA(self.folder / "ca").issue(CERTIFICATE_NAMES)
        cert_file = Path(shutil.copy(cert, runtime / "cert.pem"))
        key_file = Path(shutil.copy(key, runtime / "key.pem"))
        ports = free_ports(PORTS)
        for name, port in ports.items():
            setattr(self, name, port)
        owner = pwd.getpwnam("mail")
        uid, gid = owner.pw_uid, owner.pw_gid
        self._mailboxes = Mailboxes(runtime / "mail", uid, gid)
        self._postfix = postfix.Postfix(
            postfix.PostfixSettings(
                folder=runtime / "postfix",
                mail=runtime / "mail",
                uid=uid,
                gid=gid,
                hostname="mail.corp.test",
                domains=DOMAINS,
                cert_file=cert_file,
                key_file=key_file,
                ports=ports,
                size_limit=SIZE_LIMIT,
            )
        )
        self._dovecot = dovecot.Dovecot(
            dovecot.DovecotSettings(
                folder=runtime / "dovecot",
                uid=uid,
                gid=gid,
                cert_file=cert_file,
                key_file=key_file,
                sasl_socket=runtime / "postfix" / "queue" / "private" / "auth",
                ports=ports,
            )
        )
        # Postfix asks Dovecot for passwords, so Dovecot comes first and ends last.
        self._servers = [self._dovecot, self._postfix]
        for server in self._servers:
            server.prepare()
        self._write_first_tables()

    def _write_first_tables(self) -> None:
        self._refusals = dict(REFUSALS)
        self._users.clear()
        self._logins.clear()
        self._aliases.clear()
        self._shared.clear()
        for address in ADDRESSES:
            self._add(address, PASSWORD, address)
        self._postfix.write_table("refusals", self._refusals)
        self._postfix.write_table("routes", {})
        self._write_users()

    def _add(self, address: str, password: str, login: str) -> None:
        home = self._mailboxes.add(address)
        known = self._users.get(login)
        home = known.home if known else home
        self._users[login] = dovecot.User(login, password, home)
        self._logins[address] = login

    def _write_users(self) -> None:
        mailboxes = {address: f"{address}/" for address in self.addresses}
        mailboxes |= {alias: f"{of}/" for alias, of in self._aliases.items()}
        self._postfix.write_table("mailboxes", mailboxes)
        self._postfix.write_table("sender_logins", self._logins)
        self._dovecot.write_users(self._users, self._shared)
