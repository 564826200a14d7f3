"""Patches: an attribute that is replaced for a while and then put back, exactly as it was."""

from collections.abc import Callable, Iterable
from typing import Any


class Patch:
    """One replaced attribute of a module, a class or a loop."""

    def __init__(self, target: Any, name: str, replacement: Callable[[Any], Any]) -> None:
        """Replace the attribute with what ``replacement`` makes of the one that is there."""
        self._target = target
        self._name = name
        self._was_own = name in vars(target)
        self._previous = vars(target)[name] if self._was_own else None
        self._ours = replacement(getattr(target, name))
        self.is_undone = False
        setattr(target, name, self._ours)

    def undo(self) -> None:
        """Put back what was there, unless somebody else's stands there by now, who may put ours back later."""
        if vars(self._target).get(self._name) is not self._ours:
            return
        self.is_undone = True
        if self._was_own:
            setattr(self._target, self._name, self._previous)
        else:
            delattr(self._target, self._name)


def undo_all(patches: Iterable[Patch]) -> list[Patch]:
    """Undo patches, those that came last first; return those that could not be."""
    listed = list(patches)
    for patch in reversed(listed):
        patch.undo()
    return [patch for patch in listed if not patch.is_undone]
