"""Files are read in a child process: what is hostile can at worst end the child.

The child has limits of time and memory and gets no standard input; it answers with one
JSON object. Its death is an error of one sentence.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from capsule import errors
from capsule.errors import ArtifactError, CapsuleError

SECONDS = 10
MEMORY = 256 * 1024 * 1024  # of data; libraries are mapped besides
ANSWER_LIMIT = 256 * 1024 * 1024

# Paths come as arguments: the child runs isolated, with no site-packages of its own.
_START = (
    "import sys; sys.path[:] = sys.argv[2].split(sys.argv[1]);"
    " from capsule.isolated import answer; answer(sys.argv[3], sys.argv[4])"
)


def in_child(job: str, path: Path, options: dict[str, Any]) -> Any:
    """Return what *job*, a function as ``module:name``, finds in the file at *path*: JSON data.

    Raises the CapsuleError that the job raised, or ArtifactError where the child died or
    took longer than SECONDS.
    """
    request = json.dumps({"path": os.fspath(path), "options": options})
    command = [sys.executable, "-I", "-S", "-c", _START, os.pathsep,
               os.pathsep.join(filter(None, sys.path)), job, request]  # fmt: skip
    # numpy would start a thread, and its memory, for every core.
    inner = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=inner
        )
    except subprocess.TimeoutExpired:
        raise ArtifactError(
            f"{path} was not read within {SECONDS} s: reading it was stopped", code="reader-stopped"
        ) from None
    if done.returncode != 0 or len(done.stdout) > ANSWER_LIMIT:
        raise ArtifactError(
            f"{path} ended the process that read it ({_death(done)}); it is damaged or hostile:"
            " don't load it",
            code="reader-died",
        )
    try:
        answered = json.loads(done.stdout)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path} could not be read: no answer", code="reader-died") from None
    if "error" in answered:
        error = answered["error"]
        kind = getattr(errors, str(error["kind"]), ArtifactError)
        kind = kind if kind in (ArtifactError, CapsuleError) else ArtifactError
        raise kind(error["message"], code=error["code"])
    return answered["result"]


def _death(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no word"]
    return "out of memory" if "MemoryError" in last[0] else last[0][:120]


def answer(job: str, request: str) -> None:
    """Do *job* in this process, which is the child, and write its answer."""
    _limit()
    asked = json.loads(request)
    path, options = Path(asked["path"]), asked["options"]
    try:
        module, _, name = job.partition(":")
        function = getattr(importlib.import_module(module), name)
        result: dict[str, Any] = {"result": function(path, **options)}
    except CapsuleError as error:
        told = {"kind": type(error).__name__, "message": error.message, "code": error.code}
        result = {"error": told}
    json.dump(result, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do but to take down the libraries


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows: the time alone is limited, from outside
        return
    for kind, wanted in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_CPU, SECONDS),
                         (resource.RLIMIT_CORE, 0)):  # fmt: skip
        hard = resource.getrlimit(kind)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, hard))
