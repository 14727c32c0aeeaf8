"""What a manifest alone tells of the model: the rules that save-time warnings and verdicts share.

One finding, one rule. Each rule is a generator over a manifest and its reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from capsule.guest import values
from capsule.manifest import Manifest, holds_value
from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.reach import Reach, Reaches, of_function, short, told
from capsule.verdict.rules import serialization

Rule = Callable[[Manifest, Reaches], Iterator[Finding]]


def findings_at_save(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what a person should be told at save: what will bite later."""
    found = of_manifest(manifest, Reaches(manifest))
    # Names that Keras loses are why capsule is there: no one need hear it at each save.
    return tuple(f for f in found if f.code not in ("name-lost", "safe-mode"))


def of_manifest(manifest: Manifest, reaches: Reaches) -> list[Finding]:
    """Return every finding that needs no environment to compare with."""
    if manifest.artifact.format == "saved-model":
        return list(described(manifest, reaches))  # nothing of it is Python any more
    return [finding for rule in RULES for finding in rule(manifest, reaches)]


def described(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """A sidecar made for a file that existed: nobody saw the model saved."""
    if manifest.origin == "file":
        yield Finding(
            "described",
            "warning",
            manifest.artifact.name,
            "the sidecar describes the environment at hand, not the one that saved the model",
            reach=("model",),
            remedy="save the model under capsule's hook",
            decides=QUESTIONS,
        )


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
        message += f"; {short(name)} calls numpy.{used}, which takes no symbolic tensor"
        reach = (*reaches.of_node[name], f"numpy.{used}")
        remedy = f"use keras.ops.{used} or tf.{used} in {short(name)}, build the model, save again"
        break
    yield Finding(
        "unbuilt",
        "fatal",
        ", ".join(layers),
        message,
        expected="built",
        found="not built",
        reach=reach,
        remedy=remedy,
        decides=QUESTIONS,
    )


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
                    "name-missing",
                    "warning",
                    binding.name,
                    f"{short(name)} uses {binding.name}, which nobody defined at save",
                    reach=(*reaches.of_node[name], binding.name),
                    remedy=f"define {binding.name}, or pass it as an argument",
                    decides=("same",),
                )


def value_opaque(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Names whose value could not be stored, so that no one can bind them again."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            found = values.is_opaque(binding.value) if holds_value(binding) else []
            if found:
                kind, reason = found[0].get("of", "?"), found[0].get("reason", "?")
                yield Finding(
                    "value-opaque",
                    "fatal",
                    binding.name,
                    f"{short(name)} uses {binding.name}, a {kind} that the sidecar can't"
                    f" hold ({reason})",
                    expected=str(kind),
                    found="opaque",
                    reach=(*reaches.of_node[name], binding.name),
                    remedy=f"make {binding.name} inside the function, or import it",
                    decides=("keras", "capsule"),
                )


def source_missing(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Definitions of which no source exists: bytecode lives under one minor of Python."""
    for name in reaches.functions():
        node = manifest.nodes[name]
        told = f"{short(name)} has no source ({node.reason})"
        if node.kind == "class" and node.source is None:
            yield Finding(
                "class-opaque",
                "fatal",
                short(name),
                f"{told}: it can't be brought back",
                expected="source",
                found=None,
                reach=reaches.of_node[name],
                remedy=f"define {short(name)} in a file, or give it in custom_objects",
                decides=("keras", "capsule"),
            )
        elif node.lifted:
            yield Finding(
                "source-lifted",
                "note",
                short(name),
                f"{told}: it was read from its code, {node.source}",
                expected="source",
                found="lifted",
                reach=reaches.of_node[name],
            )
        elif node.source is None and node.code is not None:
            yield Finding(
                "source-missing",
                "note",
                short(name),
                f"{told}: its bytecode runs under Python {manifest.python.minor} alone",
                expected="source",
                found="bytecode",
                reach=reaches.of_node[name],
                remedy="define it in a file",
            )


def needed_missing(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Names that a class or a decorated function needs to be made, and nobody can give it."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            if binding.missing and binding.how in ("body", "base"):
                yield Finding(
                    "name-missing",
                    "fatal",
                    binding.name,
                    f"{short(name)} is made with {binding.name}, which no one can find again",
                    reach=(*reaches.of_node[name], binding.name),
                    remedy=f"make {binding.name} a global name",
                    decides=("keras", "capsule"),
                )


def module_opaque(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """The user's own modules whose source is not in the sidecar."""
    for name in reaches.of_node:
        node = manifest.nodes[name]
        package = any(other.startswith(f"{name}.") for other in manifest.nodes)
        brought = node.source is not None or package
        if node.kind == "module" and node.origin == "local" and not brought:
            yield Finding(
                "module-opaque",
                "fatal",
                name,
                f"the module {name} is not in the sidecar",
                reach=reaches.of_node[name],
                remedy="save with source=True",
                decides=("capsule",),
            )


def function_unknown(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions in the file of which no live object was seen."""
    for function in manifest.functions:
        if function.node is None:
            yield Finding(
                "function-unknown",
                "warning",
                function.name,
                f"{told(function)} was read from the file: what its names stood for is not known",
                reach=of_function(function),
                remedy="save the model under capsule's hook",
                decides=QUESTIONS,
            )


def custom_class(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Classes of the user's own that were not captured: the file holds their names only."""
    nodes = [manifest.nodes[f.node] for f in manifest.functions if f.node and f.role == "class"]
    captured = {f"{node.module}:{node.qualname}" for node in nodes}
    for name in manifest.model.custom if manifest.model else ():
        if name in captured:
            continue
        called = name.partition(":")[2]
        yield Finding(
            "custom-class",
            "fatal",
            called,
            f"{called} is a class of yours ({name.partition(':')[0]}); the file holds its name"
            " only",
            expected=name,
            found=None,
            reach=("model", called),
            remedy=f"give it: custom_objects={{{called!r}: {called}}}",
            decides=("keras", "capsule"),
        )


def doubts(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """What may go wrong though nothing shows it."""
    for doubt in manifest.model.doubts if manifest.model else ():
        yield Finding(
            "doubt",
            "warning",
            manifest.artifact.name,
            doubt,
            reach=("model",),
            remedy="check it: capsule replay MODEL --unsafe --check",
            decides=QUESTIONS,
        )


def randomness(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions that reach random numbers: they compute something else each time."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            parts = f"{binding.to or ''}.{'.'.join(binding.taken)}".split(".")
            chance = any(p.startswith("random") or p in _CHANCE for p in parts)
            if binding.to is not None and chance:
                yield Finding(
                    "random",
                    "warning",
                    binding.name,
                    f"{short(name)} uses random numbers: no two calls compute the same",
                    reach=(*reaches.of_node[name], binding.name),
                    decides=("keras", "same"),
                )


# Whatever these give, it is something else each time.
_CHANCE = frozenset(("dropout", "shuffle", "timestamp", "time", "uuid1", "uuid4", "secrets"))
# Ways to names, files and settings that no import graph shows.
_OUTSIDE = {
    "sys": ("modules", "_getframe"),
    "importlib": ("import_module",),
    "inspect": ("currentframe", "stack"),
    "os": ("environ", "getenv"),
    "numpy": ("load", "loadtxt", "genfromtxt", "fromfile"),
}


def outside(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Functions that reach what no one can see from here: names by text, files, settings."""
    for name in reaches.functions():
        for binding in manifest.nodes[name].names:
            known = _OUTSIDE.get(binding.to or "", ())
            used = [taken for taken in binding.taken if taken.split(".")[0] in known]
            if used:
                yield Finding(
                    "outside",
                    "warning",
                    binding.name,
                    f"{short(name)} uses {binding.to}.{used[0]}: what it finds there is not in the"
                    " sidecar",
                    reach=(*reaches.of_node[name], binding.name),
                    remedy="pass what it needs as an argument",
                    decides=QUESTIONS,
                )


def module_state(manifest: Manifest, reaches: Reaches) -> Iterator[Finding]:
    """Local modules whose source alone does not make them what they were."""
    for name in reaches.of_node:
        node = manifest.nodes[name]
        if node.kind == "module" and node.source is not None and node.reason:
            yield Finding(
                "module-state",
                "warning",
                name,
                f"the module {name} may not come back as it was: {node.reason}",
                reach=reaches.of_node[name],
                remedy="pass what it holds as an argument",
                decides=QUESTIONS,
            )


RULES: tuple[Rule, ...] = (
    described,
    unbuilt,
    name_missing,
    value_opaque,
    source_missing,
    function_unknown,
    needed_missing,
    module_opaque,
    custom_class,
    doubts,
    randomness,
    outside,
    module_state,
    *serialization.RULES,
)
