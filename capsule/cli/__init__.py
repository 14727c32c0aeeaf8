"""The command line: parses, calls the library, prints. Nothing else. One file a command."""

import sys
from typing import Annotated

import typer

import capsule
from capsule.cli import (
    bundling,
    environments,
    explaining,
    exporting,
    inspecting,
    locking,
    replaying,
    saving,
    verifying,
)

app = typer.Typer(
    name="capsule",
    help="Capture the environment of Keras models at save, verify it before deploy, replay it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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


app.command(
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    options_metavar="[OPTIONS]",
    short_help="Save models with a sidecar beside each.",
)(saving.save)
app.command(short_help="Will it load here and compute the same?")(verifying.verify)
app.command(short_help="What does it hold, and who wrote it?")(inspecting.inspect)
app.command(short_help="Bring it back in its own environment.")(replaying.replay)
app.command(short_help="Pin its environment with hashes.")(locking.lock)
app.command(short_help="Put all that it needs into one archive.")(bundling.bundle)
app.command(short_help="Say its environment to other tools.")(exporting.export)
app.command(short_help="Explain a finding code.")(explaining.explain)
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
            at += 2 if words[at] in saving.TAKE_A_VALUE else 1
    return words
