"""A worker process in a rebuilt environment, and the model in it as if it were local."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from capsule.errors import InputError, RestoreFailedError, WorkerError
from capsule.guest import wire
from capsule.manifest import Manifest
from capsule.plan import Plan
from capsule.rebuild.cache import cache_folder, discard

_BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); from capsule_guest.worker import main; main()"
)
# All that a worker sees of this process' environment; the manifest's own come on top.
_PASSED = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP",
           "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NUMBER_OF_PROCESSORS")  # fmt: skip
_LAST_WORDS = 20


def worker_environment(manifest: Manifest, keras_home: Path) -> dict[str, str]:
    """Return the environment variables for a process in the model's environment.

    ``KERAS_HOME`` is its own: a stray keras.json changes floatx even under ``-I``.
    """
    settings: dict[str, Any] = {}
    if manifest.settings is not None:
        settings = {
            "floatx": manifest.settings.floatx,
            "epsilon": manifest.settings.epsilon,
            "image_data_format": manifest.settings.image_data_format,
        }
    if manifest.keras is not None:
        settings["backend"] = manifest.keras.backend
    (keras_home / "keras.json").write_text(json.dumps(settings), encoding="utf-8")
    return {
        **{name: os.environ[name] for name in _PASSED if name in os.environ},
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **manifest.environment_variables,
        "KERAS_HOME": str(keras_home),
    }


def guest_folder() -> Path:
    """Return a folder that holds the guest as the package ``capsule_guest``, and nothing else."""
    from capsule import guest

    sources = sorted(Path(guest.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:20]
    folder = cache_folder() / "guest" / digest
    package = folder / "capsule_guest"
    if _same_files(sources, package):
        return folder
    folder.parent.mkdir(exist_ok=True, mode=0o700)
    discard(folder)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    (temporary / package.name).mkdir()
    for source in sources:
        shutil.copyfile(source, temporary / package.name / source.name)
    try:
        temporary.rename(folder)
    except OSError:  # another process was faster, with the same files
        discard(temporary)
    return folder


def _same_files(sources: Sequence[Path], package: Path) -> bool:
    """Tell whether *package* holds just what *sources* say: a folder alone proves nothing."""
    try:
        return all((package / s.name).read_bytes() == s.read_bytes() for s in sources)
    except OSError:
        return False


class Worker:
    """One process of the model's own Python that answers requests, one at a time."""

    def __init__(self, interpreter: Path, manifest: Manifest) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="capsule-keras-")
        self._lock = threading.Lock()
        self._broken = False
        self._words: collections.deque[str] = collections.deque(maxlen=_LAST_WORDS)
        self._process = subprocess.Popen(
            [str(interpreter), "-I", "-c", _BOOTSTRAP, str(guest_folder())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=worker_environment(manifest, Path(self._home.name)),
        )  # fmt: skip
        # Pipes were asked for, so they are there: typing alone doesn't know.
        self._requests: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        self._answers: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        stream: IO[bytes] | None = self._process.stderr
        for line in stream or ():
            self._words.append(line.decode("utf-8", "replace").rstrip())

    def ask(self, header: Mapping[str, Any], arrays: Sequence[Any] = ()) -> tuple[Any, list[Any]]:
        """Send one request and return the answer's header and arrays.

        Raises WorkerError if the worker died, RestoreFailedError or WorkerError with the
        model's own message if it raised.
        """
        for array in arrays:
            if array.dtype.kind not in wire.KINDS:
                raise WorkerError(f"no array of dtype {array.dtype} can be sent to the model")
        with self._lock:
            if self._broken:
                raise WorkerError("the worker was stopped in the midst of an answer: replay again")
            try:
                wire.write_frame(self._requests, header, arrays)
                frame = wire.read_frame(self._answers)
            except (OSError, ValueError, wire.WireError):
                frame = None
            except BaseException:
                # Ctrl-C: its answer would be taken for the next one's.
                self._broken = True
                self._process.kill()
                raise
        if frame is None:
            self._broken = True
            raise WorkerError(self._obituary())
        answer, outputs = frame
        error = answer.get("error") if isinstance(answer, dict) else None
        if error is not None:
            first = (str(error.get("message")).strip().splitlines() or [""])[0]
            told = f"{error.get('type')}: {first[:500]}"
            if header.get("do") == "load":
                raise RestoreFailedError(f"the model could not be loaded there: {told}")
            raise WorkerError(f"the model raised: {told}")
        return answer, outputs

    def _obituary(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._listener.join(1)
        code = self._process.returncode
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"ended with status {code}"
        last = " / ".join(list(self._words)[-3:])
        return f"the worker {how}" + (f"; its last words: {last}" if last else "")

    def close(self) -> None:
        """End the process, by force if it does not end by itself, and clean up."""
        with contextlib.suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._home.cleanup()


class RemoteModel:
    """A model that lives in its own environment: arrays in, arrays out.

    A context manager; ``close()`` ends its process.
    """

    def __init__(self, interpreter: Path, manifest: Manifest, plan: Plan, path: Path) -> None:
        self._manifest = manifest
        self._worker = Worker(interpreter, manifest)
        try:
            answer, _ = self._worker.ask(
                {"do": "load", "plan": plan.to_json(), "path": str(path.resolve())}
            )
        except BaseException:
            self._worker.close()
            raise
        self._model = answer["model"]

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
        """Return ``model.predict(x, **options)``: an array, or a list for several outputs.

        *x* is an array, a list in the order of the inputs, or a dict by their names.
        """
        _, outputs = self._worker.ask({"do": "predict", "options": options}, self._arrays(x))
        return outputs[0] if len(outputs) == 1 else outputs

    def __call__(self, x: Any) -> Any:
        """Return ``model(x, training=False)`` as arrays."""
        _, outputs = self._worker.ask({"do": "call"}, self._arrays(x))
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
        listed = made if isinstance(made, list) else [made]
        keys = self.output_names
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
        answer, _ = self._worker.ask(header, [given_array(kept) for kept in probe.given])
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
        told = str(error).splitlines()[0]
        raise InputError(f"{path} can't be read as an npz file: {told}") from None


def _shapes(tensors: list[dict[str, Any]]) -> Any:
    shapes = [tuple(tensor["shape"]) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes


def given_array(kept: Mapping[str, Any]) -> Any:
    import base64

    import numpy

    raw = base64.b64decode(kept["base64"])
    return numpy.frombuffer(raw, dtype=kept["dtype"]).reshape(kept["shape"])
