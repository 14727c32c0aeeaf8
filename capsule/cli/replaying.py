"""``capsule replay``: rebuild the environment of a model, and use it there."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Optional, TextIO

import typer

from capsule.cli.ending import ending
from capsule.cli.options import (
    AsJson,
    FindLinks,
    IndexUrl,
    Interpreter,
    Model,
    Sidecar,
    binding,
)
from capsule.errors import CapsuleError, InputError, escaped

if TYPE_CHECKING:
    from capsule.consent.consent import Trust
    from capsule.description.custom import CustomObjects
    from capsule.rebuild.options import ReplayOptions
    from capsule.report.text import Replay


class _Use(NamedTuple):
    """What to do with the model once its environment is there."""

    command: list[str]
    shell: bool
    inputs: Optional[Path]
    outputs: Optional[Path]


@ending
def replay(
    artifact: Model,
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
        str, typer.Option(help="model: what it uses; all: every captured distribution.")
    ] = "model",
    backend: Annotated[str, typer.Option(help="uv or pip-tools.")] = "uv",
    bind: Annotated[
        Optional[list[str]],
        typer.Option(
            "--bind",
            metavar="NAME=JSON",
            help="A value for a name that nothing in the file defines.",
        ),
    ] = None,
    bind_from: Annotated[
        Optional[list[Path]],
        typer.Option("--bind-from", metavar="FILE.py", help="Python that defines such names."),
    ] = None,
    python: Interpreter = None,
    download: Annotated[
        str, typer.Option(help="auto: let uv bring a Python that is missing; never.")
    ] = "auto",
    timeout: Annotated[
        Optional[float], typer.Option(min=0.1, help="End a model that takes more seconds.")
    ] = None,
    index_url: IndexUrl = None,
    find_links: FindLinks = None,
    constraint: Annotated[
        Optional[Path], typer.Option("--constraint", help="A constraints file for the installer.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take distributions from --find-links alone.")
    ] = False,
    relax: Annotated[
        bool, typer.Option("--relax", help="Move what can't be had and no function uses.")
    ] = False,
    sidecar: Sidecar = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the environment a model was saved in, load it there, compare its outputs.

    Without --unsafe or --trust the environment is built from wheels and nothing is run.
    Exit status: 0 the outputs agree, 1 they do not, 2 refused or could not be told.
    """
    use = _Use(command or [], shell, inputs, outputs)
    _refuse_contradictions(use, check, as_json)
    from capsule.consent.consent import Trust
    from capsule.description.custom import CustomObjects
    from capsule.description.definitions import read_definitions
    from capsule.rebuild.options import ReplayOptions
    from capsule.rebuild.remote import read_npz
    from capsule.rebuild.sources import Sources
    from capsule.report import envelope

    report = _Report(sys.stderr if as_json else sys.stdout)  # JSON stands alone on stdout
    failure = None
    try:
        options = ReplayOptions(
            scope=scope,  # type: ignore[arg-type]  # checked when the options are made
            backend=backend,  # type: ignore[arg-type]
            python=None if python is None else os.path.abspath(python),
            download=download,  # type: ignore[arg-type]
            sources=Sources(index_url, tuple(find_links or ()), constraint, offline),
            relax=relax,
            timeout=timeout,
        )
        custom = CustomObjects(
            bind=dict(binding(word) for word in bind or ()),
            definitions=tuple(read_definitions(file) for file in bind_from or ()),
        )
        if inputs is not None:
            read_npz(inputs)  # what is wrong with it is said before anything is built for it
        trusted = Trust.of(not unsafe, trust or ())
        report.build(_Request(artifact, sidecar, custom, trusted), options)
        report.use(use)
    except CapsuleError as error:
        failure = error
    if as_json:
        result = envelope.replay_result(str(artifact), report.replay, report.comparison, failure)
        print(envelope.envelope("replay", [result]))
    if failure is not None:
        raise failure
    if report.comparison is None:
        raise typer.Exit(2 if check else 0)
    raise typer.Exit(0 if report.comparison["agrees"] else 1)


def _refuse_contradictions(use: _Use, check: bool, as_json: bool) -> None:
    if sum([check, use.shell, bool(use.command), use.inputs is not None]) > 1:
        raise InputError("--check, --shell, --input and -- COMMAND exclude one another")
    if (use.inputs is None) != (use.outputs is None):
        raise InputError("--input and --output go together")
    if as_json and (use.command or use.shell):
        raise InputError("--json goes with neither --shell nor -- COMMAND: their output is theirs")


class _Request(NamedTuple):
    """Which model is to be replayed, with what, and what was allowed."""

    artifact: Path
    sidecar: Optional[Path]
    custom: "CustomObjects"
    trust: "Trust"


class _Report:
    """Builds, uses and compares, and says on *out* what came of it."""

    def __init__(self, out: TextIO) -> None:
        self.replay: Optional[Replay] = None
        self.comparison: Optional[dict[str, Any]] = None
        self._out = out

    def build(self, request: _Request, options: "ReplayOptions") -> None:
        """Build the environment. Raises ConsentError where loading was not allowed."""
        from capsule.description.describe import describe
        from capsule.rebuild.building import build
        from capsule.rebuild.bundling import is_bundle, unpack_bundle
        from capsule.rebuild.errors import NeedsBuildError
        from capsule.rebuild.resolve import resolve
        from capsule.report import text
        from capsule.report.progress import progress_to

        started = time.monotonic()
        artifact = request.artifact
        if is_bundle(artifact):
            artifact, sources = unpack_bundle(artifact)
            options = replace(options, sources=sources)
        description = describe(artifact, sidecar=request.sidecar, custom=request.custom)
        environment, failure = None, None
        with progress_to(sys.stderr) as progress:
            resolution = resolve(description, request.trust, options, progress)
            try:
                environment = build(resolution, progress)
            except NeedsBuildError as error:
                failure = error
        needs = failure.distributions if failure is not None else ()
        seconds = time.monotonic() - started
        self.replay = text.Replay(resolution, environment, needs, seconds)
        self._say(text.listing(text.replay_lines(self.replay)))
        if not resolution.plan.consent.allowed:
            self._say(text.listing(text.consent_lines(self.replay)))
            raise text.refusal(self.replay)
        if failure is not None:
            raise failure

    def use(self, use: _Use) -> None:
        """Run a command in the environment, or load the model, predict and compare."""
        from capsule.report import text
        from capsule.report.progress import progress_to

        replay = self.replay
        assert replay is not None, "it is built before it is used"
        assert replay.environment is not None, "what was not built was refused"
        resolution, environment = replay.resolution, replay.environment
        if use.command or use.shell:
            raise typer.Exit(environment.run(resolution, use.command))
        with progress_to(sys.stderr) as progress:
            progress("loading the model there")
            model = environment.start(resolution)
        with model:
            if use.inputs is not None and use.outputs is not None:
                model.predict_file(use.inputs, use.outputs)
                self._say(escaped(f"  outputs        written to {use.outputs}"))
            self.comparison = model.probe()
        self._say(escaped(text.probe_line(self.comparison, resolution.manifest.probe.skipped)))

    def _say(self, line: str) -> None:
        print(line, file=self._out)
