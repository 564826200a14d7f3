"""The late: a worker that hangs delays one scrape of all, and its mark goes when it answers or ends."""

import asyncio
import os
import signal
import sys
import time

import pytest
from lowtide.attach import slots
from lowtide.attach.late import Late
from lowtide.attach.peers import WITHIN

from tests.attach.crew import poll, stop

PORT = 9788
FOR_EVER = 3600.0
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see a process stand")


@pytest.fixture
def slot(tmp_path):
    taken = slots.take(tmp_path / "workers", PORT)
    yield taken
    slots.release(taken)


@pytest.fixture
def folder(slot):
    return slot.socket.parent


@pytest.fixture
def mark(folder):
    return slots.mark_of(folder, PORT, 0)


async def answer(_):
    return b"page"


async def hang(_):
    await asyncio.get_running_loop().create_future()


async def refuse(_):
    raise ValueError("answered as 'text/html'")


async def disconnect(_):
    raise ConnectionRefusedError


def ask(folder, fetch, within):
    """Ask the worker in slot 0 by somebody who has never asked it before; tell whether it answered at all."""

    async def main():
        ended = await Late(folder, PORT).ask([0], fetch, within)
        await asyncio.sleep(0)
        return [task.exception() is None for task in ended.values()]

    return asyncio.run(main())


def test_a_worker_that_does_not_answer_in_time_is_marked_and_one_that_answers_is_not(folder, mark):
    assert ask(folder, answer, FOR_EVER) == [True]
    assert not mark.exists()
    assert ask(folder, hang, 0.01) == []
    assert int(mark.read_text()) == os.getpid()
    assert 0 in Late(folder, PORT)


def test_nobody_waits_for_a_marked_worker(folder, mark):
    ask(folder, hang, 0.01)
    assert ask(folder, hang, FOR_EVER) == []


def test_a_marked_worker_that_answers_is_marked_no_more(folder, mark):
    ask(folder, hang, 0.01)
    assert ask(folder, answer, FOR_EVER) == [True]
    assert not mark.exists()


def test_an_answer_that_is_none_takes_the_mark_too_because_nobody_has_to_wait_for_it(folder, mark):
    ask(folder, hang, 0.01)
    assert ask(folder, refuse, FOR_EVER) == [False]
    assert not mark.exists()


def test_a_connection_that_fails_is_no_answer(folder, mark):
    ask(folder, hang, 0.01)
    assert ask(folder, disconnect, FOR_EVER) == [False]
    assert mark.exists()


def test_a_late_answer_takes_the_mark(folder, mark):
    async def main():
        late, gate = Late(folder, PORT), asyncio.Event()

        async def fetch(_):
            await gate.wait()
            return b"page"

        assert await late.ask([0], fetch, 0.01) == {}
        assert await late.ask([0], fetch, FOR_EVER) == {}, "it is asked already"
        assert 0 in late
        gate.set()
        async with asyncio.timeout(60):
            while mark.exists():
                await asyncio.sleep(0)
        assert 0 not in late

    asyncio.run(main())


def test_a_mark_of_another_process_is_void(folder, mark):
    mark.write_text(f"{os.getpid() + 1}\n")
    assert 0 not in Late(folder, PORT)


@pytest.mark.parametrize("content", [b"", b"None\n", b"\xff\xfe"], ids=["empty", "no number", "no text"])
def test_a_broken_mark_is_void(folder, mark, content):
    mark.write_bytes(content)
    assert 0 not in Late(folder, PORT)
    assert ask(folder, answer, FOR_EVER) == [True]


def test_a_mark_that_cannot_be_made_is_no_error(folder, mark):
    mark.mkdir()
    assert ask(folder, hang, 0.01) == []
    assert 0 not in Late(folder, PORT)
    mark.rmdir()


def test_the_next_in_the_slot_is_not_marked(folder, mark):
    ask(folder, hang, 0.01)
    mark.rename(slots.mark_of(folder, PORT, 1))
    second = slots.take(folder, PORT)
    assert second.number == 1
    assert list(folder.glob("*.late")) == []
    slots.release(second)


def number_of(crew, member):
    (worker,) = [worker for worker, pid in crew.pids().items() if pid == member.pid]
    return worker


def mark_of(crew, worker):
    return slots.mark_of(crew.folder, crew.number, int(worker))


@needs_proc
def test_a_stopped_worker_delays_one_scrape_whoever_takes_the_port_after_it(three):
    stopped = three.members[0]
    hung = number_of(three, stopped)
    stop(stopped.pid)
    assert sorted(three.up().values()) == [0, 1, 1]
    assert mark_of(three, hung).exists()
    waited = 0.0
    for _ in range(5):
        heir = three.hire()
        for member in [each for each in three.members if each not in {stopped, heir}]:
            three.kill(member)
        assert poll(lambda: three.pids()[hung]) == stopped.pid
        began = time.monotonic()
        assert three.up() == {hung: 0, number_of(three, heir): 1}
        waited += time.monotonic() - began
    assert waited < 5 * WITHIN, "five first scrapes that wait for it would take longer"
    os.kill(stopped.pid, signal.SIGCONT)
    poll(lambda: set(three.up().values()) == {1})
    poll(lambda: not mark_of(three, hung).exists())


@needs_proc
def test_the_first_page_is_of_a_worker_that_nobody_knows_to_hang(three):
    first = three.pids()["0"]
    stop(first)
    assert three.up()["0"] == 0
    heir = three.hire()
    for member in [each for each in three.members if each.pid not in {first, heir.pid}]:
        three.kill(member)
    page = poll(lambda: three.get("/debug/tasks")[0]).decode()
    assert f"pid {heir.pid} " in page
    os.kill(first, signal.SIGCONT)


def test_a_mark_whose_maker_is_gone_goes_with_the_first_answer(three):
    mark = mark_of(three, 1)
    mark.write_text(f"{three.pids()['1']}\n")
    poll(lambda: three.up() == {"0": 1, "1": 1, "2": 1})
    poll(lambda: not mark.exists())


@needs_proc
def test_a_stopped_worker_that_is_killed_leaves_no_mark(three):
    stopped = three.members[1]
    hung = number_of(three, stopped)
    stop(stopped.pid)
    three.up()
    three.kill(stopped)
    poll(lambda: len(three.up()) == 2)
    assert not mark_of(three, hung).exists()
