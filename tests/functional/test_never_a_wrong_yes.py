"""Whatever a model carries: where verify says yes, it is so, in a fresh process."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Installed

SHAPES = Path(__file__).with_name("shapes.py")
# Each file in a process of its own, forked from one that has imported TensorFlow: what one
# load leaves behind must not help the next.
CHECK = """
import json, os, sys
import numpy as np
import capsule
import tensorflow as tf

def does(load, kept):
    try:
        y = load().predict(kept["x"], verbose=0)
    except BaseException as error:
        return [False, False, repr(error)[:200]]
    return [True, bool(np.allclose(y, kept["y"], 1e-4, 1e-5)), ""]

def check(path):
    kept = np.load(os.path.splitext(path)[0] + ".npz")
    verdict = capsule.verify(path)
    plain = does(lambda: tf.keras.models.load_model(path, safe_mode=False), kept)
    own = does(lambda: capsule.load(path, safe_mode=False), kept)
    return [verdict.keras, verdict.capsule, verdict.same, plain, own]

for path in sys.argv[1:]:
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        with os.fdopen(write, "w") as stream:
            json.dump(check(path), stream)
            stream.flush()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        print("RESULT", stream.read(), flush=True)
    os.wait()
"""
# What can't come back, and why; all else must: the promise, and not only the absence of a lie.
LOST = {
    "closure_over_bytes": "Keras' own reader changes bytes before anyone can tell whose they are",
    "hidden_names": "the names that eval will use are nobody's to know",
    "name_of_keras": "the file stores it by a name that Keras has for its own",
    "random_numbers": "no two calls compute the same",
    "variable": "its state was never in the function",
}
LOST_IN_HDF5 = {
    3: {"masked": "operations that are no layers", "subclassed": "a model without its layers"},
    2: {},
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Installed], Path]:
    made: dict[int, Path] = {}

    def saved_by(installed: Installed) -> Path:
        if installed.keras not in made:
            folder = tmp_path_factory.mktemp(f"shapes{installed.keras}")
            installed.capsule("save", str(SHAPES), str(folder), cwd=folder)
            made[installed.keras] = folder
        return made[installed.keras]

    return saved_by


def test_where_verify_says_yes_it_is_so(
    keras: Installed, shapes: Callable[[Installed], Path], tmp_path: Path
) -> None:
    sidecars = sorted(shapes(keras).glob("*.capsule.json"))
    paths = [path.with_name(path.name[: -len(".capsule.json")]) for path in sidecars]
    assert len(paths) > 100
    halves = [paths[0::2], paths[1::2]]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ran = pool.map(lambda some: keras.run("-c", CHECK, *map(str, some), cwd=tmp_path), halves)
    told = [
        line[7:] for done in ran for line in done.stdout.splitlines() if line.startswith("RESULT ")
    ]
    wrong, dead = [], []
    for path, line in zip(halves[0] + halves[1], told):
        says_keras, says_capsule, says_same, plain, own = json.loads(line)
        if says_keras == "yes" and not plain[1]:
            wrong.append((path.name, "keras", plain))
        if says_capsule == "yes" and not own[0]:
            wrong.append((path.name, "capsule", own))
        if says_same == "yes" and not own[1]:
            wrong.append((path.name, "same", own))
        lost = LOST if path.suffix == ".keras" else {**LOST, **LOST_IN_HDF5[keras.keras]}
        if path.stem not in lost and not (says_same == "yes" and own[1]):
            dead.append((path.name, says_capsule, says_same, own))
    assert len(told) == len(paths)
    assert not wrong
    assert not dead


ELSEWHERE = """
import json, sys
import numpy as np
import capsule
import tensorflow as tf

for path in sys.argv[1:]:
    kept = np.load(path.rpartition(".")[0] + ".npz")
    try:
        y = capsule.load(path, safe_mode=False).predict(kept["x"], verbose=0)
        told = "" if np.allclose(y, kept["y"], 1e-4, 1e-5) else "computes something else"
    except Exception as error:
        told = repr(error)[:200]
    print("RESULT", json.dumps(told), flush=True)
"""


def test_the_same_files_live_under_another_python(
    keras3: Installed,
    keras3_elsewhere: Installed,
    shapes: Callable[[Installed], Path],
    tmp_path: Path,
) -> None:
    """No environment is rebuilt, and all are loaded into one process: none disturbs another."""
    lost = {**LOST, **LOST_IN_HDF5[3]}
    sidecars = sorted(shapes(keras3).glob("*.capsule.json"))
    paths = [path.with_name(path.name[: -len(".capsule.json")]) for path in sidecars]
    paths = [path for path in paths if path.stem not in lost]
    done = keras3_elsewhere.run("-c", ELSEWHERE, *map(str, paths), cwd=tmp_path)
    told = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert len(told) == len(paths)
    assert not [(path.name, said) for path, said in zip(paths, told) if said]
