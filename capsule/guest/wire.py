"""Frames between host and worker: a JSON header and raw arrays, lengths first, no pickles."""

import json
import struct
from typing import IO, Any, Dict, Iterable, List, Optional, Tuple

_HEAD = struct.Struct(">4sQ")
_MAGIC = b"cps1"
HEADER_LIMIT = 64 * 1024 * 1024
ARRAY_LIMIT = 1 << 40
KINDS = "biufcSU"


class WireError(Exception):
    """The other side sent something that is no frame, or ended."""


def write_frame(stream: IO[bytes], header: Any, arrays: Iterable[Any] = ()) -> None:
    """Write *header* (JSON data) and *arrays* (numpy) to the binary *stream* and flush it."""
    import numpy

    arrays = [numpy.asarray(array, order="C") for array in arrays]
    for array in arrays:
        if array.dtype.kind not in KINDS:
            raise WireError("no array of dtype %s can be sent" % array.dtype)
    told = [{"dtype": a.dtype.str, "shape": list(a.shape), "nbytes": a.nbytes} for a in arrays]
    text = json.dumps({"header": header, "arrays": told}).encode("utf-8")
    stream.write(_HEAD.pack(_MAGIC, len(text)))
    stream.write(text)
    for array in arrays:
        stream.write(memoryview(array.reshape(-1)).cast("B") if array.nbytes else b"")
    stream.flush()


def read_frame(stream: Any) -> Optional[Tuple[Any, List[Any]]]:
    """Read one frame; returns ``(header, arrays)``, or None at a clean end."""
    head = _read(stream, _HEAD.size)
    if head is None:
        return None
    magic, length = _HEAD.unpack(head)
    if magic != _MAGIC or length > HEADER_LIMIT:
        raise WireError("what came is no frame")
    try:
        told = json.loads((_read(stream, length) or b"").decode("utf-8"))
        header, specs = told["header"], told["arrays"]
    except (ValueError, KeyError, TypeError) as error:
        raise WireError("the frame's header is damaged: %s" % error)
    return header, [_read_array(stream, spec) for spec in specs]


def _read_array(stream: Any, spec: Dict[str, Any]) -> Any:
    import numpy

    try:
        dtype = numpy.dtype(str(spec["dtype"]))
    except TypeError:
        raise WireError("%r is no dtype" % (spec["dtype"],))
    if dtype.kind not in KINDS:
        raise WireError("no array of dtype %r is taken" % (spec["dtype"],))
    count = 1
    for size in spec["shape"]:
        if not isinstance(size, int) or size < 0:
            raise WireError("%r is no shape" % (spec["shape"],))
        count *= size
    if count * dtype.itemsize != spec["nbytes"] or spec["nbytes"] > ARRAY_LIMIT:
        raise WireError("an array's length is not that of its shape")
    array = numpy.empty(spec["shape"], dtype)
    if array.nbytes:
        view = memoryview(array.reshape(-1)).cast("B")
        while view:
            got = stream.readinto(view)
            if not got:
                raise WireError("it ended in the midst of an array")
            view = view[got:]
    return array


def _read(stream: Any, length: int) -> Optional[bytes]:
    """Return *length* bytes, None if the stream ended before the first of them."""
    parts: List[bytes] = []
    missing = length
    while missing:
        part = stream.read(missing)
        if not part:
            if missing == length:
                return None
            raise WireError("it ended in the midst of a frame")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
