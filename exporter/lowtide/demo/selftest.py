"""The self-test: plant a leak, and see that every part of the detector sees it and accuses nobody else.

A detector that is blind looks the same as a service without leaks: both show nothing. So this plants tasks that
can never end beside as many that wait just as long and are healthy, in a loop of its own, and asks the counts, the
ages, the flows, the proof and the scraped page about both. Then it lets the leak go, and nothing may be left of it.
"""

import asyncio
import contextlib
import platform
import re
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TextIO

from lowtide import __version__
from lowtide.attach.handle import Lowtide, install
from lowtide.judge.counts import OriginCount
from lowtide.record.flows import flow

PLANTED = 8
WITHIN = 180.0
"""Seconds for all checks together. Proof takes some 15 by design, and a minute more for each pass put off."""
_SOON = 1.0
"""Seconds after which a task is aged here, and a stray after its flow."""
_ASK_EVERY = 0.1
_GRACE = 10.0
"""Seconds that the last check gets, though those before it have used up the time."""
_leaked: set["asyncio.Task[None]"] = set()


async def leak(answers: "asyncio.Queue[str]") -> None:
    """Send two answers where there is room for one, to nobody."""
    await answers.put("the first")
    await answers.put("the second")


async def healthy(orders: "asyncio.Queue[str]") -> None:
    """Wait for an order that comes at the end of the self-test."""
    await orders.get()


def plant() -> None:
    """Start a leak in a flow that ends at once, and hold it as the documentation of asyncio recommends."""
    with flow("self-test: ends at once"):
        task = asyncio.create_task(leak(asyncio.Queue(1)))
    _leaked.add(task)
    task.add_done_callback(_leaked.discard)


@dataclass(frozen=True, slots=True)
class Check:
    """One question: what part it is about, and what answers it: (whether all is well, in words)."""

    part: str
    ask: Callable[["Scene"], tuple[bool, str]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What the checks look at, gathered outside the loop that is under test."""

    counts: dict[str, OriginCount]
    strays: dict[str, int]
    proven: dict[str, int]
    places: dict[str, str]
    page: str
    broken: tuple[str, ...]


def main(
    within: float = WITHIN, out: TextIO = sys.stdout, installed: Callable[..., Lowtide] = install
) -> int:
    """Run all checks, print a line for each; return 0 if the detector can be trusted, 1 if not, 2 if it can't start.

    Whatever ``LOWTIDE_…`` variables say of addresses and passwords, it serves a free port on loopback to itself.
    ``installed`` is what measures the loop: the real ``install()``, or one that was made blind in some way.
    """
    began = time.monotonic()
    try:
        blind = asyncio.run(_run(_Report(out, began + within), installed))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"lowtide selftest: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    took = f"{time.monotonic() - began:.0f} s, CPython {platform.python_version()}, {platform.system()}"
    if blind:
        out.write(f"lowtide {__version__} can NOT be trusted here: see {', '.join(blind)} ({took})\n")
        return 1
    out.write(f"lowtide {__version__} sees the leak and accuses nobody else ({took})\n")
    return 0


class _Report:
    """Asks each check until it is content or the time is up, and prints what it says in the end."""

    def __init__(self, out: TextIO, until: float) -> None:
        self.failed: list[str] = []
        self._out = out
        self._until = until

    async def ask(self, check: Check, look: Callable[[], Awaitable[Scene]], grace: float = 0.0) -> None:
        """Ask one check; ``grace`` is what it gets at least, in seconds, however late it is."""
        until = max(self._until, time.monotonic() + grace)
        scene = await look()
        well, words = check.ask(scene)
        while not well and not scene.broken and time.monotonic() < until:
            await asyncio.sleep(_ASK_EVERY)
            scene = await look()
            well, words = check.ask(scene)
        if not well and scene.broken:
            words += f"; {', '.join(scene.broken)} failed and is off: the log says why"
        if not well:
            self.failed.append(check.part)
        self._out.write(f"{check.part:8} {'ok    ' if well else 'FAILED'}  {words}\n")
        self._out.flush()


async def _run(report: _Report, installed: Callable[..., Lowtide]) -> list[str]:
    orders: asyncio.Queue[str] = asyncio.Queue()
    address: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "web_config": ""}
    bounds = {"aged_after": _SOON, "stray_after": _SOON, "max_origins": 100, "max_flows": 100}
    with installed(**address, **bounds) as handle, flow("self-test: still open"):
        for _ in range(PLANTED):
            plant()
        others = [asyncio.create_task(healthy(orders)) for _ in range(PLANTED)]

        def look() -> Awaitable[Scene]:
            return asyncio.to_thread(_scene, handle)

        for check in CHECKS:
            await report.ask(check, look)
        for task in _leaked:
            task.cancel()
        for _ in others:
            orders.put_nowait("at last")
        await asyncio.gather(*_leaked, *others, return_exceptions=True)
        await report.ask(LET_GO, look, _GRACE)
    return report.failed


def _scene(handle: Lowtide) -> Scene:
    found, snapshot = handle.findings(), handle.snapshot()
    page = ""
    with contextlib.suppress(OSError), urllib.request.urlopen(str(handle.url), timeout=10) as answer:  # noqa: S310
        page = answer.read().decode("utf-8", "replace")
    return Scene(
        counts={_short(count.origin.coroutine): count for count in snapshot.origins},
        strays={_short(count.origin.coroutine): count.stray for count in snapshot.strays},
        proven={_short(each.origin.coroutine): each.stranded for each in found},
        places={_short(each.origin.coroutine): f"{each.waiting_on} in {each.where}" for each in found},
        page=page,
        broken=tuple(re.findall(r'^lowtide_collect_success\{part="(\w+)"\} 0\.0$', page, re.MULTILINE)),
    )


def _short(coroutine: str) -> str:
    return coroutine.removeprefix(f"{__name__}:")


def _value(page: str, metric: str, coroutine: str) -> float:
    """Sum a metric's samples of one coroutine on a page in the text format."""
    samples = rf'^{metric}\{{(?=[^}}]*coroutine="{re.escape(f"{__name__}:{coroutine}")}")[^}}]*\}} (\S+)$'
    return sum(map(float, re.findall(samples, page, re.MULTILINE)))


def _field(scene: Scene, coroutine: str, field: str) -> int:
    return int(getattr(scene.counts.get(coroutine), field, 0))


def _counts(scene: Scene) -> tuple[bool, str]:
    live = [_field(scene, who, "live") for who in ("leak", "healthy")]
    spawner = scene.counts["leak"].origin.spawner if "leak" in scene.counts else "nobody"
    words = f"{live[0]} of {PLANTED} leaked and {live[1]} of {PLANTED} healthy tasks are live"
    return live == [PLANTED, PLANTED] and spawner == f"{__name__}:plant", f"{words}, made by {spawner}"


def _aged(scene: Scene) -> tuple[bool, str]:
    aged, entered = (_field(scene, "leak", name) for name in ("aged", "aged_entered"))
    ended = _field(scene, "leak", "aged_ended")
    well = aged == entered == PLANTED and ended == 0
    return well, f"{aged} of {PLANTED} are aged: {entered} entered, {ended} ended"


def _stray(scene: Scene) -> tuple[bool, str]:
    strays = scene.strays.get("leak", 0)
    return strays == PLANTED, f"{strays} of {PLANTED} are stray: the flow that made them has ended"


def _proof(scene: Scene) -> tuple[bool, str]:
    proven = scene.proven.get("leak", 0)
    well = proven == PLANTED and scene.places["leak"].startswith("Queue.put in leak ")
    return (
        well,
        f"{proven} of {PLANTED} are stranded: they wait for {scene.places.get('leak', 'nobody knows what')}",
    )


def _control(scene: Scene) -> tuple[bool, str]:
    aged = _field(scene, "healthy", "aged")
    accused = max(scene.proven.get("healthy", 0), scene.strays.get("healthy", 0))
    well = aged == PLANTED and accused == 0
    return well, f"{accused} of {PLANTED} healthy tasks are accused, which are just as old"


def _scrape(scene: Scene) -> tuple[bool, str]:
    if not scene.page:
        return False, "/metrics does not answer"
    names = [f"asyncio_tasks_{what}" for what in ("live", "aged", "stray", "stranded")]
    values = [_value(scene.page, name, "leak") for name in names]
    accused = _value(scene.page, "asyncio_tasks_stranded", "healthy")
    well = values == [PLANTED] * len(names) and accused == 0 and not scene.broken
    return well, "/metrics shows " + ", ".join(
        f"{name} {value:.0f}" for name, value in zip(names, values, strict=True)
    )


def _let_go(scene: Scene) -> tuple[bool, str]:
    left = {
        "live": _field(scene, "leak", "live") + _field(scene, "healthy", "live"),
        "aged": _field(scene, "leak", "aged"),
        "stray": scene.strays.get("leak", 0),
        "stranded": scene.proven.get("leak", 0),
    }
    return not any(left.values()), "left of it: " + ", ".join(
        f"{count} {what}" for what, count in left.items()
    )


CHECKS = (
    Check("counts", _counts),
    Check("aged", _aged),
    Check("stray", _stray),
    Check("proof", _proof),
    Check("control", _control),
    Check("scrape", _scrape),
)
LET_GO = Check("let go", _let_go)
