"""A cache for each test with no index in reach, and saves without a Keras."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import capsule
from tests import toy_keras

Save = Callable[..., Any]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of capsule's and of uv's, without the user's settings of installers."""
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("CAPSULE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Give a function that saves a model and returns what was recorded."""
    toy_keras.install(monkeypatch)

    def saved(*layers: Any, name: str = "m.keras", strict: bool = True, **attributes: Any) -> Any:
        reports: list[Any] = []
        with capsule.hooked(probe=False, strict=strict, report=reports.append):
            toy_keras.Model(*layers, **attributes).save(tmp_path / name)
        return reports[-1]

    return saved
