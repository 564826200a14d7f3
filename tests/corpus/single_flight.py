"""Followers that wait for the answer of a leader who died."""

import asyncio
import contextlib

from tests.corpus.stage import fixes, leaks


class Flight:
    """Let one caller load a key, and the others wait for what it loads."""

    def __init__(self, *, tell_errors):
        self.calls = {}
        self.tell_errors = tell_errors

    async def get(self, key, load):
        if key in self.calls:
            return await self.calls[key]
        call = self.calls[key] = asyncio.get_running_loop().create_future()
        try:
            value = await load(key)
        except BaseException:
            if self.tell_errors and not call.done():
                call.cancel()
            raise
        finally:
            del self.calls[key]
        call.set_result(value)
        return value


async def load_slowly(key):
    await asyncio.sleep(0.001)
    return key


async def load_nothing(key):
    await asyncio.sleep(0)
    raise LookupError(key)


@leaks
async def the_leader_fails(stage):
    """Raise in the leader: the followers' future is dropped without an answer."""
    flight = Flight(tell_errors=False)
    for _ in range(3):
        stage.spawn(flight.get("user:1", load_nothing))


@fixes(the_leader_fails)
async def the_leader_tells_of_its_failure(stage):
    flight = Flight(tell_errors=True)
    for _ in range(3):
        stage.spawn(flight.get("user:1", load_nothing))


@leaks
async def the_leader_is_cancelled(stage):
    """Cancel the request that happened to lead: the other requests wait for it."""
    flight = Flight(tell_errors=False)
    leader, *_ = [stage.spawn(flight.get("user:1", load_slowly)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()


@fixes(the_leader_is_cancelled)
async def the_leader_tells_of_its_cancellation(stage):
    flight = Flight(tell_errors=True)
    leader, *_ = [stage.spawn(flight.get("user:1", load_slowly)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()


class Cache:
    """Hold the callers of a missing key back with an event."""

    def __init__(self):
        self.values = {}
        self.loading = {}

    async def get(self, key, *, tidy):
        while key not in self.values:
            if key in self.loading:
                await self.loading[key].wait()
                continue
            loaded = self.loading[key] = asyncio.Event()
            if tidy:
                with contextlib.ExitStack() as stack:
                    stack.callback(loaded.set)
                    self.values[key] = await load_slowly(key)
            else:
                async with asyncio.timeout(0.0001):
                    self.values[key] = await load_slowly(key)
                loaded.set()
        return self.values[key]


@leaks
async def the_leader_times_out(stage):
    """Time out in the leader, past the line that sets the event."""
    cache = Cache()
    for _ in range(3):
        stage.spawn(cache.get("price", tidy=False))


@fixes(the_leader_times_out)
async def the_leader_always_sets_the_event(stage):
    cache = Cache()
    for _ in range(3):
        stage.spawn(cache.get("price", tidy=True))


@leaks
async def the_leader_follows_itself(stage):
    """Load a key whose loading asks for the same key again."""
    flight = Flight(tell_errors=True)

    async def load(key):
        return await flight.get(key, load_slowly)

    stage.spawn(flight.get("menu", load))


@fixes(the_leader_follows_itself)
async def the_leader_asks_for_another_key(stage):
    flight = Flight(tell_errors=True)

    async def load(key):
        return await flight.get(f"{key}:raw", load_slowly)

    stage.spawn(flight.get("menu", load))


@leaks
async def two_leaders_follow_each_other(stage):
    """Load two keys, each of which needs the other."""
    flight = Flight(tell_errors=True)
    other = {"left": "right", "right": "left"}

    async def load(key):
        await asyncio.sleep(0)
        return await flight.get(other[key], load)

    for key in other:
        stage.spawn(flight.get(key, load))


@fixes(two_leaders_follow_each_other)
async def one_leader_follows_the_other(stage):
    flight = Flight(tell_errors=True)

    async def load(key):
        await asyncio.sleep(0)
        return "here" if key == "right" else await flight.get("right", load)

    for key in ("left", "right"):
        stage.spawn(flight.get(key, load))


class Tokens:
    """Refresh a token, by a leader that hands the work to a task of its own."""

    def __init__(self):
        self.fresh = None

    async def refresh(self, *, remember):
        if self.fresh is None:
            self.fresh = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._ask(self.fresh))
            if remember:
                await task
            else:
                task.cancel()
        return await self.fresh

    async def _ask(self, fresh):
        await asyncio.sleep(0)
        fresh.set_result("token")


@leaks
async def the_leaders_helper_is_cancelled(stage):
    """Cancel the task that would have resolved everybody's future."""
    tokens = Tokens()
    for _ in range(3):
        stage.spawn(tokens.refresh(remember=False))


@fixes(the_leaders_helper_is_cancelled)
async def the_leaders_helper_is_awaited(stage):
    tokens = Tokens()
    for _ in range(3):
        stage.spawn(tokens.refresh(remember=True))
