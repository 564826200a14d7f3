"""Something alive holds a callable that will resolve the future.

The callable lies in the task's own frame too, as the containers do in the family next door.
"""

import asyncio
import concurrent.futures
import functools
import operator
import types

from tests.corpus.parked import resolve, wait
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


class Waker:
    """Can be called in many ways."""

    def __init__(self, future):
        self.future = future

    def __call__(self):
        resolve(self.future)

    def wake(self):
        resolve(self.future)

    @functools.singledispatchmethod
    def dispatch(self, reason):
        resolve(self.future)

    wake_now = functools.partialmethod(wake)


def _closure(future):
    return lambda: resolve(future)


def _nested_closure(future):
    def outer():
        def inner():
            resolve(future)

        return inner

    return outer()


def _default_argument(future):
    def wake(future=future):
        resolve(future)

    return wake


def _keyword_default(future):
    def wake(*, future=future):
        resolve(future)

    return wake


def _function_attribute(future):
    def wake():
        resolve(wake.future)

    wake.future = future
    return wake


def _wrapped(future):
    @functools.wraps(_closure(future))
    def wake():
        wake.__wrapped__()

    return wake


def _cached_result(future):
    box = [future]

    @functools.lru_cache
    def find(name):
        return box.pop()

    find("name")
    return find


def _single_dispatch(future):
    @functools.singledispatch
    def dispatch(reason):
        raise NotImplementedError

    dispatch.register(str, lambda reason: resolve(future))
    return dispatch


def _callback_of(other, future):
    other.add_done_callback(functools.partial(resolve, future))
    return other


def _comparison(future):
    def compare(left, right):
        resolve(future)
        return 0

    return functools.cmp_to_key(compare)


async def _resolving(future):
    resolve(future)


def _drive(coroutine):
    try:
        coroutine.send(None)
    except StopIteration:
        return


def _call(wake):
    wake()


def _new_future(future):
    return _callback_of(future.get_loop().create_future(), future)


# Name, how to make the callable, how to call it.
CALLABLES = [
    ("partial", lambda f: functools.partial(resolve, f), _call),
    ("partial_of_a_built_in", lambda f: functools.partial(f.set_result, None), _call),
    ("partial_with_keywords", lambda f: functools.partial(resolve, future=f), _call),
    ("built_in_method", lambda f: f.set_result, lambda c: c(None)),
    ("method_caller", lambda f: functools.partial(operator.methodcaller("set_result", 1), f), _call),
    ("item_getter_with_the_future_as_key", operator.itemgetter, lambda c: resolve(c.__reduce__()[1][0])),
    ("bound_method", lambda f: Waker(f).wake, _call),
    ("bound_method_of_a_partial_method", lambda f: Waker(f).wake_now, _call),
    ("bound_call_of_an_instance", lambda f: Waker(f).__call__, _call),
    ("callable_instance", Waker, _call),
    ("single_dispatch_method", lambda f: Waker(f).dispatch, lambda c: c("reason")),
    ("method_made_by_hand", lambda f: types.MethodType(resolve, f), _call),
    ("static_method_object", lambda f: staticmethod(_closure(f)), _call),
    ("closure", _closure, _call),
    ("nested_closure", _nested_closure, _call),
    ("default_argument", _default_argument, _call),
    ("keyword_default", _keyword_default, _call),
    ("function_attribute", _function_attribute, _call),
    ("wrapped_function", _wrapped, _call),
    ("cached_result", _cached_result, lambda c: resolve(c("name"))),
    ("single_dispatch", _single_dispatch, lambda c: c("reason")),
    ("callable_iterator", lambda f: iter(functools.partial(resolve, f), 0), next),
    ("comparison", _comparison, lambda c: c(1) < c(2)),
    ("coroutine_not_yet_started", _resolving, _drive),
    ("callback_of_another_future", _new_future, lambda c: c.set_result(None)),
    (
        "callback_of_a_concurrent_future",
        lambda f: _callback_of(concurrent.futures.Future(), f),
        lambda c: c.set_result(None),
    ),
]


def _program(name, make, call):
    async def program(stage):
        def start(future):
            wake = make(future)
            stage.spawn(wait(future, wake))
            return wake

        wake = start(asyncio.get_running_loop().create_future())
        await turns()
        yield list(stage.background)
        call(wake)

    program.__name__ = name
    return program


for _row in CALLABLES:
    healthy(_program(*_row))
