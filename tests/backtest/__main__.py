"""``python -m tests.backtest``: simulate, evaluate, print the table; new seeds unless they are given."""

import argparse
import os
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.backtest import exposition, healthy, judge, leaking, mixed, naive, odd, report
from tests.backtest.engine import Engine
from tests.backtest.evaluate import evaluate

RULES = Path("alerts/lowtide.rules.yml")
# A dozen services of eight days take an engine about 2 GiB and half a minute; more engines would need more memory.
TOGETHER = 12
MOST_ENGINES = 4


def services(seed, days, mixes=12, only=()):
    """Draw all services of a seed: every story once, and as many mixed ones of either kind as asked."""
    drawn = []
    for nth, (story, evidences) in enumerate((*leaking.STORIES, *odd.LEAKING)):
        drawn.append(
            _drawn(seed, nth, lambda r, s=story, e=evidences, n=nth: s(r, days, e[(n + seed) % len(e)]))
        )
    for nth, story in enumerate((*healthy.STORIES, *odd.HEALTHY)):
        drawn.append(_drawn(seed, 1000 + nth, lambda r, s=story: s(r, days)))
    for nth in range(mixes):
        drawn.append(_drawn(seed, 2000 + nth, lambda r: mixed.service(r, days)))
        evidence = leaking.ANY[(nth + seed) % 3]
        drawn.append(_drawn(seed, 3000 + nth, lambda r, e=evidence: mixed.service(r, days, e)))
    return [(s, rng) for s, rng in drawn if not only or any(text in s.job for text in only)]


def backtest(seed, days, mixes, only=(), binary=None, note=lambda text: None):
    """Run one seed; return the services, births of leaked tasks, verdicts, and the naive rules' episodes.

    No rule looks at two services, so each few have an engine of their own, and the engines run side by side.
    """
    drawn, rules = services(seed, days, mixes, only), RULES.read_text()
    parts = [drawn[nth :: -(-len(drawn) // TOGETHER)] for nth in range(-(-len(drawn) // TOGETHER))]
    together = ([], [], [], [])
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_ENGINES)) as engines:
        for found in engines.map(lambda part: _judged(part, days, rules, binary), parts):
            for total, part in zip(together, found, strict=True):
                total.extend(part)
            note(f"{len(together[0])} of {len(drawn)} services")
    return together


def _judged(drawn, days, rules, binary):
    seconds = int(days * 86400)
    truths = []
    with Engine(binary) as engine:
        for service, rng in drawn:
            rows, leaked = exposition.run(service, rng)
            engine.write(rows)
            truths.append(leaked)
        simple = evaluate(engine, naive.rules(), seconds)
        episodes = evaluate(engine, rules, seconds)
    verdicts = [
        judge.judge(s, leaked, episodes, seconds) for (s, _), leaked in zip(drawn, truths, strict=True)
    ]
    births = [
        np.sort(np.concatenate([b for _, b in leaked])) if leaked else np.array([]) for leaked in truths
    ]
    return [s for s, _ in drawn], births, verdicts, simple


def main(argv=None):
    """Print one table per seed and one over all. Return 1 if a figure that must be reached is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.backtest", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many fresh seeds")
    parser.add_argument(
        "--seed", type=int, action="append", default=[], help="this seed instead of fresh ones"
    )
    parser.add_argument("--days", type=float, default=8)
    parser.add_argument("--mixed", type=int, default=12, help="mixed services of each kind")
    parser.add_argument("--only", action="append", default=[], help="services whose name contains this")
    parser.add_argument("--prometheus", help="another prometheus than the one on the PATH")
    options = parser.parse_args(argv)
    together = ([], [], [], [])
    for seed in options.seed or [secrets.randbelow(10**6) for _ in range(options.seeds)]:
        begin = time.monotonic()
        print(f"seed {seed}", flush=True)
        found = backtest(seed, options.days, options.mixed, options.only, options.prometheus, _note)
        print(
            f"seed {seed}, {time.monotonic() - begin:.0f} s:", *report.lines(found[2], options.days), sep="\n"
        )
        for total, part in zip(together, found, strict=True):
            total.extend(part)
        sys.stdout.flush()
    print("\nall seeds:", *report.lines(together[2], options.days), sep="\n")
    print("\nthe rules found in the wild, over the same services:")
    table = report.naive_lines(together[0], together[1], together[3], naive.RULES, options.days)
    print(*table, sep="\n")
    return int(any(v.found is None if v.leaking else v.pages for v in together[2]))


def _note(text):
    print(text, flush=True)


def _drawn(seed, nth, draw):
    rng = np.random.default_rng([seed, nth])
    service = draw(rng)
    kind = f"leak-{service.evidence}" if service.evidence else "fine"
    service.job = f"{kind}-{service.name}-{nth}"
    return service, rng


if __name__ == "__main__":
    sys.exit(main())
