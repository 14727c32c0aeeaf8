"""Reads one artifact, in the child process: configuration, functions, and who wrote them."""

from __future__ import annotations

import builtins
from collections import Counter
from pathlib import Path
from typing import Any

from capsule.artifact.embedded import StoredFunction, objects, stored_functions
from capsule.artifact.files import Artifact, Format, Identity, artifact_of, contents_of
from capsule.bytecode import Code, names_used
from capsule.bytecode.python_versions import Written, who_wrote
from capsule.bytecode.unmarshal import MarshalError
from capsule.guest.digest import code_bytes
from capsule.inspection.model import FunctionKind, FunctionRead, Inspection, is_object
from capsule.inspection.python_detection import narrowed
from capsule.inspection.risks import of_artifact, of_code, of_function
from capsule.keras_compat.layer_names import unknown_layers

FUNCTION_LIMIT = 20_000
TEXT_LIMIT = 200
# What everybody calls these, and what the file can't say: bound by evidence at load.
ALIASES = {
    "K": "keras.backend",
    "tf": "tensorflow",
    "np": "numpy",
    "numpy": "numpy",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "math": "math",
}


def read_here(
    path: Path, *, identity: tuple[Format, int, str], disassemble: bool = False
) -> dict[str, Any]:
    """Return the inspection of the artifact at *path*, and the contents that it was made of.

    Both are JSON data. Raises ArtifactError.
    """
    contents = contents_of(path, identity[0], weights_alone=True)
    artifact = artifact_of(path, Identity(*identity), contents)
    inspection = _inspection(artifact, disassemble=disassemble)
    return {"inspection": inspection.to_json(), "contents": contents.to_json()}


def _inspection(artifact: Artifact, *, disassemble: bool) -> Inspection:
    known: dict[str, FunctionRead] = {}
    functions = []
    served = artifact.format == "saved-model"
    carried = stored_functions(artifact.config) if served else artifact.functions
    passed = _passed(artifact)
    for found in carried[:FUNCTION_LIMIT]:
        functions.append(_function(found, known, passed, disassemble))
    unread = [f"{one.label}: {one.unread}" for one in functions if one.unread]
    if len(carried) > FUNCTION_LIMIT:
        unread.append(f"{len(carried) - FUNCTION_LIMIT} more functions were not read")
    risks = [risk for function in functions for risk in of_function(function)]
    risks += of_artifact(artifact)
    return Inspection(
        path=str(artifact.path),
        format=artifact.format,
        size=artifact.size,
        sha256=artifact.sha256,
        keras=_short(artifact.keras_version),
        backend=_short(artifact.backend),
        python=narrowed(functions, artifact.keras_version, artifact.backend),
        functions=tuple(functions),
        risks=tuple(dict.fromkeys(risks)),
        layers=_layers(artifact.config),
        inputs=tuple(_inputs(artifact.config)),
        classes=_classes(artifact),
        weights=artifact.weights,
        unread=tuple(unread),
    )


def _short(text: str | None) -> str | None:
    return None if text is None else text[:TEXT_LIMIT]


def _function(
    found: StoredFunction,
    known: dict[str, FunctionRead],
    passed: dict[str, tuple[str, ...]],
    disassemble: bool,
) -> FunctionRead:
    """Return what one function is; those stored alike are read once."""
    place: dict[str, Any] = {
        "where": tuple(name[:TEXT_LIMIT] for name in found.where),
        "role": found.role[:TEXT_LIMIT],
        "module": _short(found.module),
        "passed": passed.get(found.where[-1], ()) if found.where else (),
    }
    if found.code is None:
        kind: FunctionKind = "class" if found.role == "class" else "by-name"
        return FunctionRead(
            name=found.name[:TEXT_LIMIT],
            kind=kind,
            encoding="by-name",
            key=None,
            code_sha256=None,
            **place,
        )
    key = found.key or ""
    same = known.get(key)
    if same is not None:
        return FunctionRead(**{**vars(same), **place})
    held = {
        "key": key,
        "code_sha256": found.code_sha256,
        "encoding": found.encoding,
        "defaults": found.defaults,
        "closure": found.closure,
    }
    try:
        written = who_wrote(code_bytes(found.code))
    except (MarshalError, ValueError) as error:
        read = FunctionRead(
            name=found.name, kind="lambda", unread=str(error)[:400], **held, **place
        )
    else:
        read = FunctionRead(**_described(written, found), **held, **place)
        if disassemble:
            read = FunctionRead(**{**vars(read), "listing": tuple(_listing(written.code))})
    known[key] = read
    return read


def _described(written: Written, found: StoredFunction) -> dict[str, Any]:
    code, lifted = written.code, written.lifted
    uses = names_used(code)
    names = {name: tuple(sorted(chains)) for name, chains in sorted(uses.globals.items())}
    unknown = [n for n in names if n not in ALIASES and not hasattr(builtins, n) and n != code.name]
    # A closure that Keras wrote has values; of those before 2.x only the names are left.
    closure = found.closure if isinstance(found.closure, list) else []
    told = [not is_object(value) for value in closure] + [False] * len(code.free)
    bare = tuple(name for name, known in zip(code.free, told) if not known)
    return {
        "name": code.name[:TEXT_LIMIT],
        "kind": "lambda" if code.name == "<lambda>" else "def",
        "pythons": written.pythons,
        "evidence": tuple(told[:TEXT_LIMIT] for told in written.evidence),
        "names": tuple(_names(code)),
        "uses": names,
        "freevars": code.free,
        "imports": tuple(sorted({one.module for one in uses.imports})),
        "missing": (*unknown, *bare),
        "constants": tuple(_constants(code)),
        "source": lifted.text,
        "stopped": lifted.stopped,
        "docstring": code.docstring,
        "line": code.first_line,
        "arguments": code.argument_count,
        "damaged": written.damaged,
        "risks": tuple(dict.fromkeys(of_code(code, uses, lifted.text))),
    }


_NAMING = ("GLOBAL", "NAME", "ATTR", "METHOD", "IMPORT_FROM")


def _names(code: Code) -> list[str]:
    """Return every name that the code and what is nested in it looks up, once each."""
    found = [str(one.value) for one in code.instructions if one.name.endswith(_NAMING)]
    for inner in code.nested:
        found += _names(inner)
    return list(dict.fromkeys(found))[:500]


def _constants(code: Code) -> list[str]:
    """Return the texts among the constants, those of nested code too."""
    found = [value[:TEXT_LIMIT] for value in code.constants if isinstance(value, str)]
    for inner in code.nested:
        found += _constants(inner)
    return found[:100]


def _listing(code: Code, indent: str = "") -> list[str]:
    """Return the instructions as lines: offset, line, name, argument, what it names."""
    lines = [f"{indent}{code.name} (Python {code.python}, line {code.first_line})"]
    for one in code.instructions:
        value = "" if one.value is None else _value(one.value)
        argument = "" if one.argument is None else str(one.argument)
        place = f"{one.line or '':>5} {one.offset:>6}"
        lines.append(f"{indent}{place} {one.name:<26} {argument:>4} {value}".rstrip())
    for inner in code.nested:
        lines += _listing(inner, indent + "    ")
    return lines


def _value(value: Any) -> str:
    if isinstance(value, Code):
        return f"<code {value.name}>"
    return repr(value)[:TEXT_LIMIT]


def _classes(artifact: Artifact) -> tuple[str, ...]:
    """Return the classes that are not Keras' own, as the file names them."""
    names = {*artifact.foreign(), *unknown_layers(artifact.config)}
    return tuple(sorted(name[:TEXT_LIMIT] for name in names))


def _layers(config: Any) -> dict[str, int]:
    """Return how often each class of layers occurs, the most frequent first."""
    count: Counter[str] = Counter()
    for data in objects(config):
        inner = data.get("config")
        layers = inner.get("layers") if isinstance(inner, dict) else inner
        for layer in layers if isinstance(layers, list) else []:
            name = layer.get("class_name") if isinstance(layer, dict) else None
            if isinstance(name, str):
                count[name[:TEXT_LIMIT]] += 1
    return dict(sorted(count.items(), key=lambda item: (-item[1], item[0])))


def _inputs(config: Any) -> list[Any]:
    found = []
    for data in objects(config):
        inner = data.get("config")
        inner = inner if isinstance(inner, dict) else {}
        shape = inner.get("batch_input_shape") or inner.get("batch_shape")
        if isinstance(shape, list) and len(shape) < 16:
            found.append([size if isinstance(size, int) else None for size in shape])
    return found[:50]


def _passed(artifact: Artifact) -> dict[str, tuple[str, ...]]:
    """Return which arguments each layer passes to its function, by the layer's name."""
    return {
        data["name"]: tuple(str(key)[:TEXT_LIMIT] for key in data["arguments"])
        for data in objects(artifact.config)
        if isinstance(data.get("arguments"), dict) and isinstance(data.get("name"), str)
    }
