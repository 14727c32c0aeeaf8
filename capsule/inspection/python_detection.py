"""The Pythons that may have written a file: bytecode, Keras version and frameworks agree."""

from __future__ import annotations

from collections.abc import Iterable

from capsule.bytecode.pythons import VERSIONS
from capsule.inspection.model import FunctionRead, PythonRange
from capsule.keras_compat.releases import written_on


def narrowed(
    functions: Iterable[FunctionRead], keras: str | None, backend: str | None
) -> PythonRange:
    """Return the range of Pythons, and what it rests on.

    Where the bytecode and the table of releases contradict each other, the bytecode is
    believed: somebody ran that Keras on a Python that it did not promise to run on.
    """
    left = set(VERSIONS)
    evidence: list[str] = []
    for function in functions:
        if not function.pythons:
            continue
        both = left & set(function.pythons)
        if not both:
            evidence.append(f"{function.label} is of another Python than the functions before")
            continue
        if both != left:
            evidence.append(f"{function.label}: {', '.join(function.evidence)}")
        left = both
    written = written_on(keras, backend)
    if written is not None:
        (low, high), why = written
        between = {version for version in VERSIONS if _key(low) <= _key(version) <= _key(high)}
        if left & between:
            if left & between != left:
                evidence.append(f"{why}, on Python {low} to {high}")
            left &= between
        else:
            evidence.append(f"although {why}, on Python {low} to {high}")
    if left == set(VERSIONS):
        return PythonRange(None, None, ("nothing in it tells",))
    ordered = sorted(left, key=_key)
    return PythonRange(ordered[0], ordered[-1], tuple(dict.fromkeys(evidence)))


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
