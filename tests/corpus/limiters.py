"""Rate limiters that are no longer refilled, and circuit breakers that nobody closes."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Bucket:
    """A token bucket, refilled by a task."""

    def __init__(self, refill):
        self.tokens = asyncio.Semaphore(1)
        self.refilling = asyncio.create_task(refill(self))

    async def call(self, request):
        await self.tokens.acquire()
        return request


async def _refill(bucket, rates):
    for rate in rates:
        for _ in range(10 // rate):
            bucket.tokens.release()
        await asyncio.sleep(0)


def _use_bucket(stage, rates):
    bucket = Bucket(lambda new: _refill(new, rates))
    bucket.refilling.add_done_callback(lambda task: task.exception())
    return [stage.spawn(bucket.call(number)) for number in range(4)]


@leaks
async def refill_divides_by_zero(stage):
    """The task that refills the bucket dies of a rate of zero, and callers wait for tokens."""
    _use_bucket(stage, [0, 10])


@fixes(refill_divides_by_zero)
async def refill_goes_on(stage):
    await asyncio.wait(_use_bucket(stage, [5, 10, 10]))


class Limits:
    """A limit for each client, forgotten when the client has been idle."""

    def __init__(self):
        self.clients = {}

    async def enter(self, client):
        await self.clients.setdefault(client, asyncio.Semaphore(1)).acquire()

    def leave(self, client):
        self.clients.setdefault(client, asyncio.Semaphore(0)).release()

    def evict(self, client):
        del self.clients[client]

    def evict_if_free(self, client):
        if not self.clients[client].locked():
            del self.clients[client]


async def _evict_while_waiting(stage, limits, evict):
    await limits.enter("ann")
    waiting = stage.spawn(limits.enter("ann"))
    await turns()
    evict("ann")
    limits.leave("ann")
    return waiting


@leaks
async def limit_evicted_under_a_waiter(stage):
    """A client's limit is evicted while a call waits at it; the release goes to a new one."""
    limits = Limits()
    await _evict_while_waiting(stage, limits, limits.evict)


@fixes(limit_evicted_under_a_waiter)
async def only_free_limits_are_evicted(stage):
    limits = Limits()
    await (await _evict_while_waiting(stage, limits, limits.evict_if_free))


class Window:
    """So many calls per window; the rest wait for the next one, which a timer opens."""

    def __init__(self, limit):
        self.limit = limit
        self.used = 0
        self.waiting = []
        self.timer = None

    async def enter(self):
        while self.used >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            await turn
        self.used += 1

    def start(self, seconds):
        self.timer = asyncio.get_running_loop().call_later(seconds, self.roll)

    def roll(self):
        self.used = 0
        waiting, self.waiting = self.waiting, []
        for turn in waiting:
            turn.set_result(None)

    def stop(self):
        self.timer.cancel()

    def stop_and_let_in(self):
        self.timer.cancel()
        self.roll()


async def _stop_window(stage, window, stop):
    window.start(60)
    calls = [stage.spawn(window.enter()) for _ in range(3)]
    await turns()
    stop()
    return calls


@leaks
async def window_stopped_with_calls_inside(stage):
    """The limiter's timer is cancelled at shutdown; the calls that wait for the next window stay."""
    window = Window(limit=1)
    await _stop_window(stage, window, window.stop)


@fixes(window_stopped_with_calls_inside)
async def window_lets_the_rest_in(stage):
    window = Window(limit=2)
    await asyncio.wait(await _stop_window(stage, window, window.stop_and_let_in))


@leaks
async def window_still_running(stage):
    """The limiter's timer is armed: its calls wait long, but they will get in."""
    window = Window(limit=1)
    window.start(3600)
    for _ in range(3):
        stage.spawn(window.enter())
    await turns()
    for call in list(stage.background):
        stage.unprovable(call, "the window's timer is armed")


@fixes(window_still_running)
async def window_rolls_soon(stage):
    window = Window(limit=2)
    calls = [stage.spawn(window.enter()) for _ in range(3)]
    await turns()
    window.start(0.001)  # not before the last one waits: on a slow machine it would open in vain
    await asyncio.wait(calls)


class Breaker:
    """Lets one probe through when open; the others wait for its result."""

    def __init__(self):
        self.probing = None

    async def call(self, backend):
        if self.probing is not None:
            return await self.probing
        self.probing = asyncio.get_running_loop().create_future()
        self.settle(await backend())
        return "probed"

    async def call_surely(self, backend):
        if self.probing is not None:
            return await self.probing
        self.probing = asyncio.get_running_loop().create_future()
        result = "open"
        try:
            result = await backend()
        finally:
            self.settle(result)
        return "probed"

    def settle(self, result):
        probing, self.probing = self.probing, None
        probing.set_result(result)


async def _cancel_the_probe(stage, call):
    calls = [stage.spawn(call(asyncio.Event().wait)) for _ in range(3)]
    await turns()
    calls[0].cancel()
    await turns()
    return calls[1:]


@leaks
async def probe_of_a_half_open_breaker_is_cancelled(stage):
    """The caller of the probe goes away, and those who wait for the probe's result wait on."""
    await _cancel_the_probe(stage, Breaker().call)


@fixes(probe_of_a_half_open_breaker_is_cancelled)
async def cancelled_probe_counts_as_open(stage):
    await asyncio.wait(await _cancel_the_probe(stage, Breaker().call_surely))


class Gate:
    """An open breaker holds its callers back until a success closes it."""

    def __init__(self):
        self.closed = asyncio.Condition()
        self.failures = 0

    async def call(self, backend, *, probe):
        async with self.closed:
            if self.failures >= 2 and not probe:
                await self.closed.wait_for(lambda: not self.failures)
            self.failures = 0 if backend() else self.failures + 1
            self.closed.notify_all()


async def _calls(stage, *, probe):
    gate, backend = Gate(), iter([False, False, True, True, True]).__next__
    for number in range(5):
        stage.spawn(gate.call(backend, probe=probe and number == 2))
    await turns(12)


@leaks
async def all_wait_for_a_success(stage):
    """After two failures every caller waits for a success, which only one of them could have."""
    await _calls(stage, probe=False)


@fixes(all_wait_for_a_success)
async def one_may_try(stage):
    await _calls(stage, probe=True)
