"""Capture the environment of Keras model artifacts, verify it before deploy, replay it.

``save`` and ``hook`` write a sidecar beside a model; ``verify`` compares an environment
with it; ``load`` restores the model's functions in this process; ``replay`` rebuilds the
environment and loads the model there. Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # as type checkers know it; `typing` itself would be the dearest import

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from capsule.artifact import Artifact as Artifact
    from capsule.capture.save_hook import hook as hook
    from capsule.capture.save_hook import hooked as hooked
    from capsule.capture.save_hook import save as save
    from capsule.capture.save_hook import unhook as unhook
    from capsule.errors import CapsuleError as CapsuleError
    from capsule.inspection import Inspection as Inspection
    from capsule.inspection import inspect as inspect
    from capsule.loading import load as load
    from capsule.manifest import Manifest as Manifest
    from capsule.rebuild.replaying import replay as replay
    from capsule.verdict import Finding as Finding
    from capsule.verdict import Verdict as Verdict
    from capsule.verdict import verify as verify

_HOMES = {
    "save": "capsule.capture.save_hook",
    "hook": "capsule.capture.save_hook",
    "unhook": "capsule.capture.save_hook",
    "hooked": "capsule.capture.save_hook",
    "verify": "capsule.verdict",
    "load": "capsule.loading",
    "inspect": "capsule.inspection",
    "Inspection": "capsule.inspection",
    "replay": "capsule.rebuild.replaying",
    "Manifest": "capsule.manifest",
    "Verdict": "capsule.verdict",
    "Finding": "capsule.verdict",
    "Artifact": "capsule.artifact",
    "CapsuleError": "capsule.errors",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'capsule' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
