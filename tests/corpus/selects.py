"""Select over several sources: the branch that lost, the token that somebody else took, the missing case."""

import asyncio
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


async def select(*sources, cancel=True):
    """Return the first item that any of the queues gives."""
    getters = [asyncio.ensure_future(source.get()) for source in sources]
    done, pending = await asyncio.wait(getters, return_when=asyncio.FIRST_COMPLETED)
    if cancel:
        for getter in pending:
            getter.cancel()
    return done.pop().result()


async def _once(*, cancel):
    orders, refunds = asyncio.Queue(), asyncio.Queue()
    orders.put_nowait("order")
    return await select(orders, refunds, cancel=cancel)


@leaks
async def loser_is_left_behind(stage):
    """A select takes the first of two queues and leaves the getter of the other."""
    await stage.spawn(_once(cancel=False))


@fixes(loser_is_left_behind)
async def loser_is_cancelled(stage):
    await stage.spawn(_once(cancel=True))


async def _follow(updates, stop, seen, *, cancel):
    while (item := await select(updates, stop, cancel=cancel)) != "stop":
        seen.append(item)


async def _three_updates(*, cancel):
    updates, stop, seen = asyncio.Queue(), asyncio.Queue(), []
    following = asyncio.ensure_future(_follow(updates, stop, seen, cancel=cancel))
    for number in range(3):
        updates.put_nowait(number)
        await turns()
    stop.put_nowait("stop")
    await asyncio.wait([following], timeout=0.005)


@leaks
async def getters_pile_up_in_a_loop(stage):
    """Each turn of a select loop adds a getter to the stop queue, and the oldest of them takes the stop."""
    await _three_updates(cancel=False)


@fixes(getters_pile_up_in_a_loop)
async def one_getter_at_a_time(stage):
    await _three_updates(cancel=True)


async def _work(jobs, stop):
    while await select(jobs, stop) != "stop":
        await asyncio.sleep(0)


async def _stop_workers(stage, tokens):
    jobs, stop = asyncio.Queue(), asyncio.Queue()
    workers = [stage.spawn(_work(jobs, stop)) for _ in range(3)]
    await turns()
    for _ in range(tokens):
        stop.put_nowait("stop")
    return workers


@leaks
async def one_token_for_three(stage):
    """Three workers select on jobs and stop, and one stop token is sent: the first worker takes it."""
    await _stop_workers(stage, 1)


@fixes(one_token_for_three)
async def a_token_for_each(stage):
    await asyncio.wait(await _stop_workers(stage, 3))


async def _watch(events, errors, *, errors_end_it):
    while True:
        sources = [source for source in (events, errors) if source is not None]
        item = await select(*sources)
        if item == "events are over":
            events = None
            if errors_end_it:
                return


@leaks
async def remaining_case_never_fires(stage):
    """A watcher takes a source that is over out of its select; the one that remains only speaks on errors."""
    events, errors = asyncio.Queue(), asyncio.Queue()
    stage.spawn(_watch(events, errors, errors_end_it=False))
    events.put_nowait("events are over")


@fixes(remaining_case_never_fires)
async def watcher_ends_with_its_events(stage):
    events, errors = asyncio.Queue(), asyncio.Queue()
    events.put_nowait("events are over")
    await stage.spawn(_watch(events, errors, errors_end_it=True))


class Lease:
    """Keeps a lease alive until it is stopped or lost."""

    def __init__(self):
        self.stopped = asyncio.Event()
        self.lost = asyncio.get_running_loop().create_future()

    async def keep(self):
        stop = asyncio.create_task(self.stopped.wait())
        await asyncio.wait([stop, self.lost], return_when=asyncio.FIRST_COMPLETED)
        if self.lost.done():
            await stop

    async def keep_tidily(self):
        stop = asyncio.create_task(self.stopped.wait())
        await asyncio.wait([stop, self.lost], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        with suppress(asyncio.CancelledError):
            await stop


@leaks
async def waits_for_the_other_branch_too(stage):
    """A lost lease ends the select, and then the keeper awaits the stop that only a live lease gets."""
    lease = Lease()
    stage.spawn(lease.keep())
    lease.lost.set_result("expired")


@fixes(waits_for_the_other_branch_too)
async def gives_the_other_branch_up(stage):
    lease = Lease()
    lease.lost.set_result("expired")
    await stage.spawn(lease.keep_tidily())
