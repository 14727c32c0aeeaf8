"""The sidecar: its fields, how it is read and checked, where it lies."""

from __future__ import annotations

from capsule.manifest.codecs import JSON
from capsule.manifest.graph import (
    Binding,
    BindingKind,
    Code,
    EmbeddedFunction,
    Encoding,
    Node,
    NodeKind,
    holds_value,
    same_definition,
)
from capsule.manifest.model import (
    ENVIRONMENT_VARIABLES,
    SCHEMA_VERSION,
    ArtifactFacts,
    DistributionFacts,
    Evidence,
    Format,
    KerasFacts,
    Manifest,
    ModelFacts,
    Origin,
    PlatformFacts,
    Probe,
    PythonFacts,
    Settings,
    Tensor,
)

__all__ = [
    "ENVIRONMENT_VARIABLES",
    "JSON",
    "SCHEMA_VERSION",
    "ArtifactFacts",
    "Binding",
    "BindingKind",
    "Code",
    "DistributionFacts",
    "EmbeddedFunction",
    "Encoding",
    "Evidence",
    "Format",
    "KerasFacts",
    "Manifest",
    "ModelFacts",
    "Node",
    "NodeKind",
    "Origin",
    "PlatformFacts",
    "Probe",
    "PythonFacts",
    "Settings",
    "Tensor",
    "holds_value",
    "same_definition",
]
