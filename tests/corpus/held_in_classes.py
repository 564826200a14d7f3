"""The future is an attribute of a class, a descriptor, a module: a walk enters none."""

import asyncio
import dataclasses
import enum
import sys
import types
import typing

from tests.corpus.parked import park, resolve, wait
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


def _start(stage, make):
    """Leave a task waiting for a new future, with an instance of the class around it in its frame."""
    future = asyncio.get_running_loop().create_future()
    made = make(future)
    stage.spawn(wait(future, made()))
    return made


@healthy
async def class_attribute(stage):
    """An attribute of the class whose instance the task uses."""
    service = _start(stage, lambda future: type("Service", (), {"future": future}))
    await turns()
    yield list(stage.background)
    resolve(service.future)


@healthy
async def class_known_to_its_base_only(stage):
    """Only the task's instance refers to the class strongly; its base finds it among its subclasses."""

    class Plugin:
        """The base of plugins."""

    _start(stage, lambda future: type("Mail", (Plugin,), {"future": future}))
    await turns()
    yield list(stage.background)
    resolve(Plugin.__subclasses__()[0].future)


@healthy
async def attribute_of_a_metaclass(stage):
    """The class's class has the future."""

    def make(future):
        meta = type("Meta", (type,), {"future": future})
        return meta("Service", (), {})

    service = _start(stage, make)
    await turns()
    yield list(stage.background)
    resolve(service.future)


@healthy
async def property_over_a_closure(stage):
    """A property's getter closes over the future."""
    service = _start(stage, lambda f: type("Service", (), {"wake": property(lambda self: resolve(f))}))
    await turns()
    yield list(stage.background)
    assert service().wake is None


class Descriptor:
    """Resolves its future when it is read."""

    def __init__(self, future):
        self.future = future

    def __get__(self, instance, owner):
        resolve(self.future)


@healthy
async def descriptor(stage):
    """A descriptor object of a class has the future."""
    service = _start(stage, lambda future: type("Service", (), {"wake": Descriptor(future)}))
    await turns()
    yield list(stage.background)
    assert service().wake is None


@healthy
async def class_method_over_a_cell(stage):
    """A class method's function refers to the future through a cell."""

    def make(future):
        class Service:
            @classmethod
            def wake(cls):
                resolve(future)

        return Service

    service = _start(stage, make)
    await turns()
    yield list(stage.background)
    service.wake()


@healthy
async def default_of_a_dataclass(stage):
    """A field of a dataclass has the future for its default."""

    def make(future):
        fields = [("future", object, dataclasses.field(default=future))]
        return dataclasses.make_dataclass("Service", fields, slots=True)

    service = _start(stage, make)
    await turns()
    yield list(stage.background)
    resolve(service().future)


@healthy
async def default_of_a_named_tuple(stage):
    """A typed named tuple has the future for its default."""

    def make(future):
        class Service(typing.NamedTuple):
            future: object = None

        Service.__new__.__defaults__ = (future,)
        return Service

    service = _start(stage, make)
    await turns()
    yield list(stage.background)
    resolve(service().future)


@healthy
async def attribute_of_an_enum_member(stage):
    """A member of an enumeration has been given the future."""

    class State(enum.Enum):
        OPEN = 1

    def give(future):
        State.OPEN.future = future

    yield await park(stage, give, State.OPEN)
    resolve(State.OPEN.future)


@healthy
async def class_in_an_annotation(stage):
    """The class around the future is only named by a function's annotations."""

    def annotated():
        """Hold the class in an annotation."""

    annotated.__annotations__["return"] = _start(stage, lambda f: type("Service", (), {"future": f}))
    await turns()
    yield list(stage.background)
    resolve(annotated.__annotations__["return"].future)


@healthy
async def attribute_of_a_module(stage):
    """An imported module has the future among its attributes."""
    module = sys.modules["lowtide_corpus_module"] = types.ModuleType("lowtide_corpus_module")
    del module
    yield await park(stage, lambda future: setattr(sys.modules["lowtide_corpus_module"], "future", future))
    resolve(sys.modules.pop("lowtide_corpus_module").future)


PENDING = {}


@healthy
async def global_of_a_module(stage):
    """A plain global dictionary has the future; the task's frame knows only a function of that module."""
    yield await park(stage, lambda future: PENDING.update(answer=future), _answer)
    _answer()


def _answer():
    resolve(PENDING.pop("answer"))


@healthy
async def constant_of_a_code_object(stage):
    """A code object, which the collector doesn't look into, has the future among its constants."""

    def template():
        return "constant"

    def give(future):
        constants = tuple(future if c == "constant" else c for c in template.__code__.co_consts)
        codes.append(template.__code__.replace(co_consts=constants))

    codes = []
    yield await park(stage, give)
    resolve(*(c for c in codes.pop().co_consts if isinstance(c, asyncio.Future)))
