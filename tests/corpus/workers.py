"""Worker pools: workers that die, results that nobody collects, one sentinel for many, no workers at all."""

import asyncio
import functools
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


async def _resize(images, *, survive):
    while (image := await images.get()) is not None:
        try:
            image.decode()
        except UnicodeDecodeError:
            if not survive:
                return


async def _produce(images, workers):
    for image in (b"\xff", b"\xfe", b"a", b"b", b"c"):
        await images.put(image)
    for _ in range(workers):
        await images.put(None)


async def _resize_all(stage, *, survive):
    images = asyncio.Queue(maxsize=1)
    for _ in range(2):
        stage.spawn(_resize(images, survive=survive))
    return stage.spawn(_produce(images, 2))


@leaks
async def workers_die_of_bad_input(stage):
    """Both workers leave at a broken image, and the producer has nobody left to make room."""
    await _resize_all(stage, survive=False)


@fixes(workers_die_of_bad_input)
async def workers_survive_bad_input(stage):
    await (await _resize_all(stage, survive=True))
    await turns()


class Pool:
    """Runs calls on workers and puts the results where the caller may collect them."""

    def __init__(self, workers, room):
        self.calls = asyncio.Queue()
        self.results = asyncio.Queue(maxsize=room)
        self.workers = [asyncio.create_task(self.work()) for _ in range(workers)]

    async def work(self):
        while (call := await self.calls.get()) is not None:
            await self.results.put(call())

    async def finish(self):
        for _ in self.workers:
            self.calls.put_nowait(None)
        await asyncio.gather(*self.workers)
        return [self.results.get_nowait() for _ in range(self.results.qsize())]


async def _square_all(pool, count):
    for number in range(count):
        pool.calls.put_nowait(functools.partial(pow, number, 2))
    return await pool.finish()


@leaks
async def collects_after_the_workers(stage):
    """The caller collects when all workers are over, who wait for room among the results."""
    stage.spawn(_square_all(Pool(workers=2, room=2), 6))


@fixes(collects_after_the_workers)
async def room_for_all_results(stage):
    await stage.spawn(_square_all(Pool(workers=2, room=6), 6))


async def _stop_with(sentinels):
    pool = Pool(workers=3, room=0)
    for _ in range(sentinels):
        pool.calls.put_nowait(None)
    await turns()


@leaks
async def one_sentinel_for_three_workers(stage):
    """Three workers share a queue, and one sentinel is put: two of them never see it."""
    await _stop_with(1)


@fixes(one_sentinel_for_three_workers)
async def a_sentinel_for_each_worker(stage):
    await _stop_with(3)


async def _submit(pool, text):
    done = asyncio.get_running_loop().create_future()
    pool.calls.put_nowait(functools.partial(done.set_result, text))
    return await done


@leaks
async def pool_of_no_workers(stage):
    """A pool sized by the spare processors of a small machine has no workers at all."""
    pool = Pool(workers=max(0, 1 - 1), room=0)
    for text in ("a", "b"):
        stage.spawn(_submit(pool, text))


@fixes(pool_of_no_workers)
async def pool_of_at_least_one(stage):
    pool = Pool(workers=max(1, 1 - 1), room=0)
    await asyncio.gather(*(_submit(pool, text) for text in ("a", "b")))
    await pool.finish()


class Dispatcher:
    """Hands jobs to idle workers; a worker reports itself idle when it is through."""

    def __init__(self, names):
        self.idle = asyncio.Queue()
        for name in names:
            self.idle.put_nowait(name)

    async def dispatch(self, job):
        name = await self.idle.get()
        job(name)
        self.idle.put_nowait(name)

    async def dispatch_surely(self, job):
        name = await self.idle.get()
        try:
            job(name)
        finally:
            self.idle.put_nowait(name)


async def _three_jobs(dispatch):
    jobs = (str.upper, int, str.lower, str.title)
    await asyncio.gather(*map(dispatch, jobs), return_exceptions=True)


@leaks
async def failed_worker_is_not_idle_again(stage):
    """A job fails, its worker is never reported idle, and the next jobs wait for a worker."""
    stage.spawn(_three_jobs(Dispatcher(["ann"]).dispatch))


@fixes(failed_worker_is_not_idle_again)
async def failed_worker_is_idle_again(stage):
    await stage.spawn(_three_jobs(Dispatcher(["ann"]).dispatch_surely))


async def _scale_down(pool, *, wait_for_retired):
    retired = pool.workers.pop()
    if wait_for_retired:
        pool.calls.put_nowait(None)
        await retired
    await pool.finish()


@leaks
async def retired_worker_is_forgotten(stage):
    """Scaling down takes a worker out of the list, and so it gets no sentinel when the pool is closed."""
    await _scale_down(Pool(workers=2, room=0), wait_for_retired=False)


@fixes(retired_worker_is_forgotten)
async def retired_worker_is_stopped(stage):
    pool = Pool(workers=1, room=0)
    with suppress(TimeoutError):
        await asyncio.wait_for(_scale_down(pool, wait_for_retired=True), 1)
