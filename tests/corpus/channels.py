"""A channel without a buffer, for the patterns that need one: asyncio has none."""

import asyncio
import collections


class Channel:
    """Hand values over: ``send`` returns when somebody has received."""

    def __init__(self):
        self._senders = collections.deque()
        self._receivers = collections.deque()

    async def send(self, value):
        while self._receivers:
            receiver = self._receivers.popleft()
            if not receiver.done():
                receiver.set_result(value)
                return
        taken = asyncio.get_running_loop().create_future()
        self._senders.append((taken, value))
        await taken

    async def receive(self):
        while self._senders:
            taken, value = self._senders.popleft()
            if not taken.done():
                taken.set_result(None)
                return value
        receiver = asyncio.get_running_loop().create_future()
        self._receivers.append(receiver)
        return await receiver
