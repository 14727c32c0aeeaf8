"""A model file, read only: its format, digest, configuration and carried functions."""

from __future__ import annotations

from capsule.artifact.carried import Carried, carried_functions
from capsule.artifact.files import Artifact, identify, open_artifact

__all__ = ["Artifact", "Carried", "carried_functions", "identify", "open_artifact"]
