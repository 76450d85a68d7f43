"""``python -m devtools.sandbox --folder F [--base-port N]``: run until SIGTERM."""

import argparse
import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.python import log

from ..console import say
from .service import BASE_PORT, Ports, listen, ports


def main() -> int:
    """Print "ready" and the ports once they are open; 1 when a port is taken."""
    parser = argparse.ArgumentParser(prog="devtools.sandbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument(
        "--base-port",
        type=int,
        default=BASE_PORT,
        help="what is added to 25, 587, 993 and so on; 0 takes free ports",
    )
    options = parser.parse_args()
    os.umask(0o077)
    base = options.base_port
    wanted = ports(base) if base else Ports(*[0] * len(Ports.__dataclass_fields__))
    log.startLogging(sys.stdout, setStdout=False)
    try:
        opened = listen(options.folder, wanted, reactor, reactor)
    except CannotListenError as error:
        say(
            f"Port {error.port} is taken: end the program that uses it, or choose "
            "other ports with --base-port."
        )
        return 1
    say("ready " + " ".join(f"{name}={port}" for name, port in opened.items()))
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
