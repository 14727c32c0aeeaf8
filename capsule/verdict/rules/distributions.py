"""The rules for distributions that are gone, or there in another version."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from capsule.environment.frameworks import NUMERIC, provider, same_provider
from capsule.keras_compat.facts import removed_from_numpy
from capsule.verdict.case import Case
from capsule.verdict.finding import QUESTIONS, Finding


def reached_distributions(case: Case) -> Iterator[Finding]:
    """Distributions that a function of the model reaches."""
    for name, reach in sorted(case.reaches.of_distribution.items()):
        saved = case.manifest.distribution(name)
        if saved is None or name in case.core:
            continue
        found = provider(case.environment.distributions, same_provider(name))
        if found is None:
            yield Finding(
                "distribution-missing",
                "fatal",
                name,
                f"{name} {saved.version} is not installed",
                expected=saved.version,
                found=None,
                reach=reach,
                remedy=f"install {name}=={saved.version}, or replay the model",
                decides=QUESTIONS,
            )
        elif Version(found[1]) != Version(saved.version):
            yield _moved(case, name, saved.version, found[1], reach)


def _moved(case: Case, name: str, saved: str, found: str, reach: tuple[str, ...]) -> Finding:
    gone = []
    if name == "numpy":
        gone = sorted(
            {
                attribute
                for node in case.reaches.functions()
                for binding in case.manifest.nodes[node].names
                if binding.to == "numpy"
                for attribute in binding.taken
                if removed_from_numpy(attribute, found)
            }
        )
    if gone:
        return Finding(
            "api-removed",
            "fatal",
            name,
            f"numpy.{gone[0]} is gone in numpy {found}",
            expected=saved,
            found=found,
            reach=(*reach, f"numpy.{gone[0]}"),
            remedy=f"install numpy=={saved}, or replay the model",
            decides=QUESTIONS,
        )
    nodes = case.manifest.nodes
    # What a function imports from it by name has to be there for the function to be rebuilt.
    imported = any(
        binding.attribute and nodes[binding.to].distribution == name
        for node in case.reaches.functions()
        for binding in nodes[node].names
        if binding.to is not None
    )
    return Finding(
        "distribution-version",
        "warning",
        name,
        f"{name} {saved} → {found}",
        expected=saved,
        found=found,
        reach=reach,
        remedy="check it: capsule replay MODEL --unsafe --check",
        decides=QUESTIONS if imported else ("keras", "same"),
    )


def framework_distributions(case: Case) -> Iterator[Finding]:
    """Distributions that Keras and the backend need."""
    for name, reach in sorted(case.framework.items()):
        if name in case.core or name in case.reaches.of_distribution:
            continue
        saved = case.manifest.distribution(name)
        found = case.environment.distributions.get(name)
        if saved is None or (found and Version(found) == Version(saved.version)):
            continue
        if found is None:
            # Other versions of the framework may need others: only numbers are missed for sure.
            yield Finding(
                "distribution-missing",
                "warning" if name in NUMERIC else "note",
                name,
                f"{name} {saved.version} is not installed",
                expected=saved.version,
                found=None,
                reach=reach,
                decides=QUESTIONS if name in NUMERIC else (),
            )
        else:
            numeric = name in NUMERIC
            yield Finding(
                "distribution-version",
                "warning" if numeric else "note",
                name,
                f"{name} {saved.version} → {found}",
                expected=saved.version,
                found=found,
                reach=reach,
                decides=("keras", "same") if numeric else (),
            )


def other_distributions(case: Case) -> Iterator[Finding]:
    """Distributions that nothing of the model reaches: noise, told as such."""
    known = {*case.core, *case.framework, *case.reaches.of_distribution}
    for saved in case.manifest.distributions or ():
        found = case.environment.distributions.get(saved.name)
        if saved.name not in known and found != saved.version:
            yield Finding(
                "unreached",
                "note",
                saved.name,
                f"{saved.name} {saved.version} → {found or 'not installed'}",
                expected=saved.version,
                found=found,
            )
