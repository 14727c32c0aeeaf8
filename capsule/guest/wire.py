"""Frames between host and worker: a JSON header and raw arrays, lengths first, no pickles.

Large arrays go by way of shared memory where both sides have it: the frame names the file.
"""

import importlib
import json
import struct
from typing import IO, Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from .shared import MIN_SIZE, SharedError, SharedFolder

_HEAD = struct.Struct(">4sQ")
_MAGIC = b"cps2"
HEADER_LIMIT = 64 * 1024 * 1024
ARRAY_LIMIT = 1 << 40
KINDS = "biufcSU"


class WireError(Exception):
    """The other side sent something that is no frame, or ended within one."""


class Frame(NamedTuple):
    """A request or an answer: a header of JSON data, and numpy arrays."""

    header: Any
    arrays: List[Any]


class EncodedFrame(NamedTuple):
    """A frame ready to be sent: its JSON data, and the arrays that follow in the stream."""

    message: Dict[str, Any]
    buffers: List[Any]


def write_frame(
    stream: IO[bytes],
    header: Any,
    arrays: Iterable[Any] = (),
    folder: Optional[SharedFolder] = None,
) -> None:
    """Write one frame and flush the stream.

    Parameters
    ----------
    stream
        A binary stream.
    header
        JSON data.
    arrays
        Arrays of numbers, texts or bytes.
    folder
        Where large arrays go instead of the stream, if anywhere.

    Raises
    ------
    WireError
        An array can't be sent. Nothing was written.
    """
    send(stream, encode_frame(header, arrays, folder))


def encode_frame(
    header: Any, arrays: Iterable[Any] = (), folder: Optional[SharedFolder] = None
) -> EncodedFrame:
    """Return a frame ready to be sent, its large arrays in the shared folder already.

    Parameters
    ----------
    header
        JSON data.
    arrays
        Arrays of numbers, texts or bytes.
    folder
        Where large arrays go instead of the stream, if anywhere.

    Returns
    -------
    EncodedFrame
        What ``send`` takes.

    Raises
    ------
    WireError
        An array can't be sent.
    """
    specs: List[Dict[str, Any]] = []
    buffers: List[Any] = []
    for array in arrays:
        spec, raw = _as_bytes(array)
        place = folder.put(raw) if folder is not None and raw.nbytes >= MIN_SIZE else None
        if place is not None:
            spec["shared"] = place
        elif raw.nbytes:
            buffers.append(raw)
        specs.append(spec)
    return EncodedFrame({"header": header, "arrays": specs}, buffers)


def send(stream: IO[bytes], frame: EncodedFrame, in_use: bool = False) -> None:
    """Write an encoded frame and flush the stream.

    Parameters
    ----------
    stream
        A binary stream.
    frame
        What to write.
    in_use
        Whether this side still uses shared arrays of the last frame that it read.
    """
    text = json.dumps(dict(frame.message, held=in_use)).encode("utf-8")
    stream.write(_HEAD.pack(_MAGIC, len(text)))
    stream.write(text)
    for raw in frame.buffers:
        stream.write(memoryview(raw.reshape(-1)).cast("B"))
    stream.flush()


def _as_bytes(array: Any) -> Tuple[Dict[str, Any], Any]:
    """Return the description of an array, and its items as an array of plain numbers."""
    import numpy

    array = numpy.asarray(array, order="C")
    spec: Dict[str, Any] = {"kind": "plain", "shape": list(array.shape)}
    if array.dtype.name == "bfloat16":  # numpy alone does not know it
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
    """Return the items of an array of objects, which must all be texts, or all be bytes."""
    items = array.reshape(-1).tolist()
    if all(isinstance(item, bytes) for item in items):
        return "bytes", items
    if all(isinstance(item, str) for item in items):
        return "text", [item.encode("utf-8") for item in items]
    raise WireError("no array of objects can be sent but of texts or of bytes")


def read_frame(stream: Any, folder: Optional[SharedFolder] = None) -> Optional[Frame]:
    """Read one frame.

    Parameters
    ----------
    stream
        A binary stream.
    folder
        Where the other side puts large arrays, if anywhere.

    Returns
    -------
    Frame or None
        The frame, None where the stream ended before it began.

    Raises
    ------
    WireError
        What came is no frame, or the stream ended within it.
    """
    head = _read(stream, _HEAD.size)
    if head is None:
        return None
    magic, length = _HEAD.unpack(head)
    if magic != _MAGIC or length > HEADER_LIMIT:
        raise WireError("what came is no frame")
    try:
        message = json.loads((_read(stream, length) or b"").decode("utf-8"))
        header, specs = message["header"], message["arrays"]
        arrays = [_read_array(stream, spec, folder) for spec in specs]
        if folder is not None:
            folder.reclaim(in_use=bool(message.get("held")))
        return Frame(header, arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise WireError("the frame's header is damaged: %s" % error)


def _read_array(stream: Any, spec: Dict[str, Any], folder: Optional[SharedFolder]) -> Any:
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
        if folder is None:
            raise WireError("an array in a place that is not shared")
        try:
            array = folder.read(spec["shared"], spec["nbytes"], dtype)
        except SharedError as error:
            raise WireError(str(error))
    else:
        array = numpy.empty(count, dtype)
        _fill(stream, array)
    return _from_numbers(array, spec)


def _fill(stream: Any, array: Any) -> None:
    if array.nbytes:
        view = memoryview(array).cast("B")
        while view:
            count = stream.readinto(view)
            if not count:
                raise WireError("it ended in the midst of an array")
            view = view[count:]


def _from_numbers(array: Any, spec: Dict[str, Any]) -> Any:
    """Return the array that *spec* describes, made of the numbers that came."""
    import numpy

    shape = spec["shape"]
    if spec["kind"] == "plain":
        return array.reshape(shape)
    if spec["kind"] == "bfloat16":
        try:
            narrow = importlib.import_module("ml_dtypes").bfloat16
            return array.view(narrow).reshape(shape)
        except ImportError:  # the same numbers as float32
            wide = array.astype("uint32") << numpy.uint32(16)
            return wide.view("float32").reshape(shape)
    raw, at = array.tobytes(), 0
    items: Any = numpy.empty(len(spec["lengths"]), object)
    for index, length in enumerate(spec["lengths"]):
        part = raw[at : at + length]
        items[index] = part.decode("utf-8") if spec["kind"] == "text" else part
        at += length
    return items.reshape(shape)


def _read(stream: Any, length: int) -> Optional[bytes]:
    """Return *length* bytes, None if the stream ended before the first of them."""
    parts: List[bytes] = []
    rest = length
    while rest:
        part = stream.read(rest)
        if not part:
            if rest == length:
                return None
            raise WireError("it ended in the midst of a frame")
        parts.append(part)
        rest -= len(part)
    return b"".join(parts)
