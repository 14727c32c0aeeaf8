"""The Code type, and live code objects adapted to it."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(frozen=True)
class Instruction:
    """One instruction, its argument resolved: ``value`` is the name or constant it names."""

    offset: int
    name: str
    argument: int | None
    value: Any


@dataclass(frozen=True)
class Code:
    """A code object as data. ``constants`` hold nested Code, never a live code object."""

    name: str
    filename: str
    first_line: int
    flags: int
    argument_count: int
    positional_only_count: int
    keyword_only_count: int
    variables: tuple[str, ...]
    free: tuple[str, ...]
    cells: tuple[str, ...]
    constants: tuple[Any, ...]
    instructions: tuple[Instruction, ...]

    @property
    def nested(self) -> tuple[Code, ...]:
        """The code of what is defined inside: lambdas, comprehensions, inner functions."""
        return tuple(constant for constant in self.constants if isinstance(constant, Code))


def adapt(code: CodeType) -> Code:
    """Return a live code object of this Python as Code. Nothing of it is run."""
    # `dis` knows the running Python's own instructions best, inline caches left out.
    instructions = tuple(
        Instruction(i.offset, i.opname, i.arg, None if isinstance(i.argval, CodeType) else i.argval)
        for i in dis.get_instructions(code)
        if i.opname not in ("CACHE", "EXTENDED_ARG", "PUSH_NULL")
    )
    return Code(
        name=code.co_name,
        filename=code.co_filename,
        first_line=code.co_firstlineno,
        flags=code.co_flags,
        argument_count=code.co_argcount,
        positional_only_count=code.co_posonlyargcount,
        keyword_only_count=code.co_kwonlyargcount,
        variables=code.co_varnames,
        free=code.co_freevars,
        cells=code.co_cellvars,
        constants=tuple(adapt(c) if isinstance(c, CodeType) else c for c in code.co_consts),
        instructions=instructions,
    )
