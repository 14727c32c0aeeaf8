"""A model file, read only: its format, digest, configuration and embedded functions."""

from __future__ import annotations

from capsule.artifact.embedded import StoredFunction
from capsule.artifact.files import Artifact, Format, Identity, identify, open_artifact

__all__ = ["Artifact", "Format", "Identity", "StoredFunction", "identify", "open_artifact"]
