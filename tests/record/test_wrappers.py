"""Coroutines that real libraries wrap in their own: the origin is the one inside."""

import asyncio
import contextlib

import anyio
import pytest

HERE = __name__


async def work(gate):
    await gate.wait()


async def _look(handle):
    """Let the wrapper begin, then tell the coroutines of the live tasks."""
    for _ in range(3):
        await asyncio.sleep(0)
    return {count.origin.coroutine for count in handle.snapshot().origins if count.live}


def test_a_task_of_an_anyio_group_is_named_after_its_own_coroutine(install):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(work, gate)
                found = await _look(handle)
                gate.set()
        return found

    assert f"{HERE}:work" in asyncio.run(main())


@contextlib.contextmanager
def opentelemetry():
    from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor

    AsyncioInstrumentor().instrument()
    yield
    AsyncioInstrumentor().uninstrument()


@contextlib.contextmanager
def sentry():
    from sentry_sdk.integrations.asyncio import patch_asyncio

    patch_asyncio()
    yield
    asyncio.get_running_loop().set_task_factory(None)


@pytest.mark.parametrize("library", [opentelemetry, sentry])
def test_a_task_that_an_instrumentation_wraps_is_named_after_its_own_coroutine(install, library, monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE", "work")

    async def main():
        with library(), install() as handle:
            gate = asyncio.Event()
            task = asyncio.create_task(work(gate))
            found = await _look(handle)
            gate.set()
            await task
        return found

    assert f"{HERE}:work" in asyncio.run(main())
