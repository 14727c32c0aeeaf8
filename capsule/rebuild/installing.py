"""Installers run, and their failures told apart: which distribution, and why not."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from capsule.rebuild.cache_folder import cache_folder
from capsule.rebuild.errors import RebuildCode, RebuildError

# The user's index settings reach the installers; whatever would bend them does not.
_BENDS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")
_OFFLINE = re.compile(
    r"dns error|Connection refused|Could not connect|Network is unreachable|offline|"
    r"Temporary failure in name resolution|Max retries exceeded|NewConnectionError|tcp connect",
    re.IGNORECASE,
)
_HASH = re.compile(r"[Hh]ash mismatch|DO NOT MATCH THE HASHES")
# What each installer says of one distribution that it can't have, by what that means.
_FAILURES: tuple[tuple[RebuildCode, re.Pattern[str]], ...] = (
    ("no-wheel", re.compile(r"Because (\S+) has no (?:usable )?wheels")),
    ("no-wheel", re.compile(r"Wheels are required for `(\S+?)`")),
    ("address-gone", re.compile(r"`(\S+) @ [^`]+`.*(?:Git operation failed|error \(404)")),
    ("build-failed", re.compile(r"[Ff]ailed to (?:download and )?build `([A-Za-z0-9._=-]+)")),
    ("build-failed", re.compile(r"Failed building wheel for ([A-Za-z0-9._-]+)")),
    ("distribution-gone", re.compile(r"no version of (\S+)")),
    ("distribution-gone", re.compile(r"Because (\S+) was not found in")),
    ("distribution-gone", re.compile(r"version that satisfies the requirement (\S+)")),
)
_SENTENCES: dict[RebuildCode, str] = {
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


def start(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run an installer to its end, whatever that is.

    It starts in the cache, which is the user's alone: installers obey a uv.toml that lies in
    the current folder, or in any above it.
    """
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name not in _BENDS},
        cwd=cache_folder(),
    )


def run(command: Sequence[str]) -> str:
    """Run an installer; return what it reported. Raises RebuildError as `require_success` does."""
    process = start(command)
    require_success(process)
    return process.stderr


def require_success(process: subprocess.CompletedProcess[str]) -> None:
    """Raise RebuildError unless an installer succeeded.

    The error is one sentence with the last words of the installer; its ``code`` says why, and
    its ``distribution`` for which one it failed.
    """
    if process.returncode == 0:
        return
    # As one line: long ones are broken, anywhere.
    output = " ".join(_message_lines(process.stderr or process.stdout))
    tool = "pip-tools" if "piptools" in process.args else Path(process.args[0]).name
    if _OFFLINE.search(output):
        raise RebuildError(
            f"{tool} could not reach the package index: is there a network? ({output[-300:]})",
            code="network",
        )
    if _HASH.search(output):
        raise RebuildError(
            f"{tool} got a file of another hash than the lock has: it was changed on its way or"
            f" at its source; nothing was installed ({output[-300:]})",
            code="hash-mismatch",
        )
    for code, pattern in _FAILURES:
        match = pattern.search(output)
        if match:
            name, _, version = match[1].partition("==")
            name = canonicalize_name(name)
            sentence = _SENTENCES[code].format(f"{name} {version}".strip())
            # That it is not there needs no other words; why a build failed does.
            words = "" if code == "distribution-gone" else f" ({output[-300:]})"
            raise RebuildError(f"{tool}: {sentence}{words}", code=code, distribution=name)
    raise RebuildError(f"{tool} failed: {output[-300:] or 'it gave no reason'}")


def read_yanked(output: str) -> dict[str, str]:
    """Return what was installed though its makers took it back: name to their reason."""
    rows = [*_YANKED.findall(" ".join(output.split())), *_YANKED_PIP.findall(output)]
    return {canonicalize_name(name): reason.strip() or "no reason" for name, _, reason in rows}


def _message_lines(output: str) -> Iterator[str]:
    """Give the lines that say why an installer failed, without what they are adorned with."""
    for line in output.splitlines():
        text = line.strip(" ×╰─▶│├")
        if text and not text.startswith(("Using Python", "Resolved ", "warning:")):
            yield text
