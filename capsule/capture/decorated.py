"""Functions that a library's decorator turned into something only it can make.

``tf.function``, ``functools.lru_cache``, ``tf.custom_gradient`` and their like keep the
user's own function inside. Its source, decorators and all, makes the same thing again.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from capsule.bytecode import adapt
from capsule.capture.classes import definition_names
from capsule.capture.functions import cells
from capsule.capture.source import Source, futures_of
from capsule.manifest import Node

if TYPE_CHECKING:
    from capsule.capture.graph import ImportGraph
    from capsule.capture.origins import Origins

_INSIDE = ("__wrapped__", "python_function", "pyfunc", "py_func", "func", "fun")
_DEPTH = 5


def inner_function(value: Any, origins: Origins) -> FunctionType | None:
    """Return the user's own function inside *value*, None if it is no such wrapper."""
    if isinstance(value, type) or not callable(value) or origins.is_users(type(value)):
        return None
    if len(getattr(value, "registry", ())) > 1:
        return None  # what was registered since is not in its source
    outer = value
    for _ in range(_DEPTH):
        found = next((one for one in _held(value) if isinstance(one, FunctionType)), None)
        if found is None:
            return None
        if origins.is_users(found):
            # A partial holds a function too, and was made of it by nobody's decorator.
            same = getattr(outer, "__name__", None) == found.__name__
            return found if same and found.__name__ != "<lambda>" else None
        value = found
    return None


def _held(value: Any) -> list[Any]:
    held = [getattr(value, name, None) for name in _INSIDE]
    if isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            try:
                held.append(cell.cell_contents)
            except ValueError:
                continue  # an empty cell
    return held


def decorated_node(graph: ImportGraph, inner: FunctionType, found: Source) -> Node:
    """Return the node of what decorators made of *inner*; *found* is its text with them."""
    code = inner.__code__
    assert found.code is not None
    free = [(n, c) for n, c in zip(code.co_freevars, inner.__closure__ or ())]
    names = definition_names(graph, adapt(found.code), inner.__name__, inner.__globals__)
    return Node(
        kind="function",
        module=inner.__module__,
        qualname=inner.__qualname__,
        namespace=graph.namespace(inner.__module__, inner.__globals__),
        origin=graph.origins.of(inner.__module__).kind,
        file=graph.plain.relative(code.co_filename),
        line=found.line,
        source=found.text,
        decorated=True,
        futures=futures_of(code),
        names=(*names, *cells(graph, free, {})),
    )
