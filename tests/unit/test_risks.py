"""What looks dangerous in a file is said, graded, with the way that leads to it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsule.errors import ArtifactError
from capsule.inspection import Inspection, inspect
from tests.bare import architecture, archive, keras_2_lambda, keras_3_lambda, model_of

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
os = subprocess = socket = tf = keras = np = K = io = None  # only named, never run


def _imports(x: Any) -> Any:
    import subprocess

    return subprocess.run(["true"]), x


def _takes_from_import(x: Any) -> Any:
    from os import system

    return system("true"), x


def _writes(x: Any) -> Any:
    with_file = open("somewhere", "w")  # noqa: SIM115
    with_file.write(x)
    return x


FEARED: dict[str, Callable[..., Any]] = {
    "the operating system": lambda x: os.system("true") or x,
    "a shell by attributes": lambda x: tf.sysconfig.os.popen("true") or x,
    "other programs": lambda x: subprocess.Popen(["true"]) or x,
    "the network": lambda x: socket.create_connection(("localhost", 1)) or x,
    "exec": lambda x: exec("1") or x,
    "eval": lambda x: eval("1") or x,
    "a built-in by getattr": lambda x: getattr(__builtins__, "exec")("1") or x,  # noqa: B009
    "a computed import": lambda x: __import__("o" + "s").system("true") or x,
    "a computed name": lambda x: getattr(tf, "".join(["s", "ys"])) or x,
    "an object's inside": lambda x: x.__class__.__bases__[0].__subclasses__(),
    "a function's globals": lambda x: (lambda: 0).__globals__["os"],
    "a file opened": _writes,
    "a file of TensorFlow's": lambda x: tf.io.read_file("/etc/passwd"),
    "a file of numpy's": lambda x: np.load("somewhere", allow_pickle=True),
    "Python in a graph": lambda x: tf.py_function(print, [x], x.dtype),
    "native code": lambda x: tf.load_op_library("somewhere.so"),
    "a download": lambda x: keras.utils.get_file("a", "http://somewhere"),
    "an import inside": _imports,
    "a name taken from an import": _takes_from_import,
    "nested out of sight": lambda x: [(lambda y: os.remove(y))(i) for i in x],
}


def high(found: Inspection) -> list[str]:
    return [risk.message for risk in found.risks if risk.severity == "high"]


@pytest.mark.parametrize("what", FEARED)
@pytest.mark.parametrize("form", ["keras-2", "keras-3"])
def test_a_function_that_reaches_further_than_arithmetic_is_told(
    tmp_path: Path, what: str, form: str
) -> None:
    if form == "keras-2":
        path = architecture(tmp_path / "m.json", model_of(keras_2_lambda(FEARED[what])))
    else:
        path = archive(tmp_path / "m.keras", model_of(keras_3_lambda(FEARED[what])))
    found = inspect(path, isolated=False)
    assert high(found), what
    assert all(risk.reach[:2] == ("model", "lam") for risk in found.risks)


INNOCENT: list[Callable[..., Any]] = [
    lambda x: x / 127.5 - 1.0,
    lambda x: tf.nn.l2_normalize(x, axis=-1),
    lambda x: K.sqrt(K.maximum(K.sum(K.square(x[0] - x[1]), axis=1), K.epsilon())),
    lambda x: np.float32(2) * x,
    lambda x: x.shape[0] if len(x.shape) > 1 else x,
    lambda x: getattr(x, "shape")[1],  # noqa: B009
]


@pytest.mark.parametrize("function", INNOCENT)
def test_arithmetic_is_not_feared(tmp_path: Path, function: Callable[..., Any]) -> None:
    path = architecture(tmp_path / "m.json", model_of(keras_2_lambda(function)))
    assert inspect(path, isolated=False).risks == ()


def _layer(module: str | None, name: str, config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


CONFIGURED: dict[str, dict[str, Any]] = {
    "a module outside Keras": _layer("os", "system", {"name": "lam"}),
    "a function outside Keras": _layer("subprocess", "function", "run"),
    "a built-in by name": _layer("builtins", "function", "exec"),
    "a download by Keras": _layer("keras.utils", "function", "get_file"),
    "a SavedModel from elsewhere": _layer(
        "keras.layers", "TFSMLayer", {"name": "lam", "filepath": "/somewhere"}
    ),
    "a pickled module": _layer("keras.layers", "TorchModuleWrapper", {"module": "gASV"}),
    "a vocabulary of a file": _layer(
        "keras.layers", "StringLookup", {"name": "lam", "vocabulary": "/etc/passwd"}
    ),
}


@pytest.mark.parametrize("what", CONFIGURED)
def test_a_configuration_that_keras_known_holes_load_is_told(tmp_path: Path, what: str) -> None:
    path = archive(tmp_path / "m.keras", model_of(CONFIGURED[what]))
    assert high(inspect(path, isolated=False)), what


def test_members_that_readers_disagree_about_or_that_leave_the_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", model_of(), **{"../outside": b"x"})
    assert any("outside" in told for told in high(inspect(path, isolated=False)))
    path = archive(tmp_path / "n.keras", model_of())
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("assets/a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("assets/a", "2")
    assert any("twice" in told for told in high(inspect(path, isolated=False)))


def test_a_link_into_another_file_is_told_and_never_followed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py writes the file")
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model_of())
        file["secret"] = h5py.ExternalLink("/etc/hostname.h5", "/x")
    with pytest.raises(ArtifactError, match="secret lies in another file"):
        inspect(path, isolated=False)


def test_nothing_is_claimed_of_code_that_cannot_be_read(tmp_path: Path) -> None:
    layer = keras_2_lambda(lambda x: x)
    layer["config"]["function"][0] = "4wEAAAAAAAAA\n"
    found = inspect(architecture(tmp_path / "m.json", model_of(layer)), isolated=False)
    assert found.unread
    assert any("nothing is claimed" in risk.message for risk in found.risks)


@pytest.mark.skipif(not CORPUS.exists(), reason="the public model files are not on this machine")
def test_public_models_raise_no_high_alarm() -> None:
    for line in (CORPUS / "INDEX.jsonl").read_text().splitlines():
        found = inspect(CORPUS / json.loads(line)["file"], isolated=False)
        assert high(found) == [], found.path
