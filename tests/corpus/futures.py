"""A future that nobody resolves."""

import asyncio
import contextlib
import functools

from tests.corpus.stage import fixes, leaks


class Rpc:
    """Match answers with requests by their number."""

    def __init__(self):
        self.pending = {}

    async def call(self, number):
        self.pending[number] = asyncio.get_running_loop().create_future()
        return await self.pending[number]

    def answer(self, number, value):
        if number in self.pending:
            self.pending.pop(number).set_result(value)

    def disconnect(self, error=None):
        waiting, self.pending = self.pending, {}
        for future in waiting.values():
            if error is not None:
                future.set_exception(error)


@leaks
async def a_disconnect_forgets_the_calls(stage):
    """Clear the table of pending calls when the connection is lost, and tell nobody."""
    rpc = Rpc()
    for number in range(3):
        stage.spawn(rpc.call(number))
    await asyncio.sleep(0)
    rpc.answer(0, "pong")
    rpc.disconnect()


@fixes(a_disconnect_forgets_the_calls)
async def a_disconnect_fails_the_calls(stage):
    rpc = Rpc()
    calls = [stage.spawn(rpc.call(number)) for number in range(3)]
    await asyncio.sleep(0)
    rpc.answer(0, "pong")
    rpc.disconnect(ConnectionResetError())
    await asyncio.gather(*calls, return_exceptions=True)


@leaks
async def the_answer_has_another_number(stage):
    """Answer request 17 as "17": the keys differ, and the call waits."""
    rpc = Rpc()
    stage.spawn(rpc.call(17))
    await asyncio.sleep(0)
    rpc.answer("17", "pong")


@fixes(the_answer_has_another_number)
async def the_answer_has_the_same_number(stage):
    rpc = Rpc()
    stage.spawn(rpc.call(17))
    await asyncio.sleep(0)
    rpc.answer(int("17"), "pong")


@leaks
async def a_second_call_takes_the_place_of_the_first(stage):
    """Reuse a number that is still waiting: the first call's future is overwritten."""
    rpc = Rpc()
    for _ in range(2):
        stage.spawn(rpc.call(1))
        await asyncio.sleep(0)
    rpc.answer(1, "pong")


@fixes(a_second_call_takes_the_place_of_the_first)
async def a_second_call_has_a_number_of_its_own(stage):
    rpc = Rpc()
    for number in range(2):
        stage.spawn(rpc.call(number))
        await asyncio.sleep(0)
        rpc.answer(number, "pong")


def convert(future, text, *, careful):
    try:
        value = int(text)
    except ValueError as error:
        if careful:
            future.set_exception(error)
        return
    future.set_result(value)


async def later(text, *, careful=False):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(functools.partial(convert, future, text, careful=careful))
    return await future


@leaks
async def a_callback_gives_up(stage):
    """Resolve a future from a callback that returns on bad input."""
    stage.spawn(later("12x"))


@fixes(a_callback_gives_up)
async def a_callback_passes_the_error_on(stage):
    with contextlib.suppress(ValueError):
        await stage.spawn(later("12x", careful=True))


class Handshake:
    """Complete when both sides have said hello."""

    def __init__(self):
        self.complete = asyncio.get_running_loop().create_future()
        self.heard = set()

    def hello(self, side):
        self.heard.add(side)
        if len(self.heard) == 2:
            self.complete.set_result(None)


async def session(handshake):
    await asyncio.shield(handshake.complete)
    return "ready"


@leaks
async def one_side_never_says_hello(stage):
    """Shield a future that takes two sides, of which one repeats itself."""
    handshake = Handshake()
    stage.spawn(session(handshake))
    handshake.hello("client")
    handshake.hello("client")


@fixes(one_side_never_says_hello)
async def both_sides_say_hello(stage):
    handshake = Handshake()
    stage.spawn(session(handshake))
    handshake.hello("client")
    handshake.hello("server")


class Promise:
    """Wrap a future in an awaitable of its own, as many client libraries do."""

    def __init__(self):
        self._future = asyncio.get_running_loop().create_future()

    def __await__(self):
        return (yield from self._future.__await__())

    def keep(self, value):
        self._future.set_result(value)

    def then(self, change):
        following = Promise()
        self._future.add_done_callback(lambda future: following.keep(change(future.result())))
        return following


async def redeem(promise):
    return await promise


@leaks
async def a_chain_of_promises_is_not_kept(stage):
    """Wait at the end of a chain of promises whose first one is dropped."""
    promise = Promise()
    stage.spawn(redeem(promise.then(str).then(len)))
    await asyncio.sleep(0)


@fixes(a_chain_of_promises_is_not_kept)
async def a_chain_of_promises_is_kept(stage):
    promise = Promise()
    stage.spawn(redeem(promise.then(str).then(len)))
    await asyncio.sleep(0)
    promise.keep(1000)


@leaks
async def futures_wait_for_each_other(stage):
    """Let each of two workers resolve its future after the other's."""
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()

    async def step(mine, theirs):
        mine.set_result(await theirs)

    stage.spawn(step(first, second))
    stage.spawn(step(second, first))


@fixes(futures_wait_for_each_other)
async def one_future_goes_first(stage):
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()

    async def step(mine, theirs):
        mine.set_result(await theirs)

    stage.spawn(step(first, second))
    second.set_result("ready")
