"""Something alive holds a container, in C as a rule, in which the future lies.

The container lies in the task's own frame too, so that a walk from the task meets it: the reference from
the container to the future is then explained, and the one to the container must not be.
"""

import asyncio
import collections
import contextlib
import contextvars
import heapq
import itertools
import operator
import queue
import types

from tests.corpus.parked import resolve, wait
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


class Slotted:
    __slots__ = ("future",)

    def __init__(self, future):
        self.future = future


class Buffer(bytearray):
    """Bytes with something attached."""


class Cell(list):
    """A list with a dictionary."""


def _generator(future):
    yield
    yield future


def _started(future):
    generator = _generator(future)
    next(generator)
    return generator


def _on_the_stack(box):
    """Hold the future on a suspended generator's value stack, without a variable."""
    resolve(box.pop(), (yield))
    yield


def _started_on_the_stack(future):
    generator = _on_the_stack([future])
    next(generator)
    return generator


def _attached(holder, future):
    holder.future = future
    return holder


def _context(future):
    context = contextvars.Context()
    context.run(HELD.set, future)
    return context


def _exit_stack(future):
    stack = contextlib.ExitStack()
    stack.callback(resolve, future)
    return stack


def _memory(future):
    return memoryview(_attached(Buffer(8), future))


def _filled(container, future):
    container.put(future)
    return container


def _heap(future):
    heap = []
    heapq.heappush(heap, (1, 1, future))
    return heap


HELD = contextvars.ContextVar("HELD")
Pair = collections.namedtuple("Pair", "name future")

# Name, how to build the container around the future, how to get the future out again (or to resolve it).
CONTAINERS = [
    ("list_in_a_list", lambda f: [[f]], lambda c: c[0][0]),
    ("tuple_in_a_dict", lambda f: {"key": (f,)}, lambda c: c["key"][0]),
    ("dict_of_a_live_object", lambda f: {"live": f}, operator.itemgetter("live")),
    ("key_of_a_dict", lambda f: {f: None}, lambda c: next(iter(c))),
    ("frozenset", lambda f: frozenset([f]), lambda c: next(iter(c))),
    ("deque", lambda f: collections.deque([f]), lambda c: c[0]),
    ("ordered_dict", lambda f: collections.OrderedDict(key=f), lambda c: c["key"]),
    ("default_dict", lambda f: collections.defaultdict(list, key=[f]), lambda c: c["key"][0]),
    ("chain_map", lambda f: collections.ChainMap({}, {"key": f}), lambda c: c["key"]),
    ("named_tuple", lambda f: Pair("pair", f), lambda c: c.future),
    ("heap", _heap, lambda c: c[0][2]),
    ("simple_queue", lambda f: _filled(queue.SimpleQueue(), f), lambda c: c.get()),
    ("thread_queue", lambda f: _filled(queue.Queue(), f), lambda c: c.get()),
    ("mapping_proxy", lambda f: types.MappingProxyType({"key": f}), lambda c: c["key"]),
    ("simple_namespace", lambda f: types.SimpleNamespace(future=f), lambda c: c.future),
    ("slots_object", Slotted, lambda c: c.future),
    ("subclass_of_list", lambda f: _attached(Cell(), f), lambda c: c.future),
    ("cell", types.CellType, lambda c: c.cell_contents),
    ("slice", slice, lambda c: c.stop),
    ("generic_alias", lambda f: types.GenericAlias(list, (f,)), lambda c: c.__args__[0]),
    ("dict_view", lambda f: {"key": f}.values(), lambda c: next(iter(c))),
    ("dict_iterator", lambda f: iter({"key": f}.items()), lambda c: next(c)[1]),
    ("list_iterator", lambda f: iter([f]), next),
    ("reversed_iterator", lambda f: reversed([f]), next),
    ("enumerate_iterator", lambda f: enumerate([f]), lambda c: next(c)[1]),
    ("zip_iterator", lambda f: zip([f], [None], strict=True), lambda c: next(c)[0]),
    ("map_iterator", lambda f: map(resolve, [f]), next),
    ("filter_iterator", lambda f: filter(asyncio.isfuture, [f]), next),
    ("chain_iterator", lambda f: itertools.chain([f]), next),
    ("cycle_iterator", lambda f: itertools.cycle([f]), next),
    ("repeat_iterator", itertools.repeat, next),
    ("tee_iterator", lambda f: itertools.tee([f], 2)[1], next),
    ("product_iterator", lambda f: itertools.product([f], [f]), lambda c: next(c)[1]),
    ("groupby_iterator", lambda f: itertools.groupby([f]), lambda c: next(c)[0]),
    ("islice_iterator", lambda f: itertools.islice(itertools.repeat(f), 3), next),
    ("suspended_generator", _started, next),
    ("generator_not_yet_started", _generator, lambda c: [*c][1]),
    ("generators_value_stack", _started_on_the_stack, next),
    ("memory_view", _memory, lambda c: c.obj.future),
    ("context", _context, lambda c: c[HELD]),
    ("exit_stack", _exit_stack, lambda c: c.close()),
    ("exception_argument", ValueError, lambda c: c.args[0]),
    ("exception_attribute", lambda f: _attached(ValueError(), f), lambda c: c.future),
    ("module_that_is_not_imported", lambda f: _attached(types.ModuleType("m"), f), lambda c: c.future),
    ("property_object", lambda f: property(f.result, None), lambda c: c.fget.__self__),
]


def _program(name, build, take):
    async def program(stage):
        def start(future):
            container = build(future)
            stage.spawn(wait(future, container))
            return container

        container = start(asyncio.get_running_loop().create_future())
        await turns()
        yield list(stage.background)
        found = take(container)
        if found is not None:
            resolve(found)

    program.__name__ = name
    return program


for _row in CONTAINERS:
    healthy(_program(*_row))
