"""Which number means which instruction, in every Python from 2.7 to 3.14."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# From here on an instruction is two bytes wide and always has an argument.
_WIDE = (3, 6)
_FIRST_WITH_ARGUMENT = 90


@dataclass(frozen=True)
class Table:
    """One Python's instructions: names by number, and how many cache entries follow each."""

    python: str
    version: tuple[int, int]
    names: Mapping[int, str]
    caches: Mapping[str, int]

    @property
    def wide(self) -> bool:
        """Whether every instruction takes two bytes."""
        return self.version >= _WIDE

    def has_argument(self, number: int) -> bool:
        """Whether an argument of two bytes follows, where instructions differ in width."""
        return number >= _FIRST_WITH_ARGUMENT

    @classmethod
    def of(cls, python: str, opcodes: Mapping[str, int], caches: Mapping[str, int]) -> Table:
        """Return the table of a minor version from its numbers by name."""
        major, minor = python.split(".")
        names = {number: name for name, number in opcodes.items() if number < 256}
        return cls(python, (int(major), int(minor)), names, dict(caches))


@cache
def table_of(python: str) -> Table:
    """Return the table of a minor version, such as ``3.7``. Raises KeyError for one unknown."""
    row = _rows()[python]
    return Table.of(python, row["opcodes"], row["caches"])


@cache
def _rows() -> dict[str, dict[str, dict[str, int]]]:
    # Written by tools/opcode_tables.py; the interpreters themselves are the test.
    text = (Path(__file__).parent / "opcodes.json").read_text(encoding="ascii")
    return dict(json.loads(text))
