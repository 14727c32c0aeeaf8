"""Functions that a library's decorator turned into something only it can make.

``tf.function``, ``functools.lru_cache``, ``tf.custom_gradient`` and their like keep the
user's own function inside. Its source, decorators and all, makes the same thing again.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from capsule.bytecode import adapt
from capsule.capture.context import Context, Draft
from capsule.capture.names import closure_edges, definition_edges, restored_modules
from capsule.capture.origins import Origins
from capsule.capture.source import futures_of
from capsule.manifest import Node

_INSIDE = ("__wrapped__", "python_function", "pyfunc", "py_func", "func", "fun")
_DEPTH = 5


def draft_decorated(value: Any, context: Context) -> Draft | None:
    """Return the draft of what decorators made of a user's function, None for anything else."""
    inner = _inner_function(value, context.origins)
    if inner is None or context.sources is None:
        return None
    source = context.sources.find_decorated(inner)
    if source.code is None:
        return None
    code, scope = inner.__code__, inner.__globals__
    definition = definition_edges(adapt(source.code), inner.__name__, scope, context.origins)
    node = Node(
        kind="function",
        module=inner.__module__,
        qualname=inner.__qualname__,
        origin=context.origins.of(inner.__module__).kind,
        file=context.plain.relative(code.co_filename),
        line=source.line,
        source=source.text,
        decorated=True,
        futures=futures_of(code),
    )
    return Draft(
        f"{inner.__module__ or '__main__'}:{inner.__qualname__}",
        node,
        (*definition, *closure_edges(zip(code.co_freevars, inner.__closure__ or ()))),
        scope,
        restored_modules(scope),
    )


def _inner_function(value: Any, origins: Origins) -> FunctionType | None:
    """Return the user's own function inside *value*, None if it is no such wrapper."""
    if isinstance(value, type) or not callable(value) or origins.is_users(type(value)):
        return None
    if len(getattr(value, "registry", ())) > 1:
        return None  # what was registered since is not in its source
    outer = value
    for _ in range(_DEPTH):
        inner = next(_functions_in(outer), None)
        if inner is None:
            return None
        if origins.is_users(inner):
            # A partial holds a function too, and was made of it by nobody's decorator.
            same = getattr(value, "__name__", None) == inner.__name__
            return inner if same and inner.__name__ != "<lambda>" else None
        outer = inner
    return None


def _functions_in(value: Any) -> Iterator[FunctionType]:
    for name in _INSIDE:
        inner = getattr(value, name, None)
        if isinstance(inner, FunctionType):
            yield inner
    for cell in (value.__closure__ or ()) if isinstance(value, FunctionType) else ():
        try:
            inner = cell.cell_contents
        except ValueError:
            continue  # an empty cell
        if isinstance(inner, FunctionType):
            yield inner
