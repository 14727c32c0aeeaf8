"""What a verdict says of one difference after another; never a wrong yes."""

from __future__ import annotations

from typing import Any

import pytest

from capsule.bytecode.pythons import same_family
from capsule.keras_compat.facts import removed_from_numpy
from capsule.manifest import Manifest
from capsule.verdict import QUESTIONS, Verdict
from capsule.verdict.judge import findings_at_save
from tests.making import environment_with, manifest_json, manifest_with, verdict_of


def verdict(manifest: Manifest | None = None, **environment: Any) -> Verdict:
    return verdict_of(manifest or manifest_with(), environment_with(**environment))


def answers(found: Verdict) -> tuple[str, ...]:
    return tuple(found.answer(question) for question in QUESTIONS)


def codes(found: Verdict) -> set[str]:
    return {finding.code for finding in found.findings}


PURE = {
    "__main__:<lambda>": {**manifest_json()["nodes"]["__main__:<lambda>"], "names": []},
}


def test_a_pure_lambda_in_its_own_environment_is_yes_three_times() -> None:
    assert answers(verdict(manifest_with(nodes=PURE))) == ("yes", "yes", "yes")


def test_a_lost_name_is_no_for_keras_and_yes_for_capsule() -> None:
    found = verdict()
    assert answers(found) == ("no", "yes", "yes")
    assert "np" in found.deciding("keras")[0].message
    assert found.status() == 0
    assert found.status(["keras"]) == 1


def test_bytecode_of_another_family_raises_and_of_the_same_is_unknown() -> None:
    pure = manifest_with(nodes=PURE)
    assert answers(verdict(pure, python="3.10.13", magic=3439)) == ("no", "yes", "yes")
    assert answers(verdict(pure, python="3.12.1", magic=3531)) == ("unknown", "yes", "yes")


def test_a_function_without_source_loads_under_its_own_python_alone() -> None:
    node = dict(PURE["__main__:<lambda>"], reason="no source")
    del node["source"]
    manifest = manifest_with(nodes={"__main__:<lambda>": node})
    assert answers(verdict(manifest)) == ("yes", "yes", "yes")
    assert verdict(manifest, python="3.12.1", magic=3531).capsule == "no"


def test_a_reached_distribution_that_moved_makes_the_outputs_unknown() -> None:
    found = verdict(numpy="2.5.0")
    assert (found.capsule, found.same) == ("yes", "unknown")
    finding = next(f for f in found.findings if f.code == "distribution-version")
    assert finding.reach == ("model", "lambda", "numpy")
    assert finding.severity == "warning"
    assert found.status() == 2


def test_a_removed_function_of_numpy_is_fatal_with_its_reach() -> None:
    node = dict(manifest_json()["nodes"]["__main__:<lambda>"])
    node["names"] = [{"name": "np", "how": "global", "to": "numpy", "attributes": ["float_"]}]
    nodes = {"__main__:<lambda>": node, "numpy": manifest_json()["nodes"]["numpy"]}
    manifest = manifest_with(nodes=nodes)
    found = verdict(manifest, numpy="2.5.0")
    finding = next(f for f in found.findings if f.code == "api-removed")
    assert finding.reach[-1] == "numpy.float_"
    assert found.capsule == "no"


def test_what_nothing_reaches_is_a_note_and_decides_nothing() -> None:
    found = verdict(jupyter="2.0")
    assert answers(found) == answers(verdict())
    assert [f.severity for f in found.findings if f.code == "unreached"] == ["note"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keras": None}, "keras-missing"),
        ({"tensorflow_cpu": None}, "backend-missing"),
        ({"numpy": None}, "distribution-missing"),
        ({"keras": "2.15.0"}, "keras-generation"),
    ],
)
def test_what_is_not_there_is_no_three_times(change: Any, code: str) -> None:
    found = verdict(**change)
    assert code in codes(found)
    assert (found.capsule, found.same) == ("no", "no")
    assert found.status() == 1


def test_any_kind_of_tensorflow_provides_tensorflow() -> None:
    assert answers(verdict(tensorflow_cpu=None, tensorflow="2.21.0")) == answers(verdict())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keras": "3.12.4"}, "keras-version"),
        ({"tensorflow_cpu": "2.20.0"}, "backend-version"),
    ],
)
def test_other_versions_of_the_framework_are_never_yes(change: Any, code: str) -> None:
    found = verdict(**change)
    assert code in codes(found)
    assert "yes" not in answers(found)


def test_another_machine_or_setting_makes_the_outputs_unknown() -> None:
    assert verdict(machine="arm64").same == "unknown"
    assert verdict(settings={"floatx": "float64"}).same == "unknown"
    assert verdict(settings={"floatx": "float32"}).same == "yes"


def test_a_file_that_is_not_its_sidecars_is_no_three_times() -> None:
    found = verdict_of(manifest_with(), environment_with(), intact=False)
    assert answers(found) == ("no", "no", "no")
    assert "artifact-changed" in codes(found)


def carried(**change: Any) -> Manifest:
    function = {**manifest_json()["functions"][0], **change}
    return manifest_with(functions=[function], nodes=PURE)


@pytest.mark.parametrize(
    ("manifest", "code", "expected"),
    [
        (carried(defaults=True), "defaults-lost", ("no", "yes", "yes")),
        (carried(encoding="by-name", key=None, name="f"), "by-name-only", ("no", "yes", "yes")),
        (carried(node=None), "function-unknown", ("unknown", "unknown", "unknown")),
        (carried(role="mask"), "mask-lost", ("unknown", "yes", "yes")),
        (manifest_with(nodes=PURE, model={"unbuilt": ["dense"]}), "unbuilt", ("no", "no", "no")),
        (
            manifest_with(nodes=PURE, model={"custom": ["m:Mine"]}),
            "custom-class",
            ("no", "no", "no"),
        ),
        (
            manifest_with(nodes=PURE, model={"losses": ["cosine_proximity"]}),
            "name-unknown",
            ("unknown", "unknown", "unknown"),
        ),
        (
            manifest_with(nodes=PURE, model={"metrics": ["kld"]}),
            "name-unknown",
            ("unknown", "unknown", "unknown"),
        ),
        (manifest_with(nodes=PURE, model={"losses": ["mse"]}), "loss-alias", ("no", "yes", "yes")),
    ],
)
def test_what_the_model_itself_tells(
    manifest: Manifest, code: str, expected: tuple[str, ...]
) -> None:
    found = verdict(manifest)
    assert code in codes(found)
    assert answers(found) == expected


def test_a_custom_class_that_the_caller_gives_is_no_obstacle() -> None:
    manifest = manifest_with(nodes=PURE, model={"custom": ["m:Mine"]})
    assert verdict_of(manifest, environment_with(), custom_objects=["Mine"]).capsule == "yes"


@pytest.mark.parametrize(
    ("value", "form", "keras"),
    [
        (5, "keras-h5", "yes"),
        ([1, 2], "keras-zip", "yes"),
        ({"type": "tuple", "items": [1]}, "keras-h5", "unknown"),
        ({"type": "ndarray", "dtype": "<f4", "shape": [0], "base64": ""}, "keras-h5", "unknown"),
        ({"type": "ndarray", "dtype": "<f4", "shape": [0], "base64": ""}, "keras-zip", "no"),
    ],
)
def test_closures_that_json_does_not_bring_back(value: Any, form: str, keras: str) -> None:
    node = dict(PURE["__main__:<lambda>"], names=[{"name": "n", "how": "closure", "value": value}])
    manifest = manifest_with(nodes={"__main__:<lambda>": node}, artifact={"format": form})
    assert verdict(manifest).keras == keras


def test_a_value_that_could_not_be_stored_is_no_for_capsule() -> None:
    value = {"type": "opaque", "of": "tensorflow.Variable", "reason": "not plain data"}
    node = dict(PURE["__main__:<lambda>"], names=[{"name": "v", "how": "global", "value": value}])
    found = verdict(manifest_with(nodes={"__main__:<lambda>": node}))
    assert found.capsule == "no"
    assert "tensorflow.Variable" in found.deciding("capsule")[0].message


def test_numpy_on_tensors_is_told_with_reach_and_remedy() -> None:
    nodes = manifest_json()["nodes"]
    (finding,) = (
        f
        for f in findings_at_save(manifest_with(nodes=nodes, model={"unbuilt": ["dense"]}))
        if f.code == "unbuilt"
    )
    assert finding.reach == ("model", "lambda", "numpy.tanh")
    assert "keras.ops.tanh" in (finding.remedy or "")


def test_facts_of_numpy_and_bytecode() -> None:
    assert removed_from_numpy("float_", "2.0.1")
    assert not removed_from_numpy("float_", "1.26.4")
    assert removed_from_numpy("bool", "1.26.4")
    assert not removed_from_numpy("bool", "2.1")
    assert same_family("3.8", "3.10")
    assert not same_family("3.10", "3.11")
