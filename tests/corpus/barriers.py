"""Barriers that wait for somebody who will not come."""

import asyncio
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


async def _warm_up(barrier, shard):
    if shard == "broken":
        raise OSError("no such shard")
    await barrier.wait()
    return shard


async def _warm_up_or_break(barrier, shard):
    try:
        return await _warm_up(barrier, shard)
    except OSError:
        await barrier.abort()
        raise


@leaks
async def one_failed_on_the_way(stage):
    """Three shards meet at a barrier before they serve; one fails while it loads, the other two wait."""
    barrier = asyncio.Barrier(3)
    shards = [stage.spawn(_warm_up(barrier, shard)) for shard in ("a", "broken", "c")]
    await asyncio.wait(shards, return_when=asyncio.FIRST_EXCEPTION)


@fixes(one_failed_on_the_way)
async def the_failed_one_breaks_it(stage):
    barrier = asyncio.Barrier(3)
    shards = [stage.spawn(_warm_up_or_break(barrier, shard)) for shard in ("a", "broken", "c")]
    await asyncio.gather(*shards, return_exceptions=True)


class Match:
    """Players get ready and start together."""

    def __init__(self, seats):
        self.start = asyncio.Barrier(seats)
        self.players = []

    def join(self, name):
        self.players.append(asyncio.create_task(self.play(name)))

    async def play(self, name):
        async with self.start:
            return name


@leaks
async def counted_one_too_many(stage):
    """A lobby counts the host as a player, but the host only looks on; the match's list dies with it."""
    match = Match(3)
    for name in ("ann", "bob"):
        match.join(name)
    await turns()


@fixes(counted_one_too_many)
async def counted_right(stage):
    match = Match(2)
    for name in ("ann", "bob"):
        match.join(name)
    await asyncio.wait(match.players)


async def _phases(barrier, count):
    for _ in range(count):
        await barrier.wait()


@leaks
async def leaves_after_the_first_round(stage):
    """Simulation workers meet after each step; one has fewer steps and leaves, the rest wait at the next."""
    barrier = asyncio.Barrier(3)
    for count in (2, 2, 1):
        stage.spawn(_phases(barrier, count))


@fixes(leaves_after_the_first_round)
async def all_go_the_same_rounds(stage):
    barrier = asyncio.Barrier(3)
    await asyncio.wait([stage.spawn(_phases(barrier, 2)) for _ in range(3)])


async def _cancel_one_party(stage):
    barrier = asyncio.Barrier(3)
    parties = [stage.spawn(_phases(barrier, 1)) for _ in range(2)]
    await turns()
    parties[0].cancel()
    parties.append(stage.spawn(_phases(barrier, 1)))
    await turns()
    return barrier, parties


@leaks
async def one_party_cancelled(stage):
    """A party that waits at the barrier is cancelled; the place stays empty and the others stay."""
    await _cancel_one_party(stage)


@fixes(one_party_cancelled)
async def broken_for_the_others(stage):
    barrier, parties = await _cancel_one_party(stage)
    await barrier.abort()
    await asyncio.gather(*parties, return_exceptions=True)


async def _checkpoint(barrier, disk, *, meet_inside):
    async with disk:
        if meet_inside:
            await barrier.wait()
    if not meet_inside:
        await barrier.wait()


@leaks
async def meets_while_holding_the_disk(stage):
    """Each party needs the disk before it gets to the barrier, and the first waits there holding it."""
    barrier, disk = asyncio.Barrier(2), asyncio.Lock()
    for _ in range(2):
        stage.spawn(_checkpoint(barrier, disk, meet_inside=True))


@fixes(meets_while_holding_the_disk)
async def meets_after_the_disk(stage):
    barrier, disk = asyncio.Barrier(2), asyncio.Lock()
    await asyncio.gather(*(_checkpoint(barrier, disk, meet_inside=False) for _ in range(2)))


async def _rehearse(barrier):
    with suppress(asyncio.BrokenBarrierError):
        await barrier.wait()
        await barrier.wait()


@leaks
async def reset_for_too_few(stage):
    """A barrier is made for all configured replicas, but only those that are up take part."""
    configured = {"eu": True, "us": True, "ap": False}
    barrier = asyncio.Barrier(len(configured))
    for up in configured.values():
        if up:
            stage.spawn(_rehearse(barrier))


@fixes(reset_for_too_few)
async def made_for_those_who_are_up(stage):
    configured = {"eu": True, "us": True, "ap": False}
    barrier = asyncio.Barrier(sum(configured.values()))
    await asyncio.wait([stage.spawn(_rehearse(barrier)) for up in configured.values() if up])
