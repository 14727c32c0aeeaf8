"""``capsule.load``: verified against this process first, then the guest in this process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from capsule.artifact import open_artifact
from capsule.consent.plan import make_plan
from capsule.environment import live_environment
from capsule.errors import (
    ArtifactChangedError,
    CapsuleError,
    InputError,
    OutputsDifferError,
    RestoreFailedError,
    VerdictError,
)
from capsule.guest import keras_adapter
from capsule.guest.compiling import RestoreError
from capsule.guest.probe import compare, make_inputs
from capsule.loading_bare import load_bare
from capsule.manifest import Probe
from capsule.rebuild.remote import given_array
from capsule.rebuild.replaying import replay
from capsule.verdict.case import keras_here
from capsule.verdict.judge import Verdict, is_bare, judge, manifest_of

OTHERWISE = ("raise", "replay")


def load(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    otherwise: str = "raise",
    trust: Iterable[str] = (),
    manifest: str | os.PathLike[str] | None = None,
    check: bool = True,
    bind: Mapping[str, Any] | None = None,
    **what_keras_takes: Any,
) -> Any:
    """Return the Keras model at *path* with its functions restored.

    Of a SavedModel it returns what serves its graph: ``predict`` and the call, no training.
    Raises VerdictError if it will not load here, or with ``otherwise="replay"`` returns
    the model living in a rebuilt environment (a RemoteModel). ``safe_mode=True`` refuses
    to run the model's functions and lists them in a ConsentError; *trust* allows those
    with the given digests alone.

    The model is called once on the inputs recorded at save: where it does not compute
    the same, OutputsDifferError is raised rather than a wrong model returned. A model that
    answers otherwise each time can't be compared, which a warning tells. ``check=False``
    leaves that out.

    A file without a sidecar is loaded from what it tells of itself: functions restored from
    lifted source, customary names (``K``, ``tf``, ``np``) bound to modules that have what is
    used of them, which a warning names. *bind* gives the names that nothing defines,
    *custom_objects* what is stored by name alone. It comes back uncompiled.
    """
    if otherwise not in OTHERWISE:
        raise CapsuleError(f"otherwise={otherwise!r}: choose {' or '.join(OTHERWISE)}")
    if manifest is None and is_bare(path):
        return load_bare(path, dict(custom_objects or {}), bind or {}, safe_mode, trust, otherwise)
    if bind:
        raise InputError(f"{path} has a sidecar, which says what its names stand for: no bind=")
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
        model = keras_adapter.load_model(
            plan.to_json(), os.fspath(path), dict(custom_objects or {}), what_keras_takes
        )
    except RestoreError as error:
        raise RestoreFailedError(f"{path}: {error}") from error
    if check:
        _require_same(model, found.probe, os.fspath(path))
    return model


def _require_same(model: Any, probe: Probe, path: str) -> None:
    """Raise OutputsDifferError unless *model* computes what was recorded at save."""
    if probe.skipped is not None:
        return
    inputs = [given_array(kept) for kept in probe.given] or make_inputs(probe.inputs)
    leave = f"look at capsule.verify({path!r}), or load it as it is with check=False"
    try:
        outputs = keras_adapter.call(model, inputs)
        comparison = compare(probe.outputs, outputs)
        if comparison["agrees"]:
            return
        again = keras_adapter.call(model, inputs)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise OutputsDifferError(
            f"{path} loads, and raises when called ({told}); {leave}"
        ) from error
    if all(bool((one == other).all()) for one, other in zip(outputs, again)):
        raise OutputsDifferError(
            f"{path} loads, and does not compute what it did at save"
            f" (largest difference {comparison['max_abs']:.3g}); {leave}",
            comparison,
        )
    warnings.warn(
        f"{path}: two calls in a row differ, so that it can't be compared with what was saved",
        stacklevel=3,
    )


def _told(verdict: Verdict) -> str:
    first = verdict.deciding("capsule")[0]
    return f"{verdict.artifact} will not load here: {first.sentence}"
