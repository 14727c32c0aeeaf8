"""Consent: what would run is listed, and a digest covers all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsule.artifact import Artifact
from capsule.consent.plan import Plan, Trust
from capsule.errors import ConsentError
from capsule.guest.digest import carried_key
from capsule.manifest import Manifest
from tests.making import manifest_json, manifest_with, plan_of
from tests.unit.test_artifact import CODE, KERAS3, layer, model

KEY = carried_key(CODE, None, None)


def artifact(*layers: Any) -> Artifact:
    config = model(*(layers or [layer("lambda", function=KERAS3)]))
    return Artifact(Path("m.keras"), "keras-zip", 1, "a" * 64, config, None, None, None)


def manifest(nodes: Any = None, **function: Any) -> Manifest:
    data = {**manifest_json()["functions"][0], "key": KEY, **function}
    return manifest_with(functions=[data], nodes=nodes or chain())


def chain(**change: Any) -> dict[str, Any]:
    """A lambda that reaches a helper, which reaches a constant and a local module."""
    node = manifest_json()["nodes"]["__main__:<lambda>"]
    helper = {
        **node,
        "kind": "function",
        "qualname": "helper",
        "source": "def helper(x): return x",
        "names": [
            {"name": "N", "how": "global", "value": 3},
            {"name": "mine", "how": "global", "to": "mine"},
        ],
    }
    nodes = {
        "__main__:<lambda>": {
            **node,
            "names": [{"name": "helper", "how": "global", "to": "__main__:helper"}],
        },
        "__main__:helper": helper,
        "mine": {"kind": "module", "origin": "local", "source": "X = 1", "names": []},
    }
    for path, value in change.items():
        nodes[{"helper": "__main__:helper"}.get(path, path)].update(value)
    return nodes


def digest(plan: Plan) -> str:
    (planned,) = plan.consent.functions
    return planned.digest


def test_without_consent_nothing_is_allowed_and_everything_listed() -> None:
    plan = plan_of(artifact(), manifest())
    with pytest.raises(ConsentError) as caught:
        plan.consent.require("m.keras")
    message = str(caught.value)
    for part in ("lambda", "helper", "mine", digest(plan), "safe_mode=False", "trust="):
        assert part in message


def test_safe_mode_off_or_the_digest_itself_is_consent() -> None:
    plan_of(artifact(), manifest(), Trust(safe_mode=False)).consent.require("m")
    trusted = digest(plan_of(artifact(), manifest()))
    plan_of(artifact(), manifest(), Trust.of(True, [trusted])).consent.require("m")
    with pytest.raises(ConsentError):
        plan_of(artifact(), manifest(), Trust.of(True, ["sha256:other"])).consent.require("m")


@pytest.mark.parametrize(
    "nodes",
    [
        chain(helper={"source": "def helper(x): return evil(x)"}),
        chain(helper={"names": [{"name": "N", "how": "global", "value": 4}]}),
        chain(mine={"source": "X = 2"}),
    ],
    ids=["a changed helper", "a changed value", "a changed module"],
)
def test_trust_does_not_outlive_a_change_of_anything_reached(nodes: Any) -> None:
    trusted = digest(plan_of(artifact(), manifest()))
    with pytest.raises(ConsentError):
        plan_of(artifact(), manifest(nodes), Trust.of(True, [trusted])).consent.require("m")


def test_trust_is_no_consent_where_there_is_nothing_to_trust() -> None:
    none = artifact({"class_name": "Dense", "config": {"name": "d"}})
    assert not plan_of(none, manifest(), Trust.of(True, ["sha256:any"])).consent.given


def test_trust_in_functions_does_not_cover_classes_of_others() -> None:
    other = {"class_name": "Popen", "module": "subprocess", "config": {"name": "x"}}
    whole = artifact(layer("lambda", function=KERAS3), other)
    trusted = digest(plan_of(artifact(), manifest()))
    plan = plan_of(whole, manifest(), Trust.of(True, [trusted]))
    assert not plan.consent.given
    with pytest.raises(ConsentError, match=r"subprocess\.Popen"):
        plan.consent.require("m.keras")


def test_trust_never_allows_builds() -> None:
    trusted = digest(plan_of(artifact(), manifest()))
    assert not plan_of(artifact(), manifest(), Trust.of(True, [trusted])).consent.builds
    assert plan_of(artifact(), manifest(), Trust(safe_mode=False)).consent.builds


def test_the_module_of_a_function_stored_by_name_is_part_of_its_digest() -> None:
    def named(module: str) -> str:
        stored = {"class_name": "function", "module": module, "config": "run"}
        return digest(plan_of(artifact(layer("lambda", function=stored)), manifest()))

    assert named("mine") != named("subprocess")


def test_one_definition_met_twice_is_one_function() -> None:
    nodes = chain()
    nodes["__main__:<lambda>#2"] = dict(nodes["__main__:<lambda>"])
    data = {**manifest_json()["functions"][0], "key": KEY}
    both = manifest_with(
        functions=[data, {**data, "where": ["second"], "node": "__main__:<lambda>#2"}], nodes=nodes
    )
    plan = plan_of(
        artifact(layer("lambda", function=KERAS3), layer("second", function=KERAS3)), both
    )
    assert {function["node"] for function in plan.functions} == {"__main__:<lambda>"}


def test_where_a_function_stood_does_not_change_its_digest() -> None:
    moved = chain(helper={"file": "elsewhere.py", "line": 99})
    assert digest(plan_of(artifact(), manifest())) == digest(plan_of(artifact(), manifest(moved)))


def test_a_function_that_the_sidecar_hides_is_listed_all_the_same() -> None:
    hidden = artifact(layer("lambda", function=KERAS3), layer("second", function=KERAS3))
    trusted = digest(plan_of(artifact(), manifest()))
    plan = plan_of(hidden, manifest(), Trust.of(True, [trusted]))
    assert len(plan.consent.functions) == 2
    assert not plan.consent.given


def test_a_swapped_sidecar_defines_nothing() -> None:
    plan = plan_of(artifact(), manifest(key="sha256:" + "0" * 64), Trust(safe_mode=False))
    assert [function["node"] for function in plan.functions] == [None]
    assert plan.nodes == {}
