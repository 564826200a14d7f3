"""How the proof may look into an object, decided by its type alone.

What isn't known here isn't entered, and what isn't entered explains no reference:
a type that is missing from these tables costs a proof, never a false one.
Three sorts of types must stay out for good:
- modules, classes, event loops and contexts, which anybody can reach;
- types written in C outside the tables: C may keep borrowed pointers to them (a uvloop transport is known to
  libuv by an uncounted pointer), so all their counted references can be explained and they still act;
- types with a ``__del__``, which acts when its object dies.
"""

import asyncio
import collections
import contextlib
import functools
import itertools
import sys
import types
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from typing import Any, Generic, cast

SHUT = 0
PLAIN = 1
FUNCTION = 2
TASK = 3
FUTURE = 4
COROUTINE = 5
GENERATOR = 6
ASYNC_GENERATOR = 7
FRAME = 8
# A container whose length C knows.
SIZED = 9

# Reading these through ``type``'s own descriptors runs no metaclass code.
mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_flags: Callable[[type], int] = type.__dict__["__flags__"].__get__
_basicsize: Callable[[type], int] = type.__dict__["__basicsize__"].__get__
_base: Callable[[type], type | None] = type.__dict__["__base__"].__get__
members: Callable[[type], types.MappingProxyType[str, object]] = type.__dict__["__dict__"].__get__

_name: Callable[[type], str] = type.__dict__["__name__"].__get__
_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__

_HEAP_TYPE = 1 << 9
_IMMUTABLE_TYPE = 1 << 8
# Enough for the types of a large service; past it the table starts afresh rather than grow.
_MOST_CACHED = 4096


async def _coroutine() -> None: ...


async def _async_generator() -> Any:
    yield


@contextlib.contextmanager
def unhooked() -> Iterator[None]:
    """Keep async generators that are made here out of the books of a running loop."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _samples() -> Iterator[object]:
    """Make one of each type that has no name to import."""
    made: Any
    for made in ([], (), {}, set(), frozenset(), collections.deque(), collections.OrderedDict(), ""):
        yield iter(made)
        yield reversed(made) if isinstance(made, list | collections.deque) else made
    table: dict[str, int] = {}
    ordered: collections.OrderedDict[str, int] = collections.OrderedDict()
    for mapping in (table, ordered):
        for view in (mapping.keys(), mapping.values(), mapping.items()):
            yield view
            yield iter(view)
    coroutine = _coroutine()
    yield coroutine.__await__()
    coroutine.close()
    with unhooked():
        generator = _async_generator()
        steps = (generator.asend(None), generator.athrow(GeneratorExit))
    for step in steps:
        yield step
        step.close()


_SUBCLASSABLE: tuple[type, ...] = (
    object, int, float, complex, str, bytes, bytearray,
    list, tuple, dict, set, frozenset, property, staticmethod, classmethod, enumerate, zip, map, filter,
    reversed, super,
    collections.deque, collections.OrderedDict, collections.defaultdict, functools.partial,
    types.SimpleNamespace, asyncio.Future, asyncio.Task, Generic,
)  # fmt: skip
_PASSIVE: tuple[type, ...] = (
    types.CellType, types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, types.TracebackType,
    types.MappingProxyType, slice, type(functools.lru_cache(print)),
    *(made for made in vars(itertools).values() if isinstance(made, type)),
    *(type(sample) for sample in _samples()),
)  # fmt: skip
_SIZED = (
    list, tuple, dict, set, frozenset, collections.deque, collections.OrderedDict, collections.defaultdict,
)  # fmt: skip
_LEAVES = (int, float, complex, str, bytes, bytearray, object)
_SPECIAL: dict[type, int] = {
    types.FunctionType: FUNCTION,
    asyncio.Task: TASK,
    asyncio.Future: FUTURE,
    types.CoroutineType: COROUTINE,
    types.GeneratorType: GENERATOR,
    types.AsyncGeneratorType: ASYNC_GENERATOR,
    types.FrameType: FRAME,
}


class _NoLoop:
    """Stand in for the loop of a future that is only made for its type."""

    def get_debug(self) -> bool:
        """Answer the one question that a new future asks."""
        return False


_FUTURE: asyncio.Future[None] = asyncio.Future(loop=cast("AbstractEventLoop", _NoLoop()))
# Methods of C that are told their class have a type of their own, which has no name to import.
BUILT_IN_METHODS = (types.BuiltinMethodType, type(_FUTURE.set_result), type(_FUTURE.cancel))


# Keyed by id: hashing a type would run its metaclass's ``__hash__``. These types live as long as the process.
BUILT_IN: dict[int, int] = {}
_LASTING: list[type] = []
_SEEN: dict[int, tuple[weakref.ref[type], int]] = {}


def kind_of(cls: type) -> int:
    """Return how an object of exactly this type may be looked into."""
    key = id(cls)
    kind = BUILT_IN.get(key)
    if kind is not None:
        return kind
    seen = _SEEN.get(key)
    if seen is not None and seen[0]() is cls:
        return seen[1]
    if len(_SEEN) >= _MOST_CACHED:
        _SEEN.clear()
    kind = _classify(cls)
    _SEEN[key] = (weakref.ref(cls), kind)
    return kind


def short_name(thing: object) -> str:
    """Name the class of an object without asking its metaclass."""
    return _name(type(thing))


def class_name(cls: type) -> str:
    """Name a class with its module, without asking its metaclass."""
    module = members(cls).get("__module__")
    return f"{module}.{_qualname(cls)}" if type(module) is str else _qualname(cls)


def is_a(cls: type, wanted: type) -> bool:
    """Say whether a type derives from another one, without ``__class__`` or ``__subclasscheck__``."""
    return any(base is wanted for base in mro(cls))


_BARRED = (type, types.ModuleType, AbstractEventLoop)
_BASES = {id(cls) for cls in _SUBCLASSABLE}


def _classify(cls: type) -> int:
    bases = mro(cls)
    if any(base is barred for base in bases for barred in _BARRED):
        return SHUT
    for base in bases:
        if id(base) in _BASES or _is_builtin_exception(base):
            continue
        if not made_in_python(base) or "__del__" in members(base):
            return SHUT
    for special in (asyncio.Task, asyncio.Future):
        if any(base is special for base in bases):
            return _SPECIAL[special]
    return SIZED if _has_length_of_c(bases) else PLAIN


def _has_length_of_c(bases: tuple[type, ...]) -> bool:
    """Say whether a class is a container, such as a Counter, whose length is told without running its own code."""
    by = next((base for base in bases if "__len__" in members(base)), None)
    return any(by is sized for sized in _SIZED)


def _is_builtin_exception(cls: type) -> bool:
    return not _flags(cls) & _HEAP_TYPE and any(base is BaseException for base in mro(cls))


def made_in_python(cls: type) -> bool:
    """Say whether a ``class`` statement made this type; whatever could be C's is C's."""
    flags = _flags(cls)
    if not flags & _HEAP_TYPE or flags & _IMMUTABLE_TYPE or not _metaclass_made_in_python(type(cls)):
        return False
    slots = 0
    for name, member in list(members(cls).items()):
        if type(member) is types.MemberDescriptorType and member.__objclass__ is cls:
            slots += 1
        elif _is_c_member(cls, name, member):
            return False
    base = _base(cls)
    # A class statement adds its slots and at most the pointers to ``__dict__`` and the weak references.
    return base is not None and _basicsize(cls) - _basicsize(base) <= 8 * (slots + 2)


def _metaclass_made_in_python(metaclass: type) -> bool:
    return metaclass is type or all(
        base is type or base is object or made_in_python(base) for base in mro(metaclass)
    )


_C_DESCRIPTORS = (
    types.GetSetDescriptorType, types.MethodDescriptorType, types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)  # fmt: skip


def _is_c_member(cls: type, name: str, member: Any) -> bool:
    if any(type(member) is descriptor for descriptor in _C_DESCRIPTORS):
        return member.__objclass__ is cls and name not in {"__dict__", "__weakref__"}
    return type(member) is types.BuiltinFunctionType and member.__self__ is cls


def _fill() -> None:
    kinds = dict.fromkeys((*_SUBCLASSABLE, *_PASSIVE, *BUILT_IN_METHODS, type(iter(_FUTURE))), PLAIN)
    kinds.update(dict.fromkeys(_SIZED, SIZED))
    kinds.update(dict.fromkeys(_LEAVES, SHUT))
    kinds.update(_SPECIAL)
    kinds.update(dict.fromkeys((type, types.ModuleType, types.CodeType, type(None), bool), SHUT))
    _LASTING.extend(kinds)
    BUILT_IN.update((id(cls), kind) for cls, kind in kinds.items())


_fill()
