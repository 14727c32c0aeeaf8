"""The registry of finding codes: one place for each, from which everything else is made."""

from __future__ import annotations

from dataclasses import replace

from capsule.errors import InputError
from capsule.verdict.codes import distributions, environment, files, functions, serialization
from capsule.verdict.finding import Code

_ROOMS = (files, environment, distributions, functions, serialization)


def _registered() -> dict[str, Code]:
    """Return each code by its name, with its variants."""
    by_name: dict[str, list[Code]] = {}
    for room in _ROOMS:
        for code in room.CODES:
            by_name.setdefault(code.name, []).append(code)
    return {
        name: replace(usual, variants=tuple(variants))
        for name, (usual, *variants) in by_name.items()
    }


REGISTRY: dict[str, Code] = _registered()


def code_named(name: str) -> Code:
    """Return the finding code *name*. Raises InputError, with names like it, for another."""
    if name in REGISTRY:
        return REGISTRY[name]
    import difflib

    close = difflib.get_close_matches(name, REGISTRY, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise InputError(f"there is no finding code {name!r}{hint}")
