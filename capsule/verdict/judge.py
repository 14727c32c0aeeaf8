"""Findings to a verdict: three questions, each answered yes, no or unknown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capsule.artifact import Artifact, identify
from capsule.description.infer import inferred
from capsule.environment import Environment, environment_here
from capsule.errors import ManifestError
from capsule.inspection import Inspection
from capsule.inspection.inspecting import inspect_with_artifact
from capsule.manifest import ArtifactFacts, Manifest
from capsule.manifest.files import read_manifest, sidecar_path
from capsule.verdict.bare import bare_findings
from capsule.verdict.case import Case
from capsule.verdict.finding import QUESTIONS, Finding
from capsule.verdict.reach import Reaches
from capsule.verdict.rules.environment import of_environment
from capsule.verdict.rules.functions import of_manifest


@dataclass(frozen=True)
class Verdict:
    """The answers for one artifact in one environment, and the findings that decide them.

    ``keras``: plain ``load_model`` in a fresh process returns a model that computes as at
    save. ``capsule``: ``capsule.load`` returns a model. ``same``: that model computes as
    at save. Each is ``yes``, ``no`` or ``unknown``.
    """

    artifact: Path
    manifest: Manifest
    environment: Environment
    findings: tuple[Finding, ...]
    keras: str
    capsule: str
    same: str
    found: ArtifactFacts

    def answer(self, question: str) -> str:
        """Return the answer to one of ``keras``, ``capsule`` and ``same``."""
        return {"keras": self.keras, "capsule": self.capsule, "same": self.same}[question]

    def deciding(self, question: str) -> list[Finding]:
        """Return the findings that make the answer what it is, the gravest first."""
        wanted = {"no": ("fatal",), "unknown": ("warning",)}.get(self.answer(question), ())
        found = [f for f in self.findings if question in f.decides and f.severity in wanted]
        if not found and question == "same" and self.capsule != "yes":
            return self.deciding("capsule")
        return found

    def status(self, required: Iterable[str] = ("capsule", "same")) -> int:
        """Return the exit status: 0 if each required answer is yes, 1 on a no, else 2."""
        answers = {self.answer(question) for question in required}
        return 1 if "no" in answers else 2 if "unknown" in answers else 0


def judge(
    path: Path, manifest: Manifest, environment: Environment, given: Iterable[str] = ()
) -> Verdict:
    """Return the verdict for the artifact at *path*, whose digest is checked.

    *given* are the names of custom objects that the caller will pass when loading.
    """
    form, size, sha256 = identify(path)
    found = ArtifactFacts(path.name, form, size, sha256)
    findings = [*_identity(found, manifest)]
    reaches = Reaches(manifest)
    findings += of_manifest(manifest, reaches)
    findings += of_environment(Case(manifest, reaches, environment))
    names = set(given)
    classes = ("custom-class", "class-opaque")
    findings = [f for f in findings if not (f.code in classes and f.subject in names)]
    answers = {question: _answer(findings, question) for question in QUESTIONS}
    if answers["capsule"] != "yes" and answers["same"] != "no":
        # A model that may not load can't be said to compute the same.
        answers["same"] = answers["capsule"]
    return Verdict(path, manifest, environment, tuple(findings), found=found, **answers)


def judge_bare(
    path: Path,
    inspection: Inspection,
    artifact: Artifact,
    environment: Environment,
    given: Iterable[str] = (),
    bound: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return the verdict for a file without a sidecar, from what it tells of itself."""
    found = ArtifactFacts(path.name, artifact.format, artifact.size, artifact.sha256)
    names = set(bound or {})
    findings = bare_findings(inspection, artifact, environment, set(given), names)
    answers = {question: _answer(findings, question) for question in QUESTIONS}
    if answers["same"] != "no":
        answers["same"] = "no" if answers["capsule"] == "no" else "unknown"
    manifest = inferred(inspection, artifact, bind=bound)
    return Verdict(path, manifest, environment, tuple(findings), found=found, **answers)


def _answer(findings: list[Finding], question: str) -> str:
    severities = {finding.severity for finding in findings if question in finding.decides}
    return "no" if "fatal" in severities else "unknown" if "warning" in severities else "yes"


def _identity(found: ArtifactFacts, manifest: Manifest) -> Iterable[Finding]:
    if found.sha256 != manifest.artifact.sha256:
        yield Finding(
            "artifact-changed",
            "fatal",
            found.name,
            f"{found.name} is not the file that its sidecar describes"
            f" (saved as {manifest.artifact.name})",
            expected=f"sha256:{manifest.artifact.sha256}",
            found=f"sha256:{found.sha256}",
            reach=("model",),
            remedy="restore the file, or save the model again under capsule",
            decides=QUESTIONS,
        )


def manifest_of(
    path: str | os.PathLike[str], manifest: str | os.PathLike[str] | None = None
) -> Manifest:
    """Return the sidecar of the artifact at *path*, or the one named.

    Raises ArtifactError if the artifact is not there, ManifestError without a sidecar.
    """
    artifact = Path(path)
    if not os.path.isfile(artifact):
        identify(artifact)  # a missing model is the better message
    sidecar = Path(manifest) if manifest is not None else sidecar_path(artifact)
    if manifest is not None and not os.path.exists(sidecar):
        raise ManifestError(
            f"{sidecar} does not exist: a sidecar was named", code="manifest-missing"
        )
    if not os.path.exists(sidecar):
        identify(artifact)
        raise ManifestError(
            f"{artifact} has no sidecar ({sidecar.name}): save it under capsule, or describe"
            f" the environment here with: capsule save {artifact}",
            code="manifest-missing",
        )
    return read_manifest(sidecar)


def verify(
    path: str | os.PathLike[str],
    *,
    python: str | os.PathLike[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Compare the environment here (or that of the interpreter *python*) with a manifest.

    A file without a sidecar is judged by what it tells of itself, which is never a yes.

    Runs nothing of the model and imports no framework. Raises ArtifactError,
    ManifestError or EnvironmentUnknownError on input that can't be read.
    """
    if manifest is None and is_bare(path):
        inspection, artifact = inspect_with_artifact(path)
        return judge_bare(Path(path), inspection, artifact, environment_here(python))
    sidecar = manifest_of(path, manifest)
    return judge(Path(path), sidecar, environment_here(python))


def is_bare(path: str | os.PathLike[str]) -> bool:
    """Tell whether the artifact at *path* is there, and nothing was recorded at its save.

    A sidecar that was inferred says nothing that the file does not tell.
    """
    sidecar = sidecar_path(Path(path))
    if not os.path.exists(path):
        return False
    return not os.path.exists(sidecar) or read_manifest(sidecar).origin == "inferred"
