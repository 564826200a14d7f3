"""A subscriber that was removed and still waits, or is still being waited for."""

import asyncio
import collections
import weakref

from tests.corpus.stage import fixes, leaks


class Broker:
    """Publish to the queues of those who have subscribed."""

    def __init__(self, *, say_goodbye):
        self.topics = collections.defaultdict(dict)
        self.say_goodbye = say_goodbye

    def subscribe(self, topic, name, size=0):
        self.topics[topic][name] = asyncio.Queue(size)
        return self.topics[topic][name]

    def unsubscribe(self, topic, name):
        queue = self.topics[topic].pop(name)
        if self.say_goodbye:
            queue.put_nowait(None)

    def drop(self, topic):
        for name in list(self.topics[topic]):
            self.unsubscribe(topic, name)
        del self.topics[topic]

    async def publish(self, topic, message):
        for queue in list(self.topics[topic].values()):
            await queue.put(message)


async def listen(queue):
    heard = []
    while (message := await queue.get()) is not None:
        heard.append(message)
    return heard


@leaks
async def a_removed_subscriber_listens_on(stage):
    """Unsubscribe a listener from outside: nobody tells it."""
    broker = Broker(say_goodbye=False)
    stage.spawn(listen(broker.subscribe("orders", "mail")))
    await broker.publish("orders", 17)
    broker.unsubscribe("orders", "mail")


@fixes(a_removed_subscriber_listens_on)
async def a_removed_subscriber_hears_of_it(stage):
    broker = Broker(say_goodbye=True)
    stage.spawn(listen(broker.subscribe("orders", "mail")))
    await broker.publish("orders", 17)
    broker.unsubscribe("orders", "mail")


@leaks
async def a_topic_is_dropped(stage):
    """Drop a topic with all its subscribers."""
    broker = Broker(say_goodbye=False)
    for name in ("mail", "stock", "audit"):
        stage.spawn(listen(broker.subscribe("orders", name)))
    broker.drop("orders")


@fixes(a_topic_is_dropped)
async def a_dropped_topic_says_goodbye(stage):
    broker = Broker(say_goodbye=True)
    for name in ("mail", "stock", "audit"):
        stage.spawn(listen(broker.subscribe("orders", name)))
    broker.drop("orders")


@leaks
async def a_publisher_waits_for_one_who_left(stage):
    """Block in the full queue of a subscriber who has left meanwhile."""
    broker = Broker(say_goodbye=False)
    broker.subscribe("ticks", "slow", size=1)

    async def tick():
        for number in range(3):
            await broker.publish("ticks", number)

    stage.spawn(tick())
    await asyncio.sleep(0.001)
    broker.unsubscribe("ticks", "slow")


@fixes(a_publisher_waits_for_one_who_left)
async def a_publisher_drops_what_has_no_room(stage):
    broker = Broker(say_goodbye=False)
    slow = broker.subscribe("ticks", "slow", size=1)

    async def tick():
        for number in range(3):
            if not slow.full():
                await broker.publish("ticks", number)

    stage.spawn(tick())
    await asyncio.sleep(0.001)
    broker.unsubscribe("ticks", "slow")


@leaks
async def one_slow_subscriber_stops_all(stage):
    """Publish to all in turn: the first one's queue is full, and the second one never hears."""
    broker = Broker(say_goodbye=False)
    broker.subscribe("ticks", "gone", size=1)
    stage.spawn(listen(broker.subscribe("ticks", "eager")))

    async def tick():
        for number in range(3):
            await broker.publish("ticks", number)
        broker.drop("ticks")

    stage.spawn(tick())


@fixes(one_slow_subscriber_stops_all)
async def each_subscriber_has_room(stage):
    broker = Broker(say_goodbye=True)
    broker.subscribe("ticks", "gone")
    stage.spawn(listen(broker.subscribe("ticks", "eager")))

    async def tick():
        for number in range(3):
            await broker.publish("ticks", number)
        broker.drop("ticks")

    stage.spawn(tick())


class Signal:
    """Hold receivers by name, each with a callback that resolves its future."""

    def __init__(self):
        self.receivers = {}

    async def next(self, name):
        future = asyncio.get_running_loop().create_future()
        self.receivers[name] = future.set_result
        return await future

    def send(self, value):
        for resolve in self.receivers.values():
            resolve(value)
        self.receivers.clear()


@leaks
async def a_receiver_takes_anothers_name(stage):
    """Register two receivers under one name: the second one's callback replaces the first one's."""
    signal = Signal()
    for _ in range(2):
        stage.spawn(signal.next("cache"))
    await asyncio.sleep(0)
    signal.send("invalidate")


@fixes(a_receiver_takes_anothers_name)
async def each_receiver_has_its_name(stage):
    signal = Signal()
    for number in range(2):
        stage.spawn(signal.next(f"cache {number}"))
    await asyncio.sleep(0)
    signal.send("invalidate")


class Session:
    """Collect what is published for one user."""

    def __init__(self):
        self.inbox = asyncio.Queue()

    def deliver(self, message):
        self.inbox.put_nowait(message)


@leaks
async def a_weakly_held_session_is_gone(stage):
    """Register a session weakly, and keep its queue only: the session dies, the listener stays."""
    sessions = weakref.WeakSet()

    def join():
        session = Session()
        sessions.add(session)
        return session.inbox

    stage.spawn(listen(join()))
    for session in sessions:
        session.deliver("hello")


@fixes(a_weakly_held_session_is_gone)
async def a_held_session_gets_its_messages(stage):
    sessions = weakref.WeakSet()

    def join():
        session = Session()
        sessions.add(session)
        return session

    mine = join()
    stage.spawn(listen(mine.inbox))
    for session in sessions:
        session.deliver("hello")
        session.deliver(None)
