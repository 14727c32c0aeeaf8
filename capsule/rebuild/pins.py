"""Which distributions a model's environment needs, as exact pins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from capsule.errors import RebuildError
from capsule.manifest import DistributionFacts, Manifest
from capsule.verdict.reach import Reaches, required

OURSELVES = "keras-capsule"
# Needed by every Keras to read and write models, though not every one requires it.
ALWAYS = ("h5py", "numpy")


@dataclass(frozen=True)
class Pins:
    """Exact requirements, sorted; ``moved`` are those that come from elsewhere than at save.

    ``hashes`` are the SHA-256 digests of a lock, by name: what has another one is refused.
    ``relaxed`` gives the version at save of those that stand for another one.
    """

    requirements: tuple[str, ...]
    versions: dict[str, str]
    moved: tuple[str, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relaxed: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the pins as a requirements file, with their hashes if a lock gave any."""
        lines = []
        for name, line in zip(self.versions, self.requirements):
            lines.append(
                " ".join([line, *(f"--hash=sha256:{h}" for h in self.hashes.get(name, ()))])
            )
        return as_text(lines)


def moved_to(pins: Pins, name: str, version: str) -> Pins:
    """Return *pins* with another version of one distribution, which then is among ``relaxed``."""
    places = list(pins.versions)
    requirements = list(pins.requirements)
    requirements[places.index(name)] = f"{name}=={version}"
    return replace(
        pins,
        requirements=tuple(requirements),
        versions={**pins.versions, name: version},
        relaxed={**pins.relaxed, name: pins.relaxed.get(name, pins.versions[name])},
    )


def pins_of(manifest: Manifest, scope: str = "model", *, elsewhere: bool = False) -> Pins:
    """Return the pins for *scope*: ``model`` (what the model reaches) or ``all``.

    *elsewhere* allows what was installed from an address to come from there again; else
    the same version is taken from the index, and told in ``moved``.

    The model's reach is Keras, its backend, what the functions reach, and what those
    require. ``all`` leaves out capsule itself and what only it required.
    """
    if manifest.keras is None:
        raise RebuildError("the sidecar does not say which Keras saved the model")
    roots = [manifest.keras.distribution, manifest.keras.backend_distribution, *ALWAYS]
    roots += sorted(Reaches(manifest).of_distribution)
    names = set(required(manifest, [root for root in roots if root is not None]))
    if scope == "all":
        names |= {d.name for d in manifest.distributions} - _only_ours(manifest)
    chosen = [d for d in manifest.distributions if d.name in names - {OURSELVES}]
    moved = [d.name for d in chosen if d.direct_url and (_is_local(d.direct_url) or not elsewhere)]
    return Pins(
        requirements=tuple(_requirement(d, elsewhere) for d in chosen),
        versions={d.name: d.version for d in chosen},
        moved=tuple(moved),
    )


def _only_ours(manifest: Manifest) -> set[str]:
    """Return capsule and what is there for its sake alone."""
    ours = set(required(manifest, [OURSELVES]))
    others = [d.name for d in manifest.distributions if d.name not in ours]
    return ours - set(required(manifest, others)) | {OURSELVES}


def _is_local(direct_url: Any) -> bool:
    return isinstance(direct_url, dict) and direct_url.get("url") == "file:"


def _requirement(distribution: DistributionFacts, elsewhere: bool) -> str:
    direct = distribution.direct_url
    if not isinstance(direct, dict) or _is_local(direct) or not elsewhere:
        # What came from a folder of that machine can only be looked for in the index.
        return f"{distribution.name}=={distribution.version}"
    vcs = direct.get("vcs_info")
    if isinstance(vcs, dict):
        commit = _plain(vcs.get("commit_id"), distribution.name)
        kind = _plain(vcs.get("vcs"), distribution.name)
        folder = direct.get("subdirectory")
        inside = f"#subdirectory={_plain(folder, distribution.name)}" if folder else ""
        return f"{distribution.name} @ {kind}+{direct['url']}@{commit}{inside}"
    return f"{distribution.name} @ {direct['url']}"


def _plain(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.replace("_", "").isalnum():
        raise RebuildError(f"the sidecar's direct_url of {name} is not one of a repository")
    return value


def as_text(requirements: Iterable[str]) -> str:
    """Return the pins as a requirements file."""
    return "".join(f"{line}\n" for line in requirements)
