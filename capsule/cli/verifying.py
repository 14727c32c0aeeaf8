"""``capsule verify``: will it load here and compute the same, and if not, why."""

from typing import Annotated, Any

import typer

from capsule.cli.ending import complain, ending
from capsule.cli.options import AsJson, Format, Interpreter, Models, Sidecar, format_of
from capsule.errors import CapsuleError, InputError


@ending
def verify(
    artifacts: Models,
    python: Interpreter = None,
    require: Annotated[
        str, typer.Option(help="The questions that must be answered yes for status 0.")
    ] = "capsule,same",
    sidecar: Sidecar = None,
    form: Format = "text",
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line for each.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every finding.")] = False,
) -> None:
    """Say whether a model will load and compute the same here, and if not, why.

    Runs nothing of the model and imports no framework. Exit status: 0 it fits, 1 it does
    not, 2 it could not be told.
    """
    from capsule.report import envelope, text
    from capsule.verdict import QUESTIONS
    from capsule.verdict import verify as verify_artifact

    wanted = format_of(form, as_json)
    words = [word.strip() for word in require.split(",") if word.strip()]
    required = [question for question in QUESTIONS if question in words]
    if not words or not set(words) <= set(QUESTIONS):
        raise InputError(f"--require takes some of {','.join(QUESTIONS)}, not {require!r}")
    results: list[dict[str, Any]] = []
    statuses = []
    for path in artifacts:
        try:
            verdict = verify_artifact(path, python=python, sidecar=sidecar)
        except CapsuleError as error:
            statuses.append(error.status)
            results.append(envelope.error_result(str(path), error))
            if wanted == "text":
                complain(error)
            continue
        statuses.append(verdict.status(required))
        results.append(envelope.verdict_result(str(path), verdict))
        if wanted == "text":
            lines = text.verdict_lines(verdict, verbose=verbose)
            print(text.listing([text.verdict_brief(verdict)] if quiet else lines))
    if wanted == "json":
        print(envelope.envelope("verify", results))
    raise typer.Exit(max(statuses))
