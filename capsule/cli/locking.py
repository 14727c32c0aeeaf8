"""``capsule lock``: every distribution of a model's environment, with its hashes."""

from dataclasses import replace

from capsule.cli.ending import ending
from capsule.cli.options import FindLinks, IndexUrl, Interpreter, Model, Sidecar, Unsafe
from capsule.errors import escaped


@ending
def lock(
    artifact: Model,
    python: Interpreter = None,
    sidecar: Sidecar = None,
    unsafe: Unsafe = False,
    index_url: IndexUrl = None,
    find_links: FindLinks = None,
) -> None:
    """Write pylock.<model>.toml beside a model: every distribution with its hashes (PEP 751).

    Replay refuses what has another hash from then on.
    """
    from capsule.consent.consent import Trust
    from capsule.description.describe import describe
    from capsule.rebuild.options import ReplayOptions
    from capsule.rebuild.resolve import resolve, write_lock_of
    from capsule.rebuild.sources import Sources

    options = ReplayOptions(
        python=None if python is None else str(python.absolute()),
        sources=Sources(index_url, tuple(find_links or ())),
    )
    description = describe(artifact, sidecar=sidecar)
    resolution = resolve(description, Trust.of(not unsafe), replace(options, locked=False))
    place = write_lock_of(resolution, options)
    count = len(resolution.pins.requirements)
    print(
        escaped(f"{place}   {count} distributions for Python {resolution.python.version}, hashed")
    )
