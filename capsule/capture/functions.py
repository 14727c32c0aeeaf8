"""One live function to its node: source, code, and an edge for each name that it uses."""

from __future__ import annotations

import base64
import builtins
import hashlib
import marshal
import sys
from collections.abc import Iterable
from importlib.util import MAGIC_NUMBER
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from capsule.bytecode import Import, Uses, adapt, decompile_code, names_used
from capsule.capture.objects import is_dunder
from capsule.capture.origins import module_place
from capsule.capture.source import compiles_to, futures_of
from capsule.guest import values
from capsule.manifest import Binding, BindingKind, Code, Node

if TYPE_CHECKING:
    from capsule.capture.graph import ImportGraph

# Builtins through which code reaches names that its instructions don't show.
HIDING = ("eval", "exec", "globals", "locals", "vars", "__import__")
MAGIC = int.from_bytes(MAGIC_NUMBER[:2], "little")


def function_node(graph: ImportGraph, function: FunctionType) -> Node:
    """Return the node of *function*; what its names stand for is added to *graph*."""
    code = function.__code__
    file = graph.plain.relative(code.co_filename) or ""
    found = graph.sources.find(function) if graph.with_source else None
    text, reason = (
        (found.text, found.reason) if found else (None, "source text was left out as asked")
    )
    raw = marshal_code(code, file)
    lifted_text = _lifted(function) if found is not None and text is None else None
    # Without source the bytecode is all there is; a text left out would be in there too.
    needed = found is not None and text is None
    kept = base64.b64encode(raw).decode("ascii") if needed else None
    module = function.__module__ or "__main__"
    return Node(
        kind="lambda" if code.co_name == "<lambda>" else "function",
        module=module,
        qualname=function.__qualname__,
        namespace=graph.namespace(function.__module__, function.__globals__),
        origin=graph.origins.of(module).kind,
        file=file,
        line=found.line if found and found.line else code.co_firstlineno,
        source=text or lifted_text,
        decompiled=lifted_text is not None,
        reason=reason.replace(code.co_filename, file) if reason else None,
        futures=futures_of(code),
        code=Code(hashlib.sha256(raw).hexdigest(), MAGIC, kept),
        names=tuple(_bindings(graph, function)),
    )


def _lifted(function: FunctionType) -> str | None:
    """Return source made from the code itself, if it compiles to the very same code."""
    code = function.__code__
    text = decompile_code(adapt(code)).source
    scope = function.__globals__.items()
    modules = [n for n, value in scope if isinstance(value, ModuleType) and n.isidentifier()]
    # Which names its module imported is not known: it decides how 3.11 and 3.12 compile.
    if text is not None and any(compiles_to(text, code, names) for names in ((), modules)):
        return text
    return None


def _bindings(graph: ImportGraph, function: FunctionType) -> list[Binding]:
    code = function.__code__
    uses = names_used(adapt(code))
    made = cells(graph, zip(code.co_freevars, function.__closure__ or ()), uses.free)
    made += globals_used(graph, uses, function.__globals__)
    defaults = function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    made += [graph.bind(name, "default", value) for name, value in zip(named, defaults)]
    keyword = sorted((function.__kwdefaults__ or {}).items())
    made += [graph.bind(name, "keyword-default", value) for name, value in keyword]
    held = vars(function).items()
    attributes = sorted((k, v) for k, v in held if k == "__wrapped__" or not is_dunder(k))
    made += [graph.bind(name, "attribute", value) for name, value in attributes]
    return made


def cells(
    graph: ImportGraph, held: Iterable[tuple[str, Any]], uses: dict[str, set[str]]
) -> list[Binding]:
    """Return an edge for each closure variable."""
    made = []
    for name, cell in held:
        try:
            made.append(graph.bind(name, "closure", cell.cell_contents, uses.get(name, ())))
        except ValueError:  # an empty cell: bound later or never
            made.append(Binding(name, "closure", missing=True))
    return made


def globals_used(
    graph: ImportGraph, uses: Uses, scope: dict[str, Any], how: BindingKind = "global"
) -> list[Binding]:
    """Return an edge for each global name used, and for each import inside the body."""
    made: list[Binding] = []
    for name in sorted(uses.globals):
        chains = uses.globals[name]
        if name in scope:
            made.append(graph.bind(name, how, scope[name], chains))
            made += _submodules(graph, scope[name], chains)
        elif name in HIDING:
            unseen = values.opaque(getattr(builtins, name), "reaches names that nobody sees")
            made.append(Binding(name, how, value=unseen))
        elif not hasattr(builtins, name):
            made.append(Binding(name, how, missing=True, attributes=tuple(sorted(chains))))
    for found in uses.imports:
        made += _imported(graph, scope, found)
    return made


def _submodules(graph: ImportGraph, value: Any, chains: set[str]) -> list[Binding]:
    """Return an edge for each submodule used by attribute only: import x … x.y.z()."""
    made: list[Binding] = []
    for chain in sorted(chains) if isinstance(value, ModuleType) else ():
        name = getattr(value, "__name__", "")
        for part in chain.split(".")[:-1]:
            name = f"{name}.{part}"
            if name not in sys.modules or graph.origins.of(name).kind == "stdlib":
                break
            place = module_place(sys.modules[name])
            if place is not None and place[1] is None and all(b.to != place[0] for b in made):
                made.append(Binding(name, "attribute", to=graph.module(place[0])))
    return made


def _imported(graph: ImportGraph, scope: dict[str, Any], found: Import) -> list[Binding]:
    package = scope.get("__package__") or ""
    name = found.module
    if found.level:
        parts = package.split(".")
        kept = parts[: len(parts) - found.level + 1]
        name = ".".join([*kept, found.module] if found.module else kept)
    if not name or not all(part.isidentifier() for part in name.split(".")):
        return [Binding(name or ".", "import", missing=True)]
    brought = brought_along(scope)
    if name not in brought and graph.origins.of(name).kind == "missing":
        return [Binding(name, "import", missing=True)]
    attributes = tuple(sorted({*found.names, *found.attributes}))
    made = [Binding(name, "import", graph.module(name, brought.get(name)), attributes=attributes)]
    for taken in found.names:
        inner = f"{name}.{taken}"
        if inner in sys.modules or inner in brought:
            made.append(Binding(inner, "import", graph.module(inner, brought.get(inner))))
    return made


def brought_along(scope: dict[str, Any]) -> dict[str, ModuleType]:
    """Return the modules that a restored function's globals brought along, by name."""
    own = scope.get("__builtins__")
    loader = own.get("__import__") if isinstance(own, dict) else None
    found: dict[str, ModuleType] = getattr(getattr(loader, "__self__", None), "loaded", {})
    return found


def marshal_code(code: CodeType, filename: str) -> bytes:
    """Return the bytes of *code*, its paths replaced: the same for the same code.

    Version 2 of the format, since later ones write references as objects happen to be
    shared in this process.
    """
    return marshal.dumps(_renamed(code, filename), 2)


def _renamed(code: CodeType, filename: str) -> CodeType:
    constants = (_renamed(c, filename) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(constants))
