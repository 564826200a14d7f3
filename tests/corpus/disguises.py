"""Tasks whose waker or holder looks like something harmless, or whose future isn't the usual one."""

import asyncio
import asyncio.futures
import asyncio.tasks

from tests.corpus.stage import healthy


class NoDict(dict):
    """Look empty to whoever iterates or compares, and say that it is a plain dict."""

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    @property
    def __class__(self):
        return dict


@healthy
async def a_dict_that_looks_empty(stage):
    """Keep the event in a dict that hides what it has."""
    registry = NoDict()

    def park():
        registry["ready"] = asyncio.Event()
        return [stage.spawn(registry["ready"].wait())]

    yield park()
    dict.pop(registry, "ready").set()


class Mask:
    """Say that it is a task, and know nothing that a task knows."""

    def __init__(self, event):
        self.event = event

    @property
    def __class__(self):
        return asyncio.Task

    def __getattr__(self, name):
        raise AttributeError(name)

    def wake(self):
        self.event.set()


@healthy
async def an_object_that_says_it_is_a_task(stage):
    """Keep the event in an object that passes ``isinstance`` for a task."""
    masks = []

    def park():
        event = asyncio.Event()
        masks.append(Mask(event))
        return [stage.spawn(event.wait())]

    yield park()
    masks.pop().event.set()


@healthy
async def a_task_holds_an_object_that_says_it_is_a_task(stage):
    """Keep the event in a disguised object that both the waiting task and a timer hold."""

    async def wait():
        mask = Mask(asyncio.Event())
        asyncio.get_running_loop().call_later(0.05, mask.wake)
        await mask.event.wait()

    yield [stage.spawn(wait())]


class Reaping(set):
    """Hold tasks like a plain set, and cancel them when told so."""

    def reap(self):
        for task in self:
            task.cancel()


@healthy
async def a_set_that_cancels_its_members(stage):
    """Hold the task in a set whose own method a timer will call."""

    def park():
        reaping = Reaping([asyncio.create_task(asyncio.Event().wait())])
        asyncio.get_running_loop().call_later(0.05, reaping.reap)
        return list(reaping)

    yield park()


@healthy
async def a_future_in_python(stage):
    """Wait for a future of the pure Python implementation."""
    kept = []

    def park():
        future = asyncio.futures._PyFuture(loop=asyncio.get_running_loop())
        kept.append(future)

        async def wait():
            return await future

        return [stage.spawn(wait())]

    yield park()
    kept.pop().set_result(None)


@healthy
async def a_task_in_python(stage):
    """Wait in a task of the pure Python implementation, with a timer."""

    def park():
        loop, queue = asyncio.get_running_loop(), asyncio.Queue()
        loop.call_later(0.05, queue.put_nowait, "late")
        return [asyncio.tasks._PyTask(queue.get(), loop=loop)]

    yield park()


class Named(asyncio.Task):
    """Carry attributes, as frameworks make their tasks do."""

    def __init__(self, coro, *, event, **options):
        super().__init__(coro, **options)
        self.event = event


@healthy
async def a_task_with_the_event_as_an_attribute(stage):
    """Keep the event on another task, which is alive."""
    go = asyncio.Event()

    def park():
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        async def live():
            await go.wait()
            asyncio.current_task().event.set()

        stage.background.add(Named(live(), event=event, loop=loop))
        return [stage.spawn(event.wait())]

    yield park()
    go.set()
    await asyncio.sleep(0)


class Once:
    """Be awaited by a generator of one's own, and be kept by one's maker."""

    def __init__(self):
        self.future = asyncio.get_running_loop().create_future()

    def __await__(self):
        yield from self.future
        return "done"


@healthy
async def an_awaitable_of_its_own(stage):
    """Wait for an object whose maker keeps it and not its future."""
    kept = []

    def park():
        once = Once()
        kept.append(once)

        async def wait():
            return await once

        return [stage.spawn(wait())]

    yield park()
    kept.pop().future.set_result(None)


class Forgetful(asyncio.Event):
    """Be falsy, equal to everything, and hashed alike."""

    def __bool__(self):
        return False

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


@healthy
async def two_events_that_are_equal(stage):
    """Wait for two events that compare equal, of which somebody keeps one."""
    kept = []

    def park():
        kept.append(Forgetful())
        first, second = kept[0], Forgetful()

        async def wait():
            await first.wait()
            return second

        return [stage.spawn(wait())]

    yield park()
    kept.pop().set()
