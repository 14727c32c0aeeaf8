"""``capsule.inspect``: reads a model file, and starts nothing of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from capsule.artifact import Artifact, Identity, identify
from capsule.artifact.contents import Contents
from capsule.artifact.files import artifact_of
from capsule.artifact.limited_process import run_limited
from capsule.inspection.model import Inspection


class Reading(NamedTuple):
    """An inspection, and the artifact as it was read for it."""

    inspection: Inspection
    artifact: Artifact


def inspect(
    path: str | os.PathLike[str], *, disassemble: bool = False, isolated: bool = True
) -> Inspection:
    """Return what the model file at *path* holds and needs, and what risks it carries.

    Nothing of it is run, imported or unmarshalled.

    Parameters
    ----------
    path
        The model file or SavedModel folder.
    disassemble
        Add the instructions of each function.
    isolated
        Read in a child process with limits of time and memory.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, or no model.
    """
    identity = identify(path)
    reading = read_artifact(Path(path), identity, disassemble=disassemble, isolated=isolated)
    return reading.inspection


def read_artifact(
    path: Path, identity: Identity, *, disassemble: bool = False, isolated: bool = True
) -> Reading:
    """Return the inspection of the file at *path*, and the artifact as it was read for it."""
    # Imported when needed: a verdict on a recorded model reads no bytecode.
    from capsule.inspection.functions import read_here

    options: dict[str, Any] = {"identity": tuple(identity), "disassemble": disassemble}
    data = run_limited(read_here, path, options) if isolated else read_here(path, **options)
    contents = Contents.from_json(data["contents"])
    return Reading(Inspection.from_json(data["inspection"]), artifact_of(path, identity, contents))
