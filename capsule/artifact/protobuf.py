"""Protocol buffers, as much as a SavedModel needs: numbered fields, nothing resolved.

TensorFlow's own messages would need TensorFlow. The wire format is small, and every
length in it is checked against what is there.
"""

from __future__ import annotations

from collections.abc import Iterator

FIELD_LIMIT = 2_000_000


class ProtobufError(ValueError):
    """Bytes that are no protocol buffer."""


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Give the fields of one message as ``(number, bytes or whole number)``, in its order.

    Raises ProtobufError where the bytes end within a field, or are of no known kind.
    """
    at = count = 0
    while at < len(data):
        count += 1
        if count > FIELD_LIMIT:
            raise ProtobufError(f"more than {FIELD_LIMIT} fields")
        key, at = _number(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield number, value
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            yield number, _slice(data, at, width)
            at += width
        elif kind == 2:
            length, at = _number(data, at)
            yield number, _slice(data, at, length)
            at += length
        else:
            raise ProtobufError(f"a field of unknown kind {kind} at byte {at}")


def messages(data: bytes, *path: int) -> Iterator[bytes]:
    """Give what stands at the field numbers *path*, however often each is repeated."""
    if not path:
        yield data
        return
    for number, value in fields(data):
        if number == path[0] and isinstance(value, bytes):
            yield from messages(value, *path[1:])


def text(data: bytes, *path: int) -> str | None:
    """Return the first text at *path*, None if there is none."""
    first = next(messages(data, *path), None)
    return None if first is None else first.decode("utf-8", "replace")


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError(f"a number that does not end at byte {at}")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if not byte & 0x80:
            break
    if value >> 64:
        raise ProtobufError(f"a number of more than 64 bits before byte {at}")
    return value, at


def _slice(data: bytes, at: int, length: int) -> bytes:
    if length > len(data) - at:
        raise ProtobufError(f"{length} bytes at byte {at}, where {len(data) - at} are left")
    return data[at : at + length]
