"""A condition whose notification is missed, goes to the wrong waiter, or never comes."""

import asyncio
import contextlib

from tests.corpus.stage import fixes, leaks


async def wait_once(condition):
    async with condition:
        await condition.wait()


async def tell(condition, count=1):
    async with condition:
        condition.notify(count)


@leaks
async def the_notification_came_first(stage):
    """Notify before anybody waits, with no state that would tell the waiter."""
    condition = asyncio.Condition()
    await tell(condition)
    stage.spawn(wait_once(condition))


@fixes(the_notification_came_first)
async def the_state_is_looked_at_first(stage):
    condition = asyncio.Condition()
    ready = []

    async def wait_until_ready():
        async with condition:
            await condition.wait_for(lambda: ready)

    ready.append(True)
    await tell(condition)
    stage.spawn(wait_until_ready())


@leaks
async def one_notification_for_three_waiters(stage):
    """Call ``notify`` where ``notify_all`` was meant."""
    condition = asyncio.Condition()
    for _ in range(3):
        stage.spawn(wait_once(condition))
    await asyncio.sleep(0)
    await tell(condition)


@fixes(one_notification_for_three_waiters)
async def a_notification_for_each_waiter(stage):
    condition = asyncio.Condition()
    for _ in range(3):
        stage.spawn(wait_once(condition))
    await asyncio.sleep(0)
    await tell(condition, count=3)


async def turn():
    """Let everybody who was woken get to the next wait."""
    for _ in range(5):
        await asyncio.sleep(0)


class Shop:
    """Share one condition between those who wait for apples and those who wait for pears."""

    def __init__(self):
        self.stock = {"apples": 0, "pears": 0}
        self.changed = asyncio.Condition()

    async def buy(self, fruit):
        async with self.changed:
            while not self.stock[fruit]:
                await self.changed.wait()
            self.stock[fruit] -= 1

    async def fill(self, fruit, tell):
        async with self.changed:
            self.stock[fruit] += 1
            tell()


@leaks
async def the_wrong_waiter_is_woken(stage):
    """Notify one waiter of two kinds: each is woken for what the other one wants."""
    shop = Shop()
    for fruit in ("apples", "pears"):
        stage.spawn(shop.buy(fruit))
    await asyncio.sleep(0)
    for fruit in ("pears", "apples"):
        await shop.fill(fruit, shop.changed.notify)
        await turn()


@fixes(the_wrong_waiter_is_woken)
async def every_waiter_is_woken(stage):
    shop = Shop()
    for fruit in ("apples", "pears"):
        stage.spawn(shop.buy(fruit))
    await asyncio.sleep(0)
    for fruit in ("pears", "apples"):
        await shop.fill(fruit, shop.changed.notify_all)
        await turn()


@leaks
async def an_error_skips_the_notification(stage):
    """Raise between the change and the ``notify`` that should follow it."""
    condition, queue = asyncio.Condition(), []

    async def consume():
        async with condition:
            await condition.wait_for(lambda: queue)

    async def produce(text):
        async with condition:
            queue.append(int(text))
            condition.notify()

    stage.spawn(consume())
    await asyncio.sleep(0)
    with contextlib.suppress(ValueError):
        await produce("seven")


@fixes(an_error_skips_the_notification)
async def an_error_is_a_message_too(stage):
    condition, queue = asyncio.Condition(), []

    async def consume():
        async with condition:
            await condition.wait_for(lambda: queue)

    async def produce(text):
        async with condition:
            queue.append(text)
            condition.notify()

    stage.spawn(consume())
    await asyncio.sleep(0)
    await produce("seven")


class Plugin:
    """Hold back its users until it is active, after the pattern of moby#30408 in GoBench."""

    def __init__(self):
        self.active = asyncio.Condition()
        self.manifest = None

    async def wait_active(self):
        async with self.active:
            while self.manifest is None:
                await self.active.wait()

    async def activate(self, *, tell_all):
        async with self.active:
            self.manifest = {"implements": ["volume"]}
            if tell_all:
                self.active.notify_all()


@leaks
async def nobody_says_that_the_plugin_is_active(stage):
    """Change what the waiters wait for, and don't say so."""
    plugin = Plugin()
    for _ in range(2):
        stage.spawn(plugin.wait_active())
    await asyncio.sleep(0)
    await plugin.activate(tell_all=False)


@fixes(nobody_says_that_the_plugin_is_active)
async def all_hear_that_the_plugin_is_active(stage):
    plugin = Plugin()
    for _ in range(2):
        stage.spawn(plugin.wait_active())
    await asyncio.sleep(0)
    await plugin.activate(tell_all=True)


class Pair:
    """Wait for one of two conditions that share a lock."""

    def __init__(self):
        lock = asyncio.Lock()
        self.filled, self.emptied = asyncio.Condition(lock), asyncio.Condition(lock)


@leaks
async def the_other_condition_is_notified(stage):
    """Notify the other of two conditions that share a lock."""
    pair = Pair()
    stage.spawn(wait_once(pair.filled))
    await asyncio.sleep(0)
    await tell(pair.emptied)


@fixes(the_other_condition_is_notified)
async def the_right_condition_is_notified(stage):
    pair = Pair()
    stage.spawn(wait_once(pair.filled))
    await asyncio.sleep(0)
    await tell(pair.filled)


@leaks
async def the_predicate_can_not_come_true(stage):
    """Wait until a counter equals a value that it has jumped over."""
    condition, arrived = asyncio.Condition(), []

    async def start_at(count):
        async with condition:
            await condition.wait_for(lambda: len(arrived) == count)

    stage.spawn(start_at(3))
    await asyncio.sleep(0)
    async with condition:
        arrived.extend(range(4))
        condition.notify_all()


@fixes(the_predicate_can_not_come_true)
async def the_predicate_stays_true(stage):
    condition, arrived = asyncio.Condition(), []

    async def start_at(count):
        async with condition:
            await condition.wait_for(lambda: len(arrived) >= count)

    stage.spawn(start_at(3))
    await asyncio.sleep(0)
    async with condition:
        arrived.extend(range(4))
        condition.notify_all()
