"""The import graph of live objects: what each reaches, and how.

An object becomes a draft, by the first builder that knows its kind: a node, and the live
objects that its names stand for. Those wait in a list until they, too, are nodes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

from capsule.capture.addresses import address_of
from capsule.capture.classes import draft_class
from capsule.capture.context import Builder, Context, Draft, Edge
from capsule.capture.decorated import draft_decorated
from capsule.capture.functions import draft_function
from capsule.capture.modules import draft_module
from capsule.capture.objects import draft_object, has_state
from capsule.guest import values
from capsule.manifest import Binding, Node

_PLAIN = (bool, int, float, str, bytes, complex, type(None))
_BUILDERS: tuple[Builder, ...] = (draft_function, draft_class, draft_decorated, draft_object)


class Target(NamedTuple):
    """The node that stands for an object, and what to take of it if it is a module."""

    node: str
    attribute: str | None = None


class ImportGraph:
    """Collects nodes; each object becomes one, however many names lead to it."""

    def __init__(self, context: Context) -> None:
        self.nodes: dict[str, Node] = {}
        self._context = context
        self._targets: dict[int, str] = {}
        self._namespaces: dict[int, str] = {}
        self._labels: Counter[str] = Counter()
        self._alive: list[Any] = []  # ids stay true only while the objects live
        self._waiting: list[tuple[str, Draft]] = []

    def add(self, value: Any) -> str | None:
        """Add a callable and all that it reaches; return its node's name, None if it has none."""
        target = self._target(value)
        # A list, not recursion: helper chains may be as long as they like.
        while self._waiting:
            name, draft = self._waiting.pop()
            self.nodes[name] = self._finish(draft)
        if target is None:
            return None
        if target.attribute is None and self.nodes[target.node].kind != "module":
            return target.node
        return self._add_named(target)

    def _add_named(self, target: Target) -> str:
        """Add a node for a thing of a library, which only imports it."""
        attribute = target.attribute or ""
        name = f"{target.node}:{attribute}"
        edge = Binding(attribute.rpartition(".")[2], "global", target.node, target.attribute)
        self.nodes[name] = Node(
            kind="function",
            module=target.node,
            qualname=attribute,
            origin="reference",
            names=(edge,),
        )
        return name

    def _finish(self, draft: Draft) -> Node:
        """Return the draft's node, its names bound; what they stand for waits its turn."""
        namespace = ""
        if draft.scope is not None:
            namespace = self._namespace(draft.node.module, draft.scope)
        bindings = (self._binding(edge, draft) for edge in draft.edges)
        names = tuple(binding for binding in bindings if binding is not None)
        return replace(draft.node, namespace=namespace, names=names)

    def _binding(self, edge: Edge, draft: Draft) -> Binding | None:
        if isinstance(edge, Binding):
            if edge.to is not None:
                self._add_module(edge.to, draft.modules.get(edge.to))
            return edge
        name, how, value, attributes, optional = edge
        target = self._target(value)
        if target is not None:
            return Binding(name, how, target.node, target.attribute, attributes=attributes)
        encoded = self._encode(name, value)
        if optional and values.find_opaque(encoded):
            return None
        return Binding(name, how, value=encoded, attributes=attributes)

    def _encode(self, name: str, value: Any) -> Any:
        if has_state(value):
            return values.opaque(value, "its state is not in the function")
        return self._context.plain.encode(name, value)

    def _target(self, value: Any) -> Target | None:
        """Return what stands for *value*, None if it is plain data or can't be told."""
        if type(value) in _PLAIN:
            return None
        if id(value) in self._targets:
            return Target(self._targets[id(value)])
        context = self._context
        address = address_of(value, context.origins, source=context.sources is not None)
        if address is not None:
            self._add_module(address.module, address.live)
            return Target(address.module, address.attribute)
        for build in _BUILDERS:
            draft = build(value, context)
            if draft is not None:
                name = self._targets[id(value)] = self._unique(draft.label)
                self._alive.append(value)
                self._waiting.append((name, draft))
                return Target(name)
        return None

    def _add_module(self, name: str, live: ModuleType | None) -> None:
        if name not in self.nodes:
            draft = draft_module(name, live, self._context)
            self.nodes[name] = draft.node  # modules may import each other in a circle
            self._waiting.append((name, draft))

    def _namespace(self, module: str, scope: dict[str, Any]) -> str:
        """Return the name of the globals *scope*, which all definitions of a module share."""
        if id(scope) not in self._namespaces:
            name = self._unique(f"namespace {module}")
            self._namespaces[id(scope)] = name.partition(" ")[2]
            self._alive.append(scope)
        return self._namespaces[id(scope)]

    def _unique(self, label: str) -> str:
        self._labels[label] += 1
        return f"{label}#{self._labels[label]}" if self._labels[label] > 1 else label
