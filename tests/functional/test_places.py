"""Functions from wherever people write them: notebook cells, standard input, zipped modules."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Installed

CELLS = [
    "import numpy as np, tensorflow as tf, capsule\ncapsule.hook()\nK = tf.keras",
    "RATE = 2.0\ndef helper(x):\n    return tf.tanh(x) * RATE",
    "%precision 3\nlocal = !echo shell",
    "class Shift(K.layers.Layer):\n    def call(self, x):\n        return helper(x) + 1.0",
    "model = K.Sequential([K.Input((3,)), K.layers.Dense(2), Shift(),\n"
    "                      K.layers.Lambda(lambda x: helper(x)), K.layers.Dense(1)])\n"
    "model.compile('sgd', 'mean_squared_error')\n"
    "x = np.linspace(-1, 1, 6, dtype='float32').reshape(2, 3)\n"
    "model.fit(x, x[:, :1], verbose=0)",
    "model.save('model.keras')\nmodel.save('model.h5')\n"
    "np.savez('kept.npz', x=x, y=model.predict(x, verbose=0))",
]
CHECK = """
import json, sys, numpy as np, capsule
kept = np.load("kept.npz")
model = capsule.load(sys.argv[1], safe_mode=False)
print(json.dumps(float(abs(model.predict(kept["x"], verbose=0) - kept["y"]).max())))
"""


def difference(installed: Installed, folder: Path, name: str) -> float:
    """Return how far the model, loaded in a fresh process, is from what was saved."""
    done = installed.run("-c", CHECK, name, cwd=folder, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def test_a_model_of_a_notebook_is_replayed_from_a_shell(
    keras3: Installed, keras3_elsewhere: Installed, tmp_path: Path, cache: str
) -> None:
    import nbclient  # of the test extra: a test that skips without it would hide its absence
    import nbformat

    if Path(sys.prefix) != keras3.folder:
        pytest.skip("the tests do not run in the environment that has the kernel")
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    sidecar = json.loads((tmp_path / "model.keras.capsule.json").read_text())
    shift = sidecar["nodes"]["__main__:Shift"]
    assert shift["source"].startswith("class Shift(K.layers.Layer):")
    assert "/" not in shift["file"]
    assert not sidecar["problems"]
    for name in ("model.keras", "model.h5"):
        assert difference(keras3, tmp_path, name) == 0
        assert difference(keras3_elsewhere, tmp_path, name) < 1e-5
    done = keras3_elsewhere.capsule(
        "replay", "model.keras", "--unsafe", "--check", cwd=tmp_path, CAPSULE_CACHE=cache
    )
    assert done.returncode == 0, done.stderr
    assert "exactly those recorded at save" in done.stdout


def test_what_was_typed_on_standard_input_is_read_from_its_code(
    keras3: Installed, keras3_elsewhere: Installed, tmp_path: Path
) -> None:
    script = """
import numpy as np, tensorflow as tf, capsule
capsule.hook()
K = tf.keras
RATE = 2.0
model = K.Sequential([K.Input((3,)), K.layers.Lambda(lambda x: tf.abs(x)[:, 0:2] * RATE + 1)])
x = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
model.save("model.keras")
np.savez("kept.npz", x=x, y=model.predict(x, verbose=0))
"""
    done = subprocess.run(
        [keras3.python, "-"], input=script, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "no source text exists for <stdin>" in done.stderr
    assert difference(keras3_elsewhere, tmp_path, "model.keras") < 1e-6


def test_a_module_in_a_zip_file_is_taken_along(keras3: Installed, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("zipped/__init__.py", "from .inner import double\n")
        archive.writestr("zipped/inner.py", "def double(x):\n    return x * 2.0\n")
    (tmp_path / "train.py").write_text("""
import sys
sys.path.insert(0, "lib.zip")
import numpy as np, tensorflow as tf, zipped
K = tf.keras
model = K.Sequential([K.Input((3,)), K.layers.Lambda(lambda x: zipped.double(x)),
                      K.layers.Lambda(zipped.inner.double)])
x = np.ones((2, 3), "float32")
model.save("model.keras")
np.savez("kept.npz", x=x, y=model.predict(x, verbose=0))
""")
    keras3.capsule("save", "train.py", cwd=tmp_path, check=True)
    (tmp_path / "lib.zip").unlink()
    assert difference(keras3, tmp_path, "model.keras") == 0
