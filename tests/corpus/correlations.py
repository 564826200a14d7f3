"""Requests and responses matched by number, where the answer never comes or finds nobody."""

import asyncio
import itertools

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Rpc:
    """A connection over which many calls wait at once; a task reads the answers."""

    def __init__(self):
        self.inbox = asyncio.Queue()
        self.pending = {}
        self.numbers = itertools.count(1)
        self.reading = asyncio.create_task(self.read())

    async def call(self, number=None):
        number = number or next(self.numbers)
        reply = asyncio.get_running_loop().create_future()
        self.pending[number] = reply
        return await reply

    async def read(self):
        while (message := await self.inbox.get()) is not None:
            self.dispatch(message)
        self.lost()

    def dispatch(self, message):
        reply = self.pending.pop(message["id"], None)
        if reply is not None:
            reply.set_result(message["result"])

    def lost(self):
        """Note that the connection is gone."""


class FailingRpc(Rpc):
    """Fails what is pending when the connection is gone."""

    def lost(self):
        for reply in self.pending.values():
            reply.set_exception(ConnectionError("connection lost"))
        self.pending.clear()


async def _lose_connection(stage, rpc):
    calls = [stage.spawn(rpc.call()) for _ in range(3)]
    await turns()
    rpc.inbox.put_nowait({"id": 2, "result": "two"})
    rpc.inbox.put_nowait(None)
    await asyncio.wait([rpc.reading])
    return calls


@leaks
async def connection_lost_with_calls_pending(stage):
    """The reader ends with the connection and leaves the map of pending calls as it is."""
    await _lose_connection(stage, Rpc())


@fixes(connection_lost_with_calls_pending)
async def pending_calls_are_failed(stage):
    await asyncio.gather(*(await _lose_connection(stage, FailingRpc())), return_exceptions=True)


class TextualRpc(Rpc):
    """Gets the number back as the peer wrote it."""

    def dispatch(self, message):
        super().dispatch({**message, "id": int(message["id"])})


async def _answer_in_text(stage, rpc):
    call = stage.spawn(rpc.call())
    await turns()
    rpc.inbox.put_nowait({"id": "1", "result": "one"})
    rpc.inbox.put_nowait(None)
    return call


@leaks
async def answer_with_a_number_in_quotes(stage):
    """The peer sends the number back as text, the look-up finds nobody, and the answer is dropped."""
    await _answer_in_text(stage, Rpc())


@fixes(answer_with_a_number_in_quotes)
async def answer_with_a_number_parsed(stage):
    await (await _answer_in_text(stage, TextualRpc()))


async def _same_number(stage, rpc, *numbers):
    calls = [stage.spawn(rpc.call(number)) for number in numbers]
    await turns()
    for number in set(numbers):
        rpc.inbox.put_nowait({"id": number, "result": number})
    rpc.inbox.put_nowait(None)
    return calls


@leaks
async def number_used_twice(stage):
    """Two calls pick the same number, and the second takes the first one's place in the map."""
    await _same_number(stage, Rpc(), 7, 7)


@fixes(number_used_twice)
async def numbers_used_once(stage):
    await asyncio.wait(await _same_number(stage, Rpc(), 7, 8))


class Device:
    """A device on a serial line; each answer is parsed as it comes."""

    def __init__(self, *, survive):
        self.survive = survive
        self.lines = asyncio.Queue()
        self.waiting = []

    async def read(self):
        while (line := await self.lines.get()) is not None:
            try:
                value = float(line)
            except ValueError as broken:
                if not self.survive:
                    raise
                value = repr(broken)
            self.waiting.pop(0).set_result(value)

    async def measure(self):
        answer = asyncio.get_running_loop().create_future()
        self.waiting.append(answer)
        return await answer


async def _measure(stage, *, survive):
    device = Device(survive=survive)
    asyncio.create_task(device.read()).add_done_callback(lambda reading: reading.exception())
    measuring = [stage.spawn(device.measure()) for _ in range(2)]
    await turns()
    for line in ("x1.5", "2.5", None):
        device.lines.put_nowait(line)
    return measuring


@leaks
async def reader_dies_of_a_broken_answer(stage):
    """One broken line ends the task that reads, and everybody who waits for a measurement waits on."""
    await _measure(stage, survive=False)


@fixes(reader_dies_of_a_broken_answer)
async def reader_survives_a_broken_answer(stage):
    await asyncio.wait(await _measure(stage, survive=True))


class Hub:
    """Sends a command to a device and resolves it by the event that follows."""

    def __init__(self):
        self.awaited = {}

    async def command(self, name, event):
        arrived = asyncio.get_running_loop().create_future()
        self.awaited.setdefault(event, []).append(arrived)
        return name, await arrived

    def emit(self, event):
        for arrived in self.awaited.pop(event, [])[:1]:
            arrived.set_result(event)

    def emit_to_all(self, event):
        for arrived in self.awaited.pop(event, []):
            arrived.set_result(event)


async def _two_commands(stage, hub, emit):
    commands = [stage.spawn(hub.command(name, "door open")) for name in ("porch", "garage")]
    await turns()
    emit("door open")
    return commands


@leaks
async def one_event_for_two_commands(stage):
    """Two commands wait for the same event; it resolves the first and forgets the second."""
    hub = Hub()
    await _two_commands(stage, hub, hub.emit)


@fixes(one_event_for_two_commands)
async def one_event_for_all_commands(stage):
    hub = Hub()
    await asyncio.wait(await _two_commands(stage, hub, hub.emit_to_all))


async def _write(transport, number):
    transport.append(number)
    if number == 2:
        raise BrokenPipeError("peer is gone")


async def _request(pending, transport, number, *, clean_up):
    reply = pending[number] = asyncio.get_running_loop().create_future()
    writing = asyncio.ensure_future(_write(transport, number))
    if clean_up:
        writing.add_done_callback(lambda task: task.exception() and reply.set_result("not sent"))
    else:
        writing.add_done_callback(lambda task: task.exception())
    return await reply


@leaks
async def write_failed_in_the_background(stage):
    """The request is written by a task of its own; its failure is noted, and the caller waits for a reply."""
    pending, transport = {}, []
    for number in (1, 2):
        stage.spawn(_request(pending, transport, number, clean_up=False))
    await turns()
    pending.pop(1).set_result("one")


@fixes(write_failed_in_the_background)
async def failed_write_is_a_reply(stage):
    pending, transport = {}, []
    calls = [stage.spawn(_request(pending, transport, number, clean_up=True)) for number in (1, 2)]
    await turns()
    pending.pop(1).set_result("one")
    await asyncio.wait(calls)
