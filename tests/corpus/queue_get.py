"""A get on an empty queue whose producer is gone."""

import asyncio
import collections
import contextlib

from tests.corpus.stage import fixes, leaks


class Metrics:
    """Collect samples in the background, if sampling is on."""

    def __init__(self, *, sampling):
        self.samples = asyncio.Queue()
        self.sampling = sampling

    async def sample(self):
        for value in range(3):
            await self.samples.put(value)

    async def average(self, count):
        return sum([await self.samples.get() for _ in range(count)]) / count


@leaks
async def the_producer_is_switched_off(stage):
    """Wait for samples although the configuration has switched sampling off."""
    metrics = Metrics(sampling=False)
    if metrics.sampling:
        stage.spawn(metrics.sample())
    stage.spawn(metrics.average(3))


@fixes(the_producer_is_switched_off)
async def the_consumer_is_switched_off_too(stage):
    metrics = Metrics(sampling=False)
    if metrics.sampling:
        stage.spawn(metrics.sample())
        stage.spawn(metrics.average(3))


async def read_rows(rows, queue, *, careful=False):
    for row in rows:
        try:
            await queue.put(int(row))
        except ValueError:
            if not careful:
                raise
            await queue.put(0)


async def total(queue, count):
    return sum([await queue.get() for _ in range(count)])


@leaks
async def the_producer_fails_half_way(stage):
    """Expect four rows from a reader that raises at the third."""
    queue = asyncio.Queue()
    reader = stage.spawn(read_rows(["1", "2", "x", "4"], queue))
    stage.spawn(total(queue, 4))
    with contextlib.suppress(ValueError):
        await reader


@fixes(the_producer_fails_half_way)
async def the_producer_answers_for_bad_rows(stage):
    queue = asyncio.Queue()
    stage.spawn(read_rows(["1", "2", "x", "4"], queue, careful=True))
    stage.spawn(total(queue, 4))


async def answer(requests, room):
    """Answer requests, and drop those for which there is no room."""
    while (request := await requests.get()) is not None:
        number, reply = request
        if number < room:
            reply.put_nowait(number * number)
        elif room < 0:
            reply.put_nowait(None)


async def call(requests, number):
    reply = asyncio.Queue(1)
    requests.put_nowait((number, reply))
    return await reply.get()


@leaks
async def an_overloaded_server_drops_requests(stage):
    """Wait on a reply queue of one's own for a request that the server drops in silence."""
    requests = asyncio.Queue()
    server = stage.spawn(answer(requests, room=2))
    for number in range(5):
        stage.spawn(call(requests, number))
    await asyncio.sleep(0)
    requests.put_nowait(None)
    await server


@fixes(an_overloaded_server_drops_requests)
async def an_overloaded_server_says_so(stage):
    requests = asyncio.Queue()
    server = stage.spawn(answer(requests, room=-1))
    for number in range(5):
        stage.spawn(call(requests, number))
    await asyncio.sleep(0)
    requests.put_nowait(None)
    await server


@leaks
async def a_topic_is_misspelt(stage):
    """Look a queue up by a name that nobody sends to: a defaultdict makes one up."""
    topics = collections.defaultdict(asyncio.Queue)

    async def listen(topic):
        return await topics[topic].get()

    stage.spawn(listen("order.payed"))
    await topics["order.paid"].put({"order": 17})


@fixes(a_topic_is_misspelt)
async def a_topic_is_spelt_well(stage):
    topics = collections.defaultdict(asyncio.Queue)

    async def listen(topic):
        return await topics[topic].get()

    stage.spawn(listen("order.paid"))
    await topics["order.paid"].put({"order": 17})


class Batcher:
    """Write rows in batches of a fixed size."""

    def __init__(self, size, patience=None):
        self.rows = asyncio.Queue()
        self.size = size
        self.patience = patience
        self.written = []

    async def next_row(self):
        return await asyncio.wait_for(self.rows.get(), self.patience)

    async def fill(self):
        batch = []
        with contextlib.suppress(TimeoutError):
            while len(batch) < self.size:
                batch.append(await self.next_row())
        return batch

    async def run(self):
        while batch := await self.fill():
            self.written += batch


@leaks
async def the_last_batch_is_never_full(stage):
    """Wait for a full batch when the rows have come to an end."""
    batcher = Batcher(size=4)
    stage.spawn(batcher.run())
    for row in range(6):
        await batcher.rows.put(row)


@fixes(the_last_batch_is_never_full)
async def the_last_batch_is_written_in_time(stage):
    batcher = Batcher(size=4, patience=0.002)
    run = stage.spawn(batcher.run())
    for row in range(6):
        await batcher.rows.put(row)
    await run


class Client:
    """Read messages of a session, and make a new session after each disconnect."""

    def __init__(self):
        self.session = asyncio.Queue()

    def reconnect(self, *, tell=False):
        if tell:
            self.session.put_nowait(ConnectionResetError("session lost"))
        self.session = asyncio.Queue()

    async def read(self):
        message = await self.session.get()
        if isinstance(message, Exception):
            raise message
        return message


@leaks
async def a_reader_keeps_the_old_session(stage):
    """Replace a client's queue when it reconnects, and leave the readers on the old one."""
    client = Client()
    for _ in range(2):
        stage.spawn(client.read())
    await asyncio.sleep(0)
    client.reconnect()
    await client.session.put("hello again")


@fixes(a_reader_keeps_the_old_session)
async def a_reader_is_told_of_the_new_session(stage):
    client = Client()
    reader = stage.spawn(client.read())
    await asyncio.sleep(0)
    client.reconnect(tell=True)
    with contextlib.suppress(ConnectionResetError):
        await reader


async def poll(queue):
    for number in range(100):
        await asyncio.sleep(0)
        queue.put_nowait(number)


async def first_above(queue, limit):
    while (number := await queue.get()) < limit:
        pass
    return number


@leaks
async def the_producer_is_scaled_down(stage):
    """Cancel a poller and leave its consumer waiting."""
    queue = asyncio.Queue()
    poller = asyncio.create_task(poll(queue))
    stage.spawn(first_above(queue, limit=50))
    await asyncio.sleep(0)
    poller.cancel()


@fixes(the_producer_is_scaled_down)
async def producer_and_consumer_are_scaled_down(stage):
    queue = asyncio.Queue()
    poller = asyncio.create_task(poll(queue))
    consumer = stage.spawn(first_above(queue, limit=50))
    await asyncio.sleep(0)
    for task in (poller, consumer):
        task.cancel()
