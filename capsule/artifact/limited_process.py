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
from pathlib import Path
from typing import Any

from capsule import errors
from capsule.errors import ArtifactError, CapsuleError

SECONDS = 10
MEMORY = 256 * 1024 * 1024  # of data; libraries are mapped besides
ANSWER_LIMIT = 256 * 1024 * 1024

# numpy would start a thread, and its memory, for every core.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

# Paths come as arguments: the child runs isolated, with no site-packages of its own.
_START = (
    "import sys; sys.path[:] = sys.argv[2].split(sys.argv[1]);"
    " from capsule.artifact.limited_process import answer; answer(sys.argv[3], sys.argv[4])"
)


def in_child(job: str, path: Path, options: dict[str, Any]) -> Any:
    """Return what *job*, a function as ``module:name``, finds in the file at *path*: JSON data.

    Raises the CapsuleError that the job raised, or ArtifactError where the child died or
    took longer than SECONDS.
    """
    ran = _forked(job, path, options) if _may_fork() else _started(job, path, options)
    if ran is None:
        raise ArtifactError(
            f"{path} was not read within {SECONDS} s: reading it was stopped", code="reader-stopped"
        )
    raw, death = ran
    if death is not None or len(raw) > ANSWER_LIMIT:
        raise ArtifactError(
            f"{path} ended the process that read it ({death or 'it answered without end'});"
            " it is damaged or hostile: don't load it",
            code="reader-died",
        )
    try:
        answered = json.loads(raw)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path} could not be read: no answer", code="reader-died") from None
    if "error" in answered:
        error = answered["error"]
        kind = getattr(errors, str(error["kind"]), ArtifactError)
        kind = kind if kind in (ArtifactError, CapsuleError) else ArtifactError
        raise kind(error["message"], code=error["code"])
    return answered["result"]


def _may_fork() -> bool:
    """Tell whether this process can simply be doubled: on Linux, with no other thread in it.

    It saves the start of another Python, which takes longer than most files.
    """
    try:
        return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def _forked(job: str, path: Path, options: dict[str, Any]) -> tuple[bytes, str | None] | None:
    """Do *job* in a double of this process; return its answer and how it died, None if late."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            os.environ.update(_ONE_THREAD)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            with open(write, "wb") as answers:
                answers.write(_answered(job, path, options))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write)
    died: int | None = None
    try:
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
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(read)
        if died is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    how = None if died == 0 else f"signal {-died}" if died < 0 else f"status {died}"
    return b"".join(chunks), how


def _started(job: str, path: Path, options: dict[str, Any]) -> tuple[bytes, str | None] | None:
    """Do *job* in a Python of its own; return its answer and how it died, None if late."""
    request = json.dumps({"path": os.fspath(path), "options": options})
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        _START,
        os.pathsep,
        os.pathsep.join(filter(None, sys.path)),
        job,
        request,
    ]
    inner = {**os.environ, **_ONE_THREAD}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=inner
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == 0:
        return done.stdout, None
    if done.returncode < 0:
        return b"", f"signal {-done.returncode}"
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no word"]
    return b"", last[0][:120]


def answer(job: str, request: str) -> None:
    """Do *job* in this process, which is the child, and write its answer."""
    asked = json.loads(request)
    sys.stdout.buffer.write(_answered(job, Path(asked["path"]), asked["options"]))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do but to take down the libraries


def _answered(job: str, path: Path, options: dict[str, Any]) -> bytes:
    """Return the answer to *job* as JSON; this process is limited from here on."""
    _limit()
    try:
        module, _, name = job.partition(":")
        function = getattr(importlib.import_module(module), name)
        result: dict[str, Any] = {"result": function(path, **options)}
    except CapsuleError as error:
        told = {"kind": type(error).__name__, "message": error.message, "code": error.code}
        result = {"error": told}
    except MemoryError:
        told = {
            "kind": "ArtifactError",
            "code": "reader-died",
            "message": f"{path} ended the process that read it (out of memory); it is damaged"
            " or hostile: don't load it",
        }
        result = {"error": told}
    except Exception as error:  # noqa: BLE001 - what was not foreseen ends the child, not capsule
        told = {
            "kind": "ArtifactError",
            "code": "reader-died",
            "message": f"{path} could not be read ({type(error).__name__}:"
            f" {str(error)[:120]}); it may be damaged or hostile: don't load it",
        }
        result = {"error": told}
    return json.dumps(result).encode("utf-8")


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
