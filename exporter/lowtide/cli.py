"""The command ``lowtide``."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lowtide import __version__
from lowtide.alerting import command as rules
from lowtide.attach import run
from lowtide.dashboards import command as dashboard
from lowtide.hunt import command as audit
from lowtide.settings import duration
from lowtide.watch import command as watch

_NO_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE}


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its help, its arguments, and what runs it."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    if os.getpid() == 1:  # in a container, where the kernel keeps back what has no handler
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(prog="lowtide", description="Find asyncio task leaks.")
    parser.add_argument("--version", action="version", version=f"lowtide {__version__}")
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.arguments(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(argv)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NO_OUTPUT:
            raise
        # What is still in the buffer would be tried again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # who reads no more, as head does, knows
            sys.stderr.write(f"lowtide: can't write the output: {os.strerror(error.errno or 0).lower()}\n")
        return 2
    return status


def seconds(text: str) -> float:
    """Read a duration such as ``30s`` or ``10m``, for argparse."""
    try:
        return duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"should be seconds, or a number with s, m, h or d, is {text!r}"
        ) from None


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for", dest="seconds", type=seconds, metavar="TIME", help="end by itself, after 30s or 5m"
    )
    parser.add_argument("--port", type=int, default=9788, help="port of the metrics, 0 for any free one")
    parser.add_argument(
        "--rate", type=float, default=20.0, metavar="N", help="requests per second (default 20)"
    )
    parser.add_argument(
        "--leak",
        choices=("1", "2", "3", "none"),
        default="2",
        help="shape of the leak: 1 no receiver, 2 receiver skipped (default), 3 no sender, or none",
    )
    parser.add_argument("--fixed", action="store_true", help="give the queue room for the answer: no leak")
    parser.add_argument("--alone", action="store_true", help="start no Prometheus: you have one")
    parser.add_argument(
        "--pager",
        action="store_true",
        help="show on a pager what the leak wakes somebody with: Prometheus with the alert rules, and Alertmanager",
    )
    parser.add_argument(
        "--fix-after",
        type=seconds,
        metavar="TIME",
        help="with --pager: restart the service fixed, so long after its start (default: 20 s after the page)",
    )


def _demo(options: argparse.Namespace) -> int:
    if options.fix_after is not None and not options.pager:
        sys.stderr.write("lowtide demo: --fix-after needs --pager, which shows that the page resolves\n")
        return 2
    if options.pager:
        return _demo_with_pager(options)
    from lowtide.demo.main import Options
    from lowtide.demo.main import main as demo

    leak = None if options.fixed or options.leak == "none" else int(options.leak)
    return demo(Options(options.seconds, options.port, options.rate, leak, options.alone))


def _demo_with_pager(options: argparse.Namespace) -> int:
    from lowtide.demo import paging

    service = [f"--rate={options.rate}", f"--leak={options.leak}", *(["--fixed"] if options.fixed else [])]
    return paging.main(paging.Options(service, options.port, options.seconds, options.fix_after))


def _selftest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--within", type=seconds, default=180.0, metavar="TIME", help="give up after this long (default 3m)"
    )


def _selftest(options: argparse.Namespace) -> int:
    from lowtide.demo.selftest import main as selftest

    return selftest(options.within)


COMMANDS = (
    Command("demo", "run a promo service that leaks, and watch the leak", _demo_arguments, _demo),
    Command("top", "show the findings of a process, refreshing", watch.top_arguments, watch.top),
    Command(
        "report", "print the findings of a process once, for a ticket", watch.report_arguments, watch.report
    ),
    Command("run", "run a program and measure every event loop of it", run.arguments, run.run),
    Command("audit", "run every flow of a service, and say which ones leak", audit.arguments, audit.run),
    Command("rules", "print the alert rules for Prometheus, Thanos and Mimir", rules.arguments, rules.run),
    Command("selftest", "plant a leak, and see that lowtide sees it", _selftest_arguments, _selftest),
    Command("dashboard", "print a Grafana dashboard: fleet or process", dashboard.arguments, dashboard.run),
)


if __name__ == "__main__":
    sys.exit(main())
