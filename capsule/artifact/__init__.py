"""A model file, read only: its format, digest, configuration and carried functions."""

from __future__ import annotations

from capsule.artifact.embedded import Carried
from capsule.artifact.files import Artifact, identify, open_artifact

__all__ = ["Artifact", "Carried", "identify", "open_artifact"]
