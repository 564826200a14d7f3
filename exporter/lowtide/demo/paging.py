"""The way from a leak to a pager, and back: all real parts, started in the order in which a user would.

The service with its exporter, an Alertmanager, a Prometheus with the alert rules, and a pager that shows what
comes. Some time after the first page the service is restarted as the version that has the fix.
"""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from lowtide.alerting.promtool import complaint
from lowtide.alerting.rules import render
from lowtide.alerting.settings import parse
from lowtide.demo import alertmanager, prometheus
from lowtide.demo.pager import application
from lowtide.demo.program import Served, free_port, running

FIX_AFTER_PAGE = 20.0
"""Seconds between the first page and the fix, if nobody says when: time to read the page."""
_EVALUATE_EVERY = "5s"
_KEEP = "10s"
_BRIDGE = "15s"
"""Three of the demo's scrapes fit well into it, as three of a real Prometheus' fit into the default."""
_LOOK_EVERY = 10.0
_USUAL_PAGER = 9096
_SERVICE_ENDS_WITHIN = 3.0
_HOW_TO_GET_PROMTOOL = "no promtool on the PATH: it comes with Prometheus (apt-get install prometheus)"
_SEEN = (
    'label_replace(sum(asyncio_tasks), "what", "live", "", "") '
    'or label_replace(sum(asyncio_tasks_stranded{grade="unwakeable"}), "what", "stranded", "", "")'
)


@dataclass(frozen=True, slots=True)
class Options:
    """What ``lowtide demo --pager`` was told: ``service`` are the arguments of the service's own command."""

    service: Sequence[str] = ()
    port: int = 9788
    seconds: float | None = None
    fix_after: float | None = None


@dataclass(slots=True)
class Story:
    """What has happened so far."""

    began: float
    paged: asyncio.Event = field(default_factory=asyncio.Event)
    pages: set[str] = field(default_factory=set)

    def hear(self, message: Mapping[str, Any]) -> None:
        """Note a message of Alertmanager's."""
        for alert in message["alerts"]:
            labels = alert["labels"]
            name = f"{labels['alertname']} {labels.get('coroutine', '')}"
            if labels.get("severity") == "page" and alert["status"] == "firing":
                self.pages.add(name)
                self.paged.set()
            elif name in self.pages:
                self.pages.discard(name)
                if not self.pages:
                    self.say("all pages are resolved: the fix has worked. Ctrl-C ends the demo")

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        print(f"{asyncio.get_running_loop().time() - self.began:6.0f} s  {text}", flush=True)


def missing() -> str | None:
    """Say in one line how to get the first program that is not on the PATH, None if all are."""
    if shutil.which("prometheus") is None:
        return prometheus.HOW_TO_GET_ONE
    if shutil.which("promtool") is None:
        return _HOW_TO_GET_PROMTOOL
    return None if alertmanager.find() else alertmanager.HOW_TO_GET_ONE


def rules() -> str:
    """Return the alert rules as users get them, only evaluated more often."""
    document = yaml.safe_load(render(parse([f"job={prometheus.JOB}", f"bridge={_BRIDGE}"])))
    for group in document["groups"]:
        group["interval"] = _EVALUATE_EVERY
        for rule in group["rules"]:
            if "keep_firing_for" in rule:  # two evaluations that fail
                rule["keep_firing_for"] = _KEEP
    return str(yaml.safe_dump(document, sort_keys=False, width=1000))


def main(options: Options) -> int:
    """Run all parts until SIGINT, SIGTERM or the time ends them; return the exit status."""
    reason = missing() or complaint(rules())
    if reason:
        print(f"lowtide demo: {reason}", file=sys.stderr)
        return 2
    try:
        return asyncio.run(_run(options))
    except OSError as error:
        print(f"lowtide demo: {error}", file=sys.stderr)
        return 2


async def _run(options: Options) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        parts = await _start(options, stack)
        return await _until_one_ends(parts, stop, options.seconds)


async def _start(options: Options, stack: AsyncExitStack) -> list[asyncio.Task[str]]:
    """Start every part, and say where it is. A task ends only when its part does, and says how."""
    story = Story(asyncio.get_running_loop().time())
    port = options.port or free_port()
    pager = await stack.enter_async_context(_pager(story))
    receiver = await stack.enter_async_context(alertmanager.alerting(str(alertmanager.find()), pager))
    address = receiver.url.removeprefix("http://")
    watcher = await stack.enter_async_context(prometheus.scraping("127.0.0.1", port, rules(), address))
    assert watcher is not None, "missing() has looked for one"
    print(f"metrics       http://127.0.0.1:{port}/metrics")
    print(f"Prometheus    {watcher.url}/alerts, asks every 2 s, evaluates the rules every {_EVALUATE_EVERY}")
    print(f"Alertmanager  {receiver.url}")
    print(f"pager         {pager}, on this screen; the first page comes within two minutes\n", flush=True)
    return [
        asyncio.create_task(_service(options, port, story)),
        asyncio.create_task(_watch("Prometheus", watcher)),
        asyncio.create_task(_watch("Alertmanager", receiver)),
        asyncio.create_task(_tell(f"{watcher.url}/api/v1/query", story)),
    ]


async def _until_one_ends(parts: list[asyncio.Task[str]], stop: asyncio.Event, seconds: float | None) -> int:
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*parts, stopped], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in (*parts, stopped):
            part.cancel()
        await asyncio.wait((*parts, stopped))
    # A Ctrl-C in a terminal ends them all at once.
    broken = [] if stop.is_set() else [part for part in parts if part in done]
    for part in broken:
        print(f"lowtide demo: {part.result()}", file=sys.stderr)
    return 2 if broken else 0


async def _watch(name: str, served: Served) -> str:
    """Say that a part has ended, which none should by itself."""
    status = await served.process.wait()
    return f"{name} at {served.url} has ended with status {status}: try it by hand, its log says why"


@contextlib.asynccontextmanager
async def _pager(story: Story) -> AsyncIterator[str]:
    runner = web.AppRunner(application(heard=story.hear), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", free_port(_USUAL_PAGER)).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _service(options: Options, port: int, story: Story) -> str:
    """Run the service that leaks, then, in its place, the one that doesn't. Say so when it ends by itself."""
    command = ("-m", "lowtide.cli", "demo", "--alone", f"--port={port}", *options.service)
    async with running(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, end_within=_SERVICE_ENDS_WITHIN
    ) as leaking:
        drain = asyncio.create_task(_drain(leaking))
        ended = asyncio.create_task(leaking.wait())
        fix = asyncio.create_task(_fix_due(options, story))
        await asyncio.wait((ended, fix), return_when=asyncio.FIRST_COMPLETED)
        fix.cancel()
        drain.cancel()
        if ended.done():
            return f"the service has ended with status {ended.result()}"
        ended.cancel()
    story.say("the service is restarted, with the fix")
    async with running(
        sys.executable, *command, "--fixed", stdout=asyncio.subprocess.PIPE, end_within=_SERVICE_ENDS_WITHIN
    ) as fixed:
        await _drain(fixed)
        return f"the fixed service has ended with status {await fixed.wait()}"


async def _fix_due(options: Options, story: Story) -> None:
    if options.fix_after is None:
        await story.paged.wait()
    await asyncio.sleep(FIX_AFTER_PAGE if options.fix_after is None else options.fix_after)


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read what the service says, or it would wait for that; the page has it all."""
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass


async def _tell(url: str, story: Story) -> NoReturn:
    """Say now and then how many tasks Prometheus knows of."""
    async with ClientSession(timeout=ClientTimeout(total=_LOOK_EVERY)) as session:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            with contextlib.suppress(ClientError, TimeoutError):  # it is starting
                async with session.get(url, params={"query": _SEEN}) as answer:
                    found = await answer.json()
                counts = {row["metric"]["what"]: row["value"][1] for row in found["data"]["result"]}
                if counts:
                    story.say(f"live {counts.get('live', '0')}  stranded {counts.get('stranded', '0')}")
