"""Tasks that are over, and whose exception keeps a lock in a frame of its traceback.

A finished frame can't run again. What only such a frame refers to is out of reach, unless something alive
holds the exception: then whoever reads its traceback could still get at the lock.
"""

import asyncio
from collections import deque
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns

# A service's memory of what went wrong, for its status page.
RECENT_FAILURES = deque(maxlen=8)


async def _save(lock, row):
    await lock.acquire()
    value = int(row)
    lock.release()
    return value


async def _save_surely(lock, row):
    async with lock:
        return int(row)


async def _save_and_note(lock, row):
    """Keep the error in a local, which makes a circle of the frame and its traceback."""
    await lock.acquire()
    failure = None
    try:
        row = int(row)
    except ValueError as error:
        failure = error
    if failure is None:
        lock.release()
    return failure is None


@leaks
async def error_kept_in_a_local(stage):
    """A failed save keeps its error in a local: frame and traceback hold each other, and the lock."""
    lock = asyncio.Lock()
    for row in ("x", "1", "2"):
        stage.spawn(_save_and_note(lock, row))


@fixes(error_kept_in_a_local)
async def lock_given_back_by_a_block(stage):
    lock = asyncio.Lock()
    await asyncio.gather(*(_save_surely(lock, row) for row in ("x", "1", "2")), return_exceptions=True)


async def _import(lock, rows, save):
    saves = [asyncio.create_task(save(lock, row)) for row in rows]
    await asyncio.wait(saves, return_when=asyncio.FIRST_EXCEPTION)
    return await asyncio.gather(*saves, return_exceptions=True)


@leaks
async def failed_task_in_its_parents_list(stage):
    """A parent keeps the failed task in its list, among those that wait for the lock that it lost."""
    stage.spawn(_import(asyncio.Lock(), ["x", "1", "2"], _save))


@fixes(failed_task_in_its_parents_list)
async def no_lock_lost_with_the_failed_task(stage):
    await stage.spawn(_import(asyncio.Lock(), ["x", "1", "2"], _save_surely))


class Job:
    """Knows its own task, so that others may cancel it."""

    def __init__(self, lock, row):
        self.lock = lock
        self.row = row
        self.task = asyncio.create_task(self.run())
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def run(self):
        await self.lock.acquire()
        self.row = int(self.row)
        self.lock.release()

    async def cancel(self):
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


class SafeJob(Job):
    async def run(self):
        async with self.lock:
            self.row = int(self.row)


@leaks
async def failed_job_knows_its_task(stage):
    """A job refers to its task, the task's error to the job: a circle that is over, and keeps the lock."""
    lock = asyncio.Lock()
    for row in ("x", "1"):
        Job(lock, row)


@fixes(failed_job_knows_its_task)
async def safe_job_knows_its_task(stage):
    lock = asyncio.Lock()
    await asyncio.wait([SafeJob(lock, row).task for row in ("x", "1")])


async def _hold(lock, released):
    await lock.acquire()
    me = asyncio.current_task()
    await released.wait()
    lock.release()
    return me


async def _hold_in_a_block(lock, released):
    async with lock:
        await released.wait()


async def _cancel_holder(stage, hold):
    lock = asyncio.Lock()
    holder = asyncio.create_task(hold(lock, asyncio.Event()))
    await turns()
    waiting = [stage.spawn(_save_surely(lock, "1")) for _ in range(2)]
    holder.cancel()
    await asyncio.wait([holder])
    with suppress(asyncio.CancelledError):
        holder.result()
    return waiting


@leaks
async def cancelled_task_in_its_own_frame(stage):
    """A cancelled task knows itself in a local: its traceback closes a circle that keeps the lock."""
    await _cancel_holder(stage, _hold)


@fixes(cancelled_task_in_its_own_frame)
async def cancelled_task_gives_back(stage):
    await asyncio.wait(await _cancel_holder(stage, _hold_in_a_block))


async def _load(lock, name):
    await lock.acquire()
    try:
        {}[name]
    except KeyError as missing:
        raise LookupError(name) from missing
    lock.release()


async def _load_surely(lock, name):
    async with lock:
        raise LookupError(name)


async def _load_with_fallback(lock, load):
    errors = []
    for name in ("cache", "origin"):
        try:
            return await load(lock, name)
        except LookupError as error:
            errors.append(error)
    return errors


@leaks
async def fallback_collects_its_errors(stage):
    """The first try loses the lock with its error, which the caller collects; the second try waits for it."""
    stage.spawn(_load_with_fallback(asyncio.Lock(), _load))


@fixes(fallback_collects_its_errors)
async def fallback_without_loss(stage):
    await stage.spawn(_load_with_fallback(asyncio.Lock(), _load_surely))


async def _group_and_report(lock, load):
    failures = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(load(lock, "cache"))
            group.create_task(asyncio.sleep(0))
    except* LookupError as errors:
        failures.append(errors)
    async with lock:
        return failures


@leaks
async def exception_group_in_a_report(stage):
    """A group's errors are kept for a report, with the frame of the child that lost the lock."""
    stage.spawn(_group_and_report(asyncio.Lock(), _load))


@fixes(exception_group_in_a_report)
async def group_without_loss(stage):
    await stage.spawn(_group_and_report(asyncio.Lock(), _load_surely))


def _remember(task):
    if task.exception() is not None:
        RECENT_FAILURES.append(task.exception())


async def _fail_and_wait(stage, remember, save):
    lock = asyncio.Lock()
    failing = asyncio.create_task(save(lock, "x"))
    failing.add_done_callback(remember)
    await asyncio.wait([failing])
    return stage.spawn(_save_surely(lock, "1"))


@leaks
async def failure_on_a_status_page(stage):
    """A status page holds the last failures: their frames, and so the lock, are in its reach."""
    task = await _fail_and_wait(stage, _remember, _save)
    stage.unprovable(task, "a global refers to the lock through a traceback")


@fixes(failure_on_a_status_page)
async def status_page_of_texts(stage):
    def remember(task):
        RECENT_FAILURES.append(repr(task.exception()))

    await (await _fail_and_wait(stage, remember, _save_surely))


@leaks
async def failed_tasks_never_discarded(stage):
    """The set of background tasks is never tidied: the failed one stays in it, with the lock it lost."""
    lock = asyncio.Lock()
    failing = asyncio.create_task(_save(lock, "x"))
    stage.background.add(failing)
    await asyncio.wait([failing])
    failing.exception()
    stage.spawn(_save_surely(lock, "1"))


@fixes(failed_tasks_never_discarded)
async def failed_tasks_discarded(stage):
    lock = asyncio.Lock()
    failing = stage.spawn(_save_surely(lock, "x"))
    await asyncio.wait([failing])
    failing.exception()
    await stage.spawn(_save_surely(lock, "1"))
