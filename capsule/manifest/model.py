"""The sidecar: what was true when a model was saved, as frozen dataclasses.

Each field is declared here, and nowhere else: its type, how it is read and what it holds.
``parse.py`` reads a manifest from JSON, ``schema.py`` makes ``schema.json`` for others, and
``files.py`` keeps it beside the model.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

from capsule.manifest import read
from capsule.manifest.codecs import (
    JSON,
    Array,
    Choice,
    Nullable,
    Record,
    Table,
    Unparsed,
    field,
    optional_field,
    record,
)
from capsule.manifest.graph import EmbeddedFunction, Node

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

Origin = Literal["recorded", "described", "inferred"]
Format = Literal["keras-h5", "keras-zip", "keras-json", "saved-model", "weights-h5"]
KerasModule = Literal["keras", "tf_keras", "tensorflow.keras"]
ImageDataFormat = Literal["channels_last", "channels_first"]
Certainty = Literal["read", "inferred", "assumed"]


@record
class ArtifactFacts:
    """The model file."""

    name: str = field(read.file_name, "Its name, without folders.")
    format: Format = field(Choice(Format), "What kind of model file it is.")
    size: int = field(read.size, "Its size in bytes; of a SavedModel that of all files.")
    sha256: str = field(read.sha256, "Its SHA-256; of a SavedModel that of all files.")


@record
class PythonFacts:
    """A Python, or the range of Pythons that may have written an inferred manifest's file."""

    implementation: str = field(read.name, "sys.implementation.name: cpython.")
    version: str | None = field(
        Nullable(read.version),
        "Full version, as platform.python_version() gives it: 3.11.7."
        " Null where an inferred manifest knows a range alone.",
    )
    magic: int | None = field(
        Nullable(read.whole),
        "importlib.util.MAGIC_NUMBER as an integer: which bytecode it runs."
        " Null where an inferred manifest does not know it.",
    )
    abi: str = field(read.line_text, "ABI tag: cp311.")
    versions: tuple[str, ...] = optional_field(
        read.minor_versions,
        "Where version is null, the minor versions that may have written the file,"
        " the lowest first, at least one.",
        default=(),
    )

    @property
    def minor(self) -> str:
        """The version as ``3.11``; of a range the highest."""
        return ".".join((self.version or self.versions[-1]).split(".")[:2])


@record
class PlatformFacts:
    """A machine, as far as it matters for what wheels fit."""

    system: str = field(read.text, "platform.system(): Linux.")
    machine: str = field(read.text, "platform.machine(): x86_64.")
    libc: tuple[str, ...] = field(
        read.texts, "The C library's name and version: glibc, 2.36.", default=()
    )


@record
class KerasFacts:
    """Which Keras wrote the artifact, and over which backend."""

    module: str = field(Choice(KerasModule), "The module that it is imported as.")
    version: str = field(read.version, "Its version.")
    distribution: str | None = field(
        Nullable(read.distribution), "The distribution that installs it, null if unknown."
    )
    backend: str | None = field(
        Nullable(read.name),
        "tensorflow, jax, torch, theano or cntk. Null where an inferred manifest does not know it.",
    )
    backend_version: str | None = field(
        Nullable(read.version), "The backend's version, null if unknown."
    )
    backend_distribution: str | None = field(
        Nullable(read.distribution),
        "The distribution that installs the backend (tensorflow-cpu), null if unknown.",
    )


@record
class Settings:
    """What a keras.json or a line of code may have set, as it was in effect."""

    floatx: str = field(read.name, "The default dtype of weights: float32.")
    epsilon: float = field(read.number, "The small number that Keras adds: 1e-07.")
    image_data_format: str = field(Choice(ImageDataFormat), "Where an image has its channels.")
    dtype_policy: str = field(read.name, "The default policy for mixed precision.")


@record
class DistributionFacts:
    """One installed distribution, in the words of ``pip inspect``."""

    name: str = field(read.distribution, "Its normalized name (PEP 503).")
    version: str = field(read.version, "Its version (PEP 440).")
    requires: tuple[str, ...] = field(
        read.requirements, "Its requirements (PEP 508), as in its metadata.", default=()
    )
    direct_url: JSON = field(
        Nullable(read.direct_url),
        "Where it came from, if not from an index (PEP 610), without passwords and the"
        " paths of a machine.",
        default=None,
    )
    installer: str | None = field(
        read.optional_text, "What installed it: pip, uv, conda.", default=None
    )


@record
class Tensor:
    """An input or output of the model."""

    name: str = field(read.text, "Its name.")
    shape: tuple[int | None, ...] = field(
        read.open_shape, "Its shape, with null for open dimensions."
    )
    dtype: str = field(read.text, "Its dtype: float32.")


@record
class ModelFacts:
    """The live model at save: its class, tensors, and what was not as it should be."""

    class_name: str = field(read.text, "The model's class: Sequential.")
    inputs: tuple[Tensor, ...] = field(
        Array(Record(Tensor)), "Its inputs, in its order.", default=()
    )
    outputs: tuple[Tensor, ...] = field(
        Array(Record(Tensor)), "Its outputs, in its order.", default=()
    )
    unbuilt: tuple[str, ...] = field(read.texts, "Layers that were never built.", default=())
    stateful: tuple[str, ...] = field(
        read.texts, "Layers with state that a call changes.", default=()
    )
    custom: tuple[str, ...] = field(
        read.texts, "Classes of the user's own, as module:qualname.", default=()
    )
    losses: tuple[str, ...] = field(read.texts, "Losses that were set by name.", default=())
    metrics: tuple[str, ...] = field(read.texts, "Metrics that were set by name.", default=())
    arguments: tuple[str, ...] = field(
        read.texts, "Lambda layers whose arguments JSON does not bring back.", default=()
    )
    adapted: tuple[str, ...] = field(
        read.texts, "Layers with a table that they learned.", default=()
    )
    operations: tuple[str, ...] = field(
        read.texts, "What stands in the model's graph and is no layer.", default=()
    )
    subclassed: bool = field(
        read.flag, "The file holds the model's class and not its layers.", default=False
    )
    warnings: tuple[str, ...] = field(
        read.texts, "Sentences that say what may go wrong.", default=()
    )


@record
class InputRecipe:
    """An input that is made again from a seed, uniform between two bounds."""

    shape: tuple[int, ...] = field(read.shape, "Its shape.")
    dtype: str = field(read.dtype, "Its dtype.")
    seed: int = field(read.whole, "The seed of the generator.")
    low: float = field(read.number, "The lower bound, which may occur.")
    high: float = field(read.number, "The upper bound, which does not occur.")


@record
class StoredArray:
    """An array that is stored: whole, or as a digest and a sample where it is large."""

    shape: tuple[int, ...] = field(read.shape, "Its shape.")
    dtype: str = field(read.dtype, "Its dtype.")
    base64: str = optional_field(read.text, "Its bytes, in C order.", default="")
    sha256: str = optional_field(read.sha256, "The digest of its bytes.", default="")
    sample: str = optional_field(read.text, "Its bytes at fixed positions.", default="")


_STORED = Unparsed(Record(StoredArray), ("base64",), ("sample", "sha256"))


@record
class Probe:
    """Inputs and outputs that were recorded at save, or why there are none."""

    inputs: tuple[JSON, ...] = field(
        Array(Unparsed(Record(InputRecipe))), "Inputs to make from a seed.", default=()
    )
    examples: tuple[JSON, ...] = field(
        Array(_STORED), "Inputs that the caller supplied, in place of those made.", default=()
    )
    outputs: tuple[JSON, ...] = field(
        Array(_STORED), "What the model computed of them, in its order.", default=()
    )
    skipped: str | None = field(read.optional_text, "Why there is no probe.", default=None)


@record
class Evidence:
    """How an inferred manifest knows a fact."""

    subject: str = field(read.text, "What the fact is about: python, keras, a name.")
    value: str = field(read.text, "The fact.")
    how: Certainty = field(
        Choice(Certainty),
        "read: it stands in the file; inferred: it follows from what stands there; assumed:"
        " it is what anybody would guess.",
    )
    why: str = field(read.text, "What it follows from.")


@record
class Manifest:
    """What was true when a Keras model was saved."""

    origin: Origin = field(
        Choice(Origin),
        "recorded: from live objects at save; described: of an existing file, with the"
        " environment at hand; inferred: what the file itself tells of the one that saved it.",
    )
    created: str = field(read.date, "When the manifest was made.")
    created_by: str = field(read.text, "The capsule that made it.")
    artifact: ArtifactFacts = field(Record(ArtifactFacts), "The model file.")
    python: PythonFacts = field(Record(PythonFacts), "The Python that saved the model.")
    platform: PlatformFacts | None = field(
        Nullable(Record(PlatformFacts)),
        "The machine. Null where an inferred manifest does not know it.",
    )
    keras: KerasFacts | None = field(
        Nullable(Record(KerasFacts)), "The Keras that saved the model, null if unknown."
    )
    settings: Settings | None = field(
        Nullable(Record(Settings)), "Settings that change numbers, null if unknown."
    )
    environment_variables: dict[str, str] | None = field(
        Nullable(Table(read.setting, ENVIRONMENT_VARIABLES)),
        "Variables that change numbers, as they were set."
        " Null where an inferred manifest does not know them.",
    )
    distributions: tuple[DistributionFacts, ...] | None = field(
        Nullable(Array(Record(DistributionFacts))),
        "Every distribution that was installed."
        " Null where an inferred manifest does not know them.",
    )
    functions: tuple[EmbeddedFunction, ...] = field(
        Array(Record(EmbeddedFunction)), "Every Python callable that the artifact holds."
    )
    nodes: dict[str, Node] = field(
        Table(Record(Node)), "The import graph: definitions as module:qualname, modules by name."
    )
    model: ModelFacts | None = field(
        Nullable(Record(ModelFacts)), "The live model, null if nobody saw it."
    )
    probe: Probe = field(Record(Probe), "What the model computed when it was saved.")
    problems: tuple[str, ...] = field(
        read.texts, "What could not be captured, in sentences.", default=()
    )
    evidence: tuple[Evidence, ...] = optional_field(
        Array(Record(Evidence)), "How an inferred manifest knows its facts.", default=()
    )
    version: str = field(
        read.schema_version, "The version of this schema.", key="capsule", default=SCHEMA_VERSION
    )
    warnings: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def distribution(self, name: str) -> DistributionFacts | None:
        """Return the distribution of that canonical name, or None."""
        return next((d for d in self.distributions or () if d.name == name), None)

    def to_json(self) -> dict[str, JSON]:
        """Return the sidecar's JSON object, its keys those of the published schema."""
        data: dict[str, JSON] = MANIFEST.write(self)
        return data

    def to_text(self) -> str:
        """Return the sidecar's text: sorted, indented, the same for the same facts."""
        return json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


MANIFEST = Record(Manifest)
