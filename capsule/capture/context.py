"""What builders of nodes work with, and what they give: a node, and the objects it reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Union

from capsule.capture.options import SaveOptions
from capsule.capture.origins import Origins
from capsule.capture.plain import PlainValues
from capsule.capture.source import SourceFinder
from capsule.manifest import Binding, BindingKind, Node

NO_SOURCE = "source text was left out as asked"


class Reference(NamedTuple):
    """A name of a definition, how it is reached, and the live object that it stands for.

    ``attributes`` are the chains used of it. An ``optional`` one is left out if the
    sidecar can't hold the object.
    """

    name: str
    how: BindingKind
    value: Any
    attributes: tuple[str, ...] = ()
    optional: bool = False


# An edge to a module is complete as it is: the module's name is its node's.
Edge = Union[Reference, Binding]


@dataclass(frozen=True)
class Draft:
    """A node whose names are still live objects: the graph turns each into an edge.

    ``label`` is what the node is called if it is the first of that name; ``scope`` are
    its globals, by which nodes share a namespace; ``modules`` are live modules that its
    edges name and that ``sys.modules`` does not hold.
    """

    label: str
    node: Node
    edges: tuple[Edge, ...] = ()
    scope: dict[str, Any] | None = None
    modules: Mapping[str, ModuleType] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a builder may ask: whose code something is, its source text, what may be stored.

    ``sources`` is None where source text is left out.
    """

    origins: Origins
    plain: PlainValues
    sources: SourceFinder | None


def make_context(origins: Origins, root: Path, options: SaveOptions) -> Context:
    """Return a context for one save; *root* is the folder to which file names are relative."""
    plain = PlainValues(root, stored=options.values, allow=options.allow)
    return Context(origins, plain, SourceFinder() if options.source else None)


Builder = Callable[[Any, Context], Union[Draft, None]]
