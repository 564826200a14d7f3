"""Gather, wait, shield and as_completed with a child that is stuck, or with children that nobody awaits."""

import asyncio
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


async def _fetch(part, answer):
    return part, await answer


async def _page(answers):
    parts = await asyncio.gather(*(_fetch(part, answer) for part, answer in answers.items()))
    return dict(parts)


def _answers():
    loop = asyncio.get_running_loop()
    answers = {part: loop.create_future() for part in ("header", "offers", "footer")}
    answers["header"].set_result("<h1>")
    return answers


@leaks
async def one_part_never_comes(stage):
    """A page gathers three parts, and two of them are answered by nobody."""
    stage.spawn(_page(_answers()), name="page")


@fixes(one_part_never_comes)
async def missing_parts_are_failed(stage):
    answers = _answers()
    page = stage.spawn(_page(answers), name="page")
    for answer in answers.values():
        if not answer.done():
            answer.set_result("")
    await page


async def _produce(rows):
    await asyncio.sleep(0)
    raise OSError("connection reset")
    await rows.put("row")


async def _consume(rows):
    return await rows.get()


async def _synchronise(*, stop_siblings):
    rows = asyncio.Queue()
    children = [asyncio.ensure_future(_produce(rows)), asyncio.ensure_future(_consume(rows))]
    try:
        await asyncio.gather(*children)
    except OSError:
        if stop_siblings:
            children[1].cancel()


@leaks
async def fails_fast_and_leaves_the_sibling(stage):
    """Gather raises the first error and lets the other child run on, which waits for the failed one."""
    await stage.spawn(_synchronise(stop_siblings=False))


@fixes(fails_fast_and_leaves_the_sibling)
async def fails_and_cancels_the_sibling(stage):
    await stage.spawn(_synchronise(stop_siblings=True))


async def _speak(name, first, second):
    await first.wait()
    second.set()
    return name


async def _handshake(*, client_first):
    hello, welcome = asyncio.Event(), asyncio.Event()
    if client_first:
        hello.set()
    await asyncio.gather(_speak("server", hello, welcome), _speak("client", welcome, hello))


@leaks
async def siblings_crossing(stage):
    """Both sides of a handshake, gathered, wait for the other to speak first."""
    asyncio.create_task(_handshake(client_first=False))


@fixes(siblings_crossing)
async def one_speaks_first(stage):
    await asyncio.create_task(_handshake(client_first=True))


async def _mirror(name, room):
    await room.put(name)
    await room.put(f"{name}: end of file")
    return name


async def _fastest(room):
    mirrors = [asyncio.create_task(_mirror(name, room)) for name in ("eu", "us", "ap")]
    done, pending = await asyncio.wait(mirrors, return_when=asyncio.FIRST_COMPLETED)
    return done, pending


@leaks
async def losers_of_a_race(stage):
    """Three mirrors race; after the first, nobody makes room for the results of the other two."""
    done, _ = await _fastest(asyncio.Queue(maxsize=3))
    assert len(done) == 1


@fixes(losers_of_a_race)
async def losers_are_cancelled(stage):
    _, pending = await _fastest(asyncio.Queue(maxsize=3))
    for mirror in pending:
        mirror.cancel()


class Upload:
    """Commits after its caller has confirmed, and is shielded from the caller's cancellation."""

    def __init__(self):
        self.confirmed = asyncio.Event()

    async def commit(self):
        await self.confirmed.wait()
        return "committed"

    async def handle(self, body):
        commit = asyncio.ensure_future(self.commit())
        try:
            await body
        finally:
            self.body_is_over(commit)
        self.confirmed.set()
        return await asyncio.shield(commit)

    def body_is_over(self, commit):
        """Leave the commit alone: it is shielded."""


class AbortingUpload(Upload):
    def body_is_over(self, commit):
        self.confirmed.set()


async def _hang_up(upload):
    handler = asyncio.ensure_future(upload.handle(asyncio.get_running_loop().create_future()))
    await turns()
    handler.cancel()
    await asyncio.wait([handler])


@leaks
async def shielded_work_waits_for_its_caller(stage):
    """The client hangs up, the handler is cancelled, and the shielded commit waits for its confirmation."""
    await _hang_up(Upload())


@fixes(shielded_work_waits_for_its_caller)
async def shielded_work_is_told(stage):
    await _hang_up(AbortingUpload())


async def _shielded_rpc(reply):
    with suppress(asyncio.CancelledError):
        await asyncio.shield(reply)
    return await reply


async def _cancel_twice(stage, *, answer):
    reply = asyncio.get_running_loop().create_future()
    call = stage.spawn(_shielded_rpc(reply))
    await turns()
    call.cancel()
    await turns()
    if answer:
        reply.set_result("late")
    return call


@leaks
async def swallowed_under_a_shield(stage):
    """A call survives its cancellation through a shield, and goes on waiting for a reply without sender."""
    await _cancel_twice(stage, answer=False)


@fixes(swallowed_under_a_shield)
async def answered_after_the_shield(stage):
    await (await _cancel_twice(stage, answer=True))


async def _resolve(resolver, answers):
    await asyncio.sleep(0)
    await answers.put(resolver)
    return resolver


async def _first_resolved(resolvers, room):
    answers = asyncio.Queue(maxsize=room)
    for finished in asyncio.as_completed([_resolve(resolver, answers) for resolver in resolvers]):
        return await finished
    return None


@leaks
async def as_completed_left_at_the_first(stage):
    """A look-up takes the first of as_completed and leaves; the other resolvers have no room to report."""
    await stage.spawn(_first_resolved(["1.1.1.1", "8.8.8.8", "9.9.9.9"], room=1))


@fixes(as_completed_left_at_the_first)
async def as_completed_with_room_for_all(stage):
    await stage.spawn(_first_resolved(["1.1.1.1", "8.8.8.8", "9.9.9.9"], room=3))
    await turns()


async def _collect(jobs):
    return [await finished for finished in asyncio.as_completed(jobs)]


def _votes(count):
    loop = asyncio.get_running_loop()
    votes = [loop.create_future() for _ in range(3)]
    for vote in votes[:count]:
        vote.set_result("yes")
    return votes


@leaks
async def as_completed_up_to_the_last(stage):
    """A tally takes votes as they come, two of three, and waits for the third for ever."""
    stage.spawn(_collect([asyncio.wait_for(vote, None) for vote in _votes(2)]))


@fixes(as_completed_up_to_the_last)
async def as_completed_with_all(stage):
    await stage.spawn(_collect([asyncio.wait_for(vote, None) for vote in _votes(3)]))


async def _branch(depth, leaf):
    if depth == 0:
        return await leaf.get()
    return await asyncio.gather(_branch(depth - 1, leaf), asyncio.sleep(0))


@leaks
async def at_the_bottom_of_nested_gathers(stage):
    """A query plan of five nested gathers waits for a scan at its bottom that has no rows to come."""
    asyncio.create_task(_branch(5, asyncio.LifoQueue()), name="plan")


@fixes(at_the_bottom_of_nested_gathers)
async def nested_gathers_with_a_row(stage):
    rows = asyncio.LifoQueue()
    rows.put_nowait("row")
    await asyncio.create_task(_branch(5, rows), name="plan")


class Supervisor:
    """Waits for its services to stop."""

    def __init__(self):
        self.stop = asyncio.Event()
        self.services = [asyncio.create_task(self.serve(name)) for name in ("api", "mail")]
        self.services.append(asyncio.create_task(self.report(asyncio.Event())))

    async def serve(self, name):
        await self.stop.wait()
        return name

    async def report(self, own_stop):
        await own_stop.wait()

    async def join(self):
        await asyncio.wait(self.services)


@leaks
async def one_of_those_waited_for_listens_elsewhere(stage):
    """Two services stop when told; the third listens to an event of its own, so the wait never ends."""
    supervisor = Supervisor()
    supervisor.stop.set()
    stage.spawn(supervisor.join())


@fixes(one_of_those_waited_for_listens_elsewhere)
async def those_who_listen_elsewhere_are_cancelled(stage):
    supervisor = Supervisor()
    supervisor.stop.set()
    supervisor.services[-1].cancel()
    await stage.spawn(supervisor.join())
