"""The sidecar: what was true when a model was saved, as frozen dataclasses.

``capsule/manifest/schema.json`` describes the same file for others;
``capsule/manifest/files.py`` reads and writes it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SCHEMA_VERSION = "1.0"

# What changes what Keras computes; nothing else of the environment is kept or believed.
# XLA_FLAGS does too, but can also name programs and files: never taken from a sidecar.
ENVIRONMENT_VARIABLES = (
    "KERAS_BACKEND",
    "TF_USE_LEGACY_KERAS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DETERMINISTIC_OPS",
    "JAX_ENABLE_X64",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "NVIDIA_TF32_OVERRIDE",
)

JSON = Any  # a value of json.load


@dataclass(frozen=True)
class ArtifactFacts:
    """The model file: its name without folders, format, size in bytes, SHA-256 in hex."""

    name: str
    format: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PythonFacts:
    """A Python: implementation, full version, bytecode magic number, ABI tag.

    An inferred manifest may know no more than a range: ``version`` and ``magic`` are then
    None, and ``versions`` lists the minor versions that may have written the file, at least
    one, the lowest first. Where ``version`` is known, ``versions`` is empty.
    """

    implementation: str
    version: str | None
    magic: int | None
    abi: str
    versions: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """The version as ``3.11``; of a range the highest."""
        return ".".join((self.version or self.versions[-1]).split(".")[:2])


@dataclass(frozen=True)
class PlatformFacts:
    """A machine, as far as it matters for what wheels fit: system, machine, C library."""

    system: str
    machine: str
    libc: tuple[str, ...] = ()


@dataclass(frozen=True)
class KerasFacts:
    """Which Keras wrote the artifact, over which backend, and their distributions.

    ``backend`` is None where an inferred manifest does not know it.
    """

    module: str
    version: str
    distribution: str | None
    backend: str | None
    backend_version: str | None
    backend_distribution: str | None


@dataclass(frozen=True)
class Settings:
    """What a keras.json or a line of code may have set, as it was in effect."""

    floatx: str
    epsilon: float
    image_data_format: str
    dtype_policy: str


@dataclass(frozen=True)
class DistributionFacts:
    """One installed distribution, in the words of ``pip inspect``."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    direct_url: JSON = None
    installer: str | None = None


@dataclass(frozen=True)
class Binding:
    """An edge of the import graph: what a name of a function stood for.

    ``how`` is global, closure, default, keyword-default, import or attribute; base or
    body for what a class or a decorated function needs to be made, decorator for one
    that only registers; part, argument, keyword or item for what an object is made of.
    Either ``to`` names a node (with
    ``attribute`` to take from a module), or ``value`` holds plain data, or ``missing``
    says that nobody defined it. ``attributes`` are the chains used of it.
    """

    name: str
    how: str
    to: str | None = None
    attribute: str | None = None
    value: JSON = None
    missing: bool = False
    attributes: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[str, ...]:
        """What is taken of the module it stands for: imported from it, or used of it."""
        return (self.attribute,) if self.attribute else self.attributes


@dataclass(frozen=True)
class Code:
    """The bytecode of a function: digest, magic number, and base64 where no source was."""

    sha256: str
    magic: int
    base64: str | None = None


@dataclass(frozen=True)
class Node:
    """A node of the import graph: a definition of the user's, an object, or a module.

    ``kind`` is lambda, function, class or module, or of an object call (the result of
    calling a function), instance, list, tuple, set, frozenset or dict. ``decorated``
    source makes the function with its decorators; ``lifted`` source was made from the
    code, since there was none.
    """

    kind: str
    module: str = ""
    qualname: str = ""
    namespace: str = ""
    distribution: str | None = None
    origin: str = ""
    file: str | None = None
    line: int | None = None
    source: str | None = None
    reason: str | None = None
    futures: tuple[str, ...] = ()
    package: bool = False
    decorated: bool = False
    lifted: bool = False
    code: Code | None = None
    names: tuple[Binding, ...] = ()


@dataclass(frozen=True)
class CarriedFunction:
    """A function of the artifact: where in the model, how stored, and its node if known.

    ``key`` is the digest of what Keras wrote for bytecode, None for a function stored
    by name. ``damaged``: what it wrote is not what the function runs.
    """

    where: tuple[str, ...]
    role: str
    name: str
    encoding: str
    key: str | None
    code_sha256: str | None
    defaults: bool
    closure: bool
    module: str | None
    node: str | None
    damaged: bool = False


@dataclass(frozen=True)
class Tensor:
    """An input or output: name, shape with None for open dimensions, dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class ModelFacts:
    """The live model at save: its class, tensors, and what was not as it should be.

    ``custom`` are classes of the user's own as ``module:qualname``; ``losses`` and
    ``metrics`` those given as text; ``arguments`` the Lambda layers whose arguments JSON
    does not bring back; ``adapted`` the layers with a table that they learned;
    ``operations`` what stands in the model's graph and is no layer. ``subclassed`` tells
    that the file holds the model's class and not its layers; ``doubts`` are sentences of
    what may go wrong.
    """

    class_name: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    unbuilt: tuple[str, ...] = ()
    stateful: tuple[str, ...] = ()
    custom: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    subclassed: bool = False
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probe:
    """Recorded inputs and outputs, or why there are none (``skipped``)."""

    inputs: tuple[JSON, ...] = ()
    given: tuple[JSON, ...] = ()
    outputs: tuple[JSON, ...] = ()
    skipped: str | None = None


@dataclass(frozen=True)
class KnownFact:
    """How an inferred manifest knows a fact: ``read``, ``inferred`` or ``assumed``, and why."""

    subject: str
    value: str
    how: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """A whole sidecar. ``origin`` is ``saved`` (live objects), ``file`` or ``inferred``.

    ``file`` describes the environment at hand, ``inferred`` what the file tells of the one
    that saved it; ``known`` says of an inferred fact how it is known. None stands for a fact
    that is unknown; ``platform``, ``environment_variables`` and ``distributions`` are unknown
    in an inferred manifest alone.
    """

    origin: str
    created: str
    created_by: str
    artifact: ArtifactFacts
    python: PythonFacts
    platform: PlatformFacts | None
    keras: KerasFacts | None
    settings: Settings | None
    environment_variables: dict[str, str] | None
    distributions: tuple[DistributionFacts, ...] | None
    functions: tuple[CarriedFunction, ...]
    nodes: dict[str, Node]
    model: ModelFacts | None
    probe: Probe
    problems: tuple[str, ...] = ()
    known: tuple[KnownFact, ...] = ()
    version: str = SCHEMA_VERSION
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def distribution(self, name: str) -> DistributionFacts | None:
        """Return the distribution of that canonical name, or None."""
        return next((d for d in self.distributions or () if d.name == name), None)

    def to_json(self) -> dict[str, JSON]:
        """Return the sidecar's JSON object, its keys those of the published schema."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("version", "warnings"):
            del data[name]
        if not self.known:
            del data["known"]
        data = json.loads(json.dumps(data, default=_plain))
        return {"capsule": self.version, **data}

    def to_text(self) -> str:
        """Return the sidecar's text: sorted, indented, the same for the same facts."""
        return json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


ALIKE_LIMIT = 20_000
_DEFINES = ("kind", "source", "futures", "decorated", "distribution")


def alike(nodes: dict[str, Node], one: str, other: str) -> bool:
    """Tell whether two nodes define the same: source, values, and all that they reach."""
    seen: set[tuple[str, str]] = set()
    waiting = [(one, other)]
    while waiting:
        pair = waiting.pop()
        if pair in seen or pair[0] == pair[1]:
            continue
        if len(seen) > ALIKE_LIMIT:
            return False  # no one's functions, but a riddle
        seen.add(pair)
        a, b = nodes[pair[0]], nodes[pair[1]]
        if any(getattr(a, field) != getattr(b, field) for field in _DEFINES):
            return False
        if len(a.names) != len(b.names):
            return False
        if a.kind == "module" or (a.source is None and a.code != b.code):
            return False
        for x, y in zip(a.names, b.names):
            if replace(x, to=None) != replace(y, to=None) or (x.to is None) != (y.to is None):
                return False
            if x.to is not None and y.to is not None:
                waiting.append((x.to, y.to))
    return True


def _plain(value: object) -> JSON:
    """Turn a dataclass into an object without the keys that say nothing."""
    if not hasattr(value, "__dataclass_fields__"):
        raise TypeError(f"{type(value).__name__} is not data of a manifest")
    data = asdict(value)  # type: ignore[call-overload]
    if isinstance(value, (Node, Binding)):
        data = _without_defaults(value, data)
    return data


def _without_defaults(value: Node | Binding, data: dict[str, JSON]) -> dict[str, JSON]:
    kept = {}
    for name, spec in value.__dataclass_fields__.items():
        if name == "names":
            kept[name] = [_without_defaults(b, asdict(b)) for b in getattr(value, name)]
        elif data[name] != spec.default or (name == "value" and holds_value(value)):
            kept[name] = data[name]
    return kept


def holds_value(binding: Node | Binding) -> bool:
    """Tell whether a binding stands for plain data: None is a value as well."""
    return isinstance(binding, Binding) and binding.to is None and not binding.missing
