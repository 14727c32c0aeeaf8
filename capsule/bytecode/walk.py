"""Which names a piece of code uses, and which attributes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from capsule.bytecode.code import Code, Instruction

_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_FREE = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "LOAD_CLOSURE"}
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
_STORE = {"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL", "STORE_FAST_LOAD_FAST"}
_LOCAL = {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW"}


@dataclass
class Import:
    """An import inside a body: module, level of a relative one, names taken, chains used."""

    module: str
    level: int
    names: tuple[str, ...]
    attributes: set[str] = field(default_factory=set)


@dataclass
class Uses:
    """What code uses: global and free names, each with the attribute chains taken of it."""

    globals: dict[str, set[str]] = field(default_factory=dict)
    free: dict[str, set[str]] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)

    def add(self, nested: Uses, free: tuple[str, ...]) -> None:
        """Take over what nested code uses; of its free names only those in *free*."""
        for name, chains in nested.globals.items():
            self.globals.setdefault(name, set()).update(chains)
        for name, chains in nested.free.items():
            if name in free:
                self.free.setdefault(name, set()).update(chains)
        self.imports.extend(nested.imports)


def names_used(code: Code, *, nested: bool = True) -> Uses:
    """Return the names that code uses.

    Parameters
    ----------
    code
        A function's code.
    nested
        Whether what nested functions use counts as well. Comprehensions run with what they
        stand in, so their code always counts.

    Returns
    -------
    Uses
        Global and free names, each with the attributes used of it, and imports in the body.
    """
    uses = Uses()
    bound: dict[str, Import] = {}
    stream = code.instructions
    for index, instruction in enumerate(stream):
        name = instruction.value
        if instruction.name in _GLOBAL:
            uses.globals.setdefault(name, set()).update(_chain(stream, index + 1))
        elif instruction.name in _FREE and name in code.free:
            uses.free.setdefault(name, set()).update(_chain(stream, index + 1))
        elif instruction.name == "IMPORT_NAME":
            uses.imports.append(_import(stream, index))
            for variable in _stored(stream, index):
                bound[variable] = uses.imports[-1]
        elif instruction.name in _LOCAL and name in bound:
            bound[name].attributes.update(_chain(stream, index + 1))
    for inner in code.nested:
        if nested or inner.is_comprehension:
            uses.add(names_used(inner), code.free)
    return uses


def _chain(stream: tuple[Instruction, ...], index: int) -> Iterator[str]:
    """Give the attribute chain that starts at *index* as dotted text, if there is one."""
    parts = []
    while index < len(stream) and stream[index].name in _ATTRIBUTE:
        parts.append(str(stream[index].value))
        index += 1
    if parts:
        yield ".".join(parts)


def _import(stream: tuple[Instruction, ...], index: int) -> Import:
    # IMPORT_NAME takes what the two instructions before it pushed: level and names.
    names = stream[index - 1].value if index >= 1 else None
    level = stream[index - 2].value if index >= 2 else 0
    texts = tuple(n for n in names if isinstance(n, str)) if isinstance(names, tuple) else ()
    return Import(str(stream[index].value), level if isinstance(level, int) else 0, texts)


def _stored(stream: tuple[Instruction, ...], index: int) -> Iterator[str]:
    """Give the variable that ``import x`` binds (``from x import y`` binds none to x)."""
    if index + 1 < len(stream) and stream[index + 1].name in _STORE:
        value = stream[index + 1].value
        yield value[0] if isinstance(value, tuple) else value
