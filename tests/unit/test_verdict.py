"""What a verdict says of one difference after another; never a wrong yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsule.bytecode.formats import same_family
from capsule.keras_compat.facts import removed_from_numpy
from capsule.manifest import Manifest
from capsule.verdict import QUESTIONS, Verdict, judge
from capsule.verdict.rules.functions import findings_at_save
from tests.making import environment_with, manifest_json, manifest_with

SHA = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of b"x"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file with the digest and the first bytes that the sidecar expects."""
    path = tmp_path / "model.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    return path


def verdict(model: Path, manifest: Manifest | None = None, **environment: Any) -> Verdict:
    import dataclasses
    import hashlib

    manifest = manifest or manifest_with()
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    facts = dataclasses.replace(manifest.artifact, sha256=sha256)
    manifest = dataclasses.replace(manifest, artifact=facts)
    return judge(model, manifest, environment_with(**environment))


def answers(found: Verdict) -> tuple[str, ...]:
    return tuple(found.answer(question) for question in QUESTIONS)


def codes(found: Verdict) -> set[str]:
    return {finding.code for finding in found.findings}


PURE = {
    "__main__:<lambda>": {**manifest_json()["nodes"]["__main__:<lambda>"], "names": []},
}


def test_a_pure_lambda_in_its_own_environment_is_yes_three_times(model: Path) -> None:
    assert answers(verdict(model, manifest_with(nodes=PURE))) == ("yes", "yes", "yes")


def test_a_lost_name_is_no_for_keras_and_yes_for_capsule(model: Path) -> None:
    found = verdict(model)
    assert answers(found) == ("no", "yes", "yes")
    assert "np" in found.deciding("keras")[0].message
    assert found.status() == 0
    assert found.status(["keras"]) == 1


def test_bytecode_of_another_family_raises_and_of_the_same_is_unknown(model: Path) -> None:
    pure = manifest_with(nodes=PURE)
    assert answers(verdict(model, pure, python="3.10.13", magic=3439)) == ("no", "yes", "yes")
    assert answers(verdict(model, pure, python="3.12.1", magic=3531)) == ("unknown", "yes", "yes")
    assert answers(verdict(model, pure, python="3.14.0", magic=3627)) == ("unknown", "yes", "yes")


def test_a_function_without_source_loads_under_its_own_python_alone(model: Path) -> None:
    node = dict(PURE["__main__:<lambda>"], reason="no source")
    del node["source"]
    manifest = manifest_with(nodes={"__main__:<lambda>": node})
    assert answers(verdict(model, manifest)) == ("yes", "yes", "yes")
    assert verdict(model, manifest, python="3.12.1", magic=3531).capsule == "no"


def test_a_reached_distribution_that_moved_makes_the_outputs_unknown(model: Path) -> None:
    found = verdict(model, numpy="2.5.0")
    assert (found.capsule, found.same) == ("yes", "unknown")
    finding = next(f for f in found.findings if f.code == "distribution-version")
    assert finding.reach == ("model", "lambda", "numpy")
    assert finding.severity == "warning"
    assert found.status() == 2


def test_a_removed_function_of_numpy_is_fatal_with_its_reach(model: Path) -> None:
    node = dict(manifest_json()["nodes"]["__main__:<lambda>"])
    node["names"] = [{"name": "np", "how": "global", "to": "numpy", "attributes": ["float_"]}]
    nodes = {"__main__:<lambda>": node, "numpy": manifest_json()["nodes"]["numpy"]}
    manifest = manifest_with(nodes=nodes)
    found = verdict(model, manifest, numpy="2.5.0")
    finding = next(f for f in found.findings if f.code == "api-removed")
    assert finding.reach[-1] == "numpy.float_"
    assert found.capsule == "no"


def test_what_nothing_reaches_is_a_note_and_decides_nothing(model: Path) -> None:
    found = verdict(model, jupyter="2.0")
    assert answers(found) == answers(verdict(model))
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
def test_what_is_not_there_is_no_three_times(model: Path, change: Any, code: str) -> None:
    found = verdict(model, **change)
    assert code in codes(found)
    assert (found.capsule, found.same) == ("no", "no")
    assert found.status() == 1


def test_any_kind_of_tensorflow_provides_tensorflow(model: Path) -> None:
    assert answers(verdict(model, tensorflow_cpu=None, tensorflow="2.21.0")) == answers(
        verdict(model)
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keras": "3.12.4"}, "keras-version"),
        ({"tensorflow_cpu": "2.20.0"}, "backend-version"),
    ],
)
def test_other_versions_of_the_framework_are_never_yes(model: Path, change: Any, code: str) -> None:
    found = verdict(model, **change)
    assert code in codes(found)
    assert "yes" not in answers(found)


def test_another_machine_or_setting_makes_the_outputs_unknown(model: Path) -> None:
    assert verdict(model, machine="arm64").same == "unknown"
    assert verdict(model, settings={"floatx": "float64"}).same == "unknown"
    assert verdict(model, settings={"floatx": "float32"}).same == "yes"


def test_a_file_that_is_not_its_sidecars_is_no_three_times(model: Path) -> None:
    found = judge(model, manifest_with(), environment_with())
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
    model: Path, manifest: Manifest, code: str, expected: tuple[str, ...]
) -> None:
    found = verdict(model, manifest)
    assert code in codes(found)
    assert answers(found) == expected


def test_a_custom_class_that_the_caller_gives_is_no_obstacle(model: Path) -> None:
    manifest = manifest_with(nodes=PURE, model={"custom": ["m:Mine"]})
    import dataclasses
    import hashlib

    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    manifest = dataclasses.replace(
        manifest, artifact=dataclasses.replace(manifest.artifact, sha256=sha256)
    )
    assert judge(model, manifest, environment_with(), ["Mine"]).capsule == "yes"


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
def test_closures_that_json_does_not_bring_back(
    model: Path, value: Any, form: str, keras: str
) -> None:
    node = dict(PURE["__main__:<lambda>"], names=[{"name": "n", "how": "closure", "value": value}])
    manifest = manifest_with(nodes={"__main__:<lambda>": node}, artifact={"format": form})
    assert verdict(model, manifest).keras == keras


def test_a_value_that_could_not_be_stored_is_no_for_capsule(model: Path) -> None:
    value = {"type": "opaque", "of": "tensorflow.Variable", "reason": "not plain data"}
    node = dict(PURE["__main__:<lambda>"], names=[{"name": "v", "how": "global", "value": value}])
    found = verdict(model, manifest_with(nodes={"__main__:<lambda>": node}))
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
    assert same_family("3.13", "3.14")
    assert not same_family("3.10", "3.11")
