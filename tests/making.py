"""Whole sidecars and environments for tests that need no framework."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capsule.artifact import Artifact, Identity, identify
from capsule.consent.consent import Trust
from capsule.consent.plan import Plan, make_plan
from capsule.description.custom import CustomObjects
from capsule.description.describe import Description
from capsule.environment import Environment
from capsule.inspection.inspecting import read_artifact
from capsule.manifest import Manifest, PlatformFacts, PythonFacts
from capsule.manifest.parse import manifest_from_json
from capsule.verdict import Finding, Verdict, judge
from capsule.verdict.codes import REGISTRY
from capsule.verdict.judge import findings_at_save

VERSIONS = {"keras": "3.15.1", "tensorflow-cpu": "2.21.0", "numpy": "2.4.6", "jupyter": "1.0"}

_MANIFEST: dict[str, Any] = {
    "capsule": "1.0",
    "origin": "recorded",
    "created": "2026-01-01T00:00:00+00:00",
    "created_by": "capsule 0.1.0",
    "artifact": {"name": "model.h5", "format": "keras-h5", "size": 3, "sha256": "a" * 64},
    "python": {"implementation": "cpython", "version": "3.11.7", "magic": 3495, "abi": "cp311"},
    "platform": {"system": "Linux", "machine": "x86_64", "libc": ["glibc", "2.36"]},
    "keras": {
        "module": "keras",
        "version": "3.15.1",
        "distribution": "keras",
        "backend": "tensorflow",
        "backend_version": "2.21.0",
        "backend_distribution": "tensorflow-cpu",
    },
    "settings": {
        "floatx": "float32",
        "epsilon": 1e-07,
        "image_data_format": "channels_last",
        "dtype_policy": "float32",
    },
    "environment_variables": {},
    "distributions": [
        {
            "name": name,
            "version": version,
            "requires": ["numpy"] if name == "keras" else [],
            "direct_url": None,
            "installer": "uv",
        }
        for name, version in VERSIONS.items()
    ],
    "functions": [
        {
            "where": ["lambda"],
            "role": "function",
            "name": "<lambda>",
            "encoding": "keras3",
            "key": "sha256:1",
            "code_sha256": "b" * 64,
            "defaults": False,
            "closure": False,
            "module": None,
            "node": "__main__:<lambda>",
            "damaged": False,
        }
    ],
    "nodes": {
        "__main__:<lambda>": {
            "kind": "lambda",
            "module": "__main__",
            "qualname": "<lambda>",
            "namespace": "__main__",
            "origin": "main",
            "file": "train.py",
            "line": 4,
            "source": "lambda x: np.tanh(x)",
            "code": {"sha256": "c" * 64, "magic": 3495, "base64": None},
            "names": [{"name": "np", "how": "global", "to": "numpy", "attributes": ["tanh"]}],
        },
        "numpy": {"kind": "module", "origin": "distribution", "distribution": "numpy", "names": []},
    },
    "model": {
        "class_name": "Sequential",
        "unbuilt": [],
        "stateful": [],
        "custom": [],
        "losses": [],
        "metrics": [],
        "arguments": [],
        "adapted": [],
        "operations": [],
        "subclassed": False,
        "warnings": [],
        "inputs": [{"name": "x", "shape": [None, 10], "dtype": "float32"}],
        "outputs": [{"name": "y", "shape": [None, 5], "dtype": "float32"}],
    },
    "probe": {
        "inputs": [{"shape": [2, 10], "dtype": "float32", "seed": 20, "low": -1, "high": 1}],
        "examples": [],
        "outputs": [{"shape": [1], "dtype": "float32", "base64": "AACAPw=="}],
        "skipped": None,
    },
    "problems": [],
}


def manifest_json() -> dict[str, Any]:
    """Return the JSON of a sidecar: a lambda that reaches numpy, in Keras 3."""
    return copy.deepcopy(_MANIFEST)


def manifest_with(**parts: Any) -> Manifest:
    """Return that sidecar with some of its keys replaced or, for objects, updated."""
    data = manifest_json()
    for key, value in parts.items():
        if isinstance(data[key], dict) and isinstance(value, dict) and key != "nodes":
            data[key].update(value)
        else:
            data[key] = value
    return manifest_from_json(data)


def environment_with(
    python: str = "3.11.7",
    magic: int = 3495,
    settings: dict[str, Any] | None = None,
    machine: str = "x86_64",
    **versions: str | None,
) -> Environment:
    """Return an environment like the sidecar's but for what is named (underscores as hyphens)."""
    installed = dict(VERSIONS)
    for name, version in versions.items():
        installed.pop(name.replace("_", "-"), None)
        if version is not None:
            installed[name.replace("_", "-")] = version
    return Environment(
        kind="live",
        python=PythonFacts("cpython", python, magic, ""),
        platform=PlatformFacts("Linux", machine, ("glibc", "2.36")),
        markers={},
        executable="python",
        base_executable="python",
        paths=(),
        distributions=installed,
        settings=settings or {},
    )


def custom(names: Collection[str] = (), bind: Mapping[str, Any] | None = None) -> CustomObjects:
    """Return custom objects of those *names*, and values to *bind*."""
    return CustomObjects(bind=bind or {}, objects=dict.fromkeys(names))


def described(
    manifest: Manifest,
    *,
    custom_objects: Collection[str] = (),
    intact: bool = True,
    path: str = "",
    config: Any = None,
) -> Description:
    """Return what is known of a model with that sidecar.

    Parameters
    ----------
    manifest
        What the sidecar says.
    custom_objects
        Names that the caller passes as custom objects.
    intact
        Whether the model file is the one that the sidecar describes.
    path
        Where the model file lies, if not here.
    config
        The configuration in the model file, if it is read at all.
    """
    facts = manifest.artifact
    sha256 = facts.sha256 if intact else "f" * 64
    identity = Identity(facts.format, facts.size, sha256)  # type: ignore[arg-type]
    place = Path(path or facts.name)
    description = Description(place, identity, manifest, custom(custom_objects))
    config = config or {"class_name": "Sequential", "config": {"name": "m", "layers": []}}
    version = manifest.keras.version if manifest.keras else None
    artifact = Artifact(place, *identity, config, None, version, None)
    return description.with_artifact(artifact)


def verdict_of(
    manifest: Manifest,
    environment: Environment,
    *,
    custom_objects: Collection[str] = (),
    intact: bool = True,
) -> Verdict:
    """Return the verdict for a model with that sidecar; parameters as in `described`."""
    return judge(described(manifest, custom_objects=custom_objects, intact=intact), environment)


def described_file(
    path: Path,
    *,
    custom_objects: Collection[str] = (),
    bind: Mapping[str, Any] | None = None,
) -> Description:
    """Return what is known of a model file without a sidecar, read in this process.

    Parameters
    ----------
    path
        The file.
    custom_objects
        Names that the caller passes as custom objects.
    bind
        Values for names that nothing in the file defines.
    """
    identity = identify(path)
    reading = read_artifact(path, identity, isolated=False)
    supplied = custom(custom_objects, bind)
    return Description.inferred_from(path, identity, reading, supplied)


def verdict_of_file(
    path: Path,
    environment: Environment,
    *,
    custom_objects: Collection[str] = (),
    bind: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return the verdict for a model file without a sidecar; as in `described_file`."""
    return judge(described_file(path, custom_objects=custom_objects, bind=bind), environment)


def registered_codes() -> set[str]:
    """Return the name of every finding code."""
    return set(REGISTRY)


def save_warnings_of(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what a person hears at save of a model with that sidecar."""
    return findings_at_save(manifest)


@dataclass(frozen=True)
class Built:
    """A configuration for the guest to build, as a plan bears it."""

    config: Any

    def to_json(self) -> Any:
        return self.config


def plan_of(
    artifact: Artifact,
    manifest: Manifest,
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    keras: str | None = None,
    build: Any = None,
) -> Plan:
    """Return the plan for loading *artifact* with the definitions of *manifest*.

    Parameters
    ----------
    artifact, manifest
        The model file, and what its sidecar says.
    safe_mode, trust
        What is allowed, as ``capsule.load`` takes it.
    keras
        The module of the Keras that shall load it.
    build
        A configuration to build in place of the file's own.
    """
    description = described(manifest).with_artifact(artifact)
    configuration = None if build is None else Built(build)
    return make_plan(description, Trust.of(safe_mode, trust), keras=keras, build=configuration)
