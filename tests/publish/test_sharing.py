"""Many who ask at once share an answer, and nobody gets an old one."""

import asyncio

import pytest
from lowtide.publish.sharing import Shared


class Kitchen:
    """Makes numbered answers, each when it is let."""

    def __init__(self):
        self.made = 0
        self.gate = asyncio.Event()

    async def make(self, key):
        self.made += 1
        number = self.made
        await self.gate.wait()
        if key == "burnt":
            raise ZeroDivisionError(key)
        return key, number


async def _ask(shared, key, count):
    asked = [asyncio.ensure_future(shared.get(key)) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return asked


def test_who_asks_while_an_answer_is_being_made_gets_the_next():
    async def main():
        kitchen = Kitchen()
        shared = Shared(kitchen.make)
        first = await _ask(shared, "soup", 1)
        later = await _ask(shared, "soup", 50)
        kitchen.gate.set()
        return await asyncio.gather(*first), set(await asyncio.gather(*later)), kitchen.made

    assert asyncio.run(main()) == ([("soup", 1)], {("soup", 2)}, 2)


def test_different_questions_have_different_answers():
    async def main():
        kitchen = Kitchen()
        shared = Shared(kitchen.make)
        asked = [*await _ask(shared, "soup", 1), *await _ask(shared, "salad", 1)]
        kitchen.gate.set()
        return [key for key, _ in await asyncio.gather(*asked)]

    assert asyncio.run(main()) == ["soup", "salad"]


def test_an_error_reaches_all_who_asked_and_the_next_answer_is_made():
    async def main():
        kitchen = Kitchen()
        shared = Shared(kitchen.make)
        asked = await _ask(shared, "burnt", 3)
        kitchen.gate.set()
        with pytest.raises(ZeroDivisionError):
            await asked[0]
        errors = await asyncio.gather(*asked, return_exceptions=True)
        return {type(error) for error in errors}, await shared.get("soup")

    errors, answer = asyncio.run(main())
    assert errors == {ZeroDivisionError}
    assert answer[0] == "soup"


def test_one_who_goes_away_leaves_the_answer_to_the_others():
    async def main():
        kitchen = Kitchen()
        shared = Shared(kitchen.make)
        one, other = await _ask(shared, "soup", 2)
        one.cancel()
        kitchen.gate.set()
        return await other

    assert asyncio.run(main()) == ("soup", 1)
