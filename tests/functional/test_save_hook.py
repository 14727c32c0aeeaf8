"""Whichever way a model is saved, a sidecar appears; where none belongs, none does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Installed

PREAMBLE = """
import io, json, os, sys
import tensorflow as tf
from tensorflow import keras
imported_before = keras.models.save_model
import numpy as np
import capsule

told = {}
def small(*layers, **compile):
    model = keras.Sequential([keras.layers.Input((4,)), *(layers or [keras.layers.Lambda(lambda x: x * 2)]),
                              keras.layers.Dense(2)])
    model.compile("sgd", "mean_squared_error")
    return model
def sidecar(path):
    return os.path.exists(path + ".capsule.json")
def read(path):
    return json.load(open(path + ".capsule.json"))
"""


def run(keras: Installed, folder: Path, code: str, check: bool = True, **variables: str) -> Any:
    script = folder / "script.py"
    script.write_text(PREAMBLE + code + '\nprint("RESULT", json.dumps(told))\n')
    done = keras.run(str(script), cwd=folder, check=check, **variables)
    return json.loads(done.stdout.split("RESULT ")[1]), done.stderr


def test_every_way_to_save_is_captured(keras: Installed, tmp_path: Path) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
capsule.hook()
capsule.hook()
model = small()
model.save("method.h5"); model.save("method.keras")
keras.models.save_model(model, "function.h5")
imported_before(model, "before.keras")
import pathlib
model.save(pathlib.Path("path.keras"))
x = np.zeros((8, 4), "float32")
model.fit(x, x[:, :2], verbose=0, epochs=1, callbacks=[
    keras.callbacks.ModelCheckpoint("check.keras"),
    keras.callbacks.ModelCheckpoint("check.weights.h5", save_weights_only=True)])
for name in ("method.h5", "method.keras", "function.h5", "before.keras", "path.keras", "check.keras"):
    told[name] = sidecar(name)
told["weights"] = sidecar("check.weights.h5")
told["checkpoint probe"] = read("check.keras")["probe"]["skipped"]
told["probe"] = read("method.h5")["probe"]["skipped"]
capsule.unhook()
model.save("after.keras")
told["after"] = sidecar("after.keras")
from capsule.capture.save_hook import WRITERS
told["wrapped"] = [n for n in WRITERS for v in vars(sys.modules.get(n, os)).values() if hasattr(v, "__capsule_wraps__")]
with capsule.hooked():
    model.save("within.keras")
told["within"] = sidecar("within.keras")
""",
    )
    assert all(told[name] for name in told if name.endswith((".h5", ".keras")))
    assert told["weights"] is False
    assert "ModelCheckpoint" in told["checkpoint probe"]
    assert told["probe"] is None
    assert (told["after"], told["wrapped"], told["within"]) == (False, [], True)


def test_hooks_within_hooks_keep_their_own_options(keras: Installed, tmp_path: Path) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
import threading
model = small()
capsule.hook(probe=False)
capsule.save(model, "given.keras", probe=np.ones((3, 4), "float32"))
model.save("outer.keras")
def inside():
    with capsule.hooked(source=False):
        model.save("thread.keras")
thread = threading.Thread(target=inside)
with capsule.hooked(probe=True):
    thread.start(); thread.join()
    model.save("block.keras")
told["given"] = len(read("given.keras")["probe"]["examples"])
told["outer"] = read("outer.keras")["probe"]["skipped"]
told["thread"] = "lambda x: x * 2" in open("thread.keras.capsule.json").read()
told["block"] = [read("block.keras")["probe"]["skipped"], "lambda x: x * 2" in open("block.keras.capsule.json").read()]
""",
    )
    assert told["given"] == 1
    assert told["outer"] == "left out as asked"
    assert told["thread"] is False
    assert told["block"] == [None, True]


def test_a_probe_leaves_no_trace(keras: Installed, tmp_path: Path) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
class Counting(keras.layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")
    def call(self, x):
        self.calls.assign_add(1.0)
        return x
model = small(Counting())
layer = model.layers[-2]
before = float(layer.get_weights()[0])
np.random.seed(1)
state = np.random.get_state()[1].tolist()
capsule.save(model, "counting.keras")
told["calls"] = float(layer.get_weights()[0]) - before
told["random"] = np.random.get_state()[1].tolist() == state
told["probe"] = read("counting.keras")["probe"]["skipped"]
""",
    )
    assert told["calls"] == 0
    assert told["random"] is True
    assert "state" in told["probe"]


def test_no_path_and_no_secret_of_the_machine_is_kept(keras: Installed, tmp_path: Path) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = {"api_key": "sk-live-hunter2", "n": 3}
ADDRESS = "https://bob:hunter2@host/x"
KEY_DIM = 4
model = small(keras.layers.Lambda(lambda x: x * len(HERE) * CONFIG["n"] * len(ADDRESS) * KEY_DIM),
              keras.layers.Lambda(eval("lambda x: x + 1")))
capsule.save(model, "secret.keras")
told["text"] = open("secret.keras.capsule.json").read()
""",
    )
    for part in (str(tmp_path), "hunter2", str(Path.home())):
        assert part not in told["text"]
    names = json.loads(told["text"])["nodes"]["__main__:<lambda>"]["names"]
    assert {b["name"]: b["value"] for b in names}["KEY_DIM"] == 4


def test_a_keras_imported_after_the_hook_is_captured(keras: Installed, tmp_path: Path) -> None:
    script = tmp_path / "later.py"
    script.write_text(
        "import capsule\ncapsule.hook()\nimport tensorflow as tf\n"
        "m = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(1)])\n"
        "m.save('later.keras'); m.save('later.h5')\n"
    )
    keras.run(str(script), cwd=tmp_path)
    assert (tmp_path / "later.keras.capsule.json").exists()
    assert (tmp_path / "later.h5.capsule.json").exists()


def test_what_is_no_local_model_file_is_left_alone_and_told(
    keras: Installed, tmp_path: Path
) -> None:
    told, log = run(
        keras,
        tmp_path,
        """
import h5py
model = small()
capsule.hook()
model.save("kept.h5")
first = os.stat("kept.h5").st_mtime_ns
os.remove("kept.h5.capsule.json")
import builtins
builtins.input = lambda *a: "n"
try:
    model.save("kept.h5", overwrite=False)
except BaseException as error:
    told["refused"] = repr(error)
told["untouched"] = os.stat("kept.h5").st_mtime_ns == first
told["sidecar of a refused overwrite"] = sidecar("kept.h5")
model.save_weights("only.weights.h5")
try:
    model.save("gs://bucket/model.h5")
except BaseException as error:
    told["gs"] = type(error).__name__
told["left"] = sorted(os.listdir("."))
""",
    )
    assert told["untouched"] is True
    assert told["sidecar of a refused overwrite"] is False
    assert "kept.h5: it was not overwritten" in log or "kept.h5: nothing was written" in log
    assert "only.weights.h5: it holds weights alone" in log
    assert not [name for name in told["left"] if name.endswith(".capsule.json")]


def test_an_open_file_is_left_alone_and_told(keras3: Installed, tmp_path: Path) -> None:
    told, log = run(
        keras3,
        tmp_path,
        """
import h5py
from keras.src.legacy.saving import legacy_h5_format
from keras.src.saving import saving_lib
capsule.hook()
model = small()
buffer = io.BytesIO()
saving_lib.save_model(model, buffer)
told["bytes"] = len(buffer.getvalue()) > 0
with h5py.File("open.h5", "w") as file:
    legacy_h5_format.save_model_to_hdf5(model, file)
told["sidecars"] = [name for name in os.listdir(".") if name.endswith(".capsule.json")]
""",
    )
    assert told == {"bytes": True, "sidecars": []}
    assert log.count("it is not a path") == 2


def test_a_failing_capture_never_breaks_a_save(keras: Installed, tmp_path: Path) -> None:
    told, log = run(
        keras,
        tmp_path,
        """
from capsule.capture import recording, writing
def broken(*a, **k):
    raise RuntimeError("a bug of capsule's own")
recording.ImportGraph.add = broken
model = small()
told["saved"] = capsule.save(model, "part.keras").manifest is not None
told["problems"] = read("part.keras")["problems"]
told["function"] = read("part.keras")["functions"][0]["node"]
try:
    capsule.save(model, "strict.keras", strict=True)
except RuntimeError as error:
    told["strict"] = str(error)
told["safe on disk"] = keras.models.load_model("strict.keras", safe_mode=False) is not None
writing.record_model = broken
told["whole"] = capsule.save(model, "whole.keras").manifest is None
told["still saved"] = os.path.exists("whole.keras")
""",
    )
    assert told["saved"] is True
    assert "a bug of capsule's own" in told["problems"][0]
    assert told["function"] is None
    assert told["strict"] == "a bug of capsule's own"
    assert told["safe on disk"] is True
    assert (told["whole"], told["still saved"]) == (True, True)
    assert "is saved, but not captured" in log


def test_the_probe_is_made_given_left_out_or_skipped(keras: Installed, tmp_path: Path) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
def probe(model, **options):
    capsule.save(model, "p.keras", **options)
    told["size"] = max(told.get("size", 0), os.path.getsize("p.keras.capsule.json"))
    return read("p.keras")["probe"]
model = small()
told["made"] = probe(model)["skipped"]
told["left out"] = probe(model, probe=False)["skipped"]
given = probe(model, probe=np.ones((3, 4), "float32"))
told["given"] = [given["skipped"], given["examples"][0]["shape"], given["outputs"][0]["shape"]]
told["too large"] = probe(model, probe=np.ones((60000, 4), "float32"))["skipped"]
class Raises(keras.layers.Layer):
    def call(self, x):
        tf.debugging.assert_greater(x, 100.0)
        return x
told["raises"] = probe(small(Raises()))["skipped"]
big = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(100000)])
told["large output"] = [sorted(probe(big)["outputs"][0])]
""",
    )
    assert told["made"] is None
    assert told["left out"] == "left out as asked"
    assert told["given"] == [None, [3, 4], [3, 2]]
    assert "over 256" in told["too large"]
    assert "raised" in told["raises"]
    assert told["large output"] == [["dtype", "sample", "sha256", "shape"]]
    assert told["size"] < 400 * 1024


def test_a_model_with_state_is_saved_without_a_probe_and_says_so(
    keras: Installed, tmp_path: Path
) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
inputs = keras.layers.Input(batch_size=1, shape=(3, 2))
model = keras.Model(inputs, keras.layers.LSTM(2, stateful=True)(inputs))
capsule.save(model, "state.keras")
told = read("state.keras")["probe"]
""",
    )
    assert "has state" in told["skipped"]


def test_functions_are_found_wherever_they_sit(keras: Installed, tmp_path: Path) -> None:
    told, _ = run(
        keras,
        tmp_path,
        """
n, table = 3, np.array([1.0, 2.0, 3.0, 4.0], "float32")
def named(x):
    return x * 1.5
def activation(x):
    return x * 0.5
def my_loss(a, b):
    return tf.reduce_mean(tf.abs(a - b))
inputs = keras.layers.Input((4,))
inner = keras.Sequential([keras.layers.Input((4,)), keras.layers.Lambda(lambda x: x + n, name="deep")], name="inner")
y = inner(inputs)
y = keras.layers.Lambda(lambda x: x * table, name="arrays")(y)
y = keras.layers.Lambda(named, name="by_def")(y)
y = keras.layers.Reshape((2, 2))(y)
y = keras.layers.TimeDistributed(keras.layers.Lambda(lambda x, k=2: x * k, name="wrapped"), name="td")(y)
y = keras.layers.Flatten()(y)
y = keras.layers.Dense(2, activation=activation, name="dense")(y)
model = keras.Model(inputs, y)
model.compile("sgd", my_loss)
x = np.ones((2, 4), "float32")
expected = model.predict(x, verbose=0)
for ext in ("h5", "keras"):
    path = "all." + ext
    capsule.save(model, path)
    data = read(path)
    told[ext] = sorted([f["where"], f["role"], f["node"]] for f in data["functions"])
    verdict = capsule.verify(path)
    told[ext + " verdict"] = [verdict.keras, verdict.capsule, verdict.same]
    again = capsule.load(path, safe_mode=False)
    told[ext + " same"] = bool((again.predict(x, verbose=0) == expected).all())
""",
    )
    expected = [
        [[], "loss", "__main__:my_loss"],
        [["arrays"], "function", "__main__:<lambda>"],
        [["by_def"], "function", "__main__:named"],
        [["dense"], "activation", "__main__:activation"],
        [["inner", "deep"], "function", "__main__:<lambda>"],
        [["td", "wrapped"], "function", "__main__:<lambda>"],
    ]
    for ext in ("h5", "keras"):
        found = [[where, role, node.split("#")[0]] for where, role, node in told[ext]]
        assert found == expected
        assert told[f"{ext} verdict"] == ["no", "yes", "yes"]
        assert told[f"{ext} same"] is True


@pytest.mark.parametrize("short", ["mse", "mae"])
def test_verify_foresees_that_keras_3_cannot_read_a_short_loss_name(
    keras3: Installed, tmp_path: Path, short: str
) -> None:
    told, log = run(
        keras3,
        tmp_path,
        f"""
model = small()
model.compile("sgd", {short!r})
capsule.save(model, "short.h5")
told["verdict"] = capsule.verify("short.h5").keras
try:
    keras.models.load_model("short.h5", safe_mode=False)
except ValueError as error:
    told["keras"] = str(error)
told["capsule"] = capsule.load("short.h5", safe_mode=False).loss.__name__
""",
    )
    assert told["verdict"] == "no"
    assert "not a KerasSaveable subclass" in told["keras"]
    assert told["capsule"].startswith("mean_")
    assert "compile with" in log


PACKAGE = """
def install(site, name, text, **files):
    os.makedirs(f"{site}/{name}-1.0.dist-info", exist_ok=True)
    with open(f"{site}/{name}_module.py", "w") as file:
        file.write(text)
    for key, value in {"METADATA": f"Name: {name}\\nVersion: 1.0\\n", **files}.items():
        with open(f"{site}/{name}-1.0.dist-info/{key}", "w") as file:
            file.write(value)
def nodes(function):
    capsule.save(small(keras.layers.Lambda(function)), "m.keras")
    data = read("m.keras")
    told["distributions"] = [d["name"] for d in data["distributions"]]
    told["problems"] = data["problems"]
    return data["nodes"]
sys.path.insert(0, "deps")
os.mkdir("deps")
"""


def test_what_is_installed_between_two_saves_is_in_the_second_sidecar(
    keras3: Installed, tmp_path: Path
) -> None:
    told, _ = run(
        keras3,
        tmp_path,
        PACKAGE
        + """
nodes(lambda x: x * 2)
told["first"] = told["distributions"]
install("deps", "later", "FACTOR = 2.0\\n", RECORD="later_module.py,,\\n")
import later_module
told["node"] = nodes(lambda x: x * later_module.FACTOR)["later_module"]
""",
    )
    assert "later" not in told["first"]
    assert "later" in told["distributions"]
    assert told["node"]["distribution"] == "later"


def test_a_package_is_told_by_what_installers_wrote_and_not_by_its_folder(
    keras3: Installed, tmp_path: Path
) -> None:
    told, log = run(
        keras3,
        tmp_path,
        PACKAGE
        + """
install("deps", "listed", "FACTOR = 2.0\\n", RECORD="listed_module.py,,\\n")
install("deps", "claimed", "FACTOR = 2.0\\n", **{"top_level.txt": "claimed_module\\n"})
install("deps", "silent", "FACTOR = 2.0\\n")
import listed_module, claimed_module, silent_module
for module in (listed_module, claimed_module, silent_module):
    told[module.__name__] = nodes(lambda x: x * module.FACTOR)[module.__name__]
""",
    )
    for name in ("listed", "claimed"):
        node = told[f"{name}_module"]
        assert (node["origin"], node["distribution"]) == ("distribution", name)
        assert "source" not in node
    assert told["silent_module"]["origin"] == "distribution"
    assert told["silent_module"].get("distribution") is None
    assert "silent_module" in told["problems"][0]
    assert "silent_module" in log


def test_a_name_like_a_secrets_is_let_in_by_the_command(keras3: Installed, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    text = 'SORT_KEY, KEYPOINTS = "b", ["nose", "eye"]\nkeras = tf.keras\n'
    script.write_text(
        "import tensorflow as tf\n" + text + "model = keras.Sequential([keras.Input((2,)),"
        " keras.layers.Lambda(lambda x: x * len(KEYPOINTS) if SORT_KEY else x)])\n"
        'model.save("m.keras")\n'
    )
    for words, stored in (
        ((), {"KEYPOINTS"}),
        (("--allow", "SORT_KEY"), {"KEYPOINTS", "SORT_KEY"}),
    ):
        done = keras3.capsule("save", *words, "train.py", cwd=tmp_path, check=True)
        (node,) = [
            node
            for node in json.loads((tmp_path / "m.keras.capsule.json").read_text())[
                "nodes"
            ].values()
            if node["kind"] == "lambda"
        ]
        values = {b["name"]: b["value"] for b in node["names"] if "value" in b}
        opaque = {n for n, v in values.items() if isinstance(v, dict) and v["type"] == "opaque"}
        assert set(values) - opaque == stored
        assert ("capsule save --allow SORT_KEY" in done.stderr) is ("SORT_KEY" in opaque)
