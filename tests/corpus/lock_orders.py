"""Locks and other things taken in different orders, until a circle of tasks waits for itself."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Account:
    def __init__(self, number):
        self.number = number
        self.lock = asyncio.Lock()


async def _transfer(first, second):
    async with first.lock:
        await asyncio.sleep(0)
        async with second.lock:
            return first.number, second.number


async def _transfer_in_order(*accounts):
    return await _transfer(*sorted(accounts, key=lambda account: account.number))


@leaks
async def two_transfers(stage):
    """Two transfers in opposite directions each hold the account that the other wants."""
    here, there = Account(1), Account(2)
    stage.spawn(_transfer(here, there))
    stage.spawn(_transfer(there, here))


@fixes(two_transfers)
async def two_transfers_in_order(stage):
    here, there = Account(1), Account(2)
    await asyncio.gather(_transfer_in_order(here, there), _transfer_in_order(there, here))


async def _resize(name, left, right):
    async with left:
        await asyncio.sleep(0)
        async with right:
            return name


@leaks
async def ring_of_five(stage):
    """Five shards each lock themselves and then their neighbour, all at once."""
    locks = [asyncio.Lock() for _ in range(5)]
    for index, lock in enumerate(locks):
        stage.spawn(_resize(f"shard-{index}", lock, locks[(index + 1) % 5]))


@fixes(ring_of_five)
async def ring_with_one_left_hander(stage):
    locks = [asyncio.Lock() for _ in range(5)]
    pairs = [sorted((index, (index + 1) % 5)) for index in range(5)]
    await asyncio.gather(*(_resize(f"shard-{low}", locks[low], locks[high]) for low, high in pairs))


class Node:
    """A directory entry that knows both its parent and its children."""

    def __init__(self, parent=None):
        self.parent = parent
        self.children = []
        self.lock = asyncio.Lock()
        if parent is not None:
            parent.children.append(self)

    async def size(self):
        async with self.lock:
            await asyncio.sleep(0)
            return 1 + sum([await child.size() for child in self.children])

    async def remove_from_below(self):
        async with self.lock:
            await asyncio.sleep(0)
            async with self.parent.lock:
                self.parent.children.remove(self)

    async def remove_from_above(self):
        async with self.parent.lock, self.lock:
            self.parent.children.remove(self)


@leaks
async def tree_from_both_ends(stage):
    """Counting locks from the root down, removal from the leaf up; the tree's nodes refer to each other."""
    root = Node()
    leaf = Node(root)
    stage.spawn(root.size())
    stage.spawn(leaf.remove_from_below())


@fixes(tree_from_both_ends)
async def tree_from_the_root(stage):
    root = Node()
    leaf = Node(root)
    await asyncio.gather(root.size(), leaf.remove_from_above())


async def _export(lock, slots, outer_lock):
    outer, inner = (lock, slots) if outer_lock else (slots, lock)
    async with outer:
        await asyncio.sleep(0)
        async with inner:
            return "exported"


@leaks
async def lock_against_slot(stage):
    """One export takes the file lock and then an upload slot, the other the only slot and then the lock."""
    lock, slots = asyncio.Lock(), asyncio.Semaphore(1)
    parent = [stage.spawn(_export(lock, slots, outer)) for outer in (True, False)]
    await turns(2)
    parent.clear()


@fixes(lock_against_slot)
async def lock_before_slot(stage):
    lock, slots = asyncio.Lock(), asyncio.Semaphore(1)
    await asyncio.gather(*(_export(lock, slots, outer_lock=True) for _ in range(2)))


class Replica:
    """Becomes ready when it could write its state under the cluster's lock."""

    def __init__(self, cluster_lock):
        self.cluster_lock = cluster_lock
        self.ready = asyncio.get_running_loop().create_future()

    async def start(self):
        async with self.cluster_lock:
            self.ready.set_result("ready")


async def _join(lock, *, wait_inside):
    async with lock:
        replica = Replica(lock)
        starting = asyncio.create_task(replica.start())
        if wait_inside:
            await replica.ready
    await replica.ready
    await starting


@leaks
async def lock_against_readiness(stage):
    """A join waits under the cluster's lock for a replica that needs the lock to become ready."""
    stage.spawn(_join(asyncio.Lock(), wait_inside=True))


@fixes(lock_against_readiness)
async def readiness_after_the_lock(stage):
    await stage.spawn(_join(asyncio.Lock(), wait_inside=False))


class Feed:
    """A bounded feed whose writer and reader share one lock for the statistics."""

    def __init__(self):
        self.items = asyncio.Queue(maxsize=1)
        self.lock = asyncio.Lock()
        self.read = 0

    async def write_locked(self, count):
        for item in range(count):
            async with self.lock:
                await self.items.put(item)

    async def write(self, count):
        for item in range(count):
            await self.items.put(item)

    async def consume(self, count):
        while self.read < count:
            async with self.lock:
                self.read += 1
            await self.items.get()


@leaks
async def lock_against_full_queue(stage):
    """A writer waits for room under the lock that the reader needs before its next read."""
    feed = Feed()
    stage.spawn(feed.write_locked(4))
    await turns(1)
    stage.spawn(feed.consume(4))


@fixes(lock_against_full_queue)
async def put_outside_the_lock(stage):
    feed = Feed()
    await asyncio.gather(feed.write(4), feed.consume(4))
