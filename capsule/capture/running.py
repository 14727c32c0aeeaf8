"""A training script under the hook, unchanged; and artifacts that exist already."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capsule.artifact.files import HDF5_MAGIC, ZIP_MAGIC
from capsule.capture.hook import hooked
from capsule.capture.recording import record_file
from capsule.capture.writing import Saved, print_report
from capsule.errors import CapsuleError
from capsule.sidecar import sidecar_path, write_manifest
from capsule.verdict.rules import findings_at_save

SUFFIXES = (".h5", ".hdf5", ".keras")


@dataclass(frozen=True)
class Run:
    """What became of a script: its exit status, and each save it made."""

    status: int
    saves: tuple[Saved, ...]


def is_artifact(target: str) -> bool:
    """Tell a model file from a script: by its ending, else by its first bytes."""
    if target.endswith(SUFFIXES):
        return True
    try:
        with open(target, "rb") as stream:
            head = stream.read(8)
    except OSError:
        return False
    # Python runs zip archives as scripts: those have a __main__, and no ending of ours.
    return head == HDF5_MAGIC or (head[:4] == ZIP_MAGIC and not target.endswith((".pyz", ".zip")))


def describe_artifact(
    target: str | os.PathLike[str], python: str | os.PathLike[str] | None = None
) -> Saved:
    """Write a sidecar for an existing artifact, from the present environment.

    Raises CapsuleError where one is there that was made from live objects: it knows more.
    """
    path = Path(target)
    sidecar = sidecar_path(path)
    if sidecar.exists():
        raise CapsuleError(
            f"{sidecar} exists already; delete it first if it is to be made anew",
            code="sidecar-exists",
        )
    manifest = record_file(path, python)
    write_manifest(manifest, sidecar)
    return Saved(os.fspath(path), manifest, findings_at_save(manifest))


def run_under_hook(
    words: Sequence[str],
    *,
    module: str | None = None,
    probe: bool = True,
    source: bool = True,
    values: bool = True,
) -> Run:
    """Run a script (the first of *words*) or a *module* as Python would, under the hook.

    It sees its own ``sys.argv`` and ``sys.path``, and its exit status is returned.
    Raises CapsuleError if there is no such script.
    """
    if module is None and not os.path.exists(words[0]):
        raise CapsuleError(f"{words[0]} does not exist", code="script-missing")
    saves: list[Saved] = []

    def report(saved: Saved) -> None:
        saves.append(saved)
        if saved.manifest is not None:
            # The others are told at the end, with every save in its line.
            print_report(saved)

    argv, path = sys.argv, list(sys.path)
    try:
        with hooked(probe=probe, source=source, values=values, report=report):
            status = _run(list(words), module)
    finally:
        sys.argv, sys.path[:] = argv, path
    return Run(status, tuple(saves))


def _run(words: list[str], module: str | None) -> int:
    try:
        if module is None:
            sys.argv = words
            script = os.path.abspath(words[0])
            if os.path.isfile(script):
                # run_path leaves sys.path alone for a file; Python itself does not.
                sys.path.insert(0, os.path.dirname(script))
            runpy.run_path(words[0], run_name="__main__")
        else:
            sys.argv = [module, *words]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return _status(ended)
    except ImportError as error:
        if module is not None and error.name in (None, module) and error.__traceback__ is not None:
            raise CapsuleError(f"there is no module {module} to run: {error}") from None
        _show(error)
        return 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the script's own, shown as Python shows it
        _show(error)
        return 1
    return 0


def _status(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code
    print(ended.code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """Print a script's traceback without the frames of capsule and runpy around it."""
    inner = error.__traceback__
    while inner is not None and inner.tb_next is not None:
        name = inner.tb_frame.f_globals.get("__name__", "")
        if name not in (__name__, "runpy"):
            break
        inner = inner.tb_next
    traceback.print_exception(type(error), error, inner)
