"""A channel that nobody drains when its reader stops: the commonest shape in real Go services."""

import asyncio
import contextlib

from tests.corpus.channels import Channel
from tests.corpus.stage import fixes, leaks


async def ranges(out, count, done=None):
    for number in range(count):
        if done is not None and done.is_set():
            return
        await out.send(number)


async def restore(out, limit):
    for _ in range(limit):
        await out.receive()


@leaks
async def the_context_stops_the_reader_only(stage):
    """End the reader by the context, which its three senders don't look at.

    After the pattern of cockroach#18101 in GoBench.
    """
    out = Channel()
    for _ in range(3):
        stage.spawn(ranges(out, count=2))
    await restore(out, limit=2)


@fixes(the_context_stops_the_reader_only)
async def the_context_stops_the_senders_too(stage):
    out, done = Channel(), asyncio.Event()
    senders = [stage.spawn(ranges(out, 2, done)) for _ in range(3)]
    await restore(out, limit=2)
    done.set()
    while not all(sender.done() for sender in senders):
        await out.receive()
        await asyncio.sleep(0)


class Processor:
    """Read two inputs by turns, and end each by a message of its own."""

    def __init__(self, size):
        self.inputs = [asyncio.Queue(size), asyncio.Queue(size)]

    async def read(self, which):
        while await self.inputs[which].get() != "cancel":
            pass

    async def cancel(self):
        for queue in self.inputs:
            await queue.put("cancel")


@leaks
async def the_first_full_input_stops_the_cancellation(stage):
    """Cancel the inputs one at a time: the first one is full, so the reader of the second never hears.

    After the pattern of cockroach#35931 in GoBench.
    """
    processor = Processor(size=1)
    processor.inputs[0].put_nowait("row")
    stage.spawn(processor.read(1))
    stage.spawn(processor.cancel())


@fixes(the_first_full_input_stops_the_cancellation)
async def the_inputs_have_room_for_a_cancellation(stage):
    processor = Processor(size=2)
    processor.inputs[0].put_nowait("row")
    stage.spawn(processor.read(1))
    stage.spawn(processor.cancel())


class Raft:
    """Send events to a store that calls back, after the pattern of cockroach#2448 in GoBench."""

    def __init__(self):
        self.events, self.callbacks = Channel(), Channel()

    async def run(self, events):
        for number in range(events):
            await self.events.send(number)
            if number == 0:
                continue
            await (await self.callbacks.receive())()

    async def store(self, *, apply_later):
        async def applied():
            await asyncio.sleep(0)

        await self.events.receive()
        if apply_later:
            await self.events.receive()
        await self.callbacks.send(applied)


@leaks
async def two_loops_send_to_each_other(stage):
    """Let both loops send when each should receive."""
    raft = Raft()
    stage.spawn(raft.run(2))
    stage.spawn(raft.store(apply_later=False))


@fixes(two_loops_send_to_each_other)
async def one_loop_receives_first(stage):
    raft = Raft()
    stage.spawn(raft.run(2))
    stage.spawn(raft.store(apply_later=True))


class CacheWatcher:
    """Send the first events before it looks at its stop signal."""

    def __init__(self, size):
        self.result = asyncio.Queue(size)
        self.stopped = asyncio.Event()

    async def process(self, events):
        for event in events:
            await self.result.put(event)
        await self.stopped.wait()


@leaks
async def a_watcher_is_stopped_before_it_is_read(stage):
    """Stop a watcher that still has first events to send, after kubernetes#38669 in GoBench."""
    watcher = CacheWatcher(size=1)
    stage.spawn(watcher.process(["added", "modified"]))
    watcher.stopped.set()


@fixes(a_watcher_is_stopped_before_it_is_read)
async def a_watcher_has_room_for_its_first_events(stage):
    watcher = CacheWatcher(size=2)
    stage.spawn(watcher.process(["added", "modified"]))
    watcher.stopped.set()


class Peer:
    """Dispatch messages, one of which may close the connection."""

    def __init__(self, stage, *, close_aside):
        self.stage = stage
        self.inbox = Channel()
        self.dispatcher_stopped = asyncio.Event()
        self.close_aside = close_aside
        stage.spawn(self.dispatch())

    async def dispatch(self):
        try:
            await self.on_message(await self.inbox.receive())
        finally:
            self.dispatcher_stopped.set()

    async def on_message(self, message):
        if self.close_aside:
            self.stage.spawn(self.close())
        else:
            await self.close()

    async def close(self):
        await self.dispatcher_stopped.wait()


@leaks
async def a_handler_closes_its_own_dispatcher(stage):
    """Wait for the dispatcher to stop, from inside a message that it dispatches.

    After the pattern of syncthing#5795 in GoBench.
    """
    await Peer(stage, close_aside=False).inbox.send("cluster config")


@fixes(a_handler_closes_its_own_dispatcher)
async def a_handler_closes_from_a_task_of_its_own(stage):
    await Peer(stage, close_aside=True).inbox.send("cluster config")


@leaks
async def an_assertion_ends_the_only_reader(stage):
    """Fail an assertion in the task that reads the progress, after moby#21233 in GoBench."""
    progress = Channel()

    async def expect(updates):
        for number in range(updates):
            assert await progress.receive() == number, "an update was overwritten"

    async def pull(layers):
        for number in range(layers):
            await progress.send(number * 2)

    stage.spawn(pull(4))
    with contextlib.suppress(AssertionError):
        await expect(4)


@fixes(an_assertion_ends_the_only_reader)
async def an_assertion_comes_after_the_reading(stage):
    progress = Channel()

    async def pull(layers):
        for number in range(layers):
            await progress.send(number * 2)

    stage.spawn(pull(4))
    seen = [await progress.receive() for _ in range(4)]
    assert seen == sorted(seen)


class Agent:
    """Restart a proxy, and report each epoch's end to the agent's loop."""

    def __init__(self, stage):
        self.stage = stage
        self.statuses = Channel()

    async def run(self):
        while await self.statuses.receive() < 1:
            pass

    def restart(self, epoch):
        self.stage.spawn(self.statuses.send(epoch))


@leaks
async def an_agent_stops_before_the_last_status(stage):
    """Let the agent's loop end at one status, with a later epoch still to report.

    After the pattern of istio#17860 in GoBench.
    """
    agent = Agent(stage)
    for epoch in range(3):
        agent.restart(epoch)
    await agent.run()


@fixes(an_agent_stops_before_the_last_status)
async def an_agent_restarts_in_order(stage):
    agent = Agent(stage)
    for epoch in range(2):
        agent.restart(epoch)
    await agent.run()
