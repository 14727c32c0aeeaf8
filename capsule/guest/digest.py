"""Digests that the host and the guest must compute alike."""

import binascii
import codecs
import hashlib
import json
from typing import Any


def canonical(value: Any) -> bytes:
    """Return the one JSON text, as bytes, that stands for *value*.

    Tuples and lists are one thing here, since Keras writes both as JSON arrays.
    """
    # repr: Keras' own reader gives back values that are no JSON, which then match nothing.
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr)
    return text.encode("ascii")


def digest(value: Any) -> str:
    """Return ``sha256:<hex>`` over the canonical JSON of *value*."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def code_bytes(text: str) -> bytes:
    """Return the marshalled bytes that Keras wrote as *text*; nothing is unmarshalled.

    Keras 2.1.2 and later write base64; before, the bytes stand as raw_unicode_escape
    text. Keras' own loader tells them apart the same way.
    """
    try:
        return bytes(codecs.decode(text.encode("ascii"), "base64"))
    except (UnicodeEncodeError, binascii.Error):
        return text.encode("raw_unicode_escape")


def carried_key(code: str, defaults: Any, closure: Any) -> str:
    """Return the key of a function stored as bytecode: over code, defaults and closure.

    Keras hands just these three to its ``func_load``, so the key is how the guest
    knows which function it is being asked for.
    """
    return digest(
        {
            "code": hashlib.sha256(code_bytes(code)).hexdigest(),
            "defaults": defaults,
            "closure": closure,
        }
    )
