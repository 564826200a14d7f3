"""A receive that exists, and that a return, an error, a cancellation or a timeout jumps over."""

import asyncio
import contextlib

from tests.corpus.channels import Channel
from tests.corpus.stage import fixes, leaks

CODES = {"SPRING": 10, "VIP": 25}


async def dynamic_discount(answers, user):
    await asyncio.sleep(0)
    await answers.send(user % 7)


@leaks
async def a_fake_code_returns_early(stage):
    """Ask a second service for a price, and return before the answer is read when the code is fake."""
    answers = Channel()
    stage.spawn(dynamic_discount(answers, user=12))
    static = CODES.get("FAKE")
    if static is None:
        return 0
    return max(static, await answers.receive())


@fixes(a_fake_code_returns_early)
async def a_fake_code_is_found_before_asking(stage):
    answers = Channel()
    static = CODES.get("FAKE")
    if static is None:
        return 0
    stage.spawn(dynamic_discount(answers, user=12))
    return max(static, await answers.receive())


class Checkout:
    """Reserve stock in the background while the payment is checked."""

    def __init__(self, stage, reserved):
        self.stage = stage
        self.reserved = reserved

    async def reserve(self, item):
        await self.reserved.put(item)
        await self.reserved.put("confirmed")

    async def pay(self, amount):
        if amount <= 0:
            raise ValueError(f"amount should be positive, is {amount}")

    async def run(self, item, amount):
        self.stage.spawn(self.reserve(item))
        await self.pay(amount)
        return [await self.reserved.get(), await self.reserved.get()]


@leaks
async def a_refused_payment_skips_the_receive(stage):
    """Raise between the start of a worker and the receive of its two messages."""
    with contextlib.suppress(ValueError):
        await Checkout(stage, asyncio.Queue(1)).run("book", amount=0)


@fixes(a_refused_payment_skips_the_receive)
async def a_refused_payment_leaves_room(stage):
    with contextlib.suppress(ValueError):
        await Checkout(stage, asyncio.Queue(2)).run("book", amount=0)


async def render(page, done):
    await asyncio.sleep(0.001)
    await done.send(f"<p>{page}</p>")


async def handle(stage, page, *, shield):
    done = Channel()
    worker = stage.spawn(render(page, done))
    try:
        return await done.receive()
    except asyncio.CancelledError:
        if shield:
            worker.cancel()
        raise


@leaks
async def the_client_goes_away(stage):
    """Cancel a handler whose worker will then send to nobody."""
    handler = asyncio.create_task(handle(stage, "home", shield=False))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    handler.cancel()


@fixes(the_client_goes_away)
async def the_worker_goes_with_the_client(stage):
    handler = asyncio.create_task(handle(stage, "home", shield=True))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    handler.cancel()


async def backend(request, result):
    await asyncio.sleep(0.003)
    await result.send(request.upper())


@leaks
async def a_request_times_out(stage):
    """Finish a request by timeout, after the pattern of kubernetes#5316 in GoBench."""
    result = Channel()
    stage.spawn(backend("get pods", result))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(result.receive(), 0.001)


@fixes(a_request_times_out)
async def a_late_answer_has_a_place(stage):
    result = asyncio.get_running_loop().create_future()

    async def late():
        await asyncio.sleep(0.003)
        if not result.done():
            result.set_result("GET PODS")

    stage.spawn(late())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(result, 0.001)


async def search(shard, needle, hits):
    for row in shard:
        if needle in row:
            await hits.put(row)
    await hits.put(None)


@leaks
async def the_search_stops_at_the_first_hit(stage):
    """Break out of the receiving loop at the first match, with three shards still sending."""
    hits = asyncio.Queue(maxsize=1)
    for shard in (["ab", "b"], ["bc", "cb"], ["b"]):
        stage.spawn(search(shard, "b", hits))
    while (row := await hits.get()) != "ab":
        pass
    return row


@fixes(the_search_stops_at_the_first_hit)
async def the_search_stops_the_shards(stage):
    hits = asyncio.Queue(maxsize=1)
    shards = (["ab", "b"], ["bc", "cb"], ["b"])
    searches = [stage.spawn(search(shard, "b", hits)) for shard in shards]
    while (row := await hits.get()) != "ab":
        pass
    for task in searches:
        task.cancel()
    return row


class Upload:
    """Send chunks in the background, and collect the receipt on the way out."""

    def __init__(self, stage, *, always):
        self.stage = stage
        self.always = always
        self.receipt = Channel()

    async def __aenter__(self):
        self.stage.spawn(self._send())
        return self

    async def __aexit__(self, kind, error, traceback):
        if self.always or error is None:
            await self.receipt.receive()

    async def _send(self):
        await asyncio.sleep(0)
        await self.receipt.send("stored")


@leaks
async def the_receipt_is_read_without_errors_only(stage):
    """Collect a background result in ``__aexit__``, unless the body raised."""
    with contextlib.suppress(KeyError):
        async with Upload(stage, always=False):
            raise KeyError("checksum")


@fixes(the_receipt_is_read_without_errors_only)
async def the_receipt_is_always_read(stage):
    with contextlib.suppress(KeyError):
        async with Upload(stage, always=True):
            raise KeyError("checksum")


async def load(part, out):
    await out.send({"part": part})


@leaks
async def the_second_receive_is_skipped(stage):
    """Start both halves of a page, and give up when the first one has nothing for this user."""
    header, body = Channel(), Channel()
    stage.spawn(load("header", header))
    stage.spawn(load("body", body))
    first = await header.receive()
    if "user" not in first:
        return None
    return first | await body.receive()


@fixes(the_second_receive_is_skipped)
async def both_halves_are_received(stage):
    header, body = Channel(), Channel()
    stage.spawn(load("header", header))
    stage.spawn(load("body", body))
    first, second = await header.receive(), await body.receive()
    return first | second if "user" in first else None


async def snapshot(store, out):
    for key in list(store):
        await out.put((key, store[key]))


async def save(snapshots, *, drain):
    saved = 0
    while True:
        _, value = await snapshots.get()
        if value is None and not drain:
            return saved
        saved += 1
        if saved == 4:
            return saved


@leaks
async def a_bad_value_ends_the_receiver(stage):
    """Return from the receiving loop at a bad value."""
    snapshots = asyncio.Queue(1)
    stage.spawn(snapshot({"a": 1, "b": None, "c": 3, "d": 4}, snapshots))
    await save(snapshots, drain=False)


@fixes(a_bad_value_ends_the_receiver)
async def a_bad_value_is_counted(stage):
    snapshots = asyncio.Queue(1)
    stage.spawn(snapshot({"a": 1, "b": None, "c": 3, "d": 4}, snapshots))
    await save(snapshots, drain=True)


async def probe(host, out):
    for _ in range(9):
        await asyncio.sleep(0)
    await out.send(host)


@leaks
async def a_failed_sibling_cancels_the_receive(stage):
    """Gather a receive with a check that fails: the receive is dropped, the sender stays."""
    out = Channel()

    async def check():
        raise PermissionError("not in the group")

    stage.spawn(probe("db-1", out))
    receive = asyncio.ensure_future(out.receive())
    with contextlib.suppress(PermissionError):
        await asyncio.gather(check(), receive)
    receive.cancel()


@fixes(a_failed_sibling_cancels_the_receive)
async def a_failed_sibling_lets_the_receive_run(stage):
    out = Channel()

    async def check():
        raise PermissionError("not in the group")

    stage.spawn(probe("db-1", out))
    await asyncio.gather(check(), out.receive(), return_exceptions=True)
