"""The first step of every command: a model file and its sidecar, read once, as one description."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from capsule.artifact import Artifact, Identity, identify, open_artifact
from capsule.description.custom import CustomObjects
from capsule.errors import InputError, ManifestError
from capsule.inspection.inspecting import Reading, read_artifact
from capsule.inspection.model import Inspection
from capsule.manifest import ArtifactFacts, Manifest
from capsule.manifest.files import read_manifest, sidecar_path


@dataclass(frozen=True)
class Description:
    """An artifact, its manifest, and what the caller supplies; read further on first use."""

    path: Path
    identity: Identity
    manifest: Manifest
    """What the sidecar recorded, or what the file tells where there is none."""
    custom: CustomObjects = field(default_factory=CustomObjects)
    sidecar: Path | None = None
    """The sidecar that was named, if it is not the one beside the file."""

    @classmethod
    def inferred_from(
        cls, path: Path, identity: Identity, reading: Reading, custom: CustomObjects
    ) -> Description:
        """Return the description of a file of which nothing was recorded, as it was read."""
        # Imported where a file has no sidecar: reading other Pythons' code brings a lot along.
        from capsule.description.infer import infer_manifest

        manifest = infer_manifest(reading.inspection, reading.artifact, custom)
        return cls(path, identity, manifest, custom).with_reading(reading)

    @cached_property
    def artifact(self) -> Artifact:
        """The model file with its configuration."""
        if "reading" in vars(self):
            return self.reading.artifact
        return open_artifact(self.path, identity=self.identity)

    @property
    def inspection(self) -> Inspection:
        """Everything that the file tells without its model being run."""
        return self.reading.inspection

    @cached_property
    def reading(self) -> Reading:
        """Inspection and artifact, read together."""
        return read_artifact(self.path, self.identity)

    @property
    def inferred(self) -> bool:
        """Whether nothing was recorded when the model was saved."""
        return self.manifest.origin == "inferred"

    @property
    def change(self) -> str | None:
        """What is to be said where the file is another one than its sidecar describes."""
        facts = self.manifest.artifact
        if self.identity.sha256 == facts.sha256:
            return None
        sidecar = (self.sidecar or sidecar_path(self.path)).name
        if self.path.name == facts.name:
            return f"{facts.name} has changed since {sidecar} was written (SHA-256 differs)"
        return (
            f"{self.path.name} is not the file that {sidecar} describes, which was {facts.name}"
            " (SHA-256 differs)"
        )

    @property
    def facts(self) -> ArtifactFacts:
        """The model file as it is now, in the words of a manifest."""
        form = self.identity.format
        if self.manifest.artifact.format == "weights-h5":
            form = "weights-h5"
        return ArtifactFacts(self.path.name, form, self.identity.size, self.identity.sha256)

    def with_aliases(self, aliases: Mapping[str, str]) -> Description:
        """Return it with *aliases*, ``{customary name: module}``, for what the file leaves open."""
        from capsule.description.infer import infer_manifest

        manifest = infer_manifest(self.inspection, self.artifact, self.custom, aliases)
        return self.with_manifest(manifest)

    def on_python(self, version: str) -> Description:
        """Return it for a Python of that full version, which was chosen to replay it on."""
        from capsule.description.infer import python_facts

        python = python_facts(version)
        return self.with_manifest(replace(self.manifest, python=python))

    def with_manifest(self, manifest: Manifest) -> Description:
        """Return it with another manifest; what was read of the file stays."""
        return replace(self, manifest=manifest)._remembering(vars(self))

    def with_reading(self, reading: Reading) -> Description:
        """Return it with an inspection and an artifact that were read already."""
        return replace(self)._remembering({"reading": reading})

    def with_artifact(self, artifact: Artifact) -> Description:
        """Return it with an artifact that was read already."""
        return replace(self)._remembering({"artifact": artifact})

    def _remembering(self, read: Mapping[str, Any]) -> Description:
        # Where a cached property keeps its value.
        vars(self).update({k: v for k, v in read.items() if k in ("reading", "artifact")})
        return self


def describe(
    path: str | os.PathLike[str],
    *,
    sidecar: str | os.PathLike[str] | None = None,
    custom: CustomObjects | None = None,
    disassemble: bool = False,
) -> Description:
    """Return what is known of the artifact at *path*.

    The file's bytes are hashed once and its sidecar is read once. A file without a sidecar,
    or with one that was itself inferred, is inspected in a child process.

    Parameters
    ----------
    path
        The model file or SavedModel folder.
    sidecar
        The sidecar, if it is not the one beside the file.
    custom
        What the caller supplies of what the file lacks.
    disassemble
        Keep the instructions of each function in the inspection.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, or no model.
    ManifestError
        The sidecar that was named does not exist, or a sidecar is not valid.
    InputError
        *custom* binds names although a sidecar says what they stand for.
    """
    path = Path(path)
    identity = identify(path)
    custom = custom or CustomObjects()
    manifest = _sidecar(path, sidecar)
    if manifest is not None and manifest.origin != "inferred":
        if custom.bind or custom.definitions:
            raise InputError(f"{path} has a sidecar, which says what its names stand for")
        named = None if sidecar is None else Path(sidecar)
        description = Description(path, identity, manifest, custom, named)
        if disassemble:
            return description.with_reading(read_artifact(path, identity, disassemble=True))
        return description
    reading = read_artifact(path, identity, disassemble=disassemble)
    return Description.inferred_from(path, identity, reading, custom)


def _sidecar(path: Path, named: str | os.PathLike[str] | None) -> Manifest | None:
    """Return the sidecar that was named or that lies beside *path*, None if there is none."""
    place = sidecar_path(path) if named is None else Path(named)
    if os.path.exists(place):
        return read_manifest(place)
    if named is None:
        return None
    raise ManifestError(f"the sidecar {place} does not exist", code="manifest-missing")
