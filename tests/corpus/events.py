"""An event that nobody sets."""

import asyncio
import contextlib

from tests.corpus.stage import fixes, leaks


class Server:
    """Tell when it is ready to serve."""

    def __init__(self, port):
        self.port = port
        self.ready = asyncio.Event()
        self.error = None

    def bind(self):
        if self.port < 1024:
            raise PermissionError(f"port {self.port}")

    async def start(self):
        self.bind()
        self.ready.set()

    async def start_or_say_why(self):
        try:
            self.bind()
        except PermissionError as error:
            self.error = error
        finally:
            self.ready.set()


async def warm_up(server):
    await server.ready.wait()


@leaks
async def a_failed_start_is_never_ready(stage):
    """Wait for readiness of a server whose start raised."""
    server = Server(port=80)
    for _ in range(2):
        stage.spawn(warm_up(server))
    with contextlib.suppress(PermissionError):
        await server.start()


@fixes(a_failed_start_is_never_ready)
async def a_failed_start_sets_ready(stage):
    server = Server(port=80)
    for _ in range(2):
        stage.spawn(warm_up(server))
    await server.start_or_say_why()


class Config:
    """Reload, and tell the watchers."""

    def __init__(self, *, keep):
        self.changed = asyncio.Event()
        self.keep = keep

    async def watch(self):
        await self.changed.wait()

    def reload(self):
        if self.keep:
            self.changed.set()
        self.changed = asyncio.Event()


@leaks
async def a_reload_replaces_the_event(stage):
    """Make a new event at each reload, without setting the old one."""
    config = Config(keep=False)
    stage.spawn(config.watch())
    await asyncio.sleep(0)
    config.reload()
    config.changed.set()


@fixes(a_reload_replaces_the_event)
async def a_reload_sets_the_old_event(stage):
    config = Config(keep=True)
    stage.spawn(config.watch())
    await asyncio.sleep(0)
    config.reload()


@leaks
async def cleared_before_it_was_awaited(stage):
    """Pulse an event before the waiter has got to it: the pulse is lost."""
    pulse = asyncio.Event()

    async def beat():
        await pulse.wait()

    stage.spawn(beat())
    pulse.set()
    pulse.clear()
    await asyncio.sleep(0)


@fixes(cleared_before_it_was_awaited)
async def cleared_by_the_waiter(stage):
    pulse = asyncio.Event()

    async def beat():
        await pulse.wait()
        pulse.clear()

    stage.spawn(beat())
    pulse.set()
    await asyncio.sleep(0)


async def phase(mine, theirs):
    await theirs.wait()
    mine.set()


@leaks
async def two_services_wait_for_each_other(stage):
    """Start two services, each of which is ready when the other one is."""
    cache, index = asyncio.Event(), asyncio.Event()
    stage.spawn(phase(cache, index))
    stage.spawn(phase(index, cache))


@fixes(two_services_wait_for_each_other)
async def one_service_is_ready_first(stage):
    cache, index = asyncio.Event(), asyncio.Event()
    stage.spawn(phase(cache, index))
    index.set()


class Store:
    """Drain before a shutdown."""

    def __init__(self):
        self.draining = asyncio.Event()

    async def is_draining(self, *, ask):
        if ask:
            return self.draining.is_set()
        await self.draining.wait()
        return True


async def check_consistency(store, *, ask):
    if not await store.is_draining(ask=ask):
        return "replica is inconsistent"
    return None


@leaks
async def a_question_waits_for_its_answer(stage):
    """Ask whether the store is draining by waiting until it does, after cockroach#25456 in GoBench."""
    stage.spawn(check_consistency(Store(), ask=False))


@fixes(a_question_waits_for_its_answer)
async def a_question_is_answered_at_once(stage):
    stage.spawn(check_consistency(Store(), ask=True))


class Deployment:
    """Roll out in steps, each of which waits for the one before."""

    def __init__(self, steps):
        self.done = {step: asyncio.Event() for step in steps}

    async def step(self, name, after=None, *, fail=False):
        if after is not None:
            await self.done[after].wait()
        if not fail:
            self.done[name].set()


@leaks
async def a_failed_step_stops_the_others(stage):
    """Leave out the event of a failed step: everything after it waits, one for the other."""
    deployment = Deployment(["build", "test", "ship", "tell"])
    stage.spawn(deployment.step("build", fail=True))
    for name, after in (("test", "build"), ("ship", "test"), ("tell", "ship")):
        stage.spawn(deployment.step(name, after))


@fixes(a_failed_step_stops_the_others)
async def a_step_that_works_starts_the_others(stage):
    deployment = Deployment(["build", "test", "ship", "tell"])
    stage.spawn(deployment.step("build"))
    for name, after in (("test", "build"), ("ship", "test"), ("tell", "ship")):
        stage.spawn(deployment.step(name, after))
