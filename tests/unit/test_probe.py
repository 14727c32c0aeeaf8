"""Inputs made from a seed, and outputs compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsule.guest.probe import POSITIONS, compare, make_inputs, record, uniform

SPEC = {"shape": [2, 3], "dtype": "float32", "seed": 20, "low": -1, "high": 1}


def splitmix64(seed: int, index: int) -> float:
    """The generator again, in whole numbers of Python."""
    mask = 2**64 - 1
    z = (seed + index + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return ((z ^ z >> 31) >> 11) * 2.0**-53


@given(st.integers(0, 2**40))
def test_the_generator_is_splitmix64_bit_for_bit(seed: int) -> None:
    assert list(uniform(seed, 5)) == [splitmix64(seed, index) for index in range(5)]


def test_the_generator_gives_the_same_numbers_for_ever() -> None:
    # Sidecars of years ago must still make these.
    assert list(uniform(20, 2)) == [0.8554897408612717, 0.6602102858234031]


def test_inputs_have_shape_dtype_and_range() -> None:
    (array,) = make_inputs([SPEC])
    assert array.shape == (2, 3)
    assert array.dtype == np.float32
    assert array.min() >= -1
    assert array.max() < 1
    whole = make_inputs([{**SPEC, "dtype": "int32", "low": 0, "high": 2}])[0]
    assert set(whole.ravel()) <= {0, 1}


def test_texts_can_not_be_made() -> None:
    with pytest.raises(ValueError, match="no input of dtype"):
        make_inputs([{**SPEC, "dtype": "S3"}])


@pytest.mark.parametrize("size", [10, 100_000])
def test_equal_outputs_agree_exactly(size: int) -> None:
    array = np.linspace(0, 1, size, dtype="float32")
    result = compare([record(array)], [array.copy()])
    assert result["agrees"]
    assert result["exactly"]


def test_rounding_agrees_within_a_stated_tolerance() -> None:
    array = np.linspace(0, 1, 10, dtype="float32")
    result = compare([record(array)], [array * np.float32(1.000001)])
    assert result["agrees"]
    assert not result["exactly"]
    assert 0 < result["max_abs"] < 1e-5
    assert result["rtol"] > 0


def test_one_wrong_number_in_a_large_output_is_never_called_exact() -> None:
    array = np.linspace(0, 1, 100 * POSITIONS, dtype="float32")
    other = array.copy()
    other[-1] = 5
    assert not compare([record(array)], [other])["exactly"]


@pytest.mark.parametrize(
    "other",
    [np.zeros(3, "float32"), np.zeros(4, "float64"), np.array([0, 0, 0, np.nan], "float32")],
)
def test_other_outputs_disagree_with_a_reason(other: np.ndarray) -> None:
    result = compare([record(np.zeros(4, "float32"))], [other])
    assert not result["agrees"]
    assert result["reason"]


def test_nan_where_nan_was_agrees() -> None:
    array = np.array([np.nan, 1], "float32")
    assert compare([record(array)], [array.copy()])["exactly"]


def test_another_number_of_outputs_disagrees() -> None:
    assert not compare([record(np.zeros(1))], [])["agrees"]
