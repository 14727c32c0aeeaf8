"""Marshalled code of Python 2.7 and 3.4 to 3.14, read as data: nothing is unmarshalled.

Four layouts of code objects exist, and no header tells which one it is. Exactly one of
them parses, uses every byte and has the right types in each field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from capsule.bytecode.pythons import LAYOUTS, Layout

DEPTH_LIMIT = 60
OBJECT_LIMIT = 200_000  # counted as often as an object is referred to
SIZE_LIMIT = 16 * 1024 * 1024

FREE_KIND, CELL_KIND, LOCAL_KIND = 0x80, 0x40, 0x20
_FLAG_REF = 0x80


class MarshalError(ValueError):
    """Bytes that are not marshalled code of a layout; says where, and what was expected."""


@dataclass(frozen=True)
class CodeFields:
    """What a code object says, apart from its instructions."""

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


@dataclass(frozen=True)
class RawCode(CodeFields):
    """A code object's fields as stored; ``constants`` hold nested RawCode. Instructions unread.

    ``kinds`` are the variables of 3.11 and later, each with the bits that say what it is;
    ``start`` is where ``code`` stood in the bytes read.
    """

    layout: Layout
    kinds: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    code: bytes
    lines: bytes
    exceptions: bytes
    start: int = 0

    @property
    def nested(self) -> tuple[RawCode, ...]:
        """The code of what is defined inside."""
        return tuple(constant for constant in self.constants if isinstance(constant, RawCode))


class Unicode(str):
    """A text that Python 2 wrote with a ``u`` before it: there the others are bytes."""


class Frozen(tuple):  # type: ignore[type-arg]
    """The items of a frozenset, in the order of the file: they need not be hashable here."""


@dataclass(frozen=True)
class Slice:
    """A slice among the constants, as 3.14 stores ``x[1:]``."""

    start: Any
    stop: Any
    step: Any


def read_code(data: bytes) -> list[RawCode]:
    """Read marshalled code in every layout that fits.

    Parameters
    ----------
    data
        Bytes as ``marshal.dumps`` of any supported Python writes them for a code object.

    Returns
    -------
    list of RawCode
        At least one; exactly one for bytes that a Python wrote.

    Raises
    ------
    MarshalError
        No layout fits; says what each stumbled on.
    """
    if len(data) > SIZE_LIMIT:
        raise MarshalError(f"{len(data)} bytes of code: more than {SIZE_LIMIT} are not read")
    codes, errors = [], []
    for layout in LAYOUTS:
        try:
            codes.append(_Reader(data, layout).read())
        except MarshalError as error:
            errors.append(f"{layout}: {error}")
    if not codes:
        raise MarshalError("no Python's marshalled code (" + "; ".join(errors) + ")")
    return codes


class _Slots(NamedTuple):
    """The variables of a code object, sorted."""

    variables: tuple[str, ...]
    free: tuple[str, ...]
    cells: tuple[str, ...]
    kinds: tuple[tuple[str, int], ...] = ()


class _Reader:
    def __init__(self, data: bytes, layout: Layout) -> None:
        self.data, self.layout = data, layout
        self.at = 0
        self.depth = 0
        self.count = 0
        self.refs: list[tuple[Any, int]] = []  # each object with how many it holds
        self.interned: list[str] = []  # of Python 2

    def read(self) -> RawCode:
        code = self.value()
        if not isinstance(code, RawCode):
            raise MarshalError("not a code object")
        if self.at != len(self.data):
            raise MarshalError(f"{len(self.data) - self.at} bytes behind the code object")
        return code

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise MarshalError(f"ends in the middle of an object at byte {self.at}")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self) -> int:
        return int(struct.unpack("<i", self.take(4))[0])

    def spend(self, count: int) -> None:
        self.count += count
        if self.count > OBJECT_LIMIT:
            raise MarshalError(f"more than {OBJECT_LIMIT} objects")

    def value(self) -> Any:
        """Read one object, and remember it where others may refer to it."""
        byte = self.take(1)[0]
        flagged = bool(byte & _FLAG_REF) and self.layout != "2.7"
        kind = chr(byte & ~_FLAG_REF if flagged else byte)
        if kind == "r" and self.layout != "2.7":
            return self.reference()
        reader = _KINDS.get(kind)
        if reader is None:
            raise MarshalError(f"unknown type {kind!r} at byte {self.at - 1}")
        slot = len(self.refs)
        if flagged:
            self.refs.append((_UNFINISHED, 0))
        before = self.count
        self.spend(1)
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise MarshalError(f"nested more than {DEPTH_LIMIT} deep")
        result = reader(self)
        self.depth -= 1
        if flagged:
            self.refs[slot] = (result, self.count - before)
        return result

    def reference(self) -> Any:
        index = self.integer()
        if not 0 <= index < len(self.refs) or self.refs[index][0] is _UNFINISHED:
            raise MarshalError(f"reference {index} to nothing at byte {self.at - 4}")
        result, weight = self.refs[index]
        self.spend(weight)  # what is shared here may be walked as often as it occurs
        return result

    def items(self, count: int) -> tuple[Any, ...]:
        if count < 0 or count > len(self.data) - self.at:
            raise MarshalError(f"{count} items at byte {self.at}, which end before")
        return tuple([self.value() for _ in range(count)])

    def text(self, raw: bytes, encoding: str) -> str:
        try:
            return raw.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError:
            raise MarshalError(f"text that is not {encoding} at byte {self.at}") from None

    def number(self, raw: bytes) -> float:
        try:
            return float(raw.decode("ascii"))
        except ValueError:
            raise MarshalError(f"a number that is none at byte {self.at}") from None

    def long(self) -> int:
        size = self.integer()
        if abs(size) > 4096:
            raise MarshalError(f"a whole number of {abs(size)} digits at byte {self.at}")
        total = 0
        for place in range(abs(size)):
            digit = struct.unpack("<H", self.take(2))[0]
            if digit >> 15:
                raise MarshalError(f"a digit out of range at byte {self.at}")
            total |= digit << (15 * place)
        return -total if size < 0 else total

    def bytes_or_text(self, *, interned: bool) -> Any:
        raw = self.take(self.integer())
        if self.layout != "2.7":
            return self.text(raw, "utf-8") if interned else raw
        try:
            text: Any = raw.decode("ascii")
        except UnicodeDecodeError:
            text = raw
        if interned:
            self.interned.append(text if isinstance(text, str) else "")
        return text

    def interned_text(self) -> str:
        index = self.integer()
        if not 0 <= index < len(self.interned) or self.layout != "2.7":
            raise MarshalError(f"reference {index} to no text at byte {self.at}")
        return self.interned[index]

    def refuse_mapping(self) -> Any:
        raise MarshalError(f"a dictionary, which no code holds, at byte {self.at}")

    # The fields of a code object: each read with the type it must have.

    def field(self, name: str, kind: type) -> Any:
        value = self.value()
        if not isinstance(value, kind):
            raise MarshalError(f"{name} is {type(value).__name__} and no {kind.__name__}")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        value = self.field(name, tuple)
        if not all(isinstance(item, str) for item in value):
            raise MarshalError(f"{name} holds what is no name")
        return tuple(value)

    def raw_bytes(self, name: str) -> bytes:
        # Python 2 keeps text and bytes in one type; references are rare, and resolved.
        value = self.value()
        if isinstance(value, str) and self.layout == "2.7":
            return value.encode("latin-1", "replace")
        if not isinstance(value, bytes):
            raise MarshalError(f"{name} is {type(value).__name__} and no bytes")
        return value

    def slots(self) -> _Slots:
        if self.layout != "3.11+":
            return _Slots(
                self.names("variables"), self.names("free variables"), self.names("cells")
            )
        places, marks = self.names("variables"), self.raw_bytes("kinds of variables")
        if len(places) != len(marks):
            raise MarshalError("variables and their kinds differ in number")
        kinds = tuple(zip(places, marks))
        variables, free, cells = (
            tuple(name for name, kind in kinds if kind & mark)
            for mark in (LOCAL_KIND, FREE_KIND, CELL_KIND)
        )
        return _Slots(variables, free, cells, kinds)

    def code(self) -> RawCode:
        modern = self.layout == "3.11+"
        arguments = self.integer()
        positional_only = self.integer() if self.layout in LAYOUTS[2:] else 0
        keyword_only = 0 if self.layout == "2.7" else self.integer()
        local_count = None if modern else self.integer()
        stack_size, flags = self.integer(), self.integer()
        start = self.at + 5  # behind the type and the length of the bytes
        code = self.raw_bytes("code")
        constants, names = self.field("constants", tuple), self.names("names")
        slots = self.slots()
        filename, name = self.field("file name", str), self.field("name", str)
        if modern:
            self.field("qualified name", str)
        first_line, lines = self.integer(), self.raw_bytes("line table")
        exceptions = self.raw_bytes("exception table") if modern else b""
        counts = (arguments, positional_only, keyword_only, stack_size, flags)
        if min(counts) < 0 or positional_only > arguments:
            raise MarshalError("counts of arguments that can't be")
        variable_count = len(slots.variables)
        if local_count not in (None, variable_count) or arguments + keyword_only > variable_count:
            raise MarshalError("arguments and variables differ in number")
        return RawCode(
            name=name,
            filename=filename,
            first_line=first_line,
            flags=flags,
            argument_count=arguments,
            positional_only_count=positional_only,
            keyword_only_count=keyword_only,
            constants=constants,
            layout=self.layout,
            names=names,
            code=code,
            lines=lines,
            exceptions=exceptions,
            start=start,
            **slots._asdict(),
        )


_UNFINISHED = object()

_KINDS: dict[str, Callable[[_Reader], Any]] = {
    "N": lambda r: None,
    "T": lambda r: True,
    "F": lambda r: False,
    ".": lambda r: Ellipsis,
    "i": _Reader.integer,
    "I": lambda r: struct.unpack("<q", r.take(8))[0],
    "l": _Reader.long,
    "f": lambda r: r.number(r.take(r.take(1)[0])),
    "g": lambda r: struct.unpack("<d", r.take(8))[0],
    "x": lambda r: complex(r.number(r.take(r.take(1)[0])), r.number(r.take(r.take(1)[0]))),
    "y": lambda r: complex(*struct.unpack("<dd", r.take(16))),
    "s": lambda r: r.bytes_or_text(interned=False),
    "t": lambda r: r.bytes_or_text(interned=True),
    "R": _Reader.interned_text,
    "u": lambda r: (Unicode if r.layout == "2.7" else str)(r.text(r.take(r.integer()), "utf-8")),
    "a": lambda r: r.text(r.take(r.integer()), "latin-1"),
    "A": lambda r: r.text(r.take(r.integer()), "latin-1"),
    "z": lambda r: r.text(r.take(r.take(1)[0]), "latin-1"),
    "Z": lambda r: r.text(r.take(r.take(1)[0]), "latin-1"),
    "(": lambda r: r.items(r.integer()),
    ")": lambda r: r.items(r.take(1)[0]),
    "<": lambda r: Frozen(r.items(r.integer())),
    ">": lambda r: Frozen(r.items(r.integer())),
    ":": lambda r: Slice(r.value(), r.value(), r.value()),
    "{": _Reader.refuse_mapping,
    "[": _Reader.refuse_mapping,
    "c": _Reader.code,
}
