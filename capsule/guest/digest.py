"""Digests that the host and the guest must compute alike."""

import binascii
import codecs
import hashlib
import json
from typing import Any


def canonical(value: Any) -> bytes:
    """Return the one JSON text that stands for a value.

    Parameters
    ----------
    value
        JSON data. A tuple counts as a list, since Keras writes both as JSON arrays.

    Returns
    -------
    bytes
        The text in ASCII, with sorted keys and no spaces.
    """
    # repr: Keras' own reader returns values that JSON can't hold; they then match nothing.
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr)
    return text.encode("ascii")


def digest(value: Any) -> str:
    """Return ``sha256:<hex>`` over the canonical JSON of a value."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def code_bytes(text: str) -> bytes:
    """Return the marshalled bytes that Keras wrote as text; unmarshal nothing.

    Parameters
    ----------
    text
        Base64 from Keras 2.1.2 on, before that raw_unicode_escape. Keras' own loader
        tells the two apart in the same way.

    Returns
    -------
    bytes
        A marshalled code object, if the file is sound.
    """
    try:
        return bytes(codecs.decode(text.encode("ascii"), "base64"))
    except (UnicodeEncodeError, binascii.Error):
        return text.encode("raw_unicode_escape")


def embedded_key(code: str, defaults: Any, closure: Any) -> str:
    """Return the key of a function that a file stores as bytecode.

    Keras hands just these three to its ``func_load``, so that the guest knows by the key
    which function it has to answer with.

    Parameters
    ----------
    code
        The text of its bytecode in the file.
    defaults, closure
        Its default values and closure values in the file.

    Returns
    -------
    str
        A digest over the three.
    """
    return digest(
        {
            "code": hashlib.sha256(code_bytes(code)).hexdigest(),
            "defaults": defaults,
            "closure": closure,
        }
    )
