"""Park a task on a future that only one mechanism can resolve, for the healthy programs.

Neither the program's own frame nor the runner may hold the task or the future while they are judged: they
would explain what the mechanism alone is to explain. So the future is handed out inside a call.
"""

import asyncio
import threading

from tests.corpus.turns import turns

# How often the live parts look whether they are to wake somebody.
TICK = 0.001


async def wait(future, *_company):
    """Wait for a future, with company in the frame."""
    return await future


async def park(stage, give, *company):
    """Give a new future away, leave a task waiting for it, and return the task in a list.

    ``company`` lies in the task's frame, so that a walk from the task finds it too.
    """
    future = asyncio.get_running_loop().create_future()
    give(future)
    task = stage.spawn(wait(future, *company))
    del future
    await turns()
    return [task]


def resolve(future, _result=None):
    """Resolve a future that may have been cancelled by now."""
    if not future.done():
        future.set_result(None)


class Ticker:
    """Calls ``wake`` from a timer of the loop once it is cued; until then a timer is always armed."""

    __slots__ = ("cue", "wake")

    def __init__(self, cue, wake):
        self.cue = cue
        self.wake = wake
        self.arm()

    def arm(self):
        asyncio.get_running_loop().call_later(TICK, self.turn)

    def turn(self):
        if self.cue.is_set():
            self.wake()
        else:
            self.arm()


async def until(cue):
    """Sleep in short naps until cued."""
    while not cue.is_set():
        await asyncio.sleep(TICK)


def threadsafe(future):
    """Return a call that resolves the future from any thread."""
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(resolve, future)


class Hand:
    """A thread that waits at a gate, and then calls what it was given."""

    def __init__(self, target, *args):
        self.gate = threading.Event()
        self.thread = threading.Thread(target=target, args=(self.gate, *args), daemon=True)
        self.thread.start()

    def let_go(self):
        self.gate.set()
        self.thread.join()
