"""Instructions of every Python in one normal form: one effect each, and where it leads.

An instruction that stands for two becomes two; those without effect are left out; jumps of
all kinds become one, with the place to go to if the test holds and if it doesn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.instructions import jumps

_WITHOUT_EFFECT = {
    "NOP",
    "RESUME",
    "NOT_TAKEN",
    "TO_BOOL",
    "PRECALL",
    "COPY_FREE_VARS",
    "MAKE_CELL",
    "GEN_START",
}
_PAIRS = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_SYNONYMS = {
    "LOAD_FAST_CHECK": "LOAD_FAST",
    "LOAD_FAST_BORROW": "LOAD_FAST",
    "LOAD_NAME": "LOAD_GLOBAL",
    "STORE_NAME": "STORE_GLOBAL",
    "LOAD_SMALL_INT": "LOAD_CONST",
    "LOAD_METHOD": "LOAD_ATTR",
}


@dataclass(frozen=True)
class Step:
    """One instruction in normal form.

    ``name`` is BRANCH for a test of truth, BRANCH_NONE for one of ``is None``; ``next`` the
    index of the step behind it, ``target`` of the one it may jump to. A branch jumps where
    its test is ``bool(argument)``; ``keeps`` tells that it then leaves the tested value on
    the stack. ``for_call`` marks a load that puts an empty slot beside what it loads.
    """

    name: str
    argument: int
    value: Any
    next: int
    instruction: Instruction
    target: int = -1
    keeps: bool = False
    for_call: bool = False


def version_of(code: Code) -> tuple[int, ...]:
    """Return the version of the Python that wrote *code*, as numbers."""
    return tuple(int(part) for part in code.python.split("."))


def normalize(code: Code) -> list[Step]:
    """Return the steps of *code*; the first is the entry."""
    version = version_of(code)
    parts: list[tuple[Instruction, str, Any]] = []
    indexes: dict[int, int] = {}
    for instruction in code.instructions:
        indexes[instruction.offset] = len(parts)
        parts += [(instruction, name, value) for name, value in _split(instruction)]
    steps = []
    for following, (instruction, name, value) in enumerate(parts, 1):
        if jumps(instruction.name):
            target = indexes.get(instruction.value, len(indexes))
            steps.append(_jump(instruction, following, target))
        else:
            argument, for_call = instruction.argument or 0, _is_for_call(instruction, version)
            steps.append(Step(name, argument, value, following, instruction, for_call=for_call))
    return steps


def _split(instruction: Instruction) -> list[tuple[str, Any]]:
    """Return name and value of the steps that an instruction stands for."""
    name, value = instruction.name, instruction.value
    if name in _WITHOUT_EFFECT:
        return []
    if name in _PAIRS:
        return list(zip(_PAIRS[name], value))
    if name == "RETURN_CONST":
        return [("LOAD_CONST", value), ("RETURN_VALUE", None)]
    return [(_SYNONYMS.get(name, name), value)]


def _is_for_call(instruction: Instruction, version: tuple[int, ...]) -> bool:
    if instruction.name == "LOAD_METHOD":
        return True
    since = {"LOAD_GLOBAL": (3, 11), "LOAD_ATTR": (3, 12)}.get(instruction.name)
    return since is not None and version >= since and bool((instruction.argument or 0) & 1)


def _jump(instruction: Instruction, following: int, target: int) -> Step:
    name, argument = instruction.name, instruction.argument or 0
    if name == "CONTINUE_LOOP" or (name.startswith("JUMP_") and "IF" not in name):
        return Step("JUMP", argument, None, target, instruction)
    if not name.startswith(("POP_JUMP", "JUMP_IF")) or "EXC" in name:
        return Step(name, argument, None, following, instruction, target)
    if name.endswith("NONE"):
        jumps_if = int("NOT_NONE" not in name)
        return Step("BRANCH_NONE", jumps_if, None, following, instruction, target)
    keeps = name.endswith("OR_POP")
    return Step("BRANCH", int("_TRUE" in name), None, following, instruction, target, keeps)
