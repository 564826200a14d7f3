"""Locks that are never given back: held across a wait, taken twice by one task, or lost on the way out."""

import asyncio
from contextlib import asynccontextmanager, suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Inventory:
    """Stock behind a lock; a reservation asks the supplier first."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.stock = {"lamp": 3}

    async def reserve_asking_inside(self, sku, supplier):
        async with self.lock:
            self.stock[sku] -= await supplier

    async def reserve_asking_outside(self, sku, supplier):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                amount = await supplier
                async with self.lock:
                    self.stock[sku] -= amount

    async def level(self, sku):
        async with self.lock:
            return self.stock[sku]


@leaks
async def held_across_an_answer(stage):
    """A reservation holds the lock while it waits for a supplier who is gone, and every reader queues up."""
    inventory = Inventory()
    supplier = asyncio.get_running_loop().create_future()
    stage.spawn(inventory.reserve_asking_inside("lamp", supplier))
    for _ in range(3):
        stage.spawn(inventory.level("lamp"))


@fixes(held_across_an_answer)
async def held_only_for_the_update(stage):
    inventory = Inventory()
    supplier = asyncio.get_running_loop().create_future()
    asking = stage.spawn(inventory.reserve_asking_outside("lamp", supplier))
    levels = [stage.spawn(inventory.level("lamp")) for _ in range(3)]
    await asyncio.wait([asking, *levels])


class Account:
    """A balance whose transfer uses its own withdrawal."""

    def __init__(self, balance):
        self.balance = balance
        self.lock = asyncio.Lock()

    async def withdraw(self, amount):
        async with self.lock:
            self._take(amount)

    def _take(self, amount):
        self.balance -= amount

    async def pay_fee_through_the_front(self, fee):
        async with self.lock:
            await self.withdraw(fee)

    async def pay_fee(self, fee):
        async with self.lock:
            self._take(fee)


@leaks
async def taken_again_by_a_helper(stage):
    """A method that holds the lock calls a public one that takes it: asyncio locks are not re-entrant."""
    stage.spawn(Account(100).pay_fee_through_the_front(2), name="fee")


@fixes(taken_again_by_a_helper)
async def helper_that_expects_the_lock(stage):
    await stage.spawn(Account(100).pay_fee(2), name="fee")


class Registry:
    """Calls its subscribers on every change."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.subscribers = []

    async def subscribe(self, subscriber):
        async with self.lock:
            self.subscribers.append(subscriber)

    async def publish_locked(self, change):
        async with self.lock:
            for subscriber in self.subscribers:
                await subscriber(change)

    async def publish(self, change):
        async with self.lock:
            subscribers = list(self.subscribers)
        for subscriber in subscribers:
            await subscriber(change)


async def _publish_to_one_that_subscribes(registry, publish):
    async def ignore(change):
        return change

    async def follow(change):
        if change == "split":
            await registry.subscribe(ignore)

    await registry.subscribe(follow)
    await publish("split")


@leaks
async def callback_comes_back(stage):
    """Subscribers are called under the lock, and one of them subscribes again from its callback."""
    registry = Registry()
    asyncio.create_task(_publish_to_one_that_subscribes(registry, registry.publish_locked))


@fixes(callback_comes_back)
async def callbacks_after_the_lock(stage):
    registry = Registry()
    await asyncio.create_task(_publish_to_one_that_subscribes(registry, registry.publish))


class TokenCache:
    """Refreshes a token, one caller at a time."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.token = None

    async def token_with_early_return(self):
        await self.lock.acquire()
        if self.token is not None:
            return self.token
        self.token = "fresh"
        self.lock.release()
        return self.token

    async def token_in_a_block(self):
        async with self.lock:
            if self.token is None:
                self.token = "fresh"
            return self.token


@leaks
async def early_return_keeps_it(stage):
    """The second call finds the token in the cache and returns without the release; the third waits."""
    cache = TokenCache()
    for _ in range(4):
        stage.spawn(cache.token_with_early_return())


@fixes(early_return_keeps_it)
async def block_gives_it_back(stage):
    cache = TokenCache()
    await asyncio.gather(*(stage.spawn(cache.token_in_a_block()) for _ in range(4)))


async def _rotate(lock, reopened):
    await lock.acquire()
    await reopened.wait()
    lock.release()


async def _rotate_surely(lock, reopened):
    async with lock:
        await reopened.wait()


async def _write_line(lock, lines):
    async with lock:
        lines.append("line")


async def _cancel_a_rotation(stage, rotate):
    lock, lines = asyncio.Lock(), []
    rotation = stage.spawn(rotate(lock, asyncio.Event()))
    writers = [stage.spawn(_write_line(lock, lines)) for _ in range(2)]
    await turns()
    rotation.cancel()
    await asyncio.wait([rotation])
    return writers


@leaks
async def lost_when_cancelled(stage):
    """A log rotation is cancelled between acquire and release; the writers wait for ever."""
    await _cancel_a_rotation(stage, _rotate)


@fixes(lost_when_cancelled)
async def given_back_when_cancelled(stage):
    await asyncio.wait(await _cancel_a_rotation(stage, _rotate_surely))


class Flusher:
    """Stops its worker; the worker needs the same lock to finish."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.stopping = asyncio.Event()
        self.worker = asyncio.create_task(self.work())

    async def work(self):
        await self.stopping.wait()
        async with self.lock:
            return "flushed"

    async def stop_locked(self):
        async with self.lock:
            self.stopping.set()
            await self.worker

    async def stop(self):
        async with self.lock:
            self.stopping.set()
        await self.worker


@leaks
async def joins_while_holding_it(stage):
    """Shutdown holds the lock and waits for a worker that wants it for its last flush."""
    stage.spawn(Flusher().stop_locked())


@fixes(joins_while_holding_it)
async def joins_after_the_block(stage):
    await stage.spawn(Flusher().stop())


@asynccontextmanager
async def _exclusive_if_all_goes_well(lock):
    await lock.acquire()
    yield
    lock.release()


@asynccontextmanager
async def _exclusive(lock):
    await lock.acquire()
    try:
        yield
    finally:
        lock.release()


async def _import_rows(exclusive, lock, rows):
    async with exclusive(lock):
        return [int(row) for row in rows]


@leaks
async def context_manager_without_finally(stage):
    """A generator-based lock guard gives back only on the good path; a bad row skips it."""
    lock = asyncio.Lock()
    for rows in (["1", "x"], ["2"], ["3"]):
        stage.spawn(_import_rows(_exclusive_if_all_goes_well, lock, rows)).add_done_callback(_swallow)


@fixes(context_manager_without_finally)
async def context_manager_with_finally(stage):
    lock = asyncio.Lock()
    jobs = [stage.spawn(_import_rows(_exclusive, lock, rows)) for rows in (["1", "x"], ["2"], ["3"])]
    await asyncio.gather(*jobs, return_exceptions=True)


def _swallow(task):
    if not task.cancelled():
        task.exception()
