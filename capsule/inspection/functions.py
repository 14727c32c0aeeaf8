"""Reads one artifact, in the child process: configuration, functions, and who wrote them."""

from __future__ import annotations

import builtins
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsule.artifact.embedded import StoredFunction, objects, stored_functions
from capsule.artifact.files import Artifact, Identity, artifact_of, contents_of
from capsule.bytecode import Code, names_used
from capsule.bytecode.detect_python import Detection, detect_python_versions
from capsule.bytecode.unmarshal import MarshalError
from capsule.guest.digest import code_bytes
from capsule.inspection.model import FunctionKind, FunctionRead, Inspection, is_object
from capsule.inspection.python_detection import narrowed
from capsule.inspection.risks import of_artifact, of_code, of_function
from capsule.keras_compat.layer_names import unknown_layers

if TYPE_CHECKING:
    from capsule.manifest import Format

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
    served = artifact.format == "saved-model"
    stored = stored_functions(artifact.config) if served else artifact.functions
    reader = _Reader(_passed(artifact), disassemble)
    functions = [reader.read(function) for function in stored[:FUNCTION_LIMIT]]
    unread = [f"{function.label}: {function.unread}" for function in functions if function.unread]
    if len(stored) > FUNCTION_LIMIT:
        unread.append(f"{len(stored) - FUNCTION_LIMIT} more functions were not read")
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


class _Reader:
    """Reads the functions of one file; those that it stores alike are read once."""

    def __init__(self, passed: dict[str, tuple[str, ...]], disassemble: bool) -> None:
        self._passed = passed
        self._disassemble = disassemble
        self._by_key: dict[str, FunctionRead] = {}

    def read(self, stored: StoredFunction) -> FunctionRead:
        """Return what one function is."""
        if stored.code is None:
            return self._placed(_by_name(stored), stored)
        key = stored.key or ""
        if key not in self._by_key:
            self._by_key[key] = self._decoded(stored, stored.code)
        return self._placed(self._by_key[key], stored)

    def _placed(self, function: FunctionRead, stored: StoredFunction) -> FunctionRead:
        """Return *function* where *stored* stands."""
        return replace(
            function,
            where=tuple(name[:TEXT_LIMIT] for name in stored.where),
            role=stored.role[:TEXT_LIMIT],
            module=_short(stored.module),
            passed=self._passed.get(stored.where[-1], ()) if stored.where else (),
        )

    def _decoded(self, stored: StoredFunction, code: str) -> FunctionRead:
        function = FunctionRead(
            where=(),
            role="",
            name=stored.name,
            kind="lambda",
            encoding=stored.encoding,
            key=stored.key,
            code_sha256=stored.code_sha256,
            defaults=stored.defaults,
            closure=stored.closure,
        )
        try:
            written = detect_python_versions(code_bytes(code))
        except (MarshalError, ValueError) as error:
            return replace(function, unread=str(error)[:400])
        listing = tuple(_listing(written.code)) if self._disassemble else ()
        return replace(_described(function, written), listing=listing)


def _by_name(stored: StoredFunction) -> FunctionRead:
    kind: FunctionKind = "class" if stored.role == "class" else "by-name"
    return FunctionRead((), "", stored.name[:TEXT_LIMIT], kind, "by-name", None, None)


def _described(function: FunctionRead, written: Detection) -> FunctionRead:
    """Return *function* with what its code tells."""
    code, decompilation = written.code, written.decompilation
    uses = names_used(code)
    names = {name: tuple(sorted(chains)) for name, chains in sorted(uses.globals.items())}
    unknown = [n for n in names if n not in ALIASES and not hasattr(builtins, n) and n != code.name]
    # A closure that Keras wrote has values; of those before 2.x only the names are left.
    closure = function.closure if isinstance(function.closure, list) else []
    has_value = [not is_object(value) for value in closure] + [False] * len(code.free)
    bare = tuple(name for name, has in zip(code.free, has_value) if not has)
    return replace(
        function,
        name=code.name[:TEXT_LIMIT],
        kind="lambda" if code.name == "<lambda>" else "def",
        pythons=written.pythons,
        evidence=tuple(line[:TEXT_LIMIT] for line in written.evidence),
        names=tuple(_names(code)),
        uses=names,
        freevars=code.free,
        imports=tuple(sorted({use.module for use in uses.imports})),
        missing=(*unknown, *bare),
        constants=tuple(_constants(code)),
        source=decompilation.source,
        stopped=decompilation.reason,
        docstring=code.docstring,
        line=code.first_line,
        arguments=code.argument_count,
        damaged=written.damage,
        risks=tuple(dict.fromkeys(of_code(code, uses, decompilation.source))),
    )


_NAMING = ("GLOBAL", "NAME", "ATTR", "METHOD", "IMPORT_FROM")


def _names(code: Code) -> list[str]:
    """Return every name that the code and what is nested in it looks up, once each."""
    names = [str(i.value) for i in code.instructions if i.name.endswith(_NAMING)]
    for inner in code.nested:
        names += _names(inner)
    return list(dict.fromkeys(names))[:500]


def _constants(code: Code) -> list[str]:
    """Return the texts among the constants, those of nested code too."""
    texts = [value[:TEXT_LIMIT] for value in code.constants if isinstance(value, str)]
    for inner in code.nested:
        texts += _constants(inner)
    return texts[:100]


def _listing(code: Code, indent: str = "") -> list[str]:
    """Return the instructions as lines: offset, line, name, argument, what it names."""
    lines = [f"{indent}{code.name} (Python {code.python}, line {code.first_line})"]
    for step in code.instructions:
        value = "" if step.value is None else _value(step.value)
        argument = "" if step.argument is None else str(step.argument)
        place = f"{step.line or '':>5} {step.offset:>6}"
        lines.append(f"{indent}{place} {step.name:<26} {argument:>4} {value}".rstrip())
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
    shapes = []
    for data in objects(config):
        inner = data.get("config")
        inner = inner if isinstance(inner, dict) else {}
        shape = inner.get("batch_input_shape") or inner.get("batch_shape")
        if isinstance(shape, list) and len(shape) < 16:
            shapes.append([size if isinstance(size, int) else None for size in shape])
    return shapes[:50]


def _passed(artifact: Artifact) -> dict[str, tuple[str, ...]]:
    """Return which arguments each layer passes to its function, by the layer's name."""
    return {
        data["name"]: tuple(str(key)[:TEXT_LIMIT] for key in data["arguments"])
        for data in objects(artifact.config)
        if isinstance(data.get("arguments"), dict) and isinstance(data.get("name"), str)
    }
