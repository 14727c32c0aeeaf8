"""Model files are read, never run; what is no model file is told in one sentence."""

from __future__ import annotations

import base64
import json
import marshal
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsule.artifact import open_artifact
from capsule.artifact.embedded import stored_functions
from capsule.errors import ArtifactError
from capsule.guest.digest import embedded_key

CODE = base64.encodebytes(marshal.dumps((lambda x: x).__code__)).decode()


def archive(path: Path, config: Any = None, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        if config is not None:
            made.writestr("config.json", json.dumps(config))
        made.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        for name, text in members.items():
            made.writestr(name, text)
    return path


def layer(name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": "Lambda", "config": {"name": name, **config}}


def model(*layers: Any, name: str = "model") -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": name, "layers": list(layers)}}


KERAS3 = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}
SHAPES = {
    "Keras 3": {"function": KERAS3},
    "Keras 2": {"function": [CODE, None, None], "function_type": "lambda", "module": "__main__"},
    "Keras 1.0": {"function": "\\u00e3\\x00", "function_type": "lambda"},
    "Keras 2 elsewhere": {
        "function": {"class_name": "__lambda__", "config": {"value": [CODE, None, None]}}
    },
    "by name, Keras 3": {
        "function": {"module": "builtins", "class_name": "function", "config": "triple"}
    },
    "by name, Keras 2": {"function": "triple", "function_type": "function", "module": "m"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_function_is_found_in_every_shape_that_keras_writes(shape: str) -> None:
    (found,) = stored_functions(model(layer("lambda_1", **SHAPES[shape])))
    assert found.where == ("lambda_1",)
    assert found.role == "function"
    assert (found.code is None) == shape.startswith("by name")


def test_functions_are_found_in_nested_models_wrappers_and_other_roles() -> None:
    inner = model(layer("deep", **SHAPES["Keras 3"], mask=KERAS3, output_shape=KERAS3), name="in")
    wrapper = {
        "class_name": "TimeDistributed",
        "config": {"name": "td", "layer": layer("wrapped", **SHAPES["Keras 2"])},
    }
    found = {(f.where, f.role) for f in stored_functions(model(inner, wrapper))}
    assert found == {
        (("in", "deep"), "function"),
        (("in", "deep"), "mask"),
        (("in", "deep"), "output_shape"),
        (("td", "wrapped"), "function"),
    }


def test_the_key_covers_code_defaults_and_closure() -> None:
    key = embedded_key(CODE, None, None)
    assert embedded_key(CODE, [1], None) != key
    assert embedded_key(CODE, None, [1]) != key
    assert embedded_key(CODE.replace("\n", ""), None, None) == key


def test_an_archive_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", model(layer("a", **SHAPES["Keras 3"])))
    found = open_artifact(path)
    assert (found.format, found.keras_version) == ("keras-zip", "3.15.1")
    assert len(found.functions) == 1


def told(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        open_artifact(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_bad_files_are_told_in_one_sentence(tmp_path: Path) -> None:
    assert "does not exist" in told(tmp_path / "missing.h5")
    assert "folder" in told(tmp_path)
    empty = tmp_path / "empty.h5"
    empty.touch()
    assert "empty" in told(empty)
    text = tmp_path / "text.h5"
    text.write_text("hello")
    assert "neither HDF5" in told(text)
    assert "without config.json" in told(archive(tmp_path / "other.keras"))
    whole = archive(tmp_path / "m.keras", model()).read_bytes()
    cut = tmp_path / "cut.keras"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in told(cut)
    h5 = tmp_path / "cut.h5"
    h5.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    assert "damaged" in told(h5)
    assert "can't be read" in told(archive(tmp_path / "b.keras", None, **{"config.json": "{"}))


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = archive(tmp_path / "twice.keras", model(), **{"config.json": "{}"})
    assert "twice" in told(path)


def test_a_file_that_is_both_formats_is_refused(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "a.keras", model()).read_bytes()
    both = tmp_path / "both.keras"
    both.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100 + zipped)
    assert "at once" in told(both)
    both.write_bytes(zipped.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    assert "at once" in told(both)


def test_functions_too_deep_to_look_for_are_not_passed_over() -> None:
    config: Any = layer("deep", function=KERAS3)
    for _ in range(150):
        config = model(config)
    with pytest.raises(ArtifactError, match="deep"):
        stored_functions(config)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "function", "function_type", "name", "mask"]),
            inner | st.sampled_from(["__lambda__", "function", "lambda"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_is_walked_without_an_exception(value: Any) -> None:
    for found in stored_functions(value):
        assert found.key is None or found.key.startswith("sha256:")


@given(data=st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)
def test_a_mutated_archive_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(archive(tmp_path / "m.keras", model(layer("a"))).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutant.keras"
    path.write_bytes(raw)
    try:
        open_artifact(path, isolated=False)
    except ArtifactError as error:
        assert "\n" not in str(error)
