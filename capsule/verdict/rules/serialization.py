"""The rules for what Keras stores of a function and does not bring back."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

from capsule.guest.keras_adapter import LOSS_ALIASES
from capsule.keras_compat.facts import (
    KERAS_LOSSES,
    KERAS_METRICS,
    KERAS_NAMES,
    is_keras3,
    names_at_load,
)
from capsule.manifest import Binding, CarriedFunction, Manifest, alike, holds_value
from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.reach import Reaches, of_function, told

# Every module has a __name__ of its own, so that one is lost like any other.
_BUILTINS = frozenset(name for name in vars(builtins) if not name.startswith("__"))


def stored_alike(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions that the file stores alike though they differ: no one can tell them apart."""
    first: dict[str, CarriedFunction] = {}
    for function in manifest.functions:
        if function.node is None:
            continue
        other = first.setdefault(function.key or f"name:{function.name}", function)
        if other.node is None or alike(manifest.nodes, other.node, function.node):
            continue
        yield Finding(
            "stored-alike",
            "fatal",
            function.name,
            f"{told(function)} and {told(other)} differ, and the file stores them alike",
            reach=of_function(function),
            remedy="give them other names, or make one of them differ in its own text",
            # In layers of other names capsule knows each by its place.
            decides=("keras",) if _placed(function, other) else QUESTIONS,
        )


def _placed(one: CarriedFunction, other: CarriedFunction) -> bool:
    in_lambda = {one.role, other.role} <= {"function", "output_shape", "mask"}
    return in_lambda and bool(one.where and other.where) and one.where[-1] != other.where[-1]


def name_taken(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions stored by a name that Keras has for something of its own."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        own = node is not None and node.origin != "reference" and function.where
        if function.encoding == "by-name" and own and function.name in KERAS_NAMES:
            yield Finding(
                "name-taken",
                "fatal",
                function.name,
                f"{told(function)} is stored by the name {function.name!r}, which Keras has"
                " for a function of its own",
                reach=of_function(function),
                remedy=f"rename your {function.name}",
                decides=QUESTIONS,
            )


def by_name_only(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions that are stored by name: their bodies are nowhere in the file."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        own = node is None or node.origin != "reference" or function.name not in KERAS_NAMES
        if function.role == "arguments":
            continue
        if function.encoding == "by-name" and own and not _keras_has(function):
            what = "the class" if function.role == "class" else told(function)
            yield Finding(
                "by-name-only",
                "fatal",
                function.name,
                f"{what} is stored by its name {function.name!r} alone",
                expected=function.name,
                found=None,
                reach=of_function(function),
                remedy="load it with capsule.load, or pass it in custom_objects",
                decides=("keras",),
            )


def _keras_has(function: CarriedFunction) -> bool:
    return (function.module or "").split(".")[0] in ("keras", "tf_keras")


def damaged(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Bytecode that Keras on Windows damaged while it wrote it."""
    for function in manifest.functions:
        if function.damaged:
            yield Finding(
                "bytecode-damaged",
                "fatal",
                function.name,
                f"{told(function)} was damaged by Keras, which on Windows writes / for every"
                " byte of its code that happens to be a backslash",
                reach=of_function(function),
                remedy="load it with capsule.load",
                decides=("keras",),
            )


def defaults_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Default arguments that Keras does not bring back, by version and kind."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        bindings = node.names if node and function.key is not None else ()
        only = [b.name for b in bindings if b.how == "keyword-default"]
        odd = [b.name for b in bindings if b.how == "default" and not _comes_back(b)]
        why = None
        if function.defaults and is_keras3(manifest.keras):
            why = 'has default arguments, which Keras 3 cannot load again ("arg 4 (defaults) must'
            why += ' be None or tuple")'
        elif only:
            why = f"has the keyword-only default {only[0]}, which Keras does not store"
        elif odd:
            why = f"has the default {odd[0]}, which comes back from JSON as something else"
        if why is not None:
            yield Finding(
                "defaults-lost",
                "fatal",
                function.name,
                f"{told(function)} {why}",
                reach=of_function(function),
                remedy="load it with capsule.load, or take the defaults out",
                decides=("keras",),
            )


def _comes_back(binding: Binding) -> bool:
    return holds_value(binding) and not isinstance(binding.value, (dict, list))


def arguments_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """A Lambda's ``arguments`` that JSON does not bring back as they were."""
    captured = {"/".join(f.where) for f in manifest.functions if f.role == "arguments" and f.node}
    for layer in manifest.model.arguments if manifest.model else ():
        yield Finding(
            "arguments-lost",
            "fatal",
            layer,
            f"{layer} has arguments that are no plain numbers, texts or lists: they come back as"
            " something else",
            reach=("model", layer, "arguments"),
            remedy="load it with capsule.load, or make them inside the function",
            decides=("keras",) if layer in captured else QUESTIONS,
        )


def elsewhere(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Lambdas that Keras writes and never reads: those that are no Lambda layer's."""
    for function in manifest.functions:
        if function.key is not None and function.role not in ("function", "output_shape", "mask"):
            yield Finding(
                "lambda-elsewhere",
                "fatal",
                function.name,
                f"{told(function)} is a lambda, which Keras stores there and cannot load again",
                reach=of_function(function),
                remedy="load it with capsule.load, or make it a Lambda layer of its own",
                decides=("keras",) if function.node else ("keras", "capsule"),
            )


def name_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Global names that Keras does not give back to a function stored as bytecode."""
    if manifest.keras is None:
        return
    given = names_at_load(manifest.keras.module, manifest.keras.version)
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        if node is None or function.key is None:
            continue
        lost = [
            b.name
            for b in node.names
            if b.how == "global" and b.name not in _BUILTINS and _lost(b, given)
        ]
        lost += [
            b.name
            for b in node.names
            if b.how == "import" and b.to and manifest.nodes[b.to].origin == "local"
        ]
        if lost:
            yield Finding(
                "name-lost",
                "fatal",
                function.name,
                f"{told(function)} uses {', '.join(lost)}, undefined after Keras"
                f" {manifest.keras.version} loads it: NameError at load or at the first call",
                expected=", ".join(lost),
                found=None,
                reach=of_function(function),
                remedy="load it with capsule.load, which binds the names again",
                decides=("keras",),
            )


def _lost(binding: Binding, given: dict[str, str | None]) -> bool:
    if binding.name not in given:
        return True
    meant = binding.to and (
        f"{binding.to}.{binding.attribute}" if binding.attribute else binding.to
    )
    stands_for = given[binding.name]
    if meant is None or stands_for is None:
        return True
    # tf.keras.backend is keras.backend under another name.
    return meant not in (stands_for, f"tensorflow.{stands_for}")


def closure_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Closure values that JSON does not bring back as they were."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        for binding in node.names if node and function.key is not None else ():
            if binding.how != "closure" or binding.missing:
                continue
            answer = _closure_answer(binding, manifest.artifact.format)
            if answer is not None:
                severity, why = answer
                yield Finding(
                    "closure-lost",
                    severity,
                    binding.name,
                    f"{told(function)} closes over {binding.name}, {why}",
                    reach=(*of_function(function), binding.name),
                    remedy="load it with capsule.load, which keeps the value",
                    # Keras' reader changes bytes before anyone can tell whose they are.
                    decides=("keras", "capsule") if _is_bytes(binding.value) else ("keras",),
                )


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "bytes"


def _closure_answer(binding: Binding, form: str) -> tuple[str, str] | None:
    """Return severity and words for a closure value, None if it comes back as it was."""
    value = binding.value
    if binding.to is not None:
        return "fatal", "which Keras writes as a text"
    if not isinstance(value, dict):
        plain = not isinstance(value, list) or all(not isinstance(v, (dict, list)) for v in value)
        return None if plain else ("warning", "which may come back as another type")
    if value.get("type") == "ndarray" and form == "keras-h5":
        return "warning", "an array that Keras brings back as a list: results may differ silently"
    if value.get("type") == "tuple":
        return "warning", "a tuple that Keras brings back as a list"
    return "fatal", f"a {value.get('of', value.get('type'))} that Keras does not bring back"


def loss_alias(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """A loss given by a short name, which Keras 3 writes into .h5 and can't read again."""
    used = [n for n in (manifest.model.losses if manifest.model else ()) if n in LOSS_ALIASES]
    if used and is_keras3(manifest.keras) and manifest.artifact.format == "keras-h5":
        yield Finding(
            "loss-alias",
            "fatal",
            used[0],
            f"Keras 3 writes the loss {used[0]!r} into .h5 and cannot read it again"
            ' ("not a KerasSaveable subclass")',
            expected=LOSS_ALIASES[used[0]],
            found=used[0],
            reach=("model", "loss", used[0]),
            remedy=f"compile with {LOSS_ALIASES[used[0]]!r}, save as .keras, or load with"
            " capsule.load or compile=False",
            decides=("keras",),
        )


def name_unknown(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Losses and metrics by a text that is in no list of those Keras finds again in .h5."""
    if manifest.model is None or manifest.artifact.format != "keras-h5":
        return
    losses = KERAS_LOSSES | LOSS_ALIASES.keys()
    unknown = [("loss", name) for name in manifest.model.losses if name not in losses]
    unknown += [("metrics", name) for name in manifest.model.metrics if name not in KERAS_METRICS]
    for role, name in unknown:
        yield Finding(
            "name-unknown",
            "warning",
            name,
            f"whether Keras finds {name!r} again, given as {role}, is not known",
            reach=("model", role, name),
            remedy="load with compile=False",
            decides=QUESTIONS,
        )


def adapted(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Layers that learned a table, which not every format of Keras brings back."""
    for layer in manifest.model.adapted if manifest.model else ():
        yield Finding(
            "adapted",
            "warning",
            layer,
            f"{layer} has a table of its own, which Keras does not bring back from every format",
            reach=("model", layer),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=QUESTIONS,
        )


def mask_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """A Lambda's mask function, which Keras 3 writes and does not read."""
    for function in manifest.functions if is_keras3(manifest.keras) else ():
        if function.role == "mask":
            yield Finding(
                "mask-lost",
                "warning",
                function.name,
                f"{told(function)} is a mask function, which Keras 3 writes and does not load",
                reach=of_function(function),
                remedy="load it with capsule.load",
                decides=("keras",),
            )


def not_in_hdf5(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """What Keras 3 writes into .h5 and no Keras reads from it again."""
    model = manifest.model
    if model is None or not is_keras3(manifest.keras) or manifest.artifact.format != "keras-h5":
        return
    why = None
    if model.operations:
        why = f"{', '.join(model.operations)} is no layer, and of .h5 Keras 3 reads layers alone"
    elif model.subclassed:
        why = f"{model.class_name} has no layers before it is called: .h5 does not bring them back"
    if why is not None:
        yield Finding(
            "not-in-hdf5",
            "fatal",
            model.class_name,
            why,
            reach=("model", model.class_name),
            remedy="save it as .keras",
            decides=QUESTIONS,
        )


def safe_mode(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Keras refuses bytecode unless told otherwise: a finding, never a verdict."""
    coded = [function for function in manifest.functions if function.key is not None]
    if coded:
        yield Finding(
            "safe-mode",
            "note",
            coded[0].name,
            f"{len(coded)} function(s) stored as bytecode: Keras' default safe_mode refuses them",
            reach=of_function(coded[0]),
            remedy="pass safe_mode=False if you trust the file",
        )


RULES = (
    stored_alike,
    name_taken,
    by_name_only,
    damaged,
    defaults_lost,
    arguments_lost,
    elsewhere,
    name_lost,
    closure_lost,
    loss_alias,
    name_unknown,
    adapted,
    mask_lost,
    not_in_hdf5,
    safe_mode,
)
