"""Pythons are found where people's tools put them, and nothing is started to find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsule.errors import InputError
from capsule.manifest import PythonFacts
from capsule.rebuild import python_discovery
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.options import ReplayOptions
from capsule.rebuild.python_discovery import Interpreter, find_python, installed_pythons
from capsule.rebuild.resolve import python_for
from tests.making import manifest_with

NEVER = ReplayOptions(download="never")


def python(folder: Path) -> Path:
    """Lay a file where a Python would be; it is never started."""
    (folder / "bin").mkdir(parents=True)
    made = folder / "bin" / "python"
    made.touch(mode=0o755)
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "PYENV_ROOT",
        "ASDF_DATA_DIR",
        "MISE_DATA_DIR",
        "XDG_DATA_HOME",
        "CONDA_PREFIX",
        "UV_PYTHON_INSTALL_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_every_tools_own_folder_is_looked_at(home: Path) -> None:
    laid = {
        "3.6.15": python(home / ".pyenv" / "versions" / "3.6.15"),
        "3.7.1": python(home / ".asdf" / "installs" / "python" / "3.7.1"),
        "3.8.2": python(home / ".local" / "share" / "mise" / "installs" / "python" / "3.8.2"),
        "3.9.3": python(home / ".local" / "share" / "uv" / "python" / "cpython-3.9.3-linux-gnu"),
        "3.10.4": python(home / "miniforge3" / "envs" / "old"),
        "3.11.5": python(home / "elsewhere"),
    }
    for version, prefix in (
        ("3.10.4", home / "miniforge3" / "envs" / "old"),
        ("3.11.5", home / "elsewhere"),
    ):
        (prefix / "conda-meta").mkdir()
        (prefix / "conda-meta" / f"python-{version}-h123_0.json").touch()
    (home / ".conda").mkdir()
    (home / ".conda" / "environments.txt").write_text(f"{home / 'elsewhere'}\n/gone\n")
    found = dict(installed_pythons())
    assert {version: found.get(version) for version in laid} == laid


def test_shims_are_seen_through(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = home / ".pyenv" / "shims" / "python3.6"
    shim.parent.mkdir(parents=True)
    shim.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(shim.parent))
    assert shim not in [path for _, path in installed_pythons()]


def test_a_python_that_is_nowhere_is_one_sentence_with_the_command(home: Path) -> None:
    with pytest.raises(RebuildError, match=r"pyenv, asdf, mise, conda.*uv python install 3\.99"):
        find_python(PythonFacts("cpython", "3.99.0", 0, ""))
    with pytest.raises(RebuildError, match=r"pyenv install 3\.1"):
        find_python(PythonFacts("cpython", "3.1.0", 0, ""))
    with pytest.raises(InputError, match="auto or never"):
        ReplayOptions(download="always")  # type: ignore[arg-type]


def test_another_minor_version_only_where_all_is_restored_from_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Interpreter(Path("python"), "3.12.1", False)
    monkeypatch.setattr(
        python_discovery, "_nearest", lambda wanted: other if wanted.minor == "3.12" else None
    )
    whole = manifest_with()
    assert python_for(whole, NEVER) == other
    data = {
        "source": None,
        "reason": "lost",
        "kind": "lambda",
        "module": "__main__",
        "qualname": "<lambda>",
        "namespace": "__main__",
        "origin": "main",
        "code": {"sha256": "c" * 64, "magic": 3495, "base64": "AAAA"},
        "names": [],
    }
    coded = manifest_with(nodes={"__main__:<lambda>": data})
    with pytest.raises(RebuildError, match="was found"):
        python_for(coded, NEVER)
