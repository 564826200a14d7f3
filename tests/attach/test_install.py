"""install() and close(): what they give, share, refuse and undo."""

import asyncio
import gc
import socket
import threading
import urllib.request

import lowtide
import pytest
from prometheus_client import REGISTRY, CollectorRegistry


def names(registry):
    return {family.name for family in registry.collect()}


def read(url):
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read().decode()


def test_the_default_serves_metrics_on_loopback(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("LOWTIDE_PORT", str(port))

    async def main():
        with lowtide.install(service="promo", version="1.4.2") as handle:
            assert handle.url == f"http://127.0.0.1:{port}/metrics"
            return await asyncio.to_thread(read, handle.url)

    page = asyncio.run(main())
    assert 'lowtide_deployment_info{revision="",service="promo",version="1.4.2"} 1.0' in page
    assert "process_start_time_seconds" in page
    assert "asyncio_tasks" not in names(REGISTRY)


@pytest.mark.parametrize("mine", [REGISTRY, CollectorRegistry(), CollectorRegistry(auto_describe=True)])
def test_the_metrics_of_the_process_are_there_once(mine):
    async def main():
        with lowtide.install(port=None, registry=mine):
            return [family.name for family in mine.collect()]

    found = asyncio.run(main())
    assert len(found) == len(set(found))
    assert {"process_start_time_seconds", "python_gc_collections", "asyncio_tasks"} <= set(found)


def test_close_takes_our_metrics_out_and_leaves_those_of_others():
    before = names(REGISTRY)

    async def main():
        lowtide.install(port=None).close()

    asyncio.run(main())
    assert names(REGISTRY) == before


def test_a_second_call_for_a_loop_returns_the_same_handle(install):
    async def main():
        with install() as handle:
            assert install() is handle

    asyncio.run(main())


def test_close_is_safe_twice(install):
    async def main():
        handle = install()
        handle.close()
        handle.close()

    asyncio.run(main())


def test_after_close_the_loop_is_as_before(install):
    async def main():
        loop = asyncio.get_running_loop()
        callbacks = list(gc.callbacks)
        with install():
            assert loop.get_task_factory() is not None
        assert loop.get_task_factory() is None
        assert gc.callbacks == callbacks

    asyncio.run(main())


def test_without_a_loop_the_error_says_where_to_call():
    with pytest.raises(RuntimeError, match=r"no running event loop: call install\(\) inside the loop"):
        lowtide.install(port=None)


def test_a_port_in_use_leaves_nothing_half_installed(registry):
    async def main():
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match=f"port {port}"):
                lowtide.install(port=port, registry=registry)
        assert loop.get_task_factory() is None
        assert "asyncio_tasks" not in names(registry)
        with lowtide.install(port=None, registry=registry):
            assert "asyncio_tasks" in names(registry)

    asyncio.run(main())


def test_a_setting_that_contradicts_an_earlier_call_is_an_error(install):
    other = asyncio.new_event_loop()

    async def main():
        with install(aged_after=60), pytest.raises(ValueError, match=r"aged_after=60\.0, not 30\.0"):
            install(loop=other, aged_after=30)

    asyncio.run(main())
    other.close()


class LoopThread:
    """A loop that runs in a thread of its own."""

    def __init__(self, name):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name=name)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(5)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def test_loops_in_threads_are_told_apart_and_share_the_server(registry):
    others = [LoopThread(f"pool-{i}") for i in range(2)]

    async def install():
        return lowtide.install(port=0, registry=registry)

    async def main():
        first = await install()
        handles = [await asyncio.to_thread(other.run, install()) for other in others]
        assert {handle.url for handle in handles} == {first.url}
        page = await asyncio.to_thread(read, first.url)
        for handle in handles:
            await asyncio.to_thread(handle.close)
        assert [loop.loop for loop in first.snapshot().loops] == ["main"]
        first.close()
        return page

    page = asyncio.run(main())
    for other in others:
        other.close()
    assert 'asyncio_tasks{loop="main"} 1.0' in page
    assert 'asyncio_tasks{loop="pool-#"} 0.0' in page
    assert 'asyncio_tasks{loop="pool-# 2"} 0.0' in page


def test_a_loop_that_runs_in_another_thread_can_be_installed_into_from_here(install):
    other = LoopThread("elsewhere")
    with install(loop=other.loop) as handle:
        assert [loop.loop for loop in handle.snapshot().loops] == ["elsewhere"]
    other.close()


def test_a_loop_closed_without_closing_the_handle_makes_room_for_the_next(registry):
    async def main():
        return lowtide.install(port=0, registry=registry, aged_after=5)

    first = asyncio.run(main())

    async def again():
        with lowtide.install(port=0, registry=registry, aged_after=7) as second:
            assert second is not first

    asyncio.run(again())


def test_a_snapshot_after_close_says_that_it_is_closed(install):
    async def main():
        handle = install()
        handle.close()
        with pytest.raises(RuntimeError, match="lowtide is closed"):
            handle.snapshot()

    asyncio.run(main())


def test_loops_that_come_and_go_leave_nothing(registry):
    async def main():
        lowtide.install(port=None, registry=registry)
        await asyncio.sleep(0)

    for _ in range(200):
        asyncio.run(main())

    async def last():
        with lowtide.install(port=None, registry=registry) as handle:
            return len(handle.snapshot().loops)

    assert asyncio.run(last()) == 1
