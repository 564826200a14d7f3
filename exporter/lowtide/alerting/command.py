"""``lowtide rules``: print the alert rules, with the user's settings."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lowtide.alerting.promtool import complaint
from lowtide.alerting.rules import render
from lowtide.alerting.settings import SETTINGS, defaults, parse


def main(argv: Sequence[str] | None = None) -> int:
    """Print the rules or write them to a file. Return 2 when that cannot be done, having written nothing."""
    parser = argparse.ArgumentParser(
        prog="lowtide rules", description="Print the alert rules for Prometheus, Thanos and Mimir."
    )
    arguments(parser)
    return run(parser.parse_args(argv))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lowtide rules``; the help lists every setting with its default."""
    lines = [f"  {setting.name:17} {setting.default:12} {setting.meaning}" for setting in SETTINGS]
    parser.epilog = "settings, with their defaults:\n" + "\n".join(lines)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("--kubernetes", action="store_true", help="print a PrometheusRule")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to a file instead of the screen")


def run(options: argparse.Namespace) -> int:
    """Do what the arguments say."""
    try:
        rules = checked(options.set, options.kubernetes)
        if options.output is not None:
            options.output.write_text(rules, encoding="utf-8")
    except (ValueError, OSError) as error:
        sys.stderr.write(f"lowtide rules: {error}\n")
        return 2
    if options.output is None:
        sys.stdout.write(rules)
    return 0


def checked(assignments: Sequence[str], kubernetes: bool) -> str:
    """Return the rules. Raise ValueError that names the setting which is unknown, unreadable or refused."""
    settings = parse(assignments)
    refused = complaint(render(settings))
    if refused is not None:
        raise ValueError(f"{_culprit(assignments, settings)}Prometheus refuses the rules: {refused}")
    return render(settings, kubernetes)


def _culprit(assignments: Sequence[str], settings: dict[str, str]) -> str:
    """Put each setting back alone, and name the one without which the rules are accepted."""
    for name in dict.fromkeys(assignment.partition("=")[0].strip() for assignment in assignments):
        if complaint(render(settings | {name: defaults()[name]})) is None:
            return f"--set {name}: "
    return ""
