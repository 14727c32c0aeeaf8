"""``capsule lock``: every distribution of a model's environment, with its hashes."""

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
    from capsule.rebuild.resolve import resolve
    from capsule.rebuild.sources import Sources

    options = ReplayOptions(
        python=None if python is None else str(python.absolute()),
        sources=Sources(index_url, tuple(find_links or ())),
        obey_lock=False,
    )
    description = describe(artifact, sidecar=sidecar)
    resolution = resolve(description, Trust.of(not unsafe), options)
    path = resolution.write_lock()
    count = len(resolution.pins.requirements)
    print(escaped(f"{path}   {count} distributions for Python {resolution.python.version}, hashed"))
