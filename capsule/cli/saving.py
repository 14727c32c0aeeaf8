"""``capsule save``: run a script under the hook, or describe a model file that is there."""

import sys
from typing import Annotated, Optional

import typer

from capsule.cli.ending import ending
from capsule.cli.options import Interpreter
from capsule.errors import InputError, escaped

TAKE_A_VALUE = ("--python", "--allow")
"""The options in front of ``-m`` that are followed by a word of their own."""


@ending
def save(
    target: Annotated[
        Optional[str], typer.Argument(metavar="SCRIPT | ARTIFACT", help="What to run or describe.")
    ] = None,
    arguments: Annotated[
        Optional[list[str]], typer.Argument(metavar="[ARGS]...", help="The script's own.")
    ] = None,
    module: Annotated[
        Optional[str], typer.Option("-m", metavar="MODULE", help="Run a module in place of SCRIPT.")
    ] = None,
    probe: Annotated[bool, typer.Option(help="Record inputs and outputs of each model.")] = True,
    source: Annotated[bool, typer.Option(help="Keep the source text of functions.")] = True,
    values: Annotated[bool, typer.Option(help="Keep the plain values that functions use.")] = True,
    allow: Annotated[
        Optional[list[str]],
        typer.Option("--allow", metavar="NAME", help="A name like a secret's that holds none."),
    ] = None,
    inferred: Annotated[
        bool, typer.Option("--inferred", help="Of ARTIFACT: what the file tells, not this Python.")
    ] = False,
    python: Interpreter = None,
) -> None:
    """Run a training script under the save hook, or describe an existing model file.

    What follows SCRIPT belongs to the script, whose exit status is capsule's.
    """
    from capsule.capture.options import SaveOptions
    from capsule.capture.running import describe_artifact, is_artifact, run_under_hook
    from capsule.report import text

    words = [word for word in [target, *(arguments or [])] if word is not None]
    if module is None and not words:
        raise InputError("nothing to save: name a script, -m MODULE, or a model file")
    if module is None and is_artifact(words[0]):
        if len(words) > 1:
            raise InputError(f"{words[0]} is a model file: nothing may follow it")
        saved = describe_artifact(words[0], python, inferred=inferred)
        print(escaped(text.saved_line(saved)))
        return
    options = SaveOptions(probe, source, values, allow=tuple(allow or ()))
    run = run_under_hook(words, options, module=module)
    sys.stdout.flush()
    for saved in run.saves:
        print(escaped(f"capsule: {text.saved_line(saved)}"), file=sys.stderr)
    if not run.saves:
        print("capsule: the script saved no model", file=sys.stderr)
    raise typer.Exit(run.status)
