"""A model file, read only: its format, digest, configuration and embedded functions."""

from __future__ import annotations

from capsule.artifact.embedded import StoredFunction
from capsule.artifact.files import Artifact, Identity, identify, open_artifact

__all__ = ["Artifact", "Identity", "StoredFunction", "identify", "open_artifact"]
