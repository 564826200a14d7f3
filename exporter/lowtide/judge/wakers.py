"""What could wake a task that isn't stranded, in words: for the reader of a proof, not part of it."""

import asyncio
import gc
import sys
from typing import Any

from lowtide.judge.descriptors import task_done
from lowtide.judge.kinds import (
    ASYNC_GENERATOR,
    COROUTINE,
    GENERATOR,
    class_name,
    is_a,
    kind_of,
    made_in_python,
    short_name,
)
from lowtide.judge.look import Look

# From a future over a bound method and its arguments to the timer that calls it.
_MOST_STEPS = 4


def who_could_wake(look: Look) -> str:
    """Name one thing outside the group that refers to what the task waits for."""
    survey = look.survey
    what = short_name(survey.objects[look.open_at])
    known = {id(survey.objects), *(id(survey.objects[place]) for place in survey.sources[look.open_at])}
    # In a list: this function's own variables aren't to be found as holders.
    path = [survey.objects[look.open_at]]
    holder = ""
    for _ in range(_MOST_STEPS):
        known |= {id(path), *map(id, path)}
        strangers = [
            thing for thing in gc.get_referrers(path[-1]) if id(thing) not in known and not _is_ours(thing)
        ]
        if not strangers:
            break
        holder, is_end = _describe(strangers[0])
        if is_end:
            break
        path.append(strangers[0])
        known.add(id(strangers))
    return f"the {what} on the way is held by {holder or 'a running function or by C code'}"


def _describe(thing: Any) -> tuple[str, bool]:
    """Say what something is, and whether a person needs no more to find it."""
    cls = type(thing)
    if kind_of(cls) in {COROUTINE, GENERATOR, ASYNC_GENERATOR}:
        return f"a local variable of {thing.__qualname__}", True
    if cls is dict and type(name := thing.get("__name__")) is str and name in sys.modules:
        return f"the module {name}", True
    if is_a(cls, asyncio.Handle) or short_name(thing).endswith("Handle"):
        return f"a {short_name(thing)}", True
    if is_a(cls, asyncio.Task):
        return f"a {'done' if task_done(thing) else 'pending'} task", True
    if made_in_python(cls):
        return f"a {class_name(cls)}", True
    return f"a {short_name(thing)}", False


def _is_ours(thing: object) -> bool:
    return class_name(type(thing)).startswith("lowtide.judge.")
