"""A live class of the user's to its node: source, bases, and what body and methods use."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

from capsule.bytecode import adapt
from capsule.capture.class_source_check import free_variables, methods_of
from capsule.capture.context import NO_SOURCE, Context, Draft, Edge, Reference
from capsule.capture.names import closure_edges, definition_edges, restored_modules
from capsule.capture.origins import Origins
from capsule.capture.source import Source, futures_of
from capsule.guest.compiling import BASE, DECORATOR
from capsule.manifest import Binding, Node

# What Keras and TensorFlow note on classes they export; none of the user's business.
_NOTES = ("_tf_", "_keras_", "_api_", "_abc_", "__")


def draft_class(value: Any, context: Context) -> Draft | None:
    """Return the draft of a class of the user's own, None for anything else."""
    users = context.origins.is_users
    if not isinstance(value, type) or not users(value):
        return None
    source = Source(None, None, NO_SOURCE)
    if context.sources is not None:
        source = context.sources.find_class(value, users)
    methods = [method for _, method in methods_of(value) if users(method)]
    scope = _scope(value, methods)
    node = Node(
        kind="class",
        module=value.__module__,
        qualname=value.__qualname__,
        origin=context.origins.of(value.__module__).kind,
        file=context.plain.relative(methods[0].__code__.co_filename if methods else None),
        line=source.line,
        source=source.text,
        reason=source.reason,
        futures=futures_of(methods[0].__code__) if methods else (),
    )
    return Draft(
        f"{value.__module__ or '__main__'}:{value.__qualname__}",
        node,
        tuple(_edges(value, source, methods, context.origins)),
        scope,
        restored_modules(scope),
    )


def _scope(kind: type, methods: Sequence[FunctionType]) -> dict[str, Any]:
    if methods:
        return methods[0].__globals__
    return vars(sys.modules.get(kind.__module__, ModuleType("none")))


def _edges(
    kind: type, source: Source, methods: Sequence[FunctionType], origins: Origins
) -> Iterator[Edge]:
    if source.code is None:
        bases = (base for base in kind.__bases__ if base is not object)
        yield from (Reference(base.__name__, "base", base) for base in bases)
        return
    scope = _scope(kind, methods)
    yield from definition_edges(adapt(source.code), kind.__name__, scope, origins)
    yield from closure_edges(free_variables(methods).items())
    for number in source.bases:
        yield Reference(BASE % number, "base", kind.__bases__[number])
    for number in source.dropped:
        yield Binding(DECORATOR % number, "decorator")
    # Attributes that are values may have changed since the class was made.
    for name, value in sorted(vars(kind).items()):
        by_body = isinstance(value, type) or hasattr(type(value), "__get__")
        if not name.startswith(_NOTES) and not by_body and not isinstance(value, kind):
            yield Reference(name, "attribute", value, optional=True)
