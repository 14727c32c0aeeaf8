"""The sidecar: its fields, how it is read and checked, where it lies."""

from __future__ import annotations

from capsule.manifest.model import (
    ENVIRONMENT_VARIABLES,
    JSON,
    SCHEMA_VERSION,
    ArtifactFacts,
    Binding,
    Code,
    DistributionFacts,
    EmbeddedFunction,
    Evidence,
    KerasFacts,
    Manifest,
    ModelFacts,
    Node,
    PlatformFacts,
    Probe,
    PythonFacts,
    Settings,
    Tensor,
    holds_value,
    same_definition,
)

__all__ = [
    "ENVIRONMENT_VARIABLES",
    "JSON",
    "SCHEMA_VERSION",
    "ArtifactFacts",
    "Binding",
    "Code",
    "DistributionFacts",
    "EmbeddedFunction",
    "Evidence",
    "KerasFacts",
    "Manifest",
    "ModelFacts",
    "Node",
    "PlatformFacts",
    "Probe",
    "PythonFacts",
    "Settings",
    "Tensor",
    "holds_value",
    "same_definition",
]
