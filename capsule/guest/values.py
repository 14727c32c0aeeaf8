"""Plain values to JSON and back: what a function's names held, with nothing pickled.

JSON scalars and lists stand for themselves; everything else is an object with a
``type``. What is no plain data becomes ``{"type": "opaque", "of": …, "reason": …}``.
"""

import base64
import json
import math
import sys
from typing import Any, Callable, Dict, List, Optional

SIZE_LIMIT = 64 * 1024
ARRAY_LIMIT = 1024 * 1024
COUNT_LIMIT = 20 * 1000
TOO_LARGE = "larger than %d KiB" % (SIZE_LIMIT // 1024)
DEPTH_LIMIT = 32
BITS_LIMIT = 14 * 1000  # Python writes and reads no whole number of more than 4300 digits


class OpaqueValue(ValueError):
    """An opaque value was to be decoded: it was never stored."""


def opaque(value: Any, reason: str) -> Dict[str, Any]:
    """Return the stand-in for a *value* that can't be stored, with its type and why."""
    kind = type(value)
    return {
        "type": "opaque",
        "of": "%s.%s" % (kind.__module__, kind.__qualname__),
        "reason": reason,
    }


def is_opaque(encoded: Any) -> List[Dict[str, Any]]:
    """Return the opaque stand-ins inside *encoded*, at any depth, as a list."""
    if isinstance(encoded, list):
        return [found for item in encoded for found in is_opaque(item)]
    if isinstance(encoded, dict):
        if encoded.get("type") == "opaque":
            return [encoded]
        return [found for item in encoded.values() for found in is_opaque(item)]
    return []


def encode(value: Any) -> Any:
    """Return *value* as JSON data; at most ``SIZE_LIMIT`` bytes, else opaque.

    A single array may have ``ARRAY_LIMIT`` bytes.
    """
    try:
        encoded = _encode(value, [])
    except _TooLarge:
        return opaque(value, TOO_LARGE)
    whole = isinstance(encoded, (list, dict)) and type(value) in _HOLDERS
    if whole and not is_opaque(encoded) and len(json.dumps(encoded)) > 2 * ARRAY_LIMIT:
        return opaque(value, TOO_LARGE)
    return encoded


class _TooLarge(Exception):
    """There is more in a value than is ever stored."""


_HOLDERS = (list, tuple, set, frozenset, dict)


def _encode(value: Any, around: List[Any], met: Optional[List[int]] = None) -> Any:
    """Return *value*, which stands in the containers *around* it, as JSON data."""
    kind = type(value)
    met = [0] if met is None else met
    met[0] += 1
    if met[0] > COUNT_LIMIT or (kind in _HOLDERS and len(value) > COUNT_LIMIT):
        raise _TooLarge
    if len(around) > DEPTH_LIMIT:
        return opaque(value, "nested more than %d deep" % DEPTH_LIMIT)
    if kind in _HOLDERS and any(value is outer for outer in around):
        return opaque(value, "it holds itself")
    if value is None or kind is bool:
        return value
    if kind is int:
        return _encode_int(value)
    if kind is str:
        if len(value) > SIZE_LIMIT:
            return opaque(value, "longer than %d characters" % SIZE_LIMIT)
        return value
    if kind is float:
        return value if math.isfinite(value) else {"type": "float", "value": repr(value)}
    if kind is complex:
        return {"type": "complex", "value": [_encode(value.real, []), _encode(value.imag, [])]}
    if kind is bytes:
        return _encode_bytes(value)
    inside = around + [value]
    if kind is list:
        return [_encode(item, inside, met) for item in value]
    if kind in (tuple, set, frozenset):
        items = [_encode(item, inside, met) for item in value]
        if kind is not tuple:
            items.sort(key=json.dumps)
        return {"type": kind.__name__, "items": items}
    if kind is dict:
        pairs = value.items()
        items = [[_encode(k, inside, met), _encode(v, inside, met)] for k, v in pairs]
        return {"type": "dict", "items": items}
    if kind is slice or kind is range:
        parts = [_encode(p, inside, met) for p in (value.start, value.stop, value.step)]
        return {"type": kind.__name__, "items": parts}
    if value is Ellipsis:
        return {"type": "ellipsis"}
    return _encode_numpy(value)


def _encode_int(value: int) -> Any:
    if value.bit_length() > BITS_LIMIT:
        return opaque(value, "a whole number of more than %d bits" % BITS_LIMIT)
    return value


def _encode_bytes(value: bytes) -> Dict[str, Any]:
    if len(value) > SIZE_LIMIT:
        return opaque(value, "longer than %d bytes" % SIZE_LIMIT)
    return {"type": "bytes", "base64": base64.b64encode(value).decode("ascii")}


def _encode_numpy(value: Any) -> Dict[str, Any]:
    # sys.modules: a numpy value can only exist where numpy is loaded already.
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic)):
        return opaque(value, "not plain data")
    plain = numpy.ndarray if isinstance(value, numpy.ndarray) else value.dtype.type
    if type(value) is not plain:
        return opaque(value, "a subclass of %s.%s" % (plain.__module__, plain.__name__))
    if value.dtype.kind not in "biufcSU":
        return opaque(value, "an array of dtype %s" % value.dtype)
    if value.nbytes > ARRAY_LIMIT:
        sizes = (value.nbytes // 1024, ARRAY_LIMIT // 1024)
        return opaque(value, "an array of %d KiB, over %d" % sizes)
    array = numpy.asarray(value, order="C")
    return {
        "type": "ndarray" if isinstance(value, numpy.ndarray) else "scalar",
        "dtype": value.dtype.str,
        "shape": list(value.shape),
        "base64": base64.b64encode(array.tobytes()).decode("ascii"),
    }


def decode(encoded: Any) -> Any:
    """Return the value that *encoded* stands for; opaque ones raise OpaqueValue."""
    if isinstance(encoded, list):
        return [decode(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    kind = str(encoded.get("type"))
    if kind == "opaque":
        raise OpaqueValue("a %s was not stored: %s" % (encoded.get("of"), encoded.get("reason")))
    if kind == "float":
        return float(encoded["value"])
    if kind == "complex":
        return complex(*[decode(part) for part in encoded["value"]])
    if kind == "bytes":
        return base64.b64decode(encoded["base64"])
    if kind == "dict":
        return {decode(k): decode(v) for k, v in encoded["items"]}
    if kind == "ellipsis":
        return Ellipsis
    if kind in _CONTAINERS:
        return _CONTAINERS[kind]([decode(item) for item in encoded["items"]])
    if kind in ("ndarray", "scalar"):
        return _decode_numpy(encoded)
    raise ValueError("no such type of value: %r" % (kind,))


_CONTAINERS: Dict[str, Callable[[List[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "slice": lambda items: slice(*items),
    "range": lambda items: range(*items),
}


def _decode_numpy(encoded: Dict[str, Any]) -> Any:
    import numpy

    dtype = numpy.dtype(encoded["dtype"])
    if dtype.kind not in "biufcSU":
        raise ValueError("no array of dtype %r is stored" % (encoded["dtype"],))
    raw = base64.b64decode(encoded["base64"])
    array = numpy.frombuffer(raw, dtype=dtype).reshape(encoded["shape"]).copy()
    return array if encoded["type"] == "ndarray" else array[()]
