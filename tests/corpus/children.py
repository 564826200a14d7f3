"""Tasks that a signal or a child process will wake."""

import asyncio
import os
import signal
import sys

from tests.corpus.stage import healthy


@healthy
async def a_signal_handler_of_the_loop(stage):
    """Hold the event in a handler that the loop keeps for a signal."""
    loop = asyncio.get_running_loop()

    def park():
        event = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, event.set)
        return [stage.spawn(event.wait())]

    yield park()
    os.kill(os.getpid(), signal.SIGUSR1)
    while stage.background:
        await asyncio.sleep(0.001)
    loop.remove_signal_handler(signal.SIGUSR1)


@healthy
async def a_signal_handler_of_the_process(stage):
    """Hold the queue in a handler that only the interpreter keeps, in C."""

    def park():
        loop, queue = asyncio.get_running_loop(), asyncio.Queue()

        def handle(number, frame):
            loop.call_soon_threadsafe(queue.put_nowait, number)

        signal.signal(signal.SIGUSR2, handle)
        return [stage.spawn(queue.get())]

    before = signal.getsignal(signal.SIGUSR2)
    yield park()
    os.kill(os.getpid(), signal.SIGUSR2)
    while stage.background:
        await asyncio.sleep(0.001)
    signal.signal(signal.SIGUSR2, before)


async def start(program):
    """Start a small interpreter. Its exit is what somebody waits for."""
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(sys.executable, "-ISc", program, **pipes)


async def close(process):
    process.stdin.close()
    await process.wait()
    await process.stdout.read()


@healthy
async def a_child_process_exits(stage):
    """Wait for a child that ends when its input does."""
    process = await start("input()")
    yield [stage.spawn(process.wait())]
    process.stdin.write(b"go\n")
    await close(process)


@healthy
async def a_child_process_prints(stage):
    """Wait for a line from a child."""
    process = await start("print(input())")
    yield [stage.spawn(process.stdout.readline())]
    process.stdin.write(b"go\n")
    while stage.background:
        await asyncio.sleep(0.001)
    await close(process)
