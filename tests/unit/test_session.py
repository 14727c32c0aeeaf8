"""A worker: what it sees of this process, and what becomes of it when anything goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsule.errors import RestoreFailedError
from capsule.rebuild.errors import WorkerError
from capsule.rebuild.session import Worker, guest_folder
from tests.making import manifest_with
from tests.toy import toy_python

X = np.array([[1.0, 2.0]])
PREDICT = {"do": "predict", "options": {}}


pytestmark = pytest.mark.usefixtures("cache")


def started(folder: Path, timeout: float | None = None, **plan: Any) -> Worker:
    worker = Worker(toy_python(folder), manifest_with(environment_variables={}), timeout)
    try:
        worker.ask({"do": "load", "plan": plan, "path": "model.keras"})
    except BaseException:
        worker.close()
        raise
    return worker


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = started(tmp_path)
    yield made
    made.close()


def predict(worker: Worker, **options: Any) -> Any:
    _, outputs = worker.ask({"do": "predict", "options": options}, [X])
    return outputs[0].tolist()


def seen_by(worker: Worker) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the process as the worker sees it, and the keras.json that it goes by."""
    answer, _ = worker.ask({"do": "summary"})
    process, settings = map(json.loads, answer["summary"].split("\n"))
    return process, settings


def test_a_request_is_answered(worker: Worker) -> None:
    assert predict(worker) == [[2.0, 4.0]]
    assert worker.ask({"do": "weights"})[0] == {"names": ["toy/kernel", "toy/bias"]}


def test_of_this_process_a_worker_sees_only_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "KERAS_BACKEND", "KERAS_HOME", "TF_X"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    recorded = {"TF_ENABLE_ONEDNN_OPTS": "0", "JAX_ENABLE_X64": "1"}
    manifest = manifest_with(environment_variables=recorded, settings={"floatx": "float64"})
    worker = Worker(toy_python(tmp_path), manifest)
    worker.ask({"do": "load", "plan": {}, "path": "model.keras"})
    process, settings = seen_by(worker)
    worker.close()
    seen = process["environment"]
    for name in ("AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "KERAS_BACKEND", "TF_X"):
        assert name not in seen
    assert seen["CUDA_VISIBLE_DEVICES"] == "0"
    assert {name: seen[name] for name in recorded} == recorded
    assert settings == {
        "floatx": "float64",
        "epsilon": 1e-07,
        "backend": "tensorflow",
        "image_data_format": "channels_last",
    }
    assert seen["KERAS_HOME"] != "mine"
    assert not Path(seen["KERAS_HOME"]).exists()  # it ended with its worker


def test_a_worker_is_isolated_and_writes_no_bytecode_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = started(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
    cramped = started(tmp_path)
    arguments = [seen_by(worker)[0]["arguments"] for worker in (roomy, cramped)]
    for worker in (roomy, cramped):
        worker.close()
    assert [words[: words.index("-c")] for words in arguments] == [["-I"], ["-I", "-B"]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"die": 3}, r"ended with status 3$"),
        ({"die": 0}, r"ended with status 0$"),
        ({"die": 3, "say": "free(): invalid pointer"}, r"status 3; its last words: free\(\): inv"),
        ({"kill": int(signal.SIGSEGV)}, "was killed by SIGSEGV"),
    ],
)
def test_a_worker_that_dies_says_how_and_is_never_asked_again(
    worker: Worker, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(WorkerError, match=words):
        predict(worker, **options)
    with pytest.raises(WorkerError, match="was stopped in the midst of an answer: replay again"):
        predict(worker)


def test_a_worker_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    worker = started(tmp_path, timeout=2)
    assert predict(worker) == [[2.0, 4.0]]
    began = time.monotonic()
    with pytest.raises(WorkerError, match=r"no answer within 2 s and was ended"):
        predict(worker, sleep=60)
    assert time.monotonic() - began < 20
    with pytest.raises(WorkerError, match="replay again"):
        predict(worker)
    worker.close()


def test_an_interrupted_request_leaves_no_answer_for_the_next(worker: Worker) -> None:
    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            predict(worker, sleep=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    time.sleep(1)
    with pytest.raises(WorkerError, match="replay again"):
        worker.ask({"do": "call"}, [X * 100])


def test_a_model_that_raises_is_told_in_a_line_and_goes_on(worker: Worker) -> None:
    with pytest.raises(WorkerError, match=r"^the model raised: ValueError: first$"):
        predict(worker, fail="first\nsecond")
    with pytest.raises(WorkerError) as caught:
        predict(worker, fail="x" * 5000)
    assert len(caught.value.message) < 600
    assert predict(worker) == [[2.0, 4.0]]


def test_what_no_worker_can_be_given_is_refused_before_anything_is_sent(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="the model can't be given this"):
        worker.ask(PREDICT, [np.array([object()])])
    with pytest.raises(WorkerError, match=r"given this: .*not JSON serializable"):
        predict(worker, callbacks=[object()])
    assert predict(worker) == [[2.0, 4.0]]


def test_a_model_that_can_not_be_loaded_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(RestoreFailedError, match="could not be loaded there: ValueError: no such"):
        started(tmp_path, **{"raise": "no such layer"})


def test_threads_get_each_its_own_answer(tmp_path: Path) -> None:
    worker = started(tmp_path, timeout=20)
    wrong: list[Any] = []

    def ask(number: int) -> None:
        # More than a pipe holds at once, so that they would run into each other.
        x = np.full((1, 20_000), float(number))
        for _ in range(10):
            try:
                _, (answer,) = worker.ask(PREDICT, [x])
            except WorkerError as error:
                wrong.append(error)
            else:
                wrong.extend([number] if not (answer == x * 2).all() else [])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.close()
    assert wrong == []


def test_nothing_is_left_of_a_worker_that_was_closed(tmp_path: Path) -> None:
    worker = started(tmp_path)
    seen = seen_by(worker)[0]["environment"]
    worker.close()
    for name in ("KERAS_HOME", "CAPSULE_SHARED"):
        assert not os.path.exists(seen.get(name, ""))


def test_the_guest_in_the_cache_is_the_guest_of_this_capsule() -> None:
    package = guest_folder() / "capsule_guest"
    worker = package / "worker.py"
    text = worker.read_text()
    assert "def main" in text
    worker.write_text("import os; os.system('evil')\n")
    assert (guest_folder() / "capsule_guest" / "worker.py").read_text() == text
    worker.unlink()
    assert (guest_folder() / "capsule_guest" / "worker.py").read_text() == text
    assert [path.name for path in guest_folder().iterdir()] == ["capsule_guest"]
