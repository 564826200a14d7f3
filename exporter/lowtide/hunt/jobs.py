"""Jobs: what was handed to a pool of threads, by whom, and which of the threads still runs it.

A pool may be somebody else's, its threads older than the test: what a test hands to it and leaves running is the
test's all the same.
"""

import threading
from concurrent.futures import Future
from typing import Any
from weakref import ref

from lowtide.hunt.births import JOB, Birth, known_jobs
from lowtide.hunt.threads import frames_of


def note_job(future: "Future[Any]", birth: Birth) -> None:
    """Remember who handed a job to a pool, for as long as it isn't done."""
    known_jobs[:] = [pair for pair in known_jobs if not _is_over(pair[0])]
    known_jobs.append((ref(future), birth))


def forget_jobs() -> None:
    """Remember no jobs any more."""
    known_jobs.clear()


def busy_threads() -> list[tuple[threading.Thread, Birth]]:
    """List the threads that run known jobs now, each with whose the job is."""
    running = {
        id(future): (future, birth)
        for reference, birth in known_jobs
        if (future := reference()) is not None and future.running()
    }
    if not running:
        return []
    found: list[tuple[threading.Thread, Birth]] = []
    for thread in threading.enumerate():
        future = next((_future_of(frame) for frame in frames_of(thread) if frame.f_code is JOB), None)
        if id(future) in running:
            found.append((thread, running[id(future)][1]))
    return found


def waiting_jobs() -> list[Birth]:
    """List whose jobs are that no thread has begun: it may be about to."""
    futures = [(reference(), birth) for reference, birth in known_jobs]
    return [birth for future, birth in futures if future and not (future.running() or future.done())]


def _future_of(frame: Any) -> Any:
    return frame.f_locals["self"].future


def _is_over(reference: "ref[Future[Any]]") -> bool:
    future = reference()
    return future is None or future.done()
