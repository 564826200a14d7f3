"""The proof runs no code of the objects it looks at."""

import asyncio

import pytest
from lowtide.judge.look import UNKNOWN, look_at

from tests.judge.scene import judged, play, spawn

CALLS = []
KEPT = []


def _note(name):
    def method(self, *args):
        CALLS.append(name)
        raise RuntimeError(name)

    return method


WATCHED = (
    "__eq__", "__hash__", "__getattribute__", "__getattr__", "__bool__", "__len__", "__iter__", "__repr__",
    "__str__", "__format__", "__dir__", "__sizeof__", "__call__", "__contains__",
)  # fmt: skip


class Meta(type):
    def __eq__(cls, other):
        CALLS.append("type.__eq__")
        return cls is other

    def __hash__(cls):
        CALLS.append("type.__hash__")
        return 1

    def __instancecheck__(cls, instance):
        CALLS.append("__instancecheck__")
        return True

    def __getattribute__(cls, name):
        CALLS.append(f"type.{name}")
        return super().__getattribute__(name)


def _hostile(*more):
    methods = {name: _note(name) for name in WATCHED} | dict(more)
    methods["__class__"] = property(_note("__class__"))
    return Meta("Hostile", (), methods)


async def _wait(future, *company):
    await future


def test_no_method_is_called_to_name_what_could_wake_a_task():
    async def scene():
        keeper = object.__new__(_hostile())
        KEPT.append(keeper)
        future = asyncio.get_running_loop().create_future()
        object.__getattribute__(keeper, "__dict__")["future"] = future
        spawn(_wait(future))
        del future
        CALLS.clear()
        proofs = await judged()
        return proofs, list(CALLS)

    (proof,), calls = play(scene)
    KEPT.clear()
    assert calls == []
    assert proof.grade == "wakeable"


@pytest.mark.parametrize("more", [(), (("__del__", lambda self: None),)])
def test_no_method_of_a_hostile_object_is_called(more):
    async def scene():
        hostile = object.__new__(_hostile(*more))
        kept = [hostile]
        spawn(_wait(asyncio.get_running_loop().create_future(), hostile, kept))
        CALLS.clear()
        proofs = await judged()
        return proofs, list(CALLS)

    (proof,), calls = play(scene)
    assert calls == []
    assert proof.grade == "unwakeable"


def test_a_look_that_would_go_too_far_says_unknown():
    async def scene():
        chain = None
        for _ in range(500):
            chain = [chain]
        shelf = asyncio.get_running_loop().create_future()
        task = spawn(_wait(shelf, chain))
        await asyncio.sleep(0)
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(
            lambda: answer.set_result((look_at(task, asyncio.get_running_loop(), 100).verdict, shelf))
        )
        verdict, _ = await answer
        return verdict

    assert play(scene) == UNKNOWN


def test_where_counts_are_not_exact_a_look_says_unknown():
    async def scene():
        task = spawn(asyncio.Event().wait())
        await asyncio.sleep(0)
        return look_at(task, asyncio.get_running_loop(), exact_counts=False)

    look = play(scene)
    assert look.verdict == UNKNOWN
    assert "free-threaded" in look.why


def test_the_hostile_methods_would_have_been_noticed():
    thing = object.__new__(_hostile())
    CALLS.clear()
    with pytest.raises(RuntimeError):
        len(thing)
    assert CALLS
