"""Attempts that pile up: each retry leaves the one before it behind."""

import asyncio
import contextlib

from tests.corpus.channels import Channel
from tests.corpus.stage import fixes, leaks


async def attempt(number, network, replies):
    await network.wait()
    await replies.put(number)


@leaks
async def every_timeout_leaves_an_attempt(stage):
    """Start a new attempt at each timeout, and read one answer when the network is back."""
    network, replies = asyncio.Event(), asyncio.Queue(1)
    for number in range(4):
        stage.spawn(attempt(number, network, replies))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(replies.get(), 0.001)
    network.set()
    return await replies.get()


@fixes(every_timeout_leaves_an_attempt)
async def every_timeout_stops_its_attempt(stage):
    network, replies = asyncio.Event(), asyncio.Queue(1)
    for number in range(4):
        asked = stage.spawn(attempt(number, network, replies))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(replies.get(), 0.001)
        asked.cancel()
    stage.spawn(attempt(4, network, replies))
    network.set()
    return await replies.get()


class Reconnecting:
    """Wait for the link to come up, and start again when it takes too long."""

    def __init__(self, stage):
        self.stage = stage
        self.waiting = []

    async def connect(self, *, stop):
        for _ in range(3):
            up = asyncio.Event()
            self.waiting.append(asyncio.create_task(up.wait()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.waiting[-1]), 0.001)
            if stop:
                self.waiting.pop().cancel()


@leaks
async def every_reconnect_leaves_a_waiter(stage):
    """Shield what waits for the link from the timeout, and make a new one each time."""
    await Reconnecting(stage).connect(stop=False)


@fixes(every_reconnect_leaves_a_waiter)
async def every_reconnect_stops_its_waiter(stage):
    await Reconnecting(stage).connect(stop=True)


def retry(function, attempts):
    """Call again after an error, with a new place for the answer each time."""

    async def call(*args):
        for number in range(attempts):
            answer = asyncio.get_running_loop().create_future()
            with contextlib.suppress(ConnectionError):
                return await function(number, answer, *args)
        return None

    return call


@leaks
async def every_error_leaves_a_listener(stage):
    """Start a listener for the answer before the request is sent, and retry when sending fails."""

    async def listen(answer):
        return await answer

    async def request(number, answer):
        stage.spawn(listen(answer))
        if number < 2:
            raise ConnectionError
        answer.set_result("ok")

    await retry(request, attempts=3)()


@fixes(every_error_leaves_a_listener)
async def the_listener_starts_after_the_request(stage):
    async def listen(answer):
        return await answer

    async def request(number, answer):
        if number < 2:
            raise ConnectionError
        stage.spawn(listen(answer))
        answer.set_result("ok")

    await retry(request, attempts=3)()


async def back_off(recovered, results, job, *, give_up):
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(recovered.wait(), give_up)
    results.append(job)


@leaks
async def jobs_wait_for_a_recovery(stage):
    """Park every failed job until the service recovers, and drop the service's health check."""
    recovered = asyncio.Event()
    for job in range(5):
        stage.spawn(back_off(recovered, [], job, give_up=None))


@fixes(jobs_wait_for_a_recovery)
async def jobs_give_up_in_time(stage):
    recovered = asyncio.Event()
    jobs = [stage.spawn(back_off(recovered, [], job, give_up=0.001)) for job in range(5)]
    await asyncio.wait(jobs)


async def speculate(channel, number, previous):
    """Run after the attempt before, and report."""
    if previous is not None:
        await asyncio.wait([previous])
    await channel.send(number)


@leaks
async def each_attempt_waits_for_the_last(stage):
    """Chain the attempts: when the first one can't report, none of them begins."""
    channel, previous = Channel(), None
    for number in range(4):
        previous = stage.spawn(speculate(channel, number, previous))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.001)


@fixes(each_attempt_waits_for_the_last)
async def each_attempt_is_heard(stage):
    channel, previous = Channel(), None
    for number in range(4):
        previous = stage.spawn(speculate(channel, number, previous))
    for _ in range(4):
        await channel.receive()
