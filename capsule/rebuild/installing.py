"""Installers started, and their failures told apart: which distribution, and why not."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from capsule.errors import RebuildError

_OFFLINE = re.compile(
    r"dns error|Connection refused|Could not connect|Network is unreachable|offline|"
    r"Temporary failure in name resolution|Max retries exceeded|NewConnectionError|tcp connect",
    re.IGNORECASE,
)
_HASH = re.compile(r"[Hh]ash mismatch|DO NOT MATCH THE HASHES")
# What each installer says of one distribution that it can't have, by what that means.
_TOLD = (
    ("no-wheel", re.compile(r"Because (\S+) has no (?:usable )?wheels")),
    ("no-wheel", re.compile(r"Wheels are required for `(\S+?)`")),
    ("address-gone", re.compile(r"`(\S+) @ [^`]+`.*(?:Git operation failed|error \(404)")),
    ("build-failed", re.compile(r"[Ff]ailed to (?:download and )?build `([A-Za-z0-9._=-]+)")),
    ("build-failed", re.compile(r"Failed building wheel for ([A-Za-z0-9._-]+)")),
    ("distribution-gone", re.compile(r"no version of (\S+)")),
    ("distribution-gone", re.compile(r"Because (\S+) was not found in")),
    ("distribution-gone", re.compile(r"version that satisfies the requirement (\S+)")),
)
_SENTENCES = {
    "no-wheel": "there is no wheel of {} for this Python and platform",
    "address-gone": "{} is no longer where it came from",
    "build-failed": "{} has no wheel here, and building it failed",
    "distribution-gone": "the index has no {}",
}
_YANKED = re.compile(r"`([A-Za-z0-9._-]+)==(\S+?)` is yanked(?: \(reason: \"(.*?)\"\))?")
_YANKED_PIP = re.compile(
    r"a yanked version: '([A-Za-z0-9._-]+)' candidate \(version (\S+) at .*\n"
    r"Reason for being yanked: (.*)"
)


def start(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an installer for *folder* to its end, whatever that is."""
    # The user's index settings reach the installers; whatever would bend them does not.
    bends = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")
    environment = {k: v for k, v in os.environ.items() if k not in bends}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        # Not the current folder: a uv.toml or a pip/ lying there would bend them as well.
        cwd=folder.parent,
    )


def run(command: list[str], folder: Path) -> str:
    """Run an installer for *folder*; return what it said of what it did.

    A failure becomes one sentence with its last words.
    """
    done = start(command, folder)
    require_done(done, command)
    return done.stderr


def require_done(done: subprocess.CompletedProcess[str], command: list[str]) -> None:
    """Raise RebuildError unless an installer succeeded, with the distribution it failed for."""
    if done.returncode == 0:
        return
    # As one line: long ones are broken, anywhere.
    said = " ".join(_words(done.stderr or done.stdout))
    tool = "pip-tools" if "piptools" in command else Path(command[0]).name
    if _OFFLINE.search(said):
        raise RebuildError(
            f"{tool} could not reach the package index: is there a network? ({said[-300:]})",
            code="network",
        )
    if _HASH.search(said):
        raise RebuildError(
            f"{tool} got a file of another hash than the lock has: it was changed on its way or"
            f" at its source; nothing was installed ({said[-300:]})",
            code="hash-mismatch",
        )
    for code, pattern in _TOLD:
        found = pattern.search(said)
        if found:
            name, _, version = found[1].partition("==")
            name = canonicalize_name(name)
            told = _SENTENCES[code].format(f"{name} {version}".strip())
            # That it is not there needs no other words; why a build failed does.
            words = "" if code == "distribution-gone" else f" ({said[-300:]})"
            raise RebuildError(f"{tool}: {told}{words}", code=code, distribution=name)
    raise RebuildError(f"{tool} failed: {said[-300:] or 'it said nothing'}")


def yanked(said: str) -> dict[str, str]:
    """Return what was installed though its makers took it back: name to their reason."""
    found = [*_YANKED.findall(" ".join(said.split())), *_YANKED_PIP.findall(said)]
    return {canonicalize_name(name): why.strip() or "no reason" for name, _, why in found}


def _words(said: str) -> Iterator[str]:
    """Give the lines that say why it failed, without what they are adorned with."""
    for line in said.splitlines():
        text = line.strip(" ×╰─▶│├")
        if text and not text.startswith(("Using Python", "Resolved ", "warning:")):
            yield text
