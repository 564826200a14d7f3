"""Names by which a person finds what holds something: a module's variable, an attribute."""

import asyncio
import contextlib
import gc
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

from lowtide.judge.kinds import (
    FUTURE,
    TASK,
    class_name,
    is_a,
    kind_of,
    made_in_python,
    members,
    mro,
    short_name,
)

_module_members: Callable[[Any], dict[str, Any]] = vars(types.ModuleType)["__dict__"].__get__
# A task group cancels what it holds when its parent is cancelled; timers and finalizers call what they hold.
_ACTORS: tuple[type, ...] = (asyncio.TaskGroup, asyncio.Handle, weakref.finalize._Info)  # type: ignore[attr-defined]  # noqa: SLF001


def module_of(mapping: object) -> str:
    """Return the name of the module whose variables these are."""
    if type(mapping) is not dict:
        return ""
    name = mapping.get("__name__")
    module = sys.modules.get(name) if type(name) is str else None
    if module is None or not is_a(type(module), types.ModuleType):
        return ""
    return name if _module_members(module) is mapping else ""  # type: ignore[return-value]


def key_of(mapping: Any, held: object) -> str:
    """Name the entry of a dict under which something is kept."""
    if type(mapping) is dict:
        for key, value in list(mapping.items()):
            if value is held and type(key) is str:
                return key
    return "?"


def is_class(thing: object) -> bool:
    """Say whether an object is a class."""
    return is_a(type(thing), type)


def attributes_of(thing: Any) -> object:
    """Return the dict in which an object made in Python, or a class, keeps its attributes."""
    if is_class(thing):
        return gc.get_referents(members(thing))[0]
    for base in mro(type(thing)):
        descriptor = members(base).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType:
            return descriptor.__get__(thing)
    return None


def attribute(referrer: Any, held: object, *, is_task: bool) -> tuple[str, bool]:
    """Name an object that refers to another one, and say whether it could cancel a task."""
    kind = kind_of(type(referrer))
    kept = "" if is_task else f" ({short_name(held)})"
    if kind in {TASK, FUTURE}:
        return "the result of a future", True
    if not made_in_python(type(referrer)):
        return f"a {class_name(type(referrer))}", True
    key = key_of(attributes_of(referrer), held)
    if key == "?":
        key = _slot(referrer, held)
    live = is_task or any(is_a(type(referrer), actor) for actor in _ACTORS)
    return f"{class_name(type(referrer))}.{key} attribute{kept}", live


def _slot(thing: Any, held: object) -> str:
    for base in mro(type(thing)):
        for name, member in list(members(base).items()):
            if type(member) is types.MemberDescriptorType:
                with contextlib.suppress(AttributeError):
                    if member.__get__(thing) is held:
                        return name
    return "?"
