"""The database server is shared, ends with its last user, and survives crashes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from devtools.postgres import Access, Postgres
from devtools.state import State

REPOSITORY = Path(__file__).resolve().parents[3]
USER = """
import sys, time
from pathlib import Path
from devtools.postgres import Postgres
from devtools.state import State
postgres = Postgres(State(Path(sys.argv[1])))
postgres.start()
postgres.create_database("kept")
print("started", flush=True)
time.sleep(300)
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return State(tmp_path / "state with a space")


def answers(access: Access) -> bool:
    try:
        psycopg2.connect(
            host=access.host,
            port=access.port,
            user=access.user,
            password=access.password,
            dbname="postgres",
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_last_user_ends_the_server(state: State) -> None:
    first, second = Postgres(state), Postgres(state)
    first.start()
    second.start()
    access = first.access
    assert second.access == access
    first.stop()
    assert answers(access)
    second.stop()
    assert not answers(access)


def test_password_is_needed(state: State) -> None:
    with Postgres(state) as postgres:
        access = postgres.access
        assert answers(access)
        wrong = Access(access.host, access.port, access.user, "guess")
        assert not answers(wrong)


def test_killed_user_leaves_no_server_but_its_data(state: State) -> None:
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(state.folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with user:
        assert user.stdout is not None
        assert user.stdout.readline() == "started\n"
        with Postgres(state) as postgres:
            access = postgres.access
            user.send_signal(signal.SIGKILL)
            user.wait()
            assert answers(access)  # this user still has it
    end = time.monotonic() + 10
    while answers(access):
        assert time.monotonic() < end
        time.sleep(0.05)
    with Postgres(state) as postgres:
        assert "kept" in postgres.databases()


def test_a_copy_has_the_templates_tables(state: State) -> None:
    with Postgres(state) as postgres:
        postgres.create_database("original")
        env = {**os.environ, **postgres.environment(), "PGDATABASE": "original"}
        psql = [postgres.binary("psql"), "-qc", "CREATE TABLE mark ()"]
        subprocess.run(psql, env=env, check=True)
        postgres.create_database("copy", "original")
        dump = [postgres.binary("pg_dump"), "--schema-only", "copy"]
        printed = subprocess.run(dump, env=env, check=True, capture_output=True)
        assert b"CREATE TABLE public.mark" in printed.stdout
        postgres.drop_database("copy")
        assert "copy" not in postgres.databases()
