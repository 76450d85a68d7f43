"""A private Postfix: submission with STARTTLS and with TLS, and an open relay port.

Every file is below one folder; nothing of the system's own Postfix is read or
changed, apart from the programs. The master process has to be root: postfix(1).
"""

import grp
import os
import pwd
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .server import Server

PORTS = ("smtp_starttls", "smtp_ssl", "relay")

MAIN_CF = """\
compatibility_level = 3.6
myhostname = {hostname}
mydomain = corp.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_banner = $myhostname ESMTP
smtputf8_enable = yes
biff = no
in_flow_delay = 0
notify_classes =
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}

# Mail to these domains is handed on. What cannot be now is tried each second as long
# as its lifetime is, and told to be late after one: what others do within days.
relay_domains = texthash:{folder}/routes
transport_maps = texthash:{folder}/routes
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
delay_warning_time = 1s
maximal_queue_lifetime = {lifetime}s
bounce_queue_lifetime = 0

virtual_mailbox_domains = {domains}
virtual_mailbox_base = {mail}
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
message_size_limit = {size_limit}
default_transport = error:5.7.1 The test bed sends nothing to the outside
relay_transport = error:5.7.1 The test bed sends nothing to the outside

smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
smtpd_tls_session_cache_database =
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtpd_sender_login_maps = texthash:{folder}/sender_logins
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/refusals
smtpd_reject_unlisted_recipient = yes
"""

# max_use=1 makes each process serve one client or one delivery. The next one reads
# the tables again, so a change of them holds at once and without a reload.
MASTER_CF = """\
127.0.0.1:{smtp_starttls} inet n - n - - smtpd
  -o max_use=1
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{smtp_ssl} inet n - n - - smtpd
  -o max_use=1
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{relay} inet n - n - - smtpd
  -o max_use=1
  -o syslog_name=postfix/relay
pickup    unix   n - n 60   1 pickup
cleanup   unix   n - n -    0 cleanup
qmgr      unix   n - n 300  1 qmgr
tlsmgr    unix   - - n 1000 1 tlsmgr
rewrite   unix   - - n -    - trivial-rewrite
bounce    unix   - - n -    0 bounce
defer     unix   - - n -    0 bounce
trace     unix   - - n -    0 bounce
verify    unix   - - n -    1 verify
flush     unix   n - n 1000 0 flush
proxymap  unix   - - n -    - proxymap
showq     unix   n - n -    - showq
error     unix   - - n -    - error
retry     unix   - - n -    - error
smtp      unix   - - n -    - smtp
virtual   unix   - n n -    - virtual
  -o max_use=1
anvil     unix   - - n -    1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""

QUEUE_FOLDERS = {
    "data": 0o700,
    "queue/maildrop": 0o1730,
    "queue/public": 0o2710,
    **{
        f"queue/{name}": 0o700
        for name in (
            "active",
            "bounce",
            "corrupt",
            "defer",
            "deferred",
            "flush",
            "hold",
            "incoming",
            "pid",
            "private",
            "saved",
            "trace",
        )
    },
}


@dataclass(frozen=True)
class PostfixSettings:
    """`mail` is the folder with a Maildir per address, owned by `uid`:`gid`."""

    folder: Path
    mail: Path
    uid: int
    gid: int
    hostname: str
    domains: tuple[str, ...]
    cert_file: Path
    key_file: Path
    ports: Mapping[str, int]
    size_limit: int


def _write(file: Path, text: str) -> None:
    """Replace `file` in one step, dated back.

    Postfix waits 0.3 s and reads again whatever changed less than two seconds ago
    (dict_load_file_xt, dict_thash_open), at each start of each process.
    """
    temporary = file.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    past = time.time() - 10
    os.utime(temporary, (past, past))
    temporary.replace(file)


class Postfix(Server):
    """Writes the configuration, the lookup tables, and runs the master process."""

    def __init__(self, settings: PostfixSettings) -> None:
        super().__init__("Postfix", settings.folder, settings.folder / "mail.log")
        self.settings = settings

    def prepare(self) -> None:
        """Write main.cf and master.cf, and make the queue folders."""
        settings = self.settings
        config = self.folder / "etc"
        for folder in (self.folder, config):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        self._make_queue()
        self.write_main()
        master = MASTER_CF.format(**settings.ports)
        _write(config / "master.cf", master)

    def write_main(self, lifetime: int = 0) -> None:
        """Write main.cf. `lifetime`: seconds until mail is given up; 0: one try.

        It holds from the next start on.
        """
        settings = self.settings
        main = MAIN_CF.format(
            folder=self.folder,
            mail=settings.mail,
            uid=settings.uid,
            gid=settings.gid,
            hostname=settings.hostname,
            domains=", ".join(settings.domains),
            cert=settings.cert_file,
            key=settings.key_file,
            size_limit=settings.size_limit,
            lifetime=lifetime,
        )
        _write(self.folder / "etc" / "main.cf", main)

    def _make_queue(self) -> None:
        """What `postfix check` would do in two seconds; rights: postfix-files."""
        owner = pwd.getpwnam("postfix").pw_uid
        group = grp.getgrnam("postdrop").gr_gid
        for name, mode in QUEUE_FOLDERS.items():
            folder = self.folder / name
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, owner, group if mode & 0o070 else -1)
            folder.chmod(mode)

    def write_table(self, name: str, rows: Mapping[str, str]) -> None:
        """Replace a lookup table ("mailboxes", "sender_logins", "refusals", ...)."""
        text = "".join(f"{key} {value}\n" for key, value in rows.items())
        _write(self.folder / name, text)

    def start(self) -> None:
        """Raises RuntimeError, with Postfix's own words, when it does not start."""
        programs = subprocess.run(
            ["postconf", "-d", "-h", "daemon_directory"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        # -d: stay in the foreground, master(8).
        argv = [f"{programs}/master", "-c", str(self.folder / "etc"), "-d"]
        self.run(argv, [self.settings.ports[name] for name in PORTS])
