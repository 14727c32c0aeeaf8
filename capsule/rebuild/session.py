"""A worker process in a rebuilt environment: started, asked, and ended for certain."""

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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from capsule.errors import RestoreFailedError
from capsule.guest import wire
from capsule.guest.shared import Shared
from capsule.manifest import Manifest
from capsule.rebuild.cache_folder import cache_folder, discard
from capsule.rebuild.errors import WorkerError

_BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); from capsule_guest.worker import main; main()"
)
# All that a worker sees of this process' environment; the manifest's own come on top.
_PASSED = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "NUMBER_OF_PROCESSORS",
)
_LAST_WORDS = 20
_ROOM = 512 << 20  # bytes that must be free before Python may keep bytecode
_SHARED = Path("/dev/shm")  # memory that two processes see, where there is such a place


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
    if manifest.keras is not None and manifest.keras.backend is not None:
        settings["backend"] = manifest.keras.backend
    (keras_home / "keras.json").write_text(json.dumps(settings), encoding="utf-8")
    return {
        **{name: os.environ[name] for name in _PASSED if name in os.environ},
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **(manifest.environment_variables or {}),
        "KERAS_HOME": str(keras_home),
    }


def little_room(folder: Path) -> bool:
    """Tell whether the disk of *folder* is nearly full.

    Python then writes bytecode that is cut off, and fails on it ever after.
    """
    try:
        return shutil.disk_usage(folder).free < _ROOM
    except OSError:
        return True


def guest_folder() -> Path:
    """Return a folder that holds the guest as the package ``capsule_guest``, and nothing else."""
    from capsule import guest

    sources = sorted(Path(guest.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:20]
    folder = cache_folder("guest") / digest
    package = folder / "capsule_guest"
    if _same_files(sources, package):
        return folder
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
    """One process of the model's own Python that answers requests, one at a time.

    *timeout* limits each answer in seconds: a process that takes longer is ended.
    """

    def __init__(self, interpreter: Path, manifest: Manifest, timeout: float | None = None) -> None:
        self._timeout = timeout
        self._late = False
        folder = _shared_folder()
        self._shared = None if folder is None else Shared(folder, copies=True)
        self._home = tempfile.TemporaryDirectory(prefix="capsule-keras-")
        self._lock = threading.Lock()
        self._broken = False
        self._words: collections.deque[str] = collections.deque(maxlen=_LAST_WORDS)
        options = ["-I", *(["-B"] if little_room(interpreter.parent) else [])]
        variables = worker_environment(manifest, Path(self._home.name))
        variables["CAPSULE_HOST"] = str(os.getpid())
        if folder is not None:
            variables["CAPSULE_SHARED"] = folder
        try:
            self._process = subprocess.Popen(
                [str(interpreter), *options, "-c", _BOOTSTRAP, str(guest_folder())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=variables,
            )
        except BaseException as error:
            self._clean()
            if isinstance(error, OSError):
                raise WorkerError(
                    f"{interpreter} can't be started ({error.strerror}): delete its environment,"
                    " and replay builds it anew"
                ) from None
            raise
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
        """Send one request, whose ``do`` says what to do; return the answer's header and arrays.

        Raises WorkerError if the worker died, RestoreFailedError or WorkerError with the
        model's own message if it raised.
        """
        with self._lock:
            if self._broken:
                raise WorkerError("the worker was stopped in the midst of an answer: replay again")
            try:
                with self._limited():
                    self._send(header, arrays)
                    frame = wire.read_frame(self._answers, self._shared)
            except (OSError, ValueError, wire.WireError):
                frame = None
            except WorkerError:
                raise  # nothing was sent: the worker knows of nothing
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
            cause = f"{error.get('type')}: {first[:500]}"
            if header.get("do") == "load":
                raise RestoreFailedError(f"the model could not be loaded there: {cause}")
            raise WorkerError(f"the model raised: {cause}")
        return answer, outputs

    def _send(self, header: Mapping[str, Any], arrays: Sequence[Any]) -> None:
        try:
            wire.write_frame(self._requests, header, arrays, self._shared)
        # Raised before a byte is sent: of arrays, and of options that JSON can't hold.
        except (wire.WireError, TypeError) as error:
            raise WorkerError(f"the model can't be given this: {error}") from None

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """End the process if what is done meanwhile takes longer than it may."""
        if self._timeout is None:
            yield
            return
        timer = threading.Timer(self._timeout, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self._late = True
        self._process.kill()

    def _obituary(self) -> str:
        if self._late:
            return f"the worker gave no answer within {self._timeout:g} s and was ended"
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
        self._clean()

    def _clean(self) -> None:
        self._home.cleanup()
        if self._shared is not None:
            shutil.rmtree(self._shared.folder, ignore_errors=True)


def _shared_folder() -> str | None:
    try:
        return tempfile.mkdtemp(prefix="capsule-", dir=_SHARED)
    except OSError:
        return None
