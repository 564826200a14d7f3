"""Judge the corpus again and again while other threads run and allocate: the answers must stay the same.

``python -m tests.corpus.repeats [times] [part of a name ...]`` prints the share of programs with one answer only.
"""

import contextlib
import sys
import threading
import time
from collections import defaultdict

from tests.corpus import check, runner

_THREADS = 2
_AT_ONCE = 2000
_REST = 0.001


@contextlib.contextmanager
def allocating_threads(count: int = _THREADS):
    """Run threads that make and drop containers until the block is left."""
    over = threading.Event()

    def allocate():
        while not over.wait(_REST):
            circles = [[] for _ in range(_AT_ONCE)]
            for circle in circles:
                circle.append(circle)
                circle.clear()

    threads = [threading.Thread(target=allocate, name="allocator") for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def answers(programs, times, new_loop):
    """Judge each program so many times; return all different answers by its name, and the false verdicts."""
    seen, false = defaultdict(set), []
    with allocating_threads():
        for program in programs:
            for _ in range(times):
                outcome = runner.judge(program, new_loop)
                seen[program.name].add(tuple(outcome.grades))
                false += outcome.false
    return seen, false


def main(arguments: list[str]) -> int:
    """Print the figures of the programs whose name contains one of the parts, on every loop."""
    times = int(arguments[0]) if arguments else 20
    parts = arguments[1:]
    chosen = [p for name, p in check.load().items() if not parts or any(part in name for part in parts)]
    wrong = False
    for loop, new_loop in check.LOOPS.items():
        began = time.monotonic()
        seen, false = answers(chosen, times, new_loop)
        torn = {name: each for name, each in seen.items() if len(each) > 1}
        print(
            f"{sys.version.split()[0]} {loop}: {len(seen) - len(torn)} of {len(seen)} programs had one answer in "
            f"{times} repeats with {_THREADS} allocating threads, {len(false)} false verdicts, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
        for name, each in torn.items():
            print("  differs", name, *map(" ".join, each), sep="\n    ")
        for text in false:
            print("  FALSE ", text)
        wrong = wrong or bool(torn or false)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
