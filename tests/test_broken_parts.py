"""The third invariant of the design: a broken part turns itself off, and the rest is served."""

import asyncio
import logging

import pytest
from lowtide.attach import handle as handles
from lowtide.record.part import Part
from prometheus_client import generate_latest

# What each part rests on, and where it is kept.
FOUNDATIONS = {
    "tasks": ("", "census"),
    "loops": ("heart", "lag"),
    "threads": ("", "_threads"),
    "gc": ("", "pauses"),
    "deployment": ("", "_deployment"),
}


@pytest.mark.parametrize("part", FOUNDATIONS)
def test_3_a_part_that_raises_is_off_logged_once_and_the_rest_is_served(install, registry, caplog, part):
    async def main():
        failures = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        with install():
            recorders = handles._state.recorders
            place, name = FOUNDATIONS[part]
            owner = recorders.loops[0].heartbeat if place == "heart" else recorders
            healthy = getattr(owner, name)
            setattr(owner, name, _Broken())
            await asyncio.sleep(2.1)  # callbacks, the watcher and scrapes all meet it
            pages = [generate_latest(registry).decode() for _ in range(2)]
            setattr(owner, name, healthy)
        assert failures == []
        return pages

    with caplog.at_level(logging.ERROR, "lowtide"):
        pages = asyncio.run(main())
    errors = [record for record in caplog.records if record.name == "lowtide"]
    assert len(errors) == 1
    assert "broken on purpose" in errors[0].exc_text
    for page in pages:
        assert f'lowtide_collect_success{{part="{part}"}} 0.0' in page
        assert (
            page.count("} 1.0\nlowtide_collect_success") + page.count("} 0.0\nlowtide_collect_success") == 6
        )
        assert ("lowtide_deployment_info{" in page) == (part != "deployment")


class _Broken:
    """Raises whatever is done with it."""

    def __iter__(self):
        raise ZeroDivisionError("broken on purpose")

    def __call__(self, *_):
        raise ZeroDivisionError("broken on purpose")

    def __getattr__(self, name):
        raise ZeroDivisionError("broken on purpose")


def test_3_a_factory_that_breaks_still_gives_the_host_its_task(install, caplog):
    async def main():
        with install():
            nursery = handles._state.recorders.loops[0].count.nursery
            nursery._find = _Broken()
            nursery._factory = nursery._make_factory(asyncio.Task, 2, plain=True)
            asyncio.get_running_loop().set_task_factory(nursery._factory)
            return [await asyncio.create_task(asyncio.sleep(0, i)) for i in range(3)]

    with caplog.at_level(logging.ERROR, "lowtide"):
        assert asyncio.run(main()) == [0, 1, 2]
    assert [record.message for record in caplog.records] == [
        "the part 'tasks' of lowtide failed and is off until the process restarts"
    ]


def test_3_a_watcher_whose_part_breaks_goes_on_with_the_others(install, registry, caplog):
    async def main():
        with install():
            recorders = handles._state.recorders
            recorders.parts.loops.attempt(_Broken())
            made = registry.get_sample_value("asyncio_tasks_created_total", {"loop": "main"})
            await asyncio.create_task(asyncio.sleep(1.2))
            assert recorders._watcher._thread.is_alive()
            return made, registry.get_sample_value("asyncio_tasks_created_total", {"loop": "main"})

    with caplog.at_level(logging.CRITICAL, "lowtide"):
        before, after = asyncio.run(main())
    assert after == before + 1


def test_3_a_part_that_works_is_not_off():
    part = Part("healthy")
    assert part.attempt(lambda: 17) == 17
    assert not part.broken
