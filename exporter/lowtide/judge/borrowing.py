"""Whether a suspended frame reports references that it only borrows.

From 3.14 on, the interpreter may push a local variable without counting it (``LOAD_FAST_BORROW``), where the
compiler has seen that the value is consumed in the same basic block.
A ``yield`` in the middle of an expression suspends the frame with such values on its stack, and
``gc.get_referents`` reports them like any other.
An ``await`` ends the block, so nothing is borrowed across it.
"""

import dis
import types
import weakref

_LENDING = {"LOAD_FAST_BORROW": 1, "LOAD_FAST_BORROW_LOAD_FAST_BORROW": 2}
# Keyed by id, as comparing code objects compares what is in them.
_SEEN: dict[int, tuple[weakref.ref[types.CodeType], bool]] = {}
_MOST_CACHED = 4096


def borrows_across_yield(code: types.CodeType) -> bool:
    """Say whether a frame of this code may be suspended in a yield with borrowed values on its stack."""
    seen = _SEEN.get(id(code))
    if seen is not None and seen[0]() is code:
        return seen[1]
    if len(_SEEN) >= _MOST_CACHED:
        _SEEN.clear()
    answer = _simulate(code)
    _SEEN[id(code)] = (weakref.ref(code), answer)
    return answer


def _simulate(code: types.CodeType) -> bool:
    """Follow how high the stack is; a value counts as borrowed until the stack is lower than where it was."""
    height = 0
    borrowed: list[int] = []
    for instruction in dis.get_instructions(code):
        if instruction.is_jump_target:
            borrowed.clear()
        if instruction.opname == "YIELD_VALUE" and any(place < height - 1 for place in borrowed):
            return True
        lent = _LENDING.get(instruction.opname, 0)
        borrowed.extend(range(height, height + lent))
        height += lent or dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
        borrowed = [place for place in borrowed if place < height]
    return False
