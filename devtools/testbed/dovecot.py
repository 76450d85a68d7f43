"""A private Dovecot: IMAP and POP3, each with STARTTLS and with TLS; SASL for Postfix.

It knows passwords and, when it is told whom to ask about them, access tokens as well
(XOAUTH2, and OAUTHBEARER of RFC 7628). Every file is below one folder. The
configuration language changed with 2.4
(https://doc.dovecot.org/latest/installation/upgrade/2.3-to-2.4.html), so there is a
text for each of the two.
"""

import base64
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .server import Server

PORTS = ("imap_starttls", "imap_ssl", "pop3_starttls", "pop3_ssl")

COMMON = """\
protocols = imap pop3
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1, 127.0.0.2
ssl = required
auth_mechanisms = plain login{mechanisms}
# The default turns non-ASCII logins away.
auth_username_chars =
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100

# Folders aren't made by themselves; when there is one of this name, it is for this.
namespace inbox {{
  inbox = yes
  mailbox Copies {{
    special_use = \\Sent
  }}
  mailbox Spam {{
    special_use = \\Junk
  }}
}}
# One process for many connections, ready before they come (Dovecot's "high
# performance mode"): a remote server's work is not done by this machine.
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {imap_starttls}
  }}
  inet_listener imaps {{
    port = {imap_ssl}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = {pop3_starttls}
  }}
  inet_listener pop3s {{
    port = {pop3_ssl}
    ssl = yes
  }}
}}
service auth {{
  unix_listener {sasl_socket} {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
# Without its socket nobody is slowed down for earlier wrong passwords.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

VERSION_2_3 = """\
mail_location = maildir:~
disable_plaintext_auth = yes
ssl_cert = <{cert}
ssl_key = <{key}
auth_username_format = %Lu
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = {folder}/users
}}
{tokens}userdb {{
  driver = passwd-file
  args = {folder}/users
}}
"""

# The first two lines tell which release's defaults are meant.
VERSION_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
mail_driver = maildir
mail_path = ~
auth_allow_cleartext = no
ssl_server_cert_file = {cert}
ssl_server_key_file = {key}
auth_username_format = %{{user|lower}}
passdb passwd-file {{
  passwd_file_path = {folder}/users
}}
userdb passwd-file {{
  passwd_file_path = {folder}/users
}}
"""


# The first tells whose the token is (only the domain has to be the mailbox's), the
# second looks up whether that person may open this mailbox.
TOKENS_2_3 = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf.ext
  result_success = continue
  result_failure = return-fail
}}
passdb {{
  driver = passwd-file
  mechanisms = xoauth2 oauthbearer
  args = scheme=PLAIN username_format=%u/%{{passdb:signed}} {folder}/access
  override_fields = nopassword=y
}}
"""

INTROSPECTION_2_3 = """\
introspection_url = {url}
introspection_mode = post
client_id = {client_id}
client_secret = {client_secret}
username_attribute = email
username_format = %d
active_attribute = active
active_value = true
pass_attrs = signed=%{{oauth2:email}}
"""


def _version() -> tuple[int, int]:
    """Dovecot's release series, as (2, 3)."""
    said = subprocess.run(
        ["dovecot", "--version"], capture_output=True, check=True, text=True
    ).stdout
    found = re.match(r"(\d+)\.(\d+)", said)
    if found is None:
        raise RuntimeError(f"Dovecot does not tell its version: {said!r}")
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class User:
    """One login; `home` is its Maildir."""

    login: str
    password: str
    home: Path


@dataclass(frozen=True)
class Introspection:
    """Where to ask about access tokens (RFC 7662), and as whom."""

    url: str
    client_id: str
    client_secret: str


@dataclass(frozen=True)
class DovecotSettings:
    """`sasl_socket` is where Postfix asks whether a password is right."""

    folder: Path
    uid: int
    gid: int
    cert_file: Path
    key_file: Path
    sasl_socket: Path
    ports: Mapping[str, int]


class Dovecot(Server):
    """Writes the configuration and the users, and runs the master process."""

    def __init__(self, settings: DovecotSettings) -> None:
        super().__init__("Dovecot", settings.folder, settings.folder / "dovecot.log")
        self.settings = settings
        self._introspection: Introspection | None = None
        self._users_time = 0

    @staticmethod
    def missing_for_tokens() -> str | None:
        """Why it cannot check access tokens here; None when it can."""
        if _version() >= (2, 4):
            return "access tokens are set up for Dovecot 2.3 only"
        return None

    def prepare(self, introspection: Introspection | None = None) -> None:
        """Write the configuration; access tokens are taken with `introspection`."""
        settings = self.settings
        self._introspection = introspection
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        values = {
            "folder": self.folder,
            "cert": settings.cert_file,
            "key": settings.key_file,
            "sasl_socket": settings.sasl_socket,
            **settings.ports,
            "mechanisms": " xoauth2 oauthbearer" if introspection else "",
            "tokens": "",
        }
        if introspection:
            values["tokens"] = TOKENS_2_3.format(**values)
            asks = INTROSPECTION_2_3.format(**vars(introspection))
            self._write("oauth2.conf.ext", asks)
        own = VERSION_2_3 if _version() < (2, 4) else VERSION_2_4
        text = (own + COMMON).format(**values)
        self._write("dovecot.conf", text)

    def write_users(
        self, users: Mapping[str, User], shared: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Replace the users, and wait until Dovecot will see it: up to a second.

        `shared`: (mailbox's login, person's login) who opens it with a token of
        theirs. Everybody opens their own.

        It looks at the file's time (in seconds) and size, once in each second of the
        clock (db_passwd_file.c, passwd_file_sync). Passwords are written in base64
        since they may hold a colon.
        """
        uid, gid = self.settings.uid, self.settings.gid
        lines = []
        for user in users.values():
            secret = base64.b64encode(user.password.encode()).decode()
            fields = (user.login.lower(), "{PLAIN.b64}" + secret, str(uid), str(gid))
            lines.append(f"{':'.join(fields)}::{user.home}::\n")
        self._users_time = max(self._users_time + 1, int(time.time()))
        self._write("users", "".join(lines), self._users_time)
        if self._introspection:
            pairs = [*((login, login) for login in users), *shared]
            rows = (f"{name}/{who}:::::::nopassword=y\n" for name, who in pairs)
            self._write("access", "".join(rows).lower(), self._users_time)
        if self.running:
            time.sleep(1.02 - time.time() % 1)

    def _write(self, name: str, text: str, dated: int | None = None) -> None:
        """Replace a file in one step; `dated`: its time, seconds since 1970."""
        file = self.folder / name
        temporary = file.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        if dated is not None:
            os.utime(temporary, (dated, dated))
        temporary.replace(file)

    def start(self) -> None:
        """Raises RuntimeError, with Dovecot's own words, when it does not start."""
        argv = ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]
        self.run(argv, [self.settings.ports[name] for name in PORTS])
