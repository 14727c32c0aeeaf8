"""A file that was never captured: what is read of it, who wrote it, what it needs."""

from __future__ import annotations

import ast
import base64
import json
import marshal
from pathlib import Path
from typing import Any

import pytest

from capsule.bytecode.detect_python import detect_python_versions
from capsule.bytecode.unmarshal import MarshalError
from capsule.errors import ArtifactError
from capsule.inspection import inspect
from capsule.verdict import QUESTIONS
from tests.bare import (
    architecture,
    archive,
    dies,
    encoded,
    hoards,
    keras_2_lambda,
    keras_3_lambda,
    model_of,
)
from tests.making import environment_with, verdict_of_file

tf = scale = None
# `lambda x: x / 127.5 - 1.0` as Keras 1 wrote it under Python 3.5.
OF_PYTHON_3_5 = (
    "\xe3\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00C\x00\x00\x00s\x0c\x00"
    "\x00\x00|\x00\x00d\x01\x00\x1bd\x02\x00\x18S)\x03Ng\x00\x00\x00\x00\x00\xe0_@g\x00\x00\x00"
    "\x00\x00\x00\xf0?\xa9\x00)\x01\xda\x01xr\x01\x00\x00\x00r\x01\x00\x00\x00\xfa\x08train.py"
    "\xda\x08<lambda>\x01\x00\x00\x00s\x00\x00\x00\x00"
)


def keras_1_model() -> dict[str, Any]:
    layer = {
        "class_name": "Lambda",
        "config": {
            "name": "lambda_1",
            "function": OF_PYTHON_3_5,
            "function_type": "lambda",
            "output_shape": None,
            "output_shape_type": "raw",
            "arguments": {},
            "batch_input_shape": [None, 4],
            "trainable": True,
        },
    }
    return {"class_name": "Sequential", "keras_version": "1.2.0", "config": [layer]}


def test_a_model_of_keras_1_tells_its_function_and_its_python(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.dumps(keras_1_model())))  # JSON in a JSON string
    found = inspect(path)
    (function,) = found.functions
    assert (found.keras, found.backend, found.format) == ("1.2.0", None, "keras-json")
    assert (found.python.lowest, found.python.highest) == ("3.4", "3.5")
    assert (function.source, function.kind) == ("lambda x: x / 127.5 - 1.0", "lambda")
    assert any("3.4 and 3.5 by their documentation" in told for told in found.python.evidence)


def test_a_file_is_known_by_what_is_in_it_whatever_its_name(tmp_path: Path) -> None:
    for name in ("model", "model.h5", "model.txt"):
        path = archive(tmp_path / name, model_of(keras_3_lambda(lambda x: x + 1)))
        assert inspect(path).format == "keras-zip"
        assert inspect(path).functions[0].source == "lambda x: x + 1"


def test_names_are_told_apart_known_missing_and_from_a_closure(tmp_path: Path) -> None:
    def closed(shift: float) -> Any:
        return lambda x: tf.abs(x) * scale + shift

    path = architecture(tmp_path / "m.json", model_of(keras_2_lambda(closed(1.0))))
    (function,) = inspect(path).functions
    assert function.missing == ("scale", "shift")
    assert function.freevars == ("shift",)
    assert {"tf", "abs", "scale"} <= set(function.names)
    assert function.uses["tf"] == ("abs",)


def test_functions_are_found_wherever_keras_puts_them(tmp_path: Path) -> None:
    inner = keras_2_lambda(lambda x: x + 1, "deep")
    wrapped = {"class_name": "TimeDistributed", "config": {"name": "each", "layer": inner}}
    nested = {**model_of(wrapped), "name": "inner"}
    shaped = keras_2_lambda(
        lambda x: x + 2,
        "shaped",
        output_shape_type="lambda",
        output_shape=[encoded(lambda s: s), None, None],
        mask_type="lambda",
        mask=[encoded(lambda x, m: m), None, None],
    )
    merge = {
        "class_name": "Merge",
        "config": {
            "name": "merge",
            "mode_type": "lambda",
            "mode": [encoded(lambda x: x[0]), None, None],
        },
    }
    found = inspect(architecture(tmp_path / "m.json", model_of(nested, shaped, merge)))
    roles = {(one.where[-1], one.role) for one in found.functions}
    assert roles == {
        ("deep", "function"),
        ("shaped", "function"),
        ("shaped", "output_shape"),
        ("shaped", "mask"),
        ("merge", "mode"),
    }
    assert all(one.source for one in found.functions)


def test_what_is_stored_by_name_is_told_with_the_name_to_give(tmp_path: Path) -> None:
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {
            "name": "lam",
            "function": {
                "module": "builtins",
                "class_name": "function",
                "config": "Custom>distance",
                "registered_name": "function",
            },
        },
    }
    found = inspect(archive(tmp_path / "m.keras", model_of(layer)))
    (function,) = found.functions
    assert (function.kind, function.name, function.source) == ("by-name", "Custom>distance", None)
    verdict = verdict_of_file(tmp_path / "m.keras", environment_with())
    assert 'custom_objects={"distance": …}' in str(verdict.deciding("capsule")[0].remedy)


def test_a_class_of_the_owners_is_told(tmp_path: Path) -> None:
    for entry in (
        {"class_name": "Attentive", "config": {"name": "a"}},
        {
            "module": None,
            "class_name": "Attentive",
            "registered_name": "Attentive",
            "config": {"name": "a"},
        },
    ):
        found = inspect(architecture(tmp_path / "m.json", model_of(entry)))
        assert found.classes == ("Attentive",)


def test_weights_alone_are_told_as_such(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py writes the file")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        file.create_group("dense")
    found = inspect(tmp_path / "w.h5")
    assert found.format == "weights-h5"
    verdict = verdict_of_file(tmp_path / "w.h5", environment_with())
    assert {verdict.answer(question) for question in QUESTIONS} == {"no"}


def damaged_by_windows(code: bytes) -> bytes:
    return code.replace(b"\\", b"/")


@pytest.mark.skipif(
    b"\\" not in marshal.dumps((lambda a: [b for b, c in a]).__code__),
    reason="this Python has no instruction that Keras on Windows damages",
)
def test_what_windows_did_to_the_code_is_undone_and_told() -> None:
    code = marshal.dumps((lambda x: sum([a + b for a, b in x])).__code__)
    found = detect_python_versions(damaged_by_windows(code))
    # Python 3.9 writes `(a, b)` where later ones write `a, b`.
    expected = ast.dump(ast.parse("lambda x: sum([a + b for a, b in x])"))
    assert ast.dump(ast.parse(str(found.decompilation.source))) == expected
    assert "until Keras on Windows made" in str(found.damage)
    assert detect_python_versions(code).damage is None


def test_what_is_no_code_is_refused_with_what_each_layout_stumbled_on() -> None:
    with pytest.raises(MarshalError, match=r"2\.7: .*3\.11\+: "):
        detect_python_versions(b"no code at all")


def test_a_process_that_reads_too_long_or_dies_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from capsule.artifact import limited_process

    path = architecture(tmp_path / "m.json", model_of())
    monkeypatch.setattr(limited_process, "SECONDS", 0.001)
    with pytest.raises(ArtifactError, match="was not read within"):
        inspect(path)
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match=r"ended the process that read it \(signal 6\)"):
        limited_process.run_limited(dies, path, {})
    with pytest.raises(ArtifactError, match=r"ended the process that read it \(out of memory\)"):
        limited_process.run_limited(hoards, path, {})


def test_a_code_object_in_base64_of_another_alphabet_is_left_alone(tmp_path: Path) -> None:
    layer = keras_2_lambda(lambda x: x)
    layer["config"]["function"][0] = base64.b85encode(b"x" * 30).decode()
    found = inspect(architecture(tmp_path / "m.json", model_of(layer)))
    assert found.functions[0].unread


def test_division_of_python_2_is_restored_as_it_was(tmp_path: Path) -> None:
    """``lambda x: x / 255``, as Python 2.7 wrote it: without rest for whole numbers alone."""
    code = bytes.fromhex(
        "630100000001000000020000004300000073080000007c00006401001553280200"
        "00004e69ff00000028000000002801000000740100000078280000000028000000"
        "007308000000747261696e2e707974080000003c6c616d6264613e010000007300"
        "000000"
    )
    found = detect_python_versions(code)
    assert found.pythons == ("2.7",)
    assert found.decompilation.source == "lambda x: classic_division(x, 255)"
