"""A manifest of a file that was never captured: each fact says how it is known.

``read`` stands in the file; ``inferred`` follows from what stands there; ``assumed`` is
what anybody would guess, and may be wrong.
"""

from __future__ import annotations

import base64
import datetime
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from capsule import __version__
from capsule.artifact import Artifact
from capsule.bytecode.decompile import CLASSIC_DIVISION
from capsule.bytecode.pythons import MAGIC_NUMBERS, VERSIONS
from capsule.description.custom import CustomObjects, short_name
from capsule.description.definitions import add_definitions, class_from
from capsule.errors import InputError
from capsule.guest import values
from capsule.guest.digest import code_bytes
from capsule.inspection.functions import ALIASES
from capsule.inspection.model import FunctionRead, Inspection, is_object
from capsule.keras_compat.releases import Release, release_of
from capsule.manifest import (
    ArtifactFacts,
    Binding,
    BindingKind,
    Code,
    EmbeddedFunction,
    Evidence,
    KerasFacts,
    Manifest,
    ModelFacts,
    Node,
    Probe,
    PythonFacts,
)

# What `/` is in Python 2: whole numbers are divided without rest, whoever holds them.
_CLASSIC_DIVISION = Node(
    kind="function",
    module="__main__",
    qualname=CLASSIC_DIVISION,
    namespace="__main__",
    origin="main",
    source=f"""def {CLASSIC_DIVISION}(one, other):
    kinds = [str(getattr(v, "dtype", type(v).__name__)) for v in (one, other)]
    whole = all("int" in kind or "bool" in kind for kind in kinds)
    return one // other if whole else one / other
""",
)


def infer_manifest(
    inspection: Inspection,
    artifact: Artifact,
    custom: CustomObjects | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the manifest that *inspection* allows to make of *artifact*.

    Parameters
    ----------
    inspection, artifact
        What was read of the file.
    custom
        Values and definitions for names that nothing in the file defines.
    aliases
        The module that a customary name stands for, where that is known better than by custom.

    Raises
    ------
    InputError
        A value or a definition is of no use: no function of the file asks for it.
    """
    graph = _Graph(inspection, custom or CustomObjects(), aliases or {})
    functions = [
        graph.add(read, stored.code or "", stored.role)
        for read, stored in zip(inspection.functions, artifact.functions)
    ]
    functions += graph.classes()
    release = release_of(inspection.keras)
    return Manifest(
        origin="inferred",
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        created_by=f"capsule {__version__}",
        artifact=ArtifactFacts(artifact.path.name, artifact.format, artifact.size, artifact.sha256),
        python=_python(inspection, release),
        platform=None,
        keras=_keras(inspection, release),
        settings=None,
        environment_variables=None,
        distributions=None,
        functions=tuple(functions),
        nodes=graph.nodes,
        model=ModelFacts("unknown", custom=graph.unknown_classes()),
        probe=Probe(skipped="nothing was recorded when the model was saved"),
        problems=inspection.unread,
        evidence=tuple(_evidence(inspection, release, graph)),
    )


def _python(inspection: Inspection, release: Release | None) -> PythonFacts:
    """Return the Pythons that may have written the file: all of them where nothing tells."""
    order = list(VERSIONS)
    lowest, highest = inspection.python.lowest, inspection.python.highest
    if lowest is None or highest is None:
        lowest, highest = release.pythons if release else (order[0], order[-1])
    versions = order[order.index(lowest) : order.index(highest) + 1]
    return PythonFacts("cpython", None, None, "", tuple(versions))


def python_facts(version: str) -> PythonFacts:
    """Return the facts of the CPython of a full *version*."""
    minor = ".".join(version.split(".")[:2])
    return PythonFacts("cpython", version, MAGIC_NUMBERS.get(minor, 0), "")


def _keras(inspection: Inspection, release: Release | None) -> KerasFacts | None:
    """Return the Keras that wrote the file, and the module under which it was imported."""
    if release is None or inspection.keras is None:
        return None
    version = inspection.keras.partition("-")[0]
    # Before Keras 3 no file fails to say it but those of TensorFlow's own Keras.
    backend = inspection.backend or (None if version.startswith("3.") else "tensorflow")
    backend = backend and backend.lower()
    return KerasFacts(release.module, version, None, backend, None, None)


class _Graph:
    """The import graph of an inferred manifest while it is put together."""

    def __init__(
        self, inspection: Inspection, custom: CustomObjects, aliases: Mapping[str, str]
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.bind = custom.bind
        self.aliases = {**ALIASES, **aliases}
        self._inspection = inspection
        self._refuse_unused(custom.bind)
        missing = {name for function in inspection.functions for name in function.missing}
        missing -= set(custom.bind)
        missing |= {short_name(name) for name in inspection.classes}
        self.homes = add_definitions(custom.definitions, sorted(missing), self.nodes)
        for file in custom.definitions:
            if file.module not in self.nodes:
                raise InputError(
                    f"{file.module}.py defines nothing that {inspection.path} lacks"
                    f" ({', '.join(sorted(missing)) or 'nothing'})"
                )

    def _refuse_unused(self, bind: Mapping[str, Any]) -> None:
        functions = self._inspection.functions
        used = {name for function in functions for name in (*function.uses, *function.freevars)}
        for name in bind:
            if name not in used:
                raise InputError(
                    f"nothing in {self._inspection.path} uses {name}; its functions use"
                    f" {', '.join(sorted(used)) or 'no names'}"
                )

    def add(self, read: FunctionRead, code: str, role: str) -> EmbeddedFunction:
        """Add the node of one function of the file; return the function that leads to it."""
        name: str | None = None
        if read.key is not None:
            name = f"{read.label}:{read.role}"
            if name in self.nodes:
                name += f":{read.key[-12:]}"
            self.nodes[name] = self._unread(read) if read.unread else self._node(name, read, code)
        return EmbeddedFunction(
            read.where,
            role,
            read.name,
            read.encoding,
            read.key,
            read.code_sha256,
            bool(read.defaults),
            bool(read.closure),
            read.module,
            name,
            read.damaged is not None,
        )

    def classes(self) -> Iterator[EmbeddedFunction]:
        """Give the classes that the file names and that somebody's definitions have."""
        for name in dict.fromkeys(self._inspection.classes):
            home = self.homes.get(short_name(name))
            if home is not None:
                yield class_from(name, home, self.nodes)

    def unknown_classes(self) -> tuple[str, ...]:
        """Return the classes that the file names and nobody defines, as ``module:qualname``."""
        names = (n for n in self._inspection.classes if short_name(n) not in self.homes)
        return tuple(dict.fromkeys(f"{n.rpartition('.')[0]}:{short_name(n)}" for n in names))

    def _unread(self, read: FunctionRead) -> Node:
        return Node(kind="function", module="__main__", qualname=read.name, reason=read.unread)

    def _node(self, own: str, read: FunctionRead, code: str) -> Node:
        names = [*self._bindings(own, read), *_defaults(read)]
        source = read.source
        bytecode = None
        if source is None:
            python = read.pythons[-1] if len(read.pythons) == 1 else ""
            text = base64.b64encode(code_bytes(code)).decode("ascii")
            bytecode = Code(read.code_sha256 or "", MAGIC_NUMBERS.get(python, 0), text)
        return Node(
            kind="lambda" if read.kind == "lambda" else "function",
            module="__main__",
            qualname=read.name,
            namespace="__main__",
            origin="main",
            source=source,
            reason=None if source else f"it can't be decompiled: {read.stopped}",
            decompiled=source is not None,
            code=bytecode,
            names=tuple(names),
        )

    def _bindings(self, own: str, read: FunctionRead) -> Iterator[Binding]:
        """Give what each name of a function stands for: a value, a module, or nothing."""
        for name in (*read.uses, *read.freevars):
            binding = self._binding(own, name, read)
            if binding is not None:
                yield binding
        if CLASSIC_DIVISION in (read.source or ""):
            self.nodes.setdefault(CLASSIC_DIVISION, _CLASSIC_DIVISION)
            yield Binding(CLASSIC_DIVISION, "global", to=CLASSIC_DIVISION)
        for module in read.imports:
            yield Binding(module, "import", to=self._module(module))

    def _binding(self, own: str, name: str, read: FunctionRead) -> Binding | None:
        how: BindingKind = "closure" if name in read.freevars else "global"
        chains = read.uses.get(name, ())
        closure = read.closed_over
        if name in self.bind:
            return self._bound(name, how, chains)
        if name in self.homes and name in read.missing:
            home = self.homes[name]
            return Binding(name, how, to=home.module, attribute=home.attribute, attributes=chains)
        if name == read.name and how == "global" and read.kind == "def":
            return Binding(name, how, to=own)  # it calls itself
        if name in closure and not is_object(closure[name]):
            return Binding(name, how, value=values.encode(_plain(closure[name])))
        if name in closure:
            return Binding(name, how, missing=True, attributes=chains)
        if name in self.aliases and (name not in read.missing or how == "closure"):
            return Binding(name, how, to=self._module(self.aliases[name]), attributes=chains)
        if name in read.missing:
            return Binding(name, how, missing=True, attributes=chains)
        return None

    def _bound(self, name: str, how: BindingKind, chains: tuple[str, ...]) -> Binding:
        """Return the binding of a name to the caller's value."""
        value = self.bind[name]
        if isinstance(value, ModuleType) and sys.modules.get(value.__name__) is value:
            return Binding(name, how, to=self._module(value.__name__), attributes=chains)
        encoded = values.encode(value)
        if values.find_opaque(encoded):
            # Something alive: it is handed over when the model is loaded in this process.
            return Binding(name, how, missing=True, attributes=chains)
        return Binding(name, how, value=encoded)

    def _module(self, name: str) -> str:
        self.nodes.setdefault(name, Node(kind="module", origin="distribution"))
        return name


def _defaults(read: FunctionRead) -> Iterator[Binding]:
    """Give the defaults that Keras wrote: positional ones, the last of the arguments."""
    if isinstance(read.defaults, list):
        for place, value in enumerate(read.defaults):
            yield Binding(f"default_{place}", "default", value=values.encode(_plain(value)))


def _plain(value: Any) -> Any:
    """Return a value that Keras wrote as JSON as it was: lists were tuples nowhere for sure."""
    if not isinstance(value, dict):
        return value
    inner = value.get("config")
    if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(inner, dict):
        return _array(inner.get("value"), inner.get("dtype"))
    if value.get("type") == "ndarray":
        return _array(value.get("value"), None)
    return value


def _array(value: Any, dtype: Any) -> Any:
    """Return an array of what Keras wrote of one; the value as it is if that is none."""
    import numpy

    try:
        array = numpy.array(value, dtype if isinstance(dtype, str) else None)
    except (TypeError, ValueError):
        return value
    return array if array.dtype.kind in "biufc" else value


def _evidence(inspection: Inspection, release: Release | None, graph: _Graph) -> Iterator[Evidence]:
    """Give each fact that the manifest rests on, how it is known, and why."""
    if inspection.keras is not None:
        yield Evidence("keras", inspection.keras, "read", "it stands in the file")
    if inspection.backend is not None:
        yield Evidence("backend", inspection.backend, "read", "it stands in the file")
    elif not (inspection.keras or "").startswith("3."):
        yield Evidence("backend", "tensorflow", "assumed", "the file does not say it")
    python = inspection.python
    if python.lowest is not None:
        alone = python.lowest == python.highest
        span = python.lowest if alone else f"{python.lowest} to {python.highest}"
        yield Evidence("python", span, "inferred", "; ".join(python.evidence))
    for function in inspection.functions:
        if function.source is not None:
            yield Evidence(
                function.label, function.source, "inferred", "decompiled from its bytecode"
            )
    yield from _evidence_of_names(inspection, graph)
    if release is not None:
        why = f"as of {release.date}"
        if release.reads:
            why += f"; it reads what Keras {release.reads} wrote"
        yield Evidence("environment", ", ".join(release.requirements), "assumed", why)


def _evidence_of_names(inspection: Inspection, graph: _Graph) -> Iterator[Evidence]:
    for name in sorted({name for function in inspection.functions for name in function.uses}):
        if name in graph.bind:
            yield Evidence(name, str(graph.bind[name])[:80], "assumed", "supplied by the caller")
        elif name in graph.homes:
            file = f"{graph.homes[name].module}.py"
            yield Evidence(name, file, "assumed", "supplied by the caller")
        elif name in graph.aliases:
            yield Evidence(name, graph.aliases[name], "assumed", "the customary meaning")
    for function in inspection.functions:
        for name, value in function.closed_over.items():
            if isinstance(value, list) and value and name not in graph.bind:
                why = "a list in the file, which may have been an array or a tuple"
                yield Evidence(name, str(value)[:40], "assumed", why)
