"""The functions between the loop and somebody who asks about its tasks: what they hold doesn't count.

Whoever asks about a task has it in a variable, and so have the functions that called them. They are told from
the functions that run the loop, whose variables do count.
"""

import asyncio
import dis
import types
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lowtide.judge.holders import is_container

_LOOP_CODES = {
    function.__code__
    for function in (asyncio.Handle._run, asyncio.BaseEventLoop.run_forever, asyncio.Runner.run, asyncio.run)  # noqa: SLF001
}
# A compiled loop has no frame of its own: it is found by the call into it.
_LOOP_METHODS = {"run_forever", "run_until_complete"}


def observed(caller: types.FrameType) -> tuple[Counter[int], list[dict[str, Any]]]:
    """Count, by id, what a function and its callers hold in local variables, as far as the loop.

    Before 3.13 reading them leaves a copy in the frame; those copies are returned, to be emptied.
    """
    counts: Counter[int] = Counter()
    mirrors: list[dict[str, Any]] = []
    for frame in _observers(caller):
        if not frame.f_code.co_flags & 1:  # a module's or class's body: its variables are found as a dict
            continue
        variables: Any = frame.f_locals
        # A container twice: while a call goes on, its caller may have the variable on its stack too.
        for name in variables:
            counts[id(variables[name])] += 2 if is_container(variables[name]) else 1
        if type(variables) is dict:
            mirrors.append(variables)
    return counts, mirrors


def _observers(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    """Yield the frames from the caller down to the loop, or the caller's alone if no end is seen."""
    stack: list[types.FrameType] = []
    while frame is not None and frame.f_code not in _LOOP_CODES and not (stack and _runs_a_loop(frame)):
        stack.append(frame)
        frame = frame.f_back
    yield from stack if frame is not None else stack[:1]


def _runs_a_loop(frame: types.FrameType) -> bool:
    """Say whether the call that a frame is in is one that runs a loop."""
    instructions = list(dis.get_instructions(frame.f_code))
    calls = [instruction for instruction in instructions if instruction.offset == frame.f_lasti]
    call = calls[0].positions if calls else None
    if call is None or call.lineno is None or call.end_lineno is None:
        return False
    lines = range(call.lineno, call.end_lineno + 1)
    return any(
        instruction.argval in _LOOP_METHODS
        for instruction in instructions
        if instruction.opname in {"LOAD_ATTR", "LOAD_METHOD"}
        and instruction.positions is not None
        and instruction.positions.lineno in lines
    )
