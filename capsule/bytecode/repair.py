"""What Keras on Windows does to code, undone: every backslash byte (0x5c) became 0x2f.

Keras replaces them in the marshalled bytes as if those were a path. Up to Python 3.12 the
byte is UNPACK_SEQUENCE, so that `a, b = x` becomes an instruction that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from capsule.bytecode.opcodes import FAMILIES, Table, table_of
from capsule.bytecode.unmarshal import Raw

SLASH, BACKSLASH = 0x2F, 0x5C
# So many arguments that may have been changed are tried, each both ways; of more, none.
ARGUMENT_LIMIT = 6


def repairs(data: bytes, raws: list[Raw]) -> Iterator[tuple[bytes, int]]:
    """Give each way to turn back what may have been changed in *data*, with how many bytes.

    *raws* are the layouts that *data* parses as. Whether a way makes sense is for who asks.
    """
    tried: set[bytes] = set()
    for raw in raws:
        for python in FAMILIES[raw.layout]:
            must, may = _places(raw, table_of(python))
            if len(may) > ARGUMENT_LIMIT:
                continue  # one way of many that were not tried would look like the only one
            for size in range(len(may) + 1):
                for chosen in combinations(may, size):
                    mended = bytearray(data)
                    for place in (*must, *chosen):
                        mended[place] = BACKSLASH
                    whole = bytes(mended)
                    if whole != data and whole not in tried:
                        tried.add(whole)
                        yield whole, len(must) + size


def _places(raw: Raw, table: Table) -> tuple[list[int], list[int]]:
    """Return where *table* leaves no choice but to turn a byte back, and where it may be."""
    must: list[int] = []
    may: list[int] = []
    code, at = raw.code, 0
    while at < len(code):
        number = code[at]
        if number == SLASH and _was_other(code, at, table):
            must.append(raw.start + at)
            number = BACKSLASH
        name = table.names.get(number)
        if name is None:
            break
        width = 2 if table.wide else 3 if table.argued(number) else 1
        may += [
            raw.start + place
            for place in range(at + 1, min(at + width, len(code)))
            if code[place] == SLASH
        ]
        at += width + 2 * table.caches.get(name, 0)
    for inner in raw.nested:
        inner_must, inner_may = _places(inner, table)
        must += inner_must
        may += inner_may
    return must, may


def _was_other(code: bytes, at: int, table: Table) -> bool:
    """Tell whether a slash can't be the instruction that it says: none, or one without cache."""
    name, other = table.names.get(SLASH), table.names.get(BACKSLASH)
    if name is None or other is None:
        return other is not None
    empty = 2 * table.caches.get(other, 0)
    following = code[at + 2 : at + 2 + empty]
    return bool(empty) and not table.caches.get(name, 0) and following == bytes(empty)
