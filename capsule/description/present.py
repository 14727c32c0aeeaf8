"""The manifest of a file that exists already: its functions are read, the environment is here."""

from __future__ import annotations

import datetime
import os

from capsule import __version__
from capsule.artifact import Artifact, StoredFunction, open_artifact
from capsule.environment import Environment, environment_here, read_distributions
from capsule.environment.frameworks import backend_provider, installed_kerases
from capsule.manifest import ArtifactFacts, EmbeddedFunction, KerasFacts, Manifest, Probe


def artifact_facts(artifact: Artifact) -> ArtifactFacts:
    """Return what the sidecar says of the file itself."""
    return ArtifactFacts(artifact.path.name, artifact.format, artifact.size, artifact.sha256)


def now() -> str:
    """Return the present time as a sidecar writes it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def describe_present(
    path: str | os.PathLike[str], python: str | os.PathLike[str] | None = None
) -> Manifest:
    """Return the manifest of an artifact that exists already, in the present environment.

    Its functions are read from the file: there are no live objects to ask. *python*
    names another environment than the present one.
    """
    artifact = open_artifact(path)
    environment = environment_here(python)
    return Manifest(
        origin="described",
        created=now(),
        created_by=f"capsule {__version__}",
        artifact=artifact_facts(artifact),
        python=environment.python,
        platform=environment.platform,
        keras=_keras_installed(artifact, environment),
        settings=None,
        environment_variables=dict(environment.variables),
        distributions=read_distributions(environment.paths),
        functions=tuple(entry_of(function, None) for function in artifact.functions),
        nodes={},
        model=None,
        probe=Probe(skipped="the model was not loaded"),
        problems=("its functions were read from the file, not from live objects",),
    )


def _keras_installed(artifact: Artifact, environment: Environment) -> KerasFacts | None:
    """Return the Keras that is installed, in place of the one that wrote the file."""
    kerases = installed_kerases(environment.distributions)
    if not kerases:
        return None
    name = (artifact.backend or "tensorflow").lower()
    backend = backend_provider(environment.distributions, name)
    return KerasFacts(
        module=kerases[0].module,
        version=kerases[0].version,
        distribution=kerases[0].distribution,
        backend=name,
        backend_version=backend.version if backend else None,
        backend_distribution=backend.name if backend else None,
    )


def entry_of(
    function: StoredFunction, node: str | None, name: str | None = None, *, damaged: bool = False
) -> EmbeddedFunction:
    """Return what the sidecar says of a function of the file."""
    return EmbeddedFunction(
        where=function.where,
        role=function.role,
        name=name or function.name,
        encoding=function.encoding,
        key=function.key,
        code_sha256=function.code_sha256,
        defaults=bool(function.defaults),
        closure=bool(function.closure),
        module=function.module,
        node=node,
        damaged=damaged,
    )
