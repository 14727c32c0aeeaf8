"""``capsule.load``: verified against this process first, then the guest in this process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from capsule.artifact import open_artifact
from capsule.environment import live_environment
from capsule.errors import ArtifactChangedError, CapsuleError, RestoreFailedError, VerdictError
from capsule.guest import kerases
from capsule.guest.compiling import RestoreError
from capsule.plan import make_plan
from capsule.rebuild.replaying import replay
from capsule.verdict.case import keras_here
from capsule.verdict.judging import Verdict, judge, manifest_of

OTHERWISE = ("raise", "replay")


def load(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    otherwise: str = "raise",
    trust: Iterable[str] = (),
    manifest: str | os.PathLike[str] | None = None,
    **what_keras_takes: Any,
) -> Any:
    """Return the Keras model at *path* with its functions restored.

    Of a SavedModel it returns what serves its graph: ``predict`` and the call, no training.
    Raises VerdictError if it will not load here, or with ``otherwise="replay"`` returns
    the model living in a rebuilt environment (a RemoteModel). ``safe_mode=True`` refuses
    to run the model's functions and lists them in a ConsentError; *trust* allows those
    with the given digests alone.
    """
    if otherwise not in OTHERWISE:
        raise CapsuleError(f"otherwise={otherwise!r}: choose {' or '.join(OTHERWISE)}")
    found = manifest_of(path, manifest)
    environment = live_environment()
    verdict = judge(Path(path), found, environment, custom_objects or ())
    if any(finding.code == "artifact-changed" for finding in verdict.findings):
        raise ArtifactChangedError(verdict.deciding("capsule")[0].sentence)
    artifact = open_artifact(path)
    keras = keras_here(found, environment)
    plan = make_plan(artifact, found, safe_mode=safe_mode, trust=trust, keras=keras and keras[0])
    if plan.consent.functions or plan.consent.foreign:
        plan.consent.require(str(path))
    if verdict.capsule == "no":
        if otherwise == "replay":
            return replay(path, safe_mode=safe_mode, trust=trust, manifest=manifest)
        raise VerdictError(_told(verdict), verdict)
    try:
        return kerases.load_model(
            plan.to_json(), os.fspath(path), dict(custom_objects or {}), what_keras_takes
        )
    except RestoreError as error:
        raise RestoreFailedError(f"{path}: {error}") from error


def _told(verdict: Verdict) -> str:
    first = verdict.deciding("capsule")[0]
    return f"{verdict.artifact} will not load here: {first.sentence}"
