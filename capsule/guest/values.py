"""Plain values to JSON and back: what a function's names held, with nothing pickled.

JSON scalars and lists stand for themselves; everything else is an object with a
``type``. What is no plain data becomes ``{"type": "opaque", "of": …, "reason": …}``.
"""

import base64
import json
import math
import sys
from typing import Any, Callable, Dict, List, Tuple

SIZE_LIMIT = 64 * 1024
ARRAY_LIMIT = 1024 * 1024
COUNT_LIMIT = 20 * 1000
TOO_LARGE = "larger than %d KiB" % (SIZE_LIMIT // 1024)
DEPTH_LIMIT = 32
BITS_LIMIT = 14 * 1000  # Python writes and reads no whole number of more than 4300 digits


class OpaqueValue(ValueError):
    """A value can't be decoded, since it was never stored."""


def opaque(value: Any, reason: str) -> Dict[str, Any]:
    """Return what is stored in place of a value that can't be.

    Parameters
    ----------
    value
        The value; its type is stored.
    reason
        Why it can't be stored, as people read it.

    Returns
    -------
    dict
        JSON data of the type ``opaque``.
    """
    kind = type(value)
    return {
        "type": "opaque",
        "of": "%s.%s" % (kind.__module__, kind.__qualname__),
        "reason": reason,
    }


def find_opaque(encoded: Any) -> List[Dict[str, Any]]:
    """Return the opaque parts of an encoded value, at any depth.

    Parameters
    ----------
    encoded
        What ``encode`` returned.

    Returns
    -------
    list
        What stands in place of each value that was not stored, in its order.
    """
    if isinstance(encoded, list):
        return [part for item in encoded for part in find_opaque(item)]
    if isinstance(encoded, dict):
        if encoded.get("type") == "opaque":
            return [encoded]
        return [part for item in encoded.values() for part in find_opaque(item)]
    return []


def encode(value: Any) -> Any:
    """Return a value as JSON data.

    Parameters
    ----------
    value
        Anything. What is no plain data, and what is larger than ``SIZE_LIMIT`` bytes
        (an array: ``ARRAY_LIMIT``), becomes opaque, alone or inside a container.

    Returns
    -------
    JSON data
        A scalar, a list, or an object with a ``type``.
    """
    try:
        encoded = _Encoder().encode(value, [])
    except _TooLarge:
        return opaque(value, TOO_LARGE)
    whole = isinstance(encoded, (list, dict)) and type(value) in _HOLDERS
    if whole and not find_opaque(encoded) and len(json.dumps(encoded)) > 2 * ARRAY_LIMIT:
        return opaque(value, TOO_LARGE)
    return encoded


class _TooLarge(Exception):
    """There is more in a value than is ever stored."""


_HOLDERS = (list, tuple, set, frozenset, dict)


class _Encoder(object):
    """Encodes one value, and counts its items so that a huge value ends early."""

    def __init__(self) -> None:
        self._count = 0

    def encode(self, value: Any, around: List[Any]) -> Any:
        """Return *value*, which stands in the containers *around* it, as JSON data."""
        kind = type(value)
        self._count += 1
        if self._count > COUNT_LIMIT or (kind in _HOLDERS and len(value) > COUNT_LIMIT):
            raise _TooLarge
        if len(around) > DEPTH_LIMIT:
            return opaque(value, "nested more than %d deep" % DEPTH_LIMIT)
        if kind in _HOLDERS and any(value is outer for outer in around):
            return opaque(value, "it holds itself")
        if kind in _HOLDERS or kind in (slice, range):
            return self._encode_container(value, around + [value])
        # By identity: what a user's metaclass says of equality does not matter here.
        encoders = (encoder for scalar, encoder in _SCALARS if kind is scalar)
        return next(encoders, _encode_numpy)(value)

    def _encode_container(self, value: Any, around: List[Any]) -> Any:
        kind = type(value)
        if kind is dict:
            pairs = value.items()
            items = [[self.encode(k, around), self.encode(v, around)] for k, v in pairs]
        elif kind in (slice, range):
            parts = (value.start, value.stop, value.step)
            items = [self.encode(part, around) for part in parts]
        else:
            items = [self.encode(item, around) for item in value]
        if kind is list:
            return items
        if kind in (set, frozenset):
            items.sort(key=json.dumps)
        return {"type": kind.__name__, "items": items}


def _encode_int(value: int) -> Any:
    if value.bit_length() > BITS_LIMIT:
        return opaque(value, "a whole number of more than %d bits" % BITS_LIMIT)
    return value


def _encode_str(value: str) -> Any:
    if len(value) > SIZE_LIMIT:
        return opaque(value, "longer than %d characters" % SIZE_LIMIT)
    return value


def _encode_float(value: float) -> Any:
    return value if math.isfinite(value) else {"type": "float", "value": repr(value)}


def _encode_complex(value: complex) -> Dict[str, Any]:
    return {"type": "complex", "value": [_encode_float(value.real), _encode_float(value.imag)]}


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


_SCALARS: Tuple[Tuple[type, Callable[[Any], Any]], ...] = (
    (type(None), lambda value: value),
    (bool, lambda value: value),
    (int, _encode_int),
    (str, _encode_str),
    (float, _encode_float),
    (complex, _encode_complex),
    (bytes, _encode_bytes),
    (type(Ellipsis), lambda value: {"type": "ellipsis"}),
)


def decode(encoded: Any) -> Any:
    """Return the value that was encoded.

    Parameters
    ----------
    encoded
        What ``encode`` returned, as JSON brings it back.

    Returns
    -------
    object
        An equal value of the same types.

    Raises
    ------
    OpaqueValue
        A part of the value was never stored.
    ValueError
        ``encode`` writes no such data.
    """
    if isinstance(encoded, list):
        return [decode(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    kind = str(encoded.get("type"))
    if kind == "opaque":
        raise OpaqueValue("a %s was not stored: %s" % (encoded.get("of"), encoded.get("reason")))
    if kind in _CONTAINERS:
        return _CONTAINERS[kind]([decode(item) for item in encoded["items"]])
    if kind in _DECODERS:
        return _DECODERS[kind](encoded)
    raise ValueError("no such type of value: %r" % (kind,))


def _decode_numpy(encoded: Dict[str, Any]) -> Any:
    import numpy

    dtype = numpy.dtype(encoded["dtype"])
    if dtype.kind not in "biufcSU":
        raise ValueError("no array of dtype %r is stored" % (encoded["dtype"],))
    raw = base64.b64decode(encoded["base64"])
    array = numpy.frombuffer(raw, dtype=dtype).reshape(encoded["shape"]).copy()
    return array if encoded["type"] == "ndarray" else array[()]


_CONTAINERS: Dict[str, Callable[[List[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "slice": lambda items: slice(*items),
    "range": lambda items: range(*items),
}
_DECODERS: Dict[str, Callable[[Dict[str, Any]], Any]] = {
    "float": lambda encoded: float(encoded["value"]),
    "complex": lambda encoded: complex(*[decode(part) for part in encoded["value"]]),
    "dict": lambda encoded: {decode(k): decode(v) for k, v in encoded["items"]},
    "bytes": lambda encoded: base64.b64decode(encoded["base64"]),
    "ellipsis": lambda encoded: Ellipsis,
    "ndarray": _decode_numpy,
    "scalar": _decode_numpy,
}
