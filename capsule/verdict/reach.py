"""The path from the model to a node of the import graph: what tells fatal from noise."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from capsule.manifest import EmbeddedFunction, Manifest
from capsule.verdict.finding import Reach


class Paths(Mapping[str, Reach]):
    """Paths by node, each put together when it is asked for: chains may be long."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[str | None, Reach]] = {}

    def add(self, name: str, before: str | None, step: Reach) -> None:
        """Say that *step* leads to *name*, from *before* or from the model."""
        self._steps[name] = (before, step)

    def __getitem__(self, name: str) -> Reach:
        path: list[str] = []
        place: str | None = name
        while place is not None:
            place, step = self._steps[place]
            path += reversed(step)
        return tuple(reversed(path))

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


class Reaches:
    """Shortest paths from the model to every node and distribution, found once."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self.of_node = Paths()
        self.of_distribution: dict[str, Reach] = {}
        self._walk()

    def _walk(self) -> None:
        waiting: deque[tuple[str, str | None, Reach]] = deque(
            (function.node, None, reach_of(function))
            for function in self._manifest.functions
            if function.node is not None
        )
        while waiting:  # breadth first, so that the first path found is the shortest
            name, before, step = waiting.popleft()
            if name in self.of_node:
                continue
            self.of_node.add(name, before, step)
            node = self._manifest.nodes[name]
            if node.distribution is not None and node.distribution not in self.of_distribution:
                self.of_distribution[node.distribution] = self.of_node[name]
            for binding in node.names:
                if binding.to is not None:
                    waiting.append((binding.to, name, (_label(binding.to, binding.attribute),)))

    def functions(self) -> Iterator[str]:
        """Give the names of the reached nodes that are functions."""
        for name in self.of_node:
            if self._manifest.nodes[name].kind != "module":
                yield name


def short(node: str) -> str:
    """Return what a person calls a node that is a function."""
    name = node.partition(":")[2].partition("#")[0] or node
    name = name.rpartition("<locals>.")[2]
    return "the lambda" if name == "<lambda>" else name


def layer_of(function: EmbeddedFunction) -> str:
    """Return where an embedded function sits, in a word."""
    return reach_of(function)[1]


def reach_of(function: EmbeddedFunction) -> Reach:
    """Return the way from the model to an embedded function: its layer, and a role but its own."""
    parts = ["/".join(function.where)] if function.where else []
    if function.role not in ("function", "class"):
        parts.append(function.role)
    return ("model", ".".join(parts) or function.name)


def _label(node: str, attribute: str | None) -> str:
    name = node.partition(":")[2].partition("#")[0] or node
    name = name.rpartition("<locals>.")[2]
    return f"{name}.{attribute}" if attribute else name
