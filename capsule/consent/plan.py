"""What loading would run: the functions' digests, consent, and the plan for the guest."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Union

from capsule.artifact import Artifact, Carried
from capsule.consent.listing import reaches, shown
from capsule.errors import ConsentError, escaped
from capsule.guest.digest import code_bytes, digest
from capsule.manifest import CarriedFunction, Code, Manifest, Node, alike

SHOWN = 24  # lines of source that a refusal shows of each definition

# What of a node is run or decides what is run; where it stood does not.
_RUN = (
    "kind",
    "origin",
    "module",
    "qualname",
    "namespace",
    "source",
    "futures",
    "package",
    "decorated",
    "names",
)


Place = tuple[tuple[str, ...], str, Union[str, None]]


@dataclass(frozen=True)
class Planned:
    """One function that loading would restore: where, its digest, source and reach."""

    where: tuple[str, ...]
    role: str
    name: str
    digest: str
    node: str | None
    source: str | None
    reaches: tuple[str, ...]
    shown: tuple[tuple[str, tuple[str, ...]], ...] = ()
    module: str | None = None

    @property
    def label(self) -> str:
        """Where it sits and what it is there for; of one stored by name, that name as well."""
        role = "" if self.role in ("function", "class", "graph") else f".{self.role}"
        place = "/".join(self.where)
        if self.node is None or not place:
            return f"{place}{role} {self.module + '.' if self.module else ''}{self.name}".strip()
        return f"{place}{role}"

    def listing(self, *, before: Collection[str] = ()) -> Iterator[str]:
        """Give the lines that a person must read to decide: digest, all sources, reach.

        *before* are the definitions that another listing showed already.
        """
        yield f"  {self.label}   {self.digest}"
        if not self.shown:
            told = "a graph of TensorFlow operations" if self.role == "graph" else "no source"
            yield f"      ({told})"
        for name, lines in self.shown:
            if name not in before:
                yield from (f"      {line}" for line in lines[:SHOWN])
            if name not in before and len(lines) > SHOWN:
                yield f"      … {len(lines) - SHOWN} more lines"
        yield f"      reaches {', '.join(self.reaches) or 'nothing'}"


@dataclass(frozen=True)
class Consent:
    """Everything that loading would run, and whether that was allowed.

    ``builds``: whether other code may run as well, of source distributions and of what
    comes from elsewhere than the index; trust in functions does not extend to that.
    """

    functions: tuple[Planned, ...]
    given: bool
    builds: bool = False
    foreign: tuple[str, ...] = ()

    def listing(self) -> Iterator[str]:
        """Give the lines of every function, each definition once."""
        before: set[str] = set()
        for function in self.functions:
            yield from function.listing(before=before)
            before |= {name for name, _ in function.shown}

    def require(self, artifact: str) -> None:
        """Raise ConsentError, listing each function, unless consent was given."""
        if self.given:
            return
        first = f"loading {artifact} would run {len(self.functions)} function(s) of it:"
        if not self.functions:
            first = f"loading {artifact} would run what the environment it asks for holds"
        lines = [first, *self.listing()]
        if self.foreign:
            lines.append(f"  it also names {', '.join(self.foreign)}, which no digest covers")
        digests = ", ".join(sorted({repr(function.digest) for function in self.functions}))
        lines.append(f"allow all of it: capsule.load({artifact!r}, safe_mode=False), or --unsafe")
        if digests and not self.foreign:
            lines.append(f"allow just this: capsule.load({artifact!r}, trust=[{digests}])")
        raise ConsentError("\n".join(map(escaped, lines)), self)


@dataclass(frozen=True)
class Plan:
    """What the guest needs to load one artifact, and the consent it rests on."""

    keras: str
    format: str
    model: dict[str, Any]
    judged: dict[str, str]
    functions: tuple[dict[str, Any], ...]
    nodes: dict[str, Any]
    consent: Consent
    build: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the plan as the guest reads it."""
        return {
            "keras": self.keras,
            "format": self.format,
            "model": self.model,
            "judged": self.judged,
            "functions": list(self.functions),
            "nodes": self.nodes,
            # Trust in functions lifts none of Keras' own guards.
            "safe_mode": not self.consent.builds,
            "build": self.build,
        }


def make_plan(
    artifact: Artifact,
    manifest: Manifest,
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    keras: str | None = None,
    build: dict[str, Any] | None = None,
) -> Plan:
    """Return the plan for loading *artifact* with the definitions of *manifest*.

    *keras* names the module of the Keras that shall load it, if not the one that saved it;
    *build* brings a configuration to build in place of the file's own.

    Which functions there are is read from the artifact; the manifest only defines them.
    """
    nodes = dict(manifest.nodes)
    functions: list[dict[str, Any]] = []
    planned: list[Planned] = []
    chosen: dict[str | None, list[str]] = {}  # by source, as like ones share theirs
    known: dict[Place, list[CarriedFunction]] = {}
    for function in manifest.functions:
        known.setdefault(_place(function), []).append(function)
    for found in _carried(artifact, manifest):
        node = _node_of(found, manifest, nodes, known.get(_place(found), []))
        if node is not None:
            # One definition met in two layers is one function: Keras stores both alike.
            others = chosen.setdefault(nodes[node].source, [])
            like = next((n for n in others if alike(nodes, n, node)), None)
            if like is None:
                others.append(node)
            node = like or node
        functions.append(
            {
                "where": list(found.where),
                "role": found.role,
                "name": found.name,
                "key": found.key,
                "node": node,
            }
        )
        planned.append(_planned(found, node, nodes))
    if artifact.format == "saved-model":
        planned.append(_graph(artifact))
    trusted = set(trust)
    foreign = artifact.foreign(_classes(planned, nodes))
    named = bool(planned) and all(p.digest in trusted for p in planned) and not foreign
    reached = _reached([f["node"] for f in functions if f["node"] is not None], nodes)
    return Plan(
        keras=keras or (manifest.keras.module if manifest.keras else "keras"),
        format=artifact.format,
        model=_tensors(manifest),
        judged=artifact.judged,
        functions=tuple(functions),
        nodes={name: _node_json(nodes[name]) for name in sorted(reached)},
        consent=Consent(tuple(planned), named or not safe_mode, not safe_mode, foreign),
        build=build,
    )


def _classes(planned: list[Planned], nodes: dict[str, Node]) -> set[str]:
    """Return the names under which Keras will be given a class, and one class only."""
    found: dict[str, set[str]] = {}
    for one in planned:
        if one.role == "class" and one.node is not None:
            found.setdefault(one.name, set()).add(one.node)
    kinds = {name: nodes[next(iter(given))] for name, given in found.items() if len(given) == 1}
    return {n for n, node in kinds.items() if node.kind == "class" or node.origin == "reference"}


def _graph(artifact: Artifact) -> Planned:
    """Return a SavedModel's graph as what would run: it may read and write files, too."""
    return Planned((), "graph", "the graph", digest({"graph": artifact.sha256}), None, None, ())


def _tensors(manifest: Manifest) -> dict[str, Any]:
    """Return the names of inputs and outputs in the model's order, as the guest reads them."""
    facts = manifest.model
    if facts is None:
        return {}
    sides = {"inputs": facts.inputs, "outputs": facts.outputs}
    return {side: [{"name": t.name} for t in tensors] for side, tensors in sides.items()}


def _carried(artifact: Artifact, manifest: Manifest) -> list[Carried]:
    """Return the artifact's functions, and those it names where only Keras knows (activations)."""
    found = artifact.functions
    known = {(f.where, f.role, f.name) for f in found}
    places = {(f.where, f.role) for f in found}
    texts, passing = artifact.texts, artifact.arguments
    for function in manifest.functions:
        place = (function.where, function.role, function.name)
        if function.key is not None or place in known:
            continue
        # Keras writes some as a bare text: the file must hold that text at least, or
        # functions in that place, of which this is the list, or arguments of a Lambda.
        held = function.name in texts or (function.where, function.role) in places
        if held or (function.role == "arguments" and set(function.where[-1:]) & passing):
            found.append(
                Carried(
                    function.where,
                    function.role,
                    function.name,
                    function.encoding,
                    None,
                    None,
                    None,
                    function.module,
                )
            )
    return found


def _node_of(
    found: Carried, manifest: Manifest, nodes: dict[str, Node], same: list[CarriedFunction]
) -> str | None:
    """Return the manifest's node for a function of the artifact, None if it has none.

    *same* are those that the manifest has in its place.
    """
    for function in same:
        if function.node is not None and (found.key is not None or function.name == found.name):
            if found.code is not None:
                _take_code(nodes, function.node, found)
            return function.node
    if manifest.origin == "file" and found.code is not None:
        # Nothing was seen alive: the bytes are all there is, under the Python assumed.
        raw = code_bytes(found.code)
        name = f"{'/'.join(found.where)}:{found.role}"
        text = base64.b64encode(raw).decode("ascii")
        nodes[name] = Node(
            kind="function",
            module="__main__",
            qualname=found.name,
            namespace="__main__",
            reason="read from the file",
            code=Code(found.code_sha256 or "", manifest.python.magic or 0, text),
        )
        return name
    return None


def _take_code(nodes: dict[str, Node], name: str, found: Carried) -> None:
    """Give a node whose source was left out the bytecode that the artifact holds of it."""
    node = nodes[name]
    if node.source is None and node.code is not None and node.code.base64 is None:
        raw = base64.b64encode(code_bytes(found.code or "")).decode("ascii")
        code = Code(found.code_sha256 or "", node.code.magic, raw)
        nodes[name] = replace(node, code=code)


def _place(found: Carried | CarriedFunction) -> Place:
    return found.where, found.role, found.key


def _planned(found: Carried, node: str | None, nodes: dict[str, Node]) -> Planned:
    reached = _reached([node], nodes) if node is not None else []
    others = [name for name in reached if name != node and any(True for _ in shown(nodes, name))]
    runs = {
        "carried": [found.role, found.name, found.key, found.encoding, found.module],
        "node": node,
        "definitions": {name: _runs(nodes[name]) for name in reached},
    }
    return Planned(
        where=found.where,
        role=found.role,
        name=found.name,
        digest=digest(runs),
        node=node,
        source=nodes[node].source if node is not None else None,
        reaches=reaches(nodes, reached),
        module=found.module,
        shown=tuple((n, tuple(shown(nodes, n))) for n in ([node] if node else []) + others),
    )


def _reached(roots: Iterable[str], nodes: dict[str, Node]) -> list[str]:
    order: dict[str, None] = {}
    waiting = list(roots)
    for name in waiting:  # grows while it is walked
        if name not in order:
            order[name] = None
            waiting += [b.to for b in nodes[name].names if b.to is not None]
    return sorted(order)


def _runs(node: Node) -> dict[str, Any]:
    data = _node_json(node)
    kept = {key: data[key] for key in _RUN}
    # With a source the bytecode is not run, and without one it is all that is.
    kept["code"] = data["code"] if node.source is None else None
    return kept


def _node_json(node: Node) -> dict[str, Any]:
    data = asdict(node)
    data["names"] = list(data["names"])
    return data
