"""Flows: every way to enter one, and what is current in it."""

import asyncio
import contextlib
import enum
import functools
import inspect
import threading

import lowtide
import pytest
from lowtide.record import flows


@pytest.fixture
def ended():
    """Count flows, and tell how many have ended by name."""
    ledger = flows.Ledger(100)
    flows.count_in(ledger)
    yield lambda: {kind.label: kind.ended for kind in ledger.kinds()}
    flows.count_in(None)


def now():
    """Name the current flow."""
    flow = flows.current.get()
    return None if flow is None else flow.name


def test_a_flow_is_current_inside_its_block_only(ended):
    with lowtide.flow("outer"):
        with lowtide.flow("inner"):
            assert now() == "inner"
        assert now() == "outer"
    assert now() is None
    assert ended() == {"outer": 1, "inner": 1}


def test_a_flow_whose_block_raises_has_ended_and_the_error_is_the_hosts_own(ended):
    with pytest.raises(ZeroDivisionError), lowtide.flow("job"):
        raise ZeroDivisionError
    assert now() is None
    assert ended() == {"job": 1}


def test_a_flow_works_while_nothing_is_installed_and_counts_nothing():
    with lowtide.flow("job") as flow:
        assert now() == "job"
    assert flow.ended is not None


def test_one_object_may_be_entered_again_and_inside_itself(ended):
    job = lowtide.flow("job")
    for _ in range(3):
        with job:
            assert now() == "job"
            with job:
                assert now() == "job"
            assert now() == "job"
        assert now() is None
    assert ended() == {"job": 6}


def test_one_object_may_be_entered_by_many_tasks_that_leave_in_any_order(ended):
    job = lowtide.flow("job")

    async def run(turns):
        with job as flow:
            for _ in range(turns):
                await asyncio.sleep(0)
                assert flows.current.get() is flow
        assert now() is None
        return flow

    async def main():
        return await asyncio.gather(*(run(turns) for turns in (5, 1, 4, 2, 3)))

    entered = asyncio.run(main())
    assert len(set(entered)) == 5
    assert all(flow.ended is not None for flow in entered)
    assert ended() == {"job": 5}
    assert not job._again


def test_a_flow_works_in_a_thread_without_a_loop(ended):
    seen = []

    def work():
        with lowtide.flow("thread"):
            seen.append(now())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["thread"]
    assert ended() == {"thread": 1}


def test_a_decorated_function_runs_in_a_flow_of_its_own(ended):
    @lowtide.flow("job")
    def double(number):
        """Double it."""
        return now(), 2 * number

    assert double(4) == ("job", 8)
    assert double(number=5) == ("job", 10)
    assert (double.__name__, double.__doc__, now()) == ("double", "Double it.", None)
    assert ended() == {"job": 2}


def test_a_decorated_coroutine_function_runs_in_a_flow_of_its_own(ended):
    @lowtide.flow("job")
    async def double(number):
        await asyncio.sleep(0)
        return now(), 2 * number

    assert inspect.iscoroutinefunction(double)
    assert asyncio.run(double(4)) == ("job", 8)
    assert ended() == {"job": 1}


def test_a_decorated_partial_or_callable_object_is_known_for_what_it_is(ended):
    class Job:
        async def __call__(self):
            await asyncio.sleep(0)
            return now()

    async def job(name):
        await asyncio.sleep(0)
        return name, now()

    assert asyncio.run(lowtide.flow("object")(Job())()) == "object"
    assert asyncio.run(lowtide.flow("partial")(functools.partial(job, 1))()) == (1, "partial")


class Plate:
    """A consumer and a generator, sync or async, and what each finds current."""

    def __init__(self):
        self.inside, self.outside, self.caught = [], [], []

    async def numbers(self):
        for number in range(3):
            self.inside.append(now())
            try:
                yield number
            except KeyError as error:
                self.caught.append(error)
        self.inside.append(now())

    def plain_numbers(self):
        for number in range(3):
            self.inside.append(now())
            got = yield number
            self.caught.append(got)
        return "done"


def test_a_decorated_async_generator_is_in_its_flow_and_its_consumer_is_not(ended):
    plate = Plate()
    numbers = lowtide.flow("stream")(plate.numbers)

    async def main():
        with lowtide.flow("consumer"):
            async for number in numbers():
                plate.outside.append((number, now()))

    assert inspect.isasyncgenfunction(numbers)
    asyncio.run(main())
    assert plate.inside == ["stream"] * 4
    assert plate.outside == [(0, "consumer"), (1, "consumer"), (2, "consumer")]
    assert ended() == {"stream": 1, "consumer": 1}


def test_what_is_thrown_into_a_decorated_async_generator_arrives_there(ended):
    plate = Plate()

    async def main():
        generator = lowtide.flow("stream")(plate.numbers)()
        error = KeyError("thrown")
        await anext(generator)
        assert await generator.athrow(error) == 1
        assert plate.caught == [error]
        with pytest.raises(ZeroDivisionError):
            await generator.athrow(ZeroDivisionError())

    asyncio.run(main())
    assert ended() == {"stream": 1}


def test_a_decorated_async_generator_that_nobody_reads_to_its_end_ends_its_flow(ended):
    closed = []

    @lowtide.flow("stream")
    async def endless():
        try:
            while True:
                yield now()
        finally:
            await asyncio.sleep(0)
            closed.append(now())

    async def main():
        async for _ in endless():
            break
        assert now() is None
        async with contextlib.aclosing(endless()) as values:
            await anext(values)
        while len(closed) < 2:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert closed == ["stream", "stream"]
    assert ended() == {"stream": 2}


def test_a_decorated_generator_is_in_its_flow_and_its_consumer_is_not(ended):
    plate = Plate()
    generator = lowtide.flow("stream")(plate.plain_numbers)()
    assert next(generator) == 0
    assert now() is None
    assert generator.send("a") == 1
    assert generator.send("b") == 2
    with pytest.raises(StopIteration) as stop:
        generator.send("c")
    assert stop.value.value == "done"
    assert plate.caught == ["a", "b", "c"]
    assert plate.inside == ["stream"] * 3
    assert ended() == {"stream": 1}


def test_a_decorated_context_manager_is_one_flow(ended):
    @contextlib.contextmanager
    @lowtide.flow("managed")
    def managed():
        yield now()

    with managed() as name:
        assert (name, now()) == ("managed", None)
    with pytest.raises(ZeroDivisionError), managed():
        raise ZeroDivisionError
    assert ended() == {"managed": 2}


def test_a_flow_inside_a_generator_that_is_closed_elsewhere_ends_without_an_error(ended):
    async def stream():
        with lowtide.flow("stream"):
            yield 1

    async def main():
        generator = stream()
        await anext(generator)
        await asyncio.create_task(generator.aclose())

    asyncio.run(main())
    assert ended() == {"stream": 1}


def test_a_name_may_be_a_member_of_an_enum_of_text(ended):
    class Job(str, enum.Enum):  # noqa: UP042 (as people wrote it before 3.11)
        PRICES = "recalculate prices"

    with lowtide.flow(Job.PRICES):
        pass
    assert ended() == {"recalculate prices": 1}


@pytest.mark.parametrize("name", [None, 17, b"job", print])
def test_a_name_that_is_no_text_is_an_error_that_shows_it(name):
    with pytest.raises(
        TypeError, match=r"flow name should be text, is .*: write flow\(\"recalculate prices\"\)"
    ):
        lowtide.flow(name)


def test_an_empty_name_is_an_error():
    with pytest.raises(ValueError, match="flow name should not be empty"):
        lowtide.flow("")
    with lowtide.flow("job") as flow, pytest.raises(ValueError, match="flow name should not be empty"):
        flow.rename("")


@pytest.mark.parametrize("thing", [None, Plate, staticmethod(now)])
def test_to_decorate_what_is_no_function_is_an_error_that_shows_it(thing):
    with pytest.raises(TypeError, match="a flow decorates a function, not"):
        lowtide.flow("job")(thing)
