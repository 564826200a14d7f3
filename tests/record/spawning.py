"""Ways to make a task, and kinds of coroutines to make it of."""

import asyncio
import collections.abc
import functools
import types


async def work(gate):
    await gate.wait()


async def impatient(gate):
    await asyncio.wait_for(work(gate), 60)  # on 3.11 in a task of its own


async def wrapped(coroutine):
    return await coroutine


class Worker:
    async def run(self, gate):
        await gate.wait()

    async def __call__(self, gate):
        await gate.wait()


def retried(function):
    @functools.wraps(function)
    async def attempt(*args):
        return await function(*args)

    return attempt


@retried
async def decorated(gate):
    await gate.wait()


@types.coroutine
def old_style(gate):
    yield from gate.wait().__await__()


class Compiled(collections.abc.Coroutine):
    """A coroutine as Cython makes them: names, but no code object of CPython's."""

    __qualname__ = "Compiled"

    def __init__(self, gate):
        self._steps = gate.wait().__await__()

    def send(self, value):
        return next(self._steps)

    def throw(self, *error):
        self._steps.close()
        raise error[0]

    def close(self):
        self._steps.close()

    def __await__(self):
        return self._steps


async def numbers(gate):
    await gate.wait()
    yield 1


async def by_create_task(gate):
    return [asyncio.create_task(work(gate))]


async def by_the_loop(gate):
    return [asyncio.get_running_loop().create_task(work(gate))]


async def by_ensure_future(gate):
    return [asyncio.ensure_future(work(gate))]


async def by_gather(gate):
    return [asyncio.gather(work(gate), work(gate))]


async def by_partial(gate):
    return [asyncio.create_task(functools.partial(work, gate)())]


async def by_lambda(gate):
    spawn = lambda: asyncio.create_task(work(gate))  # noqa: E731
    return [spawn()]


async def by_a_comprehension(gate):
    return [asyncio.create_task(work(gate)) for _ in range(2)]


async def by_a_generator(gate):
    return list(asyncio.create_task(work(gate)) for _ in range(2))  # noqa: C400 (it is what is tested)


async def of_a_method(gate):
    return [asyncio.create_task(Worker().run(gate))]


async def of_a_callable(gate):
    return [asyncio.create_task(Worker()(gate))]


async def of_a_decorated(gate):
    return [asyncio.create_task(decorated(gate))]


async def of_a_wrapper(gate):
    return [asyncio.create_task(wrapped(work(gate)))]


async def of_an_old_style(gate):
    return [asyncio.create_task(wrapped(old_style(gate)))]


async def of_a_compiled(gate):
    return [asyncio.create_task(Compiled(gate))]


async def of_an_async_generator(gate):
    return [asyncio.create_task(anext(numbers(gate)))]


WAYS = [
    (by_create_task, "work", "by_create_task"),
    (by_the_loop, "work", "by_the_loop"),
    (by_ensure_future, "work", "by_ensure_future"),
    (by_gather, "work", "by_gather"),
    (by_partial, "work", "by_partial"),
    (by_lambda, "work", "by_lambda.<locals>.<lambda>"),
    (by_a_comprehension, "work", "by_a_comprehension"),
    (by_a_generator, "work", "by_a_generator"),
    (of_a_method, "Worker.run", "of_a_method"),
    (of_a_callable, "Worker.__call__", "of_a_callable"),
    (of_a_decorated, "decorated", "of_a_decorated"),
    (of_a_wrapper, "wrapped", "of_a_wrapper"),
    (of_an_old_style, "wrapped", "of_an_old_style"),
    (of_a_compiled, "Compiled", "of_a_compiled"),
]
