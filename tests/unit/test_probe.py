"""Inputs made from a seed, and outputs compared."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsule.guest.probe import (
    POSITIONS,
    TOLERANCES,
    WHOLE_LIMIT,
    compare,
    make_inputs,
    positions,
    record,
    uniform,
)

SPEC = {"shape": [2, 3], "dtype": "float32", "seed": 20, "low": -1, "high": 1}


def splitmix64(seed: int, index: int) -> float:
    """The generator again, in whole numbers of Python."""
    mask = 2**64 - 1
    z = (seed + index + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return ((z ^ z >> 31) >> 11) * 2.0**-53


@given(st.integers(0, 2**40))
@settings(deadline=None)
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


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"dtype": "float32", "low": -1, "high": 1}, [0.7109795, 0.3204206, 0.8590681]),
        ({"dtype": "float64", "low": 10, "high": 12}, [11.710979482, 11.320420572, 11.859068137]),
        ({"dtype": "int64", "low": -3, "high": 3}, [2, 0, 2]),
        ({"dtype": "int64", "low": -3, "high": 3, "seed": 22}, [2, -2, 2]),
        ({"dtype": "bool", "low": 0, "high": 1, "seed": 22}, [False, True, False]),
        (
            {"dtype": "float32", "low": -1, "high": 1, "seed": 21},
            [0.3204206, 0.8590681, -0.3415095],
        ),
    ],
    ids=["floats", "another range", "whole numbers", "below zero", "truth values", "another seed"],
)
def test_inputs_are_the_same_numbers_for_ever(spec: dict[str, Any], expected: list[Any]) -> None:
    (array,) = make_inputs([{"shape": [3], "seed": 20, **spec}])
    assert array.dtype == spec["dtype"]
    np.testing.assert_allclose(array, np.array(expected, spec["dtype"]), rtol=1e-6)


def test_each_input_is_made_of_its_own_spec() -> None:
    scalar, matrix, empty = make_inputs(
        [{**SPEC, "shape": []}, {**SPEC, "shape": [4, 5]}, {**SPEC, "shape": [0, 3]}]
    )
    assert (scalar.shape, matrix.shape, empty.shape) == ((), (4, 5), (0, 3))


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


# What a probe recorded years ago is held against: a change here changes old verdicts.
LIMITS = {
    "float64": (1e-7, 1e-9),
    "float32": (1e-4, 1e-5),
    "float16": (1e-2, 1e-3),
    "bfloat16": (3e-2, 4e-3),
    "complex128": (1e-7, 1e-9),
    "complex64": (1e-4, 1e-5),
}


def numbers(values: Any, dtype: str) -> Any:
    """Return an array of that dtype; of bfloat16 only where something brings it."""
    if dtype == "bfloat16":
        reason = "numpy alone knows no bfloat16"
        return np.array(values, pytest.importorskip("ml_dtypes", reason=reason).bfloat16)
    return np.array(values, dtype)


def compared(expected: Any, computed: Any) -> dict[str, Any]:
    return compare([record(expected)], [computed])


def test_every_dtype_with_a_tolerance_has_the_one_that_is_tested() -> None:
    assert LIMITS == TOLERANCES


@pytest.mark.parametrize("size", [0.0, 1.0, -1.0, 1000.0, 3 + 4j])
@pytest.mark.parametrize("dtype", LIMITS)
def test_a_number_agrees_just_inside_its_tolerance_and_not_just_outside(
    dtype: str, size: complex
) -> None:
    if isinstance(size, complex) and not dtype.startswith("complex"):
        size = size.real
    rtol, atol = LIMITS[dtype]
    limit = atol + rtol * abs(size)
    for share, agrees in ((0.9, True), (1.1, False)):
        result = compared(numbers([2.0, size], dtype), numbers([2.0, size + share * limit], dtype))
        assert result["agrees"] is agrees, result
        assert not result["exactly"]
        assert (result["rtol"], result["atol"]) == (rtol, atol)
        assert result["max_abs"] == pytest.approx(share * limit, rel=0.2)
        assert (result["reason"] is None) is agrees


def test_the_next_number_of_sixteen_bits_agrees() -> None:
    assert 2.0**-7 < TOLERANCES["bfloat16"][0] < 2.0**-4
    assert 2.0**-10 < TOLERANCES["float16"][0] < 2.0**-6
    number, neighbour = numbers([1.0], "bfloat16"), numbers([1.0 + 2.0**-7], "bfloat16")
    assert compared(number, neighbour)["agrees"]
    assert not compared(number, neighbour)["exactly"]


def test_a_complex_number_is_as_exact_as_its_parts() -> None:
    assert TOLERANCES["complex64"] == TOLERANCES["float32"]
    assert TOLERANCES["complex128"] == TOLERANCES["float64"]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("expected", "computed", "agrees", "exactly"),
    [
        (NAN, NAN, True, True),
        (NAN, 1.0, False, False),
        (1.0, NAN, False, False),
        (INF, INF, True, True),
        (-INF, INF, False, False),
        (INF, 5.0, False, False),
        (5.0, INF, False, False),
        (INF, NAN, False, False),
        (0.0, -0.0, True, True),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "complex64"])
def test_what_is_no_finite_number_agrees_with_itself_alone(
    dtype: str, expected: float, computed: float, agrees: bool, exactly: bool
) -> None:
    result = compared(numbers([1, expected], dtype), numbers([1, computed], dtype))
    assert (result["agrees"], result["exactly"]) == (agrees, exactly)


@pytest.mark.parametrize(
    ("expected", "computed", "agrees", "exactly"),
    [
        (complex(NAN, 1), complex(NAN, 1), True, True),
        (complex(NAN, NAN), complex(NAN, NAN), True, True),
        (complex(NAN, 1), complex(NAN, 1 + 1e-9), True, False),
        (complex(1 + 1e-9, NAN), complex(1, NAN), True, False),
        (complex(NAN, 1), complex(NAN, 2), False, False),
        (complex(NAN, 1), complex(1, NAN), False, False),
        (complex(NAN, 1), 1j, False, False),
        (complex(INF, 1), complex(INF, 1), True, True),
        (complex(INF, 1), complex(INF, 1 + 1e-9), True, False),
        (complex(INF, 1), complex(INF, 2), False, False),
        (complex(INF, 1), complex(-INF, 1), False, False),
        (complex(INF, 1), complex(5, 1), False, False),
        (3 + 4j, 3 - 4j, False, False),
        (3 + 4j, 4 + 3j, False, False),
    ],
)
def test_complex_numbers_are_compared_part_by_part(
    expected: complex, computed: complex, agrees: bool, exactly: bool
) -> None:
    result = compared(np.array([expected]), np.array([computed]))
    assert (result["agrees"], result["exactly"]) == (agrees, exactly)


@pytest.mark.parametrize(
    ("dtype", "expected", "computed"),
    [
        ("bool", True, False),
        ("int8", 1, 2),
        ("int32", 1_000_000, 1_000_001),
        ("int64", 2**53, 2**53 + 1),
        ("uint64", 2**64 - 1, 2**64 - 2),
    ],
)
def test_whole_numbers_and_truth_values_agree_only_where_they_are_equal(
    dtype: str, expected: Any, computed: Any
) -> None:
    assert compared(np.array([0, expected], dtype), np.array([0, expected], dtype))["exactly"]
    result = compared(np.array([0, expected], dtype), np.array([0, computed], dtype))
    assert not result["agrees"]
    assert not result["exactly"]
    assert result["reason"] == "output 0 differs at 1 of 2 values compared"
    assert (result["rtol"], result["atol"]) == (0.0, 0.0)


def away_from_the_sample(size: int) -> int:
    """Return an index at which a large output is not compared."""
    return next(index for index in range(size) if index not in set(positions(size).tolist()))


def test_one_other_whole_number_in_a_large_output_disagrees_wherever_it_is() -> None:
    array = np.arange(100 * POSITIONS)
    other = array.copy()
    other[away_from_the_sample(array.size)] += 1
    assert not compared(array, other)["agrees"]
    assert compared(array, array.copy())["exactly"]


def test_a_large_output_is_compared_at_its_positions() -> None:
    array = np.linspace(1, 2, 100 * POSITIONS)
    for index, agrees in (
        (away_from_the_sample(array.size), True),
        (positions(array.size)[7], False),
    ):
        other = array.copy()
        other[index] = 5
        result = compared(array, other)
        assert (result["agrees"], result["exactly"]) == (agrees, False)


def test_positions_are_the_same_for_ever() -> None:
    assert positions(POSITIONS).tolist() == list(range(POSITIONS))
    large = positions(10**6)
    assert large[:4].tolist() == [485, 970, 2862, 3839]
    assert large.sum() == 491808660
    assert sorted(set(large.tolist())) == large.tolist()
    assert 990 < len(large) <= POSITIONS
    assert 0 <= large[0] < large[-1] < 10**6


def test_a_small_output_is_kept_whole_and_a_large_one_by_digest_and_sample() -> None:
    small, large = record(np.zeros(WHOLE_LIMIT, "int8")), record(np.zeros(WHOLE_LIMIT + 1, "int8"))
    assert set(small) == {"shape", "dtype", "base64"}
    assert set(large) == {"shape", "dtype", "sha256", "sample"}
    assert (large["shape"], large["dtype"]) == ([WHOLE_LIMIT + 1], "int8")


def test_the_largest_differences_of_all_outputs_are_given() -> None:
    first, second = np.array([1.0, 2.0, 4.0]), np.array([0.0, 10.0, INF, 1e300])
    computed = [np.array([1.0, 2.5, 4.0]), np.array([0.25, 11.0, 1.0, -1e300])]
    result = compare([record(first), record(second)], computed)
    assert result["max_abs"] == 2e300
    assert result["max_rel"] == 2.0
    assert result["reason"] == "output 0 differs at 1 of 3 values compared"
    again = compare([record(first[:1]), record(first)], [first[:1], computed[0]])
    assert (again["max_abs"], again["max_rel"]) == (0.5, 0.25)
    assert again["reason"] == "output 1 differs at 1 of 3 values compared"


@pytest.mark.parametrize("cut", [slice(0, 4), slice(0, 12)])
def test_a_record_whose_length_is_wrong_disagrees(cut: slice) -> None:
    array = np.zeros(4, "float32")
    raw = (array.tobytes() * 2)[cut]
    damaged = {**record(array), "base64": base64.b64encode(raw).decode()}
    result = compare([damaged], [array])
    assert not result["agrees"]
    assert "damaged" in result["reason"]


def test_every_output_counts() -> None:
    right, wrong = np.zeros(2, "float32"), np.ones(2, "float32")
    for computed in ([wrong, right], [right, wrong]):
        assert not compare([record(right), record(right)], computed)["agrees"]
    assert compare([record(right), record(right)], [right, right])["exactly"]
    for computed in ([right, right], []):
        result = compare([record(right)], computed)
        assert not result["agrees"]
        assert not result["exactly"]
        assert result["reason"] == f"{len(computed)} outputs, 1 were recorded"


@pytest.mark.parametrize(
    ("computed", "reason"),
    [
        (np.zeros((3, 2), "float32"), "output 0 is float32 [3, 2], recorded was float32 [2, 3]"),
        (np.zeros((2, 3), "int32"), "output 0 is int32 [2, 3], recorded was float32 [2, 3]"),
        (np.zeros(6, "float32"), "output 0 is float32 [6], recorded was float32 [2, 3]"),
    ],
)
def test_outputs_of_another_shape_or_dtype_disagree(computed: Any, reason: str) -> None:
    result = compared(np.zeros((2, 3), "float32"), computed)
    assert not result["agrees"]
    assert not result["exactly"]
    assert result["reason"] == reason


def test_how_far_apart_whole_numbers_are_is_told() -> None:
    result = compared(np.array([4, -2, 7]), np.array([1, -3, 7]))
    assert (result["max_abs"], result["max_rel"]) == (3.0, 0.75)


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=5),
    st.sampled_from(["float64", "float32", "complex64"]),
)
@settings(deadline=None)
def test_whatever_numbers_were_recorded_agree_exactly_with_themselves(
    values: list[float], dtype: str
) -> None:
    array = np.array(values, dtype)
    assert compared(array, array.copy())["exactly"]


@given(st.floats(width=32), st.floats(width=32))
@settings(deadline=None)
def test_two_numbers_agree_where_numpy_says_that_they_are_close(
    first: float, second: float
) -> None:
    expected, computed = np.array([first], "float32"), np.array([second], "float32")
    rtol, atol = LIMITS["float32"]
    wide = (expected.astype("float64"), computed.astype("float64"))
    close = bool(np.isclose(wide[1], wide[0], rtol, atol, equal_nan=True)[0])
    assert compared(expected, computed)["agrees"] is close
