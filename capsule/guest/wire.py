"""Frames between host and worker: a JSON header and raw arrays, lengths first, no pickles.

Large arrays go by way of shared memory where both sides have it: the frame names the file.
"""

import importlib
import json
import struct
from typing import IO, Any, Dict, Iterable, List, Optional, Tuple

from .shared import FROM, Shared, SharedError

_HEAD = struct.Struct(">4sQ")
_MAGIC = b"cps2"
HEADER_LIMIT = 64 * 1024 * 1024
ARRAY_LIMIT = 1 << 40
KINDS = "biufcSU"


class WireError(Exception):
    """The other side sent something that is no frame, or ended."""


def write_frame(
    stream: IO[bytes], header: Any, arrays: Iterable[Any] = (), shared: Optional[Shared] = None
) -> None:
    """Write *header* (JSON data) and *arrays* (numpy) to the binary *stream* and flush it.

    Large arrays go by way of *shared*, where there is one.
    """
    send(stream, pack(header, arrays, shared))


class Packed(object):
    """A frame that is ready to be sent: what is told, and what goes by the stream."""

    def __init__(self, told: Dict[str, Any], raws: List[Any]) -> None:
        self.told = told
        self.raws = raws


def pack(header: Any, arrays: Iterable[Any] = (), shared: Optional[Shared] = None) -> Packed:
    """Return a frame of *header* and *arrays*, large ones put into *shared* already.

    Raises WireError for an array that can't be sent.
    """
    told: List[Dict[str, Any]] = []
    raws: List[Any] = []
    for array in arrays:
        spec, raw = _as_bytes(array)
        place = shared.put(raw) if shared is not None and raw.nbytes >= FROM else None
        if place is not None:
            spec["shared"] = place
        elif raw.nbytes:
            raws.append(raw)
        told.append(spec)
    return Packed({"header": header, "arrays": told}, raws)


def send(stream: IO[bytes], packed: Packed, held: bool = False) -> None:
    """Write a packed frame; *held* tells that arrays of the last request are still in use."""
    text = json.dumps(dict(packed.told, held=held)).encode("utf-8")
    stream.write(_HEAD.pack(_MAGIC, len(text)))
    stream.write(text)
    for raw in packed.raws:
        stream.write(memoryview(raw.reshape(-1)).cast("B"))
    stream.flush()


def _as_bytes(array: Any) -> Tuple[Dict[str, Any], Any]:
    """Return what is told of an array, and its items as an array of plain numbers."""
    import numpy

    array = numpy.asarray(array, order="C")
    spec: Dict[str, Any] = {"kind": "plain", "shape": list(array.shape)}
    if array.dtype.name == "bfloat16":  # which numpy alone does not know
        spec["kind"] = "bfloat16"
        array = array.view("uint16")
    elif array.dtype.kind == "O":
        spec["kind"], parts = _texts(array)
        spec["lengths"] = [len(part) for part in parts]
        array = numpy.frombuffer(b"".join(parts), "uint8")
    elif array.dtype.kind not in KINDS:
        raise WireError("no array of dtype %s can be sent" % array.dtype)
    spec.update(dtype=array.dtype.str, nbytes=array.nbytes)
    return spec, array


def _texts(array: Any) -> Tuple[str, List[bytes]]:
    """Return the items of an array of objects, which must be texts, or bytes, all of them."""
    items = array.reshape(-1).tolist()
    if all(isinstance(item, bytes) for item in items):
        return "bytes", items
    if all(isinstance(item, str) for item in items):
        return "text", [item.encode("utf-8") for item in items]
    raise WireError("no array of objects can be sent but of texts or of bytes")


def read_frame(stream: Any, shared: Optional[Shared] = None) -> Optional[Tuple[Any, List[Any]]]:
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
        arrays = [_read_array(stream, spec, shared) for spec in specs]
        if shared is not None:
            shared.answered(bool(told.get("held")))
        return header, arrays
    except (ValueError, KeyError, TypeError) as error:
        raise WireError("the frame's header is damaged: %s" % error)


def _read_array(stream: Any, spec: Dict[str, Any], shared: Optional[Shared]) -> Any:
    import numpy

    dtype = numpy.dtype(str(spec["dtype"]))
    if dtype.kind not in KINDS:
        raise WireError("no array of dtype %r is taken" % (spec["dtype"],))
    count = 1
    for size in spec["shape"]:
        if not isinstance(size, int) or size < 0:
            raise WireError("%r is no shape" % (spec["shape"],))
        count *= size
    if spec["kind"] in ("text", "bytes"):
        lengths = spec["lengths"]
        if len(lengths) != count or not all(isinstance(n, int) and n >= 0 for n in lengths):
            raise WireError("texts whose lengths don't fit")
        count = sum(lengths)
    if count * dtype.itemsize != spec["nbytes"] or spec["nbytes"] > ARRAY_LIMIT:
        raise WireError("an array's length is not that of its shape")
    if spec.get("shared"):
        if shared is None:
            raise WireError("an array in a place that is not shared")
        try:
            array = shared.take(spec["shared"], spec["nbytes"], dtype)
        except SharedError as error:
            raise WireError(str(error))
    else:
        array = numpy.empty(count, dtype)
        _fill(stream, array)
    return _as_it_was(array, spec)


def _fill(stream: Any, array: Any) -> None:
    if array.nbytes:
        view = memoryview(array).cast("B")
        while view:
            got = stream.readinto(view)
            if not got:
                raise WireError("it ended in the midst of an array")
            view = view[got:]


def _as_it_was(array: Any, spec: Dict[str, Any]) -> Any:
    """Return the array that *spec* tells of, made of the numbers that came."""
    import numpy

    shape = spec["shape"]
    if spec["kind"] == "plain":
        return array.reshape(shape)
    if spec["kind"] == "bfloat16":
        try:
            narrow = importlib.import_module("ml_dtypes").bfloat16
            return array.view(narrow).reshape(shape)
        except ImportError:  # the same numbers, in twice the room
            wide = array.astype("uint32") << numpy.uint32(16)
            return wide.view("float32").reshape(shape)
    raw, at = array.tobytes(), 0
    found: Any = numpy.empty(len(spec["lengths"]), object)
    for index, length in enumerate(spec["lengths"]):
        part = raw[at : at + length]
        found[index] = part.decode("utf-8") if spec["kind"] == "text" else part
        at += length
    return found.reshape(shape)


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
