"""Plain values survive the way into a sidecar and back; what is no plain data says so."""

from __future__ import annotations

import collections
import enum
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from capsule.guest.values import (
    ARRAY_LIMIT,
    BITS_LIMIT,
    COUNT_LIMIT,
    DEPTH_LIMIT,
    SIZE_LIMIT,
    OpaqueValue,
    decode,
    encode,
    find_opaque,
)


def stored(value: Any) -> Any:
    """Return the JSON data of *value* as another process reads it."""
    return json.loads(json.dumps(encode(value)))


def identical(first: Any, second: Any) -> bool:
    """Tell whether two values are of one type and equal, to the last item: 1 is not True."""
    if type(first) is not type(second):
        return False
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(identical, first, second))
    if isinstance(first, (set, frozenset)):
        return identical(sorted(first, key=repr), sorted(second, key=repr))
    if isinstance(first, dict):
        return identical(list(first.items()), list(second.items()))
    if isinstance(first, (np.ndarray, np.generic)):
        facts = first.dtype == second.dtype and first.shape == second.shape
        return facts and first.tobytes() == second.tobytes()
    if isinstance(first, (float, complex)):
        return repr(first) == repr(second)  # NaN, and the sign of zero
    return bool(first == second)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**BITS_LIMIT) + 1, 2**BITS_LIMIT - 1)
    | st.text()
    | st.binary()
    | st.floats()
    | st.complex_numbers()
    | st.just(...)
)
hashable = st.recursive(scalars, lambda inner: st.tuples(inner, inner), max_leaves=4)
steps = st.none() | st.integers(-9, 9)
plain = st.recursive(
    scalars
    | st.builds(slice, steps, steps, steps)
    | st.builds(range, st.integers(), st.integers(), st.integers(1)),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner)
        | st.sets(hashable, max_size=3)
        | st.frozensets(hashable, max_size=3)
    ),
    max_leaves=12,
)
dtypes = (
    arrays.boolean_dtypes()
    | arrays.integer_dtypes(endianness="?")
    | arrays.unsigned_integer_dtypes(endianness="?")
    | arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | arrays.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | arrays.byte_string_dtypes(max_len=4)
    | arrays.unicode_string_dtypes(max_len=4)
)


@given(plain)
@settings(deadline=None)
def test_plain_data_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    assert identical(decode(stored(value)), value)


@given(arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, min_side=0)))
@settings(deadline=None)
def test_arrays_come_back_bit_for_bit(array: Any) -> None:
    again = decode(stored(array))
    assert identical(again, array)
    again[...] = array  # the reader's own to write to


@given(arrays.arrays(arrays.scalar_dtypes(), 1))
@settings(deadline=None)
def test_scalars_of_numpy_come_back_or_say_that_they_do_not(array: Any) -> None:
    encoded = stored(array[0])
    if array.dtype.kind in "biufcSU":
        assert identical(decode(encoded), array[0])
    else:
        assert "dtype" in encoded["reason"]


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    pass


class Items(list):  # type: ignore[type-arg]
    pass


class Matrix(np.ndarray):
    pass


class Real(np.float64):
    pass


Point = collections.namedtuple("Point", "x y")
RECORDS = np.dtype([("x", "f4"), ("y", "i4")])


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        10**300,
        1.0,
        -0.0,
        math.nan,
        math.inf,
        -math.inf,
        1j,
        complex(math.nan, -math.inf),
        "text\ud800",
        b"\0\xff",
        [1, [2.0, [True]]],
        (),
        (1, (2,)),
        {2.5},
        frozenset({(1, 2)}),
        {"b": 1, "a": [2], 3: {4: 5}, (6, 7): None},
        slice(1, None, -1),
        range(5, 1, -2),
        ...,
        np.float32(1.5),
        np.bool_(True),
        np.int8(-3),
        np.uint64(2**64 - 1),
        np.complex64(1 + 2j),
        np.str_("x"),
        np.bytes_(b"x"),
        np.float64(0.1),
        np.array(7),
        np.zeros((0, 3), "int16"),
        np.arange(6, dtype=">f8").reshape(2, 3),
        np.arange(12).reshape(3, 4).T,
        np.arange(10)[::3],
        np.array([["a", "bcd"]]),
    ],
    ids=repr,
)
def test_what_is_stored_comes_back_as_it_was(value: Any) -> None:
    assert not find_opaque(stored(value))
    assert identical(decode(stored(value)), value)
    assert identical(decode(stored([value]))[0], value)
    assert identical(decode(stored({"k": (value,)}))["k"][0], value)


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (object(), "builtins.object", "not plain data"),
        (len, "builtins.builtin_function_or_method", "not plain data"),
        (int, "builtins.type", "not plain data"),
        (bytearray(b"x"), "builtins.bytearray", "not plain data"),
        (Number.ONE, f"{__name__}.Number", "not plain data"),
        (Text("x"), f"{__name__}.Text", "not plain data"),
        (Items([1]), f"{__name__}.Items", "not plain data"),
        (Point(1, 2), f"{__name__}.Point", "not plain data"),
        (collections.OrderedDict(a=1), "collections.OrderedDict", "not plain data"),
        (collections.defaultdict(int), "collections.defaultdict", "not plain data"),
        (np.zeros(2).view(Matrix), f"{__name__}.Matrix", "a subclass of numpy.ndarray"),
        (np.ma.masked_array([1], [True]), "MaskedArray", "a subclass of numpy.ndarray"),
        (np.zeros(1, RECORDS).view(np.recarray), "recarray", "a subclass of numpy.ndarray"),
        (Real(1), f"{__name__}.Real", "a subclass of numpy.float64"),
        (np.array([object()]), "numpy.ndarray", "an array of dtype object"),
        (np.array([[1], "x"], object), "numpy.ndarray", "an array of dtype object"),
        (np.zeros(2, RECORDS), "numpy.ndarray", "an array of dtype [('x', "),
        (np.zeros(2, RECORDS)[0], "numpy.void", "an array of dtype [('x', "),
        (np.zeros(2, "datetime64[D]"), "numpy.ndarray", "an array of dtype datetime64[D]"),
        (np.timedelta64(1, "s"), "numpy.timedelta64", "an array of dtype timedelta64[s]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_plain_data_says_so_and_is_never_guessed(
    value: Any, kind: str, reason: str
) -> None:
    for around in (value, [value], {"k": value}, (1, (value,)), slice(value)):
        (found,) = find_opaque(stored(around))
        assert set(found) == {"type", "of", "reason"}
        assert found["of"].endswith(kind)
        assert found["reason"].startswith(reason)
        with pytest.raises(OpaqueValue, match="was not stored: "):
            decode(stored(around))


def test_numbers_that_only_an_extension_knows_are_opaque() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="numpy alone knows no bfloat16")
    assert "dtype bfloat16" in stored(np.zeros(2, ml_dtypes.bfloat16))["reason"]
    assert "dtype bfloat16" in stored(ml_dtypes.bfloat16(1))["reason"]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "larger", "reason"),
    [
        ("x" * SIZE_LIMIT, "x" * (SIZE_LIMIT + 1), "longer than 65536 characters"),
        (b"x" * SIZE_LIMIT, b"x" * (SIZE_LIMIT + 1), "longer than 65536 bytes"),
        (2**BITS_LIMIT - 1, 2**BITS_LIMIT, "a whole number of more than"),
        (1 - 2**BITS_LIMIT, -(2**BITS_LIMIT), "a whole number of more than"),
        (
            np.zeros(ARRAY_LIMIT, "u1"),
            np.zeros(ARRAY_LIMIT + 1, "u1"),
            "an array of 1024 KiB, over",
        ),
        (nested(DEPTH_LIMIT), nested(DEPTH_LIMIT + 1), "nested more than 32 deep"),
        ([0] * (COUNT_LIMIT - 1), [0] * COUNT_LIMIT, "larger than"),
        ([[0] * 99] * 199, [[0] * 99] * 200, "larger than"),
        ([np.zeros(ARRAY_LIMIT // 2, "u1")] * 2, [np.zeros(ARRAY_LIMIT, "u1")] * 2, "larger than"),
        (
            dict.fromkeys(range(31), "x" * SIZE_LIMIT),
            dict.fromkeys(range(32), "x" * SIZE_LIMIT),
            "larger than",
        ),
    ],
    ids=["text", "bytes", "number", "negative", "array", "depth", "count", "whole", "sum", "dict"],
)
def test_a_value_is_stored_up_to_its_limit_and_not_beyond(
    value: Any, larger: Any, reason: str
) -> None:
    assert identical(decode(stored(value)), value)
    (found,) = find_opaque(stored(larger))
    assert found["reason"].startswith(reason)


def test_of_a_large_value_that_holds_something_opaque_that_is_the_reason() -> None:
    large = np.zeros(ARRAY_LIMIT, "u1")
    (found,) = find_opaque(stored([large, large, object()]))
    assert found["reason"] == "not plain data"


def test_a_list_that_holds_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert find_opaque(encode(endless))[0]["reason"] == "it holds itself"
    shared = [1]
    assert decode(encode([shared, shared])) == [[1], [1]]


def test_the_same_set_is_always_the_same_text() -> None:
    values = ["b", "a", 3, 2.5, None, (1, 2)]
    texts = {
        json.dumps(encode(kind(items)))
        for kind in (set, frozenset)
        for items in (values, values[::-1])
    }
    assert len(texts) == 2


def test_an_opaque_value_is_found_at_any_depth_and_among_keys() -> None:
    hidden = encode({(1, frozenset({Point(1, 2)})): [1, {"k": (object(), 2)}]})
    assert [found["of"].rpartition(".")[2] for found in find_opaque(hidden)] == ["Point", "object"]
    assert find_opaque({"type": "dict", "items": [["type", "opaque"]]}) == []


@pytest.mark.parametrize(
    ("encoded", "error"),
    [
        ({"type": "ndarray", "dtype": "O", "shape": [1], "base64": "AAAAAAAAAAA="}, "no array"),
        ({"type": "scalar", "dtype": "O", "shape": [], "base64": "AAAAAAAAAAA="}, "no array"),
        ({"type": "ndarray", "dtype": "V8", "shape": [1], "base64": "AAAAAAAAAAA="}, "no array"),
        ({"type": "ndarray", "dtype": "M8[s]", "shape": [1], "base64": "AAAAAAAAAAA="}, "no array"),
        ({"type": "ndarray", "dtype": "f4,O", "shape": [1], "base64": "AAAA"}, "no array"),
        ({"type": "ndarray", "dtype": "<f4", "shape": [3], "base64": "AAAAAAAAAAA="}, "reshape"),
        ({"type": "ndarray", "dtype": "<f4", "shape": [1], "base64": "AAA="}, "buffer size"),
        ({"type": "module"}, "no such type of value: 'module'"),
        ({"type": ["list"]}, "no such type of value"),
        ({}, "no such type of value: 'None'"),
        ([1, {"type": "object"}], "no such type of value: 'object'"),
    ],
)
def test_what_nobody_writes_is_not_decoded(encoded: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        decode(encoded)
