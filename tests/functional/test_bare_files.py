"""Files that nobody captured live again: real Kerases wrote them, and their sidecars are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SAMPLES, Installed

TRAIN = """
import sys, numpy as np, tensorflow as tf
K = tf.keras
B = tf.keras.backend
scale = 3.0

def distance(pair):
    one, other = pair
    return B.sqrt(B.sum(B.square(one - other), axis=1, keepdims=True) + 1e-6)

def scaled(x):
    total = 0
    for i in range(3):
        total = total + x * scale if i else x
    return total

class Twice(K.layers.Layer):
    def call(self, x):
        return x * 2 + scale

rng = np.random.default_rng(0)
x = rng.random((5, 4)).astype("float32")

def keep(name, model, *inputs):
    for form in ("h5", "keras"):
        model.save(f"{name}.{form}")
    with open(f"{name}.json", "w") as stream:
        stream.write(model.to_json())
    np.savez(f"{name}.npz", *inputs, y=model.predict(list(inputs) if inputs[1:] else inputs[0]))

one, other = K.Input((4,)), K.Input((4,))
dense = K.layers.Dense(3)
keep("distance", K.Model([one, other], K.layers.Lambda(distance)([dense(one), dense(other)])), x, x)
first = K.Input((4,))
hidden = K.layers.Dense(3, activation="relu")(first)
keep("scaled", K.Model(first, K.layers.Lambda(lambda v: v * scale + tf.abs(v))(hidden)), x)
keep("looped", K.Model(first, K.layers.Lambda(scaled)(hidden)), x)
keep("classed", K.Model(first, Twice()(hidden)), x)
"""
LOAD = """
import json, sys, warnings
import numpy as np, capsule
warnings.simplefilter("ignore")
path, options = sys.argv[1], json.loads(sys.argv[2])
held = np.load(path.rpartition(".")[0] + ".npz")
inputs = [held[name] for name in held.files if name != "y"]
if "stand_in" in options:
    def given(pair):
        return np.float32(0) * pair[0][:, :1] + 7.0
    options["custom_objects"] = {options.pop("stand_in"): given}
try:
    model = capsule.load(path, safe_mode=False, **options)
    y = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    print("RESULT", json.dumps(float(abs(y - held["y"]).max())), y.shape)
except capsule.CapsuleError as error:
    print("RESULT", type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Installed], Path]:
    """Give the folder where an environment saved models and recorded nothing."""
    made: dict[int, Path] = {}

    def by(installed: Installed) -> Path:
        if installed.keras not in made:
            folder = tmp_path_factory.mktemp(f"bare{installed.keras}")
            (folder / "train.py").write_text(TRAIN)
            if installed.keras == 3:  # where a def is stored by its name alone
                text = TRAIN.replace("import sys", "import sys, keras")
                (folder / "train.py").write_text(
                    text.replace("B = tf.keras.backend", "B = keras.ops")
                )
            installed.run("train.py", cwd=folder)
            made[installed.keras] = folder
        return made[installed.keras]

    return by


def loaded(by: Installed, path: Path, **options: object) -> str:
    done = by.run("-c", LOAD, str(path), json.dumps(options))
    return done.stdout.split("RESULT ")[1].strip()


def difference(told: str) -> float:
    return float(told.split()[0])


def test_a_file_of_keras_2_lives_in_keras_3_and_computes_the_same(
    keras2: Installed, keras3: Installed, written: Callable[[Installed], Path]
) -> None:
    assert difference(loaded(keras3, written(keras2) / "looped.h5", bind={"scale": 3.0})) < 1e-5


def test_a_name_that_nothing_defines_is_asked_for_and_then_bound(
    keras2: Installed, keras3: Installed, written: Callable[[Installed], Path]
) -> None:
    path = written(keras2) / "scaled.h5"
    told = loaded(keras3, path)
    assert told.startswith("VerdictError")
    assert "uses scale, which nothing in the file defines" in told
    assert 'bind={"scale": …}' in told
    assert difference(loaded(keras3, path, bind={"scale": 3.0})) < 1e-5
    assert "InputError" in loaded(keras3, path, bind={"skale": 3.0})


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_a_lambda_of_keras_3_lives_under_another_python(
    keras3: Installed, keras3_elsewhere: Installed, written: Callable[[Installed], Path], form: str
) -> None:
    path = written(keras3) / f"scaled.{form}"
    assert difference(loaded(keras3_elsewhere, path, bind={"scale": 3.0})) < 1e-5


def test_a_function_stored_by_name_is_asked_for_and_then_used(
    keras3: Installed, written: Callable[[Installed], Path]
) -> None:
    path = written(keras3) / "distance.keras"
    told = loaded(keras3, path)
    assert "is distance, and the file stores only its name" in told
    assert 'custom_objects={"distance": …}' in told
    assert "(5, 1)" in loaded(keras3, path, stand_in="distance")


@pytest.mark.parametrize("wrote", ["keras2", "keras3"])
def test_an_architecture_alone_lives_with_fresh_weights(
    keras2: Installed, keras3: Installed, written: Callable[[Installed], Path], wrote: str
) -> None:
    folder = written(keras2 if wrote == "keras2" else keras3)
    assert "(5, 3)" in loaded(keras3, folder / "scaled.json", bind={"scale": 3.0})


def test_without_consent_nothing_is_loaded_and_the_source_is_listed(
    keras2: Installed, keras3: Installed, written: Callable[[Installed], Path]
) -> None:
    code = (
        "import sys, capsule\n"
        "try:\n    capsule.load(sys.argv[1], bind={'scale': 3.0})\n"
        "except capsule.CapsuleError as error:\n    print(type(error).__name__, error)\n"
    )
    told = keras3.run("-c", code, str(written(keras2) / "scaled.h5")).stdout
    assert told.startswith("ConsentError")
    assert "lambda v: v * scale + tf.abs(v)" in told


def test_an_archive_of_keras_2_is_replayed_as_of_its_date(
    keras2: Installed,
    keras3: Installed,
    written: Callable[[Installed], Path],
    cache: str,
    tmp_path: Path,
) -> None:
    import numpy as np

    path = written(keras2) / "scaled.keras"
    held = np.load(path.with_suffix(".npz"))
    np.savez(tmp_path / "x.npz", held["arr_0"])
    done = keras3.capsule(
        "replay",
        str(path),
        "--unsafe",
        "--bind",
        "scale=3.0",
        "--input",
        str(tmp_path / "x.npz"),
        "--output",
        str(tmp_path / "y.npz"),
        CAPSULE_CACHE=cache,
    )
    assert done.returncode == 0, done.stderr
    assert "assumed" in done.stdout
    (name,) = np.load(tmp_path / "y.npz").files
    np.testing.assert_allclose(np.load(tmp_path / "y.npz")[name], held["y"], rtol=1e-5)
    assert not path.with_name("scaled.keras.capsule.json").exists()


@pytest.mark.parametrize("name", ["scaled.keras", "classed.h5"])
def test_the_old_script_gives_what_the_file_lacks_and_is_not_run_again(
    name: str,
    keras2: Installed,
    keras3: Installed,
    written: Callable[[Installed], Path],
    cache: str,
    tmp_path: Path,
) -> None:
    import numpy as np

    path = written(keras2) / name
    held = np.load(path.with_suffix(".npz"))
    np.savez(tmp_path / "x.npz", held["arr_0"])
    words = [
        "replay",
        str(path),
        "--unsafe",
        "--input",
        str(tmp_path / "x.npz"),
        "--output",
        str(tmp_path / "y.npz"),
    ]
    done = keras3.capsule(*words, CAPSULE_CACHE=cache)
    assert done.returncode == 1
    assert "--bind-from FILE.py" in done.stderr
    before = {file: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    words += ["--bind-from", str(path.parent / "train.py")]
    done = keras3.capsule(*words, CAPSULE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    (output,) = np.load(tmp_path / "y.npz").files
    np.testing.assert_allclose(np.load(tmp_path / "y.npz")[output], held["y"], rtol=1e-5)
    assert before == {file: file.stat().st_mtime_ns for file in path.parent.iterdir()}


def test_what_was_inferred_is_written_only_when_asked_and_promises_nothing(
    keras2: Installed, keras3: Installed, written: Callable[[Installed], Path]
) -> None:
    path = written(keras2) / "looped.h5"
    keras3.capsule("inspect", str(path), check=True)
    side = path.with_name(path.name + ".capsule.json")
    assert not side.exists()
    done = keras3.capsule("save", "--inferred", str(path))
    assert done.returncode == 0, done.stderr
    data = json.loads(side.read_text())
    side.unlink()
    assert data["origin"] == "inferred"
    known = {one["subject"]: one["how"] for one in data["evidence"]}
    assert known["keras"] == "read"
    assert known["python"] == "inferred"
    assert known["environment"] == "assumed"


def test_a_file_of_2018_lives_in_todays_keras(keras3: Installed) -> None:
    code = (
        "import sys, capsule, numpy as np\n"
        "model = capsule.load(sys.argv[1], safe_mode=False, bind={'margin': 0.5})\n"
        "x = np.linspace(-1, 1, 24, dtype='float32').reshape(2, 3, 4)\n"
        "print('RESULT', model.predict([x[0], x[1]], verbose=0).ravel().tolist())\n"
    )
    done = keras3.run("-c", code, str(SAMPLES / "old_distance.h5"))
    # What it printed under Python 3.7 and Keras 2.2.4.
    expected = [0.7049047946929932, 3.1147146224975586, 5.524524688720703]
    assert json.loads(done.stdout.split("RESULT ")[1]) == pytest.approx(expected, rel=1e-5)
    assert "K = tensorflow.keras.backend" in done.stderr


def test_division_of_python_2_lives_in_todays_keras(keras3: Installed, tmp_path: Path) -> None:
    code = "YwEAAAABAAAAAgAAAEMAAABzCAAAAHwAAGQBABVTKAIAAABOaf8AAAAoAAAAACgBAAAAdAEAAAB4KAAAAAAoAAAAAHMIAAAAdHJhaW4ucHl0CAAAADxsYW1iZGE+AQAAAHMAAAAA\n"
    layers = [
        {
            "class_name": "Lambda",
            "config": {
                "name": "scaled",
                "function": [code, None, None],
                "function_type": "lambda",
                "arguments": {},
                "batch_input_shape": [None, 2],
                "dtype": "float32",
            },
        },
    ]
    model = {"class_name": "Sequential", "config": layers, "keras_version": "2.0.8"}
    (tmp_path / "m.json").write_text(json.dumps(model))
    run = (
        "import sys, capsule, numpy as np\n"
        "model = capsule.load(sys.argv[1], safe_mode=False)\n"
        "print('RESULT', model.predict(np.array([[255.0, 51.0]]), verbose=0).tolist())\n"
    )
    done = keras3.run("-c", run, str(tmp_path / "m.json"))
    assert json.loads(done.stdout.split("RESULT ")[1]) == [[1.0, pytest.approx(0.2)]]


def test_a_savedmodel_tells_the_lambdas_it_was_made_of_and_is_served_by_its_graph(
    keras2: Installed, keras3: Installed, tmp_path: Path
) -> None:
    keras2.run(
        "-c",
        (
            "import tensorflow as tf\nK = tf.keras\n"
            "K.Sequential([K.Input((4,)), K.layers.Lambda(lambda x: tf.abs(x) * 2)]).save('served')\n"
        ),
        cwd=tmp_path,
    )
    done = keras3.capsule("inspect", "served", "--json", cwd=tmp_path)
    (found,) = json.loads(done.stdout)["results"]
    assert [one["source"] for one in found["functions"]] == ["lambda x: tf.abs(x) * 2"]
    assert found["layers"] == {"InputLayer": 1, "Lambda": 1}
    assert found["keras"].startswith("2.15")
    code = (
        "import capsule, numpy as np\n"
        "model = capsule.load('served', safe_mode=False)\n"
        "print('RESULT', model.predict(np.full((1, 4), -1.0, 'float32')).tolist())\n"
    )
    done = keras3.run("-c", code, cwd=tmp_path)
    assert json.loads(done.stdout.split("RESULT ")[1]) == [[2.0] * 4]
