"""A loop in which tasks get stuck, are judged between two callbacks, and are let go."""

import asyncio
import gc

import lowtide

BACKGROUND = set()


def spawn(coro):
    """Make a task and hold it in a module's set, as services do."""
    task = asyncio.create_task(coro)
    BACKGROUND.add(task)
    task.add_done_callback(BACKGROUND.discard)
    return task


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def judged(*names):
    """Judge the pending tasks of these names, or all but the current one, from a callback of the loop."""
    loop = asyncio.get_running_loop()
    current = id(asyncio.current_task())
    await turns()
    answer = loop.create_future()

    def judge():
        tasks = [task for task in asyncio.all_tasks() if id(task) != current]
        tasks = [task for task in tasks if not names or task.get_name() in names]
        answer.set_result(lowtide.prove(*tasks))

    loop.call_soon(judge)
    return await answer


async def grades(*names):
    return sorted(proof.grade for proof in await judged(*names))


def play(scene):
    """Run a scene with automatic collection off, and clear away what it leaves."""
    was_enabled = gc.isenabled()
    gc.disable()

    async def main():
        try:
            return await scene()
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                try:
                    task.cancel()
                except RecursionError:  # tasks that await each other
                    task.get_coro().throw(asyncio.CancelledError)
            await turns(10)

    try:
        return asyncio.run(main())
    finally:
        BACKGROUND.clear()
        if was_enabled:
            gc.enable()
        gc.collect()
