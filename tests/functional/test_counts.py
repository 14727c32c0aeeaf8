"""A load and a replay read a model and its sidecar once, as every command does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Installed

pytestmark = pytest.mark.tensorflow

COUNT = """
import sys
sys.path.insert(0, sys.argv[1])
import capsule
from capsule.cli import app
from tests.counting import Counts
counts = Counts()
if sys.argv[2] == "load":
    capsule.load(sys.argv[3], safe_mode=False)
else:
    try:
        app(sys.argv[2:], prog_name="capsule")
    except SystemExit as ended:
        assert not ended.code, ended.code
print("READ", counts.hashed, counts.parsed)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["load"],
        pytest.param(["replay", "--unsafe", "--check"], marks=pytest.mark.installers),
        pytest.param(["lock"], marks=pytest.mark.installers),
        ["export", "--to", "requirements"],
    ],
    ids=lambda command: command[0],
)
def test_each_file_is_read_once(
    keras3: Installed,
    samples: Callable[[Installed], Path],
    cache: str,
    tmp_path: Path,
    command: list[str],
) -> None:
    for name in ("doubling.keras", "doubling.keras.capsule.json"):
        shutil.copy(samples(keras3) / name, tmp_path / name)
    words = [command[0], str(tmp_path / "doubling.keras"), *command[1:]]
    done = keras3.run("-c", COUNT, str(PROJECT), *words, CAPSULE_CACHE=cache)
    assert "READ 1 1" in done.stdout
