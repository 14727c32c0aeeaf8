"""Which Keras came with which TensorFlow, on which Pythons: the facts, row by row."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from capsule.keras_compat.releases import release_of, written_on

# Lowest and highest Python of each TensorFlow, as its wheels have it.
WHEELS = {
    "2.4": ("3.6", "3.8"),
    "2.5": ("3.6", "3.9"),
    "2.6": ("3.6", "3.9"),
    "2.7": ("3.7", "3.9"),
    "2.8": ("3.7", "3.10"),
    "2.9": ("3.7", "3.10"),
    "2.10": ("3.7", "3.10"),
    "2.11": ("3.7", "3.10"),
    "2.12": ("3.8", "3.11"),
    "2.13": ("3.8", "3.11"),
    "2.14": ("3.9", "3.11"),
    "2.15": ("3.9", "3.11"),
    "2.16": ("3.9", "3.12"),
    "2.17": ("3.9", "3.12"),
    "2.18": ("3.9", "3.12"),
    "2.19": ("3.9", "3.12"),
    "2.20": ("3.9", "3.13"),
    "2.21": ("3.10", "3.13"),
}


@pytest.mark.parametrize("minor", [minor for minor in WHEELS if Version(minor) <= Version("2.15")])
def test_a_keras_2_ran_on_the_pythons_of_its_tensorflow(minor: str) -> None:
    release = release_of(f"{minor}.0")
    assert release is not None
    assert release.tensorflow.startswith(f"{minor}.")
    assert release.pythons == WHEELS[minor]
    if minor != "2.4":  # which TensorFlow 2.3 calls its own, too
        assert written_on(f"{minor}.0", None) is not None
        assert written_on(f"{minor}.0", None)[0] == WHEELS[minor]  # type: ignore[index]


# Of each Keras 3: the TensorFlow of its day, and the lowest Python it runs on itself.
KERAS_3 = [
    ("3.0.5", "2.16", "3.9"),
    ("3.1.1", "2.16", "3.9"),
    ("3.2.1", "2.16", "3.9"),
    ("3.3.3", "2.16", "3.9"),
    ("3.4.1", "2.17", "3.9"),
    ("3.5.0", "2.17", "3.9"),
    ("3.6.0", "2.18", "3.9"),
    ("3.7.0", "2.18", "3.9"),
    ("3.8.0", "2.18", "3.9"),
    ("3.9.2", "2.19", "3.9"),
    ("3.10.0", "2.19", "3.9"),
    ("3.11.3", "2.20", "3.10"),
    ("3.12.0", "2.20", "3.10"),
    ("3.13.2", "2.20", "3.11"),
    ("3.14.0", "2.21", "3.11"),
    ("3.15.1", "2.21", "3.11"),
]


@pytest.mark.parametrize(("version", "tensorflow", "lowest"), KERAS_3)
def test_a_keras_3_ran_where_it_and_its_tensorflow_run(
    version: str, tensorflow: str, lowest: str
) -> None:
    release = release_of(version)
    assert release is not None
    assert (release.module, release.version) == ("keras", version)
    assert release.tensorflow.startswith(f"{tensorflow}.")
    both = max(Version(lowest), Version(WHEELS[tensorflow][0]))
    assert release.pythons == (str(both), WHEELS[tensorflow][1])
    assert release.requirements == (
        f"keras=={version}",
        f"tensorflow-cpu=={release.tensorflow}",
    )
    assert written_on(version, None) == ((lowest, "3.13"), f"Keras {version} over TensorFlow")
    assert written_on(version, "jax") == ((lowest, "3.14"), f"Keras {version} over jax")


# (as the file has it, module, Keras to install, TensorFlow, Pythons, further requirements, reads)
OLD: list[tuple[str, str, str | None, str, tuple[str, str], tuple[str, ...], str | None]] = [
    ("1.0.6", "keras", "2.2.4", "1.15.0", ("3.5", "3.7"), ("h5py<3",), "1.0.6"),
    ("1.2.2", "keras", "2.2.4", "1.15.0", ("3.5", "3.7"), ("h5py<3",), "1.2.2"),
    ("2.0.8", "keras", "2.2.4", "1.15.0", ("3.5", "3.7"), ("h5py<3",), "2.0.8"),
    ("2.1.6", "keras", "2.2.4", "1.15.0", ("3.5", "3.7"), ("h5py<3",), "2.1.6"),
    ("2.2.4", "keras", "2.2.4", "1.15.0", ("3.5", "3.7"), ("h5py<3",), None),
    ("2.2.5", "keras", "2.2.5", "1.15.0", ("3.5", "3.7"), ("h5py<3",), None),
    ("2.3.1", "keras", "2.3.1", "1.15.0", ("3.5", "3.7"), ("h5py<3",), None),
    ("2.2.4-tf", "tensorflow.keras", None, "2.1.0", ("3.5", "3.7"), ("h5py<3",), None),
    ("2.3.0-tf", "tensorflow.keras", None, "2.2.0", ("3.5", "3.8"), ("h5py<3",), None),
    ("2.4.0", "tensorflow.keras", None, "2.4.1", ("3.6", "3.8"), ("h5py<3",), None),
    ("2.5.0", "tensorflow.keras", None, "2.5.0", ("3.6", "3.9"), (), None),
    ("2.6.0", "keras", "2.6.*", "2.6.0", ("3.6", "3.9"), (), None),
    ("2.15.0", "keras", "2.15.*", "2.15.0", ("3.9", "3.11"), (), None),
]


@pytest.mark.parametrize("row", OLD, ids=lambda row: row[0])
def test_an_old_keras_has_an_environment_that_reads_its_files(row: Any) -> None:
    version, module, keras, tensorflow, pythons, more, reads = row
    release = release_of(version)
    assert release is not None
    own = () if keras is None else (f"keras=={keras}",)
    assert release.requirements == (*own, f"tensorflow-cpu=={tensorflow}", *more)
    assert (release.module, release.tensorflow) == (module, tensorflow)
    assert (release.pythons, release.reads) == (pythons, reads)


@pytest.mark.parametrize(
    ("version", "pythons"),
    [
        ("1.0.6", ("2.7", "3.6")),
        ("1.1.0", ("2.7", "3.6")),
        ("1.2.2", ("2.7", "3.6")),
        ("2.0.8", ("2.7", "3.6")),
        ("2.1.6", ("2.7", "3.7")),
        ("2.2.4", ("2.7", "3.7")),
        ("2.3.1", ("2.7", "3.7")),
        ("2.2.4-tf", ("2.7", "3.7")),
        ("2.3.0-tf", ("3.5", "3.8")),
        ("2.4.0", ("3.5", "3.8")),  # TensorFlow 2.3 and 2.4 both wrote it
        ("3.99.0", ("3.11", "3.14")),
    ],
)
def test_a_file_was_written_on_the_pythons_of_its_keras(
    version: str, pythons: tuple[str, str]
) -> None:
    known = written_on(version, None)
    assert known is not None
    assert known[0] == pythons


def test_an_environment_is_as_of_some_weeks_after_what_is_in_it() -> None:
    days = {
        "3.5.0": "2024-08-13",
        "3.4.1": "2024-07-11",
        "2.15.0": "2023-11-14",
        "2.3.1": "2019-10-14",
    }
    for version, day in days.items():
        release = release_of(version)
        assert release is not None
        assert release.date - datetime.date.fromisoformat(day) == datetime.timedelta(weeks=5)


@pytest.mark.parametrize(
    "version",
    [None, "", "2.16.0-tf", "2.4.0-tf", "2.9.0-tf", "2.99.0", "theano", "2", "2.4.0 ", "1.2.3.4"],
)
def test_what_is_no_known_version_is_no_release(version: str | None) -> None:
    assert release_of(version) is None


numbers = st.integers(0, 999)
suffixes = st.sampled_from(["", "-tf", "-rc1", ".dev20240101", "a1"])


@given(numbers, numbers, st.none() | numbers, suffixes)
def test_of_any_version_there_is_a_release_that_can_be_resolved_or_none(
    major: int, minor: int, patch: int | None, suffix: str
) -> None:
    version = f"{major}.{minor}" + ("" if patch is None else f".{patch}") + suffix
    release, known = release_of(version), written_on(version, None)
    if known is not None:
        low, high = known[0]
        assert Version(low) <= Version(high)
    if release is not None:
        assert Version(release.pythons[0]) <= Version(release.pythons[1])
        assert [Requirement(line).url for line in release.requirements] == [None] * len(
            release.requirements
        )
