"""An inspection for a person: the file in one line, its functions, its risks, what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from capsule.report.envelope import result
from capsule.report.environments import size_text
from capsule.report.text import advice_lines, answer_lines

if TYPE_CHECKING:  # only what a command uses is imported when it runs
    from capsule.errors import CapsuleError
    from capsule.inspection import FunctionRead, Inspection
    from capsule.inspection.model import Risk
    from capsule.verdict import Verdict

_FORMATS = {
    "keras-h5": "HDF5",
    "keras-zip": ".keras archive",
    "saved-model": "SavedModel",
    "keras-json": "architecture in JSON",
    "weights-h5": "weights in HDF5",
}
SHOWN = 12
_SEVERITY = {"high": "fatal", "medium": "warning", "low": "note"}
_LINE = 100


@dataclass(frozen=True)
class Shown:
    """What of the functions is shown besides a line each."""

    source: bool = False
    disassemble: bool = False


def inspection_lines(
    inspection: Inspection,
    verdict: Verdict | None,
    shown: Shown = Shown(),
) -> Iterator[str]:
    """Give the lines of an inspection: what it is, its functions, its risks, what will load it.

    *verdict* is None where no environment was found that it could be judged for.
    """
    yield from _head(inspection)
    yield ""
    yield from _functions(inspection, shown)
    yield from _risks(inspection)
    yield ""
    if verdict is None:
        yield (
            "  whether it loads can't be told: no Keras is installed here; name a Python with"
            " --python"
        )
        return
    yield from answer_lines(verdict)
    yield ""
    yield from advice_lines(verdict)


def _head(inspection: Inspection) -> Iterator[str]:
    name = inspection.path.rpartition("/")[2] or inspection.path
    yield f"{name}   {_what(inspection)}"
    yield f"{' ' * len(name)}   {_python(inspection)}"
    if inspection.layers:
        layers = [f"{count} {kind}" for kind, count in list(inspection.layers.items())[:8]]
        more = len(inspection.layers) - 8
        yield f"  layers      {', '.join(layers)}" + (f" and {more} kinds more" if more > 0 else "")
    if inspection.inputs:
        shapes = [str(tuple(shape)).replace("None", "?") for shape in inspection.inputs[:4]]
        yield f"  inputs      {', '.join(shapes)}"
    if inspection.classes:
        yield f"  classes     {', '.join(inspection.classes)} (not Keras' own)"


def _functions(inspection: Inspection, shown: Shown) -> Iterator[str]:
    groups = list(grouped(inspection))
    if not groups:
        yield "  no functions: nothing in it is code"
    limit = len(groups) if shown.source or shown.disassemble else SHOWN
    for function, labels in groups[:limit]:
        yield from _function(function, labels, shown)
    if len(groups) > limit:
        yield f"  … {len(groups) - limit} more functions (--source)"


def grouped(inspection: Inspection) -> Iterator[tuple[FunctionRead, list[str]]]:
    """Give each function once, with the labels of all places where it stands."""
    groups: dict[object, tuple[FunctionRead, list[str]]] = {}
    for function in inspection.functions:
        by_code = (function.key, function.role)
        key = by_code if function.key else (function.name, function.role, function.module)
        groups.setdefault(key, (function, []))[1].append(function.label)
    yield from groups.values()


def _what(inspection: Inspection) -> str:
    keras = f"Keras {inspection.keras}" if inspection.keras else "Keras of an unknown version"
    over = f" over {inspection.backend}" if inspection.backend else ""
    return f"{keras}{over}, {_FORMATS[inspection.format]}, {size_text(inspection.size)}"


def _python(inspection: Inspection) -> str:
    python = inspection.python
    if python.lowest is None:
        return f"written by an unknown Python ({'; '.join(python.evidence)})"
    both = python.lowest if python.lowest == python.highest else f"{python.lowest}–{python.highest}"
    evidence = "; ".join(python.evidence[:2])
    return f"written by Python {both} ({_cut(evidence, 120)})"


def _function(function: FunctionRead, labels: list[str], shown: Shown) -> Iterator[str]:
    where = labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"
    if function.kind in ("by-name", "class"):
        yield f"  {where}   {function.kind}   {function.name}: its code is not in the file"
        return
    if function.unread is not None:
        yield f"  {where}   unread   {_cut(function.unread, _LINE)}"
        return
    source = function.source or f"it can't be decompiled: {function.stopped}"
    first, *rest = source.splitlines()
    if shown.source and rest:
        yield f"  {where}   {function.kind}"
        yield from (f"      {line}" for line in (first, *rest))
    else:
        line = _cut(first, _LINE) + (f" … {len(rest)} lines" if rest else "")
        yield f"  {where}   {function.kind}   {line}"
    facts = [f"uses {uses}"] if (uses := _uses(function)) else []
    if function.missing:
        facts.append(f"the file does not define {', '.join(function.missing)}")
    if function.passed:
        facts.append(f"the layer passes {', '.join(function.passed)}")
    yield f"      {'; '.join(facts) or 'uses no names'}"
    if function.damaged:
        yield f"      damaged: {function.damaged}"
    if shown.disassemble:
        yield from (f"      {line}" for line in function.listing)


def _uses(function: FunctionRead) -> str:
    missing = set(function.missing)
    uses = {name: chains for name, chains in function.uses.items() if name not in missing}
    apis = [f"{name}.{chain}" for name, chains in uses.items() for chain in chains]
    apis += [name for name, chains in uses.items() if not chains]
    apis += [f"import {module}" for module in function.imports]
    return _cut(", ".join(apis), _LINE)


def _risks(inspection: Inspection) -> Iterator[str]:
    if inspection.risks or inspection.unread:
        yield ""
    for risk in inspection.risks[:SHOWN]:
        reach = " → ".join(risk.reach[1:])
        yield f"  {risk.severity:<8}{risk.message}" + (f" ({reach})" if reach else "")
    if len(inspection.risks) > SHOWN:
        yield f"  … {len(inspection.risks) - SHOWN} more risks (--json)"
    for reason in inspection.unread:
        yield f"  unread  {_cut(reason, _LINE)}: nothing is claimed of it"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def failed_result(path: str, error: CapsuleError) -> dict[str, Any]:
    """Return the result of ``inspect`` for a file that could not be read."""
    return result(path, error=error, keras=None, backend=None, python=None, functions=[])


def inspection_result(path: str, inspection: Inspection, verdict: Verdict | None) -> dict[str, Any]:
    """Return the result of ``inspect`` for one artifact, as its envelope bears it."""
    from capsule.report.envelope import verdict_json

    fields = result(
        path,
        facts=inspection,
        findings=verdict.findings if verdict else (),
        keras=inspection.keras,
        backend=inspection.backend,
        python={
            "range": [inspection.python.lowest, inspection.python.highest],
            "evidence": list(inspection.python.evidence),
        },
        functions=[_function_json(function) for function in inspection.functions],
        risks=[risk.to_json() for risk in inspection.risks],
        layers=inspection.layers,
        inputs=list(inspection.inputs),
        classes=list(inspection.classes),
        weights=inspection.weights,
        unread=list(inspection.unread),
        verdict=verdict_json(verdict) if verdict else None,
    )
    fields["findings"] += [_finding(risk) for risk in inspection.risks]
    return fields


def _finding(risk: Risk) -> dict[str, Any]:
    """Return a risk in the words of a finding, which decides no question."""
    return {
        "code": risk.code,
        "severity": _SEVERITY[risk.severity],
        "subject": "/".join(risk.reach[1:]),
        "message": risk.message,
        "expected": None,
        "found": risk.message,
        "reach": list(risk.reach),
        "remedy": None,
        "decides": [],
    }


def _function_json(function: FunctionRead) -> dict[str, Any]:
    decompiled = None if function.key is None or function.unread else function.source is not None
    return {
        "where": list(function.where),
        "role": function.role,
        "name": function.name,
        "kind": function.kind,
        "encoding": function.encoding,
        "python": list(function.pythons),
        "evidence": list(function.evidence),
        "names": list(function.names),
        "freevars": list(function.freevars),
        "missing": list(function.missing),
        "uses": {name: list(chains) for name, chains in function.uses.items()},
        "imports": list(function.imports),
        "source": function.source,
        "decompiled": decompiled,
        "stopped": function.stopped,
        "docstring": function.docstring,
        "line": function.line,
        "damaged": function.damaged,
        "unread": function.unread,
        "module": function.module,
        "code_sha256": function.code_sha256,
        "defaults": function.defaults,
        "closure": function.closure,
        "instructions": list(function.listing),
    }
