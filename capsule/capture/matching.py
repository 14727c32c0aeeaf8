"""Which function of the file is which live object: by where it sits and what it is there for."""

from __future__ import annotations

import functools
import marshal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NamedTuple

from capsule.artifact import Artifact, StoredFunction
from capsule.capture import live
from capsule.capture.graph import ImportGraph
from capsule.capture.objects import dict_parts
from capsule.capture.options import Attempts
from capsule.capture.origins import Origins
from capsule.description.present import entry_of
from capsule.guest.digest import code_bytes
from capsule.manifest import EmbeddedFunction


class Match(NamedTuple):
    """A function of the file, and the live object that it is, None if nobody knows."""

    function: StoredFunction
    value: Any


@dataclass(frozen=True)
class LiveModel:
    """What a model holds that may be a function of the file.

    ``layers`` by their path, ``compiled`` by role, ``configured`` what of the user's own
    layers' configurations holds functions.
    """

    model: Any
    layers: Mapping[live.Where, Any]
    compiled: tuple[tuple[str, Any], ...]
    configured: Mapping[live.Where, Mapping[str, Any]]


def embedded_functions(
    model: Any, artifact: Artifact, graph: ImportGraph, origins: Origins, attempt: Attempts
) -> tuple[EmbeddedFunction, ...]:
    """Return every function that the file holds or the live model names, with its node."""
    layers = dict(live.layers(model))
    configured: dict[live.Where, dict[str, Any]] = {}
    for where, layer in layers.items():
        if live.foreign_class(layer, origins) is not None:
            read = functools.partial(live.config_callables, layer)
            configured[where] = attempt("/".join(where), read, {})
    live_model = LiveModel(model, layers, tuple(live.compiled_callables(model)), configured)
    matches = list(_stored(live_model, artifact))
    matches += _named(live_model, artifact, origins, [match.function for match in matches])

    def entry(match: Match) -> EmbeddedFunction:
        # One odd object must not cost the others their capture.
        function, value = match
        place = f"{'/'.join(function.where)} {function.role}".strip()
        node = attempt(place, lambda: graph.add(value), None) if value is not None else None
        name = function.name
        if function.code is not None and node is not None:
            name = graph.nodes[node].qualname.rpartition(".")[2]
        return entry_of(function, node, name, damaged=_is_damaged(function, value))

    return tuple(entry(match) for match in matches)


def _stored(live_model: LiveModel, artifact: Artifact) -> Iterator[Match]:
    """Give each function that the file itself shows."""
    count: Counter[tuple[live.Where, str]] = Counter()
    for function in artifact.functions:
        where, role = function.where, function.role
        if where in live_model.layers:
            # Those of one list stand in the file in their order.
            value = _in_layer(live_model, where, role, count[where, role])
            count[where, role] += 1
        else:
            name = function.name.rpartition(">")[2]
            values = (v for key, v in live_model.compiled if (key, _name(v)) == (role, name))
            value = next(values, None)
        yield Match(function, value)


def _in_layer(live_model: LiveModel, where: live.Where, role: str, number: int) -> Any:
    """Return the *number*-th function that the layer at *where* has for *role*."""
    layer = live_model.layers[where]
    configured = list(_functions(live_model.configured.get(where, {}).get(role)))
    if number < len(configured):
        return configured[number]
    value = live.held_callable(layer, role)
    # Else it is a function among the arguments of a Lambda.
    return value if value is not None else (getattr(layer, "arguments", None) or {}).get(role)


def _named(
    live_model: LiveModel, artifact: Artifact, origins: Origins, stored: list[StoredFunction]
) -> Iterator[Match]:
    """Give what the live model holds and the file only names, if at all."""
    places = {(function.where, function.role) for function in stored}
    names = {(function.where, function.role, function.name) for function in stored}
    texts = {text.rpartition(">")[2]: text for text in artifact.texts if ">" in text}
    for where, role, name, value in _by_name(live_model, origins, texts):
        if isinstance(value, (list, tuple, dict)) and (where, role) in places:
            name = role  # the whole of what stands there item by item
        if (where, role, name) not in names:
            names.add((where, role, name))
            yield Match(StoredFunction(where, role, name, "by-name", None, None, None, None), value)


def _is_damaged(function: StoredFunction, value: Any) -> bool:
    r"""Tell whether Keras wrote other bytes: on Windows it puts ``/`` for each ``\\``."""
    if function.code is None or not isinstance(value, FunctionType):
        return False
    return b"\\" in marshal.dumps(value.__code__) and b"\\" not in code_bytes(function.code)


def _by_name(
    live_model: LiveModel, origins: Origins, texts: Mapping[str, str]
) -> Iterator[tuple[live.Where, str, str, Any]]:
    """Give what Keras writes as a bare text, as ``(where, role, name, object)``.

    Nobody can tell such a text from one of Keras' own names.
    """
    for where, role, value in _by_role(live_model):
        if isinstance(value, FunctionType) and origins.is_users(value):
            yield where, role, _stored_name(value, texts), value
    for where, values in live_model.configured.items():
        for role, value in values.items():
            yield where, role, _stored_name(next(_functions(value)), texts), value
    seen: set[type] = set()
    for where, thing in live.holders(live_model.model):
        kind = live.foreign_class(thing, origins)
        if kind is not None and kind not in seen:
            seen.add(kind)
            yield where, "class", live.registered_name(live_model.model, kind), kind
    for where, layer in live_model.layers.items():
        if not live.arguments_come_back(layer):
            yield where, "arguments", "arguments", dict_parts("arguments", layer.arguments)


def _by_role(live_model: LiveModel) -> Iterator[tuple[live.Where, str, Any]]:
    for where, layer in live_model.layers.items():
        for role, value in live.roles(layer):
            yield where, role, value
    for role, value in live_model.compiled:
        yield (), role, value


def _functions(value: Any) -> Iterator[Any]:
    """Give the functions inside a value of a configuration, in its order."""
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _functions(item)
    elif callable(value):
        yield value


def _stored_name(value: Any, texts: Mapping[str, str]) -> str:
    """Return the text that Keras wrote for a function: registered ones bear their package."""
    name = _name(value)
    return texts.get(name, name)


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", value))
