"""``capsule.inspect``: reads a model file, and starts nothing of it."""

from __future__ import annotations

import os
from pathlib import Path

from capsule.artifact import Artifact, identify
from capsule.artifact.contents import Contents
from capsule.artifact.files import artifact_of
from capsule.artifact.limited_process import in_child
from capsule.inspection.model import Inspection

READER = "capsule.inspection.functions:read_here"
READER_OF_BOTH = "capsule.inspection.functions:read_both"


def inspect(
    path: str | os.PathLike[str], *, disassemble: bool = False, isolated: bool = True
) -> Inspection:
    """Return what the model file at *path* carries and needs, and what is to be feared of it.

    Nothing of it is run, imported or unmarshalled. It is read in a child process with limits
    of time and memory, unless *isolated* is False. *disassemble* adds the instructions.
    Raises ArtifactError for a file that is missing, damaged, or no model.
    """
    form, size, sha256 = identify(path)
    options = {"form": form, "size": size, "sha256": sha256, "disassemble": disassemble}
    if isolated:
        return Inspection.from_json(in_child(READER, Path(path), options))
    from capsule.inspection.functions import read_here

    return Inspection.from_json(
        read_here(Path(path), form=form, size=size, sha256=sha256, disassemble=disassemble)
    )


def inspect_with_artifact(path: str | os.PathLike[str]) -> tuple[Inspection, Artifact]:
    """Return the inspection of the file at *path*, and the artifact as it was read for it."""
    form, size, sha256 = identify(path)
    options = {"form": form, "size": size, "sha256": sha256}
    both = in_child(READER_OF_BOTH, Path(path), options)
    contents = Contents.from_json(both["contents"])
    artifact = artifact_of(Path(path), form, size, sha256, contents)
    return Inspection.from_json(both["inspection"]), artifact
