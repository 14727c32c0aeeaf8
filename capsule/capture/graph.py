"""The import graph of live objects: what each reaches, and how.

Problems are recorded as they are met, inside the graph, and never stop the walk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from capsule.capture.classes import class_node
from capsule.capture.decorated import decorated_node, inner_function
from capsule.capture.functions import function_node
from capsule.capture.modules import local_module, module_source
from capsule.capture.objects import Parts, has_state, parts_of
from capsule.capture.origins import Origins, module_place, object_place
from capsule.capture.plain import PlainValues
from capsule.capture.source import SourceFinder
from capsule.guest import values
from capsule.manifest import Binding, BindingKind, Node

_PLAIN = (bool, int, float, str, bytes, complex, type(None))


class ImportGraph:
    """Collects nodes; ``root`` is the project's folder, to which file names are relative.

    ``source=False`` and ``values=False`` leave out source text and plain values; texts
    under names that look like secrets' are left out unless *allow* names them.
    """

    def __init__(
        self,
        origins: Origins,
        root: Path,
        *,
        source: bool = True,
        values: bool = True,
        allow: Collection[str] = (),
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.origins = origins
        self.with_source = source
        self.plain = PlainValues(root, wanted=values, allow=allow)
        self.sources = SourceFinder()
        self._names: dict[int, str] = {}
        self._counts: dict[str, int] = {}
        self._kept: list[Any] = []  # ids stay true only while the objects live
        self._namespaces: dict[int, str] = {}
        self._waiting: list[tuple[str, Callable[[], Node]]] = []

    def add(self, value: Any) -> str | None:
        """Add a callable and all that it reaches; return its node's name, None if it has none."""
        binding = self.bind("", "global", value)
        target = binding.to
        if target is None:
            return None
        # A list, not recursion: helper chains may be as long as they like.
        while self._waiting:
            name, make = self._waiting.pop()
            self.nodes[name] = make()
        if binding.attribute is None and self.nodes[target].kind != "module":
            return target
        # A thing of a library: a node of its own, which imports it.
        name = f"{target}:{binding.attribute}"
        named = Binding(
            str(binding.attribute).rpartition(".")[2], "global", target, binding.attribute
        )
        self.nodes[name] = Node(
            kind="function",
            module=target,
            qualname=binding.attribute or "",
            origin="reference",
            names=(named,),
        )
        return name

    def bind(self, name: str, how: BindingKind, value: Any, chains: Iterable[str] = ()) -> Binding:
        """Return the edge from a name to *value*: to a node, or the value itself."""
        attributes = tuple(sorted(chains))
        if type(value) not in _PLAIN:
            to, attribute = self._target(value)
            if to is not None:
                return Binding(name, how, to, attribute, attributes=attributes)
            if has_state(value):
                lost = values.opaque(value, "its state is not in the function")
                return Binding(name, how, value=lost, attributes=attributes)
        return Binding(name, how, value=self.plain.encode(name, value), attributes=attributes)

    def _target(self, value: Any) -> tuple[str | None, str | None]:
        """Return the node that stands for *value*, and what to take of it if it is a module."""
        if id(value) in self._names:
            return self._names[id(value)], None
        if isinstance(value, ModuleType):
            place = module_place(value)
            if place is not None:
                return self.module(place[0]), place[1]
            return (self.module(value.__name__, value), None) if module_source(value) else _NOWHERE
        if isinstance(value, FunctionType) and self.origins.is_users(value):
            return self.declare(value, value, lambda: function_node(self, value)), None
        if isinstance(value, type) and self.origins.is_users(value):
            home = sys.modules.get(value.__module__)
            if home is not None and self._is_in(home, value):
                # Its module is taken along whole: two copies would not be one class.
                return self.module(value.__module__), value.__qualname__
            return self.declare(value, value, lambda: class_node(self, value)), None
        place = object_place(value)
        if place is not None and not self.origins.is_user_code(place[0]):
            return self.module(place[0]), place[1]
        inner = inner_function(value, self.origins)
        if inner is not None:
            found = self.sources.find_decorated(inner) if self.with_source else None
            if found is not None and found.code is not None:
                make = lambda: decorated_node(self, inner, found)  # noqa: E731
                return self.declare(value, inner, make), None
        return self._composite(value), None

    def _is_in(self, module: ModuleType, kind: type) -> bool:
        local = self.origins.of(module.__name__).kind == "local"
        found = vars(module).get(kind.__qualname__)
        return local and found is kind and self.with_source and bool(module_source(module))

    def _composite(self, value: Any) -> str | None:
        if not isinstance(value, Parts):
            lost = values.is_opaque(values.encode(value))
            if not lost or lost[0].get("reason") == values.TOO_LARGE:
                return None  # plain data, or more of it than is ever stored
        parts = value if isinstance(value, Parts) else parts_of(value, self.origins.is_users)
        if parts is None:
            return None
        taken = parts
        word = parts.word if parts.kind != "call" else f"{parts.word}()"

        def make() -> Node:
            names = [self.bind(name, how, part) for name, how, part in taken.parts]
            return Node(
                kind=taken.kind, module="", qualname=word.partition("(")[0], names=tuple(names)
            )

        return self._declare(value, f":{word}", make)

    def declare(self, value: Any, named: Any, make: Callable[[], Node]) -> str:
        """Return the name of the node that *make* will make for *value*."""
        return self._declare(value, f"{named.__module__ or '__main__'}:{named.__qualname__}", make)

    def _declare(self, value: Any, base: str, make: Callable[[], Node]) -> str:
        if id(value) not in self._names:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            self._names[id(value)] = name = f"{base}#{count}" if count > 1 else base
            self._kept.append(value)
            self._waiting.append((name, make))
        return self._names[id(value)]

    def namespace(self, module: str | None, scope: dict[str, Any]) -> str:
        """Return the name of the globals *scope*, which others of its module share."""
        if id(scope) not in self._namespaces:
            base = module or "__main__"
            key = f"namespace {base}"
            count = self._counts[key] = self._counts.get(key, 0) + 1
            self._namespaces[id(scope)] = f"{base}#{count}" if count > 1 else base
            self._kept.append(scope)
        return self._namespaces[id(scope)]

    def module(self, name: str, live: ModuleType | None = None) -> str:
        """Add the module *name*, with source and what it imports where it is the user's own."""
        if name in self.nodes:
            return name
        origin = self.origins.of(name)
        module = live or sys.modules.get(name)
        self.nodes[name] = node = Node(
            kind="module", origin=origin.kind, distribution=origin.distribution
        )
        if module is not None and (origin.kind == "local" or live is not None):
            self.nodes[name] = local_module(self, name, module) or node
        return name


_NOWHERE: tuple[None, None] = (None, None)
