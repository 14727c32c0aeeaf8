"""What the names of a piece of code stand for: closure variables, globals, imports in a body."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from capsule.bytecode import Code, Import, Uses, names_used
from capsule.capture.addresses import module_place
from capsule.capture.context import Edge, Reference
from capsule.capture.origins import Origins
from capsule.guest import values
from capsule.manifest import Binding, BindingKind

# Builtins through which code reaches names that its instructions don't show.
HIDING = ("eval", "exec", "globals", "locals", "vars", "__import__")
_OPTIMIZED = 0x1


def closure_edges(
    cells: Iterable[tuple[str, Any]], uses: Mapping[str, set[str]] | None = None
) -> Iterator[Edge]:
    """Give an edge for each closure variable; *uses* are the chains used of them."""
    for name, cell in cells:
        try:
            value = cell.cell_contents
        except ValueError:  # an empty cell: bound later or never
            yield Binding(name, "closure", missing=True)
        else:
            chains = (uses or {}).get(name, ())
            yield Reference(name, "closure", value, tuple(sorted(chains)))


def global_edges(
    uses: Uses, scope: dict[str, Any], origins: Origins, how: BindingKind = "global"
) -> Iterator[Edge]:
    """Give an edge for each global name used, and for each import inside the body."""
    for name in sorted(uses.globals):
        chains = tuple(sorted(uses.globals[name]))
        if name in scope:
            yield Reference(name, how, scope[name], chains)
            yield from _submodule_edges(scope[name], chains, origins)
        elif name in HIDING:
            unseen = values.opaque(getattr(builtins, name), "reaches names that nobody sees")
            yield Binding(name, how, value=unseen)
        elif not hasattr(builtins, name):
            yield Binding(name, how, missing=True, attributes=chains)
    for statement in uses.imports:
        yield from _import_edges(statement, scope, origins)


def definition_edges(
    wrapper: Code, name: str, scope: dict[str, Any], origins: Origins
) -> Iterator[Edge]:
    """Give an edge for each global name that a definition uses.

    Those that it needs while it is being made have ``body`` for how, the others, which
    its functions need when they are called, ``global``.
    """
    inner = [code for code in wrapper.nested if code.name == name]
    first, later = names_used(wrapper, nested=False), Uses()
    for code in inner:
        if not code.flags & _OPTIMIZED:  # a class: its body runs when it is made
            first.add(names_used(code, nested=False), ())
        later.add(names_used(code), ())
    own = {i.value for code in inner for i in code.instructions if i.name == "STORE_NAME"}
    body = {
        used: chains
        for used, chains in first.globals.items()
        if used != name and not used.startswith("__") and (used not in own or used in scope)
    }
    special = ("__name__", "__qualname__", "__module__")
    called = {
        used: chains
        for used, chains in later.globals.items()
        if used not in body
        and used not in own - set(scope)
        and used not in special
        and not used.startswith("__base")
    }
    imports = [statement for statement in later.imports if statement not in first.imports]
    yield from global_edges(Uses(body, {}, first.imports), scope, origins, "body")
    yield from global_edges(Uses(called, {}, imports), scope, origins)


def _submodule_edges(value: Any, chains: Iterable[str], origins: Origins) -> Iterator[Binding]:
    """Give an edge for each submodule used by attribute only: import x … x.y.z()."""
    seen: set[str] = set()
    for chain in chains if isinstance(value, ModuleType) else ():
        name = getattr(value, "__name__", "")
        for part in chain.split(".")[:-1]:
            name = f"{name}.{part}"
            if name not in sys.modules or origins.of(name).kind == "stdlib":
                break
            place = module_place(sys.modules[name])
            if place is not None and place.attribute is None and place.module not in seen:
                seen.add(place.module)
                yield Binding(name, "attribute", to=place.module)


def _import_edges(statement: Import, scope: dict[str, Any], origins: Origins) -> Iterator[Binding]:
    name = absolute_name(statement.module, statement.level, scope.get("__package__") or "")
    if not name or not all(part.isidentifier() for part in name.split(".")):
        yield Binding(name or ".", "import", missing=True)
        return
    restored = restored_modules(scope)
    if name not in restored and origins.of(name).kind == "missing":
        yield Binding(name, "import", missing=True)
        return
    attributes = tuple(sorted({*statement.names, *statement.attributes}))
    yield Binding(name, "import", name, attributes=attributes)
    for imported in statement.names:
        inner = f"{name}.{imported}"
        if inner in sys.modules or inner in restored:
            yield Binding(inner, "import", inner)


def absolute_name(module: str, level: int, package: str) -> str:
    """Return the name of the module that ``from ..module import`` in *package* means."""
    if not level:
        return module
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [module])])


def restored_modules(scope: Mapping[str, Any]) -> dict[str, ModuleType]:
    """Return the modules that only a restored function's globals can import, by name."""
    own = scope.get("__builtins__")
    loader = own.get("__import__") if isinstance(own, dict) else None
    modules: dict[str, ModuleType] = getattr(getattr(loader, "__self__", None), "loaded", {})
    return modules
