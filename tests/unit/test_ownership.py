"""Whose code a module is: told by what installers wrote down, and as things are now."""

from __future__ import annotations

import functools
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capsule.capture.context import make_context
from capsule.capture.graph import ImportGraph
from capsule.capture.options import SaveOptions
from capsule.capture.origins import Origin, Origins
from capsule.capture.recording import unidentified_modules
from capsule.environment import installed_versions, live_environment, ownership, read_distributions


class Site:
    """A folder on the search path, into which distributions are put as installers do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def module(self, name: str, text: str = "VALUE = 2\n") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def metadata(self, name: str, version: str = "1.0", **files: str) -> Path:
        folder = self.folder / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        for key, text in files.items():
            (folder / key.replace("_txt", ".txt").replace("_json", ".json")).write_text(text)
        return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path / "deps")
    monkeypatch.syspath_prepend(made.folder)
    before = set(sys.modules)
    yield made
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and file.startswith(str(tmp_path)):
            del sys.modules[name]


def origin_of(name: str, *, load: bool = True) -> Origin:
    if load:
        importlib.invalidate_caches()
        importlib.import_module(name)
    return Origins(live_environment().paths).of(name)


@pytest.mark.parametrize("load", [True, False])
def test_a_distribution_in_a_folder_of_any_name_is_no_code_of_the_users(
    site: Site, load: bool
) -> None:
    site.module("vendored/__init__.py")
    site.metadata("Some.Vendor", RECORD="vendored/__init__.py,sha256=1,1\n")
    importlib.invalidate_caches()
    assert origin_of("vendored", load=load) == Origin("distribution", "some-vendor")


def test_the_users_own_files_beside_it_stay_the_users(site: Site) -> None:
    site.module("vendored.py")
    site.metadata("vendor", RECORD="vendored.py,sha256=1,1\n")
    site.module("handler.py")
    assert origin_of("handler") == Origin("local")


@pytest.mark.parametrize(
    ("files", "distribution"),
    [
        ({"top_level_txt": "ownership_serial\n"}, "pyserial"),
        ({"top_level_txt": "other\n"}, None),
        ({}, None),
        ({"RECORD": ""}, None),
    ],
)
def test_without_a_record_it_is_told_by_its_modules_or_said_to_be_unknown(
    site: Site, files: dict[str, str], distribution: str | None
) -> None:
    site.module("ownership_serial.py")
    site.metadata("pyserial", **files)
    assert origin_of("ownership_serial") == Origin("distribution", distribution)


def test_without_a_record_the_name_of_the_distribution_is_enough(site: Site) -> None:
    site.module("ownership_named/__init__.py")
    site.metadata("ownership-named")
    assert origin_of("ownership_named") == Origin("distribution", "ownership-named")


def test_two_that_may_have_brought_it_are_none(site: Site) -> None:
    site.module("ownership_cv.py")
    for name in ("opencv-python", "opencv-headless"):
        site.metadata(name, top_level_txt="ownership_cv\n")
    assert origin_of("ownership_cv") == Origin("distribution", None)


def test_the_list_of_dpkg_says_what_came_together(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = site.module("ownership_yaml.py")
    other = site.metadata("other", top_level_txt="other\n")
    metadata = site.metadata("PyYAML", top_level_txt="_yaml\n")
    (tmp_path / "python3-yaml.list").write_text(f"/.\n{module}\n{metadata}\n{metadata}/METADATA\n")
    (tmp_path / "python3-other.list").write_text(f"/.\n{other}\n")
    monkeypatch.setattr(ownership, "DPKG", str(tmp_path))
    assert origin_of("ownership_yaml") == Origin("distribution", "pyyaml")


def test_the_list_of_conda_says_what_came_together(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.module("ownership_image.py")
    site.metadata("Pillow", top_level_txt="PIL\n")
    (tmp_path / "conda-meta").mkdir()
    files = ["deps/ownership_image.py", "deps/Pillow-1.0.dist-info/METADATA"]
    (tmp_path / "conda-meta" / "pillow-1.0.json").write_text(json.dumps({"files": files}))
    origins = Origins([str(site.folder)])
    importlib.import_module("ownership_image")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert origins.of("ownership_image") == Origin("distribution", "pillow")


def test_a_file_made_in_a_package_after_it_was_installed_belongs_to_it(site: Site) -> None:
    site.module("ownership_package/__init__.py")
    site.module("ownership_package/generated.py")
    site.metadata("packed", RECORD="ownership_package/__init__.py,,\n")
    assert origin_of("ownership_package.generated") == Origin("distribution", "packed")


def test_a_namespace_package_belongs_to_its_only_distribution(site: Site) -> None:
    site.module("ownership_space/inner.py")
    site.metadata("spaced", RECORD="ownership_space/inner.py,,\n")
    importlib.import_module("ownership_space.inner")
    assert origin_of("ownership_space") == Origin("distribution", "spaced")


def test_what_is_installed_as_editable_is_its_owners_own_code(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Site(tmp_path / "project")
    project.module("ownership_mine.py")
    (project.folder / "mine.egg-info").mkdir()
    (project.folder / "mine.egg-info" / "PKG-INFO").write_text("Name: mine\nVersion: 1.0\n")
    (project.folder / "mine.egg-info" / "top_level.txt").write_text("ownership_mine\n")
    record = {"url": project.folder.as_uri(), "dir_info": {"editable": True}}
    site.metadata("mine", RECORD="__editable__.mine.pth,,\n", direct_url_json=json.dumps(record))
    monkeypatch.syspath_prepend(project.folder)
    assert origin_of("ownership_mine") == Origin("local")


@pytest.mark.parametrize("editable", [True, False])
def test_a_framework_in_a_checkout_is_never_the_users(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    checkout = Site(tmp_path / "checkout")
    checkout.module("tf_keras/__init__.py", "def linear(x):\n    return x\n")
    if editable:
        record = {"url": checkout.folder.as_uri(), "dir_info": {"editable": True}}
        site.metadata("tf_keras", RECORD="_.pth,,\n", direct_url_json=json.dumps(record))
    monkeypatch.syspath_prepend(checkout.folder)
    assert origin_of("tf_keras").kind == "distribution"
    assert origin_of("tf_keras").distribution == ("tf-keras" if editable else None)
    linear = sys.modules["tf_keras"].linear  # type: ignore[attr-defined]
    origins = Origins(live_environment().paths)
    assert not origins.is_users(linear)

    @functools.wraps(linear, assigned=("__name__",))
    def mine(x: Any) -> Any:
        return x

    assert origins.is_users(mine)


def test_the_standard_library_is_told_from_what_lies_below_it() -> None:
    origins = Origins(live_environment().paths)
    assert origins.of("json").kind == "stdlib"
    assert origins.of("_decimal").kind == "stdlib"
    assert origins.of("pytest") == Origin("distribution", "pytest")
    assert origins.of("_pytest.assertion") == Origin("distribution", "pytest")
    assert origins.of("nobody_wrote_this") == Origin("missing")


def test_what_is_installed_between_two_looks_is_seen(site: Site) -> None:
    def look() -> tuple[str | None, str | None]:
        environment = live_environment()
        distributions = {d.name: d.version for d in read_distributions(environment.paths)}
        assert environment.distributions == distributions
        origin = Origins(environment.paths).of("ownership_later")
        return distributions.get("ownership-later"), origin.distribution

    assert look() == (None, None)
    site.module("ownership_later.py")
    record = "ownership_later.py,,\n"
    metadata = site.metadata("ownership-later", "1.0", RECORD=record)
    importlib.invalidate_caches()
    assert look() == ("1.0", "ownership-later")
    metadata.rename(site.folder / "ownership_later-2.0.dist-info")
    assert look() == ("2.0", "ownership-later")


def test_metadata_written_in_place_is_read_again(site: Site) -> None:
    folder = site.folder / "ownership_built.egg-info"
    folder.mkdir()
    for version in ("1.0", "2.0.1"):
        (folder / "PKG-INFO").write_text(f"Name: ownership_built\nVersion: {version}\n")
        assert installed_versions([str(site.folder)]) == {"ownership-built": version}


def test_requirements_are_those_of_the_whole_metadata(site: Site) -> None:
    folder = site.metadata("ownership-needs")
    text = "Metadata-Version: 2.1\nName: n\nVersion: 1.0\nRequires-Dist: b; extra == 'x'\n"
    (folder / "METADATA").write_text(text + "Requires-Dist: a>1\n\nRequires-Dist: no\n")
    (facts,) = read_distributions([str(site.folder)])
    assert facts.requires == ("a>1", "b; extra == 'x'")


def test_a_module_that_no_distribution_owns_is_named_as_such_in_the_sidecar(site: Site) -> None:
    site.module("ownership_unknown.py")
    site.metadata("who-knows")
    module: Any = importlib.import_module("ownership_unknown")
    origins = Origins(live_environment().paths)
    graph = ImportGraph(make_context(origins, Path.cwd(), SaveOptions()))
    graph.add(lambda x: x * module.VALUE)
    node = graph.nodes["ownership_unknown"]
    assert (node.origin, node.distribution, node.source) == ("distribution", None, None)
    (sentence,) = unidentified_modules(graph.nodes)
    assert "ownership_unknown" in sentence
