"""A lock beside a model: what uv writes into it, what is read of it, and when it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsule.errors import InputError
from capsule.rebuild import locks
from capsule.rebuild.cache import build_exact
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Uv
from capsule.rebuild.locks import read_hashes, write_lock
from capsule.rebuild.options import silent
from capsule.rebuild.pins import Pins
from capsule.rebuild.recipe import Recipe
from tests.unit.test_builds import offline, pins
from tests.unit.test_rebuild import HERE
from tests.wheels import wheel

A, B, C = "a" * 64, "b" * 64, "c" * 64


def package(name: str, version: str, *lines: str) -> str:
    return "\n".join(["[[packages]]", f'name = "{name}"', f'version = "{version}"', *lines, ""])


def wheels(*digests: str) -> str:
    files = ", ".join(f'{{ url = "x", hashes = {{ sha256 = "{digest}" }} }}' for digest in digests)
    return f"wheels = [{files}]"


def lock(folder: Path, *packages: str, version: str = "1.0") -> Path:
    path = folder / "pylock.m-keras.toml"
    path.write_text(f'lock-version = "{version}"\n' + "\n".join(packages))
    return path


SDIST = f'sdist = {{ url = "y", hashes = {{ sha256 = "{C}" }} }}'
ARCHIVE = f'archive = {{ url = "z", hashes = {{ sha256 = "{C}" }} }}'
VCS = 'vcs = { type = "git", url = "https://host/x", commit-id = "abc123" }'
GIT = Pins(("alpha @ git+https://host/x@abc123",), {"alpha": "1.0"})

# (a package of the lock, the pins, and the digests that are read of it)
READ: list[tuple[str, str, Pins, tuple[str, ...]]] = [
    ("wheels", package("alpha", "1.0", wheels(B, A)), pins("alpha==1.0"), (A, B)),
    ("the same wheel twice", package("alpha", "1.0", wheels(A, A)), pins("alpha==1.0"), (A,)),
    ("a source", package("alpha", "1.0", SDIST), pins("alpha==1.0"), (C,)),
    ("both", package("alpha", "1.0", wheels(A), SDIST), pins("alpha==1.0"), (A, C)),
    ("an archive", package("alpha", "1.0", ARCHIVE), pins("alpha==1.0"), (C,)),
    (
        "one digest of two is none",
        package("alpha", "1.0", wheels(A, "short")),
        pins("alpha==1.0"),
        (A,),
    ),
    ("another spelling", package("Alpha.Beta", "1.0", wheels(A)), pins("alpha-beta==1.0"), (A,)),
    ("the same version", package("alpha", "1.0.0", wheels(A)), pins("alpha==1.0"), (A,)),
    ("a repository", package("alpha", "1.0", VCS), GIT, ()),
]


@pytest.mark.parametrize(
    ("text", "pinned", "digests"), [r[1:] for r in READ], ids=[r[0] for r in READ]
)
def test_the_digests_of_its_files_are_read(
    tmp_path: Path, text: str, pinned: Pins, digests: tuple[str, ...]
) -> None:
    other = package("unrelated", "5.0", wheels(B))
    assert read_hashes(lock(tmp_path, other, text), pinned) == {
        next(iter(pinned.versions)): digests
    }


# (a package of the lock, the pins, and the words in which it is refused)
REFUSED: list[tuple[str, str, Pins, str]] = [
    ("another version", package("alpha", "1.1", wheels(A)), pins("alpha==1.0"), "the model 1.0"),
    (
        "a local version",
        package("alpha", "1.0+cpu", wheels(A)),
        pins("alpha==1.0"),
        "has alpha 1.0",
    ),
    (
        "another name",
        package("alpha2", "1.0", wheels(A)),
        pins("alpha==1.0"),
        "has no alpha, which",
    ),
    (
        "no digest",
        package("alpha", "1.0", 'wheels = [{ url = "x" }]'),
        pins("alpha==1.0"),
        r"packages\[0\] has no SHA-256",
    ),
    ("a short digest", package("alpha", "1.0", wheels("a" * 63)), pins("alpha==1.0"), "no SHA-256"),
    (
        "no digest at all",
        package("alpha", "1.0", wheels("x" * 64)),
        pins("alpha==1.0"),
        "no SHA-256",
    ),
    (
        "a digest in capitals",
        package("alpha", "1.0", wheels("A" * 64)),
        pins("alpha==1.0"),
        "no SHA-256",
    ),
    (
        "a repository that was not allowed",
        package("alpha", "1.0", VCS),
        pins("alpha==1.0"),
        "from a repository: allow",
    ),
    (
        "another commit",
        package("alpha", "1.0", VCS.replace("abc123", "def456")),
        GIT,
        "from a repository: allow",
    ),
    ("no version", '[[packages]]\nname = "alpha"\n', pins("alpha==1.0"), "no name or version"),
    (
        "a version that is none",
        package("alpha", "new", wheels(A)),
        pins("alpha==1.0"),
        r"packages\[0\]\.version is no version: 'new'",
    ),
    ("a package that is none", "packages = [1]", pins("alpha==1.0"), r"packages\[0\] is no table"),
    ("packages that are none", "packages = 1", pins("alpha==1.0"), "no lock of version 1"),
]


@pytest.mark.parametrize(
    ("text", "pinned", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_does_not_lock_the_model_is_refused(
    tmp_path: Path, text: str, pinned: Pins, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_hashes(lock(tmp_path, text), pinned)


@pytest.mark.parametrize(("version", "reads"), [("1.0", True), ("1.9", True), ("2.0", False)])
def test_a_newer_minor_version_is_read_and_another_major_refused(
    tmp_path: Path, version: str, reads: bool
) -> None:
    path = lock(tmp_path, package("alpha", "1.0", wheels(A)), version=version)
    if reads:
        assert read_hashes(path, pins("alpha==1.0")) == {"alpha": (A,)}
        return
    with pytest.raises(InputError, match="no lock of version 1"):
        read_hashes(path, pins("alpha==1.0"))


def test_what_is_no_file_of_reasonable_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_hashes(tmp_path / "gone.toml", pins("alpha==1.0"))
    monkeypatch.setattr(locks, "SIZE_LIMIT", 10)
    with pytest.raises(InputError, match="larger than"):
        read_hashes(lock(tmp_path, package("alpha", "1.0", wheels(A))), pins("alpha==1.0"))


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    wheel(tmp_path / "wheels", "alpha", "1.0")
    wheel(tmp_path / "wheels", "alpha", "2.0")
    return tmp_path / "wheels"


def test_a_lock_that_uv_writes_is_obeyed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv, path = Uv(offline(folder)), tmp_path / "pylock.m-keras.toml"
    write_lock(pins("alpha==1.0"), HERE, path, uv)
    hashes = read_hashes(path, pins("alpha==1.0"))
    locked = Pins(("alpha==1.0",), {"alpha": "1.0"}, hashes=hashes)

    def install() -> Any:
        return build_exact(Recipe(HERE, locked, uv), silent)

    assert not install().cached
    for built in (tmp_path / "cache" / "environments").glob("*/capsule-ready.json"):
        built.unlink()
    wheel(folder, "alpha", "1.0", "changed>=1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another"))  # uv would take its own copy
    with pytest.raises(RebuildError, match="another hash than the lock has") as caught:
        install()
    assert caught.value.code == "hash-mismatch"


def test_a_lock_that_can_not_be_had_leaves_the_old_one(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "pylock.m-keras.toml"
    path.write_text("as it was")
    with pytest.raises(RebuildError, match="no alpha"):
        write_lock(pins("alpha==3.0"), HERE, path, Uv(offline(folder)))
    assert path.read_text() == "as it was"
    with pytest.raises(InputError, match="can't be written"):
        write_lock(pins("alpha==1.0"), HERE, tmp_path / "no" / "lock.toml", Uv(offline(folder)))
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix == ".tmp") == []
