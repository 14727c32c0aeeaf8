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
from types import ModuleType
from typing import Any, NamedTuple

from capsule.capture.options import SaveOptions
from capsule.capture.writing import Report, Saved, after_save, print_report, snapshot

Wrappers = dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]]


def _model(writer: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what writes a model: a sidecar is written after it."""

    def save(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        entry = _current()
        if entry is None or _thread.saving:
            return writer(model, filepath, *args, **kwargs)
        options, report = entry
        before = snapshot(filepath)
        _thread.saving = True
        try:
            result = writer(model, filepath, *args, **kwargs)
        finally:
            _thread.saving = False
        if _thread.temporary and str(filepath).startswith(_thread.temporary):
            saved = Saved(os.path.basename(filepath), skipped="it is not on this machine")
        else:
            checkpoint = _thread.in_checkpoint
            saved = after_save(model, filepath, before, options, in_checkpoint=checkpoint)
        report(saved)
        if options.strict and saved.error is not None:
            raise saved.error
        return result

    return save


def _weights(writer: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what writes weights alone: that they get no sidecar is reported."""

    def save(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        result = writer(model, filepath, *args, **kwargs)
        _report_skipped(filepath, "it holds weights alone")
        return result

    return save


def _question(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the question whether a file may be overwritten: a no is reported."""

    def ask(filepath: Any, *args: Any, **kwargs: Any) -> Any:
        proceed = function(filepath, *args, **kwargs)
        if not proceed:
            _report_skipped(filepath, "it was not overwritten")
        return proceed

    return ask


def _checkpoint(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a checkpoint's saving: training must not wait for a probe each time."""

    def save(*args: Any, **kwargs: Any) -> Any:
        outer, _thread.in_checkpoint = _thread.in_checkpoint, True
        try:
            return method(*args, **kwargs)
        finally:
            _thread.in_checkpoint = outer

    return save


def _temporary(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap how Keras makes a folder: Keras 2 writes into it what then goes to ``gs://``."""

    def make(*args: Any, **kwargs: Any) -> Any:
        folder = function(*args, **kwargs)
        _thread.temporary = os.path.join(folder, "")
        return folder

    return make


def _report_skipped(filepath: Any, why: str) -> None:
    """Report, once for each file, that it gets no sidecar."""
    entry = _current()
    if entry and not _thread.saving and str(filepath) not in _hooks.reported:
        _hooks.reported.add(str(filepath))
        entry.report(Saved(str(filepath), skipped=why))


# Where each Keras puts models to disk, by module and name, with what is to be wrapped around
# it; what must be left alone and reported is watched too.
_SAVING_LIB: Wrappers = {
    "save_model": _model,
    "save_weights_only": _weights,
    "get_temp_dir": _temporary,
}
_CALLBACKS: Wrappers = {"ModelCheckpoint._save_model": _checkpoint}
WRITERS: dict[str, Wrappers] = {
    "keras.src.saving.saving_lib": _SAVING_LIB,
    "keras.src.legacy.saving.legacy_h5_format": {"save_model_to_hdf5": _model},
    "keras.src.saving.legacy.hdf5_format": {"save_model_to_hdf5": _model},
    "keras.src.saving.legacy.save": {"save_weights": _weights},
    "keras.src.saving.legacy.saved_model.save": {"save": _model},
    "keras.src.export": {"export_saved_model": _model},
    "keras.src.export.saved_model": {"export_saved_model": _model},
    "keras.src.export.export_lib": {"export_model": _model},
    "keras.src.utils.io_utils": {"ask_to_proceed_with_overwrite": _question},
    "keras.src.callbacks": _CALLBACKS,
    "keras.src.callbacks.model_checkpoint": _CALLBACKS,
    "tf_keras.src.saving.saving_lib": _SAVING_LIB,
    "tf_keras.src.saving.legacy.hdf5_format": {"save_model_to_hdf5": _model},
    "tf_keras.src.saving.legacy.save": {"save_weights": _weights},
    "tf_keras.src.saving.legacy.saved_model.save": {"save": _model},
    "tf_keras.src.export.export_lib": {"export_model": _model},
    "tf_keras.src.utils.io_utils": {"ask_to_proceed_with_overwrite": _question},
    "tf_keras.src.callbacks": _CALLBACKS,
    "keras.saving.experimental.saving_lib": {"save_model": _model},
    "keras.saving.saving_lib": {"save_model": _model},
    "keras.saving.legacy.hdf5_format": {"save_model_to_hdf5": _model},
    "keras.saving.hdf5_format": {"save_model_to_hdf5": _model},
    "keras.saving.legacy.saved_model.save": {"save": _model},
    "keras.saving.saved_model.save": {"save": _model},
    "keras.export.export_lib": {"export_model": _model},
    "keras.callbacks": _CALLBACKS,
    "tensorflow.python.keras.saving.hdf5_format": {"save_model_to_hdf5": _model},
    "tensorflow.python.keras.saving.saved_model.save": {"save": _model},
    "tensorflow.python.keras.callbacks": _CALLBACKS,
}


class HookEntry(NamedTuple):
    """What a hook does with a save: what to record, and whom to report to."""

    options: SaveOptions
    report: Report


class _Hooks:
    """What is hooked: by ``hook()`` for the process, by ``hooked()`` for a thread's block."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.process: HookEntry | None = None
        self.blocks = 0
        self.reported: set[str] = set()

    @property
    def installed(self) -> bool:
        return self.process is not None or self.blocks > 0


class _Thread(threading.local):
    """What a thread is in the middle of, and the last temporary folder that it asked Keras for."""

    block: HookEntry | None = None
    saving = False
    in_checkpoint = False
    temporary = ""


_hooks = _Hooks()
_thread = _Thread()


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

    Calling it again only changes the options.

    Parameters
    ----------
    probe
        True to record outputs on inputs that capsule makes, False to record none, or the
        inputs to record: an array or a list of arrays in the order of the model's inputs.
    source
        Whether the sidecar holds the source text of the model's functions.
    values
        Whether the sidecar holds the plain values that those functions use.
    strict
        Whether a save raises where its capture fails. The model is on disk by then.
    allow
        Names that look like those of secrets (``API_KEY``) and hold none.
    report
        Called with a ``Saved`` after each save; by default it prints on standard error.
    """
    options = SaveOptions(probe, source, values, strict, tuple(allow))
    with _hooks.lock:
        _hooks.process = HookEntry(options, report)
        _install()


def unhook() -> None:
    """Take the hook off that ``hook()`` set: saves write no sidecar any more.

    Blocks of ``hooked()`` that are still open go on.
    """
    with _hooks.lock:
        _hooks.process = None
        _uninstall_if_unused()


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
    """Capture what this thread saves within a ``with`` block.

    Parameters
    ----------
    probe, source, values, strict, allow, report
        As for ``hook``; they are in force instead of those of an outer hook.

    Returns
    -------
    context manager
        It gives nothing to ``as``. After the block, what was hooked before is again.
    """
    outer = _thread.block
    with _hooks.lock:
        _hooks.blocks += 1
        _install()
    options = SaveOptions(probe, source, values, strict, tuple(allow))
    _thread.block = HookEntry(options, report)
    try:
        yield
    finally:
        _thread.block = outer
        with _hooks.lock:
            _hooks.blocks -= 1
            _uninstall_if_unused()


def save(  # noqa: PLR0913 - a public verb
    model: Any,
    path: str | os.PathLike[str],
    *,
    probe: Any = True,
    source: bool = True,
    values: bool = True,
    strict: bool = False,
    allow: Sequence[str] = (),
    **keras_options: Any,
) -> Saved:
    """Save *model* at *path* as ``model.save`` does, with a sidecar beside it.

    Parameters
    ----------
    model
        The Keras model.
    path
        Where to save it; its ending decides on the format, as for ``model.save``.
    probe, source, values, strict, allow
        As for ``hook``.
    **keras_options
        Passed to ``model.save``.

    Returns
    -------
    Saved
        The manifest and the findings about it, or in ``skipped`` why there is no sidecar,
        or in ``error`` why capture failed.

    Raises
    ------
    Exception
        Whatever ``model.save`` raises; with ``strict=True`` also what capture raises, after
        the model is on disk.
    """
    saves: list[Saved] = []

    def report(saved: Saved) -> None:
        saves.append(saved)
        print_report(saved)

    with hooked(
        probe=probe, source=source, values=values, strict=strict, allow=allow, report=report
    ):
        model.save(path, **keras_options)
    return saves[-1] if saves else Saved(str(path), skipped="nothing was written")


def _current() -> HookEntry | None:
    """Return what is in force for this thread, None if it is not hooked."""
    return _thread.block or _hooks.process


def _install() -> None:
    for name in WRITERS:
        if name in sys.modules:
            _wrap(sys.modules[name])
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())


def _uninstall_if_unused() -> None:
    if _hooks.installed:
        return
    for name, attributes in WRITERS.items():
        for path in attributes:
            owner, attribute = _owner(sys.modules.get(name), path)
            original = getattr(vars(owner).get(attribute), "__capsule_wraps__", None)
            if original is not None:
                setattr(owner, attribute, original)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Watcher)]


def _wrap(module: ModuleType) -> None:
    for path, wrapper in WRITERS[module.__name__].items():
        owner, attribute = _owner(module, path)
        original = vars(owner).get(attribute)
        if callable(original) and not hasattr(original, "__capsule_wraps__"):
            wrapped = functools.wraps(original)(wrapper(original))
            wrapped.__capsule_wraps__ = original  # type: ignore[attr-defined]
            setattr(owner, attribute, wrapped)


def _owner(module: ModuleType | None, path: str) -> tuple[Any, str]:
    """Return what has the last name of a dotted *path* for its attribute, and that name."""
    inside, _, attribute = path.rpartition(".")
    names = vars(module) if module is not None else {}
    return (names.get(inside, _NOTHING) if inside else module or _NOTHING), attribute


_NOTHING = ModuleType("nothing")


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
    """Let *loader*, which serves this module alone, wrap the writers once it ran."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if _hooks.installed:
            _wrap(module)

    loader.exec_module = exec_module
