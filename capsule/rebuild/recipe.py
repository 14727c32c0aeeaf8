"""The recipe of an environment: everything that decides what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass

from capsule.rebuild.cache_folder import KEY_LENGTH
from capsule.rebuild.installers import Installer
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter


@dataclass(frozen=True)
class Recipe:
    """A Python, the exact distributions for it, and who installs them from where."""

    python: Interpreter
    pins: Pins
    installer: Installer
    allow_build: bool = False
    """Whether source distributions may be built, which runs their code."""

    @property
    def key(self) -> str:
        """The name of such an environment in the cache: 20 hexadecimal digits."""
        parts = {
            "python": [str(self.python.path), self.python.version],
            "pins": sorted(self.pins.requirements),
            "platform": [platform.system(), platform.machine()],
            "backend": self.installer.name,
            "build": self.allow_build,
            "hashes": {name: sorted(hashes) for name, hashes in self.pins.hashes.items()},
            "sources": self.installer.sources.identity,
            "index": {
                name: value
                for name, value in os.environ.items()
                if name.startswith(("UV_", "PIP_")) and ("INDEX" in name or "FIND_LINKS" in name)
            },
        }
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:KEY_LENGTH]
