"""A put on a full queue whose consumer is gone."""

import asyncio

from tests.corpus.stage import fixes, leaks


async def quote(answers, item):
    await asyncio.sleep(0)
    await answers.put(item * 2)


@leaks
async def nobody_reads_the_quotes(stage):
    """Start three workers on a queue with room for one, and never read it."""
    answers = asyncio.Queue(maxsize=1)
    for item in range(3):
        stage.spawn(quote(answers, item))


@fixes(nobody_reads_the_quotes)
async def every_quote_is_read(stage):
    answers = asyncio.Queue(maxsize=1)
    for item in range(3):
        stage.spawn(quote(answers, item))
    for _ in range(3):
        await answers.get()
