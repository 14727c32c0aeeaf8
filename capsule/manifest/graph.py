"""The import graph of a sidecar: what the model's functions are, and what they reach."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Literal

from capsule.manifest import read
from capsule.manifest.codecs import (
    JSON,
    Array,
    Choice,
    Nullable,
    Record,
    field,
    optional_field,
    record,
)

Encoding = Literal["keras3", "base64", "raw-unicode-escape", "by-name"]
_Definition = Literal["lambda", "function", "class"]
_Container = Literal["list", "tuple", "set", "frozenset", "dict"]
NodeKind = Literal[_Definition, "module", "call", "instance", _Container]
NodeOrigin = Literal["", "main", "local", "distribution", "stdlib", "reference", "missing"]
_OfFunction = Literal["global", "closure", "default", "keyword-default", "import"]
_OfDefinition = Literal["base", "body", "decorator"]
_OfObject = Literal["part", "argument", "keyword", "item"]
BindingKind = Literal[_OfFunction, "attribute", _OfDefinition, _OfObject]


def holds_value(binding: Binding) -> bool:
    """Tell whether a binding stands for plain data: None is a value as well."""
    return binding.to is None and not binding.missing


@record
class Binding:
    """An edge of the import graph: what a name of a function stood for.

    Either ``to`` names a node, or ``value`` holds plain data, or ``missing`` says that
    nobody defined the name.
    """

    name: str = field(read.text, "The name in the function, class, module or object.")
    how: BindingKind = field(
        Choice(BindingKind),
        "Where the name stands. base and body: what a class or a decorated function needs to"
        " be made; decorator: one that only registers. part, argument, keyword, item: what an"
        " object is made of.",
    )
    to: str | None = optional_field(
        read.optional_text, "The node that the name stands for.", default=None
    )
    attribute: str | None = optional_field(
        Nullable(read.member),
        "What the name stands for inside the module it leads to.",
        default=None,
    )
    value: JSON = optional_field(
        read.value,
        "Plain data: JSON scalars and arrays stand for themselves, an object has a type"
        " (tuple, dict, set, frozenset, bytes, float, complex, slice, range, ellipsis, ndarray,"
        " scalar, opaque).",
        default=None,
        writes_default=holds_value,
    )
    missing: bool = optional_field(
        read.flag, "Nobody defined the name when the model was saved.", default=False
    )
    attributes: tuple[str, ...] = optional_field(
        read.texts, "The chains of attributes that are used of it.", default=()
    )

    @property
    def members(self) -> tuple[str, ...]:
        """What is used of the module it stands for: imported from it, or chains of attributes."""
        return (self.attribute,) if self.attribute else self.attributes


@record
class Code:
    """The bytecode of a function."""

    sha256: str = field(read.sha256, "The digest of the bytecode.")
    magic: int = field(read.whole, "The magic number of the Python that it runs under.")
    base64: str | None = field(
        read.optional_text, "The bytecode itself, only where there is no source.", default=None
    )


@record
class Node:
    """A node of the import graph: a definition of the user's, an object, or a module."""

    kind: NodeKind = field(
        Choice(NodeKind),
        "A definition (lambda, function, class), a module, or an object: call is the result"
        " of a call, instance one of a class, the others are containers.",
    )
    module: str = optional_field(
        read.line_text, "The module that a definition calls its own.", default=""
    )
    qualname: str = optional_field(
        read.text, "The name of a definition inside its module.", default=""
    )
    namespace: str = optional_field(
        read.text, "The module whose names a function sees.", default=""
    )
    distribution: str | None = optional_field(
        Nullable(read.distribution), "The distribution that installs a module.", default=None
    )
    origin: str = optional_field(
        Choice(NodeOrigin),
        "Where it comes from: the script, the user's own modules, a distribution, the"
        " standard library; reference is what is only named.",
        default="",
    )
    file: str | None = optional_field(
        read.optional_text, "The source file, relative to the project's folder.", default=None
    )
    line: int | None = optional_field(read.whole, "The first line in that file.", default=None)
    source: str | None = optional_field(read.optional_text, "The source text.", default=None)
    reason: str | None = optional_field(
        read.optional_text, "Why there is no source, or not all of it.", default=None
    )
    futures: tuple[str, ...] = optional_field(
        read.texts, "The __future__ features that its module imports.", default=()
    )
    package: bool = optional_field(read.flag, "The module is a package.", default=False)
    decorated: bool = optional_field(
        read.flag, "The source makes the function with its decorators.", default=False
    )
    decompiled: bool = optional_field(
        read.flag, "The source was made from the bytecode, since there was none.", default=False
    )
    code: Code | None = optional_field(Record(Code), "The bytecode of a function.", default=None)
    names: tuple[Binding, ...] = field(
        Array(Record(Binding)), "What its names stand for.", default=()
    )


@record
class EmbeddedFunction:
    """A Python callable that the artifact holds or names."""

    where: tuple[str, ...] = field(
        read.texts, "The names of the layers from the model down to the one that has it."
    )
    role: str = field(read.text, "The key of the layer's configuration that it stands under.")
    name: str = field(read.text, "Its name.")
    encoding: Encoding = field(Choice(Encoding), "How Keras stores it.")
    key: str | None = field(
        read.optional_text,
        "The digest of what Keras wrote for bytecode, null for one stored by name.",
    )
    code_sha256: str | None = field(
        Nullable(read.sha256), "The digest of its code alone, null for one stored by name."
    )
    defaults: bool = field(read.flag, "It has defaults.")
    closure: bool = field(read.flag, "It has a closure.")
    module: str | None = field(read.optional_text, "The module that the artifact names beside it.")
    node: str | None = field(read.optional_text, "Its node in the import graph, null if unknown.")
    damaged: bool = field(
        read.flag, "What Keras wrote is not what the function runs.", default=False
    )


PAIR_LIMIT = 20_000
_DEFINING = ("kind", "source", "futures", "decorated", "distribution")


def same_definition(nodes: dict[str, Node], first: str, second: str) -> bool:
    """Tell whether two nodes define the same: source, values, and all that they reach."""
    seen: set[tuple[str, str]] = set()
    waiting = [(first, second)]
    while waiting:
        pair = waiting.pop()
        if pair in seen or pair[0] == pair[1]:
            continue
        if len(seen) > PAIR_LIMIT:
            return False  # nobody's functions reach so much: it was made to keep us busy
        seen.add(pair)
        a, b = nodes[pair[0]], nodes[pair[1]]
        if any(getattr(a, name) != getattr(b, name) for name in _DEFINING):
            return False
        if len(a.names) != len(b.names):
            return False
        if a.kind == "module" or (a.source is None and a.code != b.code):
            return False
        for x, y in zip(a.names, b.names):
            if not _same_edge(x, y):
                return False
            if x.to is not None and y.to is not None:
                waiting.append((x.to, y.to))
    return True


def _same_edge(first: Binding, second: Binding) -> bool:
    """Tell whether two names stand for the same, but for the nodes that they lead to."""
    # As texts: 1, 1.0 and True are equal, and do not compute the same.
    texts = [json.dumps(binding.value, sort_keys=True) for binding in (first, second)]
    plain = [replace(binding, to=None, value=None) for binding in (first, second)]
    leads = [binding.to is not None for binding in (first, second)]
    return texts[0] == texts[1] and plain[0] == plain[1] and leads[0] == leads[1]
