"""Files are read in a child process: what is hostile can at worst end the child.

The child has limits of time and memory and gets no standard input; it answers with one
JSON object. Its death is an error of one sentence. It is a double of this process where
that is safe, else a Python of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from capsule import errors
from capsule.errors import ArtifactError, CapsuleError

Reader = Callable[..., Any]

SECONDS = 10
MEMORY = 256 * 1024 * 1024  # of data; libraries are mapped besides
ANSWER_LIMIT = 256 * 1024 * 1024

# numpy would start a thread, and its memory, for every core.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

# Paths come as arguments: the child runs isolated, with no site-packages of its own.
_START = (
    "import sys; sys.path[:] = sys.argv[2].split(sys.argv[1]);"
    " from capsule.artifact.limited_process import answer_request; answer_request(sys.argv[3])"
)


class Ending(NamedTuple):
    """What a child wrote before it ended, and how it died; None if it ended well."""

    answer: bytes
    death: str | None


def run_limited(reader: Reader, path: Path, options: Mapping[str, Any]) -> Any:
    """Call ``reader(path, **options)`` in a child process with limits of time and memory.

    Parameters
    ----------
    reader
        A function of a module of capsule's that returns JSON data.
    path
        The file to read.
    options
        Its keyword arguments, JSON data.

    Returns
    -------
    Any
        What the function returned.

    Raises
    ------
    CapsuleError
        As the function raised it.
    ArtifactError
        The child died, or took longer than SECONDS.
    """
    ending = _fork(reader, path, options) if _may_fork() else _start(reader, path, options)
    if ending is None:
        raise ArtifactError(
            f"{path} was not read within {SECONDS} s: reading it was stopped", code="reader-stopped"
        )
    if ending.death is not None or len(ending.answer) > ANSWER_LIMIT:
        raise ArtifactError(
            f"{path} ended the process that read it"
            f" ({ending.death or 'its answer was too long'});"
            " it is damaged or hostile: don't load it",
            code="reader-died",
        )
    try:
        data = json.loads(ending.answer)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path} could not be read: no answer", code="reader-died") from None
    if "error" in data:
        error = data["error"]
        kind = getattr(errors, str(error["kind"]), ArtifactError)
        kind = kind if kind in (ArtifactError, CapsuleError) else ArtifactError
        raise kind(error["message"], code=error["code"])
    return data["result"]


def _may_fork() -> bool:
    """Tell whether this process can simply be doubled: on Linux, with no other thread in it.

    It saves the start of another Python, which takes longer than most files.
    """
    try:
        return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def _fork(reader: Reader, path: Path, options: Mapping[str, Any]) -> Ending | None:
    """Read in a double of this process; None if it is late."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            _answer_from_double(write, reader, path, options)
        finally:
            os._exit(1)
    os.close(write)
    status: int | None = None
    try:
        answer = _read_answer(read)
        if answer is None:
            return None
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(read)
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    death = None if status == 0 else f"signal {-status}" if status < 0 else f"status {status}"
    return Ending(answer, death)


def _answer_from_double(write: int, reader: Reader, path: Path, options: Mapping[str, Any]) -> None:
    """Write the reader's answer from the child, and end it."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.environ.update(_ONE_THREAD)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with open(write, "wb") as answers:
        answers.write(_answer(reader, path, options))
    os._exit(0)


def _read_answer(read: int) -> bytes | None:
    """Return what comes out of a pipe before its end, at most a little over the limit."""
    chunks, size, end = [], 0, time.monotonic() + SECONDS
    while size <= ANSWER_LIMIT:
        ready, _, _ = select.select([read], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(read, 1 << 20)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _start(reader: Reader, path: Path, options: Mapping[str, Any]) -> Ending | None:
    """Read in a Python of its own; None if it is late."""
    request = json.dumps(
        {
            "module": reader.__module__,
            "reader": reader.__name__,
            "path": os.fspath(path),
            "options": dict(options),
        }
    )
    folders = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-I", "-S", "-c", _START, os.pathsep, folders, request]
    try:
        process = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            env={**os.environ, **_ONE_THREAD},
        )
    except subprocess.TimeoutExpired:
        return None
    if process.returncode == 0:
        return Ending(process.stdout, None)
    if process.returncode < 0:
        return Ending(b"", f"signal {-process.returncode}")
    last = process.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no word"]
    return Ending(b"", last[0][:120])


def answer_request(text: str) -> None:
    """Read what *text* asks for in this process, which is the child; write the answer, and end."""
    request = json.loads(text)
    reader = getattr(importlib.import_module(request["module"]), request["reader"])
    sys.stdout.buffer.write(_answer(reader, Path(request["path"]), request["options"]))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do but to take down the libraries


def _answer(reader: Reader, path: Path, options: Mapping[str, Any]) -> bytes:
    """Return the reader's answer as JSON; this process is limited from here on."""
    _limit()
    try:
        return json.dumps({"result": reader(path, **options)}).encode("utf-8")
    except CapsuleError as error:
        failure = {"kind": type(error).__name__, "message": error.message, "code": error.code}
    except MemoryError:
        failure = _failure(
            f"{path} ended the process that read it (out of memory); it is damaged or hostile:"
            " don't load it"
        )
    except Exception as error:  # noqa: BLE001 - what was not foreseen ends the child, not capsule
        failure = _failure(
            f"{path} could not be read ({type(error).__name__}: {str(error)[:120]}); it may be"
            " damaged or hostile: don't load it"
        )
    return json.dumps({"error": failure}).encode("utf-8")


def _failure(message: str) -> dict[str, str]:
    return {"kind": "ArtifactError", "message": message, "code": "reader-died"}


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows: the time alone is limited, from outside
        return
    for kind, wanted in (
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, hard))
