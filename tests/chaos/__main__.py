"""Run faults: ``python -m tests.chaos [--scale 0.1] [part of a name ...]``; prints what was survived.

Each runs in a process of its own, so that what one has broken is no trouble to the next.
"""

import argparse
import subprocess
import sys
import time

from tests.chaos import load


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="1 is the full size, of which three take ten minutes each"
    )
    parser.add_argument("--here", action="store_true", help="run them in this process")
    parser.add_argument("parts", nargs="*", help="parts of names of faults; all if none is given")
    options = parser.parse_args(arguments)
    chosen = {
        name: each
        for name, each in load().items()
        if not options.parts or any(part in name for part in options.parts)
    }
    if not chosen:
        parser.error(f"no fault has one of {options.parts} in its name: there are {', '.join(load())}")
    if options.here:
        for each in chosen.values():
            print(each.run(options.scale), flush=True)
        return 0
    return max([_apart(name, options.scale) for name in chosen])


def _apart(name, scale):
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", __package__, "--here", "--scale", str(scale), name],
        check=False,
        capture_output=True,
        text=True,
    )
    survived = ran.stdout.strip() if ran.returncode == 0 else f"NOT SURVIVED\n{ran.stdout}{ran.stderr}"
    print(f"{name:<36} {time.monotonic() - began:6.0f} s  {survived}", flush=True)
    return int(ran.returncode != 0)


sys.exit(main())
