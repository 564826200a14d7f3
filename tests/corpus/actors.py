"""Actors with mailboxes: never told to stop, asking each other in circles, or gone with the question."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns

STOP = object()


class Actor:
    """Takes one message after another out of its mailbox."""

    def __init__(self, room=0):
        self.mailbox = asyncio.Queue(room)
        self.handled = 0

    def start(self):
        return asyncio.create_task(self.run(), name=type(self).__name__)

    async def run(self):
        while (message := await self.mailbox.get()) is not STOP:
            await self.receive(message)
            self.handled += 1

    async def receive(self, message):
        question, answer = message
        if not answer.done():
            answer.set_result(question.upper())

    async def ask(self, question):
        answer = asyncio.get_running_loop().create_future()
        await self.mailbox.put((question, answer))
        return await answer

    async def stop(self):
        await self.mailbox.put(STOP)


@leaks
async def never_told_to_stop(stage):
    """An actor per request answers its one question, and nobody stops it when the request is over."""
    actor = Actor()
    actor.start()
    await actor.ask("ping")


@fixes(never_told_to_stop)
async def told_to_stop(stage):
    actor = Actor()
    running = actor.start()
    await actor.ask("ping")
    await actor.stop()
    await running


class Ledger(Actor):
    """Asks another actor while it handles a question."""

    other = None

    async def receive(self, message):
        question, answer = message
        if question == "balance":
            answer.set_result(await self.other.ask("rate"))
        else:
            answer.set_result(question)


async def _cross(stage, first_question):
    left, right = Ledger(), Ledger()
    left.other, right.other = right, left
    actors = [left.start(), right.start()]
    calls = [stage.spawn(left.ask("balance")), stage.spawn(right.ask(first_question))]
    return left, right, actors, calls


@leaks
async def asking_each_other(stage):
    """Two actors handle a question each, and each asks the other, whose mailbox waits behind its question."""
    await _cross(stage, "balance")


@fixes(asking_each_other)
async def only_one_asks(stage):
    left, right, actors, calls = await _cross(stage, "rate")
    await asyncio.wait(calls)
    await asyncio.gather(left.stop(), right.stop(), *actors)


@leaks
async def asking_itself(stage):
    """An actor asks itself for the rate: the question lies in the mailbox that it would have to read."""
    ledger = Ledger()
    ledger.other = ledger
    ledger.start()
    stage.spawn(ledger.ask("balance"))


@fixes(asking_itself)
async def asking_a_rate_actor(stage):
    ledger, rates = Ledger(), Actor()
    ledger.other = rates
    running = [ledger.start(), rates.start()]
    await stage.spawn(ledger.ask("balance"))
    await asyncio.gather(ledger.stop(), rates.stop(), *running)


class Gossip(Actor):
    """Passes on two messages for each that it gets, as long as they have hops left."""

    peer = None

    async def receive(self, message):
        for _ in range(2):
            if message:
                await self.peer.mailbox.put(message - 1)


async def _gossip(room, hops):
    ann, bob = Gossip(room), Gossip(room)
    ann.peer, bob.peer = bob, ann
    running = [ann.start(), bob.start()]
    for gossip in (ann, bob):
        gossip.mailbox.put_nowait(hops)
        if room:
            gossip.mailbox.put_nowait(hops)
    await turns(40)
    return ann, bob, running


@leaks
async def two_full_mailboxes(stage):
    """Two gossips with bounded mailboxes send each other more than they take in, until both are full."""
    await _gossip(room=2, hops=3)


@fixes(two_full_mailboxes)
async def unbounded_mailboxes(stage):
    ann, bob, running = await _gossip(room=0, hops=3)
    await asyncio.gather(ann.stop(), bob.stop(), *running)


class Fragile(Actor):
    """Dies of questions that it doesn't know."""

    async def receive(self, message):
        question, answer = message
        answer.set_result({"one": 1}[question])


class Sturdy(Fragile):
    """Lets the asker have the error."""

    async def receive(self, message):
        try:
            await super().receive(message)
        except KeyError as unknown:
            message[1].set_exception(unknown.with_traceback(None))


async def _ask_in_a_row(actor, questions):
    return [await asyncio.gather(actor.ask(question), return_exceptions=True) for question in questions]


@leaks
async def dead_of_a_question(stage):
    """An actor dies of a question; its asker, and those who ask afterwards, wait for an answer."""
    actor = Fragile()
    actor.start().add_done_callback(lambda task: task.exception())
    for question in ("one", "two", "one"):
        stage.spawn(actor.ask(question))


@fixes(dead_of_a_question)
async def survives_a_question(stage):
    actor = Sturdy()
    running = actor.start()
    await _ask_in_a_row(actor, ["one", "two", "one"])
    await actor.stop()
    await running
