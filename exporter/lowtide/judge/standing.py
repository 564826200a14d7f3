"""Where threads stand: their stacks, and the lock, queue or other call in which one waits.

No variable's value is read: a call is named by the source code's own words, from the instruction it is in.
"""

import dis
from itertools import takewhile
from types import CodeType, FrameType

from lowtide.judge.stacks import MOST_STEPS, Step
from lowtide.record.origins import frame_name, printable

_WAITS = {
    "acquire", "accept", "connect", "exchange", "get", "join", "poll", "put", "read", "readinto", "readline", "recv",
    "recv_into", "recvfrom", "result", "select", "send", "sendall", "sleep", "wait", "wait_for", "waitpid", "write",
}  # fmt: skip
_ENTERS = {"BEFORE_WITH", "LOAD_SPECIAL"}
# Python functions of the standard library in which threads wait, and what people call what they do.
_KNOWN = {
    "queue:Queue.get": "Queue.get",
    "queue:Queue.put": "Queue.put",
    "queue:Queue.join": "Queue.join",
    "threading:Event.wait": "Event.wait",
    "threading:Barrier.wait": "Barrier.wait",
    "threading:Semaphore.acquire": "Semaphore.acquire",
    "threading:Condition.wait": "Condition.wait",
    "threading:Condition.wait_for": "Condition.wait",
    "threading:Thread.join": "Thread.join",
    "concurrent.futures._base:Future.result": "Future.result",
    "concurrent.futures.thread:_worker": "waiting for work",
    "selectors:EpollSelector.select": "event loop, waiting for events",
    "selectors:KqueueSelector.select": "event loop, waiting for events",
    "selectors:PollSelector.select": "event loop, waiting for events",
    "selectors:SelectSelector.select": "event loop, waiting for events",
    "socketserver:BaseServer.serve_forever": "serve_forever",
}


def stack_of(frame: FrameType | None) -> tuple[Step, ...]:
    """List the functions of a thread's stack, innermost first."""
    steps: list[Step] = []
    while frame is not None and len(steps) < MOST_STEPS:
        code = frame.f_code
        steps.append(Step(frame_name(frame), code.co_filename, frame.f_lineno or code.co_firstlineno))
        frame = frame.f_back
    return tuple(steps)


def sits_in(frame: FrameType | None) -> str:
    """Name the call in which a thread waits: the standard library's, or the one its innermost line makes."""
    if frame is None:
        return ""
    inner: FrameType | None = frame
    known = ""
    for _ in range(4):  # Event.wait is three frames above the lock that it waits on
        if inner is None:
            break
        found = _KNOWN.get(frame_name(inner), "")
        known = found or known
        inner = inner.f_back
    return known or _call(frame.f_code, frame.f_lasti)


def _call(code: CodeType, offset: int) -> str:
    """Name the call that an instruction makes, in the source's words, if it is one that waits."""
    instructions = [each for each in dis.get_instructions(code) if each.offset <= offset]
    if not instructions or instructions[-1].offset != offset:
        return ""
    current = instructions.pop()
    if current.opname in _ENTERS:
        lock = takewhile(_is_load, reversed(instructions))  # what was loaded just before is entered
        return f"with {_dotted([str(each.argval) for each in lock][::-1])}"
    words = [
        str(each.argval) for each in instructions if _is_load(each) and _start(each) == _start(current) != ()
    ]
    return f"{_dotted(words)}()" if words and words[-1] in _WAITS else ""


def _is_load(instruction: dis.Instruction) -> bool:
    """Say whether an instruction loads a name or an attribute. A constant would be a value."""
    name = instruction.opname
    return name.startswith("LOAD_") and name != "LOAD_CONST" and isinstance(instruction.argval, str)


def _start(instruction: dis.Instruction) -> tuple[int | None, ...]:
    place = instruction.positions
    return (place.lineno, place.col_offset) if place is not None and place.lineno is not None else ()


def _dotted(words: list[str]) -> str:
    return printable(".".join(dict.fromkeys(words)))
