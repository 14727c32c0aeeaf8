"""Where distributions come from: an index, folders of wheels, nowhere else if there is no network.

What an address holds of a secret reaches the installer, and nothing that is stored.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from capsule.errors import InputError


@dataclass(frozen=True)
class Sources:
    """Index and folders to take distributions from; empty: as the installer is set up.

    Raises InputError for a constraints file that does not exist, and for an address that an
    installer would take for an option.
    """

    index_url: str | None = None
    find_links: tuple[str, ...] = ()
    """Folders and pages of wheels."""
    constraint: Path | None = None
    """A constraints file."""
    offline: bool = False
    """Look at *find_links* alone and never at a network."""

    def __post_init__(self) -> None:
        if self.constraint is not None and not self.constraint.is_file():
            raise InputError(f"{self.constraint} does not exist: a constraints file was named")
        for place in (self.index_url, *self.find_links):
            if place is not None and (place.startswith("-") or any(c.isspace() for c in place)):
                raise InputError(f"{place!r} is no address")
        # Installers start in a folder of their own.
        places = (os.path.abspath(p) if os.path.isdir(p) else p for p in self.find_links)
        object.__setattr__(self, "find_links", tuple(places))

    @property
    def is_named(self) -> bool:
        """Whether the user named an index or wheels: what lies there is what the user means."""
        return bool(self.index_url or self.find_links)

    def arguments(self) -> list[str]:
        """Return the command-line arguments for it that pip and uv both take."""
        arguments = []
        if self.offline:
            arguments.append("--no-index")
        elif self.index_url is not None:
            arguments += ["--index-url", self.index_url]
        for place in self.find_links:
            arguments += ["--find-links", place]
        if self.constraint is not None:
            arguments += ["--constraint", str(self.constraint.resolve())]
        return arguments

    @property
    def identity(self) -> dict[str, object]:
        """What of it decides what is installed, as JSON, without user names and passwords."""
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
