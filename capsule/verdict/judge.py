"""Findings to a verdict: three questions, each answered yes, no or unknown."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from capsule.description.configuration import Configuration
from capsule.description.custom import CustomObjects
from capsule.description.describe import Description, describe
from capsule.environment import Environment, environment_here
from capsule.environment.frameworks import InstalledKeras
from capsule.errors import CapsuleError
from capsule.manifest import ArtifactFacts, Manifest
from capsule.verdict.case import Case, Subject
from capsule.verdict.finding import QUESTIONS, Answer, Finding, Question
from capsule.verdict.rules import distributions, environment, files, functions, serialization

_OF_SUBJECT = (
    *files.OF_SUBJECT,
    *functions.OF_SUBJECT,
    *distributions.OF_SUBJECT,
    *serialization.OF_SUBJECT,
)
_OF_CASE = (*environment.OF_CASE, *distributions.OF_CASE)
# Nothing of a SavedModel is Python any more.
_OF_SERVED_SUBJECT = files.OF_SERVED
_OF_SERVED = (*environment.OF_SERVED, *distributions.OF_SERVED)


@dataclass(frozen=True)
class Verdict:
    """The answers for one artifact in one environment, and the findings that decide them."""

    description: Description
    environment: Environment
    findings: tuple[Finding, ...]
    keras: Answer
    """Does plain ``load_model`` in a fresh process return a model that computes as at save?"""
    capsule: Answer
    """Does ``capsule.load`` return a model?"""
    same: Answer
    """Does that model compute as at save?"""
    keras_used: InstalledKeras | None
    """The Keras that would load it."""
    configuration: Configuration | None
    """What that Keras would build in place of the file's own configuration."""

    @property
    def artifact(self) -> Path:
        """The model file, as it was named."""
        return self.description.path

    @property
    def manifest(self) -> Manifest:
        """What was recorded of the model, or what its file tells."""
        return self.description.manifest

    @property
    def facts(self) -> ArtifactFacts:
        """The model file as it is now."""
        return self.description.facts

    def answer(self, question: Question) -> Answer:
        """Return the answer to one of ``keras``, ``capsule`` and ``same``."""
        answers: dict[Question, Answer] = {
            "keras": self.keras,
            "capsule": self.capsule,
            "same": self.same,
        }
        return answers[question]

    def deciding(self, question: Question) -> list[Finding]:
        """Return the findings that make the answer what it is, the gravest first."""
        severity = {"no": "fatal", "unknown": "warning", "yes": ""}[self.answer(question)]
        findings = [f for f in self.findings if question in f.decides and f.severity == severity]
        if not findings and question == "same" and self.capsule != "yes":
            return self.deciding("capsule")
        return findings

    def status(self, required: Iterable[Question] = ("capsule", "same")) -> int:
        """Return the exit status: 0 if each required answer is yes, 1 on a no, else 2."""
        answers = {self.answer(question) for question in required}
        return 1 if "no" in answers else 2 if "unknown" in answers else 0


class VerdictError(CapsuleError):
    """The model will not load here; ``verdict`` says why."""

    code = "does-not-fit"
    status = 1

    def __init__(self, message: str, verdict: Verdict) -> None:
        super().__init__(message)
        self.verdict = verdict


def judge(description: Description, environment: Environment) -> Verdict:
    """Return the verdict on a model in an environment: what was read goes in, data comes out.

    Parameters
    ----------
    description
        The model, with what the caller supplies of what it lacks.
    environment
        The Python and the distributions that it is to run on.

    Returns
    -------
    Verdict
        The three answers, and every finding that a rule gives.
    """
    manifest = description.manifest
    case = Case(manifest, description.custom, description, environment)
    findings = _findings(case)
    # What to type names the file as it was named.
    path = shlex.quote(os.fspath(description.path))
    findings = [
        replace(f, remedy=f.remedy.replace("MODEL", path)) if f.remedy else f for f in findings
    ]
    answers = {question: _answer(findings, question) for question in QUESTIONS}
    if answers["capsule"] != "yes" and answers["same"] != "no":
        # A model that may not load can't be said to compute the same.
        answers["same"] = answers["capsule"]
    configuration = case.configuration if answers["capsule"] != "no" else None
    return Verdict(
        description,
        environment,
        tuple(findings),
        keras_used=case.keras,
        configuration=configuration if isinstance(configuration, Configuration) else None,
        **answers,
    )


def _findings(case: Case) -> list[Finding]:
    """Return what the rules find, each finding once."""
    about, against = (_OF_SERVED_SUBJECT, _OF_SERVED) if case.served else (_OF_SUBJECT, _OF_CASE)
    # What is wrong with the file itself is what Keras stumbles on first.
    findings = [finding for rule in files.OF_CASE for finding in rule(case)]
    findings += [finding for rule in about for finding in rule(case)]
    findings += [finding for rule in against for finding in rule(case)]
    return list(dict.fromkeys(findings))


def findings_of_manifest(manifest: Manifest) -> tuple[Finding, ...]:
    """Return every finding that needs no environment to compare with."""
    subject = Subject(manifest, CustomObjects())
    rules = _OF_SERVED_SUBJECT if subject.served else _OF_SUBJECT
    return tuple(finding for rule in rules for finding in rule(subject))


def findings_at_save(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what a person should hear at save: what will bite later."""
    # Names that Keras loses are why capsule is there: nobody need hear it at each save.
    unsaid = ("name-lost", "safe-mode")
    return tuple(f for f in findings_of_manifest(manifest) if f.code not in unsaid)


def _answer(findings: list[Finding], question: Question) -> Answer:
    severities = {finding.severity for finding in findings if question in finding.decides}
    return "no" if "fatal" in severities else "unknown" if "warning" in severities else "yes"


def verify(
    path: str | os.PathLike[str],
    *,
    python: str | os.PathLike[str] | None = None,
    sidecar: str | os.PathLike[str] | None = None,
) -> Verdict:
    """Say whether a model will load and compute the same in an environment, and if not, why.

    Runs nothing of the model and imports no framework. A file without a sidecar is judged
    by what it tells of itself.

    Parameters
    ----------
    path
        The model file or SavedModel folder.
    python
        The interpreter, or the folder of its environment, to look at in place of this one.
    sidecar
        The sidecar, if it is not the one beside the file.

    Returns
    -------
    Verdict
        Answers to three questions, and the findings that decide them.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, or no model.
    ManifestError
        The sidecar is missing or not valid.
    EnvironmentUnknownError
        There is no environment here with a Keras, or *python* is none.
    """
    return judge(describe(path, sidecar=sidecar), environment_here(python))
