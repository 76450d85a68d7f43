"""What a developer sees when something is missing: one line, the remedy, status 1."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.console import DevError
from devtools.demo import Demo, Ports
from devtools.odoolog import first_error
from devtools.postgres import access_from_url
from devtools.state import State
from devtools.testing import Tally, route

REPOSITORY = Path(__file__).resolve().parents[3]


def dev(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "dev"), *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


def assert_one_line(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_help_explains_every_command() -> None:
    said = dev().stdout
    for command in (
        *("run", "test", "suites", "bench", "lint", "shell", "mail", "reset"),
    ):
        assert f"\n    {command}" in said


def test_state_folder_that_cannot_be_made() -> None:
    assert_one_line(dev("mail", MEA_STATE="/proc/none"), "/proc/none", "MEA_STATE")


def test_path_without_tests() -> None:
    assert_one_line(dev("test", "models"), "models", "tests/unit")


def test_old_python_is_told_at_once(tmp_path: Path) -> None:
    # The only check that an old Python gets to: run it with an old version number.
    source = (REPOSITORY / "dev").read_text().split("sys.dont_write_bytecode")[0]
    script = tmp_path / "dev.py"
    script.write_text("import sys\nsys.version_info = (3, 9, 2)\n" + source)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False
    )
    assert_one_line(done, "Python 3.10", "3.9", "install")


def test_no_debian_and_no_odoo_home(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from devtools import debian, state\n"
        "try: debian.ensure_odoo(state.State())\n"
        "except debian.DevError as error: sys.exit(str(error))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(REPOSITORY)],
        env={"PATH": str(tmp_path), "MEA_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(done, "Debian", "ODOO_HOME")


def test_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DevError, match=rf"port {port} is taken.*--port"):
            Demo(State(tmp_path)).run(Ports(http=port, mail_base=2000))


def test_reset_empties_only_what_is_ours(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "file").touch()
    (tmp_path / "letter.txt").touch()
    assert dev("reset", MEA_STATE=str(tmp_path)).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "url", ["", "mysql://a@b/c", "postgresql://host/x", "postgresql://u@h:port/x"]
)
def test_unreadable_database_url(url: str) -> None:
    with pytest.raises(DevError, match="postgresql://user:password@host"):
        access_from_url(url)


def test_role_that_odoo_refuses() -> None:
    with pytest.raises(DevError, match="createuser"):
        access_from_url("postgresql://postgres:x@localhost/x")


def test_database_url_is_taken_apart() -> None:
    access = access_from_url("postgresql://me:p%40ss@db.test:5433/team")
    assert (access.host, access.port) == ("db.test", 5433)
    assert (access.user, access.password, access.prefix) == ("me", "p@ss", "team")


def test_paths_go_to_their_runner() -> None:
    here = REPOSITORY / "tests/unit"
    routed = route(["tests/served/test_bed.py::test_x", "devtools", "tests"], here)
    assert routed == {
        "tests/unit": ["tests/unit/devtools"],
        "tests": ["tests"],
        "tests/served": ["tests/served/test_bed.py::test_x"],
    }
    with pytest.raises(DevError, match="no tests at"):
        route(["/etc/passwd"], here)


def test_sum_counts_what_is_broken_as_failed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/>'
        "</testsuites>"
    )
    tally = Tally(broken=["no report"])
    tally.add_report(report)
    assert tally.closing_line() == "3 passed, 4 failed, 3 skipped"


def test_cause_of_a_failed_installation() -> None:
    log = (
        "2026-01-01 10:00:00,000 7 INFO db odoo.modules: Loading module x (1/2)\n"
        "2026-01-01 10:00:01,000 7 CRITICAL db odoo: Failed to load\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1\n'
        "NameError: name 'obj' is not defined\n"
        "\n"
        "odoo.tools.convert.ParseError: while parsing x.xml:87\n"
        "2026-01-01 10:00:02,000 7 INFO db odoo: ValueError: not of this entry\n"
    )
    assert first_error(log) == (
        "NameError: name 'obj' is not defined"
        " -> odoo.tools.convert.ParseError: while parsing x.xml:87"
    )
