"""``./dev bench sender``: choosing the sender among 5,000 addresses of 1,000 accounts.

With 2,000 bindings; against 50 addresses of 10 accounts, with cold caches (after any
change of an address) and warm ones (every other message). The same few addresses are
usable in both; ``..._20`` and ``..._500`` are with that many usable ones among the
5,000.
"""

import json

from .bench import Bench, Value
from .console import step
from .state import REPOSITORY

SCRIPT = REPOSITORY / "devtools" / "inside" / "bench_sender.py"
FEW = 5
MANY = {"addresses": 5000, "accounts": 1000, "bindings": 2000}
SITES = {
    "few": {"usable": FEW, "addresses": 50, "accounts": 10, "bindings": 20},
    "many": {"usable": FEW, **MANY},
    "20": {"usable": 20, **MANY},
    "500": {"usable": 500, **MANY},
}


def measure(bench: Bench) -> dict[str, Value]:
    """Return the content of the line."""
    template = bench.odoo.addon_template()
    sites = {
        name: {"database": bench.database(template, f"sender-{name}"), **numbers}
        for name, numbers in SITES.items()
    }
    database = str(sites["few"]["database"])
    config = bench.odoo.write_config(bench.folder / "sender.conf", database)
    with step("Filling databases and choosing the sender in turns"):
        env = {"BENCH_SITES": json.dumps(sites)}
        printed = bench.odoo.shell(config, SCRIPT.read_text(), env=env)
    found = json.loads(printed.splitlines()[-1])
    result: dict[str, Value] = {}
    for kind, suffix in (("cold", ""), ("warm", "_warm")):
        for name in ("many", "20", "500"):
            end = suffix if name == "many" else f"{suffix}_{name}"
            few, many = found["few"][kind], found[name][kind]
            result[f"queries_ratio{end}"] = _ratio(many[0], few[0])
            result[f"time_ratio{end}"] = _ratio(many[1], few[1])
    result["queries"], result["queries_warm"] = (
        found["many"][kind][0] for kind in ("cold", "warm")
    )
    result["milliseconds"] = round(1000 * found["many"]["cold"][1], 2)
    result["milliseconds_warm"] = round(1000 * found["many"]["warm"][1], 3)
    return result


def _ratio(many: float, few: float) -> float:
    """Return how many times ``few`` it is; no queries in both are the same number."""
    return round(many / few, 3) if few else 1.0 if not many else float("inf")
