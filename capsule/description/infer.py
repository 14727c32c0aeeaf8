"""A manifest of a file that was never captured: each fact says how it is known.

``read`` stands in the file; ``inferred`` follows from what stands there; ``assumed`` is
what anybody would guess, and may be wrong.
"""

from __future__ import annotations

import base64
import datetime
import platform as running
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from capsule import __version__
from capsule.artifact import Artifact
from capsule.bytecode.decompile import CLASSIC_DIVISION
from capsule.bytecode.formats import MAGIC_NUMBERS
from capsule.description.definitions import Given, class_of, giving
from capsule.errors import InputError
from capsule.guest import values
from capsule.guest.digest import code_bytes
from capsule.inspection.functions import ALIASES
from capsule.inspection.model import FunctionRead, Inspection, is_object
from capsule.keras_compat.releases import Release, release_of
from capsule.manifest import (
    ArtifactFacts,
    Binding,
    CarriedFunction,
    Code,
    KerasFacts,
    KnownFact,
    Manifest,
    ModelFacts,
    Node,
    PlatformFacts,
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


def inferred(
    inspection: Inspection,
    artifact: Artifact,
    *,
    bind: Mapping[str, Any] | None = None,
    aliases: Mapping[str, str] | None = None,
    files: Iterable[Given] = (),
) -> Manifest:
    """Return the manifest that *inspection* allows to make of *artifact*.

    *bind* gives values for names that nothing in the file defines; *aliases* says which
    module a customary name stands for, where that is known better than by custom. *files*
    give functions, classes and modules that it lacks.
    Raises InputError for a name in *bind* that no function uses.
    """
    given = dict(bind or {})
    used = {name for one in inspection.functions for name in (*one.uses, *one.freevars)}
    for asked in given:
        if asked not in used:
            told = ", ".join(sorted(used)) or "no names"
            raise InputError(f"nothing in {inspection.path} uses {asked}; its functions use {told}")
    meant = {**ALIASES, **(aliases or {})}
    nodes: dict[str, Node] = {}
    found_in = _from_files(inspection, files, given, nodes)
    functions = []
    carried = artifact.functions
    for read, found in zip(inspection.functions, carried):
        name: str | None = None
        if read.key is not None and read.unread is None:
            name = f"{read.label}:{read.role}"
            if name in nodes:
                name += f":{read.key[-12:]}"
            nodes[name] = _node(name, read, found.code or "", given, meant, found_in, nodes)
        functions.append(
            CarriedFunction(
                read.where,
                found.role,
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
        )
    functions += [
        class_of(name, found_in[short], nodes)
        for name in dict.fromkeys(inspection.classes)
        if (short := _short(name)) in found_in
    ]
    release = release_of(inspection.keras)
    python = inspection.python.highest or (release.pythons[1] if release else "3.11")
    return Manifest(
        origin="inferred",
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        created_by=f"capsule {__version__}",
        artifact=ArtifactFacts(artifact.path.name, artifact.format, artifact.size, artifact.sha256),
        python=PythonFacts("cpython", f"{python}.0", MAGIC_NUMBERS.get(python, 0), ""),
        platform=PlatformFacts(running.system(), running.machine()),
        keras=_keras(inspection, release),
        settings=None,
        environment_variables={},
        distributions=(),
        functions=tuple(functions),
        nodes=nodes,
        model=ModelFacts("unknown", doubts=tuple(told for _, told in inspection.troubles)),
        probe=Probe(skipped="nothing was recorded when the model was saved"),
        problems=tuple(inspection.unread),
        known=tuple(_known(inspection, release, given, meant, found_in)),
    )


def _short(name: str) -> str:
    """Return the name of a class without the package that it was registered in."""
    return name.rpartition(">")[2].rpartition(".")[2]


def _from_files(
    inspection: Inspection, files: Iterable[Given], given: Mapping[str, Any], nodes: dict[str, Node]
) -> dict[str, tuple[str, str | None]]:
    """Return where in *files* each name is that the file lacks, their modules put into *nodes*."""
    files = list(files)
    if not files:
        return {}
    lacking = {name for one in inspection.functions for name in one.missing} - set(given)
    lacking |= {_short(name) for name in inspection.classes}
    found = giving(files, sorted(lacking), nodes)
    for file in files:
        if file.module not in nodes:
            told = ", ".join(sorted(lacking)) or "nothing"
            raise InputError(
                f"{file.module}.py gives nothing that {inspection.path} lacks ({told})"
            )
    return found


def on_python(manifest: Manifest, version: str) -> Manifest:
    """Return *manifest* for a Python of that full version, which was chosen to replay it on."""
    minor = ".".join(version.split(".")[:2])
    python = PythonFacts("cpython", version, MAGIC_NUMBERS.get(minor, 0), "")
    return replace(manifest, python=python)


def _keras(inspection: Inspection, release: Release | None) -> KerasFacts | None:
    if release is None:
        return None
    distribution = "keras" if release.module == "keras" else "tensorflow-cpu"
    backend = (inspection.backend or "tensorflow").lower()
    return KerasFacts(
        release.module,
        release.version,
        distribution,
        backend,
        release.tensorflow if backend == "tensorflow" else None,
        "tensorflow-cpu" if backend == "tensorflow" else backend,
    )


def _node(
    own: str,
    read: FunctionRead,
    code: str,
    given: Mapping[str, Any],
    meant: Mapping[str, str],
    found_in: Mapping[str, tuple[str, str | None]],
    nodes: dict[str, Node],
) -> Node:
    names = [*_bindings(own, read, given, meant, found_in, nodes), *_kept(read)]
    lifted = read.source
    python = read.pythons[-1] if len(read.pythons) == 1 else ""
    text = None if lifted else base64.b64encode(code_bytes(code)).decode("ascii")
    return Node(
        kind="lambda" if read.kind == "lambda" else "function",
        module="__main__",
        qualname=read.name,
        namespace="__main__",
        origin="main",
        source=lifted,
        reason=None if lifted else f"not lifted: {read.stopped}",
        lifted=lifted is not None,
        code=None if lifted else Code(read.code_sha256 or "", MAGIC_NUMBERS.get(python, 0), text),
        names=tuple(names),
    )


def _bindings(
    own: str,
    read: FunctionRead,
    given: Mapping[str, Any],
    meant: Mapping[str, str],
    found_in: Mapping[str, tuple[str, str | None]],
    nodes: dict[str, Node],
) -> Iterator[Binding]:
    """Give what each name of a function stands for: a given value, a module, or nothing."""
    kept = read.closure if isinstance(read.closure, (list, tuple)) else ()
    closed = dict(zip(read.freevars, kept))
    for name in (*read.uses, *read.freevars):
        how = "closure" if name in read.freevars else "global"
        chains = read.uses.get(name, ())
        if name in given:
            yield _given(name, how, given[name], chains, nodes)
        elif name in found_in and name in read.missing:
            module, attribute = found_in[name]
            yield Binding(name, how, to=module, attribute=attribute, attributes=chains)
        elif name == read.name and how == "global" and read.kind == "def":
            yield Binding(name, how, to=own)  # it calls itself
        elif name in closed and is_object(closed[name]):
            yield Binding(name, how, missing=True, attributes=chains)
        elif name in closed:
            yield Binding(name, how, value=values.encode(_plain(closed[name])))
        elif name in meant and (name not in read.missing or how == "closure"):
            yield Binding(name, how, to=_module(meant[name], nodes), attributes=chains)
        elif name in read.missing:
            yield Binding(name, how, missing=True, attributes=chains)
    if CLASSIC_DIVISION in (read.source or ""):
        nodes.setdefault(CLASSIC_DIVISION, _CLASSIC_DIVISION)
        yield Binding(CLASSIC_DIVISION, "global", to=CLASSIC_DIVISION)
    for module in read.imports:
        yield Binding(module, "import", to=_module(module, nodes))


def _given(
    name: str, how: str, value: Any, chains: tuple[str, ...], nodes: dict[str, Node]
) -> Binding:
    if isinstance(value, ModuleType) and sys.modules.get(value.__name__) is value:
        return Binding(name, how, to=_module(value.__name__, nodes), attributes=chains)
    encoded = values.encode(value)
    if values.is_opaque(encoded):
        # Something alive: it is handed over when the model is loaded in this process.
        return Binding(name, how, missing=True, attributes=chains)
    return Binding(name, how, value=encoded)


def _module(name: str, nodes: dict[str, Node]) -> str:
    nodes.setdefault(name, Node(kind="module", origin="distribution"))
    return name


def _kept(read: FunctionRead) -> Iterator[Binding]:
    """Give the defaults that Keras wrote: positional ones, the last of the arguments."""
    if not isinstance(read.defaults, list):
        return
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
        made = numpy.array(value, dtype if isinstance(dtype, str) else None)
    except (TypeError, ValueError):
        return value
    return made if made.dtype.kind in "biufc" else value


def _known(
    inspection: Inspection,
    release: Release | None,
    given: Mapping[str, Any],
    meant: Mapping[str, str],
    found_in: Mapping[str, tuple[str, str | None]],
) -> Iterator[KnownFact]:
    if inspection.keras is not None:
        yield KnownFact("keras", inspection.keras, "read", "it stands in the file")
    if inspection.backend is not None:
        yield KnownFact("backend", inspection.backend, "read", "it stands in the file")
    else:
        yield KnownFact("backend", "tensorflow", "assumed", "the file does not tell")
    python = inspection.python
    if python.lowest is not None:
        alone = python.lowest == python.highest
        both = str(python.lowest) if alone else f"{python.lowest} to {python.highest}"
        yield KnownFact("python", both, "inferred", "; ".join(python.evidence))
    for one in inspection.functions:
        if one.source is not None:
            yield KnownFact(one.label, one.source, "inferred", "lifted from its bytecode")
    for name in sorted({name for one in inspection.functions for name in one.uses}):
        if name in given:
            yield KnownFact(name, str(given[name])[:80], "assumed", "given by whoever loads it")
        elif name in found_in:
            yield KnownFact(name, f"{found_in[name][0]}.py", "assumed", "given by whoever loads it")
        elif name in meant:
            yield KnownFact(name, meant[name], "assumed", "what everybody calls so")
    for one in inspection.functions:
        kept = one.closure if isinstance(one.closure, (list, tuple)) else ()
        for name, value in zip(one.freevars, kept):
            if isinstance(value, list) and value and name not in given:
                why = "a list in the file, which may have been an array or a tuple"
                yield KnownFact(name, str(value)[:40], "assumed", why)
    if release is not None:
        why = f"as of {release.date}" + (
            f"; it reads what Keras {release.reads} wrote" if release.reads else ""
        )
        yield KnownFact("environment", ", ".join(release.requirements), "assumed", why)
