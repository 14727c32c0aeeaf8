"""What is pinned of an environment, and as which requirement: a row for each situation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from capsule.errors import InputError, ManifestError
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.pins import Pins, pins_of
from tests.making import manifest_json, manifest_with
from tests.unit.test_rebuild import distribution

SHA = "d" * 64
URL = "https://host/x"


def pinned(*distributions: Any, keras: Any = None, scope: str = "model", **options: bool) -> Pins:
    base = manifest_json()["distributions"]
    names = {each["name"] for each in distributions}
    installed = [*(each for each in base if each["name"] not in names), *distributions]
    manifest = manifest_with(distributions=installed, keras=keras or {})
    return pins_of(manifest, scope, **options)


def git(commit: str = "abc123", **more: Any) -> dict[str, Any]:
    return {"url": URL, "vcs_info": {"vcs": "git", "commit_id": commit}, **more}


FOLDER = {"url": "file:", "dir_info": {}}
EDITABLE = {"url": "file:", "dir_info": {"editable": True}}
ARCHIVE = {"url": f"{URL}.whl", "archive_info": {"hashes": {"sha256": SHA}}}

# (version and address of h5py, options, its requirement or None, among moved, among left out)
SITUATIONS = [
    ("plain", "1.0", None, {}, "h5py==1.0", False, False),
    ("local version", "1.0+cpu", None, {}, "h5py==1.0+cpu", False, False),
    ("folder", "1.0", FOLDER, {}, "h5py==1.0", True, False),
    ("folder, with consent", "1.0", FOLDER, {"elsewhere": True}, "h5py==1.0", True, False),
    ("editable", "1.0", EDITABLE, {}, None, False, True),
    ("editable, with consent", "1.0", EDITABLE, {"elsewhere": True}, None, False, True),
    ("editable, own index", "1.0", EDITABLE, {"own_index": True}, "h5py==1.0", True, False),
    ("folder, own index", "1.0", FOLDER, {"own_index": True}, "h5py==1.0", True, False),
    ("git", "1.0", git(), {}, "h5py==1.0", True, False),
    ("git, own index", "1.0", git(), {"own_index": True}, "h5py==1.0", True, False),
    (
        "git, with consent",
        "1.0",
        git(),
        {"elsewhere": True},
        f"h5py @ git+{URL}@abc123",
        False,
        False,
    ),
    (
        "part of a repository",
        "1.0",
        git(subdirectory="python/h5"),
        {"elsewhere": True},
        f"h5py @ git+{URL}@abc123#subdirectory=python/h5",
        False,
        False,
    ),
    ("archive", "1.0", ARCHIVE, {}, "h5py==1.0", True, False),
    (
        "archive, with consent",
        "1.0",
        ARCHIVE,
        {"elsewhere": True},
        f"h5py @ {URL}.whl#sha256={SHA}",
        False,
        False,
    ),
    (
        "archive of older pips",
        "1.0",
        {"url": f"{URL}.whl", "archive_info": {"hash": f"sha256={SHA}"}},
        {"elsewhere": True},
        f"h5py @ {URL}.whl#sha256={SHA}",
        False,
        False,
    ),
    (
        "archive with another digest",
        "1.0",
        {"url": f"{URL}.whl", "archive_info": {"hash": f"md5={SHA[:32]}"}},
        {"elsewhere": True},
        f"h5py @ {URL}.whl",
        False,
        False,
    ),
    (
        "archive with a digest that is none",
        "1.0",
        {"url": f"{URL}.whl", "archive_info": {"hashes": {"sha256": f"{SHA}&x=1"}}},
        {"elsewhere": True},
        f"h5py @ {URL}.whl",
        False,
        False,
    ),
    (
        "archive with a part",
        "1.0",
        {**ARCHIVE, "subdirectory": "sub"},
        {"elsewhere": True},
        f"h5py @ {URL}.whl#sha256={SHA}&subdirectory=sub",
        False,
        False,
    ),
]


@pytest.mark.parametrize("scope", ["model", "all"])
@pytest.mark.parametrize("row", SITUATIONS, ids=lambda row: row[0])
def test_each_situation_has_its_requirement(row: Any, scope: str) -> None:
    _, version, url, options, requirement, moved, left_out = row
    pins = pinned(distribution("h5py", version=version, url=url), scope=scope, **options)
    found = dict(zip(pins.versions, pins.requirements)).get("h5py")
    assert found == requirement
    assert pins.versions.get("h5py") == (None if requirement is None else version)
    assert ("h5py" in pins.moved, "h5py" in pins.left_out) == (moved, left_out)


@pytest.mark.parametrize(
    "url",
    [
        git("abc --index-url=x"),
        git("abc\n-r evil"),
        git(subdirectory="../../etc"),
        git(subdirectory="a;b"),
        git("a..b"),
        {"url": URL, "vcs_info": {"vcs": "git+file", "commit_id": "abc"}},
        {"url": URL, "vcs_info": {"vcs": "git"}},
        {"url": f"{URL}\n-r evil", "archive_info": {}},
        {"url": "file:///etc/passwd", "archive_info": {}},
    ],
    ids=str,
)
def test_an_address_that_would_say_something_else_to_an_installer_is_refused(url: Any) -> None:
    with pytest.raises((RebuildError, ManifestError, InputError)):
        pinned(distribution("h5py", url=url), elsewhere=True)


CAPSULE = distribution("keras-capsule", "typer", "numpy", "filelock")

# (what is installed besides, the names pinned of it under scope all)
ALL = [
    ([CAPSULE, distribution("typer")], set()),
    ([CAPSULE, distribution("typer", "click"), distribution("click")], set()),
    # What another distribution requires as well is the model's.
    (
        [
            CAPSULE,
            distribution("typer", "click"),
            distribution("click"),
            distribution("flask", "click"),
        ],
        {"flask", "click"},
    ),
    ([CAPSULE, distribution("filelock"), distribution("torch", "filelock")], {"torch", "filelock"}),
    # What nobody requires was installed for its own sake.
    ([CAPSULE, distribution("pandas")], {"pandas"}),
    ([distribution("typer")], {"typer"}),
    # Whoever requires capsule does not bring it, or what it alone needs.
    (
        [CAPSULE, distribution("typer"), distribution("plugin", "keras-capsule")],
        {"plugin", "typer"},
    ),
]


@pytest.mark.parametrize(("installed", "names"), ALL)
def test_scope_all_is_everything_but_capsule_and_what_is_there_for_its_sake(
    installed: list[Any], names: set[str]
) -> None:
    everything = {"keras", "numpy", "tensorflow-cpu", "jupyter"}
    assert set(pinned(*installed, scope="all").versions) == everything | names


def test_scope_model_never_has_capsule_even_where_a_function_reaches_it() -> None:
    nodes = manifest_json()["nodes"]
    nodes["numpy"]["distribution"] = "keras-capsule"
    manifest = manifest_with(
        nodes=nodes, distributions=[*manifest_json()["distributions"], CAPSULE]
    )
    assert set(pins_of(manifest).versions) == {"keras", "numpy", "tensorflow-cpu"}


# (what is installed besides, Keras' facts, the names pinned of it for the model)
REACHED = [
    ("nobody reaches it", [distribution("pandas")], {}, set()),
    ("every Keras needs it", [distribution("h5py")], {}, {"h5py"}),
    (
        "Keras requires it",
        [distribution("keras", "rich"), distribution("rich", "pygments"), distribution("pygments")],
        {},
        {"rich", "pygments"},
    ),
    (
        "an extra of what is required",
        [
            distribution("keras", "a[fast]"),
            distribution("a", 'b; extra == "fast"', 'c; extra == "x"'),
            distribution("b"),
            distribution("c"),
        ],
        {},
        {"a", "b"},
    ),
    (
        "another system's",
        [distribution("keras", 'a; sys_platform == "win32"'), distribution("a")],
        {},
        set(),
    ),
    (
        "another Python's",
        [distribution("keras", 'a; python_version < "3.8"'), distribution("a")],
        {},
        set(),
    ),
    (
        "this Python's",
        [distribution("keras", 'a; python_version >= "3.8"'), distribution("a")],
        {},
        {"a"},
    ),
    (
        "a circle",
        [distribution("keras", "a"), distribution("a", "b"), distribution("b", "a")],
        {},
        {"a", "b"},
    ),
    (
        "the backend requires it",
        [distribution("tensorflow-cpu", "gast"), distribution("gast")],
        {},
        {"gast"},
    ),
    (
        "numpy as backend calls jax and scipy",
        [distribution("jax"), distribution("scipy")],
        {"backend": "numpy", "backend_distribution": "numpy"},
        {"jax", "scipy"},
    ),
    ("TensorFlow calls neither", [distribution("jax"), distribution("scipy")], {}, set()),
    (
        "a backend of its own",
        [distribution("torch"), distribution("jax")],
        {"backend": "torch", "backend_distribution": "torch"},
        {"torch"},
    ),
]


@pytest.mark.parametrize(
    ("installed", "facts", "names"), [row[1:] for row in REACHED], ids=[row[0] for row in REACHED]
)
def test_the_model_has_what_it_reaches_and_what_that_requires(
    installed: list[Any], facts: dict[str, Any], names: set[str]
) -> None:
    backend = facts.get("backend_distribution", "tensorflow-cpu")
    found = set(pinned(*installed, keras=facts).versions)
    assert found == {"keras", "numpy", backend} | names


def test_what_a_function_reaches_is_pinned_with_what_it_requires() -> None:
    nodes = manifest_json()["nodes"]
    nodes["numpy"]["distribution"] = "scipy"
    extra = [distribution("scipy", "pooch"), distribution("pooch"), distribution("pandas")]
    installed = [*manifest_json()["distributions"], *extra]
    manifest = manifest_with(nodes=nodes, distributions=installed)
    assert set(pins_of(manifest).versions) == {"keras", "numpy", "tensorflow-cpu", "scipy", "pooch"}


def test_without_a_keras_nothing_can_be_pinned() -> None:
    with pytest.raises(RebuildError, match="does not say which Keras"):
        pins_of(replace(manifest_with(), keras=None))


def test_pins_move_and_remember_where_they_were() -> None:
    pins = Pins(("a==1", "b==2"), {"a": "1", "b": "2"})
    twice = pins.with_version("b", "3").with_version("b", "4")
    assert twice.requirements == ("a==1", "b==4")
    assert twice.versions == {"a": "1", "b": "4"}
    assert twice.relaxed == {"b": "2"}


def test_pins_split_by_whether_a_lock_gave_a_hash() -> None:
    pins = Pins(("a==1", "b @ git+x@y"), {"a": "1", "b": "2"}, hashes={"a": (SHA,), "b": ()})
    assert pins.with_hash().as_text() == f"a==1 --hash=sha256:{SHA}\n"
    assert pins.with_hash(False).as_text() == "b @ git+x@y\n"
    assert pins.with_hash().versions == {"a": "1"}
