"""Which distributions a model's environment needs, as exact pins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from capsule.manifest import DistributionFacts, Manifest
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.options import Scope
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
    """Exact requirements, sorted by their names."""

    requirements: tuple[str, ...]
    """A line each, as a requirements file has it."""
    versions: dict[str, str]
    """The version of each, by name, in the order of the requirements."""
    moved: tuple[str, ...] = ()
    """Those that come from elsewhere than at save: from the index, under the same version."""
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The SHA-256 digests of a lock, by name: a file that has another one is refused."""
    relaxed: Mapping[str, str] = field(default_factory=dict)
    """The version at save of each that stands here with another one, by name."""
    left_out: tuple[str, ...] = ()
    """What nobody else can have: projects installed from their folders, to be edited."""

    def as_text(self) -> str:
        """Return the pins as a requirements file, with their hashes if a lock gave any."""
        return as_text(
            " ".join([line, *(f"--hash=sha256:{digest}" for digest in self.hashes.get(name, ()))])
            for name, line in zip(self.versions, self.requirements)
        )

    def with_hash(self, present: bool = True) -> Pins:
        """Return the part of the pins that a lock gave a hash; not *present*: the other part."""
        lines = dict(zip(self.versions, self.requirements))
        names = [name for name in self.versions if bool(self.hashes.get(name)) == present]
        return replace(
            self,
            requirements=tuple(lines[name] for name in names),
            versions={name: self.versions[name] for name in names},
        )

    def with_version(self, name: str, version: str) -> Pins:
        """Return the pins with another version of one of them, which then is among ``relaxed``."""
        lines = dict(zip(self.versions, self.requirements))
        return replace(
            self,
            requirements=tuple({**lines, name: f"{name}=={version}"}.values()),
            versions={**self.versions, name: version},
            relaxed={**self.relaxed, name: self.relaxed.get(name, self.versions[name])},
        )


def pins_of(
    manifest: Manifest, scope: Scope = "model", *, elsewhere: bool = False, own_index: bool = False
) -> Pins:
    """Return exact pins of what a model needs.

    Of scope ``model``: Keras, its backend, what the functions reach, and what those require; of
    ``all``: everything but capsule itself and what only it required. *elsewhere* lets what was
    installed from an address come from there again; else the same version is taken from the
    index. An editable install is left out unless the index is the user's own (*own_index*):
    another may have somebody else's project under its name, and what the model reaches of it
    is in the sidecar. Raises RebuildError where the sidecar names no Keras.
    """
    if manifest.keras is None:
        raise RebuildError(
            "the sidecar does not say which Keras saved the model: save the model again"
        )
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
    rest = [d.name for d in manifest.distributions or () if d.name not in ours]
    return ours - set(required(manifest, rest)) | {OURSELVES}


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
    digest = hashes.get("sha256") if isinstance(hashes, dict) else None
    if digest is None and isinstance(archive.get("hash"), str):
        kind, _, value = archive["hash"].partition("=")
        digest = value if kind == "sha256" else None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None


def _matching(pattern: re.Pattern[str], value: object, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value) or ".." in value:
        raise RebuildError(
            f"the sidecar's direct_url of {name} is not one of a repository: save the model again"
        )
    return value


def as_text(requirements: Iterable[str]) -> str:
    """Return the pins as a requirements file."""
    return "".join(f"{line}\n" for line in requirements)
