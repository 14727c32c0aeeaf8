"""``capsule lock``, ``bundle`` and ``export``: what goes elsewhere together with a model."""

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from capsule.cli.ending import ending
from capsule.errors import escaped

Artifact = Annotated[Path, typer.Argument(help="The model file.")]
Sidecar = Annotated[
    Optional[Path], typer.Option("--manifest", help="A sidecar that is not beside its artifact.")
]
Interpreter = Annotated[Optional[Path], typer.Option("--python", help="The Python to lock for.")]
Unsafe = Annotated[
    bool, typer.Option("--unsafe", help="Of a bare file: allow builds while it is resolved.")
]
IndexUrl = Annotated[Optional[str], typer.Option("--index-url", help="An index of your own.")]
FindLinks = Annotated[
    Optional[list[str]], typer.Option("--find-links", help="A folder or page of wheels.")
]


@ending
def lock(
    artifact: Artifact,
    python: Interpreter = None,
    manifest: Sidecar = None,
    unsafe: Unsafe = False,
    index_url: IndexUrl = None,
    find_links: FindLinks = None,
) -> None:
    """Write pylock.<model>.toml beside a model: every distribution with its hashes (PEP 751).

    Replay refuses what has another hash from then on.
    """
    from capsule.rebuild.resolve import lock as lock_artifact
    from capsule.rebuild.sources import Sources

    sources = Sources(index_url, tuple(find_links or ()))
    place, ready = lock_artifact(
        artifact, manifest=manifest, python=python, safe_mode=not unsafe, sources=sources
    )
    many = len(ready.pins.requirements)
    print(escaped(f"{place}   {many} distributions for Python {ready.python.version}, hashed"))


@ending
def bundle(
    artifact: Artifact,
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Where to write the archive.")
    ] = None,
    python: Interpreter = None,
    manifest: Sidecar = None,
    unsafe: Unsafe = False,
    index_url: IndexUrl = None,
    find_links: FindLinks = None,
) -> None:
    """Collect a model, its sidecar, its lock and all wheels into one archive.

    capsule replay takes the archive, on a machine without any network too.
    """
    from capsule.rebuild.bundling import write_bundle
    from capsule.rebuild.sources import Sources
    from capsule.report.environments import size_text
    from capsule.report.progress import progress_to

    sources = Sources(index_url, tuple(find_links or ()))
    with progress_to(sys.stderr) as progress:
        made = write_bundle(
            artifact,
            output,
            manifest=manifest,
            python=python,
            safe_mode=not unsafe,
            sources=sources,
            progress=progress,
        )
    told = f"{made.wheels} wheels for Python {made.python}, {size_text(made.path.stat().st_size)}"
    print(escaped(f"{made.path}   {told}"))


@ending
def export(
    artifact: Artifact,
    form: Annotated[
        str, typer.Option("--to", help="requirements, pylock, dockerfile, conda or cyclonedx.")
    ],
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", help="Where to write it, if not here."),
    ] = None,
    python: Interpreter = None,
    manifest: Sidecar = None,
    unsafe: Unsafe = False,
) -> None:
    """Say a model's environment in another tool's words."""
    from capsule.rebuild.exporting import exported

    text = exported(artifact, form, manifest=manifest, python=python, safe_mode=not unsafe)
    if output is None:
        print(text, end="")
        return
    from capsule.rebuild.exporting import write

    write(text, output)
    print(escaped(str(output)))
