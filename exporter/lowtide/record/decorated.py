"""Functions that run in a flow: what the decorator ``flow("name")`` makes of each kind of function.

A generator has the flow as current in its own steps only: between two of them its consumer runs, in the same
context, and what that makes is none of the flow's.
"""

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any, TypeVar, cast

from lowtide.record.flows import Flow

F = TypeVar("F")


def decorated(function: F, flow: Callable[[], Flow]) -> F:
    """Return a function of the same kind, each call of which runs in what ``flow`` makes.

    Raises TypeError for what is no function.
    """
    if not callable(function) or isinstance(function, (type, staticmethod, classmethod)):
        raise TypeError(
            f"a flow decorates a function, not {function!r}: put it next to def, below other decorators"
        )
    called = getattr(type(function), "__call__", None)  # noqa: B004 (it is asked what kind of function it is)
    for is_kind, wrap in _KINDS:
        if is_kind(function) or is_kind(called):
            return cast("F", wrap(function, flow))
    return cast("F", _in_function(function, flow))


def _in_function(function: Callable[..., Any], flow: Callable[[], Flow]) -> Callable[..., Any]:
    @functools.wraps(function)
    def lowtide_flow(*args: Any, **kwargs: Any) -> Any:
        with flow():
            return function(*args, **kwargs)

    return lowtide_flow


def _in_coroutine(function: Callable[..., Any], flow: Callable[[], Flow]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def lowtide_flow(*args: Any, **kwargs: Any) -> Any:
        with flow():
            return await function(*args, **kwargs)

    return lowtide_flow


def _in_generator(function: Callable[..., Any], flow: Callable[[], Flow]) -> Callable[..., Any]:
    @functools.wraps(function)
    def lowtide_flow(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator, run = function(*args, **kwargs), flow()
        run.announce()
        step: tuple[Callable[[Any], Any], Any] = generator.send, None
        try:
            while True:
                try:
                    with _step_of(run):
                        value = step[0](step[1])
                except StopIteration as stop:
                    return stop.value
                try:
                    step = generator.send, (yield value)
                except GeneratorExit:
                    with _step_of(run):
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 (thrown in: the generator's to handle)
                    step = generator.throw, error
        finally:
            run.end()

    return lowtide_flow


def _in_async_generator(function: Callable[..., Any], flow: Callable[[], Flow]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def lowtide_flow(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator, run = function(*args, **kwargs), flow()
        run.announce()
        step: tuple[Callable[[Any], Any], Any] = generator.asend, None
        try:
            while True:
                try:
                    with _step_of(run):
                        value = await step[0](step[1])
                except StopAsyncIteration:
                    return
                try:
                    step = generator.asend, (yield value)
                except GeneratorExit:
                    with _step_of(run):
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 (thrown in: the generator's to handle)
                    step = generator.athrow, error
        finally:
            run.end()

    return lowtide_flow


@contextlib.contextmanager
def _step_of(flow: Flow) -> Iterator[None]:
    flow.begin_step()
    try:
        yield
    finally:
        flow.end_step()


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[..., Any]], ...] = (
    (inspect.isasyncgenfunction, _in_async_generator),
    (inspect.iscoroutinefunction, _in_coroutine),
    (inspect.isgeneratorfunction, _in_generator),
)
