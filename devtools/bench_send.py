"""``./dev bench send``: sending for many addresses, whose servers are 50 ms away.

Runs what the scheduled action runs, in Odoo's shell: with one address at a time, and
with as many as it takes where nothing else is set.
"""

import json

from .bench import Bench, Value
from .console import DevError, step
from .state import REPOSITORY
from .testbed.fault_actions import Delay
from .testbed.faults import FaultServer

ACCOUNTS, MAILS, STEP_SECONDS = 40, 4, 0.05
_STEPS = ("greeting", "ehlo", "mail", "rcpt", "data", "body", "rset")
_INSIDE = REPOSITORY / "devtools" / "inside" / "bench_send.py"


def measure(bench: Bench) -> dict[str, Value]:
    """Return the content of the line."""
    database = bench.database(bench.odoo.addon_template(), "send")
    config = bench.odoo.write_config(bench.folder / "send.conf", database)
    with FaultServer("smtp", "ssl") as server:
        server.misbehave({name: Delay(STEP_SECONDS) for name in _STEPS})
        wanted = {
            "accounts": ACCOUNTS,
            "mails": MAILS,
            "port": server.port,
            "ca": server.ca_pem,
        }
        with step(f"Sending {MAILS} mails for each of {ACCOUNTS} addresses, twice"):
            printed = bench.odoo.shell(
                config, _INSIDE.read_text(), env={"BENCH_SEND": json.dumps(wanted)}
            )
        found = json.loads(printed.splitlines()[-1])
        sent = len(server.messages)
    if sent != 2 * ACCOUNTS * MAILS:
        raise DevError(f"{sent} of {2 * ACCOUNTS * MAILS} mails were sent")
    return {
        "parallel_speedup": round(found["one"] / found["all"], 1),
        "seconds_one": round(found["one"], 1),
        "seconds_all": round(found["all"], 1),
    }
