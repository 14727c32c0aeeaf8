"""Consent: what would run is listed, and a digest covers all of it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import Any

import pytest

from capsule.consent.consent import ConsentError
from capsule.guest.digest import code_bytes
from capsule.manifest import Node
from tests.making import plan_of
from tests.plans import (
    ALIKE,
    CODE,
    HELPER,
    KEY,
    OTHER_KEY,
    ROOT,
    artifact,
    by_name,
    chain,
    digest,
    function,
    layer,
    manifest,
    module,
    node,
    root,
    stored,
    two_functions,
)

DESCRIBED = "described"  # the origin of a sidecar that was written without the live model


def test_without_consent_nothing_is_allowed_and_everything_listed() -> None:
    plan = plan_of(artifact(), manifest())
    with pytest.raises(ConsentError) as caught:
        plan.consent.require("m.keras")
    message = str(caught.value)
    for part in ("lambda", "helper", "mine", digest(plan), "safe_mode=False", "trust="):
        assert part in message


def test_safe_mode_off_or_the_digest_itself_is_consent() -> None:
    plan_of(artifact(), manifest(), safe_mode=False).consent.require("m")
    trusted = digest(plan_of(artifact(), manifest()))
    plan_of(artifact(), manifest(), trust=[trusted]).consent.require("m")
    with pytest.raises(ConsentError):
        plan_of(artifact(), manifest(), trust=["sha256:other"]).consent.require("m")


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
        plan_of(artifact(), manifest(nodes), trust=[trusted]).consent.require("m")


def test_trust_is_no_consent_where_there_is_nothing_to_trust() -> None:
    none = artifact({"class_name": "Dense", "config": {"name": "d"}})
    assert not plan_of(none, manifest(), trust=["sha256:any"]).consent.allowed


def test_trust_in_functions_does_not_cover_classes_of_others() -> None:
    other = {"class_name": "Popen", "module": "subprocess", "config": {"name": "x"}}
    whole = artifact(layer(function=stored()), other)
    trusted = digest(plan_of(artifact(), manifest()))
    plan = plan_of(whole, manifest(), trust=[trusted])
    assert not plan.consent.allowed
    with pytest.raises(ConsentError, match=r"subprocess\.Popen"):
        plan.consent.require("m.keras")


def test_trust_never_allows_builds() -> None:
    trusted = digest(plan_of(artifact(), manifest()))
    assert not plan_of(artifact(), manifest(), trust=[trusted]).consent.builds
    assert plan_of(artifact(), manifest(), safe_mode=False).consent.builds


def test_the_module_of_a_function_stored_by_name_is_part_of_its_digest() -> None:
    def named(module: str) -> str:
        return digest(plan_of(artifact(layer(function=by_name("run", module))), manifest()))

    assert named("mine") != named("subprocess")


def test_one_definition_met_twice_is_one_function() -> None:
    nodes = chain()
    nodes["__main__:<lambda>#2"] = dict(nodes["__main__:<lambda>"])
    second = function(where=["second"], node="__main__:<lambda>#2")
    plan = plan_of(ALIKE, manifest(nodes, function(), second))
    assert {function["node"] for function in plan.functions} == {"__main__:<lambda>"}


def test_where_a_function_stood_does_not_change_its_digest() -> None:
    moved = chain(helper={"file": "elsewhere.py", "line": 99})
    assert digest(plan_of(artifact(), manifest())) == digest(plan_of(artifact(), manifest(moved)))


def test_a_function_that_the_sidecar_hides_is_listed_all_the_same() -> None:
    trusted = digest(plan_of(artifact(), manifest()))
    plan = plan_of(ALIKE, manifest(), trust=[trusted])
    assert len(plan.consent.functions) == 2
    assert not plan.consent.allowed


def test_a_swapped_sidecar_defines_nothing() -> None:
    plan = plan_of(artifact(), manifest(None, function(key="sha256:" + "0" * 64)), safe_mode=False)
    assert [function["node"] for function in plan.functions] == [None]
    assert plan.nodes == {}


@pytest.mark.parametrize(
    ("trusted", "foreign", "allowed"),
    [
        ([0, 1], False, True),
        ([1, 0, 0], False, True),
        ([0], False, False),
        ([1], False, False),
        ([], False, False),
        ([0, 1], True, False),
    ],
)
def test_trust_is_consent_where_it_covers_all_that_would_run(
    trusted: list[int], foreign: bool, allowed: bool
) -> None:
    file, facts = two_functions()
    digests = [planned.digest for planned in plan_of(file, facts).consent.functions]
    if foreign:
        popen = {"class_name": "Popen", "module": "subprocess", "config": {"name": "x"}}
        file = artifact(*file.config["config"]["layers"], popen)
    plan = plan_of(file, facts, trust=(digests[index] for index in trusted))
    assert plan.consent.allowed is allowed
    assert plan_of(file, facts, safe_mode=False).consent.allowed


def test_a_graph_is_allowed_by_its_digest() -> None:
    graph = artifact(form="saved-model")
    plan = plan_of(graph, manifest())
    assert [planned.label for planned in plan.consent.functions] == ["the graph"]
    assert not plan.consent.allowed
    assert plan_of(graph, manifest(), trust=[digest(plan)]).consent.allowed
    assert len(plan_of(artifact(), manifest()).consent.functions) == 1


def test_a_plan_says_all_that_the_guest_needs() -> None:
    build = {"config": {}, "weights": True, "translated": False}
    judged = dataclasses.replace(artifact(), judged={"model_config": "sha256:1"})
    plan = plan_of(judged, manifest(), keras="tf_keras", build=build)
    assert plan.to_json() == {
        "keras": "tf_keras",
        "format": "keras-zip",
        "model": {"inputs": [{"name": "x"}], "outputs": [{"name": "y"}]},
        "judged": {"model_config": "sha256:1"},
        "functions": [
            {
                "where": ["lambda"],
                "role": "function",
                "name": "<lambda>",
                "key": KEY,
                "node": ROOT,
            }
        ],
        "nodes": plan.nodes,
        "safe_mode": True,
        "build": build,
    }
    assert plan_of(judged, manifest()).keras == "keras"
    assert plan_of(judged, manifest(keras={"module": "tf_keras"})).keras == "tf_keras"
    assert plan_of(judged, manifest(keras=None, model=None)).to_json()["model"] == {}


def test_a_plan_brings_what_is_reached_and_no_more() -> None:
    plan = plan_of(artifact(), manifest({**chain(), "m3": module(), "n": node()}))
    assert set(plan.nodes) == {ROOT, HELPER, "mine"}
    helper = plan.nodes[HELPER]
    assert helper["source"] == "def helper(x): return x"
    assert [binding["value"] for binding in helper["names"]] == [3, None]
    assert set(helper) == {field.name for field in dataclasses.fields(Node)}


@pytest.mark.parametrize(
    ("config", "entry", "listed"),
    [
        # The file holds the name as a text, wherever.
        ({"activation": "f"}, {"name": "f"}, True),
        ({"activation": ["relu", "f"]}, {"name": "f"}, True),
        ({"activation": "relu"}, {"name": "f"}, False),
        ({"f": 1}, {"name": "f"}, False),
        # A function of bytecode is in the file or it is not.
        ({"activation": "f"}, {"name": "f", "key": "sha256:1"}, False),
        # Several in one place, of which the file's list is there.
        ({"function": stored()}, {"name": "f", "role": "function"}, True),
        ({"mask": stored()}, {"name": "f", "role": "function"}, False),
        ({"function": stored()}, {"name": "f", "role": "function", "where": ["b"]}, False),
        # Arguments of a Lambda, which Keras writes as it can.
        ({"function": stored(), "arguments": {"a": 1}}, {"name": "f", "role": "arguments"}, True),
        ({"function": stored(), "arguments": {}}, {"name": "f", "role": "arguments"}, False),
        ({"arguments": {"a": 1}}, {"name": "f", "role": "arguments"}, False),
        ({"function": stored(), "arguments": {"a": 1}}, {"name": "f", "role": "mask"}, False),
    ],
)
def test_what_the_sidecar_adds_is_listed_where_the_file_asks_for_it(
    config: Any, entry: Any, listed: bool
) -> None:
    added = function(
        **{"key": None, "role": "activation", "module": "mine", "node": HELPER, **entry}
    )
    plan = plan_of(artifact(layer(**config)), manifest(None, function(), added))
    names = [each["name"] for each in plan.functions if each["node"] == HELPER]
    assert names == (["f"] if listed else [])
    assert ("f" in [planned.name for planned in plan.consent.functions]) is listed


def test_what_file_and_sidecar_both_name_is_listed_once() -> None:
    entry = function(key=None, name="f", module="mine", node=HELPER)
    plan = plan_of(artifact(layer(function=by_name("f"))), manifest(None, entry))
    assert [(each["name"], each["node"]) for each in plan.functions] == [("f", HELPER)]


@pytest.mark.parametrize(
    ("entry", "defined"),
    [
        ({}, True),
        ({"name": "elsewhere called so"}, True),  # the bytecode is what counts
        ({"key": OTHER_KEY}, False),
        ({"key": None}, False),
        ({"where": ["second"]}, False),
        ({"where": ["model", "lambda"]}, False),
        ({"role": "mask"}, False),
        ({"node": None}, False),
    ],
)
def test_a_definition_is_for_the_bytecode_and_the_place_that_it_names(
    entry: Any, defined: bool
) -> None:
    plan = plan_of(artifact(), manifest(None, function(**entry)))
    assert plan.functions[0]["node"] == (ROOT if defined else None)
    assert bool(plan.nodes) is defined


@pytest.mark.parametrize(
    ("entry", "defined"),
    [
        ({"key": None, "name": "f"}, True),
        ({"key": None, "name": "g"}, False),
        ({"key": KEY, "name": "f"}, False),
        ({"key": None, "name": "f", "where": ["second"]}, False),
    ],
)
def test_a_definition_by_name_is_for_that_name_and_place(entry: Any, defined: bool) -> None:
    plan = plan_of(artifact(layer(function=by_name("f"))), manifest(None, function(**entry)))
    assert plan.functions[0]["node"] == (ROOT if defined else None)


def test_of_several_in_one_place_the_first_that_fits_defines() -> None:
    entries = [function(key=None, name=name, node=to) for name, to in (("g", ROOT), ("f", HELPER))]
    plan = plan_of(artifact(layer(function=by_name("f"))), manifest(None, *entries))
    assert plan.functions[0]["node"] == HELPER


def test_a_definition_without_source_gets_the_bytecode_of_the_file() -> None:
    code = {"sha256": "c" * 64, "magic": 3495, "base64": None}
    plan = plan_of(artifact(), manifest({ROOT: root(source=None, code=code)}))
    raw = code_bytes(CODE)
    assert plan.nodes[ROOT]["code"] == {
        "sha256": hashlib.sha256(raw).hexdigest(),
        "magic": 3495,
        "base64": base64.b64encode(raw).decode(),
    }


@pytest.mark.parametrize(
    "facts",
    [
        {"code": {"sha256": "c" * 64, "magic": 3495, "base64": None}},
        {"source": None, "code": {"sha256": "c" * 64, "magic": 3495, "base64": "AAAA"}},
    ],
    ids=["with source", "with bytecode of its own"],
)
def test_other_definitions_keep_the_code_that_they_have(facts: Any) -> None:
    assert plan_of(artifact(), manifest({ROOT: root(**facts)})).nodes[ROOT]["code"] == facts["code"]


def test_of_a_file_that_was_only_described_the_bytecode_is_all_there_is() -> None:
    stranger = function(where=["elsewhere"])
    described = manifest(None, stranger, origin=DESCRIBED)
    plan = plan_of(artifact(), described)
    (planned,) = plan.functions
    code = plan.nodes[planned["node"]]["code"]
    assert plan.nodes[planned["node"]]["kind"] == "function"
    assert plan.nodes[planned["node"]]["source"] is None
    assert code["magic"] == 3495
    assert base64.b64decode(code["base64"]) == code_bytes(CODE)
    assert code["sha256"] == hashlib.sha256(code_bytes(CODE)).hexdigest()
    unseen = plan_of(artifact(), manifest(None, stranger))
    assert unseen.functions[0]["node"] is None
    named = plan_of(artifact(layer(function=by_name("f"))), described)
    assert named.functions[0]["node"] is None


OWN = {"class_name": "Own", "module": "mine", "registered_name": "Own", "config": {"name": "own"}}


@pytest.mark.parametrize(
    ("nodes", "facts", "foreign"),
    [
        ({"Own": node(kind="class")}, [{}], ()),
        ({"Own": node(None, kind="class", origin="reference")}, [{}], ()),
        ({"Own": node(None, kind="lambda", origin="reference")}, [{}], ()),
        ({"Own": node(kind="class")}, [{"where": ["own"]}, {"where": ["again"]}], ()),
        ({"Own": node(kind="function")}, [{}], ("mine.Own",)),
        ({"Own": node(kind="class")}, [{"role": "layer"}], ("mine.Own",)),
        ({"Own": node(kind="class")}, [{"node": None}], ("mine.Own",)),
        (
            {"Own": node(kind="class"), "Own#2": node("class Own: pass", kind="class")},
            [{}, {"where": ["again"], "node": "Own#2"}],
            ("mine.Own",),
        ),
        ({"Own": node(kind="class")}, [{"name": "mine"}], ("mine.Own",)),
    ],
)
def test_a_class_that_loading_brings_is_no_class_of_others(
    nodes: Any, facts: Any, foreign: tuple[str, ...]
) -> None:
    plain = function(key=None, name="Own", role="class", node="Own", where=["own"])
    facts = manifest({**nodes, **chain()}, *({**plain, **each} for each in facts))
    assert plan_of(artifact(OWN), facts).consent.foreign == foreign
