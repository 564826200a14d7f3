"""Plain text: /debug/tasks.txt as Go prints its goroutines, and /debug/tasks.folded for flame graphs."""

from collections.abc import Iterable, Iterator, Mapping

from lowtide.judge.stacks import Stacks, folded
from lowtide.judge.waits import Place
from lowtide.publish.page.words import lasting, number, visible
from lowtide.record.origins import Origin
from lowtide.record.watcher import Breath

MOST_BYTES = 950_000


def grouped(stacks: Stacks, note: str) -> Iterator[str]:
    """Yield the tasks by await stack, the largest group first: ``debug=1``."""
    yield f"task profile: total {stacks.total}\n{note}"
    for stack, count in stacks.groups.most_common():
        inner = [visible(step.function) for step in reversed(stack)]
        lines = [f"{count} @ {' < '.join(inner) or 'no stack'}"]
        lines += [
            f"#\t{visible(step.function)}\t{visible(step.file)}:{step.line}" for step in reversed(stack)
        ]
        yield "\n" + "\n".join(lines) + "\n"


def one_by_one(stacks: Stacks, note: str, made_at: Mapping[Origin, Place]) -> Iterator[str]:
    """Yield each task with its stack, the oldest first: ``debug=2``."""
    yield f"tasks: total {stacks.total}\n{note}"
    for task in stacks.tasks:
        lines = [f"task {visible(task.name)!r} [{visible(task.waiting_on)}, {lasting(task.age)}]:"]
        for step in reversed(task.stack):
            lines += [f"{visible(step.function)}(...)", f"\t{visible(step.file)}:{step.line}"]
        lines.append(f"created by {visible(task.origin.spawner)}")
        place = made_at.get(task.origin)
        lines += [f"\t{visible(place.file)}:{place.line}"] if place else []
        yield "\n" + "\n".join(lines) + "\n"


def note_of(stacks: Stacks, standing_still: Iterable[str]) -> str:
    """Say what is missing from the text, in comment lines."""
    notes = [f"# the loop {name} stands still: its tasks can't be looked at" for name in standing_still]
    if stacks.looked_at < stacks.total:
        notes.append(
            f"# {number(stacks.looked_at)} of {number(stacks.total)} live tasks were looked at, evenly spread by age"
        )
    return "".join(f"{note}\n" for note in notes)


def folded_lines(stacks: Stacks) -> Iterator[str]:
    """Yield collapsed stacks. What was not looked at or finds no room is a stack of its own: the sum is true."""
    room = MOST_BYTES
    left = 0
    breath = Breath()
    for line, count in folded(stacks.groups):
        text = f"{visible(line)} {count}\n"
        room -= len(text.encode("utf-8", "replace"))
        if room >= 0:
            yield text
        else:
            left += count
        breath.take()
    for says, count in (
        ("stacks that are left out", left),
        ("tasks not looked at", stacks.total - stacks.looked_at),
    ):
        if count > 0:
            yield f"{says} {count}\n"


def cut(pieces: Iterable[str]) -> Iterator[str]:
    """Stop before a megabyte, and say how many pieces are left out."""
    room = MOST_BYTES
    left = 0
    breath = Breath()
    for piece in pieces:
        room -= len(piece.encode("utf-8", "replace"))
        if room >= 0:
            yield piece
        else:
            left += 1
        breath.take()
    if left:
        yield f"\n# {number(left)} more are left out: this text ends before a megabyte\n"
