"""How often a model is hashed and its sidecar read: each once, whatever is done with it."""

from __future__ import annotations

import hashlib
from typing import Any

import capsule.artifact.files
import capsule.manifest.files


class Counts:
    """Counts what reads a whole model file, and what reads a sidecar, from when it is made."""

    def __init__(self) -> None:
        self.hashed = 0
        self.parsed = 0
        self._parse = capsule.manifest.files.manifest_from_json
        capsule.artifact.files.hashlib = self  # type: ignore[attr-defined, assignment]
        capsule.manifest.files.manifest_from_json = self._count_parse  # type: ignore[assignment]

    def sha256(self) -> Any:
        """Stand in for ``hashlib.sha256`` in the room that reads model files."""
        self.hashed += 1
        return hashlib.sha256()

    def _count_parse(self, data: Any) -> Any:
        self.parsed += 1
        return self._parse(data)

    def restore(self) -> None:
        """Count no more."""
        capsule.artifact.files.hashlib = hashlib  # type: ignore[attr-defined]
        capsule.manifest.files.manifest_from_json = self._parse
