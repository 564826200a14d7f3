"""The continuous proof: which of a loop's aged tasks are stranded, found in small slices of its thread.

Guarantees:
- Between two calls nothing here refers to a task, coroutine or frame strongly.
- One call of ``work`` takes about ``slice_seconds``, or one look if that is longer, and says how long to wait
  so that it uses at most ``share`` of one core, half of it where nothing is stranded. The pass over the heap that
  finds holders is the exception: at most one a minute, and one in ten minutes once it takes longer than a full
  collection.
- A verdict needs two looks at least a second apart that find the task on the same future.
- Origins take turns, and within one the tasks that were handed in first come first.
- A task that isn't stranded is looked at ever more rarely, unless its future changes.
- Who could cancel a stranded task may go away, or be a thread that held it for a moment: that is asked again for one
  that is ``cancel_only``, once soon, and then with at most one pass over the heap in ten minutes.

Not thread-safe: every method belongs to the loop's own thread, apart from reading ``counts`` and the figures.
"""

import asyncio
import heapq
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from lowtide.judge.custody import CANCEL_ONLY, UNWAKEABLE, Custody, Entry, Verdict, future_of
from lowtide.judge.descriptors import task_cancelled, task_done
from lowtide.judge.kinds import TASK, kind_of
from lowtide.judge.look import STRANDED, Look, look_at
from lowtide.judge.quiet import without_collections
from lowtide.judge.shards import Shards
from lowtide.judge.waits import waiting_on

# Two looks that agree must have this many seconds between them.
_APART = 1.0
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 600.0
# A second opinion on who could cancel a task is asked for after so long.
_DOUBT = 10.0
_BETWEEN_PASSES = 60.0
# Passes that are made before their length is judged.
_TRIED = 3
# A pass waits this long for more tasks that it could answer for.
_GATHERING = 8.0
# Most of one core that all this may use: a hundred thousand leaked tasks are judged within ten minutes. Tasks that
# can be woken get half of it; an ordinary service takes a hundredth, because they are asked ever more rarely.
SHARE = 0.018
# A look must fit into a slice, so this is less than for an explicit question.
_MOST_OBJECTS = 600


class Docket:
    """The tasks of one loop that wait for a verdict, and the verdicts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        share: float = SHARE,
        slice_seconds: float = 0.002,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.thread_time,
        full_collection: Callable[[], float] = lambda: float("inf"),
    ) -> None:
        self._loop = loop
        self._share = share
        self._slice = slice_seconds
        self._clock = clock
        self._used = used
        self._full_collection = full_collection
        self._custody = Custody(loop, _MOST_OBJECTS, self._grade)
        self._entries = Shards[Entry]()
        self._gone = self._forget  # one bound method for all
        self._fresh: dict[Hashable, deque[Entry]] = {}
        self._turns: deque[Hashable] = deque()
        self._due: list[tuple[float, int, Entry]] = []
        self._doubts: deque[tuple[float, Entry]] = deque()
        self._order = itertools.count()
        self._specimens: dict[tuple[Hashable, str], Entry] = {}
        self._last_pass = float("-inf")
        self._last_settled = float("-inf")
        self._gathering_since = 0.0
        self._met_stranded = False
        self._recent_passes: deque[float] = deque(maxlen=5)
        # Graded tasks by origin, what they wait on, and grade, without group members that nobody handed in.
        self.counts: Counter[tuple[Hashable, str, str]] = Counter()
        # Seconds that the last pass over the heap took, and how many there were.
        self.pass_seconds = 0.0
        self.passes = 0
        self.looks = 0
        # Verdicts that came undone other than by cancellation: proven tasks that ran on. Should stay 0.
        self.overturned = 0

    def watch(self, task: "asyncio.Task[Any]", origin: Hashable) -> None:
        """Put a pending task of this loop on the docket, the oldest first; known ones are ignored."""
        known = self._entries.get(id(task))
        if (known is not None and known() is task) or kind_of(type(task)) != TASK or task_done(task):
            return
        entry = self._entries[id(task)] = Entry(task, self._gone)
        entry.begin(id(task), origin, next(self._order))
        entry.pause = _FIRST_PAUSE
        if origin not in self._fresh:
            self._fresh[origin] = deque()
            self._turns.append(origin)
        self._fresh[origin].append(entry)

    def drop(self, task: "asyncio.Task[Any]") -> None:
        """Take a task that has ended off the docket at once, though somebody still refers to it."""
        entry = self._entries.get(id(task))
        if entry is not None and entry() is task:
            self._release(entry)

    def specimen(self, origin: Hashable) -> Verdict | None:
        """Return the last graded task of an origin, an unwakeable one if there is any."""
        for grade in (UNWAKEABLE, CANCEL_ONLY):
            entry = self._specimens.get((origin, grade))
            if entry is not None and entry() is not None and entry.grade == grade:
                return Verdict(entry, origin, grade, entry.waiting_on, entry.holders)
        return None

    def verdicts(self) -> Iterator[Verdict]:
        """Yield every handed-in task that is stranded and graded."""
        for entry in self._entries.values():
            if entry.grade and entry.origin is not None:
                yield Verdict(entry, entry.origin, entry.grade, entry.waiting_on, entry.holders)

    def work(self) -> float:
        """Do one slice of work; return after how many seconds the next may follow."""
        with without_collections():
            return self._work()

    def _work(self) -> float:
        began, used = self._clock(), self._used()
        self._met_stranded = False
        if self._is_pass_due(began):
            self._pass(began)
            return self._slice  # it is not of the share; what it found can be told at once
        elif self._custody.has_settling() and began - self._last_settled >= _APART:
            self._met_stranded = True
            self._custody.settle_some(lambda: self._clock() - began >= self._slice)
            if self._clock() - began < self._slice:
                self._last_settled = began
        else:
            self._slice_of_looks(began)
        spent = self._used() - used  # of the core: on a busy machine a slice takes longer, and does less
        share = self._share if self._met_stranded else self._share / 2
        return max(spent / share - spent, self._slice)

    def due_in(self) -> float | None:
        """Return in how many seconds there will be work again; None if there is none until tasks are handed in."""
        now = self._clock()
        moments = [first[0][0] for first in (self._due, self._doubts) if first]
        if any(self._fresh.values()):
            moments.append(now)
        if self._custody.has_settling():
            moments.append(self._last_settled + _APART)
        if self._custody.is_waiting():
            moments.append(max(self._last_pass + self._between_passes(), self._gathering_since + _GATHERING))
        return max(0.0, min(moments) - now) if moments else None

    def _slice_of_looks(self, began: float) -> None:
        while self._clock() - began < self._slice:
            if self._doubts and self._doubts[0][0] <= began:
                entry = self._doubts.popleft()[1]
                if entry.grade == CANCEL_ONLY and future_of(entry) == entry.future:
                    self._grade_again(entry)
            elif (next_one := self._next(began)) is not None:
                self._take(next_one, began)
            else:
                return

    def _is_pass_due(self, now: float) -> bool:
        return (
            self._custody.is_waiting()
            and now - self._last_pass >= self._between_passes()
            and now - self._gathering_since >= _GATHERING
        )

    def _between_passes(self) -> float:
        """Return the seconds between two passes: many more if they take longer than a full collection does.

        The quickest of the last few counts, and of one or two nothing is concluded: a busy machine makes any one of
        them slow, and a leak that isn't graded for ten minutes pages nobody.
        """
        if len(self._recent_passes) < _TRIED or min(self._recent_passes) <= self._full_collection():
            return _BETWEEN_PASSES
        return 10 * _BETWEEN_PASSES

    def _pass(self, began: float) -> None:
        self._last_pass = self._gathering_since = began
        self._custody.ask_heap(next(self._order))
        self.pass_seconds = self._clock() - began
        self._recent_passes.append(self.pass_seconds)
        self.passes += 1

    def _next(self, now: float) -> Entry | None:
        """Return whose turn it is: later looks before first ones, which settles what is begun."""
        if self._due and self._due[0][0] <= now:
            return heapq.heappop(self._due)[2]
        for _ in range(len(self._turns)):
            origin = self._turns[0]
            if self._fresh[origin]:
                self._turns.rotate(-1)
                return self._fresh[origin].popleft()
            self._turns.popleft()
            del self._fresh[origin]
        return None

    def _take(self, entry: Entry, now: float) -> None:
        future = future_of(entry)
        if not future or (entry.waiting_on and future != entry.future):
            self._release(entry)
        elif entry.waiting_on:  # proven: a stranded task stays stranded
            if entry.grade == CANCEL_ONLY and entry.pause >= _LONGEST_PAUSE and self._may_ask_again(now):
                self._grade_again(entry)
            self._later(entry, now)
        elif entry.future and not entry.seen and future != entry.future:
            # It ran since the last look, so it is alive: ask again as if for the first time.
            entry.future, entry.pause = future, _FIRST_PAUSE
            self._later(entry, now)
        else:
            self._look(entry, future, now)

    def _look(self, entry: Entry, future: int, now: float) -> None:
        self.looks += 1
        # No local variable of ours may hold the task: it would count as one of its holders.
        look = look_at(entry(), self._loop, _MOST_OBJECTS)
        self._met_stranded |= look.verdict == STRANDED
        if look.verdict != STRANDED:
            entry.seen, entry.future = 0.0, future
            self._later(entry, now)
        elif not entry.seen or entry.future != future:
            entry.seen, entry.future = now, future
            heapq.heappush(self._due, (now + _APART, next(self._order), entry))
        else:
            self._admit(entry, look)
            self._later(entry, now)

    def _may_ask_again(self, now: float) -> bool:
        return self._custody.is_waiting() or now - self._last_pass >= _LONGEST_PAUSE

    def _grade_again(self, entry: Entry) -> None:
        """Ask anew who could cancel a task."""
        look = look_at(entry(), self._loop, _MOST_OBJECTS)
        if look.verdict == STRANDED:
            self._uncount(entry)
            self._custody.release(entry)
            entry.held, entry.holders = None, ()
            entry.order = next(self._order)  # the last pass is no answer any more
            self._admit(entry, look)

    def _admit(self, entry: Entry, look: Look) -> None:
        if not self._custody.is_waiting():
            self._gathering_since = self._clock()
        entry.waiting_on = waiting_on(entry())
        entry.pause = _LONGEST_PAUSE  # the census tells when it ends; it may have been cancelled and live on
        for other in self._custody.admit(entry, look):
            self.watch(other, None)

    def _later(self, entry: Entry, now: float) -> None:
        heapq.heappush(self._due, (now + entry.pause, next(self._order), entry))
        entry.pause = min(2 * entry.pause, _LONGEST_PAUSE)

    def _grade(self, entry: Entry, grade: str) -> None:
        entry.grade = grade
        if entry.origin is not None:
            self.counts[entry.origin, entry.waiting_on, grade] += 1
            self._specimens[entry.origin, grade] = entry
        if grade == CANCEL_ONLY and not entry.doubted:
            entry.doubted = True
            self._doubts.append((self._clock() + _DOUBT, entry))

    def _release(self, entry: Entry) -> None:
        """Take a task that ran, ended or went away off the docket; it may be handed in again."""
        task = entry()
        if task is not None and entry.grade == UNWAKEABLE and not (task_done(task) and task_cancelled(task)):
            self.overturned += 1
        del task
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
            self._custody.release(entry)
            self._uncount(entry)

    def _uncount(self, entry: Entry) -> None:
        if entry.grade and entry.origin is not None:
            self.counts[entry.origin, entry.waiting_on, entry.grade] -= 1
        entry.grade = ""
