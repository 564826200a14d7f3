"""Another interpreter in the same process will wake the task: it shares no objects, only file descriptors."""

import asyncio
import importlib
import os
import sys

from tests.corpus.parked import Hand, park, resolve, threadsafe
from tests.corpus.stage import healthy
from tests.corpus.turns import turns

# Private until 3.14 gives it a public name, and renamed in 3.13.
interpreters = importlib.import_module(
    "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
)


def _runs(code):
    """Run code in an interpreter of its own, from the beginning to the end of that interpreter."""
    other = interpreters.create()
    try:
        interpreters.run_string(other, code)
    finally:
        interpreters.destroy(other)


@healthy
async def thread_that_runs_another_interpreter(stage):
    """A thread runs code in another interpreter, and resolves the future when it comes back."""

    def serve(gate, wake):
        gate.wait()
        _runs("answer = 6 * 7")
        wake()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, threadsafe(future))))
    hands.pop().let_go()


@healthy
async def pipe_that_another_interpreter_writes(stage):
    """The loop reads a pipe of which only another interpreter knows the other end."""
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    yield await park(stage, lambda future: loop.add_reader(reading, resolve, future))
    _runs(f"import os; os.write({writing}, b'!')")
    await turns()
    loop.remove_reader(reading)
    os.close(reading)
    os.close(writing)


@healthy
async def interpreter_that_is_in_the_middle_of_its_work(stage):
    """Another interpreter waits on a pipe while the task is judged, in a thread that will resolve the future."""
    reading, writing = os.pipe()

    def serve(_, wake):
        _runs(f"import os; os.read({reading}, 1)")
        wake()

    yield await park(stage, lambda future: Hand(serve, threadsafe(future)))
    os.write(writing, b"!")
    await asyncio.wait(stage.background)
    os.close(reading)
    os.close(writing)
