"""The comparison of two codes of one Python, instruction by instruction, on all ways at once.

Compilers copy the end of a function, turn loops round and lead jumps past jumps. Read side by
side, two codes of the same source still do the same at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence.frames import signature_of
from capsule.bytecode.equivalence.steps import Step, normalize
from capsule.bytecode.unmarshal import Frozen

_KIND_FLAGS = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator
_ENDS = ("RETURN_VALUE", "RAISE_VARARGS", "RERAISE")


class _Position(NamedTuple):
    """The index of a step, and the ends of the loops around it (of 3.7 and before)."""

    place: int
    loops: tuple[int, ...] = ()


def instruction_difference(code: Code, other: Code) -> str | None:
    """Return where two codes of the same Python differ first, None if nowhere."""
    if signature_of(code) != signature_of(other) or code.free != other.free:
        return "they take other names"
    if code.flags & _KIND_FLAGS != other.flags & _KIND_FLAGS:
        return "they are functions of another kind"
    lefts, rights = normalize(code), normalize(other)
    remaining = [(_Position(0), _Position(0))]
    seen = set()
    while remaining:
        at_left, at_right = remaining.pop()
        at_left, at_right = _effective(lefts, at_left), _effective(rights, at_right)
        places = (at_left.place, at_right.place)
        if places in seen:
            continue
        seen.add(places)
        ends = (at_left.place >= len(lefts), at_right.place >= len(rights))
        if all(ends):
            continue
        if any(ends):
            return "only the first or the second ends here"
        left, right = lefts[at_left.place], rights[at_right.place]
        difference = _step_difference(left, right)
        if difference is not None:
            return f"{left.instruction} and {right.instruction}{difference}"
        for to_left, to_right in zip(_successors(left), _successors(right)):
            remaining.append((at_left._replace(place=to_left), at_right._replace(place=to_right)))
    return None


def _effective(steps: Sequence[Step], position: _Position) -> _Position:
    """Return the position of the next step that does more than jump or mark a loop."""
    place, loops = position
    for _ in range(2 * len(steps) + 2):  # jumps may go in a circle
        if place >= len(steps):
            break
        step = steps[place]
        if step.name == "SETUP_LOOP":
            loops, place = (*loops, step.target), step.next
        elif step.name == "POP_BLOCK":
            loops, place = loops[:-1], step.next
        elif step.name == "BREAK_LOOP" and loops:
            loops, place = loops[:-1], loops[-1]
        elif step.name == "JUMP":
            place = step.next
        else:
            break
    return _Position(place, loops)


def _successors(step: Step) -> list[int]:
    """Return where a step leads; of a branch first where it leads if its test holds."""
    if step.name in _ENDS:
        return []
    if step.target < 0:
        return [step.next]
    if step.name.startswith("BRANCH") and step.argument:
        return [step.target, step.next]
    return [step.next, step.target]


def _step_difference(step: Step, other: Step) -> str | None:
    if step.name != other.name:
        return ""
    if step.name.startswith("BRANCH"):
        same = step.keeps == other.keeps and (not step.keeps or step.argument == other.argument)
        return None if same else ": only the first or the second keeps what it tested"
    if step.target >= 0:
        return None
    if isinstance(step.value, Code) and isinstance(other.value, Code):
        difference = instruction_difference(step.value, other.value)
        return None if difference is None else f" (inside: {difference})"
    if step.value is None and other.value is None:
        return None if step.argument == other.argument else ": other arguments"
    if step.for_call != other.for_call or _text(step.value) != _text(other.value):
        return ": other values"
    return None


def _text(value: object) -> str:
    if isinstance(value, (frozenset, set, Frozen)):
        return repr(sorted(map(repr, value)))
    return repr(value)
