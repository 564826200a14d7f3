"""Tasks that another task will wake, which is alive and waits for something that will come."""

import asyncio
import contextlib
import sys

from tests.corpus.channels import Channel
from tests.corpus.stage import healthy


@healthy
async def a_worker_on_its_way(stage):
    """Put into a full queue whose consumer waits for its start."""
    go = asyncio.Event()

    def park():
        queue = asyncio.Queue(1)
        queue.put_nowait(0)

        async def consume():
            await go.wait()
            for _ in range(3):
                await queue.get()

        stage.spawn(consume())
        return [stage.spawn(queue.put(number)) for number in (1, 2)]

    yield park()
    go.set()


@healthy
async def a_pipeline_with_a_live_head(stage):
    """Wait at the end of three stages whose head is alive."""
    go = asyncio.Event()

    def park():
        first, second = asyncio.Queue(), Channel()

        async def head():
            await go.wait()
            await first.put("row")

        async def middle():
            await second.send(await first.get())

        async def tail():
            return await second.receive()

        stage.spawn(head())
        return [stage.spawn(middle()), stage.spawn(tail())]

    yield park()
    go.set()


@healthy
async def a_done_callback_of_a_live_task(stage):
    """Set the event when a live task ends: the task's callbacks hold it."""
    go = asyncio.Event()

    def park():
        event = asyncio.Event()
        stage.spawn(go.wait()).add_done_callback(lambda _: event.set())
        return [stage.spawn(event.wait())]

    yield park()
    go.set()


@healthy
async def a_chain_of_futures(stage):
    """Wait for a future that another future's callback resolves, and so on five times."""
    sources = []

    def park():
        loop = asyncio.get_running_loop()
        last = loop.create_future()
        source = last
        for _ in range(5):
            before = loop.create_future()
            before.add_done_callback(lambda _, target=source: target.set_result(None))
            source = before
        sources.append(source)

        async def wait():
            return await last

        return [stage.spawn(wait())]

    yield park()
    sources.pop().set_result(None)


@healthy
async def one_of_several_is_alive(stage):
    """Wait for the first of three: two are stuck, and one is alive."""
    go = asyncio.Event()

    def park():
        stuck = [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]

        async def first():
            done, rest = await asyncio.wait([*stuck, live], return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.wait(rest)
            return done

        live = stage.spawn(go.wait())
        return [stage.spawn(first())]

    yield park()
    go.set()


@healthy
async def a_join_with_a_worker(stage):
    """Wait in ``Queue.join`` for a worker that waits for its start."""
    go = asyncio.Event()

    def park():
        queue = asyncio.Queue()
        queue.put_nowait("job")

        async def work():
            await queue.get()
            await go.wait()
            queue.task_done()

        stage.spawn(work())
        return [stage.spawn(queue.join())]

    yield park()
    go.set()


@healthy
async def a_stuck_child_of_a_group_with_a_live_sibling(stage):
    """Wait for nothing in a task group: when the sibling fails, the group cancels the child."""
    go = asyncio.Event()

    def park():
        async def fail():
            await go.wait()
            raise LookupError

        async def parent():
            with contextlib.suppress(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    stage.background.add(group.create_task(asyncio.Event().wait(), name="stuck child"))
                    group.create_task(fail())

        stage.spawn(parent())

    park()
    for _ in range(3):
        await asyncio.sleep(0)
    yield [task for task in stage.background if task.get_name() == "stuck child"]
    go.set()


@healthy
async def a_pool_whose_connection_is_in_use(stage):
    """Wait for the only connection, which a live task uses."""
    go = asyncio.Event()

    def park():
        free = asyncio.Queue()

        async def use(connection):
            try:
                await go.wait()
            finally:
                free.put_nowait(connection)

        stage.spawn(use("connection 1"))
        return [stage.spawn(free.get())]

    yield park()
    go.set()


@healthy
async def an_async_generator_of_a_live_task(stage):
    """Wait for what a suspended asynchronous generator will release when its user closes it."""
    go = asyncio.Event()

    def park():
        free = asyncio.Event()

        async def rows():
            try:
                yield "row"
            finally:
                free.set()

        async def read():
            async with contextlib.aclosing(rows()) as stream:
                async for _ in stream:
                    await go.wait()

        stage.spawn(read())
        return [stage.spawn(free.wait())]

    yield park()
    go.set()


@healthy
async def a_leader_that_is_alive(stage):
    """Follow a leader that is still loading."""
    go = asyncio.Event()

    def park():
        calls = {}

        async def load(key):
            if key in calls:
                return await calls[key]
            calls[key] = asyncio.get_running_loop().create_future()
            await go.wait()
            calls[key].set_result("value")
            return "value"

        return [stage.spawn(load("key")) for _ in range(4)][1:]

    yield park()
    go.set()


@healthy
async def a_task_that_will_be_cancelled_by_a_live_one(stage):
    """Wait for nothing, held by the local of a task that will cancel it."""
    go = asyncio.Event()

    def park():
        child = asyncio.create_task(asyncio.Event().wait())

        async def supervise():
            mine = child
            await go.wait()
            mine.cancel()

        stage.spawn(supervise())
        return [child]

    yield park()
    go.set()


@healthy
async def a_condition_with_a_notifier(stage):
    """Wait for a condition whose notifier is alive."""
    go = asyncio.Event()

    def park():
        condition = asyncio.Condition()

        async def wait():
            async with condition:
                await condition.wait()

        async def tell():
            await go.wait()
            async with condition:
                condition.notify_all()

        stage.spawn(tell())
        return [stage.spawn(wait()) for _ in range(2)]

    yield park()
    go.set()


@healthy
async def an_error_that_a_live_task_handles(stage):
    """Keep the event in an exception that a suspended task is handling, and has no name for."""
    go = asyncio.Event()

    def park():
        event = asyncio.Event()

        async def handle(box):
            try:
                _ = {}[box.pop()]
            except KeyError:
                await go.wait()
                sys.exception().args[0].set()

        stage.spawn(handle([event]))
        return [stage.spawn(event.wait())]

    yield park()
    go.set()
