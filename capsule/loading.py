"""``capsule.load``: verified against this process first, then the guest in this process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from capsule.consent.consent import Trust
from capsule.consent.plan import Plan, make_plan
from capsule.description.aliases import aliases_here
from capsule.description.custom import CustomObjects
from capsule.description.describe import Description, describe
from capsule.environment import live_environment
from capsule.errors import ArtifactChangedError, InputError, OutputsDifferError, RestoreFailedError
from capsule.guest import keras_adapter
from capsule.guest.compiling import RestoreError
from capsule.guest.probe import compare, make_inputs
from capsule.manifest import Probe
from capsule.rebuild.options import ReplayOptions
from capsule.rebuild.remote import decode_example
from capsule.rebuild.replaying import replay_described
from capsule.verdict.judge import Verdict, VerdictError, judge

Otherwise = Literal["raise", "replay"]


def load(  # noqa: PLR0913 - a public verb
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    otherwise: Otherwise = "raise",
    trust: Iterable[str] = (),
    sidecar: str | os.PathLike[str] | None = None,
    check: bool = True,
    bind: Mapping[str, Any] | None = None,
    **keras_options: Any,
) -> Any:
    """Return the Keras model at *path* with its functions restored.

    The model is called once on the inputs recorded at save, so that a model that computes
    something else is not returned. A model that answers otherwise each time can't be
    compared, which a warning says. A file without a sidecar is loaded from what it tells of
    itself: functions restored from decompiled source, customary names (``K``, ``tf``, ``np``)
    bound to modules that have what is used of them, which a warning names. It comes back
    uncompiled, as does a model whose configuration had to be translated.

    Parameters
    ----------
    path
        The model file or SavedModel folder.
    custom_objects
        Classes and functions by the names under which Keras asks for them.
    safe_mode
        True refuses to run the model's functions, and lists them; False allows all of them.
    otherwise
        ``"replay"`` returns the model living in a rebuilt environment where it will not load
        here; ``"raise"`` raises VerdictError.
    trust
        Digests of the functions that may run.
    sidecar
        The sidecar, if it is not the one beside the file.
    check
        Compare the outputs with those recorded at save.
    bind
        Values for names that nothing in a file without a sidecar defines.
    **keras_options
        Passed to Keras' ``load_model`` as they are.

    Returns
    -------
    keras.Model or RemoteModel
        The model. Of a SavedModel what serves its graph: ``predict`` and the call, no training.

    Raises
    ------
    ConsentError
        Nobody allowed its functions to run; it lists them.
    VerdictError
        It will not load here; it says why.
    ArtifactChangedError
        The file is not the one that its sidecar describes.
    RestoreFailedError
        A function can't be rebuilt, or Keras can't load the model.
    OutputsDifferError
        It loads, and does not compute what it did at save.
    """
    if otherwise not in get_args(Otherwise):
        raise InputError(f"otherwise={otherwise!r}: choose {' or '.join(get_args(Otherwise))}")
    custom = CustomObjects(bind=dict(bind or {}), objects=dict(custom_objects or {}))
    description = describe(path, sidecar=sidecar, custom=custom)
    if description.change is not None:
        raise ArtifactChangedError(f"{description.change}: restore it, or save the model again")
    verdict = judge(description, live_environment())
    permission = Trust.of(safe_mode, trust)
    plan = _plan(description, permission, verdict)
    plan.consent.require_for_functions(str(path))
    if verdict.capsule == "no":
        if otherwise == "replay":
            return replay_described(description, permission, ReplayOptions())
        first = verdict.deciding("capsule")[0]
        raise VerdictError(f"{path} will not load here: {first.sentence}", verdict)
    if description.inferred:
        # Now that it may run: which modules the customary names stand for is looked up live.
        aliases = aliases_here(description.inspection, custom.bind)
        description = description.with_aliases(aliases)
        plan = _plan(description, permission, verdict)
    model = restore(plan, description, keras_options)
    if description.inferred:
        _tell_aliases(aliases, str(path))
    elif check:
        _require_same(model, description.manifest.probe, str(path))
    return model


def _plan(description: Description, trust: Trust, verdict: Verdict) -> Plan:
    keras = verdict.keras_used.module if verdict.keras_used else None
    return make_plan(description, trust, keras=keras, build=verdict.configuration)


def restore(plan: Plan, description: Description, keras_options: Mapping[str, Any]) -> Any:
    """Return the model of *plan*, restored by the guest in this process.

    Raises
    ------
    RestoreFailedError
        A function can't be rebuilt, or the Keras here can't load an older one's file.
    """
    path, custom = os.fspath(description.path), description.custom
    objects, options = dict(custom.objects), dict(keras_options)
    if description.inferred:
        objects = custom.under_all_names(description.inspection)
        options["compile"] = False
    try:
        return keras_adapter.load_model(plan.to_json(), path, objects, options, dict(custom.bind))
    except RestoreError as error:
        raise RestoreFailedError(f"{path}: {error}") from error
    except Exception as error:
        if not description.inferred and plan.build is None:
            raise
        # Whatever a Keras raises at the file of another one.
        cause = " ".join(str(error).split())[:300]
        raise RestoreFailedError(
            f"{path}: Keras raises {type(error).__name__} ({cause}); the Keras that wrote it may"
            f" still load it: capsule replay {path} --unsafe"
        ) from error


def _tell_aliases(aliases: Mapping[str, str], path: str) -> None:
    if aliases:
        meanings = ", ".join(f"{name} = {module}" for name, module in aliases.items())
        warnings.warn(
            f"{path}: the file does not say what its names stand for; assumed: {meanings}",
            stacklevel=3,
        )


def _require_same(model: Any, probe: Probe, path: str) -> None:
    """Raise OutputsDifferError unless *model* computes what was recorded at save."""
    if probe.skipped is not None:
        return
    inputs = [decode_example(stored) for stored in probe.examples] or make_inputs(probe.inputs)
    leave = f"look at capsule.verify({path!r}), or load it as it is with check=False"
    try:
        outputs = keras_adapter.call(model, inputs)
        comparison = compare(probe.outputs, outputs)
        if comparison["agrees"]:
            return
        again = keras_adapter.call(model, inputs)
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise OutputsDifferError(
            f"{path} loads, and raises when called ({cause}); {leave}"
        ) from error
    if all(bool((first == second).all()) for first, second in zip(outputs, again)):
        raise OutputsDifferError(
            f"{path} loads, and does not compute what it did at save"
            f" (largest difference {comparison['max_abs']:.3g}); {leave}",
            comparison,
        )
    warnings.warn(
        f"{path}: two calls in a row differ, so that it can't be compared with what was saved",
        stacklevel=3,
    )
