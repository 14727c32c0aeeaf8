"""The three models of the mission: saved, verified here and elsewhere, loaded, replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Installed

Samples = Callable[[Installed], Path]

# What verify says of keras, capsule and same in the environment that saved.
HERE = {
    "doubling": ("yes", "yes", "yes"),
    "tensor_helper": ("no", "yes", "yes"),
    "made_by_eval": ("yes", "yes", "yes"),
}
LOAD = """
import json, sys
import capsule
from capsule.guest import probe
from capsule.guest import keras_adapter
from capsule.manifest import Manifest
from capsule.manifest.files import read_manifest, sidecar_path
told = {}
for path in sys.argv[1:]:
    kept = read_manifest(sidecar_path(path)).probe
    arrays = probe.make_inputs(kept.inputs)
    model = capsule.load(path, safe_mode=False)
    called = probe.compare(kept.outputs, keras_adapter.call(model, arrays))
    predicted = probe.compare(kept.outputs, [model.predict(arrays[0], verbose=0)])
    told[path] = [called["exactly"], predicted["agrees"]]
print("RESULT", json.dumps(told))
"""
PLAIN = """
import sys
import tensorflow as tf
import numpy as np
model = tf.keras.models.load_model(sys.argv[1], safe_mode=False)
print(model.predict(np.ones((1, 10), "float32"), verbose=0))
"""


def verified(installed: Installed, path: Path, *options: str) -> tuple[dict[str, Any], int]:
    done = installed.capsule("verify", str(path), "--json", *options)
    return json.loads(done.stdout)["results"][0], done.returncode


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("name", HERE)
def test_verify_in_the_saving_environment(
    keras: Installed, samples: Samples, name: str, form: str
) -> None:
    path = samples(keras) / f"{name}.{form}"
    result, status = verified(keras, path)
    assert tuple(result["verdict"].values()) == HERE[name]
    assert status == 0


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("name", HERE)
def test_verify_foresees_what_plain_keras_does(
    keras: Installed, samples: Samples, name: str, form: str
) -> None:
    done = keras.run("-c", PLAIN, str(samples(keras) / f"{name}.{form}"), check=False)
    assert (done.returncode == 0) == (HERE[name][0] == "yes"), done.stderr


def test_capsule_load_computes_what_was_recorded(keras: Installed, samples: Samples) -> None:
    paths = [str(samples(keras) / f"{name}.{form}") for name in HERE for form in ("h5", "keras")]
    done = keras.run("-c", LOAD, *paths)
    told = json.loads(done.stdout.split("RESULT ")[1])
    assert told == {path: [True, True] for path in paths}


@pytest.mark.parametrize("form", ["h5", "keras"])
@pytest.mark.parametrize("name", HERE)
def test_replay_from_another_python_computes_what_was_recorded(
    keras: Installed,
    keras3_elsewhere: Installed,
    samples: Samples,
    name: str,
    form: str,
    cache: str,
) -> None:
    path = samples(keras) / f"{name}.{form}"
    done = keras3_elsewhere.capsule("replay", str(path), "--unsafe", "--json", CAPSULE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["results"][0]
    assert result["probe"]["exactly"]
    assert result["error"] is None
    assert Path(result["environment"]["path"]).is_dir()


@pytest.mark.parametrize("name", HERE)
def test_another_python_is_no_hindrance_to_what_can_be_restored(
    keras3: Installed, keras3_elsewhere: Installed, samples: Samples, name: str
) -> None:
    path = samples(keras3) / f"{name}.keras"
    result, status = verified(keras3_elsewhere, path)
    through, _ = verified(keras3, path, "--python", keras3_elsewhere.python)
    assert result["verdict"] == through["verdict"]
    assert result["verdict"]["keras"] != "yes"
    assert result["verdict"]["capsule"] == "yes"
    assert status == {"yes": 0, "unknown": 2, "no": 1}[result["verdict"]["same"]]
    done = keras3_elsewhere.run("-c", LOAD, str(path))
    assert json.loads(done.stdout.split("RESULT ")[1])[str(path)][1]


def test_keras_2_refuses_numpy_on_a_tensor_and_nothing_is_saved(
    keras2: Installed, samples: Samples
) -> None:
    log = (samples(keras2) / "numpy_helper.log").read_text()
    assert "the script saved no model" in log
    assert not (samples(keras2) / "numpy_helper.h5.capsule.json").exists()


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_keras_3_saves_a_model_that_was_never_built_and_capsule_says_so(
    keras3: Installed, samples: Samples, form: str, cache: str
) -> None:
    folder = samples(keras3)
    path = folder / f"numpy_helper.{form}"
    line = next(
        line
        for line in (folder / "numpy_helper.log").read_text().splitlines()
        if line.startswith(f"capsule: numpy_helper.{form}: ")
    )
    for part in ("dense was never built", "custom_activation", "numpy.tanh", "keras.ops.tanh"):
        assert part in line
    result, status = verified(keras3, path)
    assert (set(result["verdict"].values()), status) == ({"no"}, 1)
    reach = next(f["reach"] for f in result["findings"] if f["code"] == "unbuilt")
    assert reach == ["model", "lambda", "custom_activation", "numpy.tanh"]
    done = keras3.capsule("replay", str(path), "--unsafe", CAPSULE_CACHE=cache)
    assert done.returncode == 1
    assert "was never built" in done.stderr


def test_a_lambda_made_by_eval_has_no_source_and_is_read_from_its_code(
    keras: Installed, samples: Samples
) -> None:
    text = (samples(keras) / "made_by_eval.keras.capsule.json").read_text()
    node = json.loads(text)["nodes"]["__main__:<lambda>"]
    assert node["decompiled"]
    assert node["source"] == "lambda x: x + 5"
    assert "no source text exists" in node["reason"]
    assert node["code"]["base64"]
    log = (samples(keras) / "made_by_eval.log").read_text()
    assert "has no source" in log


def test_every_sidecar_fits_the_published_schema(keras: Installed, samples: Samples) -> None:
    import jsonschema

    import capsule

    schema = (Path(capsule.__file__).with_name("manifest") / "schema.json").read_text()
    found = sorted(samples(keras).glob("*.capsule.json"))
    assert found
    for path in found:
        jsonschema.validate(json.loads(path.read_text()), json.loads(schema))
        assert str(Path.home()) not in path.read_text()
        assert str(path.parent) not in path.read_text()


def test_saving_again_gives_the_same_sidecar_but_for_its_time(
    keras3: Installed, samples: Samples, tmp_path: Path
) -> None:
    from tests.conftest import SAMPLES

    keras3.capsule("save", str(SAMPLES / "made_by_eval.py"), ".", cwd=tmp_path)
    again = json.loads((tmp_path / "made_by_eval.keras.capsule.json").read_text())
    first = json.loads((samples(keras3) / "made_by_eval.keras.capsule.json").read_text())
    for data in (first, again):
        del data["created"]
        for changing in ("size", "sha256"):
            del data["artifact"][changing]  # new random weights
        del data["probe"]["outputs"]
    assert first == again
