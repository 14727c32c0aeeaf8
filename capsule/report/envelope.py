"""The JSON that pipelines read: one object on standard output, its keys fixed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # only what a command uses is imported when it runs
    from capsule.artifact import Artifact
    from capsule.environment import Environment
    from capsule.errors import CapsuleError
    from capsule.inspection import Inspection
    from capsule.manifest import ArtifactFacts
    from capsule.rebuild.cached_environment import CachedEnvironment
    from capsule.report.text import Replay
    from capsule.verdict import Finding, Verdict

VERSION = "1.0"


def envelope(command: str, results: Iterable[dict[str, Any]]) -> str:
    """Return the one JSON object of a command."""
    whole = {"capsule": VERSION, "command": command, "results": list(results)}
    return json.dumps(whole, indent=1, ensure_ascii=True)


def result(
    path: str,
    *,
    facts: ArtifactFacts | Artifact | Inspection | None = None,
    findings: Iterable[Finding] = (),
    error: CapsuleError | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return what every result bears, with a command's own keys in *more*."""
    return {
        "artifact": {
            "path": path,
            "format": facts.format if facts else None,
            "sha256": facts.sha256 if facts else None,
            "size": facts.size if facts else None,
        },
        "error": {"code": error.code, "message": error.message} if error else None,
        "findings": [finding.to_json() for finding in findings],
        **more,
    }


def verdict_json(verdict: Verdict) -> dict[str, str]:
    """Return the three answers."""
    return {"keras": verdict.keras, "capsule": verdict.capsule, "same": verdict.same}


def verdict_result(path: str, verdict: Verdict) -> dict[str, Any]:
    """Return the result of ``verify`` for one artifact."""
    return result(
        path,
        facts=verdict.facts,
        findings=verdict.findings,
        manifest="inferred" if verdict.manifest.origin == "inferred" else "recorded",
        environment=environment_json(verdict.environment),
        verdict=verdict_json(verdict),
    )


def environment_json(environment: Environment) -> dict[str, Any]:
    """Return an environment as a result bears it."""
    return {
        "kind": environment.kind,
        "python": environment.python.version,
        "implementation": environment.python.implementation,
        "executable": environment.executable,
    }


def replay_result(
    path: str, replay: Replay | None, probe: dict[str, Any] | None, error: CapsuleError | None
) -> dict[str, Any]:
    """Return the result of ``replay``; *replay* is None where nothing was resolved."""
    if replay is None:
        return result(
            path, error=error, environment=None, probe=None, functions=[], needs_building=[]
        )
    keys = ("agrees", "exactly", "max_abs", "max_rel", "rtol", "atol", "reason")
    return result(
        path,
        facts=replay.resolution.description.artifact,
        findings=replay.resolution.findings,
        error=error,
        environment=None
        if replay.environment is None
        else cached_environment_json(replay.environment, replay.seconds),
        probe=None if probe is None else {key: probe[key] for key in keys},
        functions=[
            {
                "where": list(function.where),
                "role": function.role,
                "name": function.name,
                "digest": function.digest,
                "source": function.source,
                "reaches": list(function.reaches),
            }
            for function in replay.resolution.plan.consent.functions
        ],
        needs_building=list(replay.needs_building),
    )


def cached_environment_json(environment: CachedEnvironment, seconds: float) -> dict[str, Any]:
    """Return an environment that was rebuilt, in so many seconds, as a result bears it."""
    pins, installation = environment.pins, environment.installation
    return {
        "path": str(environment.folder),
        "python": environment.recipe.python.version,
        "backend": environment.recipe.installer.name,
        "cached": environment.cached,
        "seconds": round(seconds, 3),
        "relaxed": {
            name: {"expected": before, "found": pins.versions[name]}
            for name, before in pins.relaxed.items()
        },
        "yanked": dict(installation.yanked),
        "from_source": list(installation.from_source),
        "from_index": list(pins.moved),
        "left_out": list(pins.left_out),
    }


def error_result(path: str, error: CapsuleError) -> dict[str, Any]:
    """Return the result for an artifact of which nothing could be said."""
    manifest = "none" if error.code == "manifest-missing" else None
    return result(path, error=error, manifest=manifest, environment=None, verdict=None)
