"""An inspection for a person: the file in one line, its functions, its fears, what to type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from capsule.inspection.prospects import grouped, prospects

if TYPE_CHECKING:  # only what a command uses is imported when it runs
    from capsule.errors import CapsuleError
    from capsule.inspection import FunctionRead, Inspection
    from capsule.inspection.model import Fear

_FORMATS = {
    "keras-h5": "HDF5",
    "keras-zip": ".keras archive",
    "saved-model": "SavedModel",
    "keras-json": "architecture in JSON",
    "weights-h5": "weights in HDF5",
}
SHOWN = 12
_SEVERITY = {"high": "fatal", "middle": "warning", "low": "note"}
_LINE = 100


def inspection_lines(
    inspection: Inspection, *, source: bool = False, disassemble: bool = False
) -> Iterator[str]:
    """Give the lines of an inspection: what it is, its functions, what to fear, what will work."""
    name = inspection.path.rpartition("/")[2] or inspection.path
    yield f"{name}   {_what(inspection)}"
    yield f"{' ' * len(name)}   {_python(inspection)}"
    if inspection.layers:
        shown = [f"{count} {kind}" for kind, count in list(inspection.layers.items())[:8]]
        more = len(inspection.layers) - 8
        yield f"  layers      {', '.join(shown)}" + (f" and {more} kinds more" if more > 0 else "")
    if inspection.inputs:
        shapes = [str(tuple(shape)).replace("None", "?") for shape in inspection.inputs[:4]]
        yield f"  inputs      {', '.join(shapes)}"
    if inspection.classes:
        yield f"  classes     {', '.join(inspection.classes)} (not Keras' own)"
    yield ""
    groups = list(grouped(inspection))
    if not groups:
        yield "  no functions: nothing in it is code"
    limit = len(groups) if source or disassemble else SHOWN
    for function, labels in groups[:limit]:
        yield from _function(function, labels, source=source, disassemble=disassemble)
    if len(groups) > limit:
        yield f"  … {len(groups) - limit} more functions (--source)"
    yield from _fears(inspection)
    yield ""
    for one in prospects(inspection):
        yield f"  {one.way:<14}{one.answer:<9}{one.why}"
        if one.command:
            yield f"  {'':<23}{one.command}"


def _what(inspection: Inspection) -> str:
    keras = f"Keras {inspection.keras}" if inspection.keras else "Keras of an unknown version"
    over = f" over {inspection.backend}" if inspection.backend else ""
    return f"{keras}{over}, {_FORMATS[inspection.format]}, {_size(inspection.size)}"


def _python(inspection: Inspection) -> str:
    python = inspection.python
    if python.lowest is None:
        return f"written by an unknown Python ({'; '.join(python.evidence)})"
    both = python.lowest if python.lowest == python.highest else f"{python.lowest}–{python.highest}"
    evidence = "; ".join(python.evidence[:2])
    return f"written by Python {both} ({_cut(evidence, 120)})"


def _function(
    function: FunctionRead, labels: list[str], *, source: bool, disassemble: bool
) -> Iterator[str]:
    where = labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"
    if function.kind in ("by-name", "class"):
        yield f"  {where}   {function.kind}   {function.name}: its code is not in the file"
        return
    if function.unread is not None:
        yield f"  {where}   unread   {_cut(function.unread, _LINE)}"
        return
    first, *rest = (function.source or f"not lifted: {function.stopped}").splitlines()
    if source and rest:
        yield f"  {where}   {function.kind}"
        yield from (f"      {line}" for line in (first, *rest))
    else:
        shown = _cut(first, _LINE) + (f" … {len(rest)} lines" if rest else "")
        yield f"  {where}   {function.kind}   {shown}"
    told = f"reaches {_reached(function)}"
    if function.missing:
        told += f"; needs {', '.join(function.missing)}"
    if function.passed:
        told += f"; given {', '.join(function.passed)}"
    yield f"      {told}"
    if function.damaged:
        yield f"      damaged: {function.damaged}"
    if disassemble:
        yield from (f"      {line}" for line in function.listing)


def _reached(function: FunctionRead) -> str:
    known = set(function.missing)
    found = [
        f"{name}.{chain}"
        for name, chains in function.uses.items()
        for chain in chains
        if name not in known
    ]
    found += [name for name, chains in function.uses.items() if not chains and name not in known]
    found += [f"import {module}" for module in function.imports]
    return _cut(", ".join(found), _LINE) or "nothing"


def _fears(inspection: Inspection) -> Iterator[str]:
    if inspection.fears or inspection.unread:
        yield ""
    for fear in inspection.fears[:SHOWN]:
        reach = " → ".join(fear.reach[1:])
        yield f"  {fear.grade:<7}{fear.message}" + (f" ({reach})" if reach else "")
    if len(inspection.fears) > SHOWN:
        yield f"  … {len(inspection.fears) - SHOWN} more to fear (--json)"
    for told in inspection.unread:
        yield f"  unread {_cut(told, _LINE)}: nothing is claimed of it"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _size(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def inspection_result(
    path: str, inspection: Inspection | None, error: CapsuleError | None = None
) -> dict[str, Any]:
    """Return the result of ``inspect`` for one artifact, as its envelope bears it."""
    from capsule.report.envelope import result

    if inspection is None:
        return result(path, error=error, keras=None, backend=None, python=None, functions=[])
    told = result(
        path,
        facts=inspection,
        keras=inspection.keras,
        backend=inspection.backend,
        python={
            "range": [inspection.python.lowest, inspection.python.highest],
            "evidence": list(inspection.python.evidence),
        },
        functions=[_function_json(one) for one in inspection.functions],
        fears=[
            {"code": f.code, "grade": f.grade, "message": f.message, "reach": list(f.reach)}
            for f in inspection.fears
        ],
        layers=inspection.layers,
        inputs=list(inspection.inputs),
        classes=list(inspection.classes),
        weights=inspection.weights,
        unread=list(inspection.unread),
        prospects=[
            {"way": p.way, "answer": p.answer, "why": p.why, "command": p.command}
            for p in prospects(inspection)
        ],
    )
    told["findings"] = [_finding(fear) for fear in inspection.fears]
    return told


def _finding(fear: Fear) -> dict[str, Any]:
    """Return what is feared in the words of a finding, which decides no question."""
    return {
        "code": fear.code,
        "severity": _SEVERITY[fear.grade],
        "subject": "/".join(fear.reach[1:]),
        "expected": None,
        "found": fear.message,
        "reach": list(fear.reach),
        "remedy": None,
        "decides": [],
    }


def _function_json(one: FunctionRead) -> dict[str, Any]:
    lifted = None if one.key is None or one.unread else one.source is not None
    return {
        "where": list(one.where),
        "role": one.role,
        "name": one.name,
        "kind": one.kind,
        "encoding": one.encoding,
        "python": list(one.pythons),
        "evidence": list(one.evidence),
        "names": list(one.names),
        "freevars": list(one.freevars),
        "missing": list(one.missing),
        "uses": {name: list(chains) for name, chains in one.uses.items()},
        "imports": list(one.imports),
        "source": one.source,
        "lifted": lifted,
        "stopped": one.stopped,
        "docstring": one.docstring,
        "line": one.line,
        "damaged": one.damaged,
        "unread": one.unread,
        "module": one.module,
        "code_sha256": one.code_sha256,
        "defaults": one.defaults,
        "closure": one.closure,
        "instructions": list(one.listing),
    }
