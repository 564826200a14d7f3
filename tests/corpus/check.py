"""Run corpus programs, and check without any proof that each is what it says.

The independent witness is the garbage collector. A task that nothing can wake is part of a garbage cycle
once its holder lets go of it, so a collection destroys it. If anything alive still refers to what the task
waits for, the task survives, because what it waits for refers back to it.

``python -m tests.corpus.check [part of a name ...]`` runs the programs and prints the complaints.
"""

import asyncio
import collections
import contextlib
import gc
import importlib
import pkgutil
import sys
import time
import weakref
from collections.abc import Callable, Iterator

import tests.corpus
from tests.corpus.stage import PROGRAMS, Program, Stage

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if uvloop is not None:
    LOOPS["uvloop"] = uvloop.new_event_loop

# What is no family.
APART = {"channels", "check", "contents", "repeats", "runner", "stage"}
# Programs sleep for at most 5 ms when time is their subject: a window without change this long is the end.
QUIET = 0.015
# A woken task that needs a thread or a child process to get going is given this long on a busy machine.
PATIENCE = 10.0


def load() -> dict[str, Program]:
    """Import every family, and return all programs by name."""
    for module in pkgutil.iter_modules(tests.corpus.__path__):
        if module.name not in APART and not module.name.startswith("test_"):
            importlib.import_module(f"tests.corpus.{module.name}")
    return PROGRAMS


class Run:
    """One program in an event loop of its own, stopped where it is to be judged.

    Between two calls the loop stands still, and nothing of the runner refers to a task strongly, apart from
    the task that drives a healthy program.
    """

    def __init__(self, program: Program, loop: asyncio.AbstractEventLoop):
        self.program = program
        self.stage = Stage()
        self.loop = loop
        self.driver = None
        self.watched = []
        self.errors = []
        self.destroyed = []
        self._resume = asyncio.Event()
        loop.set_exception_handler(self._note_error)

    def begin(self):
        """Run the program until it can be judged."""
        if self.program.kind == "healthy":
            self._begin_healthy()
        else:
            self.loop.run_until_complete(self.program.run(self.stage))
            self._settle()

    def pending(self):
        """Return the tasks of the program that aren't done."""
        return [task for task in asyncio.all_tasks(self.loop) if task is not self.driver]

    def look(self, judge):
        """Return ``judge(pending tasks)``, called from a callback of the loop, where no task is running."""
        answers = []

        def call():
            try:
                answers.append(judge(self.pending()))
            finally:
                self.loop.stop()

        self.loop.call_soon(call)
        self.loop.run_forever()
        if not answers:
            raise self.errors.pop()["exception"]
        return answers[0]

    def wake(self):
        """Let a healthy program wake its tasks, and return those that haven't finished in the end.

        A timer may have woken one before, on a slow machine: it is gone then, which only one that was destroyed
        while pending may not be.
        """
        tasks = [task for reference in self.watched if (task := reference()) is not None]
        self._resume.set()
        self.loop.run_until_complete(asyncio.wait_for(self.driver, PATIENCE))
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE))
        return [task for task in tasks if not task.done()] + self.destroyed

    def let_go(self):
        """Drop what the stage holds, collect, and return the number of tasks destroyed while pending."""
        before = [weakref.ref(task) for task in self.pending()]
        self.stage.background.clear()
        self.stage.unprovable_tasks.clear()
        # Callbacks of a group that is half destroyed may still run, and fail: no fault of the program.
        self.loop.set_exception_handler(lambda loop, context: None)
        with _quiet_finalizers():
            gc.collect()
            gc.collect()
        return sum(reference() is None for reference in before)

    def end(self):
        """Cancel what is left."""
        for task in asyncio.all_tasks(self.loop):
            # Tasks that await each other cancel each other for ever.
            with contextlib.suppress(RecursionError):
                task.cancel()
        self._resume.set()
        self._settle()
        self.stage.background.clear()
        self.stage.unprovable_tasks.clear()
        with _quiet_finalizers():
            gc.collect()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.set_exception_handler(lambda loop, context: None)
            self.loop.close()
            gc.collect()

    def _begin_healthy(self):
        reached = self.loop.create_future()

        async def drive():
            async for tasks in self.program.run(self.stage):
                self.watched += [weakref.ref(task) for task in tasks]
                del tasks
                reached.set_result(None)
                await self._resume.wait()

        self.driver = self.loop.create_task(drive(), name="corpus driver")
        self.driver.add_done_callback(lambda _: reached.done() or reached.set_result(None))
        self.loop.run_until_complete(reached)
        if self.driver.done():
            self.driver.result()
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))

    def _settle(self):
        """Run the loop until the pending tasks stay the same for a while."""
        last, now = None, self._signature()
        while last != now:
            self.loop.run_until_complete(asyncio.sleep(QUIET))
            last, now = now, self._signature()

    def _signature(self):
        return frozenset(map(id, self.pending()))

    def _note_error(self, loop, context):
        if context["message"].startswith("Task was destroyed"):
            self.destroyed.append(context["message"])
        # Services that leak often have failed tasks that nobody asks. An error in a callback is a bug.
        if not context["message"].startswith(("Task was destroyed", "Task exception", "Future exception")):
            self.errors.append(context)


@contextlib.contextmanager
def running(program: Program, new_loop=asyncio.new_event_loop) -> Iterator[Run]:
    """Run a program to the point where it is judged, with automatic collection off, and clean up after.

    Nothing is collected before: the one that ran last has cleaned up, and a collection takes as long as a program.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    run = Run(program, new_loop())
    try:
        run.begin()
        yield run
    finally:
        run.end()
        if was_enabled:
            gc.enable()


def complaints(program: Program, new_loop=asyncio.new_event_loop) -> list[str]:
    """Say what is wrong with a program: nothing, as a rule."""
    check = {"leaking": _check_leaking, "fixed": _check_fixed, "healthy": _check_healthy}[program.kind]
    # What was there before is no part of the program: frozen, it needn't be looked at by each collection.
    gc.freeze()
    try:
        with running(program, new_loop) as run:
            found = check(run)
    finally:
        gc.unfreeze()
    return found + [f"the loop reports {context!r}" for context in run.errors]


def _check_leaking(run):
    declared = len(run.stage.unprovable_tasks)
    found = ["a declared task isn't pending" for task, _ in run.stage.unprovable_tasks if task.done()]
    stuck = len(run.pending())
    if not stuck:
        found.append("leaves no pending task")
    destroyed = run.let_go()
    if destroyed != stuck - declared:
        found.append(f"{stuck} tasks are pending, {declared} declared, {destroyed} out of reach")
    return found


def _check_fixed(run):
    destroyed = run.let_go()
    return [f"{destroyed} pending tasks are out of reach"] if destroyed else []


def _check_healthy(run):
    watched = [reference() for reference in run.watched]
    found = ["a watched task isn't pending" for task in watched if task is None or task.done()]
    if not watched:
        found.append("yields no task")
    del watched
    if not found and (left := run.wake()):
        found.append(f"{len(left)} tasks were not woken")
    return found


@contextlib.contextmanager
def _quiet_finalizers():
    """Silence coroutines that await in a ``finally`` while they are being destroyed."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        yield
    finally:
        sys.unraisablehook = hook


def twinless() -> list[str]:
    """Return the leaking programs that nobody has fixed."""
    mended = {program.leaking for program in PROGRAMS.values()}
    return [name for name, program in PROGRAMS.items() if program.kind == "leaking" and name not in mended]


def main(parts: list[str]) -> int:
    """Check the programs whose name contains one of the parts, on every loop, and print what is wrong."""
    chosen = [p for name, p in load().items() if not parts or any(part in name for part in parts)]
    wrong = [f"{name}: has no fixed twin" for name in twinless()]
    spent = collections.Counter()
    for loop_name, new_loop in LOOPS.items():
        for program in chosen:
            began = time.perf_counter()
            wrong += [f"{program.name} on {loop_name}: {text}" for text in complaints(program, new_loop)]
            spent[program.name] = time.perf_counter() - began
    print(*wrong, sep="\n")
    print("kinds:", dict(collections.Counter(program.kind for program in chosen)))
    print("slowest:", ", ".join(f"{name} {seconds:.2f} s" for name, seconds in spent.most_common(5)))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
