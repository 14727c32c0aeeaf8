"""Instructions of every Python in the plainest words: one thing each, and where it leads.

What stands for two instructions becomes two; what says nothing is left out; jumps of all
kinds become one, with the place to go to if the test holds and if it doesn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.instructions import jumps

_SILENT = {
    "NOP",
    "RESUME",
    "CACHE",
    "NOT_TAKEN",
    "TO_BOOL",
    "PRECALL",
    "COPY_FREE_VARS",
    "MAKE_CELL",
    "EXTENDED_ARG",
    "GEN_START",
}
_TWICE = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_SAME = {
    "LOAD_FAST_CHECK": "LOAD_FAST",
    "LOAD_FAST_BORROW": "LOAD_FAST",
    "LOAD_NAME": "LOAD_GLOBAL",
    "STORE_NAME": "STORE_GLOBAL",
    "LOAD_SMALL_INT": "LOAD_CONST",
    "LOAD_METHOD": "LOAD_ATTR",
}
_ALWAYS = {
    "JUMP_FORWARD",
    "JUMP_ABSOLUTE",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "CONTINUE_LOOP",
}


@dataclass(frozen=True)
class Step:
    """One plain instruction.

    ``word`` is its name, BRANCH for a test of truth, BRANCH_NONE for one of ``is None``;
    ``next`` the step behind it, ``target`` where it goes else: for a branch if the test
    holds. ``keeps`` tells that a branch leaves what it tested on the stack where it jumps.
    """

    word: str
    argument: int
    value: Any
    next: int
    target: int = -1
    keeps: bool = False
    called: bool = False  # a load that puts an empty place beside what is to be called
    at: Instruction | None = None


def steps_of(code: Code) -> list[Step]:
    """Return the steps of *code*; the first is the first to be taken."""
    version = tuple(int(part) for part in code.python.split("."))
    plain: list[tuple[str, Instruction, Any]] = []
    places: dict[int, int] = {}
    for one in code.instructions:
        places[one.offset] = len(plain)
        if one.name in _TWICE:
            plain += [(word, one, value) for word, value in zip(_TWICE[one.name], one.value)]
        elif one.name == "RETURN_CONST":
            plain += [("LOAD_CONST", one, one.value), ("RETURN_VALUE", one, None)]
        elif one.name not in _SILENT:
            plain.append((_SAME.get(one.name, one.name), one, one.value))
    return [
        _step(word, one, value, index + 1, places, version)
        for index, (word, one, value) in enumerate(plain)
    ]


def _step(
    word: str,
    one: Instruction,
    value: Any,
    behind: int,
    places: dict[int, int],
    version: tuple[int, ...],
) -> Step:
    argument = one.argument or 0
    if not jumps(one.name):
        called = (
            (one.name == "LOAD_GLOBAL" and version >= (3, 11) and bool(argument & 1))
            or (one.name == "LOAD_ATTR" and version >= (3, 12) and bool(argument & 1))
            or one.name == "LOAD_METHOD"
        )
        return Step(word, argument, value, behind, called=called, at=one)
    target = places.get(one.value, len(places))
    if one.name in _ALWAYS:
        return Step("JUMP", argument, None, target, at=one)
    keeps = one.name.endswith("OR_POP")
    if one.name.startswith(("POP_JUMP", "JUMP_IF")) and "EXC" not in one.name:
        word = "BRANCH_NONE" if one.name.endswith("NONE") else "BRANCH"
        jumps_if = "NOT_NONE" not in one.name if word == "BRANCH_NONE" else "_TRUE" in one.name
        if jumps_if:
            return Step(word, 1, None, behind, target, keeps, at=one)
        return Step(word, 0, None, behind, target, keeps, at=one)
    return Step(word, argument, None, behind, target, at=one)
