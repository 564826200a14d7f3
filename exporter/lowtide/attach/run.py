"""The command ``lowtide run``: runs a program with lowtide in every event loop of it, and becomes that program."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lowtide.attach import hook, slots
from lowtide.attach.hook.lowtide_folder import name_folder
from lowtide.settings import load

HOOK = Path(hook.__file__).parent
"""The directory that stands first in the PYTHONPATH of the program."""
_NOT_FOUND, _NOT_ALLOWED = 127, 126  # as a shell says it


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.usage = "lowtide run [--path] -- program [argument ...]"
    parser.add_argument(
        "--path",
        action="store_true",
        help="print the directory to put first in PYTHONPATH, beside LOWTIDE=1, where the command can't be changed",
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments, behind --")


def run(options: argparse.Namespace) -> int:
    """Become the program; return an exit status only if that fails, or if only the path was asked."""
    if options.path:
        print(HOOK)
        return 0
    program = options.program[1:] if options.program[:1] == ["--"] else options.program
    if not program:
        print(
            "lowtide run: no program: write it behind --, as in lowtide run -- python -m service",
            file=sys.stderr,
        )
        return 2
    environ = dict(os.environ)
    try:
        environ = environment(environ)
    except (ValueError, OSError) as error:
        print(f"lowtide: not measuring: {error}", file=sys.stderr)
        environ["LOWTIDE"] = "0"
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(program[0], program, environ)  # noqa: S606 (no shell is the point)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        print(f"lowtide run: can't run {program[0]!r}: {reason}", file=sys.stderr)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_ALLOWED


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the program gets.

    Raises ValueError and OSError for settings under which no process could be measured: once, here, and not in each.
    """
    settings = load({}, environ)
    if settings.dir and Path(settings.dir).exists():
        slots.refuse_what_others_may_write(Path(settings.dir))
    paths = [str(HOOK), *filter(None, [environ.get("PYTHONPATH")])]
    changed = {**environ, "LOWTIDE": "1", "PYTHONPATH": os.pathsep.join(paths)}
    if not settings.dir:
        name_folder(changed)
    return changed
