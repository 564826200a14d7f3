"""Letters: e-mail that is sent and forgotten, and takes its seconds."""

import asyncio
import random


async def send_letter(to: str, text: str) -> None:
    """Hand a letter to a mail server, which answers when it likes."""
    assert to, text
    await asyncio.sleep(random.uniform(1.0, 2.0))
