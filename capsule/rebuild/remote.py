"""The model in a rebuilt environment as if it were local: arrays in, arrays out."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from capsule.errors import InputError
from capsule.rebuild.errors import WorkerError
from capsule.rebuild.resolve import Resolution
from capsule.rebuild.session import Worker


class _Tensor(NamedTuple):
    """An input or an output of a model."""

    name: str
    shape: tuple[int | None, ...]


class RemoteModel:
    """A model that lives in its own environment: arrays in, arrays out.

    A context manager; ``close()`` ends its process. Threads may share it: they are answered
    one after the other. Pickled, it is what was asked for: whoever unpickles it replays the
    same file anew.

    Parameters
    ----------
    interpreter
        The Python of its environment.
    resolution
        The model, and the plan by which it is loaded.
    timeout
        Seconds within which it must answer; its process is ended if it does not.
    reopen
        How to have it again: what a pickled one is unpickled by.

    Raises
    ------
    RestoreFailedError
        The model can't be loaded there.
    WorkerError
        Its process ended.
    """

    def __init__(
        self,
        interpreter: Path,
        resolution: Resolution,
        *,
        timeout: float | None = None,
        reopen: Callable[[], RemoteModel] | None = None,
    ) -> None:
        self._probe = resolution.manifest.probe
        self._reopen = reopen
        self._worker = Worker(interpreter, resolution.manifest, timeout)
        path = str(resolution.path.resolve())
        try:
            answer, _ = self._worker.ask(
                {"do": "load", "plan": resolution.plan.to_json(), "path": path}
            )
        except BaseException:
            self._worker.close()
            raise
        model = answer["model"]
        self._inputs, self._outputs = _tensors(model["inputs"]), _tensors(model["outputs"])
        self._keys: list[str] | None = model.get("keys")

    def __reduce__(self) -> tuple[Callable[[], RemoteModel], tuple[()]]:
        if self._reopen is None:
            raise TypeError("this model can't be pickled: capsule.replay gives one that can")
        return self._reopen, ()

    @property
    def input_names(self) -> list[str]:
        """The names of the model's inputs, in their order."""
        return [tensor.name for tensor in self._inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the model's outputs, in their order."""
        return [tensor.name for tensor in self._outputs]

    @property
    def input_shape(self) -> Any:
        """The input's shape with None for open dimensions; a list of them for several inputs."""
        return _shapes(self._inputs)

    @property
    def output_shape(self) -> Any:
        """The output's shape with None for open dimensions; a list of them for several."""
        return _shapes(self._outputs)

    def predict(self, x: Any, **options: Any) -> Any:
        """Return ``model.predict(x, **options)``.

        Parameters
        ----------
        x
            An array, a list of arrays in the order of the inputs, or a dict by their names.
            Of an iterator each item is a batch: no more than one is held at a time.
        **options
            Passed to the model's own ``predict``.

        Returns
        -------
        numpy.ndarray, list, dict or iterator
            An array; of several outputs a list, or a dict where the model returns one. Of an
            iterator, an iterator over the outputs of each batch.

        Raises
        ------
        WorkerError
            The model raised, its process ended, or *x* lacks an input.
        """
        if isinstance(x, Iterator):
            return (self.predict(batch, **options) for batch in x)
        _, outputs = self._worker.ask({"do": "predict", "options": options}, self._arrays(x))
        return self._shaped(outputs)

    def __call__(self, x: Any) -> Any:
        """Return ``model(x, training=False)``; arrays go in and come out as in `predict`."""
        _, outputs = self._worker.ask({"do": "call"}, self._arrays(x))
        return self._shaped(outputs)

    def _shaped(self, outputs: list[Any]) -> Any:
        """Return *outputs* as the model returns them: an array, a list, or a dict."""
        if self._keys is not None and len(self._keys) == len(outputs):
            return dict(zip(self._keys, outputs))
        return outputs[0] if len(outputs) == 1 else outputs

    def _arrays(self, x: Any) -> list[Any]:
        import numpy

        if isinstance(x, Mapping):
            missing = [name for name in self.input_names if name not in x]
            if missing:
                raise WorkerError(f"no input is given for {', '.join(missing)}")
            x = [x[name] for name in self.input_names]
        many = list(x) if isinstance(x, (list, tuple)) and len(self._inputs) > 1 else [x]
        return [numpy.asarray(array) for array in many]

    @property
    def weights(self) -> dict[str, Any]:
        """The weights by their names, as arrays, as they are now."""
        answer, arrays = self._worker.ask({"do": "weights"})
        return dict(zip(answer["names"], arrays))

    def predict_file(self, inputs: Path, outputs: Path) -> None:
        """Predict on the arrays of an npz file, and write an npz file. Nothing is unpickled.

        Parameters
        ----------
        inputs
            The file to read: its arrays are named like the model's inputs, or stand in their
            order.
        outputs
            The file to write: its arrays are named like the model's outputs.

        Raises
        ------
        InputError
            *inputs* can't be read.
        WorkerError
            It holds another number of arrays, the model raised, or *outputs* can't be written.
        """
        import numpy

        arrays = read_npz(inputs)
        names = self.input_names
        if len(arrays) != len(names):
            raise WorkerError(f"{inputs} holds {len(arrays)} arrays, the model takes {len(names)}")
        by_name = set(arrays) == set(names)
        x = [arrays[name] for name in (names if by_name else arrays)]
        y = self.predict(x if len(x) > 1 else x[0])
        keys = list(y) if isinstance(y, dict) else self.output_names
        values = list(y.values()) if isinstance(y, dict) else y if isinstance(y, list) else [y]
        if len(keys) != len(values) or len(set(keys)) != len(keys):
            keys = [f"output_{index}" for index in range(len(values))]
        try:
            with open(outputs, "wb") as stream:
                numpy.savez(stream, **dict(zip(keys, values)))
        except OSError as error:
            raise WorkerError(f"{outputs} can't be written: {error.strerror}") from None

    def summary(self) -> str:
        """Return the text of ``model.summary()``."""
        answer, _ = self._worker.ask({"do": "summary"})
        return str(answer["summary"])

    def probe(self) -> dict[str, Any] | None:
        """Compute the recorded probe again and return how it compares, None without one."""
        probe = self._probe
        if probe.skipped is not None:
            return None
        header = {"do": "probe", "inputs": list(probe.inputs), "outputs": list(probe.outputs)}
        arrays = [decode_example(example) for example in probe.examples]
        answer, _ = self._worker.ask(header, arrays)
        comparison: dict[str, Any] = answer["comparison"]
        return comparison

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def __enter__(self) -> RemoteModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_npz(path: Path) -> dict[str, Any]:
    """Return the arrays of an npz file by name; nothing is unpickled. Raises InputError."""
    import numpy

    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"PK\x03\x04":
                raise InputError(f"{path} is no npz file: write one with numpy.savez")
        with numpy.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} can't be read as an npz file: {reason}") from None


def _tensors(listed: list[dict[str, Any]]) -> list[_Tensor]:
    """Return the inputs or outputs of a model as its worker lists them."""
    return [_Tensor(tensor["name"], tuple(tensor["shape"])) for tensor in listed]


def _shapes(tensors: list[_Tensor]) -> Any:
    shapes = [tensor.shape for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes


def decode_example(example: Mapping[str, Any]) -> Any:
    """Return the array of an input that a probe stores, since somebody gave it at save."""
    import base64

    import numpy

    raw = base64.b64decode(example["base64"])
    return numpy.frombuffer(raw, dtype=example["dtype"]).reshape(example["shape"])
