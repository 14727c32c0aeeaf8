"""Plain values survive the way into a sidecar and back."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsule.guest.values import ARRAY_LIMIT, SIZE_LIMIT, OpaqueValue, decode, encode, is_opaque

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
)
hashable = st.recursive(scalars, lambda inner: st.tuples(inner, inner), max_leaves=4)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner)
        | st.frozensets(hashable, max_size=3)
    ),
    max_leaves=12,
)


@given(plain)
def test_plain_data_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert back == value
    assert type(back) is type(value)


def test_nan_and_infinities_come_back() -> None:
    assert math.isnan(decode(encode(float("nan"))))
    assert decode(encode(float("-inf"))) == -math.inf


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "complex64"])
def test_arrays_come_back_with_dtype_and_shape(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = decode(json.loads(json.dumps(encode(array))))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_numpy_scalars_keep_their_type() -> None:
    back = decode(encode(np.float32(1.5)))
    assert type(back) is np.float32
    assert back == 1.5


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "not plain data"),
        (np.array([object()]), "dtype object"),
        (np.zeros(ARRAY_LIMIT, "float32"), "KiB"),
        ("x" * (SIZE_LIMIT + 1), "longer"),
        ([object()], "not plain data"),
    ],
)
def test_what_is_no_plain_data_says_so_and_is_never_guessed(value: Any, reason: str) -> None:
    encoded = encode(value)
    assert reason in is_opaque(encoded)[0]["reason"]
    with pytest.raises(OpaqueValue):
        decode(encoded)


def test_a_list_that_holds_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert is_opaque(encode(endless))
