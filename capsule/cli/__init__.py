"""The command line: parses, calls the library, prints. Nothing else."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

import capsule
from capsule.cli import environments, shipping
from capsule.cli.ending import complain, ending
from capsule.errors import CapsuleError, escaped

# Annotations are evaluated here, on Python 3.9 as well, since typer reads them: so
# Optional[…], not `… | None`, and no postponed evaluation.

app = typer.Typer(
    name="capsule",
    help="Capture the environment of Keras models at save, verify it before deploy, replay it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Sidecar = Annotated[
    Optional[Path], typer.Option("--manifest", help="A sidecar that is not beside its artifact.")
]
Interpreter = Annotated[
    Optional[Path], typer.Option("--python", help="The Python to look at in place of this one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Format = Annotated[str, typer.Option("--format", help="text or json.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"capsule {capsule.__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    options_metavar="[OPTIONS]",
    short_help="Save models with a sidecar beside each.",
)
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
        raise CapsuleError("nothing to save: name a script, -m MODULE, or a model file")
    if module is None and is_artifact(words[0]):
        if len(words) > 1:
            raise CapsuleError(f"{words[0]} is a model file: nothing may follow it")
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


@app.command(short_help="Will it load here and compute the same?")
@ending
def verify(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Model files.")],
    python: Interpreter = None,
    require: Annotated[
        str, typer.Option(help="The questions that must be answered yes for status 0.")
    ] = "capsule,same",
    manifest: Sidecar = None,
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

    wanted = _format(form, as_json)
    required = [word.strip() for word in require.split(",") if word.strip()]
    if not required or not set(required) <= set(QUESTIONS):
        raise CapsuleError(f"--require takes some of {','.join(QUESTIONS)}, not {require!r}")
    results, statuses = [], []
    for path in artifacts:
        try:
            verdict = verify_artifact(path, python=python, manifest=manifest)
        except CapsuleError as error:
            statuses.append(error.status)
            results.append(envelope.error_result(str(path), error))
            if wanted == "text":
                complain(error)
            continue
        statuses.append(verdict.status(required))
        results.append(envelope.verdict_result(str(path), verdict))
        if wanted == "text":
            lines = (
                [text.verdict_brief(verdict)]
                if quiet
                else text.verdict_lines(verdict, verbose=verbose)
            )
            print(text.listing(lines))
    if wanted == "json":
        print(envelope.envelope("verify", results))
    raise typer.Exit(max(statuses))


@app.command(short_help="What does it carry, and who wrote it?")
@ending
def inspect(
    artifacts: Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Model files.")],
    source: Annotated[bool, typer.Option("--source", help="Print the lifted source.")] = False,
    disassemble: Annotated[
        bool, typer.Option("--disassemble", help="Print the instructions.")
    ] = False,
    form: Format = "text",
    as_json: AsJson = False,
) -> None:
    """Read a model file without running a byte of it: its functions, its Python, its fears.

    Exit status: 0 it was read, 2 it could not be read, or not all of it.
    """
    from capsule.inspection import inspect as inspect_artifact
    from capsule.report import envelope, inspection
    from capsule.report.text import listing

    wanted = _format(form, as_json)
    results, statuses = [], []
    for path in artifacts:
        try:
            found = inspect_artifact(path, disassemble=disassemble)
        except CapsuleError as error:
            statuses.append(error.status)
            results.append(inspection.inspection_result(str(path), None, error))
            if wanted == "text":
                complain(error)
            continue
        statuses.append(2 if found.unread else 0)
        results.append(inspection.inspection_result(str(path), found))
        if wanted == "text":
            lines = inspection.inspection_lines(found, source=source, disassemble=disassemble)
            print(listing(lines))
    if wanted == "json":
        print(envelope.envelope("inspect", results))
    raise typer.Exit(max(statuses))


@app.command(short_help="Bring it back in its own environment.")
@ending
def replay(
    artifact: Annotated[Path, typer.Argument(help="The model file.")],
    command: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="[-- COMMAND...]", help="Run in the environment."),
    ] = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Allow the model's code to run, and builds.")
    ] = False,
    trust: Annotated[
        Optional[list[str]], typer.Option(metavar="DIGEST", help="Allow the function of a digest.")
    ] = None,
    inputs: Annotated[
        Optional[Path], typer.Option("--input", metavar="X.npz", help="Arrays to predict on.")
    ] = None,
    outputs: Annotated[
        Optional[Path], typer.Option("--output", metavar="Y.npz", help="Where to write outputs.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare with the probe.")] = False,
    shell: Annotated[bool, typer.Option("--shell", help="Open a shell in it.")] = False,
    scope: Annotated[
        str, typer.Option(help="model: what it reaches; all: every captured distribution.")
    ] = "model",
    backend: Annotated[str, typer.Option(help="uv or pip-tools.")] = "uv",
    bind: Annotated[
        Optional[list[str]],
        typer.Option("--bind", metavar="NAME=JSON", help="A value for a name of a bare file's."),
    ] = None,
    bind_from: Annotated[
        Optional[list[Path]],
        typer.Option("--bind-from", metavar="FILE.py", help="Defines what a bare file lacks."),
    ] = None,
    python: Interpreter = None,
    download: Annotated[
        str, typer.Option(help="auto: let uv bring a Python that is missing; never.")
    ] = "auto",
    timeout: Annotated[
        Optional[float], typer.Option(min=0.1, help="End a model that takes more seconds.")
    ] = None,
    index_url: shipping.IndexUrl = None,
    find_links: shipping.FindLinks = None,
    constraint: Annotated[
        Optional[Path], typer.Option("--constraint", help="A constraints file for the installer.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take distributions from --find-links alone.")
    ] = False,
    relax: Annotated[
        bool, typer.Option("--relax", help="Move what can't be had and no function reaches.")
    ] = False,
    manifest: Sidecar = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the environment a model was saved in, load it there, compare its outputs.

    Without --unsafe or --trust the environment is built from wheels and nothing is run.
    Exit status: 0 the outputs agree, 1 they do not, 2 refused or could not be told.
    """
    if sum([check, shell, bool(command), inputs is not None]) > 1:
        raise CapsuleError("--check, --shell, --input and -- COMMAND exclude one another")
    if (inputs is None) != (outputs is None):
        raise CapsuleError("--input and --output go together")
    if as_json and (command or shell):
        raise CapsuleError(
            "--json goes with neither --shell nor -- COMMAND: their output is theirs"
        )
    from capsule.rebuild.bundling import is_bundle, unpacked
    from capsule.rebuild.remote import read_npz
    from capsule.rebuild.replaying import rebuild
    from capsule.rebuild.sources import Sources
    from capsule.report import envelope, text
    from capsule.report.progress import progress_to

    # On standard output JSON stands alone.
    out = sys.stderr if as_json else sys.stdout
    rebuilt = comparison = failure = None
    try:
        sources = Sources(index_url, tuple(find_links or ()), constraint, offline)
        if is_bundle(artifact):
            artifact, sources = unpacked(artifact)
        if inputs is not None:
            read_npz(inputs)  # told before anything is built for it
        with progress_to(sys.stderr) as progress:
            rebuilt = rebuild(
                artifact,
                safe_mode=not unsafe,
                trust=trust or (),
                manifest=manifest,
                python=python,
                scope=scope,
                backend=backend,
                bind=dict(_bound(word) for word in bind or ()),
                bind_from=bind_from or (),
                download=download,
                sources=sources,
                relax=relax,
                progress=progress,
            )
        print(text.listing(text.replay_lines(rebuilt)), file=out)
        if not rebuilt.consent.given:
            print(text.listing(text.consent_lines(rebuilt)), file=out)
            raise text.refusal(rebuilt)
        if command or shell:
            raise typer.Exit(rebuilt.run(command))
        with progress_to(sys.stderr) as progress:
            progress("loading the model there")
            model = rebuilt.load(timeout)
        with model:
            if inputs is not None and outputs is not None:
                model.predict_file(inputs, outputs)
                print(escaped(f"  outputs        written to {outputs}"), file=out)
            comparison = model.probe()
        told = text.probe_line(comparison, rebuilt.manifest.probe.skipped)
        print(escaped(told), file=out)
    except CapsuleError as error:
        failure = error
    if as_json:
        result = envelope.replay_result(str(artifact), rebuilt, comparison, failure)
        print(envelope.envelope("replay", [result]))
    if failure is not None:
        raise failure
    if comparison is None:
        raise typer.Exit(2 if check else 0)
    raise typer.Exit(0 if comparison["agrees"] else 1)


def _bound(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    try:
        if equals and name.isidentifier():
            return name, json.loads(text)
    except ValueError:
        pass
    raise CapsuleError(f"--bind takes NAME=JSON, such as im_size=64, not {word!r}")


def _format(form: str, as_json: bool) -> str:
    wanted = "json" if as_json else form
    if wanted not in ("text", "json"):
        raise CapsuleError(f"--format takes text or json, not {form!r}")
    return wanted


app.command(short_help="Pin its environment with hashes.")(shipping.lock)
app.command(short_help="Put all that it needs into one archive.")(shipping.bundle)
app.command(short_help="Say its environment to other tools.")(shipping.export)
app.add_typer(environments.app, name="env")


def main() -> None:
    """Run the command."""
    app(words_for(sys.argv[1:]), prog_name="capsule")


def words_for(words: list[str]) -> list[str]:
    """Return a command line on which what follows ``save -m MODULE`` is the module's own."""
    if words[:1] == ["save"]:
        at = 1
        while at < len(words) and words[at].startswith("-") and words[at] != "--":
            if words[at] == "-m":
                return [*words[: at + 2], "--", *words[at + 2 :]]
            at += 2 if words[at] == "--python" else 1
    return words
