"""The rules for what a function of the model uses, and whether it can be brought back."""

from __future__ import annotations

from collections.abc import Iterator

from capsule.description.custom import supplied
from capsule.guest import values
from capsule.keras_compat.facts import is_of_keras
from capsule.manifest import Node, holds_value
from capsule.verdict.case import Subject, SubjectRule
from capsule.verdict.codes import functions as codes
from capsule.verdict.finding import Finding
from capsule.verdict.reach import layer_of, reach_of, short


def unbuilt(subject: Subject) -> Iterator[Finding]:
    """Find layers that were never built: their weights are not in the file."""
    manifest, reaches = subject.manifest, subject.reaches
    layers = manifest.model.unbuilt if manifest.model else ()
    if not layers:
        return
    named = ", ".join(layers)
    facts = {"expected": "built", "found": "not built"}
    call = next(_numpy_calls(subject), None)
    if call is None:
        yield codes.UNBUILT(named, ("model", layers[0]), **facts)
        return
    # Keras builds with symbolic tensors, and keeps quiet when a function refuses them.
    name, api = call
    reach = (*reaches.of_node[name], f"numpy.{api}")
    yield codes.UNBUILT_BY_NUMPY(named, reach, function=short(name), api=api, **facts)


def _numpy_calls(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the functions that take more than constants of numpy, and what they take."""
    for name in subject.reaches.functions():
        for binding in subject.manifest.nodes[name].names:
            used = [a for a in binding.members if a not in ("pi", "e", "inf", "nan", "newaxis")]
            if binding.to == "numpy" and used:
                yield name, used[0]


def name_missing(subject: Subject) -> Iterator[Finding]:
    """Find names that a function uses and that nothing defines."""
    for name in subject.reaches.functions():
        for binding in subject.manifest.nodes[name].names:
            if not binding.missing or binding.name in subject.custom.bind:
                continue
            reach = (*subject.reaches.of_node[name], binding.name)
            if binding.how in ("body", "base"):
                yield codes.NAME_LOCAL(binding.name, reach, function=subject.called(name))
            elif binding.how in ("global", "closure"):
                code = codes.NAME_MISSING if subject.inferred else codes.NAME_UNDEFINED
                yield code(binding.name, reach, function=subject.called(name))


def value_opaque(subject: Subject) -> Iterator[Finding]:
    """Find names whose value could not be stored, so that nothing can bind them again."""
    for name in subject.reaches.functions():
        for binding in subject.manifest.nodes[name].names:
            opaque = values.find_opaque(binding.value) if holds_value(binding) else []
            if opaque:
                reason = opaque[0].get("reason", "?")
                # Whoever left it out because of its name says how it is let in.
                code = codes.VALUE_SECRET if "allow=" in reason else codes.VALUE_OPAQUE
                yield code(
                    binding.name,
                    (*subject.reaches.of_node[name], binding.name),
                    expected=str(opaque[0].get("of", "?")),
                    found="opaque",
                    function=subject.called(name),
                    reason=reason,
                )


def source_missing(subject: Subject) -> Iterator[Finding]:
    """Find definitions of which no source exists: bytecode lives under one minor of Python."""
    for name in subject.reaches.functions():
        node, reach = subject.manifest.nodes[name], subject.reaches.of_node[name]
        if node.kind == "class" and node.source is None:
            if not supplied(short(name), subject.custom.names):
                yield codes.CLASS_OPAQUE(short(name), reach, expected="source", reason=node.reason)
        elif node.decompiled:
            yield codes.SOURCE_DECOMPILED(
                subject.called(name),
                reach,
                expected="source",
                found="decompiled",
                reason=node.reason or "the file holds none",
                source=node.source,
            )
        elif node.source is None and node.code is not None:
            yield codes.SOURCE_MISSING(
                subject.called(name),
                reach,
                expected="source",
                found="bytecode",
                reason=node.reason,
                minor=subject.manifest.python.minor,
            )


def unread(subject: Subject) -> Iterator[Finding]:
    """Find functions of the file that no Python's code reader understands."""
    for function, node in subject.functions if subject.inferred else ():
        if function.key is not None and node is not None and _is_empty(node):
            yield codes.UNREAD(layer_of(function), reach_of(function), reason=node.reason)


def _is_empty(node: Node) -> bool:
    defined = node.kind in ("lambda", "function") and node.origin != "reference"
    return defined and node.source is None and node.code is None


def module_opaque(subject: Subject) -> Iterator[Finding]:
    """Find the user's own modules whose source is not in the sidecar."""
    nodes = subject.manifest.nodes
    packages = {name[:at] for name in nodes for at, c in enumerate(name) if c == "."}
    for name in subject.reaches.of_node:
        node = nodes[name]
        missing = node.source is None and name not in packages
        if node.kind == "module" and node.origin == "local" and missing:
            yield codes.MODULE_OPAQUE(name, subject.reaches.of_node[name])


def function_unknown(subject: Subject) -> Iterator[Finding]:
    """Find functions in the file of which no live object was seen."""
    for function, node in subject.functions:
        keras_has = function.encoding == "by-name" and is_of_keras(function.module)
        if node is None and not subject.inferred and not keras_has:
            yield codes.FUNCTION_UNKNOWN(
                function.name, reach_of(function), layer=layer_of(function)
            )


def custom_class(subject: Subject) -> Iterator[Finding]:
    """Find classes of the user's own that were not captured: the file holds their names only."""
    nodes = [node for function, node in subject.functions if node and function.role == "class"]
    captured = {f"{node.module}:{node.qualname}" for node in nodes}
    for name in subject.manifest.model.custom if subject.manifest.model else ():
        module, _, called = name.partition(":")
        if name not in captured and not supplied(called, subject.custom.names):
            origin = f" ({module})" if module else ""
            yield codes.CUSTOM_CLASS(called, ("model", called), expected=name, origin=origin)


def randomness(subject: Subject) -> Iterator[Finding]:
    """Find functions that reach random numbers: they compute something else each time."""
    for name in subject.reaches.functions():
        for binding in subject.manifest.nodes[name].names:
            parts = f"{binding.to or ''}.{'.'.join(binding.members)}".split(".")
            chance = any(p.startswith("random") or p in _CHANCE for p in parts)
            if binding.to is not None and chance:
                reach = (*subject.reaches.of_node[name], binding.name)
                yield codes.RANDOM(binding.name, reach, function=subject.called(name))


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


def outside(subject: Subject) -> Iterator[Finding]:
    """Find functions that reach what can't be seen from here: names by text, files, settings."""
    for name in subject.reaches.functions():
        for binding in subject.manifest.nodes[name].names:
            ways = _OUTSIDE.get(binding.to or "", ())
            used = [chain for chain in binding.members if chain.split(".")[0] in ways]
            if used:
                yield codes.OUTSIDE(
                    binding.name,
                    (*subject.reaches.of_node[name], binding.name),
                    function=subject.called(name),
                    api=f"{binding.to}.{used[0]}",
                )


def module_state(subject: Subject) -> Iterator[Finding]:
    """Find local modules whose source alone does not make them what they were."""
    for name in subject.reaches.of_node:
        node = subject.manifest.nodes[name]
        if node.kind == "module" and node.source is not None and node.reason:
            yield codes.MODULE_STATE(name, subject.reaches.of_node[name], reason=node.reason)


OF_SUBJECT: tuple[SubjectRule, ...] = (
    unbuilt,
    name_missing,
    value_opaque,
    source_missing,
    unread,
    function_unknown,
    module_opaque,
    custom_class,
    randomness,
    outside,
    module_state,
)
