"""The Code type: any Python's code object as data, its instructions resolved.

What a file holds (`unmarshal`) and what lives in this process go the same way: fields,
then the instructions by the table of the Python that wrote them.
"""

from __future__ import annotations

import opcode as running_opcodes
import sys
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from capsule.bytecode.instructions import Instruction, Undecodable, decoded
from capsule.bytecode.opcodes import Table, table_of
from capsule.bytecode.unmarshal import Raw

__all__ = ["Code", "Instruction", "Undecodable", "adapt", "decode_code"]

_HAS_DOCSTRING = 0x4000000
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


@dataclass(frozen=True)
class Code:
    """A code object as data. ``constants`` hold nested Code, never a live code object.

    ``python`` is the minor version whose table its instructions were read by; ``guarded``
    the ranges of instructions that an exception handler covers, as (start, end, handler).
    """

    python: str
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
    guarded: tuple[tuple[int, int, int], ...] = ()

    @property
    def version(self) -> tuple[int, int]:
        """The minor version, to be compared: ``(3, 11)``."""
        major, minor = self.python.split(".")
        return int(major), int(minor)

    @property
    def is_lambda(self) -> bool:
        """Whether it is the code of a lambda expression."""
        return self.name == "<lambda>"

    @property
    def is_comprehension(self) -> bool:
        """Whether it is the code of a comprehension, which runs with what it stands in."""
        return self.name in _COMPREHENSIONS

    @property
    def nested(self) -> tuple[Code, ...]:
        """The code of what is defined inside: lambdas, comprehensions, inner functions."""
        return tuple(constant for constant in self.constants if isinstance(constant, Code))

    @property
    def docstring(self) -> str | None:
        """The text that documents the function, if it has one."""
        first = self.constants[0] if self.constants else None
        if self.is_lambda or self.is_comprehension or not isinstance(first, str):
            return None
        return first if self.version < (3, 14) or self.flags & _HAS_DOCSTRING else None


def decode_code(raw: Raw, python: str) -> Code:
    """Return *raw* with its instructions read as those of the given minor version.

    Raises Undecodable where that Python can't have written them.
    """
    return _code(raw, table_of(python))


def adapt(code: CodeType) -> Code:
    """Return a live code object of this Python as Code. Nothing of it is run."""
    return _code(_raw(code), _RUNNING)


def _code(raw: Raw, table: Table) -> Code:
    constants = tuple(_code(c, table) if isinstance(c, Raw) else c for c in raw.constants)
    instructions, guarded = decoded(replace(raw, constants=constants), table)
    return Code(
        python=table.python,
        name=raw.name,
        filename=raw.filename,
        first_line=raw.first_line,
        flags=raw.flags,
        argument_count=raw.argument_count,
        positional_only_count=raw.positional_only_count,
        keyword_only_count=raw.keyword_only_count,
        variables=raw.variables,
        free=raw.free,
        cells=raw.cells,
        constants=constants,
        instructions=instructions,
        guarded=guarded,
    )


def _raw(code: CodeType) -> Raw:
    modern = sys.version_info >= (3, 11)
    places = [(name, 0x20 | (0x40 if name in code.co_cellvars else 0)) for name in code.co_varnames]
    places += [(name, 0x40) for name in code.co_cellvars if name not in code.co_varnames]
    places += [(name, 0x80) for name in code.co_freevars]
    return Raw(
        layout="3.11+" if modern else "3.8-3.10",
        name=code.co_name,
        qualname=getattr(code, "co_qualname", None),
        filename=code.co_filename,
        first_line=code.co_firstlineno,
        flags=code.co_flags,
        argument_count=code.co_argcount,
        positional_only_count=code.co_posonlyargcount,
        keyword_only_count=code.co_kwonlyargcount,
        stack_size=code.co_stacksize,
        variables=code.co_varnames,
        free=code.co_freevars,
        cells=code.co_cellvars,
        kinds=tuple(places) if modern else (),
        names=code.co_names,
        constants=tuple(_raw(c) if isinstance(c, CodeType) else c for c in code.co_consts),
        code=code.co_code,
        lines=bytes(getattr(code, "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab")),
        exceptions=getattr(code, "co_exceptiontable", b""),
    )


def _running() -> Table:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    entries = getattr(running_opcodes, "_inline_cache_entries", {})
    if not isinstance(entries, dict):
        entries = {running_opcodes.opname[at]: count for at, count in enumerate(entries)}
    return Table.of(python, running_opcodes.opmap, entries)


# The running Python knows its own instructions best, also one that is newer than the table.
_RUNNING = _running()
