"""The commands ``lowtide top`` and ``lowtide report``."""

import argparse
import sys

from lowtide.settings import duration
from lowtide.watch.client import fetch, token_of
from lowtide.watch.report import as_markdown, as_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """Take the URL of a process, and its token."""
    parser.add_argument("url", help="where the process serves lowtide, such as http://127.0.0.1:9788")
    parser.add_argument("--token", help="its token, if it has one (default: LOWTIDE_TOKEN)")


def top_arguments(parser: argparse.ArgumentParser) -> None:
    """Take how often to ask."""
    arguments(parser)
    parser.add_argument(
        "--every", type=_seconds, default=2.0, metavar="TIME", help="how often to ask (default 2s)"
    )


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the form of the report."""
    arguments(parser)
    parser.add_argument("--markdown", action="store_true", help="write Markdown, for a ticket")


def report(options: argparse.Namespace) -> int:
    """Print the findings once."""
    try:
        document = fetch(options.url, token_of(options.token))
    except (OSError, ValueError) as error:
        return _fail(error)
    sys.stdout.write((as_markdown if options.markdown else as_text)(document))
    return 0


def top(options: argparse.Namespace) -> int:
    """Show the findings until q is pressed."""
    try:
        from lowtide.watch.top import top as show
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return _fail("lowtide top needs rich: pip install 'lowtide[cli]'; lowtide report needs nothing")
    try:
        return show(options.url, token_of(options.token), options.every)
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError) as error:
        return _fail(error)


def _seconds(text: str) -> float:
    try:
        return duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"should be seconds, or a number with s, m, h or d, is {text!r}"
        ) from None


def _fail(error: object) -> int:
    sys.stderr.write(f"lowtide: {error}\n")
    return 1
