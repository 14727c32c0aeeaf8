"""``capsule bundle``: a model with all that its environment is made of, in one archive."""

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from capsule.cli.ending import ending
from capsule.cli.options import FindLinks, IndexUrl, Interpreter, Model, Sidecar, Unsafe
from capsule.errors import escaped


@ending
def bundle(
    artifact: Model,
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Where to write the archive.")
    ] = None,
    python: Interpreter = None,
    sidecar: Sidecar = None,
    unsafe: Unsafe = False,
    index_url: IndexUrl = None,
    find_links: FindLinks = None,
) -> None:
    """Collect a model, its sidecar, its lock and all wheels into one archive.

    capsule replay takes the archive, on a machine without any network too.
    """
    from capsule.consent.consent import Trust
    from capsule.description.describe import describe
    from capsule.rebuild.bundling import write_bundle
    from capsule.rebuild.options import ReplayOptions
    from capsule.rebuild.sources import Sources
    from capsule.report.environments import size_text
    from capsule.report.progress import progress_to

    options = ReplayOptions(
        python=None if python is None else str(python.absolute()),
        sources=Sources(index_url, tuple(find_links or ())),
    )
    with progress_to(sys.stderr) as progress:
        archive = write_bundle(
            describe(artifact, sidecar=sidecar), Trust.of(not unsafe), options, output, progress
        )
    size = size_text(archive.path.stat().st_size)
    print(escaped(f"{archive.path}   {archive.wheels} wheels for Python {archive.python}, {size}"))
