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
    from capsule.report import envelope
    from capsule.report import inspection as report
    from capsule.report.text import listing
    from capsule.verdict import judge

    wanted = format_of(form, as_json)
    results: list[dict[str, Any]] = []
    statuses = []
    for path in artifacts:
        try:
            description = describe(path, sidecar=sidecar, disassemble=disassemble)
            inspection = description.inspection
            try:
                verdict = judge(description, environment_here(python))
            except EnvironmentUnknownError:
                if python is not None:
                    raise
                verdict = None  # the file can be read where no Keras is
        except CapsuleError as error:
            statuses.append(error.status)
            results.append(report.failed_result(str(path), error))
            if wanted == "text":
                complain(error)
            continue
        statuses.append(2 if inspection.unread else 0)
        results.append(report.inspection_result(str(path), inspection, verdict))
        if wanted == "text":
            shown = report.Shown(source=source, disassemble=disassemble)
            print(listing(report.inspection_lines(inspection, verdict, shown)))
    if wanted == "json":
        print(envelope.envelope("inspect", results))
    raise typer.Exit(max(statuses))
