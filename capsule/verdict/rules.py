"""What a manifest alone tells: the rules that save-time warnings and verdicts share.

One finding, one rule. Each rule is a generator over a manifest and its reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from packaging.version import Version

from capsule.guest import values
from capsule.guest.kerases import LOSS_ALIASES
from capsule.manifest import (
    Binding,
    CarriedFunction,
    KerasFacts,
    Manifest,
    alike,
    holds_value,
)
from capsule.verdict.facts import KERAS_NAMES, names_at_load
from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.reach import Reach, Reaches, of_function

Rule = Callable[[Manifest, Reaches], Iterator[Finding]]


def findings_at_save(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what a person should be told at save: what will bite later."""
    told = of_manifest(manifest, Reaches(manifest))
    # Names that Keras loses are why capsule is there: no one need hear it at each save.
    return tuple(f for f in told if f.code not in ("name-lost", "safe-mode"))


def of_manifest(manifest: Manifest, reaches: Reaches) -> list[Finding]:
    """Return every finding that needs no environment to compare with."""
    return [finding for rule in RULES for finding in rule(manifest, reaches)]


def is_keras3(keras: KerasFacts | None) -> bool:
    """Tell whether that Keras is of version 3 or later."""
    return keras is not None and keras.module == "keras" and Version(keras.version).major >= 3


def unbuilt(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Layers that were never built: their weights are not in the file."""
    layers = manifest.model.unbuilt if manifest.model else ()
    if not layers:
        return
    message = f"{', '.join(layers)} was never built: the file holds none of its weights"
    reach: Reach = ("model", layers[0])
    remedy = "call the model on data so that it builds, save again"
    for name, used in _numpy_calls(manifest, reaches):
        # Keras builds with symbolic tensors, and keeps quiet when a function refuses them.
        message += f"; {_short(name)} calls numpy.{used}, which takes no symbolic tensor"
        reach = (*reaches.of_node[name], f"numpy.{used}")
        remedy = f"use keras.ops.{used} or tf.{used} in {_short(name)}, build the model, save again"
        break
    yield Finding(
        "unbuilt", "fatal", ", ".join(layers), message,
        expected="built", found="not built", reach=reach, remedy=remedy, decides=QUESTIONS,
    )  # fmt: skip


def _numpy_calls(manifest: Manifest, reaches: Reaches) -> Iterator[tuple[str, str]]:
    """Give the functions that take more than constants of numpy, and what they take."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            used = [a for a in binding.taken if a not in ("pi", "e", "inf", "nan", "newaxis")]
            if binding.to == "numpy" and used:
                yield name, used[0]


def name_missing(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Names that a function uses and nobody defined at save."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            if binding.missing and binding.how in ("global", "closure"):
                yield Finding(
                    "name-missing", "warning", binding.name,
                    f"{_short(name)} uses {binding.name}, which nobody defined at save",
                    reach=(*reaches.of_node[name], binding.name),
                    remedy=f"define {binding.name}, or pass it as an argument",
                    decides=("same",),
                )  # fmt: skip


def value_opaque(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Names whose value could not be stored, so that no one can bind them again."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            found = values.is_opaque(binding.value) if holds_value(binding) else []
            if found:
                kind, reason = found[0].get("of", "?"), found[0].get("reason", "?")
                yield Finding(
                    "value-opaque", "fatal", binding.name,
                    f"{_short(name)} uses {binding.name}, a {kind} that the sidecar can't"
                    f" hold ({reason})",
                    expected=str(kind), found="opaque",
                    reach=(*reaches.of_node[name], binding.name),
                    remedy=f"make {binding.name} inside the function, or import it",
                    decides=("capsule",),
                )  # fmt: skip


def source_missing(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions that exist as bytecode only: they live under one minor of Python."""
    for name in reaches.functions():
        node = manifest.nodes[name]
        if node.source is None and node.code is not None:
            yield Finding(
                "source-missing", "note", _short(name),
                f"{_short(name)} has no source ({node.reason}): its bytecode runs under"
                f" Python {manifest.python.minor} alone",
                expected="source", found="bytecode",
                reach=reaches.of_node[name],
                remedy="define it in a file",
            )  # fmt: skip


def function_unknown(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions in the file of which no live object was seen."""
    for function in manifest.functions:
        if function.node is None:
            yield Finding(
                "function-unknown", "warning", function.name,
                f"{_told(function)} was read from the file: what its names stood for is not known",
                reach=of_function(function),
                remedy="save the model under capsule's hook",
                decides=QUESTIONS,
            )  # fmt: skip


def custom_class(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Layers of the user's own classes, which are not in the file."""
    for name in manifest.model.custom if manifest.model else ():
        short = name.partition(":")[2]
        yield Finding(
            "custom-class", "fatal", short,
            f"{short} is a class of yours ({name.partition(':')[0]}); the file holds its name only",
            expected=name, found=None, reach=("model", short),
            remedy=f"give it: custom_objects={{{short!r}: {short}}}",
            decides=("keras", "capsule"),
        )  # fmt: skip


def defaults_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Default arguments, which Keras 3 writes as a list and cannot read again."""
    for function in manifest.functions if is_keras3(manifest.keras) else ():
        if function.defaults:
            yield Finding(
                "defaults-lost", "fatal", function.name,
                f"{_told(function)} has default arguments, which Keras 3 cannot load again"
                ' ("arg 4 (defaults) must be None or tuple")',
                reach=of_function(function),
                remedy="load it with capsule.load, or take the defaults out",
                decides=("keras",),
            )  # fmt: skip


def by_name_only(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions that are stored by name: their bodies are nowhere in the file."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        own = node is None or node.origin != "reference"
        if function.encoding == "by-name" and own and not _keras_has(function):
            yield Finding(
                "by-name-only", "fatal", function.name,
                f"{_told(function)} is stored by its name {function.name!r} alone",
                expected=function.name, found=None, reach=of_function(function),
                remedy="load it with capsule.load, or pass it in custom_objects",
                decides=("keras",),
            )  # fmt: skip


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
            "stored-alike", "fatal", function.name,
            f"{_told(function)} and {_told(other)} differ, and the file stores them alike",
            reach=of_function(function),
            remedy="give them other names, or make one of them differ in its own text",
            decides=QUESTIONS,
        )  # fmt: skip


def name_taken(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions stored by a name that Keras has for something of its own."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        own = node is not None and node.origin != "reference" and function.where
        if function.encoding == "by-name" and own and function.name in KERAS_NAMES:
            yield Finding(
                "name-taken", "fatal", function.name,
                f"{_told(function)} is stored by the name {function.name!r}, which Keras has"
                " for a function of its own",
                reach=of_function(function),
                remedy=f"rename your {function.name}",
                decides=QUESTIONS,
            )  # fmt: skip


def described(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """A sidecar made for a file that existed: nobody saw the model saved."""
    if manifest.origin == "file":
        yield Finding(
            "described", "warning", manifest.artifact.name,
            "the sidecar describes the environment at hand, not the one that saved the model",
            reach=("model",),
            remedy="save the model under capsule's hook",
            decides=QUESTIONS,
        )  # fmt: skip


def _keras_has(function: CarriedFunction) -> bool:
    return (function.module or "").split(".")[0] in ("keras", "tf_keras")


def name_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Global names that Keras does not give back to a function stored as bytecode."""
    if manifest.keras is None:
        return
    given = names_at_load(manifest.keras.module, manifest.keras.version)
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        if node is None or function.key is None:
            continue
        lost = [b.name for b in node.names if b.how == "global" and _lost(b, given)]
        if lost:
            yield Finding(
                "name-lost", "fatal", function.name,
                f"{_told(function)} uses {', '.join(lost)}, undefined after Keras"
                f" {manifest.keras.version} loads it: NameError at load or at the first call",
                expected=", ".join(lost), found=None, reach=of_function(function),
                remedy="load it with capsule.load, which binds the names again",
                decides=("keras",),
            )  # fmt: skip


def _lost(binding: Binding, given: dict[str, str | None]) -> bool:
    if binding.name not in given:
        return True
    meant = binding.to and (
        f"{binding.to}.{binding.attribute}" if binding.attribute else binding.to
    )
    stands_for = given[binding.name]
    return meant is None or stands_for is None or not meant.endswith(stands_for)


def closure_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Closure values that JSON does not bring back as they were."""
    for function in manifest.functions:
        node = manifest.nodes.get(function.node or "")
        for binding in node.names if node and function.key is not None else ():
            if binding.how != "closure" or binding.missing:
                continue
            answer = _closure_answer(binding, manifest.artifact.format)
            if answer is not None:
                severity, told = answer
                yield Finding(
                    "closure-lost", severity, binding.name,
                    f"{_told(function)} closes over {binding.name}, {told}",
                    reach=(*of_function(function), binding.name),
                    remedy="load it with capsule.load, which keeps the value",
                    decides=("keras",),
                )  # fmt: skip


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
    used = [
        n for n in (manifest.model.compiled_with if manifest.model else ()) if n in LOSS_ALIASES
    ]
    if used and is_keras3(manifest.keras) and manifest.artifact.format == "keras-h5":
        yield Finding(
            "loss-alias", "fatal", used[0],
            f"Keras 3 writes the loss {used[0]!r} into .h5 and cannot read it again"
            ' ("not a KerasSaveable subclass")',
            expected=LOSS_ALIASES[used[0]], found=used[0], reach=("model", "loss", used[0]),
            remedy=f"compile with {LOSS_ALIASES[used[0]]!r}, save as .keras, or load with"
            " capsule.load or compile=False",
            decides=("keras",),
        )  # fmt: skip


def mask_lost(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """A Lambda's mask function, which Keras 3 writes and does not read."""
    for function in manifest.functions if is_keras3(manifest.keras) else ():
        if function.role == "mask":
            yield Finding(
                "mask-lost", "warning", function.name,
                f"{_told(function)} is a mask function, which Keras 3 writes and does not load",
                reach=of_function(function),
                remedy="check the outputs: capsule replay MODEL --unsafe --check",
                decides=QUESTIONS,
            )  # fmt: skip


def safe_mode(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Keras refuses bytecode unless told otherwise: a finding, never a verdict."""
    coded = [function for function in manifest.functions if function.key is not None]
    if coded:
        yield Finding(
            "safe-mode", "note", coded[0].name,
            f"{len(coded)} function(s) stored as bytecode: Keras' default safe_mode refuses them",
            reach=of_function(coded[0]),
            remedy="pass safe_mode=False if you trust the file",
        )  # fmt: skip


def _short(node: str) -> str:
    name = node.partition(":")[2].partition("#")[0] or node
    name = name.rpartition("<locals>.")[2]
    return "the lambda" if name == "<lambda>" else name


def _told(function: CarriedFunction) -> str:
    reach: Reach = of_function(function)
    return reach[1]


RULES: tuple[Rule, ...] = (
    described, unbuilt, name_missing, stored_alike, name_taken, value_opaque, source_missing,
    function_unknown, custom_class, defaults_lost, by_name_only, name_lost, closure_lost,
    loss_alias, mask_lost, safe_mode,
)  # fmt: skip
