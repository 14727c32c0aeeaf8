"""``capsule inspect``: what a model file holds, who wrote it, and what will load it."""

from typing import Annotated, Any

import typer

from capsule.cli.ending import complain, ending
from capsule.cli.options import AsJson, Format, Interpreter, Models, Sidecar, format_of
from capsule.errors import CapsuleError, EnvironmentUnknownError


@ending
def inspect(
    artifacts: Models,
    source: Annotated[bool, typer.Option("--source", help="Print the decompiled source.")] = False,
    disassemble: Annotated[
        bool, typer.Option("--disassemble", help="Print the instructions.")
    ] = False,
    python: Interpreter = None,
    sidecar: Sidecar = None,
    form: Format = "text",
    as_json: AsJson = False,
) -> None:
    """Read a model file without running a byte of it: its functions, its Python, its risks.

    Exit status: 0 it was read, 2 it could not be read, or not all of it.
    """
    from capsule.description.describe import describe
    from capsule.environment import environment_here
    from capsule.report import envelope, inspection
    from capsule.report.text import listing
    from capsule.verdict import judge

    wanted = format_of(form, as_json)
    results: list[dict[str, Any]] = []
    statuses = []
    for path in artifacts:
        try:
            description = describe(path, sidecar=sidecar, disassemble=disassemble)
            found = description.inspection
            try:
                verdict = judge(description, environment_here(python))
            except EnvironmentUnknownError:
                if python is not None:
                    raise
                verdict = None  # the file can be read where no Keras is
        except CapsuleError as error:
            statuses.append(error.status)
            results.append(inspection.failed_result(str(path), error))
            if wanted == "text":
                complain(error)
            continue
        statuses.append(2 if found.unread else 0)
        results.append(inspection.inspection_result(str(path), found, verdict))
        if wanted == "text":
            shown = inspection.Shown(source=source, disassemble=disassemble)
            print(listing(inspection.inspection_lines(found, verdict, shown)))
    if wanted == "json":
        print(envelope.envelope("inspect", results))
    raise typer.Exit(max(statuses))
