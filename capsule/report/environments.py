"""The cache's environments for a person: a table, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capsule.rebuild.cache_listing import Kept


def environment_lines(found: Sequence[Kept]) -> Iterator[str]:
    """Give a line for each environment, and one for all of them."""
    if not found:
        yield "no environments: capsule replay builds them"
        return
    for one in found:
        told = f"Python {one.python}, {one.framework}" if one.ready else "not built to its end"
        used = one.used.strftime("%Y-%m-%d %H:%M")
        yield f"{one.key[:12]}  {size_text(one.size):>9}  {used}  {told}"
    yield f"{len(found)} in all, {size_text(sum(one.size for one in found))}"


def environment_detail(one: Kept) -> Iterator[str]:
    """Give all that is known of one environment."""
    yield f"{one.key}   {one.folder}"
    yield f"  python        {one.python}, installed by {one.backend}"
    yield f"  size          {size_text(one.size)}"
    yield f"  last used     {one.used.strftime('%Y-%m-%d %H:%M')} UTC"
    yield f"  {len(one.pins)} distributions"
    for pin in one.pins:
        yield f"    {pin}"


def size_text(size: int) -> str:
    """Return a number of bytes as a person says it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
