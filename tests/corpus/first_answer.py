"""Several senders and one receive: the first answer wins, and the others stay."""

import asyncio

from tests.corpus.channels import Channel
from tests.corpus.stage import fixes, leaks


async def replica(number, answers):
    for _ in range(number):
        await asyncio.sleep(0)
    await answers.send(f"replica {number}")


@leaks
async def three_replicas_one_receive(stage):
    """Ask three replicas over one channel without a buffer, and take the first answer."""
    answers = Channel()
    for number in range(3):
        stage.spawn(replica(number, answers))
    return await answers.receive()


@fixes(three_replicas_one_receive)
async def three_replicas_one_winner(stage):
    answers = Channel()
    asked = [stage.spawn(replica(number, answers)) for number in range(3)]
    answer = await answers.receive()
    for task in asked:
        task.cancel()
    return answer


class Cluster:
    """Read from a quorum."""

    def __init__(self, nodes, room):
        self.nodes = nodes
        self.room = room
        self.reads = []

    async def _read(self, node, versions):
        await asyncio.sleep(0)
        await versions.put(len(node))

    async def read(self):
        versions = asyncio.Queue(self.room)
        self.reads = [asyncio.create_task(self._read(node, versions)) for node in self.nodes]
        quorum = len(self.nodes) // 2 + 1
        return max([await versions.get() for _ in range(quorum)])


@leaks
async def a_quorum_leaves_the_minority(stage):
    """Take three of five answers. The object that holds the readers dies with the call."""
    await Cluster(["a", "bb", "ccc", "dd", "e"], room=1).read()


@fixes(a_quorum_leaves_the_minority)
async def a_quorum_leaves_room(stage):
    await Cluster(["a", "bb", "ccc", "dd", "e"], room=5).read()


async def check(name, errors):
    await asyncio.sleep(0)
    await errors.put(RuntimeError(f"{name} is down"))


@leaks
async def the_first_error_is_enough(stage):
    """Give all checks one error queue with room for one, and look at the first error only."""
    errors = asyncio.Queue(maxsize=1)
    for name in ("db", "cache", "queue", "search"):
        stage.spawn(check(name, errors))
    return await errors.get()


@fixes(the_first_error_is_enough)
async def errors_have_room(stage):
    errors = asyncio.Queue()
    for name in ("db", "cache", "queue", "search"):
        stage.spawn(check(name, errors))
    return await errors.get()


async def hedged(stage, ask, *, delay, stop):
    answers = Channel()

    async def attempt(number):
        await answers.send(await ask(number))

    attempts = [stage.spawn(attempt(0))]
    await asyncio.sleep(delay)
    attempts.append(stage.spawn(attempt(1)))
    answer = await answers.receive()
    if stop:
        for task in attempts:
            task.cancel()
    return answer


async def ask(number):
    await asyncio.sleep(0.002)
    return number


@leaks
async def a_hedged_request_loses_one(stage):
    """Send a second request when the first one is slow, and read one answer."""
    return await hedged(stage, ask, delay=0.001, stop=False)


@fixes(a_hedged_request_loses_one)
async def a_hedged_request_stops_the_loser(stage):
    return await hedged(stage, ask, delay=0.001, stop=True)


async def race(stage, *, stop):
    """Let a parent that is stuck itself hold the losers."""
    finish = Channel()
    runners = [asyncio.create_task(finish.send(number)) for number in range(3)]
    winner = await finish.receive()
    if stop:
        for runner in runners:
            runner.cancel()
        await asyncio.wait(runners)
    else:
        await asyncio.wait(runners)
    return winner


@leaks
async def a_parent_waits_for_the_losers(stage):
    """Wait for all runners although only the first of them can finish."""
    stage.spawn(race(stage, stop=False))


@fixes(a_parent_waits_for_the_losers)
async def a_parent_stops_the_losers(stage):
    await stage.spawn(race(stage, stop=True))


async def resolve(server, host, found):
    await asyncio.sleep(0)
    if server != "down":
        await found.send((server, host))


@leaks
async def two_of_three_name_servers_answer(stage):
    """Resolve at three servers, one of which is down: nobody waits for the second answer."""
    found = Channel()
    for server in ("ns1", "down", "ns2"):
        stage.spawn(resolve(server, "example.org", found))
    return await asyncio.wait_for(found.receive(), 1)


@fixes(two_of_three_name_servers_answer)
async def the_first_of_three_done_is_taken(stage):
    async def resolved(server):
        await asyncio.sleep(0)
        return server

    asked = [stage.spawn(resolved(server)) for server in ("ns1", "ns2", "ns3")]
    done, rest = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    return done.pop().result()
