"""Leaders and followers who wait for each other, or for a leader that has stepped down."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Member:
    """Votes in an election, after it has heard from the other candidate."""

    def __init__(self, name):
        self.name = name
        self.vote = asyncio.get_running_loop().create_future()

    async def stand(self, other, *, yields):
        if yields:
            self.vote.set_result(other.name)
        choice = await other.vote
        if not self.vote.done():
            self.vote.set_result(choice)


def _election(stage, *, one_yields):
    ann, bob = Member("ann"), Member("bob")
    return [stage.spawn(ann.stand(bob, yields=one_yields)), stage.spawn(bob.stand(ann, yields=False))]


@leaks
async def polite_candidates(stage):
    """Each of two candidates votes like the other, and waits for the other's vote first."""
    _election(stage, one_yields=False)


@fixes(polite_candidates)
async def one_candidate_yields(stage):
    await asyncio.wait(_election(stage, one_yields=True))


class Log:
    """Proposals wait until their entry has been applied."""

    def __init__(self):
        self.entries = asyncio.Queue()
        self.applied = {}
        self.leading = True

    async def propose(self, entry):
        if not self.leading:
            return "not the leader"
        self.applied[entry] = asyncio.get_running_loop().create_future()
        self.entries.put_nowait(entry)
        return await self.applied[entry]

    async def apply(self):
        while (entry := await self.entries.get()) != "step down":
            self.applied.pop(entry).set_result("applied")

    async def apply_and_refuse(self):
        await self.apply()
        self.leading = False
        for waiting in self.applied.values():
            waiting.set_result("not the leader")


async def _propose_around_a_step_down(stage, log, apply):
    applying = stage.spawn(apply())
    proposals = [stage.spawn(log.propose("x"))]
    await turns()
    log.entries.put_nowait("step down")
    proposals.append(stage.spawn(log.propose("y")))
    await asyncio.wait([applying])
    return proposals


@leaks
async def proposal_to_a_leader_that_stepped_down(stage):
    """The apply loop ends when the leader steps down; a proposal behind that entry is never answered."""
    log = Log()
    await _propose_around_a_step_down(stage, log, log.apply)


@fixes(proposal_to_a_leader_that_stepped_down)
async def proposal_is_refused(stage):
    log = Log()
    await asyncio.wait(await _propose_around_a_step_down(stage, log, log.apply_and_refuse))


class Cluster:
    """Followers copy what the leader's heartbeat brings."""

    def __init__(self):
        self.beats = [asyncio.Queue(maxsize=1) for _ in range(2)]
        self.copied = []

    async def follow(self, beats):
        while (beat := await beats.get()) is not None:
            self.copied.append(beat)

    async def lead(self, terms):
        for term in range(terms):
            for beats in self.beats:
                await beats.put(term)

    async def lead_and_resign(self, terms):
        await self.lead(terms)
        for beats in self.beats:
            await beats.put(None)


@leaks
async def heartbeat_stops(stage):
    """The leader leaves after three beats, and the followers wait for the fourth."""
    cluster = Cluster()
    for beats in cluster.beats:
        stage.spawn(cluster.follow(beats))
    await stage.spawn(cluster.lead(3))


@fixes(heartbeat_stops)
async def leader_resigns(stage):
    cluster = Cluster()
    followers = [stage.spawn(cluster.follow(beats)) for beats in cluster.beats]
    await stage.spawn(cluster.lead_and_resign(3))
    await asyncio.wait(followers)


async def _hand_over(caught_up, handed_over):
    await caught_up.wait()
    handed_over.set()


async def _take_over(caught_up, handed_over, *, catch_up_first):
    if catch_up_first:
        caught_up.set()
    await handed_over.wait()
    caught_up.set()


async def _transfer(*, catch_up_first):
    caught_up, handed_over = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_hand_over(caught_up, handed_over))
        group.create_task(_take_over(caught_up, handed_over, catch_up_first=catch_up_first))


@leaks
async def leader_and_heir(stage):
    """The old leader hands over when the heir has caught up, who catches up when it has been handed over."""
    stage.spawn(_transfer(catch_up_first=False))


@fixes(leader_and_heir)
async def heir_catches_up_first(stage):
    await stage.spawn(_transfer(catch_up_first=True))


class Leases:
    """One lease per resource, handed to the next in line when it is released."""

    def __init__(self):
        self.lines = {}

    async def take(self, resource):
        line = self.lines.setdefault(resource, [])
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        if len(line) == 1:
            turn.set_result(None)
        await turn

    def release(self, resource):
        line = self.lines[resource]
        line.pop(0)
        if line and not line[0].done():
            line[0].set_result(None)

    def expire(self, resource):
        """Forget the holder, and with it the line."""
        del self.lines[resource]

    def expire_holder(self, resource):
        self.release(resource)


async def _expire(stage, leases, expire):
    await leases.take("disk")
    waiting = stage.spawn(leases.take("disk"))
    await turns()
    expire("disk")
    return waiting


@leaks
async def expired_with_its_line(stage):
    """A lease expires and is removed, together with the line of those who wait for it."""
    leases = Leases()
    await _expire(stage, leases, leases.expire)


@fixes(expired_with_its_line)
async def expired_and_passed_on(stage):
    leases = Leases()
    await (await _expire(stage, leases, leases.expire_holder))
