"""Which distributions a model's environment needs, as exact pins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from capsule.errors import RebuildError
from capsule.manifest import DistributionFacts, Manifest
from capsule.verdict.reach import Reaches
from capsule.verdict.requirements import required

OURSELVES = "keras-capsule"
# Needed by every Keras to read and write models, though not every one requires it.
ALWAYS = ("h5py", "numpy")
# What a backend imports that nobody requires: Keras leaves its backends to the user.
ALSO = {"numpy": ("jax", "scipy")}
_WORD = re.compile(r"[A-Za-z0-9_]{1,64}")
_FOLDERS = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pins:
    """Exact requirements, sorted; ``moved`` are those that come from elsewhere than at save.

    ``hashes`` are the SHA-256 digests of a lock, by name: what has another one is refused.
    ``relaxed`` gives the version at save of those that stand for another one, ``left_out``
    names what nobody else can have: a project installed from its folder, to be edited.
    """

    requirements: tuple[str, ...]
    versions: dict[str, str]
    moved: tuple[str, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relaxed: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def as_text(self) -> str:
        """Return the pins as a requirements file, with their hashes if a lock gave any."""
        lines = []
        for name, line in zip(self.versions, self.requirements):
            lines.append(
                " ".join([line, *(f"--hash=sha256:{h}" for h in self.hashes.get(name, ()))])
            )
        return as_text(lines)

    def with_hash(self, wanted: bool = True) -> Pins:
        """Return the part of the pins that a lock gave a hash; not *wanted*: the other part."""
        kept = [name for name in self.versions if bool(self.hashes.get(name)) == wanted]
        lines = dict(zip(self.versions, self.requirements))
        return replace(
            self,
            requirements=tuple(lines[name] for name in kept),
            versions={name: self.versions[name] for name in kept},
        )


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


def pins_of(
    manifest: Manifest, scope: str = "model", *, elsewhere: bool = False, own_index: bool = False
) -> Pins:
    """Return the pins for *scope*: ``model`` (what the model reaches) or ``all``.

    *elsewhere* allows what was installed from an address to come from there again; else
    the same version is taken from the index, and told in ``moved``. An editable install is
    left out, since under its name an index may have somebody else's, unless *own_index*
    says that it is the user's own; what the model reaches of it is in the sidecar.

    The model's reach is Keras, its backend, what the functions reach, and what those
    require. ``all`` leaves out capsule itself and what only it required.
    """
    if manifest.keras is None:
        raise RebuildError("the sidecar does not say which Keras saved the model")
    roots = [
        manifest.keras.distribution,
        manifest.keras.backend_distribution,
        *ALWAYS,
        *ALSO.get(manifest.keras.backend or "", ()),
    ]
    roots += sorted(Reaches(manifest).of_distribution)
    names = set(required(manifest, [root for root in roots if root is not None]))
    if scope == "all":
        names |= {d.name for d in manifest.distributions or ()} - _only_ours(manifest)
    chosen = [d for d in manifest.distributions or () if d.name in names - {OURSELVES}]
    left_out = [d.name for d in chosen if _is_editable(d.direct_url) and not own_index]
    chosen = [d for d in chosen if d.name not in left_out]
    moved = [d.name for d in chosen if d.direct_url and (_is_local(d.direct_url) or not elsewhere)]
    return Pins(
        requirements=tuple(_requirement(d, elsewhere) for d in chosen),
        versions={d.name: d.version for d in chosen},
        moved=tuple(moved),
        left_out=tuple(left_out),
    )


def _only_ours(manifest: Manifest) -> set[str]:
    """Return capsule and what is there for its sake alone."""
    ours = set(required(manifest, [OURSELVES]))
    others = [d.name for d in manifest.distributions or () if d.name not in ours]
    return ours - set(required(manifest, others)) | {OURSELVES}


def _is_local(direct_url: Any) -> bool:
    return isinstance(direct_url, dict) and direct_url.get("url") == "file:"


def _is_editable(direct_url: Any) -> bool:
    facts = direct_url.get("dir_info") if _is_local(direct_url) else None
    return isinstance(facts, dict) and facts.get("editable") is True


def _requirement(distribution: DistributionFacts, elsewhere: bool) -> str:
    """Return a distribution as a requirement, in PEP 508's words where it has an address."""
    direct = distribution.direct_url
    name = distribution.name
    if not isinstance(direct, dict) or _is_local(direct) or not elsewhere:
        # What came from a folder of that machine can only be looked for in the index.
        return f"{name}=={distribution.version}"
    url, fragments = direct["url"], []
    vcs, archive = direct.get("vcs_info"), direct.get("archive_info")
    if isinstance(vcs, dict):
        kind, commit = (_matching(_WORD, vcs.get(key), name) for key in ("vcs", "commit_id"))
        url = f"{kind}+{url}@{commit}"
    elif isinstance(archive, dict):
        digest = _sha256(archive)
        fragments += [f"sha256={digest}"] if digest else []
    if direct.get("subdirectory"):
        fragments.append(f"subdirectory={_matching(_FOLDERS, direct['subdirectory'], name)}")
    return f"{name} @ {url}" + ("#" + "&".join(fragments) if fragments else "")


def _sha256(archive: Mapping[str, Any]) -> str | None:
    """Return the digest of an archive by either of PEP 610's keys, None if there is none."""
    hashes = archive.get("hashes")
    found = hashes.get("sha256") if isinstance(hashes, dict) else None
    if found is None and isinstance(archive.get("hash"), str):
        kind, _, value = archive["hash"].partition("=")
        found = value if kind == "sha256" else None
    return found if isinstance(found, str) and _DIGEST.fullmatch(found) else None


def _matching(pattern: re.Pattern[str], value: object, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value) or ".." in value:
        raise RebuildError(f"the sidecar's direct_url of {name} is not one of a repository")
    return value


def as_text(requirements: Iterable[str]) -> str:
    """Return the pins as a requirements file."""
    return "".join(f"{line}\n" for line in requirements)
