"""Whole sidecars and environments for tests that need no framework."""

from __future__ import annotations

import ast
import copy
import dataclasses
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import capsule
from capsule.artifact import identify, open_artifact
from capsule.environment import Environment
from capsule.inspection import inspect
from capsule.manifest import Manifest, PlatformFacts, PythonFacts
from capsule.validation import manifest_from_json
from capsule.verdict import Finding, Verdict, judge
from capsule.verdict.judging import judge_bare
from capsule.verdict.rules import findings_at_save

VERSIONS = {"keras": "3.15.1", "tensorflow-cpu": "2.21.0", "numpy": "2.4.6", "jupyter": "1.0"}

_MANIFEST: dict[str, Any] = {
    "capsule": "1.0",
    "origin": "saved",
    "created": "2026-01-01T00:00:00+00:00",
    "created_by": "capsule 0.1.0",
    "artifact": {"name": "model.h5", "format": "keras-h5", "size": 3, "sha256": "a" * 64},
    "python": {"implementation": "cpython", "version": "3.11.7", "magic": 3495, "abi": "cp311"},
    "platform": {"system": "Linux", "machine": "x86_64", "libc": ["glibc", "2.36"]},
    "keras": {
        "module": "keras", "version": "3.15.1", "distribution": "keras", "backend": "tensorflow",
        "backend_version": "2.21.0", "backend_distribution": "tensorflow-cpu",
    },
    "settings": {
        "floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last",
        "dtype_policy": "float32",
    },
    "environment_variables": {},
    "distributions": [
        {"name": name, "version": version, "requires": ["numpy"] if name == "keras" else [],
         "direct_url": None, "installer": "uv"}
        for name, version in VERSIONS.items()
    ],
    "functions": [
        {
            "where": ["lambda"], "role": "function", "name": "<lambda>", "encoding": "keras3",
            "key": "sha256:1", "code_sha256": "b" * 64, "defaults": False, "closure": False,
            "module": None, "node": "__main__:<lambda>",
        }
    ],
    "nodes": {
        "__main__:<lambda>": {
            "kind": "lambda", "module": "__main__", "qualname": "<lambda>",
            "namespace": "__main__", "origin": "main", "file": "train.py", "line": 4,
            "source": "lambda x: np.tanh(x)",
            "code": {"sha256": "c" * 64, "magic": 3495, "base64": None},
            "names": [{"name": "np", "how": "global", "to": "numpy", "attributes": ["tanh"]}],
        },
        "numpy": {"kind": "module", "origin": "distribution", "distribution": "numpy",
                  "names": []},
    },
    "model": {
        "class_name": "Sequential", "unbuilt": [], "stateful": [], "custom": [],
        "losses": [], "metrics": [], "arguments": [], "adapted": [],
        "operations": [], "doubts": [],
        "inputs": [{"name": "x", "shape": [None, 10], "dtype": "float32"}],
        "outputs": [{"name": "y", "shape": [None, 5], "dtype": "float32"}],
    },
    "probe": {
        "inputs": [{"shape": [2, 10], "dtype": "float32", "seed": 20, "low": -1, "high": 1}],
        "given": [],
        "outputs": [{"shape": [1], "dtype": "float32", "base64": "AACAPw=="}],
        "skipped": None,
    },
    "problems": [],
}  # fmt: skip


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
    python: str = "3.11.7", magic: int = 3495, settings: dict[str, Any] | None = None,
    machine: str = "x86_64", **versions: str | None,
) -> Environment:  # fmt: skip
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


def verdict_of(
    manifest: Manifest,
    environment: Environment,
    *,
    custom_objects: Collection[str] = (),
    intact: bool = True,
) -> Verdict:
    """Return the verdict for a model with that sidecar.

    Parameters
    ----------
    manifest
        What the sidecar says.
    environment
        Where somebody wants to load the model.
    custom_objects
        Names that the caller passes as custom objects.
    intact
        Whether the model file is the one that the sidecar describes.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, manifest.artifact.name)
        path.write_bytes(b"\x89HDF\r\n\x1a\n")
        if intact:
            facts = dataclasses.replace(manifest.artifact, sha256=identify(path)[2])
            manifest = dataclasses.replace(manifest, artifact=facts)
        return judge(path, manifest, environment, custom_objects)


def verdict_of_file(
    path: Path,
    environment: Environment,
    *,
    custom_objects: Collection[str] = (),
    bind: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return the verdict for a model file without a sidecar.

    Parameters
    ----------
    path
        The file; it is read in this process.
    environment
        Where somebody wants to load the model.
    custom_objects
        Names that the caller passes as custom objects.
    bind
        Values for names that nothing in the file defines.
    """
    inspection = inspect(path, isolated=False)
    artifact = open_artifact(path, isolated=False, weights_alone=True)
    return judge_bare(path, inspection, artifact, environment, custom_objects, bind)


def emitted_codes() -> set[str]:
    """Return the code of every finding that the verdict's source code can emit."""
    root = Path(capsule.__file__).parent
    codes: set[str] = set()
    for path in (root / "verdict").rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                codes.update(_codes_in(function))
    # The verdict passes on what the inspection says of a file's form.
    troubles = ast.parse((root / "inspection" / "troubles.py").read_text(encoding="utf-8"))
    for node in ast.walk(troubles):
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            codes.add(ast.literal_eval(node.value.elts[0]))
    return codes


def _codes_in(function: ast.FunctionDef) -> Iterator[str]:
    """Give the codes of the findings that *function* makes, each written out as a literal."""
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        if call.func.id in ("Finding", "_no"):
            arguments = [*call.args, *(word.value for word in call.keywords if word.arg == "code")]
            if isinstance(arguments[0], ast.Constant):
                yield str(arguments[0].value)
            elif function.name not in ("_no", "_form"):
                raise AssertionError(f"{function.name} emits a code that no test can read")


def save_warnings_of(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what a person hears at save of a model with that sidecar."""
    return findings_at_save(manifest)
