"""The path from the model to a node of the import graph: what tells fatal from noise."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from capsule.manifest import EmbeddedFunction, Manifest, PlatformFacts
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


def required(manifest: Manifest, roots: list[str]) -> dict[str, Reach]:
    """Return the distributions that *roots* need, themselves included, with their reach."""
    installed = {d.name: d for d in manifest.distributions or ()}
    environment = markers_of(manifest)
    reaches: dict[str, Reach] = {}
    waiting: deque[tuple[str, tuple[str, ...], Reach]] = deque(
        (root, (), ("model", root)) for root in roots
    )
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, extras, reach = waiting.popleft()
        if (name, extras) in seen or name not in installed:
            continue
        seen.add((name, extras))
        reaches.setdefault(name, reach)
        for text in installed[name].requires:
            requirement = parsed_requirement(text)
            if any(_applies(requirement, {**environment, "extra": e}) for e in ("", *extras)):
                needed = canonicalize_name(requirement.name)
                waiting.append((needed, tuple(sorted(requirement.extras)), (*reach, needed)))
    return reaches


def parsed_requirement(text: str) -> Requirement:
    """Return one requirement; of one in a form that no longer is one, the name alone."""
    try:
        return Requirement(text)
    except (InvalidRequirement, ValueError, RecursionError):
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
        return Requirement(name[0].rstrip("._-") if name else "unknown")


def _applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return True  # a marker that says nothing keeps nothing out


def markers_of(manifest: Manifest) -> dict[str, str]:
    """Return the PEP 508 markers of the environment that the manifest describes."""
    python, platform = manifest.python, manifest.platform or PlatformFacts("", "")
    version = python.version or f"{python.minor}.0"
    systems = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return {
        "implementation_name": python.implementation,
        "implementation_version": version,
        "os_name": "nt" if platform.system == "Windows" else "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": names.get(python.implementation, python.implementation),
        "platform_release": "",
        "platform_system": platform.system,
        "platform_version": "",
        "python_full_version": version,
        "python_version": python.minor,
        "sys_platform": systems.get(platform.system, platform.system.lower()),
    }
