"""Text out of artifacts and sidecars, made harmless for a terminal."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Return *text* as one line: control characters, line ends too, as ``\\x1b`` and the like."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
