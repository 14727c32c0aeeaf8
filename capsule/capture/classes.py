"""One live class of the user's to its node: source, bases, and what body and methods use."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from capsule.bytecode import Code, Uses, adapt, names_used
from capsule.capture.class_source_check import free_variables, methods_of
from capsule.capture.functions import cells, globals_used
from capsule.capture.source import Source, futures_of
from capsule.guest import values
from capsule.guest.compiling import BASE, DECORATOR
from capsule.manifest import Binding, Node

if TYPE_CHECKING:
    from capsule.capture.graph import ImportGraph

_NO_SOURCE = Source(None, None, "source text was left out as asked")
# What Keras and TensorFlow note on classes they export; none of the user's business.
_NOTES = ("_tf_", "_keras_", "_api_", "_abc_", "__")


def class_node(graph: ImportGraph, kind: type) -> Node:
    """Return the node of the class *kind*; what it reaches is added to *graph*."""
    users = graph.origins.is_users
    found = graph.sources.find_class(kind, users) if graph.with_source else _NO_SOURCE
    methods = [method for _, method in methods_of(kind) if users(method)]
    scope = _scope(kind, methods)
    file = methods[0].__code__.co_filename if methods else None
    names: list[Binding] = []
    if found.code is not None:
        free = free_variables(methods)
        names += definition_names(graph, adapt(found.code), kind.__name__, scope)
        names += cells(graph, free.items(), {})
        names += [
            graph.bind(BASE % number, "base", kind.__bases__[number]) for number in found.bases
        ]
        names += [Binding(DECORATOR % number, "decorator") for number in found.dropped]
        names += _set_since(graph, kind)
    else:
        names += [graph.bind(b.__name__, "base", b) for b in kind.__bases__ if b is not object]
    return Node(
        kind="class",
        module=kind.__module__,
        qualname=kind.__qualname__,
        namespace=graph.namespace(kind.__module__, scope),
        origin=graph.origins.of(kind.__module__).kind,
        file=graph.plain.relative(file),
        line=found.line,
        source=found.text,
        reason=found.reason,
        futures=futures_of(methods[0].__code__) if methods else (),
        names=tuple(names),
    )


def _scope(kind: type, methods: Sequence[FunctionType]) -> dict[str, Any]:
    return (
        methods[0].__globals__
        if methods
        else vars(sys.modules.get(kind.__module__, ModuleType("none")))
    )


def definition_names(
    graph: ImportGraph, wrapper: Code, name: str, scope: dict[str, Any]
) -> list[Binding]:
    """Return an edge for each global name that a definition uses.

    Those that it needs while it is being made have ``body`` for how, the others, which
    its functions need when they are called, ``global``.
    """
    inner = [code for code in wrapper.nested if code.name == name]
    first, later = names_used(wrapper, nested=False), Uses()
    for code in inner:
        if code.flags & _OPTIMIZED:  # a def: its body runs when it is called
            later.add(names_used(code), ())
        else:
            first.add(names_used(code, nested=False), ())
            later.add(names_used(code), ())
    own = {i.value for code in inner for i in code.instructions if i.name == "STORE_NAME"}
    for taken in list(first.globals):
        if taken == name or taken.startswith("__") or (taken in own and taken not in scope):
            del first.globals[taken]
    for taken in [*first.globals, *(n for n in later.globals if n.startswith("__base"))]:
        later.globals.pop(taken, None)
    later.imports = [found for found in later.imports if found not in first.imports]
    for taken in own - set(scope):
        later.globals.pop(taken, None)
    for taken in ("__name__", "__qualname__", "__module__"):
        later.globals.pop(taken, None)
    return globals_used(graph, first, scope, "body") + globals_used(graph, later, scope)


_OPTIMIZED = 0x1


def _set_since(graph: ImportGraph, kind: type) -> list[Binding]:
    """Return those of the class' attributes that are values: they may have changed since."""
    made = []
    for name, value in sorted(vars(kind).items()):
        made_by_body = isinstance(value, type) or hasattr(type(value), "__get__")
        if name.startswith(_NOTES) or made_by_body or isinstance(value, kind):
            continue
        binding = graph.bind(name, "attribute", value)
        if binding.to is not None or not values.is_opaque(binding.value):
            made.append(binding)
    return made
