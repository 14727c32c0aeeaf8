"""Frames between host and worker: a JSON header and raw arrays, lengths first, no pickles.

Large arrays go by way of a folder in shared memory where both sides have one: the frame
names the file then, and whoever reads it takes it away.
"""

import importlib
import json
import mmap
import os
import re
import struct
from typing import IO, Any, Dict, Iterable, List, Optional, Tuple

_HEAD = struct.Struct(">4sQ")
_MAGIC = b"cps2"
HEADER_LIMIT = 64 * 1024 * 1024
ARRAY_LIMIT = 1 << 40
SHARED_FROM = 1 << 20  # bytes: below that a pipe is as fast
KINDS = "biufcSU"
_NAME = re.compile(r"[0-9]+-[0-9]+\Z")
_count = [0]


class WireError(Exception):
    """The other side sent something that is no frame, or ended."""


def write_frame(
    stream: IO[bytes], header: Any, arrays: Iterable[Any] = (), shared: Optional[str] = None
) -> None:
    """Write *header* (JSON data) and *arrays* (numpy) to the binary *stream* and flush it.

    *shared* is a folder that the other side reads large arrays from.
    """
    told: List[Dict[str, Any]] = []
    raws: List[Any] = []
    for array in arrays:
        spec, raw = _as_bytes(array)
        if shared is not None and raw.nbytes >= SHARED_FROM:
            spec["shared"] = _put(raw, shared)
        told.append(spec)
        raws.append(raw)
    text = json.dumps({"header": header, "arrays": told}).encode("utf-8")
    stream.write(_HEAD.pack(_MAGIC, len(text)))
    stream.write(text)
    for spec, raw in zip(told, raws):
        if raw.nbytes and not spec.get("shared"):
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


def _put(raw: Any, shared: str) -> Optional[str]:
    """Write an array's bytes into the shared folder; None where there is no room for it."""
    _count[0] += 1
    name = "%d-%d" % (os.getpid(), _count[0])
    path = os.path.join(shared, name)
    try:
        # Written, not mapped: memory that runs out is an error then and no signal.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb", 0) as file:
            view = memoryview(raw.reshape(-1)).cast("B")
            while view:
                view = view[file.write(view) :]
    except OSError:
        try:
            os.unlink(path)
        except OSError:
            pass
        return None
    return name


def read_frame(stream: Any, shared: Optional[str] = None) -> Optional[Tuple[Any, List[Any]]]:
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
        return header, [_read_array(stream, spec, shared) for spec in specs]
    except (ValueError, KeyError, TypeError) as error:
        raise WireError("the frame's header is damaged: %s" % error)


def _read_array(stream: Any, spec: Dict[str, Any], shared: Optional[str]) -> Any:
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
        array = _taken(str(spec["shared"]), spec["nbytes"], shared, dtype)
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


def _taken(name: str, size: int, shared: Optional[str], dtype: Any) -> Any:
    """Return the array in a file of the shared folder, which is taken away."""
    import numpy

    if shared is None or not _NAME.match(name):
        raise WireError("an array in a place that is not shared")
    path = os.path.join(shared, name)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                raise WireError("an array's length is not that of its file")
            # A copy only of what is written to: the array is the reader's own.
            held = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        os.unlink(path)
    except OSError as error:
        raise WireError("an array in shared memory is gone: %s" % error)
    return numpy.frombuffer(held, dtype)


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
