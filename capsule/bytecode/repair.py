"""What Keras on Windows does to code, undone: every backslash byte (0x5c) became 0x2f.

Keras replaces them in the marshalled bytes as if those were a path. Up to Python 3.12 the
byte is UNPACK_SEQUENCE, so that `a, b = x` becomes an instruction that does not exist.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

from capsule.bytecode.opcodes import Table, table_of
from capsule.bytecode.pythons import FAMILIES
from capsule.bytecode.unmarshal import RawCode

SLASH, BACKSLASH = 0x2F, 0x5C
# So many arguments that may have been changed are tried, each both ways; of more, none.
ARGUMENT_LIMIT = 6


class _Places(NamedTuple):
    """The offsets of slashes that must have been backslashes, and of those that may have been."""

    certain: list[int]
    possible: list[int]


def propose_repairs(data: bytes, raws: list[RawCode]) -> dict[bytes, int]:
    """Return each way to turn back what was changed in *data*, with how many bytes it takes.

    *raws* are the layouts that *data* parses as. Whether a way makes sense is for who asks.
    """
    proposals: dict[bytes, int] = {}
    for raw in raws:
        for python in FAMILIES[raw.layout]:
            certain, possible = _places(raw, table_of(python))
            if len(possible) > ARGUMENT_LIMIT:
                continue  # a way among many that were not tried would look like the only one
            for size in range(len(possible) + 1):
                for choice in combinations(possible, size):
                    repaired = bytearray(data)
                    for place in (*certain, *choice):
                        repaired[place] = BACKSLASH
                    proposals.setdefault(bytes(repaired), len(certain) + size)
    proposals.pop(data, None)
    return proposals


def _places(raw: RawCode, table: Table) -> _Places:
    places = _Places([], [])
    code, at = raw.code, 0
    while at < len(code):
        number = code[at]
        if number == SLASH and _was_backslash(code, at, table):
            places.certain.append(raw.start + at)
            number = BACKSLASH
        name = table.names.get(number)
        if name is None:
            break
        width = 2 if table.wide else 3 if table.has_argument(number) else 1
        arguments = range(at + 1, min(at + width, len(code)))
        places.possible.extend(raw.start + place for place in arguments if code[place] == SLASH)
        at += width + 2 * table.caches.get(name, 0)
    for inner in raw.nested:
        nested = _places(inner, table)
        places.certain.extend(nested.certain)
        places.possible.extend(nested.possible)
    return places


def _was_backslash(code: bytes, at: int, table: Table) -> bool:
    """Tell whether a slash can't be the instruction that it says: none, or one without cache."""
    slash, backslash = table.names.get(SLASH), table.names.get(BACKSLASH)
    if slash is None or backslash is None:
        return backslash is not None
    empty = 2 * table.caches.get(backslash, 0)
    following = code[at + 2 : at + 2 + empty]
    return bool(empty) and not table.caches.get(slash, 0) and following == bytes(empty)
