"""Artifacts and sidecars of which a plan is made, for tests that need no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capsule.artifact import Artifact
from capsule.consent.plan import Plan
from capsule.guest.digest import embedded_key
from capsule.manifest import Manifest
from tests.bare import encoded
from tests.making import manifest_json, manifest_with, plan_of

CODE = encoded(lambda x: x)
KEY = embedded_key(CODE, None, None)
OTHER_CODE = encoded(lambda x: -x)
OTHER_KEY = embedded_key(OTHER_CODE, None, None)
ROOT = "__main__:<lambda>"
HELPER = "__main__:helper"


def stored(code: str = CODE, defaults: Any = None, closure: Any = None) -> dict[str, Any]:
    """Return a function as Keras 3 stores its bytecode."""
    config = {"code": code, "defaults": defaults, "closure": closure}
    return {"class_name": "__lambda__", "config": config}


def by_name(name: str, module: str | None = "mine") -> dict[str, Any]:
    """Return a function as Keras 3 stores it by its name."""
    return {"module": module, "class_name": "function", "config": name}


def layer(name: str = "lambda", **config: Any) -> dict[str, Any]:
    """Return the entry of a Lambda layer with that configuration."""
    return {"class_name": "Lambda", "config": {"name": name, **config}}


def artifact(*layers: Any, form: str = "keras-zip", training: Any = None) -> Artifact:
    """Return a model file of these layers; of one Lambda with bytecode if there are none."""
    layers = layers or (layer(function=stored()),)
    config = {"class_name": "Functional", "config": {"name": "model", "layers": list(layers)}}
    return Artifact(Path("m.keras"), form, 1, "a" * 64, config, training, None, None)


def function(**facts: Any) -> dict[str, Any]:
    """Return a sidecar's entry for the function of ``artifact()``, with other facts."""
    return {**manifest_json()["functions"][0], "key": KEY, **facts}


def node(source: str | None = "def helper(x): return x", **facts: Any) -> dict[str, Any]:
    """Return a definition of the user's own, as a sidecar has it."""
    plain = {"kind": "function", "module": "__main__", "qualname": "helper", "names": []}
    return {**plain, "namespace": "__main__", "origin": "main", **{"source": source, **facts}}


def module(source: str | None = "X = 1", *names: Any, **facts: Any) -> dict[str, Any]:
    """Return a module of the user's own, as a sidecar has it."""
    return {"kind": "module", "origin": "local", "source": source, "names": list(names), **facts}


def edge(to: str, how: str = "global", name: str = "helper", **facts: Any) -> dict[str, Any]:
    """Return what a name of a definition stands for: another node."""
    return {"name": name, "how": how, "to": to, **facts}


def value(content: Any, how: str = "global", name: str = "N") -> dict[str, Any]:
    """Return what a name of a definition stands for: plain data."""
    return {"name": name, "how": how, "value": content}


def as_read(nodes: dict[str, Any]) -> dict[str, Any]:
    """Return *nodes* as the guest reads them in a plan."""
    return {name: {"futures": [], "code": None, **facts} for name, facts in nodes.items()}


def root(*names: Any, **facts: Any) -> dict[str, Any]:
    """Return the lambda of ``artifact()`` as a sidecar has it, with these names."""
    plain = node("lambda x: helper(x)", kind="lambda", qualname="<lambda>", names=list(names))
    return {**plain, **facts}


def chain(**changes: Any) -> dict[str, Any]:
    """Return a lambda that reaches a helper, which reaches a constant and a local module."""
    nodes = {
        ROOT: root(edge(HELPER)),
        HELPER: node(names=[value(3), edge("mine", name="mine")]),
        "mine": module(),
    }
    for name, facts in changes.items():
        nodes[{"root": ROOT, "helper": HELPER}.get(name, name)].update(facts)
    return nodes


def manifest(nodes: Any = None, *functions: Any, **parts: Any) -> Manifest:
    """Return a sidecar with these nodes and functions: those of ``artifact()`` if there are none."""
    return manifest_with(functions=list(functions) or [function()], nodes=nodes or chain(), **parts)


def digest(plan: Plan) -> str:
    """Return the digest of the one function that *plan* would run."""
    (planned,) = plan.consent.functions
    return planned.digest


def digest_of(nodes: Any, entry: Any = None, sidecar_entry: Any = None) -> str:
    """Return the digest of one function: its definitions, its entry in file and in sidecar."""
    file = artifact(layer(function=entry or stored()))
    return digest(plan_of(file, manifest(nodes, sidecar_entry or function())))


def two_functions() -> tuple[Artifact, Manifest]:
    """Return a file of two functions, and its sidecar."""
    file = artifact(layer(function=stored()), layer("second", function=stored(OTHER_CODE)))
    second = function(where=["second"], key=OTHER_KEY, node=HELPER)
    return file, manifest(None, function(), second)


# A file of two layers that store one bytecode.
ALIKE = artifact(layer(function=stored()), layer("second", function=stored()))
