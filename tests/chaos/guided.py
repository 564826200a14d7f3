"""A fault that learns: atheris changes inputs by what they reach in lowtide.

``python -m tests.chaos.guided FEED RUNS SEED`` does it for one parser.
libFuzzer ends the process it runs in, so each has one of its own.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec

from tests.chaos.fault import fault, times

_MISSING = "atheris is missing: pip install 'lowtide[fuzz]' (Linux on x86-64)"


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


READ: dict[str, Callable[[bytes], object]] = {
    "settings_file": bytes,
    "flows_file": bytes,
    "web_configuration": bytes,
    "settings_from_the_environment": lambda content: {
        f"LOWTIDE_{_text(content[:12]).strip().upper()}": _text(content[12:])
    },
    "rule_settings": _text,
    "accept_headers": _text,
    "ignores_of_tests": lambda content: ([_text(content)], _text(content)),
}
"""Which parsers read bytes or what bytes are made into."""


@fault("input that is guided by what it reaches", "a value, or a short error that names its place")
def guided_input(scale: float) -> str:
    """Run atheris on each parser that reads text."""
    if find_spec("atheris") is None:
        if os.environ.get("CI") == "true":
            raise AssertionError(_MISSING)
        return f"NOT RUN: {_MISSING}"
    runs = times(scale, 20_000, 200)
    # To load what is watched takes seconds for each.
    chosen = list(READ) if scale >= 0.1 else random.sample(list(READ), 2)
    seeds = {name: random.randrange(1, 1 << 31) for name in chosen}
    for name, seed in seeds.items():
        command = [sys.executable, "-m", "tests.chaos.guided", name, str(runs), str(seed)]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
        said = ran.stdout + ran.stderr
        assert ran.returncode == 0, f"{name}, seed {seed}\n{said[-6000:]}"
        assert f"Done {runs} runs" in said, f"{name} ended early, seed {seed}\n{said[-2000:]}"
    return f"{runs * len(seeds):,} inputs, seeds " + ", ".join(
        f"{each} {seed}" for each, seed in seeds.items()
    )


def main(name: str, runs: str, seed: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["lowtide", "yaml"]):
        from tests.chaos.feeds import FEEDS
    take, read, dice = FEEDS[name].take, READ[name], random.Random(int(seed))

    def one(content: bytes) -> None:
        take(read(content))

    def changed(content: bytes, most: int, each: int) -> bytes:
        """Mix libFuzzer's changes with whole inputs of the grammar, which it would never find."""
        made = FEEDS[name].make(dice) if dice.random() < 0.2 else None
        if isinstance(made, str):
            made = made.encode("utf-8", "surrogatepass")
        return made[:most] if isinstance(made, bytes) else atheris.Mutate(content, most)

    options = [
        f"-runs={runs}",
        f"-seed={seed}",
        "-max_len=4000",
        f"-artifact_prefix={tempfile.gettempdir()}/",
    ]
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
