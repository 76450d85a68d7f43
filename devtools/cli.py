"""The commands of ``./dev``."""

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from .bench import BENCHES
from .console import DevError, say
from .provision import provision
from .state import REPOSITORY, State
from .suites import SUITES

_EPILOG = """\
State is kept in .dev/ (MEA_STATE=FOLDER for another). ODOO_HOME=FOLDER uses an Odoo 19
that is there already, DATABASE_URL=postgresql://user:password@host:port/prefix a
PostgreSQL. CONTRIBUTING.md has more.
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = _parser().parse_args(arguments or ["--help"])
        status: int = options.command(State(), options, arguments)
        return status
    except DevError as error:
        sys.stdout.flush()
        sys.stderr.write(f"dev: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment]  # nobody reads any more
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev", epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "run", help="run Odoo with demo data and sandbox mailboxes"
    )
    demo.add_argument("--port", type=int, help="of the web server (8069)")
    demo.add_argument(
        "--mail-base", type=int, help="the mail ports are this + 587, 993 ... (2000)"
    )
    demo.set_defaults(command=_run)

    test = commands.add_parser("test", help="run all tests, or those of PATH...")
    test.add_argument("paths", nargs="*", metavar="PATH", help="FILE[::CASE] or FOLDER")
    test.add_argument(
        "-k", metavar="WORDS", help="only tests whose names match (as pytest's -k)"
    )
    test.add_argument("-x", action="store_true", help="stop at the first failure")
    test.set_defaults(command=_test)

    suites = commands.add_parser(
        "suites", help="compare Odoo's own tests without and with the addon"
    )
    suites.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="MODULE",
        choices=SUITES,
        help=f"one of {', '.join(SUITES)}; may be repeated (all)",
    )
    suites.add_argument("--tags", help="these tests instead (as Odoo's --test-tags)")
    suites.set_defaults(command=_suites)

    bench = commands.add_parser(
        "bench", help="measure; one JSON line on standard output"
    )
    bench.add_argument(
        "name",
        metavar="NAME",
        choices=BENCHES,
        help="\n".join(f"{name}: {what}" for name, (_, what) in BENCHES.items()),
    )
    bench.set_defaults(command=_bench)

    lint = commands.add_parser("lint", help="run all static checks")
    lint.add_argument("--fix", action="store_true", help="mend what can be mended")
    lint.set_defaults(command=_lint)

    shell = commands.add_parser(
        "shell", help="Odoo's shell on the demo database (a script on standard input)"
    )
    shell.set_defaults(command=_shell)

    mail = commands.add_parser(
        "mail",
        help="list the sandbox's mailboxes, one of them, or one mail;\n"
        'or answer one: ./dev mail reply ADDRESS NUMBER "text"',
    )
    mail.add_argument("words", nargs="*", metavar="[reply] ADDRESS NUMBER")
    mail.set_defaults(command=_mail)

    reset = commands.add_parser("reset", help="empty the state folder")
    reset.set_defaults(command=_reset)
    return parser


def _enter(state: State, arguments: Sequence[str], **needs: bool) -> None:
    """Make the environment ready and go on inside it (this call doesn't return).

    Inside it, do nothing.
    """
    if Path(sys.prefix) == state.venv:
        return
    provision(state, **needs)
    launcher = str(REPOSITORY / "dev")
    sys.stdout.flush()
    os.execve(  # noqa: S606
        state.python, [str(state.python), launcher, *arguments], os.environ
    )


def _test(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import testing

    routed = testing.route(options.paths, Path.cwd())
    if options.k:
        routed.pop(testing.QUERIES, None)  # its names are Odoo's
    _enter(state, arguments, testing=True, odoo=routed.keys() != {testing.UNIT})
    passed_on = [*(["-k", options.k] if options.k else []), *["-x"] * options.x]
    if not routed:
        say("There are no tests.")
    return testing.run_tests(state, routed, passed_on)


def _suites(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import suites

    _enter(state, arguments, testing=True)
    return suites.main(state, options.only, options.tags)


def _bench(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import bench

    with contextlib.redirect_stdout(sys.stderr):
        _enter(state, arguments, testing=True)
        result = bench.measure(state, options.name)
    say(json.dumps(result))
    return 0


def _run(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import demo

    _enter(state, arguments, testing=False)
    runner = demo.Demo(state)
    base = runner.mail_base(options.mail_base)
    runner.run(demo.Ports(options.port or demo.DEFAULT_PORT, base))
    return 0


def _lint(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import lint

    _enter(state, arguments, testing=True)
    return lint.lint(state, fix=options.fix)


def _shell(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import demo

    _enter(state, arguments, testing=False)
    return demo.Demo(state).shell()


def _mail(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from . import demo

    _enter(state, arguments, testing=False, odoo=False)
    return demo.mail(state, options.words)


def _reset(state: State, options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from .reset import reset

    return reset(state)
