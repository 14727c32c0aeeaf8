"""The sidecar: its fields, how it is read and checked, where it lies."""

from __future__ import annotations

from capsule.manifest.model import (
    ENVIRONMENT_VARIABLES,
    JSON,
    SCHEMA_VERSION,
    ArtifactFacts,
    Binding,
    CarriedFunction,
    Code,
    DistributionFacts,
    KerasFacts,
    KnownFact,
    Manifest,
    ModelFacts,
    Node,
    PlatformFacts,
    Probe,
    PythonFacts,
    Settings,
    Tensor,
    alike,
    holds_value,
)

__all__ = [
    "ENVIRONMENT_VARIABLES",
    "JSON",
    "SCHEMA_VERSION",
    "ArtifactFacts",
    "Binding",
    "CarriedFunction",
    "Code",
    "DistributionFacts",
    "KerasFacts",
    "KnownFact",
    "Manifest",
    "ModelFacts",
    "Node",
    "PlatformFacts",
    "Probe",
    "PythonFacts",
    "Settings",
    "Tensor",
    "alike",
    "holds_value",
]
