"""A model that capsule.load brought back is an ordinary Keras model, and nothing else changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Installed

TRAIN = """
import numpy as np, tensorflow as tf, mine
K = tf.keras
L = K.layers
RATE = 2.0

class Scaled(L.Layer):
    def __init__(self, factor=3.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
    def call(self, x):
        return mine.shifted(x) * self.factor
    def get_config(self):
        return dict(super().get_config(), factor=self.factor)

def helper(x):
    return tf.abs(x) + RATE

def branch(x):
    if tf.reduce_sum(helper(x)) > 0.0:
        y = x * 2.0
    else:
        y = x * 3.0
    return y

inputs = K.Input((3,))
x = Scaled(2.5)(L.Lambda(lambda x: helper(x))(inputs))
model = K.Model(inputs, L.Dense(2, activation=helper)(x))
x = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
np.savez("kept.npz", x=x, y=model.predict(x, verbose=0))
model.save("model.keras")
model.save("model.h5")
"""
MINE = "from .parts import SHIFT\n\ndef shifted(x):\n    return x - SHIFT\n"


@pytest.fixture
def saved(keras: Installed, tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "mine").mkdir(parents=True)
    (work / "train.py").write_text(TRAIN)
    (work / "mine" / "__init__.py").write_text(MINE)
    (work / "mine" / "parts.py").write_text("SHIFT = 0.5\n")
    keras.capsule("save", "train.py", cwd=work, check=True)
    for path in work.rglob("*.py"):
        path.unlink()  # whoever loads has none of it
    return work


def run(keras: Installed, folder: Path, code: str) -> Any:
    done = keras.run("-c", code, cwd=folder, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_it_predicts_trains_and_is_saved_again(keras: Installed, saved: Path, form: str) -> None:
    told = run(
        keras,
        saved,
        f"""
import json, numpy as np, tensorflow as tf, capsule
kept = np.load("kept.npz")
model = capsule.load("model.{form}", safe_mode=False)
first = model.predict(kept["x"], verbose=0)
report = capsule.save(model, "again.{form}")
again = capsule.load("again.{form}", safe_mode=False)
model.compile("sgd", "mean_squared_error")
model.fit(kept["x"], kept["y"], verbose=0)
print(json.dumps([type(model).__module__.split(".")[0],
    float(abs(first - kept["y"]).max()),
    float(abs(again.predict(kept["x"], verbose=0) - kept["y"]).max()),
    [f.sentence for f in report.findings if f.severity == "fatal" and "capsule" in f.decides],
    sorted(report.manifest.nodes)]))
""",
    )
    kind, first, again, findings, nodes = told
    assert kind in ("keras", "tensorflow")
    assert first == 0
    assert again == 0
    assert not findings
    assert {"mine", "mine.parts", "__main__:helper", "__main__:Scaled"} <= set(nodes)


def test_keras_is_as_it_was_and_no_module_of_the_model_is_seen(
    keras: Installed, saved: Path
) -> None:
    told = run(
        keras,
        saved,
        """
import json, sys, threading, numpy as np, tensorflow as tf, capsule
lambdas = tf.keras.layers.Lambda
before, path, finders = lambdas.__dict__["from_config"], list(sys.path), list(sys.meta_path)
kept = np.load("kept.npz")
wrong = []
def work(form):
    for _ in range(3):
        model = capsule.load("model." + form, safe_mode=False)
        y = np.asarray(model(kept["x"]))
        if abs(y - kept["y"]).max() > 1e-6:
            wrong.append(form)
threads = [threading.Thread(target=work, args=(form,)) for form in ("h5", "keras") * 2]
[t.start() for t in threads]
config = lambdas(lambda x: x + 1).get_config()
try:
    lambdas.from_config(config)   # in this thread Keras does what Keras does
except Exception as error:
    pass
[t.join() for t in threads]
print(json.dumps([wrong, lambdas.__dict__["from_config"] is before, sys.path == path,
    sys.meta_path == finders, [name for name in sys.modules if name.split(".")[0] == "mine"],
    "Scaled" in tf.keras.utils.get_custom_objects()]))
""",
    )
    assert told == [[], True, True, True, [], False]


def test_two_models_may_bring_different_modules_of_one_name(
    keras3: Installed, tmp_path: Path
) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mine.py").write_text(f"def f(x):\n    return x * {number}.0\n")
        (folder / "train.py").write_text(
            "import tensorflow as tf, mine\nK = tf.keras\n"
            "m = K.Sequential([K.Input((2,)), K.layers.Lambda(lambda x: mine.f(x))])\n"
            f"m.save('../m{number}.keras')\n"
        )
        keras3.capsule("save", "train.py", cwd=folder, check=True)
    told = run(
        keras3,
        tmp_path,
        """
import json, numpy as np, capsule
models = [capsule.load(f"m{n}.keras", safe_mode=False) for n in (1, 2)]
print(json.dumps([float(np.asarray(m(np.ones((1, 2))))[0, 0]) for m in models]))
""",
    )
    assert told == [1.0, 2.0]


def test_restored_source_is_there_for_tracebacks_and_autograph(
    keras: Installed, saved: Path
) -> None:
    told = run(
        keras,
        saved,
        """
import inspect, json, traceback, numpy as np, tensorflow as tf, capsule
model = capsule.load("model.keras", safe_mode=False)
function = model.layers[1].function
helper = model.layers[-1].activation
branch = tf.autograph.to_code(helper)
try:
    helper("no number")
except Exception:
    told = traceback.format_exc()
print(json.dumps([inspect.getsource(function).strip(), "ld(tf).abs" in branch, "return tf.abs(x) + RATE" in told]))
""",
    )
    assert told == ["lambda x: helper(x)", True, True]


CHANGES = {
    "a changed helper": ("__main__:helper", "source", "def helper(x):\n    return x\n"),
    "a changed value": ("__main__:helper", "RATE", 9.0),
    "a changed module": ("mine.parts", "source", "SHIFT = 7.0\n"),
    "a changed class": ("__main__:Scaled", "source", "class Scaled:\n    pass\n"),
}


def test_trust_in_what_was_read_does_not_cover_what_was_changed_since(
    keras: Installed, saved: Path
) -> None:
    original = (saved / "model.keras.capsule.json").read_text()
    for change, (name, key, value) in CHANGES.items():
        data = json.loads(original)
        if key == "source":
            data["nodes"][name]["source"] = value
        else:
            (binding,) = (b for b in data["nodes"][name]["names"] if b["name"] == key)
            binding["value"] = value
        (saved / f"{change}.json").write_text(json.dumps(data))
    told = run(
        keras,
        saved,
        f"""
import json, capsule
from capsule.errors import CapsuleError
from capsule.consent.consent import ConsentError
try:
    capsule.load("model.keras")
except ConsentError as error:
    trust = [f.digest for f in error.consent.functions]
def loads(**options):
    try:
        capsule.load("model.keras", trust=trust, **options)
    except CapsuleError as error:
        return type(error).__name__
    return "loaded"
changed = {list(CHANGES)!r}
print(json.dumps([loads(), *(loads(sidecar=change + ".json") for change in changed)]))
""",
    )
    assert told == ["loaded", *["ConsentError"] * len(CHANGES)]


def test_a_swapped_sidecar_and_an_unlisted_function_are_refused(
    keras3: Installed, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("""
import tensorflow as tf
K = tf.keras
for name, factor in (("a", 2.0), ("b", 3.0)):
    layers = [K.Input((2,)), K.layers.Lambda(lambda x, f=factor: x * f, name="only")]
    K.Sequential(layers).save(name + ".keras")
""")
    keras3.capsule("save", "train.py", cwd=tmp_path, check=True)
    loading = """
import json, capsule
try:
    capsule.load("a.keras", safe_mode=False)
    print(json.dumps("loaded"))
except capsule.CapsuleError as error:
    print(json.dumps(str(error)))
"""
    sidecar, other = (tmp_path / f"{name}.keras.capsule.json" for name in "ab")
    own = json.loads(sidecar.read_text())
    assert run(keras3, tmp_path, loading) == "loaded"
    sidecar.write_text(json.dumps(dict(own, functions=[])))
    assert "does not list" in run(keras3, tmp_path, loading)
    sidecar.write_text(other.read_text())
    assert "is not the file that its sidecar describes" in run(keras3, tmp_path, loading)


def test_a_model_that_computes_something_else_is_never_returned_in_silence(
    keras3: Installed, tmp_path: Path
) -> None:
    """What a class was set to since its source cannot be seen; what it computes can."""
    (tmp_path / "train.py").write_text("""
import tensorflow as tf
K = tf.keras
class Config:
    class Inner:
        factor = 2.0
Config.Inner.factor = 5.0
class Noise(K.layers.Layer):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))
K.Sequential([K.Input((2,)), K.layers.Lambda(lambda x: x * Config.Inner.factor)]).save("a.keras")
K.Sequential([K.Input((2,)), Noise()]).save("b.keras")
""")
    keras3.capsule("save", "train.py", cwd=tmp_path, check=True)
    told = run(
        keras3,
        tmp_path,
        """
import json, warnings, capsule
from capsule.errors import OutputsDifferError
try:
    capsule.load("a.keras", safe_mode=False)
    said = ""
except OutputsDifferError as error:
    said = str(error)
model = capsule.load("a.keras", safe_mode=False, check=False)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    capsule.load("b.keras", safe_mode=False)
print(json.dumps([said, type(model).__name__, [str(w.message) for w in caught]]))
""",
    )
    said, kind, warned = told
    assert "does not compute what it did at save" in said
    assert "check=False" in said
    assert kind == "Sequential"
    assert any("two calls in a row differ" in message for message in warned)
