"""Which Pythons can have written a piece of marshalled code, and how that is known.

Each Python of the layout is asked to read the instructions; what it can't have written
rules it out. What is left is a range of versions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from capsule.bytecode.code import Code, Undecodable, decode_code
from capsule.bytecode.decompile import Decompilation, decompile_code, parse_function
from capsule.bytecode.equivalence import Unknown, difference, makes_sense
from capsule.bytecode.lines import covers_code
from capsule.bytecode.opcodes import table_of
from capsule.bytecode.pythons import FAMILIES
from capsule.bytecode.repair import propose_repairs
from capsule.bytecode.unmarshal import MarshalError, RawCode, read_code

_DOCUMENTED = ("3.4", "3.5")  # no interpreter of these was asked for its opcodes


@dataclass(frozen=True)
class Detection:
    """Code as each Python that may have written it has it."""

    codes: dict[str, Code]
    """By minor version, the oldest first; never empty."""
    decompilation: Decompilation
    """The source by the first Python that gives one."""
    evidence: tuple[str, ...]
    """What ruled the other Pythons out."""
    damage: str | None = None
    """What was put right before reading, None if nothing."""

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
    """The Pythons that may have written code, and why the others of its layout can't have."""

    codes: dict[str, Code] = field(default_factory=dict)
    objections: dict[str, str] = field(default_factory=dict)

    def rule_out(self, python: str, objection: str) -> None:
        """Drop a Python."""
        self.codes.pop(python, None)
        self.objections[python] = objection

    def can_be_decompiled(self) -> bool:
        """Tell whether the instructions of one of them give a source."""
        return any(decompile_code(code).source is not None for code in self.codes.values())


def detect_python_versions(data: bytes) -> Detection:
    """Read marshalled code, and tell which Pythons can have written it.

    Code that Keras damaged on Windows is put right where that is possible in one way only.

    Parameters
    ----------
    data
        The marshalled code of a function. Nothing of it is unmarshalled or run.

    Returns
    -------
    Detection
        The code by each of these Pythons, and its source.

    Raises
    ------
    MarshalError
        The bytes are no code of any supported Python.
    """
    raws = read_code(data)
    candidates = _read_by_each(raws)
    if candidates.codes:
        return _detection(raws[0], candidates)
    # Up to 3.9 the table of lines keeps what was dropped from the end as never reached.
    lenient = _read_by_each(raws, any_lines=True)
    if lenient.can_be_decompiled():
        return _detection(raws[0], lenient)
    repaired = _repaired(data, raws)
    if repaired is not None:
        raw, count = repaired
        damage = f"{count} bytes of it were 0x5c until Keras on Windows made them 0x2f"
        return _detection(raw, _read_by_each([raw]), damage)
    objections = "; ".join(f"{python}: {why}" for python, why in candidates.objections.items())
    raise MarshalError(f"code that no Python of its layout can have written ({objections})")


def _read_by_each(raws: list[RawCode], *, any_lines: bool = False) -> _Candidates:
    candidates = _Candidates()
    for raw in raws:
        for python in FAMILIES[raw.layout]:
            try:
                candidates.codes[python] = decode_code(raw, python)
            except Undecodable as error:
                candidates.rule_out(python, str(error))
                continue
            version = table_of(python).version
            if not (any_lines and version < (3, 10)) and not covers_code(raw, version):
                candidates.rule_out(python, "its table of lines is of another form")
    return candidates


def _detection(raw: RawCode, candidates: _Candidates, damage: str | None = None) -> Detection:
    codes = candidates.codes
    sensible = [python for python, code in codes.items() if makes_sense(code)]
    for python in [python for python in codes if sensible and python not in sensible]:
        candidates.rule_out(python, "its instructions take more from the stack than there is")
    decompilations = {python: decompile_code(code) for python, code in codes.items()}
    if {"3.6", "3.7"} <= codes.keys() and _calls_as_3_6(decompilations["3.7"], codes["3.7"]):
        candidates.rule_out("3.7", "it calls methods otherwise")
    best = next((python for python in codes if decompilations[python].source), next(iter(codes)))
    decompilation = _compared(codes[best], decompilations[best])
    return Detection(codes, decompilation, tuple(_evidence(raw, candidates)), damage)


def _evidence(raw: RawCode, candidates: _Candidates) -> Iterator[str]:
    yield f"bytecode layout {raw.layout}"
    wide = {python: table_of(python).wide for python in FAMILIES[raw.layout]}
    oldest = next(iter(candidates.codes))
    if len(candidates.codes) < len(wide):
        if raw.layout == "3.0-3.7":
            some_wide = any(wide[python] for python in candidates.codes)
            yield ("" if some_wide else "no ") + "two-byte instructions"
        for python, objection in candidates.objections.items():
            if table_of(python).wide == table_of(oldest).wide:
                yield f"not {python}: {objection}"
    if all(python in _DOCUMENTED for python in candidates.codes):
        yield "instructions of 3.4 and 3.5 by their documentation"


def _compared(code: Code, decompilation: Decompilation) -> Decompilation:
    """Return *decompilation*, unless followed side by side with *code* it computes otherwise."""
    if decompilation.source is None:
        return decompilation
    try:
        how = difference(code, decompilation.source)
    except Unknown as error:
        # Decompiling has rules of its own for what is not followed; not for what stands twice.
        if decompilation.duplicates:
            return Decompilation(None, f"{error}, and it says it twice")
        return decompilation
    if how is not None:
        return Decompilation(None, f"its source would compute otherwise ({how})")
    return decompilation


def _calls_as_3_6(decompilation: Decompilation, code: Code) -> bool:
    """Tell whether a method is called with positional arguments by no LOAD_METHOD, as 3.7 does."""
    if decompilation.source is None:
        return False
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not node.keywords
        and not any(isinstance(argument, ast.Starred) for argument in node.args)
        for node in ast.walk(parse_function(decompilation.source) or ast.Pass())
    ) and not any(i.name == "LOAD_METHOD" for part in code.walk() for i in part.instructions)


def _repaired(data: bytes, raws: list[RawCode]) -> tuple[RawCode, int] | None:
    """Return the code as it was before Windows, if that works out in just one way."""
    readable: dict[bytes, tuple[RawCode, int]] = {}
    for repaired, count in propose_repairs(data, raws).items():
        try:
            repaired_raws = read_code(repaired)
        except MarshalError:
            continue
        for raw in repaired_raws:
            if _read_by_each([raw]).can_be_decompiled():
                readable[repaired] = (raw, count)
    return next(iter(readable.values())) if len(readable) == 1 else None
