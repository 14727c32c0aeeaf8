"""Each thing that a sidecar may not say is refused at its place, and its neighbour is not."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from capsule.errors import ManifestError
from capsule.manifest import Manifest
from capsule.manifest.parse import manifest_from_json
from tests.plans import module, value
from tests.sidecars import (
    ABSENT,
    DUNDERS,
    FRAMEWORKS,
    HOWS,
    NO_MODULE,
    ROWS,
    STANDARD,
    changed,
    whole,
)

REFUSED = [(path, content) for path, refused, _ in ROWS for content in refused]
ACCEPTED = [(path, content) for path, _, accepted in ROWS for content in accepted]


def refusal(data: Any) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        manifest_from_json(data)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("path", "content"), REFUSED)
def test_what_a_sidecar_may_not_say_is_refused_at_its_place(path: str, content: Any) -> None:
    if path in ("functions", "nodes", "nodes.f"):
        data = changed(path, content)
        data["functions"] = content if path == "functions" else []
    else:
        data = changed(path, content)
    place = refusal(data).path
    if content is ABSENT and place != path:  # one of several keys has to be there
        assert path.startswith(f"{place}.")
    else:
        assert place.startswith(path)


@pytest.mark.parametrize(("path", "content"), ACCEPTED)
def test_what_is_next_to_that_is_read(path: str, content: Any) -> None:
    assert isinstance(manifest_from_json(changed(path, content)), Manifest)


def paths_in(data: Any, path: str = "") -> list[str]:
    """Return the paths to all that is inside *data*."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    paths = []
    for key, content in inner:
        here = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip(".")
        paths += [here, *(paths_in(content, here) if isinstance(content, (dict, list)) else [])]
    return paths


def pattern(path: str) -> str:
    """Return *path* without which node and which of several it is."""
    return re.sub(r"^nodes\.\w+", "nodes.*", re.sub(r"\[\d+\]", "[]", path))


def test_everything_in_a_sidecar_has_a_row() -> None:
    rows = {pattern(path) for path, _, _ in ROWS}
    missing = {pattern(path) for path in paths_in(whole())} - rows
    # An item has a row as the list has that it is in.
    assert {path for path in missing if re.sub(r"\[\]$", "", path) not in rows} == set()


@pytest.mark.parametrize("name", [*NO_MODULE, *STANDARD, *FRAMEWORKS])
def test_a_module_that_is_installed_is_not_brought_along(name: str) -> None:
    data = whole()
    data["nodes"][name] = module("X = 1")
    assert f"nodes.{name}" in refusal(data).path


@pytest.mark.parametrize("name", ["osx", "my_os", "mine.os", "mine.numpy", "keras_mine", "Keras"])
def test_a_module_of_the_users_own_is(name: str) -> None:
    data = whole()
    data["nodes"][name] = module("X = 1")
    assert manifest_from_json(data).nodes[name].source == "X = 1"


@pytest.mark.parametrize("name", [*STANDARD, *FRAMEWORKS])
def test_a_module_that_is_installed_may_be_named(name: str) -> None:
    data = whole()
    data["nodes"][name] = module(None)
    assert manifest_from_json(data).nodes[name].source is None


@pytest.mark.parametrize("how", HOWS)
def test_names_that_become_names_are_identifiers(how: str) -> None:
    named = {"global", "closure", "default", "keyword-default", "base", "body", "keyword"}
    data = changed("nodes.f.names[0]", value(1, how, "a; import os"))
    if how in named:
        assert refusal(data).path == "nodes.f.names[0].name"
    else:
        assert manifest_from_json(data).nodes["f"].names[0].name == "a; import os"


@pytest.mark.parametrize("name", DUNDERS)
def test_no_attribute_that_is_pythons_own_is_set(name: str) -> None:
    error = refusal(changed("nodes.f.names[0]", value(1, "attribute", name)))
    assert error.path == "nodes.f.names[0].name"
    assert "Python's own" in error.message


@pytest.mark.parametrize("name", ["__wrapped__", "_x", "__x", "x__", "numpy.linalg", "rate"])
def test_other_attributes_are(name: str) -> None:
    data = changed("nodes.f.names[0]", value(1, "attribute", name))
    assert manifest_from_json(data).nodes["f"].names[0].name == name


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "PATH", "XLA_FLAGS", "KERAS_HOME", "PYTHONPATH", "keras_backend"]
)
def test_other_variables_than_those_of_keras_are_not_set(name: str) -> None:
    assert refusal(changed("environment_variables", {name: "1"})).path == (
        f"environment_variables.{name}".rstrip(".")
    )


@pytest.mark.parametrize(
    "text", ["a b", "a\n", "/tmp", "a=b", "$HOME", "a:b", "a" * 65, "é", 3, None]
)
def test_a_variable_is_set_to_a_short_plain_text(text: Any) -> None:
    error = refusal(changed("environment_variables", {"KERAS_BACKEND": text}))
    assert error.path == "environment_variables.KERAS_BACKEND"
    for plain in ("", "tensorflow", "a-b_c.d,e+1", "a" * 64):
        variables = {"KERAS_BACKEND": plain}
        assert (
            manifest_from_json(changed("environment_variables", variables)).environment_variables
            == variables
        )


UNKNOWN = ["python.version", "python.magic", "platform", "keras.backend", "environment_variables"]


@pytest.mark.parametrize("path", [*UNKNOWN, "distributions"])
def test_only_what_was_inferred_may_be_unknown(path: str) -> None:
    for origin in ("recorded", "described"):
        assert refusal(changed(path, None, origin)).path.startswith(path)
    data = changed(path, None, "inferred")
    data["python"]["versions"] = ["3.6"]
    assert isinstance(manifest_from_json(data), Manifest)


def test_an_unknown_python_is_one_of_several() -> None:
    data = changed("python.version", None, "inferred")
    assert refusal(data).path == "python.versions"
    data["python"]["versions"] = []
    assert refusal(data).path == "python.versions"


@pytest.mark.parametrize(
    ("version", "code"),
    [("2.0", "manifest-too-new"), ("0.9", "manifest-too-new"), ("x", "manifest-invalid")],
)
def test_another_schema_has_a_code_of_its_own(version: str, code: str) -> None:
    error = refusal(changed("capsule", version))
    assert (error.code, error.path) == (code, "capsule")


@pytest.mark.parametrize(("version", "warned"), [("1.0", False), ("1.1", True), ("1.10", True)])
def test_a_newer_schema_is_read_with_a_warning(version: str, warned: bool) -> None:
    manifest = manifest_from_json(changed("capsule", version))
    assert bool(manifest.warnings) is warned
    assert manifest.version == version


def test_what_is_no_object_at_all_is_refused() -> None:
    for data in ([], None, "x", 3):
        assert refusal(data).path == "the top"


@pytest.mark.parametrize("path", ["", "artifact", "nodes.f", "nodes.f.names[0]", "probe"])
def test_unknown_keys_are_those_of_a_later_capsule_or_refused(path: str) -> None:
    here = f"{path}.later".lstrip(".")
    assert refusal(changed(here, 1)).path == here
    data = changed(here, 1)
    data["capsule"] = "1.9"
    assert manifest_from_json(data).nodes == manifest_from_json(whole()).nodes


@pytest.mark.parametrize("path", ["probe.inputs[0]", "probe.outputs[0]", "probe.examples[0]"])
def test_what_the_guest_reads_may_have_other_keys(path: str) -> None:
    assert manifest_from_json(changed(f"{path}.later", 1))


def test_keys_of_a_later_capsule_are_passed_over() -> None:
    data = {**whole(), "capsule": "1.1"}
    data["later"] = data["nodes"]["f"]["later"] = data["artifact"]["later"] = {"x": 1}
    manifest = manifest_from_json(data)
    assert dataclasses.replace(manifest, version="1.0") == manifest_from_json(whole())
    assert manifest.warnings
