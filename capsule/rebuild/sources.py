"""Where distributions come from: an index, folders of wheels, nowhere else if there is no network.

What an address holds of a secret reaches the installer and nothing that is kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from capsule.errors import InputError


@dataclass(frozen=True)
class Sources:
    """Index and folders to take distributions from; empty: as the installer is set up.

    ``offline`` looks at *find_links* alone and never at a network.
    """

    index_url: str | None = None
    find_links: tuple[str, ...] = ()
    constraint: Path | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if self.constraint is not None and not self.constraint.is_file():
            raise InputError(f"{self.constraint} does not exist: a constraints file was named")
        for place in (self.index_url, *self.find_links):
            if place is not None and (place.startswith("-") or any(c.isspace() for c in place)):
                raise InputError(f"{place!r} is no address")

    def options(self) -> list[str]:
        """Return the options that pip and uv both take for it."""
        found = []
        if self.offline:
            found.append("--no-index")
        elif self.index_url is not None:
            found += ["--index-url", self.index_url]
        for place in self.find_links:
            found += ["--find-links", place]
        if self.constraint is not None:
            found += ["--constraint", str(self.constraint.resolve())]
        return found

    def told(self) -> dict[str, object]:
        """Return what of it decides what is installed, without user names and passwords."""
        constraint = None
        if self.constraint is not None:
            constraint = hashlib.sha256(self.constraint.read_bytes()).hexdigest()
        return {
            "index_url": None if self.index_url is None else without_secret(self.index_url),
            "find_links": [without_secret(place) for place in self.find_links],
            "constraint": constraint,
            "offline": self.offline,
        }


def without_secret(address: str) -> str:
    """Return *address* without the user and password in it."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
