"""Which function of the file is which live object: by where it sits and what it is there for."""

from __future__ import annotations

import functools
import marshal
from collections import Counter
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Protocol, TypeVar

from capsule.artifact import Artifact, StoredFunction
from capsule.capture import live
from capsule.capture.graph import ImportGraph
from capsule.capture.objects import Parts
from capsule.capture.origins import Origins
from capsule.guest.digest import code_bytes
from capsule.manifest import CarriedFunction

T = TypeVar("T")


class Attempt(Protocol):
    """Runs one part of the capture; what it raises becomes a problem that is told."""

    def __call__(self, what: str, act: Callable[[], T], otherwise: T) -> T: ...


def carried(
    found: StoredFunction, node: str | None, name: str | None = None, *, damaged: bool = False
) -> CarriedFunction:
    """Return what the sidecar says of a function of the file."""
    return CarriedFunction(
        where=found.where,
        role=found.role,
        name=name or found.name,
        encoding=found.encoding,
        key=found.key,
        code_sha256=found.code_sha256,
        defaults=bool(found.defaults),
        closure=bool(found.closure),
        module=found.module,
        node=node,
        damaged=damaged,
    )


def carried_by(
    model: Any, artifact: Artifact, graph: ImportGraph, origins: Origins, attempt: Attempt
) -> tuple[CarriedFunction, ...]:
    """Return every function that the file carries or the live model names, with its node."""
    by_path = dict(live.layers(model))
    compiled = list(live.compiled_callables(model))
    configured: dict[live.Where, dict[str, Any]] = {}
    for where, layer in by_path.items():
        if live.brought_class(layer, origins) is not None:
            read = functools.partial(live.config_callables, layer)
            configured[where] = attempt("/".join(where), read, {})
    made: list[CarriedFunction] = []
    known: set[tuple[live.Where, str, str]] = set()

    def add(found: StoredFunction, value: Any) -> None:
        # One odd object must not cost the others their capture.
        place = f"{'/'.join(found.where)} {found.role}".strip()
        node = attempt(place, lambda: graph.add(value), None) if value is not None else None
        name = found.name
        if found.code is not None and node is not None:
            name = graph.nodes[node].qualname.rpartition(".")[2]
        made.append(carried(found, node, name, damaged=_is_damaged(found, value)))
        known.add((found.where, found.role, found.name))

    met: Counter[tuple[live.Where, str]] = Counter()
    for found in artifact.functions:
        if found.where in by_path:
            met[found.where, found.role] += 1
            given = list(_functions(configured.get(found.where, {}).get(found.role)))
            # Those of one list stand in the file in their order.
            number = met[found.where, found.role]
            held = live.carried_callable(by_path[found.where], found.role)
            value = given[number - 1] if number <= len(given) else held
            if value is None:  # a function among the arguments of a Lambda
                value = (getattr(by_path[found.where], "arguments", None) or {}).get(found.role)
        else:
            bare = found.name.rpartition(">")[2]
            value = next(
                (v for role, v in compiled if (role, _name(v)) == (found.role, bare)), None
            )
        add(found, value)
    texts = {text.rpartition(">")[2]: text for text in artifact.texts if ">" in text}
    for where, role, name, value in _by_name(model, by_path, compiled, configured, origins, texts):
        if isinstance(value, (list, tuple, dict)) and (where, role) in met:
            name = role  # the whole of what stands there one by one
        if (where, role, name) not in known:
            add(StoredFunction(where, role, name, "by-name", None, None, None, None), value)
    return tuple(made)


def _is_damaged(found: StoredFunction, value: Any) -> bool:
    r"""Tell whether Keras wrote other bytes: on Windows it puts ``/`` for each ``\\``."""
    if found.code is None or not isinstance(value, FunctionType):
        return False
    return b"\\" in marshal.dumps(value.__code__) and b"\\" not in code_bytes(found.code)


def _by_name(
    model: Any,
    by_path: dict[live.Where, Any],
    compiled: list[tuple[str, Any]],
    configured: dict[live.Where, dict[str, Any]],
    origins: Origins,
    texts: dict[str, str],
) -> Iterator[tuple[live.Where, str, str, Any]]:
    """Give what Keras writes as a bare text, as ``(where, role, name, object)``.

    Nobody can tell such a text from one of Keras' own names.
    """
    given = [
        (where, role, value)
        for where, layer in by_path.items()
        for role, value in live.roles(layer)
    ]
    for where, role, value in [*given, *(((), role, value) for role, value in compiled)]:
        if isinstance(value, FunctionType) and origins.is_users(value):
            yield where, role, _stored_name(value, texts), value
    for where, values in configured.items():
        for role, value in values.items():
            yield where, role, _stored_name(next(_functions(value)), texts), value
    seen: set[type] = set()
    for where, thing in live.holders(model):
        kind = live.brought_class(thing, origins)
        if kind is not None and kind not in seen:
            seen.add(kind)
            yield where, "class", live.registered_name(model, kind), kind
    for where, layer in by_path.items():
        if not live.arguments_come_back(layer):
            items = tuple((key, "item", value) for key, value in layer.arguments.items())
            yield where, "arguments", "arguments", Parts("dict", "arguments", items)


def _functions(value: Any) -> Iterator[Any]:
    """Give the functions inside a value of a configuration, in its order."""
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _functions(item)
    elif callable(value):
        yield value


def _stored_name(value: Any, texts: dict[str, str]) -> str:
    """Return the text that Keras wrote for a function: registered ones bear their package."""
    name = _name(value)
    return texts.get(name, name)


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", value))
