"""Permits that are lost on an error or a cancellation, or that are held by those who wait for more."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Converter:
    """Converts at most two documents at a time."""

    def __init__(self):
        self.permits = asyncio.Semaphore(2)

    async def convert_hopefully(self, document):
        await self.permits.acquire()
        text = document.decode()
        self.permits.release()
        return text

    async def convert(self, document):
        async with self.permits:
            return document.decode()


@leaks
async def lost_on_error(stage):
    """Each broken document costs a permit; after two of them every conversion waits."""
    converter = Converter()
    for document in (b"\xff", b"\xfe"):
        await asyncio.gather(converter.convert_hopefully(document), return_exceptions=True)
    for _ in range(3):
        stage.spawn(converter.convert_hopefully(b"good"))


@fixes(lost_on_error)
async def returned_on_error(stage):
    converter = Converter()
    documents = (b"\xff", b"\xfe", b"good", b"good")
    await asyncio.gather(*map(converter.convert, documents), return_exceptions=True)


async def _download(permits, body):
    await permits.acquire()
    size = await body
    permits.release()
    return size


async def _download_in_a_block(permits, body):
    async with permits:
        return await body


async def _cancel_the_first(stage, download):
    permits = asyncio.Semaphore(1)
    loop = asyncio.get_running_loop()
    first = stage.spawn(download(permits, loop.create_future()))
    arrived = loop.create_future()
    arrived.set_result(512)
    second = stage.spawn(download(permits, arrived))
    await turns()
    first.cancel()
    await asyncio.wait([first])
    return second


@leaks
async def lost_on_cancellation(stage):
    """A user goes away, the download is cancelled, and its permit is never given back."""
    await _cancel_the_first(stage, _download)


@fixes(lost_on_cancellation)
async def returned_on_cancellation(stage):
    await (await _cancel_the_first(stage, _download_in_a_block))


async def _merge_tables(permits, *, together):
    if together:
        async with permits:
            return "merged"
    async with permits:
        await asyncio.sleep(0)
        async with permits:
            return "merged"


@leaks
async def half_each(stage):
    """Two merges need two permits each, take one at a time, and hold one each."""
    permits = asyncio.BoundedSemaphore(2)
    for _ in range(2):
        stage.spawn(_merge_tables(permits, together=False))


@fixes(half_each)
async def one_permit_for_a_merge(stage):
    permits = asyncio.BoundedSemaphore(2)
    await asyncio.gather(*(_merge_tables(permits, together=True) for _ in range(2)))


LINKS = {"/": ["/a", "/b"], "/a": ["/a/1"], "/b": ["/b/1"], "/a/1": [], "/b/1": []}


class Crawler:
    """Follows links, at most so many pages at a time."""

    def __init__(self, at_once):
        self.permits = asyncio.Semaphore(at_once)
        self.pages = []

    async def crawl_holding(self, page):
        async with self.permits:
            self.pages.append(page)
            await asyncio.gather(*map(self.crawl_holding, LINKS[page]))

    async def crawl(self, page):
        async with self.permits:
            self.pages.append(page)
        await asyncio.gather(*map(self.crawl, LINKS[page]))


@leaks
async def recursion_deeper_than_permits(stage):
    """A crawler holds its permit while it waits for the pages below, which need permits of their own."""
    stage.spawn(Crawler(at_once=2).crawl_holding("/"))


@fixes(recursion_deeper_than_permits)
async def recursion_without_permit(stage):
    await stage.spawn(Crawler(at_once=2).crawl("/"))


async def _upload(permits, part):
    try:
        return len(part)
    finally:
        permits.release()


async def _start_uploads(stage, parts):
    permits = asyncio.Semaphore(1)
    for part in parts:
        await permits.acquire()
        upload = stage.spawn(_upload(permits, part))
        if part == "bad":
            upload.cancel()


async def _start_safe_uploads(stage, parts):
    permits = asyncio.Semaphore(1)
    for part in parts:
        await permits.acquire()
        upload = stage.spawn(asyncio.sleep(0))
        upload.add_done_callback(lambda _: permits.release())
        if part == "bad":
            upload.cancel()


@leaks
async def lost_with_a_child_that_never_ran(stage):
    """The child is to give the permit back, but is cancelled before its first step: no finally runs."""
    stage.spawn(_start_uploads(stage, ["bad", "good", "good"]))


@fixes(lost_with_a_child_that_never_ran)
async def returned_by_a_done_callback(stage):
    await stage.spawn(_start_safe_uploads(stage, ["bad", "good", "good"]))


async def _probe(gate, host, results):
    async with gate:
        results[host] = "up"


@leaks
async def gate_stays_shut(stage):
    """Probes queue at a gate that start-up opens, and start-up stops at a bad configuration."""
    gate, results = asyncio.Semaphore(0), {}
    probes = [stage.spawn(_probe(gate, host, results)) for host in ("a", "b")]
    await turns()
    if len(probes) != 3:
        return
    gate.release()


@fixes(gate_stays_shut)
async def gate_opens(stage):
    gate, results = asyncio.Semaphore(0), {}
    probes = [stage.spawn(_probe(gate, host, results)) for host in ("a", "b")]
    await turns()
    gate.release()
    await asyncio.wait(probes)
