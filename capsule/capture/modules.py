"""The user's own modules: their source is taken along, and what it imports."""

from __future__ import annotations

import ast
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from capsule.capture.functions import brought_along
from capsule.guest import values
from capsule.manifest import Binding, Node
from capsule.manifest.parse import STANDARD_MODULES

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
    if name.split(".")[0] in STANDARD_MODULES:
        told = f"it bears the name of a standard module: call {name} something else"
        return Node(kind="module", origin="local", reason=told)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    package = hasattr(module, "__path__")
    known = {**sys.modules, **brought_along(vars(module))}
    loaded = sorted(w for w in _imports(tree, name, package) if w in known and w != name)
    brought = brought_along(vars(module))
    return Node(
        kind="module",
        origin="local",
        package=package,
        file=graph.plain.relative(getattr(module, "__file__", None)),
        source=text if graph.with_source else None,
        reason=told_state(tree, module)
        if graph.with_source
        else "source text was left out as asked",
        names=(
            *(Binding(w, "import", graph.module(w, brought.get(w))) for w in loaded),
            *_set_to(graph, module),
        ),
    )


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


def _set_to(graph: ImportGraph, module: ModuleType) -> list[Binding]:
    """Return what the module's plain names hold now: they may have been set from outside."""
    made = []
    for name, value in sorted(vars(module).items()):
        held = isinstance(value, _HELD) or type(value).__module__ == "numpy"
        if name.startswith("__") or not held or not name.isidentifier():
            continue
        encoded = graph.plain.encode(name, value)
        if not values.is_opaque(encoded):
            made.append(Binding(name, "attribute", value=encoded))
    return made


_HELD = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


def told_state(tree: ast.Module, module: ModuleType) -> str | None:
    """Return why a module's source alone does not make it what it is now, None if it does."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "__file__" in names:
        return "it uses __file__, which it no longer has"
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) and not statement.decorator_list:
            now = vars(module).get(statement.name)
            code = getattr(now, "__code__", None)
            if now is None or (code is not None and code.co_name != statement.name):
                return f"{statement.name} was replaced after it was imported"
    return None
