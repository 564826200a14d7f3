"""Forks: a child starts clean, and nothing hangs when it doesn't care."""

import asyncio
import multiprocessing
import os
import socket
import sys
import threading
import urllib.request
import warnings

import lowtide
import pytest
from prometheus_client import REGISTRY

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

WITHIN = 20.0


def in_child(function):
    """Run a function in a forked child; return what it returns, as text."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads: they are what is tested
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(function()).encode())
        except BaseException as error:  # noqa: BLE001 (the parent is told)
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    killer = threading.Timer(WITHIN, os.kill, (child, 9))
    killer.start()
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    killer.cancel()
    killer.join()
    return answer


async def _wait(gate):
    await gate.wait()


def _installed(child):
    """Fork while the parent has tasks and a server, and return the child's answer."""

    async def main():
        with lowtide.install(port=0) as handle:
            gate = asyncio.Event()
            tasks = [asyncio.create_task(_wait(gate)) for _ in range(5)]
            await asyncio.sleep(0)
            answer = in_child(lambda: child(handle))
            assert handle.snapshot().loops[0].live == 6
            urllib.request.urlopen(handle.url, timeout=5).close()
            gate.set()
            await asyncio.gather(*tasks)
        return answer

    return asyncio.run(main())


def _in_new_loop(coroutine):
    # The child still believes to be inside the parent's loop.
    asyncio._set_running_loop(None)
    return asyncio.run(coroutine)


def test_a_child_that_installs_counts_from_nothing():
    async def main():
        with lowtide.install(port=0) as handle:
            page = await asyncio.to_thread(
                lambda: urllib.request.urlopen(handle.url, timeout=5).read().decode()
            )
            counts = handle.snapshot()
        return [loop.made for loop in counts.loops], "asyncio_tasks_live" in page

    assert _installed(lambda _: _in_new_loop(main())) == "([1], True)"


def test_a_child_that_does_not_install_runs_and_exports_nothing():
    async def main():
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
        return sorted(family.name for family in REGISTRY.collect() if family.name.startswith("asyncio"))

    assert _installed(lambda _: _in_new_loop(main())) == "[]"


def test_a_child_does_not_keep_the_parents_port():
    async def main():
        with lowtide.install(port=0) as handle:
            port = int(handle.url.rpartition(":")[2].split("/")[0])
            reader, writer = os.pipe()
            ready, up = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                os.close(writer)
                os.write(up, b"!")
                os.read(reader, 1)  # stays until the parent has tried
                os._exit(0)
            os.read(ready, 1)
            os.close(ready)
            os.close(up)
        with socket.create_server(("127.0.0.1", port)):
            pass
        os.close(writer)
        os.waitpid(child, 0)
        os.close(reader)

    asyncio.run(main())


def test_close_in_the_child_of_the_parents_handle_does_nothing():
    assert _installed(lambda handle: handle.close()) == "None"


def test_a_fork_in_the_middle_of_a_census_does_not_hang_the_child():
    async def main():
        with lowtide.install(port=None) as handle:
            stop = threading.Event()

            def scrape():
                while not stop.is_set():
                    handle.snapshot()

            threads = [threading.Thread(target=scrape) for _ in range(2)]
            for thread in threads:
                thread.start()
            answers = [in_child(lambda: _in_new_loop(_count())) for _ in range(10)]
            stop.set()
            for thread in threads:
                await asyncio.to_thread(thread.join)
        return answers

    async def _count():
        with lowtide.install(port=None) as handle:
            return handle.snapshot().loops[0].live

    assert asyncio.run(main()) == ["1"] * 10


def _work(number):
    async def main():
        with lowtide.install(port=None) as handle:
            await asyncio.sleep(0)
            return handle.snapshot().loops[0].live + number

    return _in_new_loop(main())


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS forks badly")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_pool_works_under_an_installed_parent(method):
    async def main():
        with lowtide.install(port=0), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            with multiprocessing.get_context(method).Pool(2) as pool:
                return pool.map(_work, range(4))

    assert asyncio.run(main()) == [1, 2, 3, 4]
