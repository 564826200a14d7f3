"""The demo's traffic: valid promo codes and fake ones."""

import asyncio
import random

from aiohttp import ClientError, ClientSession, ClientTimeout

from lowtide.demo.service import RULES

FAKE_SHARE = 0.2


async def send(base_url: str, per_second: float) -> None:
    """Ask the service for prices until cancelled."""
    codes = list(RULES)
    async with ClientSession(timeout=ClientTimeout(total=5)) as session:
        while True:
            code = "FAKE" if random.random() < FAKE_SHARE else random.choice(codes)
            try:
                async with session.get(f"{base_url}/promo/{code}") as response:
                    await response.read()
            except (ClientError, TimeoutError):
                pass  # the service is going down, or was too busy: the next one may do
            await asyncio.sleep(random.expovariate(per_second))
