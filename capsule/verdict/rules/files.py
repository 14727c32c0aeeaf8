"""The rules for the file itself: which one it is, how it is written, what was recorded of it."""

from __future__ import annotations

from collections.abc import Iterator

from capsule.keras_compat.incompatibilities import incompatibilities
from capsule.keras_compat.untranslatable import Untranslatable
from capsule.verdict.case import Case, CaseRule, Subject, SubjectRule
from capsule.verdict.codes import REGISTRY
from capsule.verdict.codes import files as codes
from capsule.verdict.finding import Finding


def described(subject: Subject) -> Iterator[Finding]:
    """Find a sidecar made for a file that existed: nobody saw the model saved."""
    if subject.manifest.origin == "described":
        yield codes.DESCRIBED(subject.manifest.artifact.name, ("model",))


def save_warnings(subject: Subject) -> Iterator[Finding]:
    """Find the warnings that were given at save."""
    for warning in subject.manifest.model.warnings if subject.manifest.model else ():
        yield codes.SAVE_WARNING(subject.manifest.artifact.name, ("model",), warning=warning)


def weights_only(subject: Subject) -> Iterator[Finding]:
    """Find weights without a model: no Keras makes one of them."""
    if subject.manifest.artifact.format == "weights-h5":
        yield codes.WEIGHTS_ONLY(subject.manifest.artifact.name, ("model",))


def no_probe(subject: Subject) -> Iterator[Finding]:
    """Find files of which no outputs were recorded, so that equality can't be promised."""
    if subject.inferred and subject.manifest.probe.skipped is not None:
        yield codes.NO_PROBE(subject.manifest.artifact.name, ("model",))


def artifact_changed(case: Case) -> Iterator[Finding]:
    """Find another file than the one that the sidecar describes."""
    description = case.description
    if description.change is not None:
        yield codes.ARTIFACT_CHANGED(
            description.path.name,
            ("model",),
            expected=f"sha256:{description.manifest.artifact.sha256}",
            found=f"sha256:{description.identity.sha256}",
            change=description.change,
        )


def form(case: Case) -> Iterator[Finding]:
    """Find what a Keras 3 can't read of an older file, as it stands or translated."""
    description = case.description
    if description.identity.format == "keras-json":
        yield codes.ARCHITECTURE_ONLY(description.path.name, ("model",))
    if case.served or case.manifest.artifact.format == "weights-h5" or not _older(case):
        return
    for name in incompatibilities(description.artifact):
        yield REGISTRY[name]("keras", ("model",))
    if isinstance(case.configuration, Untranslatable):
        yield codes.NOT_TRANSLATED("keras", ("model",), reason=case.configuration.reason)


def _older(case: Case) -> bool:
    """Tell whether a Keras 3 would load the file, and an older one wrote it, or an unknown one."""
    if case.keras is None or not case.keras.third:
        return False
    keras = case.manifest.keras
    version = keras.version if keras is not None else case.description.artifact.keras_version
    return version is None or not version.startswith("3.")


OF_SUBJECT: tuple[SubjectRule, ...] = (described, weights_only, save_warnings, no_probe)
OF_SERVED: tuple[SubjectRule, ...] = (described, no_probe)
OF_CASE: tuple[CaseRule, ...] = (artifact_changed, form)
