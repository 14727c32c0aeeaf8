"""The rows for the model file, Python and the platform."""

from __future__ import annotations

from tests.unit.verdict.models import (
    NEXT_PYTHON,
    NO_SOURCE,
    OTHER_PYTHON,
    PYPY,
    REFERENCE,
    SAFE_MODE,
    SERVED,
    STORED_BY_NAME,
)
from tests.unit.verdict.situations import (
    Row,
    Saved,
    environment,
    fatal,
    function,
    note,
    sidecar,
    warning,
)

ARTIFACT = (
    Row(
        "the file is not the one that its sidecar describes",
        fatal("artifact-changed"),
        "model.h5",
        Saved(sidecar(), environment(), intact=False),
        Saved(sidecar(), environment()),
        "no no no",
    ),
)

PYTHON = (
    Row(
        "bytecode of another layout raises, of the same layout it runs",
        fatal("bytecode", "keras"),
        "<lambda>",
        Saved(sidecar(), OTHER_PYTHON),
        Saved(sidecar(), NEXT_PYTHON),
        "no yes yes",
        "unknown yes yes",
        neighbour_effects=(warning("bytecode", "keras"),),
    ),
    Row(
        "another minor version runs the bytecode, another patch release reads its own",
        warning("bytecode", "keras"),
        "<lambda>",
        Saved(sidecar(), NEXT_PYTHON),
        Saved(sidecar(), environment(python="3.11.9")),
        "unknown yes yes",
    ),
    Row(
        "PyPy's bytecode is not CPython's, whatever its magic number",
        fatal("bytecode", "keras"),
        "<lambda>",
        Saved(sidecar(python=PYPY), environment()),
        Saved(sidecar(), environment()),
        "no yes yes",
        side_effects=(note("python"),),
    ),
    Row(
        "a function by its name has no bytecode",
        fatal("bytecode", "keras"),
        "<lambda>",
        Saved(sidecar(nodes=REFERENCE), OTHER_PYTHON),
        Saved(
            sidecar(nodes=REFERENCE, functions=[function(name="relu", **STORED_BY_NAME)]),
            OTHER_PYTHON,
        ),
        "no yes yes",
        side_effects=(SAFE_MODE,),
    ),
    Row(
        "another Python can't run what has no source",
        fatal("code-only", "capsule same"),
        "the lambda",
        Saved(sidecar(nodes=NO_SOURCE), OTHER_PYTHON),
        Saved(sidecar(), OTHER_PYTHON),
        "no no no",
        "no yes yes",
        side_effects=(note("source-missing"),),
    ),
    Row(
        "its own Python runs what has no source",
        fatal("code-only", "capsule same"),
        "the lambda",
        Saved(sidecar(nodes=NO_SOURCE), NEXT_PYTHON),
        Saved(sidecar(nodes=NO_SOURCE), environment(python="3.11.9")),
        "unknown no no",
        side_effects=(warning("bytecode", "keras"),),
    ),
    Row(
        "what is taken from a library needs no source",
        fatal("code-only", "capsule same"),
        "the lambda",
        Saved(sidecar(nodes=NO_SOURCE), OTHER_PYTHON),
        Saved(sidecar(nodes=REFERENCE), OTHER_PYTHON),
        "no no no",
        "no yes yes",
        side_effects=(note("source-missing"),),
    ),
    Row(
        "a graph is no Python, and the Python that serves it is worth a note",
        note("python"),
        "python",
        Saved(sidecar(artifact=SERVED), OTHER_PYTHON),
        Saved(sidecar(artifact=SERVED), environment()),
        "no yes yes",
        "no yes yes",
    ),
    Row(
        "another patch release of Python",
        note("python"),
        "python",
        Saved(sidecar(), environment(python="3.11.9")),
        Saved(sidecar(), environment(python="3.11.7")),
        "yes yes yes",
    ),
)

PLATFORM = (
    Row(
        "a graph that another machine serves",
        warning("platform", "same"),
        "platform",
        Saved(sidecar(artifact=SERVED), environment(machine="arm64")),
        Saved(sidecar(artifact=SERVED), environment()),
        "no yes unknown",
        "no yes yes",
    ),
    Row(
        "another machine",
        warning("platform", "same"),
        "platform",
        Saved(sidecar(platform={"libc": ["glibc", "2.31"]}), environment(machine="arm64")),
        Saved(sidecar(platform={"libc": ["glibc", "2.31"]}), environment()),
        "yes yes unknown",
        neighbour_effects=(note("libc"),),
    ),
    Row(
        "another system",
        warning("platform", "same"),
        "platform",
        Saved(sidecar(platform={"system": "Darwin"}), environment()),
        Saved(sidecar(platform={"system": "Linux"}), environment()),
        "yes yes unknown",
    ),
    Row(
        "another C library",
        note("libc"),
        "libc",
        Saved(sidecar(platform={"libc": ["glibc", "2.31"]}), environment()),
        Saved(sidecar(platform={"libc": ["glibc", "2.36"]}), environment()),
        "yes yes yes",
    ),
)

ROWS = (*ARTIFACT, *PYTHON, *PLATFORM)
