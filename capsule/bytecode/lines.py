"""Which line an instruction came from: three kinds of tables, by the age of the Python."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

from capsule.bytecode.unmarshal import RawCode

Line = Callable[[int], "int | None"]


def read_lines(raw: RawCode, version: tuple[int, int]) -> Line:
    """Return what tells the line of a byte offset: None for what has none, or isn't known."""
    if version >= (3, 11):
        starts = list(_locations(raw.lines, raw.first_line))
    elif version >= (3, 10):
        starts = list(_ranges(raw.lines, raw.first_line))
    else:
        starts = list(_steps(raw.lines, raw.first_line, signed=version >= (3, 6)))
    offsets = [offset for offset, _ in starts]

    def line(offset: int) -> int | None:
        at = bisect_right(offsets, offset)
        return starts[at - 1][1] if at else raw.first_line

    return line


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _steps(table: bytes, line: int, *, signed: bool) -> Iterator[tuple[int, int | None]]:
    """Read co_lnotab: pairs of steps in bytes and in lines."""
    offset = 0
    for step, delta in zip(table[::2], table[1::2]):
        offset += step
        line += _signed(delta) if signed else delta
        yield offset, line


def _ranges(table: bytes, line: int) -> Iterator[tuple[int, int | None]]:
    """Read the table of 3.10: lengths of ranges, and the line's step before each."""
    offset = 0
    for length, delta in zip(table[::2], table[1::2]):
        if delta == 0x80:
            yield offset, None
        else:
            line += _signed(delta)
            yield offset, line
        offset += length


def _locations(table: bytes, line: int) -> Iterator[tuple[int, int | None]]:
    """Read the table of 3.11 and later, of whose columns nothing is kept."""
    at = offset = 0
    while at < len(table):
        kind, length = table[at] >> 3 & 15, (table[at] & 7) + 1
        at += 1
        if kind == 15:
            yield offset, None
        else:
            if kind in (13, 14):
                delta, at = _variable(table, at)
                line += -(delta >> 1) if delta & 1 else delta >> 1
                for _ in range(3 if kind == 14 else 0):
                    _, at = _variable(table, at)
            elif kind >= 10:
                line += kind - 10
                at += 2
            else:
                at += 1
            yield offset, line
        offset += 2 * length


def _variable(table: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(table):
        value |= (table[at] & 63) << shift
        at += 1
        shift += 6
        if not table[at - 1] & 64 or shift > 60:
            break
    return value, at


def covers_code(raw: RawCode, version: tuple[int, int]) -> bool:
    """Tell whether the tables of lines fit the code as that Python would have written them.

    From 3.10 on tables cover the code to its last byte; before, they end where its last
    line begins.
    """
    length = _extent(raw.lines) if version >= (3, 11) else sum(raw.lines[::2])
    fits = length == len(raw.code) if version >= (3, 10) else length < len(raw.code)
    return fits and all(covers_code(inner, version) for inner in raw.nested)


def _extent(table: bytes) -> int:
    # The byte that begins an entry is the only one with its highest bit set.
    return sum(2 * ((byte & 7) + 1) for byte in table if byte & 0x80)
