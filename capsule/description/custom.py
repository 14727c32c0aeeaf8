"""What whoever loads a model supplies of what its file lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from capsule.description.definitions import Definitions
from capsule.inspection import Inspection


@dataclass(frozen=True)
class CustomObjects:
    """Values, definitions and classes that the caller supplies.

    The first two are for a file without a sidecar, whose names nothing explains.
    """

    bind: Mapping[str, Any] = field(default_factory=dict)
    """Values by the names that the model's functions use and that nothing defines."""
    definitions: tuple[Definitions, ...] = ()
    """Python files that define what the file lacks."""
    objects: Mapping[str, Any] = field(default_factory=dict)
    """Classes and functions by the names under which Keras asks for them."""

    @property
    def names(self) -> frozenset[str]:
        """The names for which Keras will be handed an object."""
        return frozenset(self.objects)

    def under_all_names(self, inspection: Inspection) -> dict[str, Any]:
        """Return the objects under the names by which a file asks for them as well.

        Keras 2 and 3 write ``Custom>sampling`` or ``package.Layer`` where people say
        ``sampling`` and ``Layer``.
        """
        by_name = [f.name for f in inspection.functions if f.kind in ("by-name", "class")]
        objects = dict(self.objects)
        for name in [*by_name, *inspection.classes]:
            short = short_name(name)
            if short in self.objects:
                objects.setdefault(name, self.objects[short])
        return objects


def short_name(name: str) -> str:
    """Return a class's or function's name without the package that it was registered in."""
    return name.rpartition(">")[2].rpartition(".")[2]


def supplied(name: str, names: Collection[str]) -> bool:
    """Tell whether *name*, as a file writes it, is among the *names* that a caller supplies."""
    return name in names or short_name(name) in names
