"""The registry of finding codes: one place for each, from which everything else is made."""

from __future__ import annotations

from capsule.errors import InputError
from capsule.verdict.codes import distributions, environment, files, functions, serialization
from capsule.verdict.finding import Code

REGISTRY: dict[str, Code] = {
    code.name: code
    for room in (files, environment, distributions, functions, serialization)
    for code in room.CODES
}


def code_named(name: str) -> Code:
    """Return the finding code *name*. Raises InputError, with names like it, for another."""
    if name in REGISTRY:
        return REGISTRY[name]
    import difflib

    close = difflib.get_close_matches(name, REGISTRY, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise InputError(f"there is no finding code {name!r}{hint}")
