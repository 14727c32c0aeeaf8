"""A replayed model is usable from here; consent comes first; nothing is left running."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import capsule
from capsule.consent.consent import ConsentError
from capsule.rebuild import RemoteModel
from capsule.rebuild.errors import WorkerError
from capsule.verdict.judge import VerdictError
from tests.conftest import Installed

Samples = Callable[[Installed], Path]


@pytest.fixture(autouse=True)
def shared_cache(cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_CACHE", cache)


@pytest.fixture(scope="module")
def two_ended(keras3: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two inputs and two outputs, one of them by a lambda."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.py").write_text(
        "import tensorflow as tf\nk = tf.keras\n"
        "a, b = k.layers.Input((2,), name='a'), k.layers.Input((3,), name='b')\n"
        "y = k.layers.Lambda(lambda x: x * 10, name='ten')(a)\n"
        "z = k.layers.Lambda(lambda x: print('noise on stdout') or x + 1, name='one')(b)\n"
        "k.Model([a, b], [y, z]).save('two.keras')\n"
    )
    keras3.capsule("save", "two.py", cwd=folder, check=True)
    return folder / "two.keras"


@pytest.fixture(scope="module")
def remote(two_ended: Path, cache: str) -> Iterator[RemoteModel]:
    os.environ["CAPSULE_CACHE"] = cache
    with capsule.replay(two_ended, safe_mode=False) as model:
        yield model


A, B = np.ones((4, 2), "float32"), np.zeros((4, 3), "float32")


def test_arrays_go_in_and_come_out(remote: RemoteModel) -> None:
    for x in ([A, B], {"b": B, "a": A}):
        y, z = remote.predict(x)
        np.testing.assert_array_equal(y, A * 10)
        np.testing.assert_array_equal(z, B + 1)
    y, z = remote([A, B])
    np.testing.assert_array_equal(z, B + 1)


def test_shapes_names_and_summary_are_the_models_own(remote: RemoteModel) -> None:
    assert remote.input_shape == [(None, 2), (None, 3)]
    assert remote.output_shape == [(None, 2), (None, 3)]
    assert remote.input_names == ["a", "b"]
    assert "ten (Lambda)" in remote.summary()


def test_bad_arrays_are_the_models_error_and_the_session_goes_on(remote: RemoteModel) -> None:
    with pytest.raises(WorkerError, match="the model raised"):
        remote.predict([A])
    with pytest.raises(WorkerError, match="no input is given for b"):
        remote.predict({"a": A})
    assert len(remote.predict([A, B])) == 2


def test_batches_larger_than_memory_go_one_after_the_other(remote: RemoteModel) -> None:
    made = remote.predict([A * n, B] for n in range(3))
    assert not isinstance(made, list)
    for n, (y, _) in enumerate(made):
        np.testing.assert_array_equal(y, A * 10 * n)


def test_a_model_is_shared_by_threads(remote: RemoteModel) -> None:
    def ten_times(number: int) -> bool:
        return bool((remote([A * number, B])[0] == A * 10 * number).all())

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ten_times, range(24)))


def test_a_large_batch_comes_back_whole_and_leaves_nothing_behind(two_ended: Path) -> None:
    with capsule.replay(two_ended, safe_mode=False) as model:
        folder = model._worker._shared and model._worker._shared.folder
        large = np.random.default_rng(0).random((200_000, 2), dtype="float32")
        for turn in range(3):
            ones = np.full((200_000, 3), turn, "float32")
            y, z = model.predict([large * turn, ones], batch_size=50_000)
            np.testing.assert_array_equal(y, large * turn * 10)
            np.testing.assert_array_equal(z, ones + 1)
            # Two inputs and two outputs, in files that are used again.
            assert folder is None or len(os.listdir(folder)) == 4
    assert folder is None or not os.path.exists(folder)


def test_a_pickled_model_is_replayed_where_it_is_unpickled(two_ended: Path) -> None:
    with capsule.replay(two_ended, safe_mode=False) as model:
        kept = pickle.dumps(model)
    with pickle.loads(kept) as again:
        np.testing.assert_array_equal(again([A, B])[0], A * 10)


def test_weights_and_outputs_have_the_models_names(keras3: Installed, tmp_path: Path) -> None:
    (tmp_path / "named.py").write_text(
        "import tensorflow as tf\nk = tf.keras\nx = k.Input((2,), name='x')\n"
        "d = k.layers.Dense(1, name='dense', kernel_initializer='ones')(x)\n"
        "k.Model(x, {'z': d, 'a': k.layers.Lambda(lambda v: v + 1)(x)}).save('named.keras')\n"
    )
    keras3.capsule("save", "named.py", cwd=tmp_path, check=True)
    with capsule.replay(tmp_path / "named.keras", safe_mode=False) as model:
        assert {name: w.tolist() for name, w in model.weights.items()} == {
            "dense/kernel": [[1.0], [1.0]],
            "dense/bias": [0.0],
        }
        made = model.predict(A)
        assert list(made) == ["a", "z"]
        np.testing.assert_array_equal(made["a"], A + 1)


def test_a_model_that_takes_too_long_is_ended(two_ended: Path, tmp_path: Path) -> None:
    with capsule.replay(two_ended, safe_mode=False, timeout=60) as model:
        worker = model._worker
        worker._timeout = 0.2
        os.kill(worker._process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match="gave no answer within"):
            model.predict([A, B])


def test_the_worker_does_not_outlive_whoever_asked(two_ended: Path, cache: str) -> None:
    code = (
        "import capsule, os, sys, signal\n"
        "model = capsule.replay(sys.argv[1], safe_mode=False)\n"
        "print(model._worker._process.pid, model._worker._shared.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(two_ended)],
        capture_output=True,
        text=True,
        env={**os.environ, "CAPSULE_CACHE": cache},
    )
    pid, shared = done.stdout.split()
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}") and not os.path.exists(shared):
            return
        time.sleep(0.1)
    pytest.fail("the worker still runs")


def test_a_worker_that_is_killed_says_so(two_ended: Path) -> None:
    with capsule.replay(two_ended, safe_mode=False) as model:
        os.kill(model._worker._process.pid, signal.SIGSEGV)
        with pytest.raises(WorkerError, match="SIGSEGV"):
            model.predict([A, B])


def test_closing_ends_the_worker(two_ended: Path) -> None:
    with capsule.replay(two_ended, safe_mode=False) as model:
        process = model._worker._process
    assert process.returncode is not None


def test_npz_files_in_and_out(
    keras3: Installed, two_ended: Path, cache: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", b=B, a=A)
    words = ["replay", str(two_ended), "--unsafe", "--input", "x.npz", "--output", "y.npz"]
    done = keras3.capsule(*words, cwd=tmp_path, CAPSULE_CACHE=cache)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as made:
        np.testing.assert_array_equal(made[made.files[0]], A * 10)
        np.testing.assert_array_equal(made[made.files[1]], B + 1)
    (tmp_path / "x.npz").write_bytes(b"nothing")
    done = keras3.capsule(*words, cwd=tmp_path, CAPSULE_CACHE=cache)
    assert "x.npz is no npz file" in done.stderr


def test_without_consent_everything_is_listed_and_nothing_runs(
    keras3: Installed, samples: Samples, cache: str
) -> None:
    path = samples(keras3) / "tensor_helper.keras"
    done = keras3.capsule("replay", str(path), CAPSULE_CACHE=cache)
    assert done.returncode == 2
    for part in (
        "lambda x: custom_activation(x)",
        "sha256:",
        "def custom_activation(x):",
        "reaches tensorflow.tanh",
    ):
        assert part in done.stdout
    assert "--unsafe" in done.stderr
    with pytest.raises(ConsentError):
        capsule.replay(path)
    done = keras3.capsule("replay", str(path), "--", "python", "-c", "1", CAPSULE_CACHE=cache)
    assert done.returncode == 2


def test_trust_in_the_named_digests_is_consent(
    keras3: Installed, samples: Samples, cache: str
) -> None:
    path = samples(keras3) / "tensor_helper.keras"
    done = keras3.capsule("replay", str(path), "--json", CAPSULE_CACHE=cache)
    (result,) = json.loads(done.stdout)["results"]
    assert result["error"]["code"] == "consent-needed"
    digest = result["functions"][0]["digest"]
    words = ["replay", str(path), "--check", "--trust"]
    assert keras3.capsule(*words, digest, CAPSULE_CACHE=cache).returncode == 0
    assert keras3.capsule(*words, "sha256:" + "0" * 64, CAPSULE_CACHE=cache).returncode == 2


def test_a_command_runs_in_the_models_environment(
    keras3: Installed, samples: Samples, cache: str
) -> None:
    path = str(samples(keras3) / "doubling.keras")
    code = "import sys, keras; print('IN', sys.prefix, keras.__version__); sys.exit(5)"
    done = keras3.capsule(
        "replay", path, "--unsafe", "--", "python", "-c", code, CAPSULE_CACHE=cache
    )
    assert done.returncode == 5
    assert f"IN {cache}" in done.stdout
    done = keras3.capsule("replay", path, "--unsafe", "--", "no-such", CAPSULE_CACHE=cache)
    assert done.returncode == 2
    assert "no-such" in done.stderr
    shell = subprocess.run(
        [keras3.python, "-m", "capsule", "replay", path, "--unsafe", "--shell"],
        input="echo IN $VIRTUAL_ENV; exit 3\n",
        capture_output=True,
        text=True,
        env={**os.environ, "SHELL": "/bin/sh"},
    )
    assert f"IN {cache}" in shell.stdout
    assert shell.returncode == 3


def test_a_probe_that_no_longer_agrees_is_status_1(
    keras3: Installed, samples: Samples, cache: str, tmp_path: Path
) -> None:
    path = samples(keras3) / "doubling.keras"
    data = json.loads(Path(f"{path}.capsule.json").read_text())
    data["probe"]["inputs"][0]["seed"] += 1
    (tmp_path / "other.json").write_text(json.dumps(data))
    done = keras3.capsule(
        "replay",
        str(path),
        "--unsafe",
        "--check",
        "--sidecar",
        str(tmp_path / "other.json"),
        CAPSULE_CACHE=cache,
    )
    assert done.returncode == 1
    assert "differs at" in done.stdout


def test_every_captured_distribution_can_be_had(
    keras3: Installed, samples: Samples, cache: str
) -> None:
    path = str(samples(keras3) / "doubling.keras")
    done = keras3.capsule(
        "replay",
        path,
        "--unsafe",
        "--scope",
        "all",
        "--",
        "python",
        "-c",
        "import pytest, hypothesis",
        CAPSULE_CACHE=cache,
    )
    assert done.returncode == 0, done.stderr
    done = keras3.capsule(
        "replay",
        path,
        "--unsafe",
        "--scope",
        "all",
        "--",
        "python",
        "-I",
        "-c",
        "import capsule",
        CAPSULE_CACHE=cache,
    )
    assert done.returncode == 1


LOAD_ELSEWHERE = """
import sys, capsule
import numpy as np
path = sys.argv[1]
try:
    capsule.load(path, safe_mode=False)
except capsule.CapsuleError as error:
    print(type(error).__name__, error.verdict.capsule)
with capsule.load(path, safe_mode=False, otherwise="replay") as model:
    print(type(model).__name__, model.predict(np.ones((1, 10), "float32")).shape)
"""


def test_load_raises_with_the_verdict_or_returns_the_model_replayed(
    keras3: Installed, keras3_elsewhere: Installed, tmp_path: Path, cache: str
) -> None:
    """Code that no source exists of, and that nobody reads back from its bytecode."""
    (tmp_path / "train.py").write_text(
        "import tensorflow as tf\nK = tf.keras\n"
        "exec('def odd(x):\\n    try:\\n        return x[:, :5]\\n    except KeyError: pass')\n"
        "K.Sequential([K.Input((10,)), K.layers.Lambda(odd)]).save('odd.keras')\n"
    )
    keras3.capsule("save", "train.py", cwd=tmp_path, check=True)
    path = str(tmp_path / "odd.keras")
    done = keras3_elsewhere.run("-c", LOAD_ELSEWHERE, path, CAPSULE_CACHE=cache)
    assert done.stdout.splitlines() == ["VerdictError no", "RemoteModel (1, 5)"]
    assert issubclass(VerdictError, capsule.CapsuleError)


def test_a_bundle_is_replayed_without_any_network(
    keras3: Installed, samples: Samples, tmp_path: Path
) -> None:
    """Locked, bundled, copied elsewhere, and brought back with the network taken away."""
    cut_off = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*cut_off, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not let a test take its network away")
    shutil.copy(samples(keras3) / "doubling.keras", tmp_path)
    shutil.copy(samples(keras3) / "doubling.keras.capsule.json", tmp_path)
    done = keras3.capsule("bundle", "doubling.keras", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lock-version" in (tmp_path / "pylock.doubling-keras.toml").read_text()
    (tmp_path / "elsewhere").mkdir()
    bundle = shutil.move(tmp_path / "doubling.keras.capsule.zip", tmp_path / "elsewhere")
    done = subprocess.run(
        [*cut_off, keras3.python, "-m", "capsule", "replay", str(bundle), "--unsafe", "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "CAPSULE_CACHE": str(tmp_path / "own-cache")},
    )
    assert done.returncode == 0, done.stderr
    assert "exactly those recorded at save" in done.stdout


def test_what_has_another_hash_than_the_lock_is_refused(
    keras3: Installed, samples: Samples, tmp_path: Path
) -> None:
    shutil.copy(samples(keras3) / "doubling.keras", tmp_path)
    shutil.copy(samples(keras3) / "doubling.keras.capsule.json", tmp_path)
    done = keras3.capsule("lock", "doubling.keras", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lock = tmp_path / "pylock.doubling-keras.toml"
    text = lock.read_text()
    at = text.index('name = "six"')
    spoiled = re.sub(r'sha256 = "[0-9a-f]{4}', 'sha256 = "0000', text[at:])
    lock.write_text(text[:at] + spoiled)
    done = keras3.capsule(
        "replay",
        "doubling.keras",
        "--unsafe",
        cwd=tmp_path,
        CAPSULE_CACHE=str(tmp_path / "own-cache"),
    )
    assert done.returncode == 2
    assert "another hash than the lock has" in done.stderr
