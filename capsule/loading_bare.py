"""``capsule.load`` of a file that was never captured: from what it tells, in this process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.version import Version

from capsule.artifact import Artifact
from capsule.consent.plan import make_plan
from capsule.description.aliases import aliases_here
from capsule.description.infer import inferred
from capsule.environment import Environment, live_environment
from capsule.environment.frameworks import keras_provider
from capsule.errors import RestoreFailedError, VerdictError
from capsule.guest import keras_adapter
from capsule.guest.compiling import RestoreError
from capsule.inspection import Inspection
from capsule.inspection.inspecting import inspect_with_artifact
from capsule.keras_compat.translation import translated
from capsule.rebuild.replaying import replay
from capsule.verdict.bare import needs_translation
from capsule.verdict.judge import judge_bare


def load_bare(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any],
    bind: Mapping[str, Any],
    safe_mode: bool,
    trust: Iterable[str],
    otherwise: str,
) -> Any:
    """Return the model at *path*, which has no sidecar, or raise as ``capsule.load`` does."""
    inspection, artifact = inspect_with_artifact(path)
    custom_objects = under_all_names(inspection, custom_objects)
    environment = live_environment()
    verdict = judge_bare(Path(path), inspection, artifact, environment, custom_objects, bind)
    keras = _keras(environment)
    made = inferred(inspection, artifact, bind=bind)
    plan = make_plan(artifact, made, safe_mode=safe_mode, trust=trust, keras=keras)
    if plan.consent.functions or plan.consent.foreign:
        plan.consent.require(str(path))
    if verdict.capsule == "no":
        if otherwise == "replay":
            return replay(path, safe_mode=safe_mode, trust=trust, bind=bind)
        first = verdict.deciding("capsule")[0]
        raise VerdictError(f"{path} will not load here: {first.sentence}", verdict)
    # Now that it may run: which modules the customary names stand for is looked up live.
    aliases = aliases_here(inspection, set(bind))
    made = inferred(inspection, artifact, bind=bind, aliases=aliases)
    plan = make_plan(
        artifact,
        made,
        safe_mode=safe_mode,
        trust=trust,
        keras=keras,
        build=what_to_build(inspection, artifact, environment),
    )
    try:
        model = keras_adapter.load_model(
            plan.to_json(), os.fspath(path), dict(custom_objects), {"compile": False}, dict(bind)
        )
    except RestoreError as error:
        raise RestoreFailedError(f"{path}: {error}") from error
    except Exception as error:
        # Whatever a Keras raises at the file of another one.
        told = " ".join(str(error).split())[:300]
        raise RestoreFailedError(
            f"{path}: Keras raises {type(error).__name__} ({told}); the Keras that wrote it may"
            f" still load it: capsule replay {path} --unsafe"
        ) from error
    if aliases:
        told = ", ".join(f"{name} = {module}" for name, module in aliases.items())
        warnings.warn(
            f"{path}: the file does not say what its names stand for; taken: {told}", stacklevel=3
        )
    return model


def under_all_names(inspection: Inspection, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return *given* under the names by which the file asks for it, too: ``Custom>sampling``."""
    asked = [one.name for one in inspection.functions if one.kind in ("by-name", "class")]
    asked += inspection.classes
    known = dict(given)
    for name in asked:
        short = name.rpartition(">")[2].rpartition(".")[2]
        if short in given:
            known.setdefault(name, given[short])
    return known


def _keras(environment: Environment) -> str:
    """Return the Keras that this process has: its own, else the one for Keras 2's files."""
    found = keras_provider(environment.distributions, "keras")
    return "keras" if found is not None else "tf_keras"


def what_to_build(
    inspection: Inspection, artifact: Artifact, environment: Environment
) -> dict[str, Any] | None:
    """Return what the guest shall build: the configuration in the words of the Keras here.

    None where that Keras reads the file as it is.
    """
    keras = keras_provider(environment.distributions, "keras")
    third = keras is not None and Version(keras[1]).major >= 3
    weights = artifact.weights and artifact.format != "keras-json"
    if third and needs_translation(inspection, artifact.format):
        config = translated(artifact.config, inspection.keras)
        return {"config": config, "weights": weights, "translated": True}
    if artifact.format == "keras-json":
        return {"config": artifact.config, "weights": False, "translated": False}
    return None
