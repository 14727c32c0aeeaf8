"""Whether two codes of one Python go through the same instructions, whichever way is taken.

Compilers copy the end of a function, turn loops round and lead jumps past jumps. Followed
side by side, two codes that were written alike still say the same at every step.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence.constants import Step, steps_of

Blocks = tuple[int, ...]
# Variadic, generator, coroutine: what a flag says besides is where the function was written.
_FLAGS = 0x04 | 0x08 | 0x20 | 0x80 | 0x200
_HEAD = ("argument_count", "positional_only_count", "keyword_only_count")


def same_steps(one: Code, other: Code) -> str | None:
    """Return where two codes of the same Python differ first, None if nowhere."""
    for name in _HEAD:
        if getattr(one, name) != getattr(other, name):
            return f"their {name.replace('_', ' ')} differ"
    if one.flags & _FLAGS != other.flags & _FLAGS:
        return "one takes or gives otherwise"
    count = one.argument_count + one.keyword_only_count
    if one.variables[:count] != other.variables[:count] or one.free != other.free:
        return "they take other names"
    left, right = steps_of(one), steps_of(other)
    waiting: list[tuple[int, Blocks, int, Blocks]] = [(0, (), 0, ())]
    seen = set()
    while waiting:
        at, blocks, place, others = waiting.pop()
        at, blocks = settled(left, at, blocks)
        place, others = settled(right, place, others)
        if (at, place) in seen:
            continue
        seen.add((at, place))
        if at >= len(left) or place >= len(right):
            if at < len(left) or place < len(right):
                return "one ends before the other"
            continue
        a, b = left[at], right[place]
        told = _differs(a, b)
        if told is not None:
            return f"{a.at} and {b.at}{told}"
        if a.word.startswith("BRANCH"):
            ways, other_ways = _ways(a), _ways(b)
            waiting += [(x, blocks, y, others) for x, y in zip(ways, other_ways)]
        elif a.word not in ("RETURN_VALUE", "RAISE_VARARGS", "RERAISE"):
            waiting.append((a.next, blocks, b.next, others))
            if a.target >= 0:
                waiting.append((a.target, blocks, b.target, others))
    return None


def settled(steps: Sequence[Step], at: int, blocks: Blocks) -> tuple[int, Blocks]:
    """Return the next step that does something, and the loops around it (of 3.7 and before)."""
    for _ in range(2 * len(steps) + 2):
        if at >= len(steps):
            break
        step = steps[at]
        if step.word == "SETUP_LOOP":
            blocks, at = (*blocks, step.target), step.next
        elif step.word == "POP_BLOCK":
            blocks, at = blocks[:-1], step.next
        elif step.word == "BREAK_LOOP" and blocks:
            blocks, at = blocks[:-1], blocks[-1]
        elif step.word == "JUMP":
            at = step.next
        else:
            break
    return at, blocks


def _ways(step: Step) -> tuple[int, int]:
    """Return where a branch goes if its test holds, and if it doesn't."""
    return (step.target, step.next) if step.argument else (step.next, step.target)


def _differs(a: Step, b: Step) -> str | None:
    if a.word != b.word:
        return ""
    if a.word.startswith("BRANCH"):
        same = a.keeps == b.keeps and (not a.keeps or a.argument == b.argument)
        return None if same else ": one keeps what it tested"
    if a.target >= 0:
        return None
    if isinstance(a.value, Code) and isinstance(b.value, Code):
        told = same_steps(a.value, b.value)
        return None if told is None else f" (inside: {told})"
    if a.value is None and b.value is None:
        return None if a.argument == b.argument else ": other arguments"
    if a.called != b.called or _text(a.value) != _text(b.value):
        return ": other values"
    return None


def _text(value: object) -> str:
    if isinstance(value, (frozenset, set)):
        return repr(sorted(map(repr, value)))
    if type(value).__name__ == "Frozen":
        return repr(sorted(map(repr, value)))  # type: ignore[call-overload]
    return repr(value)
