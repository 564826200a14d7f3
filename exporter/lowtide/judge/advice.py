"""What to change about a leak, by what its tasks wait on.

Nearly all leaks have one of three shapes: a send without a receiver, a receive that an early return or an
error jumps over, and a receive without a sender.
"""

from typing import NamedTuple

NO_RECEIVER = "no receiver"
RECEIVER_SKIPPED = "receiver skipped"
NO_SENDER = "no sender"


class Advice(NamedTuple):
    """What is wrong, in which of the three shapes that can be if it is one of them, and what to change."""

    wrong: str
    shapes: tuple[str, ...]
    change: str

    def __str__(self) -> str:
        shapes = f" ({' or '.join(self.shapes)})" if self.shapes else ""
        return f"{self.wrong}{shapes}: {self.change}"


_SENDING = (NO_RECEIVER, RECEIVER_SKIPPED)
_RECEIVING = (NO_SENDER,)
_LOST = (NO_SENDER, RECEIVER_SKIPPED)

ADVICE: dict[str, Advice] = {
    "Queue.put": Advice(
        "no consumer is left",
        _SENDING,
        "give the queue room for the one result (maxsize 1 or more), or use a Future; on every early return, "
        "read or cancel the sender",
    ),
    "Queue.get": Advice(
        "no producer is left",
        _RECEIVING,
        "send a sentinel or shut the queue down in a finally of the producer",
    ),
    "Queue.join": Advice(
        "a task_done is missing", _RECEIVING, "call task_done in a finally, once for every get that returned"
    ),
    "Lock.acquire": Advice(
        "nobody who could release the lock is left",
        _LOST,
        "take locks with async with, never twice in one task, and several always in the same order",
    ),
    "Semaphore.acquire": Advice(
        "the permits are lost",
        _LOST,
        "take permits with async with, so that errors and cancellation return them",
    ),
    "Event.wait": Advice(
        "nobody is left who could set the event", _RECEIVING, "set it in a finally, on the error path too"
    ),
    "Condition.wait": Advice(
        "nobody is left who could notify the condition",
        _RECEIVING,
        "change the state and notify under the lock, notify_all where waiters differ, and wait with wait_for",
    ),
    "Barrier.wait": Advice(
        "a party of the barrier is missing", _RECEIVING, "abort the barrier when a party fails or leaves"
    ),
    "Future": Advice(
        "nobody is left who could resolve the future",
        _RECEIVING,
        "resolve it in a finally: with the result, an exception or cancel",
    ),
    "Task": Advice("the task that it awaits is stuck too", _LOST, "mend the task at the end of the chain"),
    "gather": Advice(
        "a task that it gathers is stuck too",
        _LOST,
        "mend that task; a TaskGroup cancels the others when one fails",
    ),
    "wait": Advice(
        "a task that it waits for is stuck too",
        _LOST,
        "mend that task, or wait with a timeout and cancel the rest",
    ),
    "as_completed": Advice(
        "a task that it waits for is stuck too", _LOST, "mend that task, or give as_completed a timeout"
    ),
    "shield": Advice(
        "what it shields is stuck", _LOST, "resolve what is shielded, or put a timeout around the shield"
    ),
    "TaskGroup": Advice(
        "a child of the group is stuck", _LOST, "mend the child, or cancel it when its work is void"
    ),
    "StreamReader.read": Advice(
        "nothing feeds the reader any more",
        _RECEIVING,
        "feed_eof it when its source ends, or close the connection",
    ),
    "StreamWriter.drain": Advice(
        "nobody reads at the other end", _SENDING, "close the connection when the reader is gone"
    ),
}
_OTHERWISE = Advice(
    "nothing is left that could complete it",
    _LOST,
    "complete it in a finally, or put an asyncio.timeout around the wait",
)


CIRCLE = Advice(
    "the tasks wait for each other in a circle",
    _LOST,
    "take what they wait for in one order everywhere, or put an asyncio.timeout around one of the waits",
)


def advice_for(waiting_on: str, *, circle: bool = False) -> Advice:
    """Return what to change about tasks that wait on a primitive for ever, perhaps for each other."""
    return CIRCLE if circle else ADVICE.get(waiting_on, _OTHERWISE)
