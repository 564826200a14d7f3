"""A pool whose connection isn't returned."""

import asyncio
import collections
import contextlib

from tests.corpus.stage import fixes, leaks


class Connection:
    def __init__(self, number):
        self.number = number

    async def query(self, sql):
        await asyncio.sleep(0)
        if "FROM" not in sql:
            raise ValueError(f"no table: {sql!r}")
        return [self.number]


class QueuePool:
    """Keep free connections in a queue."""

    def __init__(self, size):
        self.free = asyncio.Queue()
        for number in range(size):
            self.free.put_nowait(Connection(number))

    async def acquire(self):
        return await self.free.get()

    def release(self, connection):
        self.free.put_nowait(connection)

    @contextlib.asynccontextmanager
    async def connection(self):
        connection = await self.acquire()
        try:
            yield connection
        finally:
            self.release(connection)


async def report(pool, sql):
    connection = await pool.acquire()
    rows = await connection.query(sql)
    pool.release(connection)
    return rows


async def safe_report(pool, sql):
    async with pool.connection() as connection:
        return await connection.query(sql)


@leaks
async def a_bad_query_keeps_the_connection(stage):
    """Raise between acquire and release: the next two reports wait."""
    pool = QueuePool(1)
    bad = stage.spawn(report(pool, "SELECT 1"))
    for _ in range(2):
        stage.spawn(report(pool, "SELECT * FROM users"))
    await asyncio.wait([bad])


@fixes(a_bad_query_keeps_the_connection)
async def a_bad_query_returns_the_connection(stage):
    pool = QueuePool(1)
    bad = stage.spawn(safe_report(pool, "SELECT 1"))
    for _ in range(2):
        stage.spawn(safe_report(pool, "SELECT * FROM users"))
    await asyncio.wait([bad])


class WaiterPool:
    """Keep the waiters in a deque of futures, as many drivers do."""

    def __init__(self, size):
        self.size = size
        self.in_use = 0
        self.waiters = collections.deque()

    async def acquire(self):
        if self.in_use >= self.size:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter
        else:
            self.in_use += 1

    def release(self):
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.in_use -= 1


async def find_user(pool, users, name, *, early):
    await pool.acquire()
    if early and name not in users:
        return None
    user = users.get(name)
    pool.release()
    return user


@leaks
async def an_unknown_user_keeps_the_connection(stage):
    """Return early, past the release."""
    pool = WaiterPool(2)
    for name in ("ann", "bob", "cleo", "dan"):
        stage.spawn(find_user(pool, {"cleo": 3}, name, early=True))


@fixes(an_unknown_user_keeps_the_connection)
async def an_unknown_user_returns_the_connection(stage):
    pool = WaiterPool(2)
    for name in ("ann", "bob", "cleo", "dan"):
        stage.spawn(find_user(pool, {"cleo": 3}, name, early=False))


async def transfer(pool):
    async with pool.connection() as source:
        await source.query("SELECT * FROM accounts")
        async with pool.connection() as target:
            return await target.query("SELECT * FROM accounts")


@leaks
async def a_transaction_needs_two_of_one(stage):
    """Acquire a second connection inside the first, from a pool of one."""
    stage.spawn(transfer(QueuePool(1)))


@fixes(a_transaction_needs_two_of_one)
async def a_transaction_has_two(stage):
    stage.spawn(transfer(QueuePool(2)))


@leaks
async def transactions_starve_each_other(stage):
    """Run as many transactions as there are connections, when each needs a second one."""
    pool = QueuePool(3)
    for _ in range(3):
        stage.spawn(transfer(pool))


@fixes(transactions_starve_each_other)
async def transactions_take_turns(stage):
    pool, turns = QueuePool(3), asyncio.Semaphore(2)

    async def in_turn():
        async with turns:
            return await transfer(pool)

    for _ in range(3):
        stage.spawn(in_turn())


async def stream(pool):
    async with pool.connection() as connection:
        for row in range(3):
            yield connection, row


async def first_row(pool, *, close):
    rows = stream(pool)
    if close:
        async with contextlib.aclosing(rows):
            return await anext(rows)
    return await anext(rows), rows


@leaks
async def a_stream_keeps_the_connection(stage):
    """Read the first row of a stream and keep the stream, in a report that waits for a second one."""
    pool = QueuePool(1)

    async def report_twice():
        return [await first_row(pool, close=False), await first_row(pool, close=False)]

    stage.spawn(report_twice())


@fixes(a_stream_keeps_the_connection)
async def a_closed_stream_returns_the_connection(stage):
    pool = QueuePool(1)

    async def report_twice():
        return [await first_row(pool, close=True), await first_row(pool, close=True)]

    stage.spawn(report_twice())


@leaks
async def a_cancelled_waiter_takes_the_connection_along(stage):
    """Hand the connection to a waiter that is being cancelled, and that doesn't pass it on."""
    pool = WaiterPool(1)
    await pool.acquire()
    waiters = [stage.spawn(pool.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.release()
    waiters[0].cancel()


@fixes(a_cancelled_waiter_takes_the_connection_along)
async def a_cancelled_waiter_passes_the_connection_on(stage):
    pool = WaiterPool(1)

    async def acquire():
        try:
            await pool.acquire()
        except asyncio.CancelledError:
            pool.release()
            raise

    await pool.acquire()
    waiters = [stage.spawn(acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.release()
    waiters[0].cancel()
