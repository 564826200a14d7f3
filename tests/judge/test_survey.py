"""The survey counts no reference that isn't there, and enters nothing that it doesn't know."""

import asyncio
import collections
import contextlib
import ctypes
import gc
import sqlite3
import sys
import threading
import types

import pytest
from lowtide.judge.borrowing import borrows_across_yield
from lowtide.judge.kinds import ASYNC_GENERATOR, COROUTINE, GENERATOR, PLAIN, SHUT, SIZED, kind_of
from lowtide.judge.quiet import without_collections
from lowtide.judge.survey import exact, getrefcount


class Slotted:
    __slots__ = ("held",)


class Plain:
    pass


class Cache(collections.OrderedDict):
    """A container whose length C tells."""


class Counted(dict):
    """One that would have to be asked itself."""

    def __len__(self):
        raise AssertionError


def _in_slots(held):
    thing = Slotted()
    thing.held = held
    return thing


def _in_attributes(held):
    thing = Plain()
    thing.held = held
    return thing


def _in_attributes_with_a_dict(held):
    thing = _in_attributes(held)
    assert vars(thing)
    return thing


def _in_a_subclass_of_dict(held):
    return collections.Counter({"held": held})


def _in_a_yield(held):
    def generate(held):
        again = held
        print(held, (yield), again)

    generator = generate(held)
    next(generator)
    return generator


def _in_a_yield_in_a_with(held):
    def generate(held):
        with contextlib.nullcontext(held) as again:
            print(held, again, (yield held))

    generator = generate(held)
    next(generator)
    return generator


def _in_a_yield_from(held):
    def generate(held):
        print(held, (yield from [held, 1]), held)

    generator = generate(held)
    next(generator)
    return generator


@types.coroutine
def _pause():
    yield


def _in_an_await(held):
    async def wait(held):
        print(held, held, await _pause(), held)

    coroutine = wait(held)
    coroutine.send(None)
    return coroutine


def _in_an_async_generator(held):
    async def generate(held):
        print(held, (yield held), held)

    generator = generate(held)
    with contextlib.suppress(StopIteration):
        generator.asend(None).send(None)
    return generator


def _in_an_await_of_an_async_generator(held):
    async def generate(held):
        print(held, held, await _pause(), held)
        yield

    generator = generate(held)
    step = generator.asend(None)
    step.send(None)
    STEPS.append(step)
    return generator


STEPS = []
SHAPES = [
    _in_slots,
    _in_attributes,
    _in_attributes_with_a_dict,
    _in_a_subclass_of_dict,
    _in_a_yield,
    _in_a_yield_in_a_with,
    _in_a_yield_from,
    _in_an_await,
    _in_an_async_generator,
    _in_an_await_of_an_async_generator,
]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_more_references_are_counted_than_there_are(shape):
    held = [[]]
    thing = shape(held[0])
    kind = kind_of(type(thing))
    near = exact(thing, kind) if kind in {COROUTINE, GENERATOR, ASYNC_GENERATOR} else gc.get_referents(thing)
    # Attributes may lie in a dict of their own.
    near += gc.get_referents(*(part for part in near if type(part) is dict and part is not globals()))
    seen = sum(part is held[0] for part in near)
    del near
    own, real = map(getrefcount, [object(), *held])
    assert 1 <= seen <= real - own - 1
    if kind == COROUTINE:
        thing.close()
    while STEPS:
        with contextlib.suppress(GeneratorExit):
            STEPS.pop().throw(GeneratorExit)


TYPES = [
    (asyncio.Queue, PLAIN),
    (asyncio.Timeout, PLAIN),
    (collections.deque, SIZED),
    (collections.Counter, SIZED),
    (Cache, SIZED),
    (Counted, PLAIN),
    (ValueError, PLAIN),
    (Plain, PLAIN),
    (type, SHUT),
    (types.ModuleType, SHUT),
    (asyncio.SelectorEventLoop, SHUT),
    (sqlite3.Connection, SHUT),
    (ctypes.CFUNCTYPE(None), SHUT),
    (threading.local, SHUT),
    # It has a finalizer since 3.11.5.
    (asyncio.StreamWriter, SHUT if hasattr(asyncio.StreamWriter, "__del__") else PLAIN),
    (type("Final", (), {"__del__": lambda _: None}), SHUT),
    (type("Heir", (sqlite3.Connection,), {}), SHUT),
]


@pytest.mark.parametrize(("cls", "kind"), TYPES, ids=lambda value: getattr(value, "__name__", None))
def test_only_types_that_cannot_act_by_themselves_are_entered(cls, kind):
    assert kind_of(cls) == kind


def test_a_uvloop_transport_is_not_entered():
    """Libuv knows it by a pointer that nothing counts."""
    uvloop = pytest.importorskip("uvloop")
    for name in ("TCPTransport", "UnixTransport", "UDPTransport", "TimerHandle", "Loop"):
        assert kind_of(getattr(uvloop.loop, name)) == SHUT


def test_what_is_lent_in_the_middle_of_an_expression_is_told_from_what_is_kept():
    """Only from 3.14 on anything is lent at all."""

    def plain(held):
        with contextlib.nullcontext(held):
            yield held

    def nested(held):
        print(held, (yield))

    assert not borrows_across_yield(plain.__code__)
    assert borrows_across_yield(nested.__code__) == (sys.version_info >= (3, 14))


def test_a_look_puts_off_collections_and_puts_them_back():
    was_enabled = gc.isenabled()
    gc.enable()
    try:
        with without_collections():
            assert not gc.isenabled()
        assert gc.isenabled()
        gc.disable()
        with without_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable() if was_enabled else gc.disable()
