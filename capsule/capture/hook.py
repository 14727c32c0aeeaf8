"""The save hook: wraps the innermost writers of every Keras, so that no way to save escapes it.

A writer is wrapped where its module keeps it. Names imported before the hook lead there
all the same, and a Keras imported later is wrapped as it comes.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.machinery
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any

from capsule.capture.recording import Options
from capsule.capture.writing import Report, Saved, after_save, print_report, snapshot

# Where each Keras puts models to disk; what must be left alone, and said, is watched too:
# weights alone, and the question whether a file may be overwritten.
MODEL, WEIGHTS, QUESTION = "model", "weights", "question"
WRITERS = {
    "keras.src.saving.saving_lib": {"save_model": MODEL, "save_weights_only": WEIGHTS},
    "keras.src.legacy.saving.legacy_h5_format": {"save_model_to_hdf5": MODEL},
    "keras.src.saving.legacy.hdf5_format": {"save_model_to_hdf5": MODEL},
    "keras.src.saving.legacy.save": {"save_weights": WEIGHTS},
    "keras.src.saving.legacy.saved_model.save": {"save": MODEL},
    "keras.src.export": {"export_saved_model": MODEL},
    "keras.src.export.saved_model": {"export_saved_model": MODEL},
    "keras.src.export.export_lib": {"export_model": MODEL},
    "keras.src.utils.io_utils": {"ask_to_proceed_with_overwrite": QUESTION},
    "tf_keras.src.saving.saving_lib": {"save_model": MODEL, "save_weights_only": WEIGHTS},
    "tf_keras.src.saving.legacy.hdf5_format": {"save_model_to_hdf5": MODEL},
    "tf_keras.src.saving.legacy.save": {"save_weights": WEIGHTS},
    "tf_keras.src.saving.legacy.saved_model.save": {"save": MODEL},
    "tf_keras.src.export.export_lib": {"export_model": MODEL},
    "tf_keras.src.utils.io_utils": {"ask_to_proceed_with_overwrite": QUESTION},
    "keras.saving.experimental.saving_lib": {"save_model": MODEL},
    "keras.saving.saving_lib": {"save_model": MODEL},
    "keras.saving.legacy.hdf5_format": {"save_model_to_hdf5": MODEL},
    "keras.saving.hdf5_format": {"save_model_to_hdf5": MODEL},
    "keras.saving.legacy.saved_model.save": {"save": MODEL},
    "keras.saving.saved_model.save": {"save": MODEL},
    "keras.export.export_lib": {"export_model": MODEL},
    "tensorflow.python.keras.saving.hdf5_format": {"save_model_to_hdf5": MODEL},
    "tensorflow.python.keras.saving.saved_model.save": {"save": MODEL},
}

_lock = threading.RLock()
_hooked: list[tuple[Options, Report]] = []  # by hook(): one at most, for the whole process
_blocks = threading.local()  # by hooked(): for the thread that is inside the block
_open_blocks = [0]
_inside = threading.local()
_told: set[str] = set()


def hook(
    *,
    probe: Any = True,
    source: bool = True,
    values: bool = True,
    strict: bool = False,
    allow: Sequence[str] = (),
    report: Report = print_report,
) -> None:
    """Make every save of this process write a sidecar, until ``unhook()``.

    *probe* is True, False or inputs; *source* and *values* may be left out of the
    sidecar, and *allow* names what looks like a secret and is none; *strict* raises
    where capture fails, after the model is safe on disk.
    Calling it again only changes the options. *report* is told what was saved.
    """
    with _lock:
        _hooked[:] = [(Options(probe, source, values, strict, tuple(allow)), report)]
        _install()


def unhook() -> None:
    """Take the hook off: saves are as they were."""
    with _lock:
        del _hooked[:]
        if not _open_blocks[0]:
            _uninstall()


@contextlib.contextmanager
def hooked(
    *,
    probe: Any = True,
    source: bool = True,
    values: bool = True,
    strict: bool = False,
    allow: Sequence[str] = (),
    report: Report = print_report,
) -> Iterator[None]:
    """Hook for the duration of a ``with`` block; what was before is put back after it."""
    entry = (Options(probe, source, values, strict, tuple(allow)), report)
    outer = getattr(_blocks, "entry", None)
    with _lock:
        _open_blocks[0] += 1
        _install()
    _blocks.entry = entry
    try:
        yield
    finally:
        _blocks.entry = outer
        with _lock:
            _open_blocks[0] -= 1
            if not _open_blocks[0] and not _hooked:
                _uninstall()


def _current() -> tuple[Options, Report] | None:
    """Return the options in force for this thread, None if it is not hooked."""
    entry: tuple[Options, Report] | None = getattr(_blocks, "entry", None)
    return entry or (_hooked[0] if _hooked else None)


def _install() -> None:
    for name in WRITERS:
        if name in sys.modules:
            _wrap(sys.modules[name])
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())


def _uninstall() -> None:
    for name, attributes in WRITERS.items():
        for attribute in attributes:
            wrapper = getattr(sys.modules.get(name), attribute, None)
            original = getattr(wrapper, "__capsule_wraps__", None)
            if original is not None:
                setattr(sys.modules[name], attribute, original)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Watcher)]


def _wrap(module: ModuleType) -> None:
    wrappers: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
        MODEL: _around_model,
        WEIGHTS: functools.partial(_around_other, why="it holds weights alone"),
        QUESTION: _around_question,
    }
    for attribute, kind in WRITERS[module.__name__].items():
        original = vars(module).get(attribute)
        if callable(original) and not hasattr(original, "__capsule_wraps__"):
            wrapper = functools.wraps(original)(wrappers[kind](original))
            wrapper.__capsule_wraps__ = original  # type: ignore[attr-defined]
            setattr(module, attribute, wrapper)


def _around_model(writer: Callable[..., Any]) -> Callable[..., Any]:
    def save(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        current = _current()
        if current is None or getattr(_inside, "saving", False):
            return writer(model, filepath, *args, **kwargs)
        options, report = current
        before = snapshot(filepath)
        _inside.saving = True
        try:
            result = writer(model, filepath, *args, **kwargs)
        finally:
            _inside.saving = False
        in_checkpoint, remote = _callers()
        target = remote or filepath
        saved = after_save(model, target, before, options, in_checkpoint=in_checkpoint)
        report(saved)
        if options.strict and saved.error is not None:
            raise saved.error
        return result

    return save


def _around_other(writer: Callable[..., Any], why: str) -> Callable[..., Any]:
    def save(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        result = writer(model, filepath, *args, **kwargs)
        _leave_alone(filepath, why)
        return result

    return save


def _around_question(asks: Callable[..., Any]) -> Callable[..., Any]:
    def ask(filepath: Any, *args: Any, **kwargs: Any) -> Any:
        proceed = asks(filepath, *args, **kwargs)
        if not proceed:
            _leave_alone(filepath, "it was not overwritten")
        return proceed

    return ask


def _leave_alone(filepath: Any, why: str) -> None:
    """Tell, once for each file, that it gets no sidecar."""
    current = _current()
    if current and not getattr(_inside, "saving", False) and str(filepath) not in _told:
        _told.add(str(filepath))
        current[1](Saved(str(filepath), skipped=why))


def _callers() -> tuple[bool, str | None]:
    """Tell whether a ModelCheckpoint is saving, and the remote path Keras 2 is saving for.

    Keras 2 writes a ``gs://`` model into a temporary file first, and only its own frame
    knows for whom.
    """
    in_checkpoint, remote = False, None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name in ("save_model", "_save_model"):
            owner = frame.f_locals.get("self")
            if any(kind.__name__ == "ModelCheckpoint" for kind in type(owner).__mro__):
                in_checkpoint = True
            remote = frame.f_locals.get("gs_filepath") or remote
        frame = frame.f_back
    return in_checkpoint, remote


class _Watcher(importlib.abc.MetaPathFinder):
    """Wraps the writers of a Keras that is imported after the hook was set."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in WRITERS:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                _wrap_after(spec.loader)
                return spec
        return None


def _wrap_after(loader: Any) -> None:
    """Let *loader*, which serves this one module, wrap the writer once it ran."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if _hooked or _open_blocks[0]:
            _wrap(module)

    loader.exec_module = exec_module


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    probe: Any = True,
    source: bool = True,
    values: bool = True,
    strict: bool = False,
    allow: Sequence[str] = (),
    **what_keras_takes: Any,
) -> Saved:
    """Save *model* at *path* as ``model.save`` does, with a sidecar beside it.

    *probe* may be the inputs to record, or False. Returns what was saved, with the
    manifest; with ``strict=True`` a failed capture raises, after the model is on disk.
    """
    kept: list[Saved] = []

    def report(saved: Saved) -> None:
        kept.append(saved)
        print_report(saved)

    with hooked(
        probe=probe, source=source, values=values, strict=strict, allow=allow, report=report
    ):
        model.save(path, **what_keras_takes)
    return kept[-1] if kept else Saved(str(path), skipped="nothing was written")
