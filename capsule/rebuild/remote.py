"""The model in a rebuilt environment as if it were local: arrays in, arrays out."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from capsule.errors import InputError, WorkerError
from capsule.rebuild.resolve import Resolution
from capsule.rebuild.session import Worker


class RemoteModel:
    """A model that lives in its own environment: arrays in, arrays out.

    A context manager; ``close()`` ends its process. Threads may share it: they are answered
    one after the other. Pickled, it is what was asked for: whoever unpickles it replays the
    same file anew.
    """

    def __init__(
        self,
        interpreter: Path,
        resolution: Resolution,
        *,
        timeout: float | None = None,
        recipe: Callable[[], RemoteModel] | None = None,
    ) -> None:
        self._manifest = resolution.manifest
        self._recipe = recipe
        self._worker = Worker(interpreter, self._manifest, timeout)
        path = str(resolution.path.resolve())
        try:
            answer, _ = self._worker.ask(
                {"do": "load", "plan": resolution.plan.to_json(), "path": path}
            )
        except BaseException:
            self._worker.close()
            raise
        self._model = answer["model"]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._recipe is None:
            raise TypeError("this model can't be pickled: capsule.replay gives one that can")
        return _follow, (self._recipe,)

    @property
    def input_names(self) -> list[str]:
        """The names of the model's inputs, in their order."""
        return [tensor["name"] for tensor in self._model["inputs"]]

    @property
    def output_names(self) -> list[str]:
        """The names of the model's outputs, in their order."""
        return [tensor["name"] for tensor in self._model["outputs"]]

    @property
    def input_shape(self) -> Any:
        """The input's shape with None for open dimensions; a list of them for several inputs."""
        return _shapes(self._model["inputs"])

    @property
    def output_shape(self) -> Any:
        """The output's shape with None for open dimensions; a list of them for several."""
        return _shapes(self._model["outputs"])

    def predict(self, x: Any, **options: Any) -> Any:
        """Return ``model.predict(x, **options)``: an array; of several outputs a list or dict.

        *x* is an array, a list in the order of the inputs, or a dict by their names. Of an
        iterator, whose items are batches, it returns an iterator over the outputs of each:
        no more than one is held at a time.
        """
        if isinstance(x, Iterator):
            return (self.predict(batch, **options) for batch in x)
        _, outputs = self._worker.ask({"do": "predict", "options": options}, self._arrays(x))
        return self._outputs(outputs)

    def __call__(self, x: Any) -> Any:
        """Return ``model(x, training=False)`` as arrays."""
        _, outputs = self._worker.ask({"do": "call"}, self._arrays(x))
        return self._outputs(outputs)

    def _outputs(self, outputs: list[Any]) -> Any:
        keys = self._model.get("keys")
        if keys is not None and len(keys) == len(outputs):
            return dict(zip(keys, outputs))
        return outputs[0] if len(outputs) == 1 else outputs

    def _arrays(self, x: Any) -> list[Any]:
        import numpy

        if isinstance(x, Mapping):
            missing = [name for name in self.input_names if name not in x]
            if missing:
                raise WorkerError(f"no input is given for {', '.join(missing)}")
            x = [x[name] for name in self.input_names]
        many = list(x) if isinstance(x, (list, tuple)) and len(self.input_names) > 1 else [x]
        return [numpy.asarray(array) for array in many]

    @property
    def weights(self) -> dict[str, Any]:
        """The weights by their names, as arrays, as they are now."""
        answer, arrays = self._worker.ask({"do": "weights"})
        return dict(zip(answer["names"], arrays))

    def predict_file(self, inputs: Path, outputs: Path) -> None:
        """Predict on the arrays of the npz file *inputs* and write *outputs*, named like them.

        The arrays are named like the model's inputs, or stand in their order. Nothing is
        unpickled. Raises WorkerError for files that can't be read or written.
        """
        import numpy

        arrays = read_npz(inputs)
        names = self.input_names
        if len(arrays) != len(names):
            raise WorkerError(f"{inputs} holds {len(arrays)} arrays, the model takes {len(names)}")
        by_name = set(arrays) == set(names)
        x = [arrays[name] for name in (names if by_name else arrays)]
        made = self.predict(x if len(x) > 1 else x[0])
        keys = self.output_names
        if isinstance(made, dict):
            keys, made = list(made), list(made.values())
        listed = made if isinstance(made, list) else [made]
        if len(keys) != len(listed) or len(set(keys)) != len(keys):
            keys = [f"output_{index}" for index in range(len(listed))]
        try:
            with open(outputs, "wb") as stream:
                numpy.savez(stream, **dict(zip(keys, listed)))
        except OSError as error:
            raise WorkerError(f"{outputs} can't be written: {error.strerror}") from None

    def summary(self) -> str:
        """Return the text of ``model.summary()``."""
        answer, _ = self._worker.ask({"do": "summary"})
        return str(answer["summary"])

    def probe(self) -> dict[str, Any] | None:
        """Compute the recorded probe again and return how it compares, None without one."""
        probe = self._manifest.probe
        if probe.skipped is not None:
            return None
        header = {"do": "probe", "inputs": list(probe.inputs), "outputs": list(probe.outputs)}
        answer, _ = self._worker.ask(header, [given_array(kept) for kept in probe.examples])
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


def _follow(recipe: Callable[[], RemoteModel]) -> RemoteModel:
    return recipe()


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
        told = str(error).splitlines()[0]
        raise InputError(f"{path} can't be read as an npz file: {told}") from None


def _shapes(tensors: list[dict[str, Any]]) -> Any:
    shapes = [tuple(tensor["shape"]) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes


def given_array(kept: Mapping[str, Any]) -> Any:
    """Return the array that a probe keeps of an input that was given."""
    import base64

    import numpy

    raw = base64.b64decode(kept["base64"])
    return numpy.frombuffer(raw, dtype=kept["dtype"]).reshape(kept["shape"])
