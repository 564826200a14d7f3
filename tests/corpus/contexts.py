"""Cancellation contexts that are never cancelled: forgotten, overwritten, detached, without deadline."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Context:
    """A tree of cancellations: whoever waits for ``done`` goes when the context or a parent is cancelled."""

    def __init__(self, parent=None, *, detached=False):
        self.done = asyncio.get_running_loop().create_future()
        self.children = []
        if parent is not None and not detached:
            parent.children.append(self)

    def cancel(self, reason="cancelled"):
        if not self.done.done():
            self.done.set_result(reason)
        for child in self.children:
            child.cancel(reason)

    def expire_after(self, seconds):
        asyncio.get_running_loop().call_later(seconds, self.cancel, "deadline")
        return self


async def _watch(context, log):
    log.append(await context.done)


class Request:
    """Starts a watcher for its context, and answers."""

    def __init__(self, context):
        self.context = context
        self.log = []
        self.tasks = [asyncio.create_task(_watch(context, self.log))]

    async def answer(self, *, cancel):
        try:
            return "answer"
        finally:
            if cancel:
                self.context.cancel()


@leaks
async def cancel_is_never_called(stage):
    """A request makes a context, starts a watcher of it, and returns without cancelling it."""
    await Request(Context()).answer(cancel=False)


@fixes(cancel_is_never_called)
async def cancel_in_a_finally(stage):
    request = Request(Context())
    await request.answer(cancel=True)
    await asyncio.wait(request.tasks)


async def _dial(context):
    return await context.done


def _dial_twice(stage, *, keep_both):
    cancels = []
    for _ in range(2):
        context = Context()
        stage.spawn(_dial(context))
        if not keep_both:
            cancels.clear()
        cancels.append(context.cancel)
    for cancel in cancels:
        cancel()


@leaks
async def cancel_overwritten_by_the_next(stage):
    """A retry makes a new context in the same variable; the first attempt's cancel is lost with it."""
    _dial_twice(stage, keep_both=False)


@fixes(cancel_overwritten_by_the_next)
async def both_cancels_kept(stage):
    _dial_twice(stage, keep_both=True)
    await turns()


async def _export_spans(context, spans):
    getter = asyncio.ensure_future(spans.get())
    await asyncio.wait([getter, context.done], return_when=asyncio.FIRST_COMPLETED)
    getter.cancel()


@leaks
async def detached_from_its_parent(stage):
    """Work for after the response is detached from the request's context, and then from everything."""
    request = Context()
    stage.spawn(_export_spans(Context(request, detached=True), asyncio.Queue()))
    await turns()
    request.cancel()


@fixes(detached_from_its_parent)
async def attached_to_its_parent(stage):
    request = Context()
    exporting = stage.spawn(_export_spans(Context(request), asyncio.Queue()))
    await turns()
    request.cancel()
    await exporting


async def _query(seconds):
    context = Context()
    if seconds is not None:
        context.expire_after(seconds)
    return await asyncio.shield(context.done)


@leaks
async def deadline_forgotten(stage):
    """A query's context takes its deadline from the configuration, where it is missing."""
    stage.spawn(_query({}.get("deadline")))


@fixes(deadline_forgotten)
async def deadline_configured(stage):
    await stage.spawn(_query({"deadline": 0.001}.get("deadline")))


async def _propagate(parent, child):
    """Pass the parent's end on to a child of another kind."""
    await asyncio.wait([parent.done, child.done], return_when=asyncio.FIRST_COMPLETED)
    child.cancel()


@leaks
async def propagation_between_two_that_stay(stage):
    """A task passes the parent's cancellation on; neither parent nor child is ever cancelled."""
    parent, child = Context(), Context()
    stage.spawn(_propagate(parent, child))


@fixes(propagation_between_two_that_stay)
async def propagation_ends_with_the_child(stage):
    parent, child = Context(), Context()
    propagating = stage.spawn(_propagate(parent, child))
    await turns()
    child.cancel()
    await propagating


@leaks
async def deadline_in_an_hour(stage):
    """The deadline exists but is an hour away: stuck for the user, and yet a timer will end it."""
    context = Context().expire_after(3600)
    stage.unprovable(stage.spawn(_dial(context)), "a timer holds the context")


@fixes(deadline_in_an_hour)
async def deadline_in_a_moment(stage):
    await stage.spawn(_dial(Context().expire_after(0.001)))
