"""Who holds a stranded task decides whether it is a leak."""

import asyncio
import gc

import lowtide
import pytest

from tests.judge.scene import BACKGROUND, judged, play, spawn, turns

HELD = {}


class Service:
    def __init__(self):
        self.tasks = []
        self.task = None


SERVICE = Service()


def _in_a_set_of_a_module():
    BACKGROUND.add(asyncio.create_task(asyncio.Event().wait()))


def _in_a_list_of_an_object():
    SERVICE.tasks.append(asyncio.create_task(asyncio.Event().wait()))


def _in_containers_in_containers():
    HELD["user"] = {asyncio.create_task(asyncio.Event().wait())}


def _by_nothing():
    asyncio.create_task(asyncio.Event().wait())


def _in_an_attribute():
    SERVICE.task = asyncio.create_task(asyncio.Event().wait())


def _by_a_timer():
    task = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_later(60, task.cancel)


def _in_a_local_of_a_live_task():
    async def supervise():
        children = [asyncio.create_task(asyncio.Event().wait())]
        await asyncio.sleep(60)
        return children

    spawn(supervise())


HOLDERS = [
    (_in_a_set_of_a_module, "unwakeable", "tests.judge.scene:BACKGROUND (set)"),
    (_in_a_list_of_an_object, "unwakeable", "tests.judge.test_grades.Service.tasks attribute (list)"),
    (_in_containers_in_containers, "unwakeable", "tests.judge.test_grades:HELD (dict)"),
    (_by_nothing, "unwakeable", ""),
    (_in_an_attribute, "cancel_only", "tests.judge.test_grades.Service.task attribute"),
    (_by_a_timer, "cancel_only", "the method Task.cancel"),
    (_in_a_local_of_a_live_task, "cancel_only", "supervise"),
]


@pytest.mark.parametrize(("hold", "grade", "holder"), HOLDERS)
def test_the_holder_is_named_and_decides_the_grade(hold, grade, holder):
    async def scene():
        hold()
        return [proof for proof in await judged() if proof.waiting_on == "Event.wait"]

    try:
        (proof,) = play(scene)
    finally:
        HELD.clear()
        SERVICE.__init__()
    assert proof.grade == grade
    assert holder in " ".join(proof.holders) + proof.why


def test_a_main_that_runs_until_cancelled_is_no_leak():
    async def main():
        loop = asyncio.get_running_loop()
        answers = []

        def judge():
            tasks = list(asyncio.all_tasks())
            answers.extend(lowtide.prove(*tasks))
            tasks.pop().cancel()

        loop.call_later(0.01, judge)
        del loop
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return answers

    (proof,) = asyncio.run(main())
    assert proof.grade == "cancel_only"


def test_an_armed_timeout_around_the_wait_is_a_way_out():
    async def scene():
        async def wait():
            async with asyncio.timeout(60):
                await asyncio.Event().wait()

        spawn(wait())
        return await judged()

    (proof,) = play(scene)
    assert proof.grade == "wakeable"


def test_a_done_task_is_refused():
    async def scene():
        task = asyncio.create_task(asyncio.sleep(0), name="quick")
        await task
        with pytest.raises(ValueError, match="'quick' is done"):
            lowtide.prove(task)

    play(scene)


def test_a_task_of_another_loop_is_refused():
    other = asyncio.new_event_loop()
    task = other.create_task(asyncio.Event().wait(), name="elsewhere")

    async def scene():
        with pytest.raises(ValueError, match="'elsewhere' is of another loop"):
            lowtide.prove(task)

    try:
        play(scene)
    finally:
        task.cancel()
        other.run_until_complete(asyncio.wait([task]))
        other.close()


def test_a_thing_that_is_no_task_is_refused():
    async def scene():
        with pytest.raises(ValueError, match="should be an asyncio task, is int"):
            lowtide.prove(3)

    play(scene)


def test_the_proof_says_where_the_user_waits():
    async def waits_here(event):
        await event.wait()

    async def scene():
        spawn(waits_here(asyncio.Event()))
        return await judged()

    (proof,) = play(scene)
    assert proof.where.function.endswith("waits_here")
    assert proof.where.file == __file__
    assert proof.where.line == waits_here.__code__.co_firstlineno + 1


def test_nothing_is_kept_alive_by_a_proof():
    async def scene():
        spawn(asyncio.Event().wait())
        proofs = await judged()
        BACKGROUND.clear()
        await turns()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        gc.collect()
        return proofs, len(asyncio.all_tasks())

    proofs, left = play(scene)
    assert proofs[0].group
    assert left == 1
