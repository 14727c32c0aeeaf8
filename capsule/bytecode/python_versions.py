"""Which Pythons can have written a piece of marshalled code, and how that is known.

Each Python of the layout is asked to read the instructions; what it can't have written
rules it out. What is left is a range, which is told as one.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from capsule.bytecode.code import Code, Undecodable, decode_code
from capsule.bytecode.decompile import Decompilation, decompile_code, parse_function
from capsule.bytecode.equivalence import Unknown, difference, makes_sense
from capsule.bytecode.lines import covered
from capsule.bytecode.opcodes import FAMILIES, table_of
from capsule.bytecode.repair import repairs
from capsule.bytecode.unmarshal import MarshalError, Raw, read_code

_DOCUMENTED = ("3.4", "3.5")  # of these no interpreter told its instructions


@dataclass(frozen=True)
class Detection:
    """Code as each Python that may have written it has it, the oldest first.

    ``decompilation`` is its source by the first of them that tells one; ``evidence`` says what
    ruled the others out; ``damage`` what was put right before reading, None if nothing.
    """

    codes: dict[str, Code]
    decompilation: Decompilation
    evidence: tuple[str, ...]
    damage: str | None = None

    @property
    def pythons(self) -> tuple[str, ...]:
        """The minor versions that may have written it, the oldest first."""
        return tuple(self.codes)

    @property
    def code(self) -> Code:
        """The code, as the newest of them reads it."""
        return self.codes[self.pythons[-1]]


@dataclass
class _Candidates:
    codes: dict[str, Code] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)


def detect_python_versions(data: bytes) -> Detection:
    """Return what *data* is as code, and which Pythons can have written it.

    Code that Keras damaged on Windows is put right where that is possible in one way only.
    Raises MarshalError for bytes that are no code of any Python known.
    """
    raws = read_code(data)
    found = _Candidates()
    for raw in raws:
        _try(raw, found)
    if found.codes:
        return _told(raws[0], found, None)
    for raw in raws:
        _try(raw, found, any_lines=True)
    if found.codes and any(
        decompile_code(code).source is not None for code in found.codes.values()
    ):
        return _told(raws[0], found, None)
    found.codes.clear()
    repaired = _repaired(data, raws)
    if repaired is not None:
        raw, count = repaired
        found = _Candidates()
        _try(raw, found)
        return _told(
            raw, found, f"{count} bytes of it were 0x5c until Keras on Windows made them 0x2f"
        )
    told = "; ".join(f"{python}: {trouble}" for python, trouble in found.troubles.items())
    raise MarshalError(f"code that no Python of its layout can have written ({told})")


def _try(raw: Raw, found: _Candidates, *, any_lines: bool = False) -> None:
    for python in FAMILIES[raw.layout]:
        try:
            code = decode_code(raw, python)
        except Undecodable as error:
            found.troubles[python] = str(error)
            continue
        # Up to 3.9 the table keeps what was dropped from the end as never reached.
        if not _lines_fit(raw, python) and not (any_lines and table_of(python).version < (3, 10)):
            found.troubles[python] = "its table of lines is of another form"
            continue
        found.codes[python] = code


def _lines_fit(raw: Raw, python: str) -> bool:
    version = table_of(python).version
    return covered(raw, version) and all(_lines_fit(inner, python) for inner in raw.nested)


def _told(raw: Raw, found: _Candidates, damage: str | None) -> Detection:
    evidence = [f"bytecode layout {raw.layout}"]
    codes, lifted = _arity(found)
    if len(codes) < len(FAMILIES[raw.layout]):
        wide = [python for python in FAMILIES["3.0-3.7"] if table_of(python).wide]
        if raw.layout == "3.0-3.7":
            two = any(python in wide for python in codes)
            evidence.append(("" if two else "no ") + "two-byte instructions")
        evidence += [
            f"not {python}: {trouble}"
            for python, trouble in found.troubles.items()
            if table_of(python).wide == table_of(next(iter(codes))).wide
        ]
    if all(python in _DOCUMENTED for python in codes):
        evidence.append("instructions of 3.4 and 3.5 by their documentation")
    return Detection(codes, lifted, tuple(evidence), damage)


def _arity(found: _Candidates) -> tuple[dict[str, Code], Decompilation]:
    """Return the Pythons whose instructions make sense together, and the source by the first."""
    sensible = {python for python, code in found.codes.items() if makes_sense(code)}
    for python in list(found.codes):
        if sensible and python not in sensible:
            del found.codes[python]
            found.troubles[python] = "its instructions take more from the stack than there is"
    lifts = {python: decompile_code(code) for python, code in found.codes.items()}
    sound = {python for python, one in lifts.items() if one.source is not None}
    if {"3.6", "3.7"} <= set(found.codes) and _calls_as_3_6(lifts["3.7"], found.codes["3.7"]):
        del found.codes["3.7"]
        found.troubles["3.7"] = "it calls methods otherwise"
    best = next((p for p in found.codes if p in sound), next(iter(found.codes)))
    return found.codes, _looked_over(found.codes[best], lifts[best])


def _looked_over(code: Code, lifted: Decompilation) -> Decompilation:
    """Return *lifted*, unless followed side by side with its code it computes otherwise."""
    if lifted.source is None:
        return lifted
    try:
        told = difference(code, lifted.source)
    except Unknown as error:
        # Lifting has rules of its own for what is not followed; not for what stands twice.
        return (
            lifted
            if not lifted.duplicates
            else Decompilation(None, f"{error}, and it says it twice")
        )
    return (
        lifted
        if told is None
        else Decompilation(None, f"its source would compute otherwise ({told})")
    )


def _calls_as_3_6(lifted: Decompilation, code: Code) -> bool:
    """Tell whether a method is called with positional arguments by no LOAD_METHOD, as 3.7 does."""
    if lifted.source is None:
        return False
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not node.keywords
        and not any(isinstance(argument, ast.Starred) for argument in node.args)
        for node in ast.walk(parse_function(lifted.source) or ast.Pass())
    ) and not _uses(code, "LOAD_METHOD")


def _uses(code: Code, name: str) -> bool:
    return any(i.name == name for i in code.instructions) or any(
        _uses(inner, name) for inner in code.nested
    )


def _repaired(data: bytes, raws: list[Raw]) -> tuple[Raw, int] | None:
    """Return the code as it was before Windows, if that works out in just one way."""
    readable: dict[bytes, tuple[Raw, int]] = {}
    for mended, count in repairs(data, raws):
        try:
            again = read_code(mended)
        except MarshalError:
            continue
        for raw in again:
            check = _Candidates()
            _try(raw, check)
            if any(decompile_code(code).source is not None for code in check.codes.values()):
                readable[mended] = (raw, count)
    return next(iter(readable.values())) if len(readable) == 1 else None
