"""The model in another process as if it were here: what goes in, what comes out, under which name."""

from __future__ import annotations

import pickle
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsule.errors import InputError
from capsule.rebuild import RemoteModel
from capsule.rebuild.errors import WorkerError
from tests.making import manifest_with
from tests.toy import toy_python

A, B = np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])
Remote = Callable[..., RemoteModel]


@pytest.fixture
def remote(tmp_path: Path, cache: Path) -> Iterator[Remote]:
    """Give a function that starts a toy model with the inputs and outputs that it is told."""
    models: list[RemoteModel] = []

    def start(probe: Any = None, reopen: Any = None, **facts: Any) -> RemoteModel:
        resolution: Any = types.SimpleNamespace(
            manifest=manifest_with(environment_variables={}, probe=probe or {}),
            plan=types.SimpleNamespace(to_json=lambda: facts),
            path=tmp_path / "model.keras",
        )
        model = RemoteModel(toy_python(tmp_path), resolution, reopen=reopen)
        models.append(model)
        return model

    yield start
    for model in models:
        model.close()


def test_one_input_and_one_output_are_an_array_each(remote: Remote) -> None:
    model = remote()
    np.testing.assert_array_equal(model.predict(A), A * 2)
    np.testing.assert_array_equal(model(A.tolist()), A * 2)
    assert (model.input_shape, model.output_shape) == ((None, 2), (None, 2))
    assert (model.input_names, model.output_names) == (["x"], ["y"])


def test_several_go_in_their_order_and_by_name_and_come_back_as_a_list(remote: Remote) -> None:
    model = remote(inputs=["b", "a"], outputs=["y", "z"])
    for given in ([A, B], (A, B), {"a": B, "b": A}, {"a": B, "unused": B, "b": A}):
        outputs = model.predict(given)
        assert isinstance(outputs, list)
        np.testing.assert_array_equal(outputs, [A * 2, A * 2 + 1])
    assert model.input_shape == [(None, 2), (None, 2)]
    with pytest.raises(WorkerError, match="no input is given for b"):
        model.predict({"a": A})


def test_outputs_that_are_a_dict_there_are_a_dict_here(remote: Remote) -> None:
    outputs = remote(outputs=["y", "z"], dict=True)(A)
    assert list(outputs) == ["y", "z"]
    np.testing.assert_array_equal(outputs["z"], A * 2 + 1)


def test_batches_are_asked_for_one_at_a_time(remote: Remote) -> None:
    drawn: list[int] = []

    def batches() -> Iterator[Any]:
        for number in range(3):
            drawn.append(number)
            yield A * number

    outputs = remote().predict(batches())
    assert drawn == []
    np.testing.assert_array_equal(next(outputs), A * 0)
    assert drawn == [0]
    np.testing.assert_array_equal(np.concatenate(list(outputs)), np.concatenate([A * 2, A * 4]))


def test_weights_come_by_their_names(remote: Remote) -> None:
    weights = remote().weights
    assert {name: value.tolist() for name, value in weights.items()} == {
        "toy/kernel": [1.0, 1.0],
        "toy/bias": [0.0],
    }


def test_a_probe_is_computed_again_unless_there_is_none(remote: Remote) -> None:
    assert remote(probe={"skipped": "it is a checkpoint", "outputs": []}).probe() is None
    recorded = {"shape": [2, 2], "dtype": "float32", "base64": "AAAAAAAAAAAAAAAAAAAAAA=="}
    one = {"shape": [2, 2], "dtype": "float32", "seed": 20, "low": 1, "high": 1}
    comparison = remote(probe={"inputs": [one], "outputs": [recorded]}).probe()
    assert comparison is not None
    assert not comparison["agrees"]
    assert comparison["repeats"]


def replayed() -> str:
    return "replayed anew"


def test_pickled_it_is_how_to_have_it_again(remote: Remote) -> None:
    model = remote(reopen=replayed)
    assert pickle.loads(pickle.dumps(model)) == "replayed anew"
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(remote())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"a": B, "b": A}, A * 2),  # by the names of the inputs, b first
        ({"first": A, "second": B}, A * 2),  # of other names: in the order of the file
        ({"b": A, "second": B}, A * 2),
    ],
)
def test_arrays_of_a_file_are_taken_by_name_or_in_their_order(
    remote: Remote, tmp_path: Path, names: dict[str, Any], expected: Any
) -> None:
    np.savez(tmp_path / "x.npz", **names)
    remote(inputs=["b", "a"]).predict_file(tmp_path / "x.npz", tmp_path / "y.npz")
    with np.load(tmp_path / "y.npz") as outputs:
        assert outputs.files == ["y"]
        np.testing.assert_array_equal(outputs["y"], expected)


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({"outputs": ["y", "z"]}, ["y", "z"]),
        ({"outputs": ["y", "y"]}, ["output_0", "output_1"]),
        ({"outputs": ["y", "z"], "dict": True}, ["y", "z"]),
    ],
)
def test_outputs_stand_in_a_file_under_their_names(
    remote: Remote, tmp_path: Path, facts: dict[str, Any], names: list[str]
) -> None:
    np.savez(tmp_path / "x.npz", A)
    remote(**facts).predict_file(tmp_path / "x.npz", tmp_path / "y.npz")
    with np.load(tmp_path / "y.npz") as outputs:
        assert outputs.files == names
        np.testing.assert_array_equal(outputs[names[1]], A * 2 + 1)


def test_files_that_do_not_fit_are_one_sentence(remote: Remote, tmp_path: Path) -> None:
    model = remote(inputs=["a", "b"])
    np.savez(tmp_path / "one.npz", A)
    np.savez(tmp_path / "two.npz", A, B)
    with pytest.raises(WorkerError, match="holds 1 arrays, the model takes 2"):
        model.predict_file(tmp_path / "one.npz", tmp_path / "y.npz")
    with pytest.raises(WorkerError, match="can't be written"):
        model.predict_file(tmp_path / "two.npz", tmp_path / "nowhere" / "y.npz")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: np.savez(path, np.array([{"an": "object"}])), "can't be read as an npz file"),
        (lambda path: path.write_bytes(b"\x80\x04N."), "is no npz file"),  # a pickle
        (lambda path: np.save(path.open("wb"), A), "is no npz file"),
        (lambda path: path.write_bytes(b"PK\x03\x04 and then nothing"), "can't be read"),
        (lambda path: path.mkdir(), "can't be read"),
        (lambda path: None, "can't be read: No such file"),
    ],
)
def test_nothing_in_a_file_of_arrays_is_unpickled(
    remote: Remote, tmp_path: Path, write: Callable[[Path], Any], words: str
) -> None:
    write(tmp_path / "x.npz")
    with pytest.raises(InputError, match=words):
        remote().predict_file(tmp_path / "x.npz", tmp_path / "y.npz")
