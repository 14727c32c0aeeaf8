"""Each export is read by what reads such files: an installer, a linter of Dockerfiles, a schema."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from uv import find_uv_bin

from tests.conftest import Installed

Exported = Callable[[str], Path]


@pytest.fixture(scope="module")
def exported(
    keras3: Installed,
    samples: Callable[[Installed], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Exported:
    folder = tmp_path_factory.mktemp("exports")
    names = {
        "requirements": "requirements.txt",
        "pylock": "pylock.toml",
        "conda": "conda.yml",
        "dockerfile": "Dockerfile",
        "cyclonedx": "bom.json",
    }

    def to(form: str) -> Path:
        path = folder / names[form]
        model = str(samples(keras3) / "doubling.keras")
        done = keras3.capsule("export", model, "--to", form, "--output", str(path))
        assert done.returncode == 0, done.stderr
        return path

    return to


@pytest.mark.parametrize("form", ["requirements", "pylock"])
def test_an_installer_takes_requirements_and_lock(
    form: str, exported: Exported, tmp_path: Path
) -> None:
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, tmp_path / "empty"], check=True)
    done = subprocess.run(
        [
            uv,
            "pip",
            "install",
            "--dry-run",
            "--no-deps",
            "--python",
            tmp_path / "empty" / "bin" / "python",
            "-r",
            exported(form),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "keras==3.15.1" in done.stderr


def test_a_linter_has_nothing_to_say_of_the_dockerfile(exported: Exported) -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint has no build for this machine")
    done = subprocess.run([linter, exported("dockerfile")], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_bill_of_materials_is_valid_by_the_schema(exported: Exported) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = exported("cyclonedx").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None


def test_the_conda_environment_is_yaml_of_its_shape(exported: Exported) -> None:
    """No conda is here: what it reads first, and what it hands to pip, is looked at."""
    import yaml

    data = yaml.safe_load(exported("conda").read_text())
    assert set(data) == {"name", "dependencies"}
    python, pip, handed = data["dependencies"]
    assert python.startswith("python=3.")
    assert pip == "pip"
    assert len([Requirement(line) for line in handed["pip"]]) > 25
