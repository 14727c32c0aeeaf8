"""A training script under the hook, unchanged; and artifacts that exist already."""

from __future__ import annotations

import builtins
import importlib.util
import os
import runpy
import sys
import types
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capsule.artifact import identify
from capsule.artifact.files import HDF5_MAGIC, ZIP_MAGIC
from capsule.artifact.saved_model import GRAPH
from capsule.capture.options import SaveOptions
from capsule.capture.save_hook import hooked
from capsule.capture.writing import Saved, print_report
from capsule.description.infer import infer_manifest
from capsule.description.present import describe_present
from capsule.errors import CapsuleError
from capsule.inspection.inspecting import read_artifact
from capsule.manifest.files import sidecar_path, write_manifest
from capsule.verdict.judge import findings_at_save

SUFFIXES = (".h5", ".hdf5", ".keras", ".json")


@dataclass(frozen=True)
class Run:
    """What became of a script: its exit status, and each save it made."""

    status: int
    saves: tuple[Saved, ...]


def is_artifact(target: str) -> bool:
    """Tell a model file from a script: by its ending, else by its first bytes."""
    if target.endswith(SUFFIXES) or os.path.isfile(os.path.join(target, GRAPH)):
        return True
    try:
        with open(target, "rb") as stream:
            head = stream.read(8)
    except OSError:
        return False
    # Python runs zip archives as scripts: those have a __main__, and no ending of ours.
    return head == HDF5_MAGIC or (head[:4] == ZIP_MAGIC and not target.endswith((".pyz", ".zip")))


def describe_artifact(
    target: str | os.PathLike[str],
    python: str | os.PathLike[str] | None = None,
    *,
    inferred: bool = False,
) -> Saved:
    """Write a sidecar for an existing artifact, from the present environment.

    *inferred*: from what the file tells of the environment that saved it.
    Raises CapsuleError where one is there already: it may have been made from live objects.
    """
    path = Path(target)
    sidecar = sidecar_path(path)
    if sidecar.exists():
        raise CapsuleError(
            f"{sidecar} exists already; delete it first if it is to be made anew",
            code="sidecar-exists",
        )
    if inferred:
        manifest = infer_manifest(*read_artifact(path, identify(path)))
        write_manifest(manifest, sidecar)
        return Saved(os.fspath(path), manifest, ())
    manifest = describe_present(path, python)
    write_manifest(manifest, sidecar)
    return Saved(os.fspath(path), manifest, findings_at_save(manifest))


def run_under_hook(words: Sequence[str], options: SaveOptions, *, module: str | None = None) -> Run:
    """Run a script (the first of *words*) or a *module* as Python would, under the hook.

    It sees its own ``sys.argv``, ``sys.path`` and ``__main__``, and keeps them; its exit
    status is returned.
    Raises CapsuleError if there is no such script.
    """
    if module is not None:
        sys.path.insert(0, os.getcwd())
        if _missing(module):
            raise CapsuleError(f"there is no module {module} to run", code="script-missing")
    elif not os.path.exists(words[0]):
        raise CapsuleError(f"{words[0]} does not exist", code="script-missing")
    elif os.path.isdir(words[0]) and not os.path.exists(os.path.join(words[0], "__main__.py")):
        raise CapsuleError(f"{words[0]} is a folder: neither a script nor a model file")
    saves: list[Saved] = []

    def report(saved: Saved) -> None:
        saves.append(saved)
        if saved.manifest is not None:
            # What got no sidecar is printed at the end, with every save in its line.
            print_report(saved)

    with hooked(**vars(options), report=report):
        status = _run(list(words), module)
    return Run(status, tuple(saves))


def _missing(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        return True


def _run(words: list[str], module: str | None) -> int:
    # What the script leaves behind (its __main__, argv, path) stays: threads and exit
    # functions of its own still need them.
    try:
        if module is not None:
            sys.argv = [module, *words]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        elif os.path.isfile(words[0]) and not zipfile.is_zipfile(words[0]):
            sys.argv = words
            _run_file(os.path.abspath(words[0]))
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        return _status(ended)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the script's own, shown as Python shows it
        _show(error)
        return 1
    return 0


def _run_file(script: str) -> None:
    """Run *script* as the module ``__main__``, as Python does."""
    sys.path.insert(0, os.path.dirname(script))
    main = types.ModuleType("__main__")
    main.__file__ = script
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    with open(script, "rb") as stream:
        code = compile(stream.read(), script, "exec", dont_inherit=True)
    exec(code, main.__dict__)


def _status(ended: SystemExit) -> int:
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return ended.code
    print(ended.code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """Show an error as Python would, without the frames of capsule and runpy around it."""
    inner = error.__traceback__
    while inner is not None and inner.tb_next is not None:
        name = inner.tb_frame.f_globals.get("__name__", "")
        if name not in (__name__, "runpy"):
            break
        inner = inner.tb_next
    if inner is not None and inner.tb_frame.f_globals.get("__name__") == __name__:
        inner = None  # a syntax error: nothing of the script ran
    sys.excepthook(type(error), error.with_traceback(inner), inner)
