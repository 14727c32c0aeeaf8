"""A saved model and its live objects to a manifest."""

from __future__ import annotations

import datetime
import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from capsule import __version__
from capsule.artifact import Artifact, identify, open_artifact
from capsule.capture import live
from capsule.capture.graph import ImportGraph
from capsule.capture.matching import carried, carried_by
from capsule.capture.origins import Origins
from capsule.capture.probing import record_probe
from capsule.capture.save_warnings import doubts
from capsule.environment import (
    Environment,
    environment_here,
    live_environment,
    read_distributions,
)
from capsule.environment.frameworks import backend_provider, keras_provider
from capsule.manifest import (
    ArtifactFacts,
    DistributionFacts,
    KerasFacts,
    Manifest,
    ModelFacts,
    Probe,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What to record: the probe (True, False or inputs), source text, plain values.

    *allow* are names that look like a secret's and are none.
    """

    probe: Any = True
    source: bool = True
    values: bool = True
    strict: bool = False
    allow: tuple[str, ...] = ()


@functools.lru_cache(maxsize=1)
def _distributions(paths: tuple[str, ...]) -> tuple[DistributionFacts, ...]:
    """Return what is installed in *paths*; read once a process, since it costs the most."""
    return read_distributions(paths)


@functools.lru_cache(maxsize=1)
def _origins() -> Origins:
    return Origins(live_environment().paths)


def project_root() -> Path:
    """Return the folder to which the sidecar's file names are relative: the script's, or this."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    here = Path.cwd()
    if main is not None and here not in Path(main).resolve().parents:
        return Path(main).resolve().parent
    return here


def record_model(
    model: Any, path: str | os.PathLike[str], options: Options, *, in_checkpoint: bool = False
) -> Manifest:
    """Return the manifest of *model*, just saved at *path*.

    Never fails on what the model holds: what could not be captured is listed in
    ``problems``. Raises ArtifactError only if there is no file.
    """
    problems: list[str] = []

    def attempt(what: str, act: Callable[[], T], otherwise: T) -> T:
        # The capture meets objects of every kind; a save must not fail on one of them.
        try:
            return act()
        except Exception as error:
            if options.strict:
                raise
            problems.append(f"{what} could not be captured: {type(error).__name__}: {error}")
            return otherwise

    # This process wrote it: nothing in it is to be feared.
    own = functools.partial(open_artifact, path, isolated=False)
    artifact = attempt("the file's own configuration", own, None)
    if artifact is None:
        form, size, sha256 = identify(path)
        artifact = Artifact(Path(path), form, size, sha256, None, None, None, None)
    environment = live_environment()
    origins = _origins()
    root = attempt("the project's folder", project_root, Path("/nowhere"))
    facts = attempt("the model", lambda: live.model_facts(model, origins), ModelFacts("unknown"))
    nothing_to_tell: tuple[str, ...] = ()
    asked = functools.partial(doubts, model, origins, artifact.format)
    facts = replace(facts, warnings=attempt("what may go wrong", asked, nothing_to_tell))
    graph = ImportGraph(
        origins, root, source=options.source, values=options.values, allow=options.allow
    )
    functions = attempt(
        "the functions",
        # A SavedModel's functions are in its graph.
        lambda: (
            ()
            if artifact.format == "saved-model"
            else carried_by(model, artifact, graph, origins, attempt)
        ),
        tuple(carried(found, None) for found in artifact.functions),
    )
    nothing: tuple[DistributionFacts, ...] = ()
    read = functools.partial(_distributions, environment.paths)
    installed = attempt("the distributions", read, nothing)
    versions = {distribution.name: distribution.version for distribution in installed}
    return Manifest(
        origin="recorded",
        created=_now(),
        created_by=f"capsule {__version__}",
        artifact=artifact_facts(artifact),
        python=environment.python,
        platform=environment.platform,
        keras=attempt("Keras", lambda: live.keras_facts(model, versions, origins), None),
        settings=attempt("the settings", lambda: live.settings(model), None),
        environment_variables=live.environment_variables(),
        distributions=installed,
        functions=functions,
        nodes=graph.nodes,
        model=facts,
        probe=attempt(
            "the probe",
            lambda: record_probe(model, facts, options.probe, whole=not in_checkpoint),
            Probe(skipped="it could not be taken"),
        ),
        problems=tuple(problems),
    )


def artifact_facts(artifact: Artifact) -> ArtifactFacts:
    """Return what the sidecar says of the file itself."""
    return ArtifactFacts(artifact.path.name, artifact.format, artifact.size, artifact.sha256)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def record_file(
    path: str | os.PathLike[str], python: str | os.PathLike[str] | None = None
) -> Manifest:
    """Return the manifest of an artifact that exists already, in the present environment.

    Its functions are read from the file: there are no live objects to ask. *python*
    names another environment than the one here.
    """
    artifact = open_artifact(path)
    environment = environment_here(python)
    return Manifest(
        origin="described",
        created=_now(),
        created_by=f"capsule {__version__}",
        artifact=artifact_facts(artifact),
        python=environment.python,
        platform=environment.platform,
        keras=_keras_installed(artifact, environment),
        settings=None,
        environment_variables=live.environment_variables(),
        distributions=_distributions(environment.paths),
        functions=tuple(carried(found, None) for found in artifact.functions),
        nodes={},
        model=None,
        probe=Probe(skipped="the model was not loaded"),
        problems=("its functions were read from the file, not from live objects",),
    )


def _keras_installed(artifact: Artifact, environment: Environment) -> KerasFacts | None:
    """Return the Keras that is installed, in place of the one that wrote the file."""
    installed = environment.distributions
    backend = (artifact.backend or "tensorflow").lower()
    found = backend_provider(installed, backend)
    for module in ("keras", "tf_keras", "tensorflow.keras"):
        provided = keras_provider(installed, module)
        if provided is not None:
            return KerasFacts(
                module=module,
                version=provided[1],
                distribution=provided[0],
                backend=backend,
                backend_version=found and found[1],
                backend_distribution=found and found[0],
            )
    return None
