"""The user's own modules: their source is captured, and what it imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from types import ModuleType

from capsule.capture.addresses import module_source
from capsule.capture.context import NO_SOURCE, Context, Draft
from capsule.capture.names import absolute_name, restored_modules
from capsule.capture.plain import PlainValues
from capsule.guest import values
from capsule.manifest import Binding, Node
from capsule.manifest.parse import STANDARD_MODULES

_VALUES = (bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset)


def draft_module(name: str, live: ModuleType | None, context: Context) -> Draft:
    """Return the draft of the module *name*, with its source where it is the user's own.

    *live* is the module itself where ``sys.modules`` does not hold it.
    """
    origin = context.origins.of(name)
    module = live or sys.modules.get(name)
    draft = None
    if module is not None and (origin.kind == "local" or live is not None):
        draft = _draft_local(name, module, context)
    node = Node(kind="module", origin=origin.kind, distribution=origin.distribution)
    return draft or Draft(name, node)


def _draft_local(name: str, module: ModuleType, context: Context) -> Draft | None:
    text = module_source(module)
    if text is None:
        return None
    if name.split(".")[0] in STANDARD_MODULES:
        reason = f"it bears the name of a standard module: call {name} something else"
        return Draft(name, Node(kind="module", origin="local", reason=reason))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    package = hasattr(module, "__path__")
    restored = restored_modules(vars(module))
    loaded = sys.modules.keys() | restored.keys()
    imports = sorted((_imports(tree, name, package) & loaded) - {name})
    node = Node(
        kind="module",
        origin="local",
        package=package,
        file=context.plain.relative(getattr(module, "__file__", None)),
        source=text if context.sources else None,
        reason=state_beyond_source(tree, module) if context.sources else NO_SOURCE,
    )
    edges = (
        *(Binding(imported, "import", imported) for imported in imports),
        *_values_of(module, context.plain),
    )
    return Draft(name, node, edges, modules=restored)


def _imports(tree: ast.Module, name: str, package: bool) -> set[str]:
    """Return the modules that a module's import statements may name, itself's package too."""
    inside = name if package else name.rpartition(".")[0]
    modules = {name.rpartition(".")[0]}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            modules.update(alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            base = absolute_name(statement.module or "", statement.level, inside)
            modules.add(base)
            modules.update(f"{base}.{alias.name}" for alias in statement.names)
    return modules - {""}


def _values_of(module: ModuleType, plain: PlainValues) -> Iterator[Binding]:
    """Give what the module's plain names hold now: they may have been set from outside."""
    for name, value in sorted(vars(module).items()):
        is_value = isinstance(value, _VALUES) or type(value).__module__ == "numpy"
        if is_value and not name.startswith("__") and name.isidentifier():
            encoded = plain.encode(name, value)
            if not values.find_opaque(encoded):
                yield Binding(name, "attribute", value=encoded)


def state_beyond_source(tree: ast.Module, module: ModuleType) -> str | None:
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
