"""The cache's environments for a person: a table, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capsule.rebuild.cache_listing import CacheEntry


def environment_lines(environments: Sequence[CacheEntry]) -> Iterator[str]:
    """Give a line for each environment, and one for all of them."""
    if not environments:
        yield "no environments: capsule replay builds them"
        return
    for e in environments:
        what = f"Python {e.python}, {e.framework}" if e.ready else "not built to its end"
        used = e.used.strftime("%Y-%m-%d %H:%M")
        yield f"{e.key[:12]}  {size_text(e.size):>9}  {used}  {what}"
    yield f"{len(environments)} in all, {size_text(sum(e.size for e in environments))}"


def environment_detail(environment: CacheEntry) -> Iterator[str]:
    """Give all that is known of an environment."""
    yield f"{environment.key}   {environment.folder}"
    yield f"  python        {environment.python}, installed by {environment.backend}"
    yield f"  size          {size_text(environment.size)}"
    yield f"  last used     {environment.used.strftime('%Y-%m-%d %H:%M')} UTC"
    yield f"  {len(environment.pins)} distributions"
    for pin in environment.pins:
        yield f"    {pin}"


def size_text(size: int) -> str:
    """Return a number of bytes as a person says it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
