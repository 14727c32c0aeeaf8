"""``capsule export``: a model's environment in the words of other tools."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from capsule.cli.ending import ending
from capsule.cli.options import Interpreter, Model, Sidecar, Unsafe
from capsule.errors import escaped


@ending
def export(
    artifact: Model,
    form: Annotated[
        str, typer.Option("--to", help="requirements, pylock, dockerfile, conda or cyclonedx.")
    ],
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", help="Where to write it, if not here."),
    ] = None,
    python: Interpreter = None,
    sidecar: Sidecar = None,
    unsafe: Unsafe = False,
) -> None:
    """Say a model's environment in another tool's words."""
    from capsule.consent.consent import Trust
    from capsule.description.describe import describe
    from capsule.rebuild.exporting import export_text, require_form, write
    from capsule.rebuild.options import ReplayOptions
    from capsule.rebuild.resolve import resolve

    require_form(form)
    options = ReplayOptions(python=None if python is None else str(python.absolute()))
    resolution = resolve(describe(artifact, sidecar=sidecar), Trust.of(not unsafe), options)
    text = export_text(resolution, form)
    if output is None:
        print(text, end="")
        return
    write(text, output)
    print(escaped(str(output)))
