"""The rules for distributions that are gone, there in another version, or not known."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from capsule.environment.frameworks import NUMERIC, provider, same_provider
from capsule.keras_compat.facts import removed_from_numpy
from capsule.verdict.case import Case, CaseRule, Subject, SubjectRule
from capsule.verdict.codes import distributions as codes
from capsule.verdict.finding import QUESTIONS, Finding, Reach


def reached_distributions(case: Case) -> Iterator[Finding]:
    """Find distributions that a function of the model reaches."""
    for name, reach in sorted(case.reaches.of_distribution.items()):
        saved = case.manifest.distribution(name)
        if saved is None or name in case.core:
            continue
        installed = provider(case.environment.distributions, same_provider(name))
        if installed is None:
            yield codes.DISTRIBUTION_MISSING(name, reach, expected=saved.version)
        elif Version(installed.version) != Version(saved.version):
            yield _moved(case, name, saved.version, installed.version, reach)


def _moved(case: Case, name: str, saved: str, version: str, reach: Reach) -> Finding:
    gone = sorted(_removed(case, version)) if name == "numpy" else []
    if gone:
        api = f"numpy.{gone[0]}"
        return codes.API_REMOVED(name, (*reach, api), expected=saved, found=version, api=api)
    nodes = case.manifest.nodes
    # What a function imports from it by name has to be there for the function to be rebuilt.
    imported = any(
        binding.attribute and nodes[binding.to].distribution == name
        for function in case.reaches.functions()
        for binding in nodes[function].names
        if binding.to is not None
    )
    code = codes.DISTRIBUTION_VERSION
    code = code.deciding(*QUESTIONS) if imported else code
    return code(name, reach, expected=saved, found=version)


def _removed(case: Case, version: str) -> set[str]:
    """Return what the model's functions take of numpy and *version* no longer has."""
    return {
        attribute
        for function in case.reaches.functions()
        for binding in case.manifest.nodes[function].names
        if binding.to == "numpy"
        for attribute in binding.members
        if removed_from_numpy(attribute, version)
    }


def unknown_distributions(subject: Subject) -> Iterator[Finding]:
    """Find modules that are somebody's distribution, and nobody knows whose.

    Of a file without a sidecar that is so of every module; what saved it has a rule of its own.
    """
    for name in subject.reaches.of_node if not subject.inferred else ():
        node = subject.manifest.nodes[name]
        unknown = node.origin == "distribution" and node.distribution is None
        if node.kind == "module" and unknown:
            yield codes.DISTRIBUTION_UNKNOWN(name, subject.reaches.of_node[name])


def framework_distributions(case: Case) -> Iterator[Finding]:
    """Find distributions that Keras and the backend need."""
    for name, reach in sorted(case.framework.items()):
        if name in case.core or name in case.reaches.of_distribution:
            continue
        saved = case.manifest.distribution(name)
        version = case.environment.distributions.get(name)
        if saved is None or (version and Version(version) == Version(saved.version)):
            continue
        # Other versions of the framework may need others: only numbers are missed for sure.
        numeric = name in NUMERIC
        if version is None:
            code = codes.DISTRIBUTION_MISSING.with_severity("warning" if numeric else "note")
            code = code.deciding(*(QUESTIONS if numeric else ()))
        else:
            code = codes.DISTRIBUTION_VERSION.with_severity("warning" if numeric else "note")
            code = code if numeric else code.deciding()
        yield code(name, reach, expected=saved.version, found=version)


def other_distributions(case: Case) -> Iterator[Finding]:
    """Find distributions that nothing of the model reaches: noise, reported as such."""
    reached = {*case.core, *case.framework, *case.reaches.of_distribution}
    for saved in case.manifest.distributions or ():
        version = case.environment.distributions.get(saved.name)
        if saved.name not in reached and version != saved.version:
            after = version or "not installed"
            yield codes.UNREACHED(saved.name, expected=saved.version, found=version, after=after)


OF_SUBJECT: tuple[SubjectRule, ...] = (unknown_distributions,)
OF_SERVED: tuple[CaseRule, ...] = (other_distributions,)
OF_CASE: tuple[CaseRule, ...] = (
    reached_distributions,
    framework_distributions,
    other_distributions,
)
