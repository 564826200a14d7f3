"""Making, running and awaiting an empty task: lowtide and its peers against bare asyncio, paired round by round."""

import asyncio
import contextlib
import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row, spread

ROUNDS = 60
TASKS = 2000
SLOW_TASKS = 200
"""Tasks in a round of a peer that is ten times slower: a round should take as long as the others."""

Variant = Callable[[asyncio.AbstractEventLoop], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def bare(_):
    yield


@contextlib.contextmanager
def empty_factory(loop):
    loop.set_task_factory(lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options))
    yield
    loop.set_task_factory(None)


@contextlib.contextmanager
def installed(loop):
    with lowtide.install(port=None, registry=CollectorRegistry()):
        yield


@contextlib.contextmanager
def debug_mode(loop):
    loop.set_debug(True)
    yield
    loop.set_debug(False)


@contextlib.contextmanager
def opentelemetry(_):
    from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor

    os.environ["OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE"] = _empty.__name__
    AsyncioInstrumentor().instrument()
    yield
    AsyncioInstrumentor().uninstrument()


@contextlib.contextmanager
def aiomonitor_hook(loop):
    import aiomonitor

    with aiomonitor.start_monitor(
        loop, port=39110, webui_port=39111, console_port=39112, console_enabled=False, hook_task_factory=True
    ):
        yield


PEERS = {
    "asyncio debug mode": debug_mode,
    "OpenTelemetry": opentelemetry,
    "aiomonitor's hook": aiomonitor_hook,
}
VARIANTS = {"bare": bare, "a factory that does nothing": empty_factory, "lowtide": installed} | PEERS
_MUST = {"asyncio": 1.15, "uvloop": 1.30}


async def _empty():
    pass


async def _one_round(tasks: int) -> float:
    create_task, sleep = asyncio.create_task, asyncio.sleep
    began = time.perf_counter()
    for _ in range(tasks):
        task = create_task(_empty())
        await sleep(0)
        await task
    return (time.perf_counter() - began) / tasks


async def _compare() -> dict[str, list[float]]:
    loop = asyncio.get_running_loop()
    seconds = {name: [] for name in VARIANTS}
    for _ in range(ROUNDS):
        for name, variant in VARIANTS.items():
            try:
                with variant(loop):
                    seconds[name].append(await _one_round(SLOW_TASKS if name in PEERS else TASKS))
            except TypeError:
                loop.set_task_factory(None)
                assert name in PEERS, name  # a peer that can't do with this loop; lowtide must
    return seconds


def _loops() -> Iterator[tuple[str, Callable]]:
    yield "asyncio", asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        yield "uvloop", uvloop.new_event_loop


def rows() -> list[Row]:
    logging.disable(logging.WARNING)  # debug mode reports every slow callback
    table = []
    for loop_name, factory in _loops():
        with asyncio.Runner(loop_factory=factory) as runner:
            seconds = runner.run(_compare())
        base = seconds.pop("bare")
        table.append(Row(f"{loop_name}: bare, per task", f"{statistics.median(base) * 1e6:.2f} µs"))
        for name, values in seconds.items():
            if not values:
                table.append(Row(f"{loop_name}: {name} ÷ bare", "raises TypeError on this loop"))
                continue
            ratios = [value / bare for value, bare in zip(values, base, strict=True)]
            must = _MUST[loop_name] if name == "lowtide" else None
            ratio = statistics.median(ratios)
            table.append(
                Row(
                    f"{loop_name}: {name} ÷ bare",
                    f"× {ratio:.2f}",
                    spread(ratios),
                    f"≤ {must:.2f}" if must else "",
                    ratio <= must if must else None,
                )
            )
    logging.disable(logging.NOTSET)
    return table
