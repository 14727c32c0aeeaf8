"""The other Pythons of this machine, found as capsule finds them; 2.7 among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsule.errors import CapsuleError
from capsule.manifest import PythonFacts
from capsule.rebuild.python_discovery import find_python, installed_pythons


def interpreter(minor: str) -> Path:
    """Return a Python of that minor version; skips the test where there is none."""
    if minor == "2.7":  # too old to be asked: its folder says what it is
        for version, path in installed_pythons():
            if (version or "").startswith("2.7"):
                return path
        pytest.skip("no Python 2.7 on this machine")
    try:
        return find_python(PythonFacts("cpython", f"{minor}.0", 0, "")).path
    except CapsuleError:
        pytest.skip(f"no Python {minor} on this machine")
