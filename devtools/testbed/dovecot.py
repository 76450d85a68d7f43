"""A private Dovecot: IMAP and POP3, each with STARTTLS and with TLS; SASL for Postfix.

Every file is below one folder. The configuration language changed with 2.4
(https://doc.dovecot.org/latest/installation/upgrade/2.3-to-2.4.html), so there is a
text for each of the two.
"""

import base64
import os
import re
import subprocess
import time
from collections.abc import Mapping
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
auth_mechanisms = plain login
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
  args = {folder}/users
}}
userdb {{
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
        self._users_time = 0

    def prepare(self) -> None:
        settings = self.settings
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        values = {
            "folder": self.folder,
            "cert": settings.cert_file,
            "key": settings.key_file,
            "sasl_socket": settings.sasl_socket,
            **settings.ports,
        }
        own = VERSION_2_3 if _version() < (2, 4) else VERSION_2_4
        text = (own + COMMON).format(**values)
        (self.folder / "dovecot.conf").write_text(text, encoding="utf-8")

    def write_users(self, users: Mapping[str, User]) -> None:
        """Replace the users, and wait until Dovecot will see it: up to a second.

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
        file = self.folder / "users"
        temporary = file.with_suffix(".new")
        temporary.write_text("".join(lines), encoding="utf-8")
        temporary.chmod(0o644)
        self._users_time = max(self._users_time + 1, int(time.time()))
        os.utime(temporary, (self._users_time, self._users_time))
        temporary.replace(file)
        if self.running:
            time.sleep(1.02 - time.time() % 1)

    def start(self) -> None:
        """Raises RuntimeError, with Dovecot's own words, when it does not start."""
        argv = ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]
        self.run(argv, [self.settings.ports[name] for name in PORTS])
