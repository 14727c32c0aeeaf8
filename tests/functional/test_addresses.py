"""What was installed from a repository, an archive or a folder, and is replayed elsewhere."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.conftest import PROJECT, Installed

MODEL = """
import keras, lab_git, lab_archive, lab_editable
x = keras.Input((2,))
parts = lambda v: lab_git.change(v) + lab_archive.change(v) + lab_editable.change(v)
keras.Model(x, keras.layers.Lambda(parts)(x)).save("model.keras")
"""


def project(folder: Path, name: str, factor: int) -> Path:
    """Write a small project that can be built, as any user's."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "{name}"\nversion = "0.3"\nrequires-python = ">=3.9"\n'
    )
    module = folder / name.replace("-", "_")
    module.mkdir()
    (module / "__init__.py").write_text(f"def change(x):\n    return x * {factor}\n")
    return folder


@dataclass(frozen=True)
class Lab:
    """A model whose environment came from many places, and who serves them."""

    folder: Path
    commit: str

    def replay(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return Installed(Path(sys.prefix), 3, "").capsule(
            "replay", "model.keras", "--check", *words, cwd=self.folder, **variables
        )


@pytest.fixture(scope="module")
def lab(keras3: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    served = folder / "served"
    repository = project(folder / "repository" / "inner" / "lab-git", "lab-git", 2).parent.parent
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    subprocess.run(["git", "clone", "-q", "--bare", repository, served / "lab.git"], check=True)
    subprocess.run(["git", "-C", served / "lab.git", "update-server-info"], check=True)
    uv = find_uv_bin()
    archive = project(folder / "lab-archive", "lab-archive", 10)
    subprocess.run([uv, "build", "-q", "--wheel", "-o", served, archive], check=True)
    editable = project(folder / "lab-editable", "lab-editable", 100)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}"
    python = folder / "environment" / "bin" / "python"
    subprocess.run(
        [uv, "venv", "-q", "--python", sys.executable, folder / "environment"], check=True
    )
    install = [uv, "pip", "install", "-q", "--python", str(python)]
    # Keras over JAX: a whole framework to replay, and a smaller one.
    subprocess.run([*install, "keras==3.15.1", "jax", "-e", str(PROJECT)], check=True)
    at = f"git+{place}/lab.git@{commit.stdout.strip()}#subdirectory=inner/lab-git"
    subprocess.run(
        [
            *install,
            f"lab-git @ {at}",
            "-e",
            str(editable),
            f"lab-archive @ {place}/lab_archive-0.3-py3-none-any.whl",
        ],
        check=True,
    )
    (folder / "train.py").write_text(MODEL)
    Installed(folder / "environment", 3, "").capsule(
        "save", "train.py", cwd=folder, check=True, KERAS_BACKEND="jax"
    )
    yield Lab(folder, commit.stdout.strip())
    server.shutdown()


def test_with_consent_all_comes_from_where_it_came_at_save(lab: Lab, cache: str) -> None:
    done = lab.replay("--unsafe", "--scope", "all", "--json", CAPSULE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    assert result["probe"]["exactly"]
    environment = result["environment"]
    assert environment["left_out"] == ["lab-editable"]
    told = {
        path.parent.name.partition("-")[0]: json.loads(path.read_text())
        for path in Path(environment["path"]).glob("lib/*/site-packages/lab*/direct_url.json")
    }
    assert told["lab_git"]["vcs_info"]["commit_id"] == lab.commit
    assert told["lab_git"]["subdirectory"] == "inner/lab-git"
    assert told["lab_archive"]["url"].endswith("/lab_archive-0.3-py3-none-any.whl")


def test_a_lock_holds_the_commit_in_place_of_a_hash(lab: Lab, cache: str) -> None:
    keras3 = Installed(Path(sys.prefix), 3, "")
    lock = lab.folder / "pylock.model-keras.toml"
    done = keras3.capsule("lock", "model.keras", "--unsafe", cwd=lab.folder)
    assert done.returncode == 0, done.stderr
    try:
        assert lab.commit in lock.read_text()
        done = lab.replay("--unsafe", CAPSULE_CACHE=cache)
        assert done.returncode == 0, done.stderr
        lock.write_text(lock.read_text().replace(lab.commit, "0" * 40))
        done = lab.replay("--unsafe", CAPSULE_CACHE=cache)
        assert done.returncode == 2
        assert "takes lab-git from a repository" in done.stderr
    finally:
        lock.unlink()


def test_without_consent_nothing_comes_from_there_and_what_is_missing_is_told(
    lab: Lab, cache: str
) -> None:
    done = lab.replay(CAPSULE_CACHE=cache)
    assert done.returncode == 2
    assert done.stderr.count("\n") < 6
    assert "the index has no lab-" in done.stderr
    assert "--find-links" in done.stderr


def test_a_folder_of_wheels_serves_what_came_from_folders(lab: Lab, cache: str) -> None:
    wheels = lab.folder / "wheels"
    for name in ("lab-archive", "lab-editable", "repository/inner/lab-git"):
        subprocess.run(
            [find_uv_bin(), "build", "-q", "--wheel", "-o", wheels, lab.folder / name], check=True
        )
    done = lab.replay("--scope", "all", "--find-links", str(wheels), "--json", CAPSULE_CACHE=cache)
    (result,) = json.loads(done.stdout)["results"]
    assert result["error"]["code"] == "consent-needed"
    assert result["environment"]["left_out"] == []
    assert result["environment"]["from_index"] == ["lab-archive", "lab-editable", "lab-git"]


def test_what_is_no_longer_there_is_told(lab: Lab, cache: str) -> None:
    gone = lab.folder / "served" / "gone.git"
    (lab.folder / "served" / "lab.git").rename(gone)
    try:
        done = lab.replay(
            "--unsafe",
            "--scope",
            "all",
            CAPSULE_CACHE=f"{cache}/gone",
            UV_CACHE_DIR=str(lab.folder / "uv"),
        )
    finally:
        gone.rename(lab.folder / "served" / "lab.git")
    assert done.returncode == 2
    assert "lab-git is no longer where it came from" in done.stderr


def contents(folder: Path) -> dict[str, set[str]]:
    """Return of each distribution in an environment its files with their digests."""
    # The installer's own words of how it did it.
    own = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_build.json", "uv_cache.json")
    found = {}
    for record in folder.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        lines = record.read_text().splitlines()
        found[record.parent.name] = {
            ",".join(line.split(",")[:2])
            for line in lines
            if not line.split(",")[0].endswith((*own, ".pyc")) and "/bin/" not in line
        }
    return found


def test_pip_tools_builds_what_uv_builds_file_by_file(lab: Lab, cache: str) -> None:
    places = []
    for backend in ("uv", "pip-tools"):
        done = lab.replay("--unsafe", "--backend", backend, "--json", CAPSULE_CACHE=cache)
        assert done.returncode == 0, done.stderr
        (result,) = json.loads(done.stdout)["results"]
        assert result["environment"]["backend"] == backend
        assert result["probe"]["exactly"]
        places.append(Path(result["environment"]["path"]))
    by_uv, by_pip_tools = map(contents, places)
    assert {"lab_git-0.3.dist-info", "lab_archive-0.3.dist-info"} < set(by_uv)
    assert by_pip_tools == by_uv
