"""Tasks that hold their waker themselves, so that everything near them seems to be explained."""

import asyncio
import concurrent.futures
import signal
import socket
import sys
import threading
import weakref

from tests.corpus.stage import healthy


class Debounce:
    """Hold an event, the timer that will set it, and the task that waits for it."""

    def __init__(self, stage):
        self.quiet = asyncio.Event()
        self.timer = asyncio.get_running_loop().call_later(0.05, self.quiet.set)
        self.task = stage.spawn(self.run())

    async def run(self):
        await self.quiet.wait()


@healthy
async def a_task_holds_its_timer(stage):
    """Hold the timer's handle in the object whose method waits."""
    Debounce(stage)
    yield set(stage.background)


@healthy
async def a_task_holds_its_transport(stage):
    """Hold reader, writer and transport in the frame that waits."""
    left, right = socket.socketpair()
    with right:

        async def read():
            reader, writer = await asyncio.open_connection(sock=left)
            transport = writer.transport
            await reader.readexactly(3)
            transport.close()
            await writer.wait_closed()

        stage.spawn(read())
        for _ in range(3):
            await asyncio.sleep(0.001)
        yield set(stage.background)
        right.send(b"abc")
        while stage.background:
            await asyncio.sleep(0.001)


@healthy
async def a_task_holds_its_thread(stage):
    """Hold the thread that will wake it."""
    go = threading.Event()

    async def wait():
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def run():
            go.wait()
            loop.call_soon_threadsafe(event.set)

        thread = threading.Thread(target=run)
        thread.start()
        await event.wait()
        thread.join()

    yield [stage.spawn(wait())]
    go.set()


@healthy
async def a_task_holds_its_executor(stage):
    """Hold the executor that works for it, and the future of the work."""
    go = threading.Event()

    async def wait():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            work = pool.submit(go.wait)
            await asyncio.wrap_future(work)

    yield [stage.spawn(wait())]
    go.set()


@healthy
async def a_task_holds_its_signal_handler(stage):
    """Hold the handler function that the interpreter keeps as well."""
    before = signal.getsignal(signal.SIGUSR2)

    async def wait():
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def handle(number, frame):
            loop.call_soon_threadsafe(event.set)

        signal.signal(signal.SIGUSR2, handle)
        await event.wait()
        signal.signal(signal.SIGUSR2, before)

    yield [stage.spawn(wait())]
    signal.raise_signal(signal.SIGUSR2)


@healthy
async def a_task_holds_its_child_process(stage):
    """Hold the process, its streams and its transport in the frame that waits."""
    inputs = []

    async def wait():
        program = ["-ISc", "import sys; sys.stdin.read()"]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *program, stdin=pipe)
        inputs.append(process.stdin)
        await process.wait()

    stage.spawn(wait())
    while not inputs:
        await asyncio.sleep(0.001)
    yield set(stage.background)
    inputs.pop().close()
    while stage.background:
        await asyncio.sleep(0.001)


@healthy
async def a_task_holds_its_server(stage):
    """Hold the server whose first connection will wake it."""
    addresses = []

    async def wait():
        event = asyncio.Event()

        async def handle(reader, writer):
            writer.close()
            event.set()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        addresses.append(server.sockets[0].getsockname())
        await event.wait()
        server.close()

    stage.spawn(wait())
    while not addresses:
        await asyncio.sleep(0.001)
    yield set(stage.background)
    with socket.create_connection(addresses.pop()):
        while stage.background:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)


class Owner:
    """Be something whose end is awaited."""


@healthy
async def a_task_holds_its_finalizer(stage):
    """Hold the finalizer that will set the event."""
    owners = [Owner()]

    async def wait():
        event = asyncio.Event()
        finalizer = weakref.finalize(owners[0], event.set)
        finalizer.atexit = False
        await event.wait()
        return finalizer

    yield [stage.spawn(wait())]
    await asyncio.sleep(0)
    owners.clear()


@healthy
async def a_task_holds_a_loop_that_will_run(stage):
    """Hold another loop, which has the callback ready and doesn't run yet."""
    loops = []

    async def wait():
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        other = asyncio.new_event_loop()
        other.call_soon(loop.call_soon_threadsafe, event.set)
        loops.append(other)
        await event.wait()
        return other

    def run(other):
        other.call_soon(other.stop)
        other.run_forever()
        other.close()

    yield [stage.spawn(wait())]
    await asyncio.to_thread(run, loops.pop())


@healthy
async def a_task_holds_its_socket(stage):
    """Hold the socket whose reader callback will set the event."""
    left, right = socket.socketpair()
    with right:

        async def wait():
            loop, event = asyncio.get_running_loop(), asyncio.Event()
            with left:
                loop.add_reader(left, event.set)
                await event.wait()
                loop.remove_reader(left)

        yield [stage.spawn(wait())]
        right.send(b"x")
        while stage.background:
            await asyncio.sleep(0.001)


@healthy
async def a_task_holds_its_sleeping_child(stage):
    """Hold the only reference to the child that will set the event after its sleep."""

    async def wait():
        event = asyncio.Event()

        async def set_later():
            await asyncio.sleep(0.05)
            event.set()

        child = asyncio.create_task(set_later())
        await event.wait()
        return child

    yield [stage.spawn(wait())]
