"""A saved model and its live objects to a manifest."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from capsule import __version__
from capsule.artifact import Artifact, identify, open_artifact
from capsule.capture import live
from capsule.capture.context import make_context
from capsule.capture.graph import ImportGraph
from capsule.capture.matching import embedded_functions
from capsule.capture.options import Attempts, SaveOptions
from capsule.capture.origins import Origins
from capsule.capture.probing import record_probe
from capsule.capture.save_warnings import save_warnings
from capsule.description.present import artifact_facts, entry_of, now
from capsule.environment import live_environment, read_distributions
from capsule.manifest import (
    DistributionFacts,
    EmbeddedFunction,
    Manifest,
    ModelFacts,
    Node,
    Probe,
)


def project_root() -> Path:
    """Return the folder to which the sidecar's file names are relative: the script's, or this."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    here = Path.cwd()
    if main is not None and here not in Path(main).resolve().parents:
        return Path(main).resolve().parent
    return here


def record_model(
    model: Any, path: str | os.PathLike[str], options: SaveOptions, *, in_checkpoint: bool = False
) -> Manifest:
    """Return the manifest of *model*, just saved at *path*.

    Never fails on what the model holds: what could not be captured is listed in
    ``problems``. Raises ArtifactError only if there is no file.
    """
    attempt = Attempts(options.strict)
    artifact = _own_artifact(path, attempt)
    environment = live_environment()
    origins = Origins(environment.paths)
    facts = _model_facts(model, origins, artifact, attempt)
    root = attempt("the project's folder", project_root, Path("/nowhere"))
    graph = ImportGraph(make_context(origins, root, options))
    functions = _functions(model, artifact, graph, origins, attempt)
    nothing: tuple[DistributionFacts, ...] = ()
    read = functools.partial(read_distributions, environment.paths)
    installed = attempt("the distributions", read, nothing)
    versions = {distribution.name: distribution.version for distribution in installed}
    keras = attempt("Keras", lambda: live.keras_facts(model, versions, origins), None)
    probe = attempt(
        "the probe",
        lambda: record_probe(model, facts, options.probe, whole=not in_checkpoint),
        Probe(skipped="it could not be recorded"),
    )
    return Manifest(
        origin="recorded",
        created=now(),
        created_by=f"capsule {__version__}",
        artifact=artifact_facts(artifact),
        python=environment.python,
        platform=environment.platform,
        keras=keras,
        settings=attempt("the settings", lambda: live.settings(model), None),
        environment_variables=dict(environment.variables),
        distributions=installed,
        functions=functions,
        nodes=graph.nodes,
        model=facts,
        probe=probe,
        problems=(*attempt.problems, *unidentified_modules(graph.nodes)),
    )


def _own_artifact(path: str | os.PathLike[str], attempt: Attempts) -> Artifact:
    # This process wrote it: nothing in it is to be feared.
    own = functools.partial(open_artifact, path, isolated=False)
    artifact = attempt("the file's own configuration", own, None)
    if artifact is not None:
        return artifact
    form, size, sha256 = identify(path)
    return Artifact(Path(path), form, size, sha256, None, None, None, None)


def _model_facts(model: Any, origins: Origins, artifact: Artifact, attempt: Attempts) -> ModelFacts:
    facts = attempt("the model", lambda: live.model_facts(model, origins), ModelFacts("unknown"))
    nothing: tuple[str, ...] = ()
    check = functools.partial(save_warnings, model, origins, artifact.format)
    return replace(facts, warnings=attempt("what may go wrong", check, nothing))


def _functions(
    model: Any, artifact: Artifact, graph: ImportGraph, origins: Origins, attempt: Attempts
) -> tuple[EmbeddedFunction, ...]:
    if artifact.format == "saved-model":
        return ()  # its functions are in its graph
    return attempt(
        "the functions",
        lambda: embedded_functions(model, artifact, graph, origins, attempt),
        tuple(entry_of(function, None) for function in artifact.functions),
    )


def unidentified_modules(nodes: Mapping[str, Node]) -> Iterator[str]:
    """Say of which installed modules nobody knows the distribution, and so the version."""
    names = (
        name.partition(".")[0]
        for name, node in nodes.items()
        if (node.kind, node.origin, node.distribution) == ("module", "distribution", None)
    )
    for name in sorted(set(names)):
        yield (
            f"the model uses the module {name}, but no installed distribution says that it"
            " brought it: its version is unknown"
        )
