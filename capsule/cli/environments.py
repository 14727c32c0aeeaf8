"""``capsule env``: what the cache of rebuilt environments keeps."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capsule.cli.ending import ending
from capsule.errors import escaped

if TYPE_CHECKING:
    from capsule.rebuild.cache_listing import CacheEntry

app = typer.Typer(
    name="env",
    help="List, show and prune the environments that replay has built.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Which = Annotated[str, typer.Argument(metavar="KEY | ARTIFACT", help="The first letters of a key.")]


@app.command("list", short_help="What is there, how large, and when it was used.")
@ending
def listed(as_json: AsJson = False) -> None:
    """List the environments in the cache, the last used first."""
    from capsule.rebuild.cache_listing import list_cache
    from capsule.report.envelope import envelope
    from capsule.report.environments import environment_lines

    environments = list_cache()
    if as_json:
        print(envelope("env list", [environment.to_json() for environment in environments]))
        return
    for line in environment_lines(environments):
        print(escaped(line))


@app.command(short_help="One of them: its Python and what is installed in it.")
@ending
def show(which: Which, as_json: AsJson = False) -> None:
    """Show one environment: its Python, its size, and every distribution in it."""
    from capsule.report.envelope import envelope
    from capsule.report.environments import environment_detail

    environment = _named(which)
    if as_json:
        print(envelope("env show", [environment.to_json()]))
        return
    for line in environment_detail(environment):
        print(escaped(line))


@app.command(short_help="Its folder.")
@ending
def path(which: Which) -> None:
    """Print the folder of one environment, or of the one that a model is replayed in."""
    print(escaped(str(_named(which).folder)))


@app.command(short_help="Remove those that nobody uses.")
@ending
def prune(
    days: Annotated[int, typer.Option(min=0, help="Remove what was not used for so long.")] = 30,
) -> None:
    """Remove environments not used for some time, and what no build finished."""
    from capsule.rebuild.cache_listing import prune as prune_cache
    from capsule.report.environments import size_text

    gone = prune_cache(days)
    freed = size_text(sum(environment.size for environment in gone))
    many = "1 environment" if len(gone) == 1 else f"{len(gone)} environments"
    print(f"removed {many}, {freed}" if gone else f"nothing was unused for {days} days")
    sys.stdout.flush()


def _named(which: str) -> "CacheEntry":
    if Path(which).exists():
        from capsule.rebuild.building import find_environment

        return find_environment(Path(which))
    from capsule.rebuild.cache_listing import find_entry

    return find_entry(which)
