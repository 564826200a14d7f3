"""Faults that are written into files, arguments, headers and names: every parser is fed what it can't take."""

import random
import warnings

from tests.chaos.fault import FAULTS, Fault, times
from tests.chaos.feeds import FEEDS, Feed


def feed(name: str, count: int, seed: int) -> None:
    """Feed one parser, and raise what names the input if anything but an error in the house style comes out."""
    each = FEEDS[name]
    dice = random.Random(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(count):
            given = each.make(dice)
            try:
                each.take(given)
            except BaseException as error:
                text = _shown(given)
                error.add_note(f"{name}, seed {seed}, input {number}: {text}")
                raise


def _shown(given: object) -> str:
    try:
        return repr(given)[:1000]
    except (ValueError, RecursionError) as error:
        return f"not to be shown: {error}"


def _fault(name: str, each: Feed) -> Fault:
    what = name.replace("_", " ")

    def run(scale: float) -> str:
        count, seed = times(scale, each.inputs, 300), random.randrange(1 << 32)
        feed(name, count, seed)
        return f"{count:,} inputs with seed {seed}"

    return Fault(
        f"parser_of_{name}", f"hostile input: {what}", "a value, or a short error that names its place", run
    )


FAULTS |= {f"parser_of_{name}": _fault(name, each) for name, each in FEEDS.items()}
