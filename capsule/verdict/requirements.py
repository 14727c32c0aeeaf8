"""What distributions require of each other, as they said when the model was saved."""

from __future__ import annotations

import re
from collections import deque

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from capsule.manifest import Manifest, PlatformFacts
from capsule.verdict.finding import Reach


def required(manifest: Manifest, roots: list[str]) -> dict[str, Reach]:
    """Return the distributions that *roots* need, themselves included, with their reach."""
    installed = {d.name: d for d in manifest.distributions or ()}
    environment = markers_of(manifest)
    reaches: dict[str, Reach] = {}
    waiting: deque[tuple[str, tuple[str, ...], Reach]] = deque(
        (root, (), ("model", root)) for root in roots
    )
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, extras, reach = waiting.popleft()
        if (name, extras) in seen or name not in installed:
            continue
        seen.add((name, extras))
        reaches.setdefault(name, reach)
        for text in installed[name].requires:
            requirement = parsed_requirement(text)
            if any(_applies(requirement, {**environment, "extra": e}) for e in ("", *extras)):
                needed = canonicalize_name(requirement.name)
                waiting.append((needed, tuple(sorted(requirement.extras)), (*reach, needed)))
    return reaches


def parsed_requirement(text: str) -> Requirement:
    """Return one requirement; of one in a form that no longer is one, the name alone."""
    try:
        return Requirement(text)
    except (InvalidRequirement, ValueError, RecursionError):
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
        return Requirement(name[0].rstrip("._-") if name else "unknown")


def _applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return True  # a marker that says nothing keeps nothing out


def markers_of(manifest: Manifest) -> dict[str, str]:
    """Return the PEP 508 markers of the environment that the manifest describes."""
    python, platform = manifest.python, manifest.platform or PlatformFacts("", "")
    version = python.version or f"{python.minor}.0"
    systems = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return {
        "implementation_name": python.implementation,
        "implementation_version": version,
        "os_name": "nt" if platform.system == "Windows" else "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": names.get(python.implementation, python.implementation),
        "platform_release": "",
        "platform_system": platform.system,
        "platform_version": "",
        "python_full_version": version,
        "python_version": python.minor,
        "sys_platform": systems.get(platform.system, platform.system.lower()),
    }
