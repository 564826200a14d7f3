"""A thread will wake the task, and holds it in its frames, its stack, its storage, or its queues."""

import asyncio
import concurrent.futures
import queue
import selectors
import socket
import threading
import time
from collections import deque
from itertools import repeat

from tests.corpus.parked import Hand, park, resolve, threadsafe, until
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


@healthy
async def run_in_executor(stage):
    """A task waits for a call in the loop's thread pool, which waits at a gate."""
    gate = threading.Event()

    async def call():
        await asyncio.get_running_loop().run_in_executor(None, gate.wait)

    stage.spawn(call())
    await turns()
    yield list(stage.background)
    gate.set()


@healthy
async def to_thread_under_a_lock(stage):
    """The owner of a lock waits for a thread; others wait for the lock."""
    gate = threading.Event()

    async def work(lock):
        async with lock:
            await asyncio.to_thread(gate.wait)

    def start(lock):
        for _ in range(3):
            stage.spawn(work(lock))

    start(asyncio.Lock())
    await turns()
    yield list(stage.background)
    gate.set()


@healthy
async def concurrent_future(stage):
    """A future of concurrent.futures, wrapped, is held by a queue of work that a thread will get to."""
    work = queue.SimpleQueue()

    def serve(gate):
        gate.wait()
        work.get().set_result(None)

    def start(future):
        work.put(future)
        stage.spawn(asyncio.wait([asyncio.wrap_future(future)]))

    hand = Hand(serve)
    start(concurrent.futures.Future())
    await turns()
    yield list(stage.background)
    hand.let_go()


@healthy
async def local_of_a_blocked_thread(stage):
    """A thread blocks on a lock; the future is a local variable of its frame."""

    def block(gate, wake):
        mine = wake
        del wake
        gate.wait()
        mine()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(block, threadsafe(future))))
    hands.pop().let_go()


@healthy
async def deep_in_a_blocked_thread(stage):
    """The future is a local of a frame far above the one in which the thread blocks."""

    def descend(gate, depth):
        if depth:
            descend(gate, depth - 1)
        else:
            gate.wait()

    def hold(gate, box):
        wake = box.pop()
        descend(gate, 20)
        wake()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(hold, [threadsafe(future)])))
    hands.pop().let_go()


@healthy
async def value_stack_of_a_blocked_thread(stage):
    """No variable refers to the waker: it lies on the value stack while its argument is being computed."""

    def hold(gate, box):
        resolve_soon(box.pop(), gate.wait())

    def resolve_soon(future, _opened):
        future.get_loop().call_soon_threadsafe(resolve, future)

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(hold, [future])))
    hands.pop().let_go()


@healthy
async def iterators_in_c_of_a_blocked_thread(stage):
    """A thread is inside C: a deque drains a map, whose last argument blocks in a queue."""
    orders = queue.Queue()

    def serve(gate, box):
        future = box.pop()
        calls = map(
            future.get_loop().call_soon_threadsafe, repeat(resolve), repeat(future), iter(orders.get, 0)
        )
        del future
        deque(calls, maxlen=0)

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, [future])))
    orders.put("wake")
    orders.put(0)
    hands.pop().let_go()


@healthy
async def queue_and_thread(stage):
    """A worker thread takes requests with their replies out of a queue; this one is still in it."""
    requests = queue.Queue()

    def serve(gate):
        gate.wait()
        requests.get()()

    hand = Hand(serve)
    yield await park(stage, lambda future: requests.put(threadsafe(future)))
    hand.let_go()


@healthy
async def thread_local_storage(stage):
    """The waker lies in a thread's local storage."""
    storage = threading.local()

    def serve(gate, box):
        storage.wake = box.pop()
        gate.wait()
        storage.wake()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, [threadsafe(future)])))
    hands.pop().let_go()


@healthy
async def generator_of_a_blocked_thread(stage):
    """A thread iterates over a generator that it does not name, and that holds the waker."""

    def wakers(wake):
        yield
        wake()

    def serve(gate, box):
        for _ in wakers(box.pop()):
            gate.wait()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, [threadsafe(future)])))
    hands.pop().let_go()


@healthy
async def selector_of_a_thread(stage):
    """A thread sleeps in a selector, and the waker is the data of a registered socket."""
    near, far = socket.socketpair()
    selector = selectors.DefaultSelector()

    def serve(gate):
        for key, _ in selector.select():
            key.data()
        gate.wait()

    yield await park(stage, lambda f: selector.register(near, selectors.EVENT_READ, threadsafe(f)))
    hand = Hand(serve)
    far.send(b"!")
    hand.let_go()
    for end in (selector, near, far):
        end.close()


@healthy
async def task_of_another_loop(stage):
    """In another thread runs another loop, with a task that will wake this one."""
    cue = threading.Event()

    async def elsewhere(wake):
        await until(cue)
        wake()

    def serve(gate, box):
        asyncio.run(elsewhere(box.pop()))

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, [threadsafe(future)])))
    cue.set()
    hands.pop().let_go()


@healthy
async def timer_of_a_thread(stage):
    """A threading.Timer with the future's method among its arguments, to run very soon."""
    timers = []

    def give(future):
        loop = asyncio.get_running_loop()
        timers.append(threading.Timer(0.06, loop.call_soon_threadsafe, [resolve, future]))
        timers[0].start()

    yield await park(stage, give)
    timers.pop().join()


@healthy
async def waker_that_spins(stage):
    """A thread that never blocks: it spins until it is cued, and then wakes the task."""
    cue = threading.Event()

    def spin(gate, box):
        wake = box.pop()
        while not cue.is_set():
            time.sleep(0)
        wake()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(spin, [threadsafe(future)])))
    cue.set()
    hands.pop().let_go()
