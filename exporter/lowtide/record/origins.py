"""Origins: who made a task, as labels that stay the same across deployments."""

import gc
import re
from dataclasses import dataclass
from enum import Enum
from types import FrameType, FunctionType
from typing import Any

MAX_NAME = 160
"""Characters of a name that are kept: a longer one is no name, and a label must not blow up a page."""

# Patterns are texts here, which ``re`` compiles when one is needed: nearly no name needs any.
_UNPRINTABLE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
# Request ids, hashes and process numbers differ between two runs of the same program. Short numbers don't:
# step2 and step3 are two functions.
_DYNAMIC = r"(?<![0-9A-Za-z])0x[0-9a-fA-F]+|(?=[0-9a-fA-F-]*\d)[0-9a-fA-F-]{8,}|\d{4,}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a task: its coroutine function and the function that spawned it, as ``module:qualname``."""

    coroutine: str
    spawner: str


OTHER = Origin("other", "other")
UNKNOWN = "unknown"


def printable(text: str) -> str:
    """Make any text fit for a label value: at most 160 characters, none of them a control or a lone surrogate."""
    short = text if len(text) <= MAX_NAME else text[:MAX_NAME] + "…"
    return short if short.isprintable() else re.sub(_UNPRINTABLE, "\ufffd", short)


def label(name: object) -> str:
    """Turn a name into a label value: printable, and without what changes from run to run.

    Names come from strangers' programs, so newlines, NUL, lone surrogates and megabytes are expected.
    """
    if type(name) is not str or not name:
        return UNKNOWN
    text = printable(name)
    return re.sub(_DYNAMIC, "#", text) if any(map(str.isdecimal, text)) else text


def qualified(module: object, qualname: object) -> str:
    """Join a module's and a function's name to ``module:qualname``."""
    return f"{label(module)}:{label(qualname)}"


# A comprehension is a function of its own, before 3.12 at least: nobody would look for it under that name.
_COMPREHENSIONS = r"(\.<locals>)?\.?<(listcomp|setcomp|dictcomp|genexpr)>"


def frame_name(frame: FrameType) -> str:
    """Name the function that a frame runs, as ``module:qualname``; a comprehension is part of its function."""
    qualname = frame.f_code.co_qualname
    if "<" in qualname:
        qualname = re.sub(_COMPREHENSIONS, "", qualname) or "<module>"
    return qualified(frame.f_globals.get("__name__"), qualname)


class Place(Enum):
    """What a frame on the spawning stack is."""

    USER = "outside asyncio and lowtide: it made the task"
    MACHINERY = "asyncio or lowtide: look further out"
    CALLBACK = "a part of asyncio that the loop calls by itself: it made the task, nobody further out did"
    LOOP = "the loop: what it called made the task"
    RUNNER = "runs the loop, whose own frames don't show if it is compiled: like the loop, or it made the task itself"


# Frames further out than these belong to whoever runs the loop, who made no task.
_CALLED_BY_LOOP = {
    ("asyncio.events", "Handle._run"): Place.LOOP,
    ("asyncio.runners", "Runner.run"): Place.RUNNER,
    ("asyncio.tasks", "run_coroutine_threadsafe.<locals>.callback"): Place.CALLBACK,
    ("asyncio.streams", "StreamReaderProtocol.connection_made"): Place.CALLBACK,
}


def place_of(frame: FrameType) -> Place:
    """Tell what a frame on the spawning stack is."""
    module = frame.f_globals.get("__name__")
    package, _, rest = module.partition(".") if type(module) is str else ("", "", "")
    if package == "asyncio":
        return _CALLED_BY_LOOP.get((str(module), frame.f_code.co_qualname), Place.MACHINERY)
    # The demo is a program like any other: to name its functions is what lowtide is for.
    return Place.MACHINERY if package == "lowtide" and not rest.startswith("demo") else Place.USER


# Wrappers that make a task of their own coroutine around the user's: the user's is the one they await.
_WRAPPERS = (
    r"anyio\..*:TaskHandle\._run_coro"
    r"|sentry_sdk\.integrations\.asyncio:.*"
    r"|opentelemetry\.instrumentation\.asyncio:.*trace_coroutine"
)
_WRAPPING = ("anyio.", "sentry_sdk.", "opentelemetry.")
"""How their names begin."""


def is_wrapper(name: str) -> bool:
    """Tell whether a coroutine of this name only wraps the one that it awaits."""
    return name.startswith(_WRAPPING) and re.fullmatch(_WRAPPERS, name) is not None


def coroutine_name(coroutine: Any) -> str:
    """Name the coroutine function of a coroutine object, seen through known wrappers, as ``module:qualname``."""
    name = own_name(coroutine)
    for _ in range(8):  # wrappers of wrappers end somewhere
        inner = getattr(coroutine, "cr_await", None)
        if inner is None or not is_wrapper(name):
            break
        coroutine, name = inner, own_name(inner)
    return name


def own_name(coroutine: Any) -> str:
    """Name the coroutine function of a coroutine object itself, as ``module:qualname``.

    The function is found through the garbage collector's edges, not through ``cr_frame``: a frame object
    would outlive the look, and its ``f_locals`` would keep the coroutine's locals alive. A function
    decorated with functools.wraps answers with the names of the one inside.
    Awaitables without a function are named after their type: ``builtins:async_generator_asend``.
    """
    kind = type(coroutine)
    qualname = getattr(coroutine, "__qualname__", None)  # classes that only behave as coroutines have none
    for referent in gc.get_referents(coroutine):
        if type(referent) is FunctionType and referent.__qualname__ == qualname:
            module = referent.__module__ or referent.__globals__.get("__name__")
            return qualified(module, referent.__qualname__)
    return qualified(kind.__module__, qualname if type(qualname) is str else kind.__qualname__)


class Budget:
    """A bounded, sticky set of label values: first come, first served, the rest is folded together.

    Callers hold the lock that serialises censuses.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.folded = 0
        self._admitted: set[object] = set()

    def __len__(self) -> int:
        return len(self._admitted)

    def admits(self, key: object) -> bool:
        """Tell whether ``key`` has a place, giving it one while there is room."""
        if key in self._admitted:
            return True
        if len(self._admitted) < self.size:
            self._admitted.add(key)
            return True
        self.folded += 1
        return False
