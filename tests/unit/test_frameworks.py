"""Which distribution provides a Keras, a backend, or what another distribution provides."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capsule.environment.frameworks import (
    backend_provider,
    installed_kerases,
    keras_provider,
    same_provider,
)
from tests.making import environment_with

TENSORFLOWS = [
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-gpu",
    "tensorflow-intel",
    "tensorflow-macos",
    "tensorflow-rocm",
    "intel-tensorflow",
    "tf-nightly",
    "tf-nightly-cpu",
]


def distributions_of(names: Sequence[str]) -> dict[str, str]:
    """Return an environment's distributions: *names*, each of another version."""
    return {name: f"{place}.0" for place, name in enumerate(names, 1)}


@pytest.mark.parametrize(
    ("names", "module", "provider"),
    [
        (["keras"], "keras", ("keras", "1.0")),
        (["keras-nightly"], "keras", ("keras-nightly", "1.0")),
        (["keras-nightly", "keras"], "keras", ("keras", "2.0")),
        (["tf-keras", "tensorflow"], "keras", None),
        (["tf-keras"], "tf_keras", ("tf-keras", "1.0")),
        (["tf-keras-nightly", "tf-keras"], "tf_keras", ("tf-keras", "2.0")),
        (["tf-keras-nightly"], "tf_keras", ("tf-keras-nightly", "1.0")),
        (["keras", "tensorflow"], "tf_keras", None),
        (["keras", "tensorflow-cpu"], "tensorflow.keras", ("tensorflow-cpu", "2.0")),
        (["keras", "tf-keras"], "tensorflow.keras", None),
        ([], "keras", None),
    ],
)
def test_a_keras_comes_from_one_of_several_distributions(
    names: Sequence[str], module: str, provider: tuple[str, str] | None
) -> None:
    assert keras_provider(distributions_of(names), module) == provider


@pytest.mark.parametrize(
    ("version", "has_keras"),
    [("1.15.5", True), ("2.5.3", True), ("2.6.0.dev20210701", False), ("2.6.0", False)],
)
def test_tensorflow_brought_its_keras_along_up_to_2_5(version: str, has_keras: bool) -> None:
    distributions = {"tensorflow-cpu": version}
    provider = ("tensorflow-cpu", version) if has_keras else None
    assert keras_provider(distributions, "tensorflow.keras") == provider


@pytest.mark.parametrize(
    ("distributions", "first", "modules"),
    [
        ({"keras": "3.5.0", "tf-keras": "2.17.0"}, "keras", ["keras", "tf_keras"]),
        ({"keras": "3.5.0", "tf-keras": "2.17.0"}, "tf_keras", ["tf_keras", "keras"]),
        ({"keras": "2.4.3", "tensorflow": "2.4.0"}, "keras", ["keras", "tensorflow.keras"]),
        (
            {"keras": "2.4.3", "tensorflow": "2.4.0"},
            "tensorflow.keras",
            ["tensorflow.keras", "keras"],
        ),
        ({"keras": "2.15.0", "tensorflow": "2.15.0"}, "tensorflow.keras", ["keras"]),
        ({"tf-keras": "2.17.0"}, "keras", ["tf_keras"]),
        ({"torch": "2.4.0"}, "keras", []),
    ],
)
def test_the_kerases_of_an_environment_begin_with_the_one_that_is_wanted(
    distributions: dict[str, str], first: str, modules: list[str]
) -> None:
    assert [keras.module for keras in installed_kerases(distributions, first)] == modules


@pytest.mark.parametrize(
    ("distributions", "third"),
    [
        ({"keras": "3.0.0"}, True),
        ({"keras-nightly": "4.0.0.dev1"}, True),
        ({"keras": "2.15.0"}, False),
        ({"tf-keras": "3.0.0"}, False),
    ],
)
def test_keras_3_is_known_by_its_module_and_its_version(
    distributions: dict[str, str], third: bool
) -> None:
    (keras,) = installed_kerases(distributions)
    assert keras.third is third


@pytest.mark.parametrize(
    ("names", "backend", "provider"),
    [
        *((["jax", name], "tensorflow", (name, "2.0")) for name in TENSORFLOWS),
        (["tf-nightly", "tensorflow"], "tensorflow", ("tensorflow", "2.0")),
        (["tensorflow-hub", "keras"], "tensorflow", None),
        (["jaxlib"], "jax", None),
        (["jaxlib", "jax"], "jax", ("jax", "2.0")),
        (["torch"], "torch", ("torch", "1.0")),
        (["numpy"], "numpy", ("numpy", "1.0")),
        (["torch", "numpy"], "jax", None),
        (["theano"], "theano", ("theano", "1.0")),  # one that nobody has heard of here
        (["theano"], "cntk", None),
    ],
)
def test_a_backend_comes_from_one_of_several_distributions(
    names: Sequence[str], backend: str, provider: tuple[str, str] | None
) -> None:
    assert backend_provider(distributions_of(names), backend) == provider


def test_every_tensorflow_stands_in_for_every_other() -> None:
    for name in TENSORFLOWS:
        assert same_provider(name)[0] == name
        assert sorted(same_provider(name)) == sorted(TENSORFLOWS)
    assert same_provider("numpy") == ("numpy",)
    assert same_provider("keras") == ("keras",)


@pytest.mark.parametrize(
    ("versions", "has_keras"),
    [
        ({"keras": "3.15.1", "tensorflow_cpu": None}, True),
        ({"keras": None, "tensorflow_cpu": None, "tf_keras": "2.15.0"}, True),
        ({"keras": None, "tensorflow_cpu": "2.5.3"}, True),
        ({"keras": None, "tensorflow_cpu": "2.21.0"}, False),
        ({"keras": None, "tensorflow_cpu": None, "torch": "2.4.0"}, False),
    ],
)
def test_an_environment_knows_whether_it_has_a_keras(
    versions: dict[str, str | None], has_keras: bool
) -> None:
    assert environment_with(**versions).has_keras is has_keras
