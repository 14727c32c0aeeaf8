"""The rules for what Keras stores of a model and does not bring back."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import NamedTuple

from capsule.description.custom import short_name, supplied
from capsule.guest.keras_adapter import LOSS_ALIASES
from capsule.keras_compat.facts import (
    KERAS_LOSSES,
    KERAS_METRICS,
    KERAS_NAMES,
    is_keras3,
    is_of_keras,
    names_at_load,
)
from capsule.manifest import JSON, Binding, EmbeddedFunction, Node, holds_value, same_definition
from capsule.verdict.case import Subject, SubjectRule
from capsule.verdict.codes import serialization as codes
from capsule.verdict.finding import Code, Finding
from capsule.verdict.reach import layer_of, reach_of

# Every module has a __name__ of its own, so that one is lost like any other.
_BUILTINS = frozenset(name for name in vars(builtins) if not name.startswith("__"))
_OF_LAMBDA = frozenset(("function", "output_shape", "mask"))


def stored_alike(subject: Subject) -> Iterator[Finding]:
    """Find functions that the file stores alike though they differ: nothing can tell them apart."""
    first: dict[str, EmbeddedFunction] = {}
    nodes = subject.manifest.nodes
    for function in subject.manifest.functions:
        if function.node is None:
            continue
        other = first.setdefault(function.key or f"name:{function.name}", function)
        if other.node is None or same_definition(nodes, other.node, function.node):
            continue
        # In Lambda layers of other names capsule knows each by its place.
        apart = _in_other_layers(function, other)
        code = codes.STORED_ALIKE.deciding("keras") if apart else codes.STORED_ALIKE
        yield code(
            function.name, reach_of(function), layer=layer_of(function), other=layer_of(other)
        )


def _in_other_layers(function: EmbeddedFunction, other: EmbeddedFunction) -> bool:
    in_lambda = {function.role, other.role} <= _OF_LAMBDA
    placed = bool(function.where and other.where)
    return in_lambda and placed and function.where[-1] != other.where[-1]


def name_taken(subject: Subject) -> Iterator[Finding]:
    """Find functions stored by a name that Keras has for something of its own."""
    for function, node in subject.functions:
        own = node is not None and node.origin != "reference" and function.where
        if function.encoding == "by-name" and own and function.name in KERAS_NAMES:
            yield codes.NAME_TAKEN(function.name, reach_of(function), layer=layer_of(function))


def by_name_only(subject: Subject) -> Iterator[Finding]:
    """Find functions that are stored by name: their bodies are nowhere in the file."""
    for function, node in subject.functions:
        code = _by_name(subject, function, node)
        if code is not None:
            # Keras joins a package's name and the function's: Custom>sampling.
            short = short_name(function.name) if subject.inferred else function.name
            registered = f" (registered as {function.name})" if ">" in function.name else ""
            layer = "the class" if function.role == "class" else layer_of(function)
            yield code(
                short, reach_of(function), expected=short, layer=layer, registered=registered
            )


def _by_name(subject: Subject, function: EmbeddedFunction, node: Node | None) -> Code | None:
    """Return the code for a function stored by name, None where Keras finds it again."""
    if function.encoding != "by-name" or function.role == "arguments":
        return None
    if is_of_keras(function.module):
        return None
    if subject.inferred and node is None:
        there = supplied(function.name, subject.custom.names) or function.name in KERAS_NAMES
        return None if there else codes.BY_NAME_UNKNOWN
    if node is not None and node.origin == "reference" and function.name in KERAS_NAMES:
        return None
    return codes.BY_NAME_ONLY


def damaged(subject: Subject) -> Iterator[Finding]:
    """Find bytecode that Keras on Windows damaged while it wrote it."""
    for function in subject.manifest.functions:
        if function.damaged:
            yield codes.BYTECODE_DAMAGED(
                function.name, reach_of(function), layer=layer_of(function)
            )


def defaults_lost(subject: Subject) -> Iterator[Finding]:
    """Find default arguments that Keras does not bring back, by version and kind."""
    for function, node in subject.functions:
        why = _defaults_lost(subject, function, node)
        if why is not None:
            yield codes.DEFAULTS_LOST(
                function.name, reach_of(function), layer=layer_of(function), why=why
            )


def _defaults_lost(subject: Subject, function: EmbeddedFunction, node: Node | None) -> str | None:
    if function.defaults and is_keras3(subject.manifest.keras):
        return (
            'has default arguments, which Keras 3 cannot load again ("arg 4 (defaults) must be'
            ' None or tuple")'
        )
    if node is None or function.key is None or subject.inferred:
        return None  # what a file holds of defaults comes back as it holds it
    for binding in node.names:
        if binding.how == "keyword-default":
            return f"has the keyword-only default {binding.name}, which Keras does not store"
    for binding in node.names:
        if binding.how == "default" and not _comes_back(binding):
            return f"has the default {binding.name}, which comes back from JSON as something else"
    return None


def _comes_back(binding: Binding) -> bool:
    return holds_value(binding) and not isinstance(binding.value, (dict, list))


def arguments_lost(subject: Subject) -> Iterator[Finding]:
    """Find a Lambda's ``arguments`` that JSON does not bring back as they were."""
    functions = subject.manifest.functions
    captured = {"/".join(f.where) for f in functions if f.role == "arguments" and f.node}
    for layer in subject.manifest.model.arguments if subject.manifest.model else ():
        code = codes.ARGUMENTS_LOST.deciding("keras") if layer in captured else codes.ARGUMENTS_LOST
        yield code(layer, ("model", layer, "arguments"))


def lambda_elsewhere(subject: Subject) -> Iterator[Finding]:
    """Find lambdas that Keras writes and never reads: those that are no Lambda layer's."""
    for function in subject.manifest.functions:
        if function.key is not None and function.role not in _OF_LAMBDA:
            code = codes.LAMBDA_ELSEWHERE
            code = code.deciding("keras") if function.node else code
            yield code(function.name, reach_of(function), layer=layer_of(function))


def name_lost(subject: Subject) -> Iterator[Finding]:
    """Find global names that Keras does not give back to a function stored as bytecode."""
    keras = subject.manifest.keras
    if keras is None:
        return
    loader_names = names_at_load(keras.module, keras.version)
    for function, node in subject.functions:
        if node is None or function.key is None:
            continue
        lost = [b.name for b in node.names if b.how == "global" and _is_lost(b, loader_names)]
        lost += [b.name for b in node.names if b.how == "import" and _is_local(subject, b)]
        if lost:
            yield codes.NAME_LOST(
                function.name,
                reach_of(function),
                expected=", ".join(lost),
                layer=layer_of(function),
                version=keras.version,
            )


def _is_local(subject: Subject, binding: Binding) -> bool:
    return binding.to is not None and subject.manifest.nodes[binding.to].origin == "local"


def _is_lost(binding: Binding, loader_names: dict[str, str | None]) -> bool:
    if binding.name in _BUILTINS:
        return False
    if binding.name not in loader_names:
        return True
    meant = binding.to and (
        f"{binding.to}.{binding.attribute}" if binding.attribute else binding.to
    )
    stands_for = loader_names[binding.name]
    if meant is None or stands_for is None:
        return True
    # tf.keras.backend is keras.backend under another name.
    return meant not in (stands_for, f"tensorflow.{stands_for}")


def closure_lost(subject: Subject) -> Iterator[Finding]:
    """Find closure values that JSON does not bring back as they were."""
    for function, node in subject.functions:
        for binding in node.names if node and function.key is not None else ():
            if binding.how != "closure" or binding.missing:
                continue
            loss = _closure_loss(binding, subject.manifest.artifact.format)
            if loss is not None:
                yield loss.code(
                    binding.name,
                    (*reach_of(function), binding.name),
                    layer=layer_of(function),
                    why=loss.why,
                )


class _Loss(NamedTuple):
    """What becomes of a closure's value, in the words of a sentence."""

    code: Code
    why: str


def _closure_loss(binding: Binding, form: str) -> _Loss | None:
    """Return what becomes of a closure's value, None if it comes back as it was."""
    fatal, maybe = codes.CLOSURE_LOST, codes.CLOSURE_LOST.with_severity("warning")
    value: JSON = binding.value
    if binding.to is not None:
        return _Loss(fatal, "which Keras writes as a text")
    if not isinstance(value, dict):
        nested = isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value)
        return _Loss(maybe, "which may come back as another type") if nested else None
    kind = value.get("type")
    if kind == "bytes":
        # Keras' reader changes bytes before anything can tell whose they are.
        return _Loss(fatal.deciding("keras", "capsule"), _not_brought_back(value))
    if kind == "ndarray" and form == "keras-h5":
        why = "an array that Keras brings back as a list: results may differ silently"
        return _Loss(maybe, why)
    if kind == "tuple":
        return _Loss(maybe, "a tuple that Keras brings back as a list")
    return _Loss(fatal, _not_brought_back(value))


def _not_brought_back(value: dict[str, JSON]) -> str:
    return f"a {value.get('of', value.get('type'))} that Keras does not bring back"


def loss_alias(subject: Subject) -> Iterator[Finding]:
    """Find a loss given by a short name, which Keras 3 writes into .h5 and can't read again."""
    manifest = subject.manifest
    used = [n for n in (manifest.model.losses if manifest.model else ()) if n in LOSS_ALIASES]
    if used and is_keras3(manifest.keras) and manifest.artifact.format == "keras-h5":
        name = used[0]
        yield codes.LOSS_ALIAS(
            name, ("model", "loss", name), expected=LOSS_ALIASES[name], found=name
        )


def name_unknown(subject: Subject) -> Iterator[Finding]:
    """Find losses and metrics by a text that is in no list of those Keras finds again in .h5."""
    model = subject.manifest.model
    if model is None or subject.manifest.artifact.format != "keras-h5":
        return
    losses = KERAS_LOSSES | LOSS_ALIASES.keys()
    unknown = [("loss", name) for name in model.losses if name not in losses]
    unknown += [("metrics", name) for name in model.metrics if name not in KERAS_METRICS]
    for role, name in unknown:
        yield codes.NAME_UNKNOWN(name, ("model", role, name), role=role)


def adapted(subject: Subject) -> Iterator[Finding]:
    """Find layers that learned a table, which not every format of Keras brings back."""
    for layer in subject.manifest.model.adapted if subject.manifest.model else ():
        yield codes.ADAPTED(layer, ("model", layer))


def mask_lost(subject: Subject) -> Iterator[Finding]:
    """Find a Lambda's mask function, which Keras 3 writes and does not read."""
    for function in subject.manifest.functions if is_keras3(subject.manifest.keras) else ():
        if function.role == "mask":
            yield codes.MASK_LOST(function.name, reach_of(function), layer=layer_of(function))


def not_in_hdf5(subject: Subject) -> Iterator[Finding]:
    """Find what Keras 3 writes into .h5 and no Keras reads from it again."""
    manifest, model = subject.manifest, subject.manifest.model
    if model is None or not is_keras3(manifest.keras) or manifest.artifact.format != "keras-h5":
        return
    why = None
    if model.operations:
        named = ", ".join(model.operations)
        why = f"{named} is not a layer, and of .h5 Keras 3 reads layers alone"
    elif model.subclassed:
        why = f"{model.class_name} has no layers before it is called: .h5 does not bring them back"
    if why is not None:
        yield codes.NOT_IN_HDF5(model.class_name, ("model", model.class_name), why=why)


def safe_mode(subject: Subject) -> Iterator[Finding]:
    """Find bytecode, which Keras refuses by default: a note, never a verdict."""
    coded = [function for function in subject.manifest.functions if function.key is not None]
    if coded:
        yield codes.SAFE_MODE(coded[0].name, reach_of(coded[0]), count=len(coded))


OF_SUBJECT: tuple[SubjectRule, ...] = (
    stored_alike,
    name_taken,
    by_name_only,
    damaged,
    defaults_lost,
    arguments_lost,
    lambda_elsewhere,
    name_lost,
    closure_lost,
    loss_alias,
    name_unknown,
    adapted,
    mask_lost,
    not_in_hdf5,
    safe_mode,
)
