"""The dynamic discounter: a second service, asked over HTTP, that works a discount out for one user."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, TCPConnector, web

from lowtide.demo.rules import FAKE, RULES

SESSION = web.AppKey("discounter", ClientSession)
"""Where an application keeps its client of the discounter."""
_MOST_CONNECTIONS = 20


async def discount(request: web.Request) -> web.Response:
    """Work out a discount; that takes a moment."""
    await asyncio.sleep(random.uniform(0.002, 0.01))
    code = request.match_info["code"]
    if code in FAKE:
        return web.json_response({"error": "no such code"}, status=404)
    return web.json_response({"discount": RULES.get(code, 0) + random.randint(0, 5)})


def application() -> web.Application:
    """Make the discounter."""
    app = web.Application()
    app.router.add_get("/discount/{code}", discount, allow_head=False)
    return app


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on any free port of loopback; give its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def connected(app: web.Application) -> AsyncIterator[None]:
    """Run a discounter beside an application, and a client of it: for ``cleanup_ctx``."""
    connector = TCPConnector(limit=_MOST_CONNECTIONS)
    async with (
        serving(application()) as url,
        ClientSession(url, connector=connector, timeout=ClientTimeout(total=5)) as session,
    ):
        app[SESSION] = session
        yield


async def dynamic_discount(session: ClientSession, code: str) -> int | None:
    """Ask the discounter for the percent off under a code; None if it doesn't know the code.

    Where the client is closed, because the service ends, it is cancelled.
    """
    try:
        async with session.get(f"/discount/{code}") as response:
            return None if response.status == 404 else int((await response.json())["discount"])
    except (ClientConnectionError, RuntimeError):
        if session.closed:
            raise asyncio.CancelledError from None
        raise
