"""Programs never outlive the one who started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from devtools import processes

REPOSITORY = Path(__file__).resolve().parents[3]
# Starts one program that ignores SIGTERM, and a daemon that left its session.
STUBBORN = "trap '' TERM; (setsid sleep 300 & ); echo started > {mark}; sleep 300"
OWNER = """
import sys, time
from devtools.processes import spawn
child = spawn(["sh", "-c", sys.argv[1]], grace=0.5)
print(child.pid, flush=True)
time.sleep(300)
"""


def wait_for(path: Path) -> None:
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists()]


def test_stop_ends_the_program_and_its_daemons(tmp_path: Path) -> None:
    script = STUBBORN.format(mark=tmp_path / "mark")
    child = processes.spawn(["sh", "-c", script], grace=0.5)
    wait_for(tmp_path / "mark")
    pids = [child.pid, *child.program_pids()]
    assert len(pids) >= 3
    child.stop()
    # What was killed may stay visible until it is reaped, on a busy machine longer.
    end = time.monotonic() + 5
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(pids)


def test_a_killed_owner_leaves_nothing_running(tmp_path: Path) -> None:
    script = STUBBORN.format(mark=tmp_path / "mark")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with owner:
        assert owner.stdout is not None
        supervisor = int(owner.stdout.readline())
        wait_for(tmp_path / "mark")
        pids = [supervisor, *processes.descendants(supervisor)]
        assert len(alive(pids)) >= 3
        owner.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while left := alive(pids):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_the_status_is_the_programs() -> None:
    assert processes.run(["sh", "-c", "exit 7"]) == 7
    assert processes.run(["sh", "-c", "kill -KILL $$"]) == 128 + signal.SIGKILL
