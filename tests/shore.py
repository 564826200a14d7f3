"""A service to look at: leaks, circles, names that attack, and a loop that stands still when it is told to.

Run by the tests of the debug page and by the command that takes its pictures: ``python -m tests.shore leaks``.
It prints its URL, and obeys lines on its standard input: ``block 3`` stands still for so many seconds, ``block``
until ``free``.
"""

import argparse
import asyncio
import sys
import threading

import lowtide
from lowtide.judge import census, docket

_background = set()


def keep(coroutine, name=None):
    """Make a task and hold it, as services do."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _background.add(task)


async def ask_discounter(answers):
    await answers.put("discount")
    await answers.put("reason")


def price():
    keep(ask_discounter(asyncio.Queue(1)))


async def transfer(mine, other, ready):
    async with mine:
        await ready.wait()
        async with other:
            raise AssertionError


def two_accounts():
    one, two, ready = asyncio.Lock(), asyncio.Lock(), asyncio.Barrier(2)
    keep(transfer(one, two, ready), "transfer-1")
    keep(transfer(two, one, ready), "transfer-2")


async def philosopher(left, right, ready):
    async with left:
        await ready.wait()
        async with right:
            raise AssertionError


def dinner():
    forks, ready = [asyncio.Lock() for _ in range(5)], asyncio.Barrier(5)
    for seat in range(5):
        keep(philosopher(forks[seat], forks[(seat + 1) % 5], ready), f"philosopher-{seat + 1}")


async def poll_prices():
    while True:
        await asyncio.sleep(0.5)


_bells = []


def bell():
    """Make an event that somebody may yet set."""
    _bells.append(asyncio.Event())
    return _bells[-1]


async def watch_price(rung):
    await rung.wait()


async def send_report(rung):
    await rung.wait()


def requests():
    """Leave tasks behind in two kinds of flows, and none in a third."""
    for _ in range(3):
        with lowtide.flow("GET /price"):
            keep(watch_price(bell()))
    for _ in range(2):
        with lowtide.flow("nightly report"):
            keep(send_report(bell()))
    with lowtide.flow("GET /health"):
        pass
    keep(poll_prices())


HOSTILE = {
    "script": "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">",
    "turned": "promo\u202eecirp\u202c\u200f",
    "long": "a" * 10_000,
    "quotes": "\"'`&lt;{{7*7}}",
}


def attack():
    for name in HOSTILE.values():

        async def stuck(answers):
            await answers.put(1)
            await answers.put(2)

        stuck.__qualname__ = name
        stuck.__code__ = stuck.__code__.replace(co_qualname=name)  # what a stack is named by
        keep(stuck(asyncio.Queue(1)), name)


async def crowd(tasks, origins):
    """Leak many tasks of many origins at once."""
    makers = []
    for number in range(origins):
        scope = {}
        exec(f"async def leak_{number}(queue):\n    await queue.get()", scope)
        makers.append(scope[f"leak_{number}"])
    queue = asyncio.Queue()
    for number in range(tasks):
        keep(makers[number % origins](queue))
        if number % 1000 == 0:
            await asyncio.sleep(0)


_freed = threading.Event()


def check_prices(seconds):
    """Stand still for so long, or until somebody ends it."""
    _freed.wait(seconds)
    _freed.clear()


def _obey(loop):
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "block":
            loop.call_soon_threadsafe(check_prices, float(rest) if rest else None)
        elif word == "free":
            _freed.set()


async def main(options):
    if options.hurry:
        census.PROVE_AFTER, docket._GATHERING, docket._BETWEEN_PASSES = 0.3, 0.2, 2.0
    handle = lowtide.install(
        host=options.host,
        port=options.port,
        service="<b>promo</b>" if options.scene == "hostile" else "promo",
        version="1.4.2",
        revision="9f2c1ab",
        aged_after=options.aged_after,
        stray_after=options.stray_after,
        max_origins=2000,
    )
    if options.scene == "leaks":
        two_accounts()
        dinner()
        keep(poll_prices())
    elif options.scene == "flows":
        requests()
    elif options.scene == "hostile":
        attack()
    elif options.scene == "crowd":
        await crowd(options.tasks, options.origins)
    threading.Thread(target=_obey, args=(asyncio.get_running_loop(),), daemon=True, name="obey").start()
    print(handle.url.removesuffix("/metrics"), flush=True)
    for _ in range(options.leaks if options.scene == "leaks" else 0):
        price()
        await asyncio.sleep(options.every)
    await asyncio.Event().wait()


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("scene", choices=["leaks", "flows", "hostile", "crowd", "empty"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--aged-after", type=float, default=600.0)
    parser.add_argument("--stray-after", type=float, default=30.0)
    parser.add_argument("--leaks", type=int, default=20)
    parser.add_argument("--every", type=float, default=0.0)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--origins", type=int, default=100)
    parser.add_argument("--hurry", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    asyncio.run(main(parse(sys.argv[1:])))
