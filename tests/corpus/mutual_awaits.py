"""Tasks that await each other in a circle, or themselves."""

import asyncio
import functools

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


async def _after(others, name, log):
    await asyncio.sleep(0)
    if name in others:
        await others[name]
    log.append(name)


@leaks
async def each_after_the_other(stage):
    """The cache waits for the database's task to be over, and the database for the cache's."""
    order, log = {}, []
    order["database"] = stage.spawn(_after(order, "cache", log))
    order["cache"] = stage.spawn(_after(order, "database", log))
    await turns()


@fixes(each_after_the_other)
async def one_after_the_other(stage):
    order, log = {}, []
    order["database"] = stage.spawn(_after({}, "cache", log))
    order["cache"] = stage.spawn(_after(order, "database", log))
    await order["cache"]


class Service:
    """Is ready when the services that it needs are."""

    def __init__(self, name):
        self.name = name
        self.needs = []
        self.ready = None

    def start(self):
        self.ready = asyncio.create_task(self.come_up(), name=self.name)

    async def come_up(self):
        await asyncio.sleep(0)
        for service in self.needs:
            await service.ready
        return self.name


def _start_ring(count, *, closed):
    services = [Service(f"service-{index}") for index in range(count)]
    for index, service in enumerate(services[:-1]):
        service.needs.append(services[index + 1])
    if closed:
        services[-1].needs.append(services[0])
    for service in services:
        service.start()
    return services


@leaks
async def ring_of_four_services(stage):
    """Four services, each of which waits for the next to be ready, in a circle."""
    _start_ring(4, closed=True)


@fixes(ring_of_four_services)
async def chain_of_four_services(stage):
    await _start_ring(4, closed=False)[0].ready


class Pool:
    """Stops all of its workers and waits for them."""

    def __init__(self):
        self.workers = set()

    def start(self, coro):
        self.workers.add(asyncio.create_task(coro))

    async def stop_everybody(self):
        await asyncio.wait(self.workers)

    async def stop_the_others(self):
        others = self.workers - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    async def work(self, stop):
        await asyncio.sleep(0)
        await stop()


@leaks
async def stopped_by_one_of_its_own(stage):
    """A worker that meets a fatal error stops the pool, and so waits for itself."""
    pool = Pool()
    pool.start(pool.work(pool.stop_everybody))
    pool.start(asyncio.sleep(0))


@fixes(stopped_by_one_of_its_own)
async def stops_the_others(stage):
    pool = Pool()
    pool.start(pool.work(pool.stop_the_others))
    pool.start(asyncio.sleep(0))
    await asyncio.wait(pool.workers)


class Container:
    """Makes each dependency once, in a task that everybody awaits."""

    def __init__(self, recipes):
        self.recipes = recipes
        self.made = {}

    def get(self, name):
        if name not in self.made:
            self.made[name] = asyncio.ensure_future(self.make(name))
        return self.made[name]

    async def make(self, name):
        parts = [await self.get(part) for part in self.recipes[name]]
        return f"{name}({', '.join(parts)})"


@leaks
async def dependency_injection_in_a_circle(stage):
    """Mailer needs templates, templates need settings, and settings want to mail errors."""
    container = Container({"mailer": ["templates"], "templates": ["settings"], "settings": ["mailer"]})
    container.get("mailer")


@fixes(dependency_injection_in_a_circle)
async def dependency_injection_in_a_line(stage):
    container = Container({"mailer": ["templates"], "templates": ["settings"], "settings": []})
    await container.get("mailer")


async def _child(parent, notify):
    notify()
    await asyncio.wait([parent])


async def _parent(*, wait_for_child):
    started = asyncio.Event()
    me = asyncio.current_task()
    child = asyncio.create_task(_child(me, functools.partial(started.set)))
    await started.wait()
    if wait_for_child:
        await asyncio.gather(child)
    return "parent is over"


@leaks
async def parent_and_child(stage):
    """A child waits for its parent to be over before it cleans up, and the parent waits for the child."""
    stage.spawn(_parent(wait_for_child=True))


@fixes(parent_and_child)
async def parent_goes_first(stage):
    await stage.spawn(_parent(wait_for_child=False))
    await turns()


async def _hop(chain, *, end):
    await asyncio.sleep(0)
    return await chain[0] if chain else await end


@leaks
async def long_line_of_awaiting_tasks(stage):
    """A line of eight tasks, each awaiting the one before, and at its end a future that nobody resolves."""
    end, last = asyncio.get_running_loop().create_future(), []
    for _ in range(8):
        last = [asyncio.create_task(_hop(last, end=end))]


@fixes(long_line_of_awaiting_tasks)
async def long_line_with_an_end(stage):
    end, last = asyncio.get_running_loop().create_future(), []
    for _ in range(8):
        last = [asyncio.create_task(_hop(last, end=end))]
    end.set_result("end")
    await last[0]
