"""What a person is told at save, once and in a sentence: all that will bite later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Installed

SETUP = """
import types, numpy as np, tensorflow as tf, capsule
K = tf.keras
L = K.layers
STATE = tf.Variable(2.0)

def one(layer, before=()):
    return K.Sequential([K.Input((3,)), *before, layer])

def named(x):
    return x * 2.0

def numpy_helper(x):
    return np.tanh(x)

exec('def tried(x):\\n    try:\\n        return x * 2.0\\n    except KeyError: pass')
"""
TOLD = {
    "unbuilt": (
        "K.Sequential([L.Dense(2)])",
        "was never built: the file holds none of its weights",
    ),
    "defaults": (
        "one(L.Lambda(lambda x, k=2.0: x * k))",
        "has default arguments, which Keras 3 cannot load again",
    ),
    "missing name": (
        "one(L.Lambda(lambda x: x if x is not None else nowhere(x)))",
        "uses nowhere, which was not defined when the model was saved",
    ),
    "by name": (
        "one(L.Lambda(named))",
        "is named, and the file stores only its name, not its code",
    ),
    "opaque": (
        "one(L.Lambda(lambda x: x * STATE))",
        "ResourceVariable that the sidecar can't hold (its state is not in the function)",
    ),
    "a layer in a function": (
        "one(L.Lambda((lambda inner: lambda x: inner(x))(named)), [])",
        "which Keras writes as a text",
    ),
    "no source": (
        "one(L.Lambda(tried), [])",
        "has no source (no source text exists for <string>): its bytecode runs under Python",
    ),
    "numpy on symbolic tensors": (
        "K.Sequential([L.Lambda(lambda x: numpy_helper(x)), L.Dense(2)])",
        "calls numpy.tanh, which takes no symbolic tensor",
    ),
}


def test_each_trap_is_told_once_and_in_a_sentence(keras3: Installed, tmp_path: Path) -> None:
    lines = [SETUP]
    for number, (build, _) in enumerate(TOLD.values()):
        lines.append(f"capsule.save({build}, 'm{number}.keras')")
    (tmp_path / "train.py").write_text("\n".join(lines))
    said = keras3.run("train.py", cwd=tmp_path).stderr.splitlines()
    for number, (trap, (_, sentence)) in enumerate(TOLD.items()):
        mine = [line for line in said if line.startswith(f"capsule: m{number}.keras: ")]
        assert sum(sentence in line for line in mine) == 1, (trap, mine)


def test_bytecode_that_keras_damages_on_windows_is_told_and_comes_back(
    keras3: Installed, tmp_path: Path
) -> None:
    """Keras' own writer, told that it runs on Windows: it replaces bytes of the code."""
    done = keras3.run(
        "-c",
        SETUP
        + """
import json
from keras.src.utils import python_utils
python_utils.os = types.SimpleNamespace(name="nt")
pairs = lambda x: sum([a + b for a, b in [(x, 1.0), (x, 2.0)]])
for form in ("h5", "keras"):
    saved = capsule.save(one(L.Lambda(pairs)), f"m.{form}")
    x = np.ones((1, 3), "float32")
    verdict = capsule.verify(f"m.{form}")
    y = capsule.load(f"m.{form}", safe_mode=False).predict(x, verbose=0)
    print(json.dumps([[f.code for f in saved.findings], verdict.keras, verdict.same, y.tolist()]))
""",
        cwd=tmp_path,
    )
    for line in done.stdout.splitlines():
        codes, keras, same, outputs = json.loads(line)
        assert "bytecode-damaged" in codes
        assert (keras, same) == ("no", "yes")
        assert outputs == [[5.0, 5.0, 5.0]]
    assert "was damaged by Keras, which on Windows writes /" in done.stderr


def test_a_savedmodel_is_captured_served_and_replayed(
    keras: Installed, tmp_path: Path, cache: str
) -> None:
    write = "model.export" if keras.keras == 3 else "model.save"
    (tmp_path / "train.py").write_text(
        SETUP
        + f"""
a, b = K.Input((3,)), K.Input((2,))
model = K.Model([a, b], [L.Dense(2, name="second")(L.Lambda(lambda x: named(x))(a)),
                         L.Dense(1, name="first")(b)])
{write}("served")
x = [np.ones((2, 3), "float32"), np.ones((2, 2), "float32")]
np.savez("kept.npz", a=x[0], b=x[1], **dict(zip("yz", model.predict(x, verbose=0))))
"""
    )
    said = keras.capsule("save", "train.py", cwd=tmp_path, check=True).stderr
    assert "captured" in said
    verdict = json.loads(keras.capsule("verify", "served", "--json", cwd=tmp_path).stdout)
    (result,) = verdict["results"]
    assert result["artifact"]["format"] == "saved-model"
    assert result["verdict"] == {
        "keras": "no" if keras.keras == 3 else "unknown",
        "capsule": "yes",
        "same": "yes",
    }
    check = """
import json, numpy as np, capsule
from capsule.consent.consent import ConsentError
try:
    capsule.load("served")
except ConsentError as error:
    print(json.dumps(str(error)))
kept = np.load("kept.npz")
model = capsule.load("served", safe_mode=False)
y, z = model.predict([kept["a"], kept["b"]])
print(json.dumps([float(abs(y - kept["y"]).max()), float(abs(z - kept["z"]).max()),
                  model.output_shape]))
"""
    refusal, told = keras.run("-c", check, cwd=tmp_path).stdout.splitlines()[-2:]
    assert "a graph of TensorFlow operations" in json.loads(refusal)
    assert json.loads(told) == [0.0, 0.0, [[None, 2], [None, 1]]]
    done = keras.capsule(
        "replay", "served", "--unsafe", "--check", cwd=tmp_path, CAPSULE_CACHE=cache
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "served" / "more").write_text("")
    changed = keras.capsule("verify", "served", cwd=tmp_path)
    assert changed.returncode == 1
    assert "has changed since its sidecar was written" in changed.stdout


@pytest.mark.parametrize("what", ["link", "empty"])
def test_a_folder_that_is_no_savedmodel_is_told_in_a_sentence(
    keras3: Installed, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if what == "link":
        (folder / "saved_model.pb").write_bytes(b"")
        (folder / "assets").symlink_to("/")
    done = keras3.capsule("verify", str(folder))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert ("is a link" if what == "link" else "not a SavedModel") in done.stderr
