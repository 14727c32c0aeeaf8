"""The user's own modules: their source is taken along, and what it imports."""

from __future__ import annotations

import ast
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from capsule.capture.functions import brought_along
from capsule.manifest import Binding, Node

if TYPE_CHECKING:
    from capsule.capture.graph import ImportGraph


def module_source(module: ModuleType) -> str | None:
    """Return the source text of *module* as its loader has it, None if it has none."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    try:
        text: str | None = loader.get_source(module.__name__)  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError, SyntaxError, ValueError):
        return None
    return text


def local_module(graph: ImportGraph, name: str, module: ModuleType) -> Node | None:
    """Return the node of the user's own *module*, None if it has no source."""
    text = module_source(module)
    if text is None:
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    package = hasattr(module, "__path__")
    known = {**sys.modules, **brought_along(vars(module))}
    loaded = sorted(w for w in _imports(tree, name, package) if w in known and w != name)
    brought = brought_along(vars(module))
    return Node(
        kind="module", origin="local", package=package,
        file=graph.plain.relative(getattr(module, "__file__", None)),
        source=text if graph.with_source else None,
        reason=told_state(tree, module)
        if graph.with_source else "source text was left out as asked",
        names=tuple(Binding(w, "import", graph.module(w, brought.get(w))) for w in loaded),
    )  # fmt: skip


def _imports(tree: ast.Module, name: str, package: bool) -> set[str]:
    """Return the modules that a module's import statements may name, itself's package too."""
    inside = name if package else name.rpartition(".")[0]
    wanted = {name.rpartition(".")[0]}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            wanted.update(alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            parts = inside.split(".")
            start = parts[: len(parts) - statement.level + 1] if statement.level else []
            base = ".".join([*start, *filter(None, [statement.module])])
            wanted.add(base)
            wanted.update(f"{base}.{a.name}" for a in statement.names)
    return wanted - {""}


def told_state(tree: ast.Module, module: ModuleType) -> str | None:
    """Return why a module's source alone does not make it what it is now, None if it does."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "__file__" in names:
        return "it uses __file__, which it no longer has"
    written: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                written[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    for name, value in written.items():
        now = getattr(module, name, None)
        if type(now) is not type(value) or now != value:
            return f"{name} was changed after it was imported"
    known = {"__" + n for n in ("name__", "doc__", "package__")}
    bound = names | written.keys() | {getattr(n, "name", "") for n in ast.walk(tree)}
    bound |= {a.asname or a.name for n in ast.walk(tree) for a in getattr(n, "names", ())
              if isinstance(a, ast.alias)}  # fmt: skip
    for name, value in vars(module).items():
        plain = type(value) in (bool, int, float, str, tuple, list, dict)
        if plain and not name.startswith("__") and name not in bound | known:
            return f"{name} was set from outside"
    return None
