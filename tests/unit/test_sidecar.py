"""A sidecar is input like any other: what is wrong is told with its place, hostility refused."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsule.errors import ManifestError
from capsule.manifest import Manifest
from capsule.manifest.files import read_manifest, sidecar_path, write_manifest
from capsule.manifest.parse import manifest_from_json
from capsule.manifest.schema import PATH, schema, to_text
from tests.making import manifest_json

SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a whole sidecar with the value at a dotted *path* replaced."""
    data = manifest_json()
    inner: Any = data
    *parts, last = path.split(".")
    for part in parts:
        inner = inner[int(part) if part.isdigit() else part]
    inner[int(last) if last.isdigit() else last] = value
    return data


def refused(data: Any) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        manifest_from_json(data)
    return caught.value


def test_what_is_written_is_read_again_the_same(tmp_path: Path) -> None:
    manifest = manifest_from_json(manifest_json())
    path = tmp_path / "model.h5.capsule.json"
    write_manifest(manifest, path)
    assert read_manifest(path) == manifest
    assert path.read_text() == manifest.to_text()
    assert os.listdir(tmp_path) == [path.name]
    jsonschema.validate(json.loads(path.read_text()), SCHEMA)


UNKNOWN = (
    "python.version",
    "python.magic",
    "platform",
    "keras.backend",
    "environment_variables",
    "distributions",
)


def test_an_inferred_manifest_may_hold_ranges_and_unknowns(tmp_path: Path) -> None:
    data = manifest_json()
    data["origin"] = "inferred"
    data["python"] |= {"version": None, "magic": None, "versions": ["3.6", "3.7"]}
    data["keras"]["backend"] = None
    data |= {"platform": None, "environment_variables": None, "distributions": None}
    manifest = manifest_from_json(data)
    assert (manifest.python.versions, manifest.python.minor) == (("3.6", "3.7"), "3.7")
    write_manifest(manifest, tmp_path / "sidecar")
    assert read_manifest(tmp_path / "sidecar") == manifest
    jsonschema.validate(json.loads((tmp_path / "sidecar").read_text()), SCHEMA)


@pytest.mark.parametrize("path", UNKNOWN)
def test_a_recorded_manifest_knows_its_facts(path: str) -> None:
    assert path.split(".")[0] in str(refused(changed(path, None)))


def test_a_python_without_a_version_needs_a_range() -> None:
    data = changed("python.version", None)
    data["origin"] = "inferred"
    assert "python" in str(refused(data))


def test_the_sidecar_lies_beside_its_artifact() -> None:
    assert sidecar_path("folder/model.h5") == Path("folder/model.h5.capsule.json")


def test_writing_that_fails_leaves_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.h5.capsule.json"
    path.write_text("old")

    class Broken(Manifest):
        def to_text(self) -> str:
            raise RuntimeError("in the midst of it")

    fields = vars(manifest_from_json(manifest_json()))
    with pytest.raises(RuntimeError):
        write_manifest(Broken(**fields), path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("key", sorted(manifest_json()))
def test_a_missing_key_is_named(key: str) -> None:
    data = manifest_json()
    del data[key]
    error = refused(data)
    assert key in str(error)


def test_a_key_that_nobody_knows_is_refused_with_its_place() -> None:
    data = changed("functions.0.pickle", "gASVAAAA")
    assert "functions[0].pickle" in str(refused(data))
    data["capsule"] = "1.7"
    assert manifest_from_json(data).functions[0].name == "<lambda>"


def test_a_newer_minor_is_read_with_a_warning_and_a_newer_major_refused() -> None:
    data = changed("capsule", "1.7")
    data["something_new"] = 1
    assert "1.7" in manifest_from_json(data).warnings[0]
    error = refused(changed("capsule", "2.0"))
    assert error.code == "manifest-too-new"
    assert "upgrade capsule" in str(error)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"capsule": 1}', "\xff", "[" * 100_000])
def test_a_file_that_is_no_sidecar_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.h5.capsule.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


DEEP: Any = 1
for _ in range(300):
    DEEP = [DEEP]

HOSTILE = {
    "distributions.0.name": ["--index-url=http://evil", "Has Space", "../up", "UPPER", "a\nb", ""],
    "keras.backend_version": ["not a version"],
    "distributions.0.version": ["1.0\n", "1.0; rm -rf", "latest", "1.0 --hash=x", ""],
    "distributions.0.requires": ["text", [3]],
    "distributions.0.direct_url": [
        {"url": "https://user:password@host/x"},
        {"url": "javascript:1"},
        {"url": 3},
        {},
        {"url": "https://host/x --index-url=y"},
        {"url": "https://host/\n"},
        {"url": "https://host/${AWS_SECRET_ACCESS_KEY}"},
        {"url": "file:///etc"},
        {"url": "https://token@host/x"},
    ],
    "environment_variables": [
        {"LD_PRELOAD": "x.so"},
        {"PATH": "/tmp"},
        {"KERAS_BACKEND": 3},
        {"KERAS_BACKEND": "a b"},
        {"XLA_FLAGS": "--xla_dump_to=/"},
    ],
    "artifact.name": ["../../model.h5", "/etc/passwd", "a\x1b[2Jb", ""],
    "artifact.sha256": ["0", "z" * 64],
    "python.version": ["3.11; import os", "x"],
    "python.implementation": ["--help", "../python"],
    "keras.module": ["os", "../../x", "keras; import os"],
    "keras.distribution": ["--pre"],
    "nodes": [
        {"../../x": {"kind": "module", "names": []}},
        {"os": {"kind": "module", "names": [], "source": "evil"}},
        {"os.path": {"kind": "module", "names": [], "source": "evil"}},
        {"keras": {"kind": "module", "names": [], "source": "evil"}},
        {"subprocess": {"kind": "module", "names": [], "source": "evil"}},
        {"m": {"kind": "module", "names": [{"name": "x", "how": "global", "to": "nowhere"}]}},
        {"m": {"kind": "import everything", "names": []}},
        {"m": {"kind": "function", "module": "a\x1bb", "names": []}},
        {"m": {"kind": "function", "names": [{"name": "x; import os", "how": "closure"}]}},
        {"m": {"kind": "function", "names": [{"name": "x", "how": "global", "value": DEEP}]}},
    ],
    "probe.examples": [[{"shape": [1], "dtype": "float32"}]],
    "probe.inputs": [[{"shape": [-1], "dtype": "float32"}], [{"shape": [2], "dtype": "O; x"}]],
}


@pytest.mark.parametrize(
    ("path", "value"), [(path, value) for path, values in HOSTILE.items() for value in values]
)
def test_a_hostile_value_is_refused_with_its_place(path: str, value: Any) -> None:
    data = changed(path, value)
    if path == "nodes":
        data["functions"] = []
    error = refused(data)
    assert path.split(".")[0] in f"{error}"


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to every value inside *data*."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    paths = []
    for key, value in inner:
        paths.append((*path, key))
        if isinstance(value, (dict, list)):
            paths += leaves(value, (*path, key))
    return paths


def holder(data: Any, path: tuple[Any, ...]) -> Any:
    """Return the object or array of *data* in which *path* ends."""
    for part in path[:-1]:
        data = data[part]
    return data


OTHER_VALUES = (
    st.none() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({}) | st.just([None])
)


@given(st.sampled_from(leaves(manifest_json())), OTHER_VALUES)
def test_any_value_of_a_wrong_kind_is_a_clear_error_or_harmless(path: Any, value: Any) -> None:
    data = copy.deepcopy(manifest_json())
    holder(data, path)[path[-1]] = value
    try:
        manifest_from_json(data)
    except ManifestError as error:
        assert "\n" not in str(error)


# The schema: made from the fields, and of one mind with the reader.


def test_the_schema_is_the_one_made_from_the_fields() -> None:
    assert PATH.read_text(encoding="utf-8") == to_text(schema()) + "\n", (
        "make it anew: python -m capsule.manifest.schema"
    )
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_property_of_the_schema_is_described() -> None:
    for record in (SCHEMA, *SCHEMA["$defs"].values()):
        assert record["description"]
        for name, declared in record["properties"].items():
            assert declared.get("description", "").endswith("."), name


def whole_json() -> dict[str, Any]:
    """Return a sidecar in which every key stands that may stand there."""
    data = manifest_json()
    data["evidence"] = [{"subject": "K", "value": "keras", "how": "assumed", "why": "custom"}]
    data["environment_variables"] = {"KERAS_BACKEND": "tensorflow"}
    data["distributions"][0]["direct_url"] = {"url": "https://host/a.whl", "archive_info": {}}
    data["python"]["versions"] = ["3.11"]
    node = data["nodes"]["__main__:<lambda>"]
    node |= {"reason": "why", "futures": ["annotations"], "package": True, "decorated": True}
    node |= {"decompiled": True, "distribution": "numpy"}
    node["code"]["base64"] = "AAAA"
    node["names"] += [
        {"name": "a", "how": "import", "to": "numpy", "attribute": "linalg.norm"},
        {"name": "b", "how": "closure", "value": {"type": "tuple", "items": [1, None]}},
        {"name": "c", "how": "keyword-default", "value": None},
        {"name": "d", "how": "global", "missing": True},
    ]
    stored = {"shape": [9], "dtype": "float32", "sample": "AACAPw==", "sha256": "d" * 64}
    data["probe"] |= {"examples": [stored], "skipped": "never"}
    return data


WHOLE = {"recorded": whole_json(), "inferred": {**whole_json(), "origin": "inferred"}}
# Plain data and what PEP 610 leaves open have no shape of their own.
OPEN = ("value", "direct_url")
PATHS = [p for p in leaves(WHOLE["recorded"]) if not any(part in OPEN for part in p[:-1])]


def is_read(data: Any) -> bool:
    try:
        manifest_from_json(data)
    except ManifestError:
        return False
    return True


@pytest.mark.parametrize("origin", WHOLE)
def test_the_whole_of_what_may_stand_there_is_taken_and_written_again(origin: str) -> None:
    VALIDATOR.validate(WHOLE[origin])
    manifest = manifest_from_json(WHOLE[origin])
    assert manifest.to_json() == WHOLE[origin]
    assert manifest_from_json(json.loads(manifest.to_text())) == manifest


@given(st.sampled_from(list(WHOLE)), st.sampled_from(PATHS), OTHER_VALUES)
def test_what_the_schema_refuses_the_reader_refuses(origin: str, path: Any, value: Any) -> None:
    data = copy.deepcopy(WHOLE[origin])
    inner = holder(data, path)
    before = inner[path[-1]]
    inner[path[-1]] = value
    valid = VALIDATOR.is_valid(data)
    if is_read(data):
        assert valid
        VALIDATOR.validate(manifest_from_json(data).to_json())
    elif type(value) is not type(before):
        # Of another type of JSON, it is refused for its shape, which the schema can say.
        assert not valid


@given(st.sampled_from(list(WHOLE)), st.sampled_from(PATHS))
def test_a_missing_key_is_missed_by_both_or_by_none(origin: str, path: Any) -> None:
    data = copy.deepcopy(WHOLE[origin])
    inner = holder(data, path)
    if isinstance(inner, dict) and path[:-1] != ("nodes",):
        del inner[path[-1]]
        assert VALIDATOR.is_valid(data) == is_read(data)


@given(st.sampled_from(list(WHOLE)), st.sampled_from(PATHS), st.none() | st.just({}))
def test_a_key_too_many_is_refused_by_both_or_by_none(origin: str, path: Any, value: Any) -> None:
    data = copy.deepcopy(WHOLE[origin])
    inner = holder(data, path)
    if isinstance(inner, dict):
        inner["something else"] = value
        assert VALIDATOR.is_valid(data) == is_read(data)
