"""The Code type: any Python's code object as data, its instructions resolved.

What a file holds (`unmarshal`) and what lives in this process go the same way: fields,
then the instructions by the table of the Python that wrote them.
"""

from __future__ import annotations

import opcode as running_opcodes
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from types import CodeType

from capsule.bytecode.instructions import (
    GuardedRange,
    Instruction,
    Undecodable,
    decode_instructions,
    read_guarded,
)
from capsule.bytecode.opcodes import Table, table_of
from capsule.bytecode.unmarshal import CELL_KIND, FREE_KIND, LOCAL_KIND, CodeFields, RawCode

__all__ = ["Code", "Instruction", "Undecodable", "adapt", "decode_code"]

_HAS_DOCSTRING = 0x4000000
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


@dataclass(frozen=True)
class Code(CodeFields):
    """A code object as data. ``constants`` hold nested Code, never a live code object.

    ``python`` is the minor version whose table its instructions were read by.
    """

    python: str
    instructions: tuple[Instruction, ...]
    guarded: tuple[GuardedRange, ...] = ()

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

    def walk(self) -> Iterator[Code]:
        """Give the code itself and all that is nested in it, however deep."""
        yield self
        for inner in self.nested:
            yield from inner.walk()

    @property
    def docstring(self) -> str | None:
        """The text that documents the function, if it has one."""
        first = self.constants[0] if self.constants else None
        if self.is_lambda or self.is_comprehension or not isinstance(first, str):
            return None
        return first if self.version < (3, 14) or self.flags & _HAS_DOCSTRING else None


def decode_code(raw: RawCode, python: str) -> Code:
    """Read the instructions of stored code as those of one Python.

    Parameters
    ----------
    raw
        The code object as ``unmarshal.read_code`` returns it.
    python
        A minor version of the same layout, such as ``3.7``.

    Returns
    -------
    Code
        With its nested code decoded as well.

    Raises
    ------
    Undecodable
        That Python can't have written the instructions.
    """
    return _decode(raw, table_of(python))


def adapt(code: CodeType) -> Code:
    """Return a live code object of this Python as Code; nothing of it is run."""
    return _decode(_raw(code), _RUNNING)


def _decode(raw: RawCode, table: Table) -> Code:
    constants = tuple(_decode(c, table) if isinstance(c, RawCode) else c for c in raw.constants)
    raw = replace(raw, constants=constants)
    return Code(
        **{field.name: getattr(raw, field.name) for field in fields(CodeFields)},
        python=table.python,
        instructions=decode_instructions(raw, table),
        guarded=read_guarded(raw.exceptions),
    )


def _raw(code: CodeType) -> RawCode:
    modern = sys.version_info >= (3, 11)
    cells = [name for name in code.co_cellvars if name not in code.co_varnames]
    kinds = [
        *((n, LOCAL_KIND | CELL_KIND * (n in code.co_cellvars)) for n in code.co_varnames),
        *((name, CELL_KIND) for name in cells),
        *((name, FREE_KIND) for name in code.co_freevars),
    ]
    return RawCode(
        layout="3.11+" if modern else "3.8-3.10",
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
        kinds=tuple(kinds) if modern else (),
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
