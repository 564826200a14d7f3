"""A few turns of the event loop, for programs whose tasks must get somewhere before the next step."""

import asyncio


async def turns(count=4):
    for _ in range(count):
        await asyncio.sleep(0)
