"""Requests per second of an aiohttp hello-world whose handler spawns two tasks, with and without lowtide.

Service and client are two processes, one to a core; rounds with and without lowtide alternate in the same service.
"""

import asyncio
import statistics
import subprocess
import sys
import time

import lowtide
from aiohttp import ClientSession, TCPConnector, web
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row, spread

ROUNDS = 16
SECONDS = 1.0
CONNECTIONS = 16


async def _nothing():
    await asyncio.sleep(0)


async def _hello(_):
    await asyncio.gather(asyncio.create_task(_nothing()), asyncio.create_task(_nothing()))
    return web.Response(text="hello\n")


async def _switch(request):
    handle = request.app["handle"]
    if request.match_info["state"] == "on":
        handle.append(lowtide.install(port=None, registry=CollectorRegistry()))
    else:
        handle.pop().close()
    return web.Response()


async def _serve():
    app = web.Application()
    app["handle"] = []
    app.add_routes([web.get("/", _hello), web.post("/lowtide/{state}", _switch)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def _hammer(session, url, until):
    done = 0
    while time.perf_counter() < until:
        async with session.get(url) as response:
            await response.read()
        done += 1
    return done


async def _rate(session, url):
    began = time.perf_counter()
    done = await asyncio.gather(*(_hammer(session, url, began + SECONDS) for _ in range(CONNECTIONS)))
    return sum(done) / (time.perf_counter() - began)


async def _compare(port):
    url = f"http://127.0.0.1:{port}/"
    rates = {"off": [], "on": []}
    async with ClientSession(connector=TCPConnector(limit=CONNECTIONS)) as session:
        await _rate(session, url)
        for _ in range(ROUNDS):
            rates["off"].append(await _rate(session, url))
            await session.post(url + "lowtide/on")
            rates["on"].append(await _rate(session, url))
            await session.post(url + "lowtide/off")
    return rates


def rows():
    with subprocess.Popen(
        [sys.executable, "-c", f"import asyncio, {__name__} as bench; asyncio.run(bench._serve())"],
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        rates = asyncio.run(_compare(int(service.stdout.readline())))
        service.kill()
    ratios = [on / off for on, off in zip(rates["on"], rates["off"], strict=True)]
    ratio = statistics.median(ratios)
    return [
        Row(
            "aiohttp hello-world, two tasks a request: bare",
            f"{statistics.median(rates['off']):.0f} requests/s",
        ),
        Row("the same: lowtide ÷ bare", f"× {ratio:.3f}", spread(ratios), "≥ 0.98", ratio >= 0.98),
    ]
