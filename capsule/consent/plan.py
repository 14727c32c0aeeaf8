"""What loading would run: the functions' digests, consent, and the plan for the guest."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

from capsule.artifact import Artifact, StoredFunction
from capsule.consent.consent import NO_TRUST, Consent, PlannedFunction, Trust
from capsule.consent.listing import reaches, shown
from capsule.guest.digest import code_bytes, digest
from capsule.manifest import Code, EmbeddedFunction, Manifest, Node, same_definition

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


class Described(Protocol):
    """What a plan is made of: a model file and its manifest."""

    @property
    def artifact(self) -> Artifact:
        """The model file as read."""

    @property
    def manifest(self) -> Manifest:
        """What its functions are."""


class Build(Protocol):
    """A configuration for the guest to build in place of the file's own."""

    def to_json(self) -> dict[str, Any]:
        """Return it as the guest reads it."""


class Place(NamedTuple):
    """Where a function stands in a file, and the digest of what is stored there."""

    where: tuple[str, ...]
    role: str
    key: str | None


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
    description: Described,
    trust: Trust = NO_TRUST,
    *,
    keras: str | None = None,
    build: Build | None = None,
) -> Plan:
    """Return the plan for loading an artifact with the definitions of its manifest.

    Which functions there are is read from the artifact; the manifest only defines them.

    Parameters
    ----------
    description
        The model file and its manifest.
    trust
        What was allowed.
    keras
        The module of the Keras that shall load it, if not of the one that saved it.
    build
        A configuration to build in place of the file's own.
    """
    artifact, manifest = description.artifact, description.manifest
    resolver = _Resolver(manifest)
    functions: list[dict[str, Any]] = []
    planned: list[PlannedFunction] = []
    for stored in _stored(artifact, manifest):
        node = resolver.node_of(stored)
        functions.append(
            {
                "where": list(stored.where),
                "role": stored.role,
                "name": stored.name,
                "key": stored.key,
                "node": node,
            }
        )
        planned.append(_planned(stored, node, resolver.nodes))
    if artifact.format == "saved-model":
        planned.append(_graph(artifact))
    nodes = resolver.nodes
    foreign = artifact.foreign(_classes(planned, nodes))
    named = bool(planned) and all(p.digest in trust.digests for p in planned) and not foreign
    reached = _reached([f["node"] for f in functions if f["node"] is not None], nodes)
    everything = not trust.safe_mode
    return Plan(
        keras=keras or (manifest.keras.module if manifest.keras else "keras"),
        format=artifact.format,
        model=_tensors(manifest),
        judged=artifact.judged,
        functions=tuple(functions),
        nodes={name: _node_json(nodes[name]) for name in sorted(reached)},
        consent=Consent(tuple(planned), named or everything, everything, foreign),
        build=None if build is None else build.to_json(),
    )


class _Resolver:
    """Finds the definition in a manifest of each function that a file stores."""

    def __init__(self, manifest: Manifest) -> None:
        self.nodes = dict(manifest.nodes)
        self._manifest = manifest
        self._by_source: dict[str | None, list[str]] = {}  # like ones share theirs
        self._in_place: dict[Place, list[EmbeddedFunction]] = {}
        for function in manifest.functions:
            self._in_place.setdefault(_place(function), []).append(function)

    def node_of(self, stored: StoredFunction) -> str | None:
        """Return the manifest's node for a function of the artifact, None if it has none."""
        node = self._recorded(stored)
        if node is None:
            return None
        # One definition met in two layers is one function: Keras stores both alike.
        candidates = self._by_source.setdefault(self.nodes[node].source, [])
        like = next((name for name in candidates if same_definition(self.nodes, name, node)), None)
        if like is None:
            candidates.append(node)
        return like or node

    def _recorded(self, stored: StoredFunction) -> str | None:
        for function in self._in_place.get(_place(stored), []):
            if function.node is not None and (
                stored.key is not None or function.name == stored.name
            ):
                if stored.code is not None:
                    self._add_code(function.node, stored)
                return function.node
        if self._manifest.origin == "described" and stored.code is not None:
            return self._from_bytes(stored)
        return None

    def _from_bytes(self, stored: StoredFunction) -> str:
        """Add a node of the bytes alone, under the Python assumed: nothing was seen alive."""
        name = f"{'/'.join(stored.where)}:{stored.role}"
        self.nodes[name] = Node(
            kind="function",
            module="__main__",
            qualname=stored.name,
            namespace="__main__",
            reason="read from the file",
            code=_code(stored, self._manifest.python.magic or 0),
        )
        return name

    def _add_code(self, name: str, stored: StoredFunction) -> None:
        """Give a node whose source was left out the bytecode that the artifact holds of it."""
        node = self.nodes[name]
        if node.source is None and node.code is not None and node.code.base64 is None:
            self.nodes[name] = replace(node, code=_code(stored, node.code.magic))


def _code(stored: StoredFunction, magic: int) -> Code:
    text = base64.b64encode(code_bytes(stored.code or "")).decode("ascii")
    return Code(stored.code_sha256 or "", magic, text)


def _classes(planned: list[PlannedFunction], nodes: Mapping[str, Node]) -> set[str]:
    """Return the names under which Keras will be given a class, and one class only."""
    classes: dict[str, set[str]] = {}
    for function in planned:
        if function.role == "class" and function.node is not None:
            classes.setdefault(function.name, set()).add(function.node)
    single = {name: nodes[next(iter(own))] for name, own in classes.items() if len(own) == 1}
    return {n for n, node in single.items() if node.kind == "class" or node.origin == "reference"}


def _graph(artifact: Artifact) -> PlannedFunction:
    """Return a SavedModel's graph as what would run: it may read and write files, too."""
    sha256 = digest({"graph": artifact.sha256})
    return PlannedFunction((), "graph", "the graph", sha256, None, None, ())


def _tensors(manifest: Manifest) -> dict[str, Any]:
    """Return the names of inputs and outputs in the model's order, as the guest reads them."""
    facts = manifest.model
    if facts is None:
        return {}
    sides = {"inputs": facts.inputs, "outputs": facts.outputs}
    return {side: [{"name": t.name} for t in tensors] for side, tensors in sides.items()}


def _stored(artifact: Artifact, manifest: Manifest) -> list[StoredFunction]:
    """Return the artifact's functions, and those it names where only Keras knows (activations)."""
    functions = artifact.functions
    named = {(f.where, f.role, f.name) for f in functions}
    places = {(f.where, f.role) for f in functions}
    texts, passing = artifact.texts, artifact.arguments
    for function in manifest.functions:
        if function.key is not None or (function.where, function.role, function.name) in named:
            continue
        # Keras writes some as a bare text: the file must hold that text at least, or
        # functions in that place, of which this is the list, or arguments of a Lambda.
        there = function.name in texts or (function.where, function.role) in places
        if there or (function.role == "arguments" and set(function.where[-1:]) & passing):
            functions.append(
                StoredFunction(
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
    return functions


def _place(function: StoredFunction | EmbeddedFunction) -> Place:
    return Place(function.where, function.role, function.key)


def _planned(stored: StoredFunction, node: str | None, nodes: dict[str, Node]) -> PlannedFunction:
    reached = _reached([node], nodes) if node is not None else []
    helpers = [name for name in reached if name != node and any(True for _ in shown(nodes, name))]
    runs = {
        "carried": [stored.role, stored.name, stored.key, stored.encoding, stored.module],
        "node": node,
        "definitions": {name: _runs(nodes[name]) for name in reached},
    }
    return PlannedFunction(
        where=stored.where,
        role=stored.role,
        name=stored.name,
        digest=digest(runs),
        node=node,
        source=nodes[node].source if node is not None else None,
        reaches=reaches(nodes, reached),
        module=stored.module,
        shown=tuple((n, tuple(shown(nodes, n))) for n in ([node] if node else []) + helpers),
    )


def _reached(roots: Iterable[str], nodes: Mapping[str, Node]) -> list[str]:
    reached: set[str] = set()
    waiting = deque(roots)
    while waiting:
        name = waiting.popleft()
        if name not in reached:
            reached.add(name)
            waiting += (b.to for b in nodes[name].names if b.to is not None)
    return sorted(reached)


def _runs(node: Node) -> dict[str, Any]:
    data = _node_json(node)
    runs = {key: data[key] for key in _RUN}
    # With a source the bytecode is not run, and without one it is all that is.
    runs["code"] = data["code"] if node.source is None else None
    return runs


def _node_json(node: Node) -> dict[str, Any]:
    data = asdict(node)
    data["names"] = list(data["names"])
    return data
