"""After a save: was a file written, and if so its sidecar, without ever harming the save."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capsule.artifact.saved_model import GRAPH
from capsule.capture.options import SaveOptions
from capsule.capture.recording import record_model
from capsule.errors import CapsuleError, escaped
from capsule.manifest import Manifest
from capsule.manifest.files import sidecar_path, write_manifest
from capsule.verdict.finding import Finding
from capsule.verdict.judge import findings_at_save

Snapshot = tuple[int, int, int]


@dataclass(frozen=True)
class Saved:
    """What became of one save: the manifest and its findings, or why there is no sidecar."""

    artifact: str
    manifest: Manifest | None = None
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None
    error: Exception | None = None


Report = Callable[[Saved], None]


def snapshot(path: Any) -> Snapshot | None:
    """Return what tells whether the file at *path* was written, None where there is none."""
    try:
        # A folder's own time tells nothing of the files in it.
        stat = os.stat(os.path.join(path, GRAPH) if os.path.isdir(path) else path)
    except (OSError, TypeError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def after_save(
    model: Any, filepath: Any, before: Snapshot | None, options: SaveOptions, *, in_checkpoint: bool
) -> Saved:
    """Write the sidecar of what was just saved. Never raises: the error is in the result."""
    if not isinstance(filepath, (str, os.PathLike)):
        return Saved(f"a {type(filepath).__name__}", skipped="it is not a path")
    path = os.fspath(filepath)
    if "://" in path:
        return Saved(path, skipped="it is not on this machine")
    after = snapshot(path)
    if after is None or after == before:
        return Saved(path, skipped="nothing was written")
    try:
        manifest = record_model(model, path, options, in_checkpoint=in_checkpoint)
        write_manifest(manifest, sidecar_path(path))
        findings = findings_at_save(manifest)
    except Exception as error:  # noqa: BLE001 - the model is safe on disk: nothing may undo that
        return Saved(path, error=error)
    return Saved(path, manifest, findings)


def print_report(saved: Saved) -> None:
    """Print on standard error what a person must know of a save: a line each, no more."""
    lines = []
    if saved.skipped is not None:
        lines.append(f"capsule: no sidecar for {saved.artifact}: {saved.skipped}")
    if saved.error is not None:
        error = saved.error
        reason = error.message if isinstance(error, CapsuleError) else repr(error)
        lines.append(f"capsule: {saved.artifact} is saved, but not captured: {reason}")
    if saved.manifest is not None:
        for problem in saved.manifest.problems:
            lines.append(f"capsule: {Path(saved.artifact).name}: {problem}")
    for finding in saved.findings:
        lines.append(f"capsule: {Path(saved.artifact).name}: {finding.sentence}")
    for line in lines:
        print(escaped(line), file=sys.stderr)
