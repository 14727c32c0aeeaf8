"""Definitions as a plan has them, and what the guest makes of them."""

from __future__ import annotations

import base64
import hashlib
import marshal
from importlib.util import MAGIC_NUMBER
from typing import Any

from capsule.guest.restore import Restorer
from tests.plans import as_read, module, node

MAGIC = int.from_bytes(MAGIC_NUMBER[:2], "little")
# Modules of the standard library.
LIBRARY = {"math": module(None), "collections": module(None)}


def restored(nodes: dict[str, Any], name: str = "f", **options: Any) -> Any:
    """Return what *name* of *nodes* defines."""
    return Restorer(as_read(nodes), **options).restore([name])[name]


def function(source: str, *names: Any, **facts: Any) -> dict[str, Any]:
    title = source.partition("(")[0].replace("def ", "") if source.startswith("def") else "<lambda>"
    return node(source, names=list(names), **{"qualname": title, **facts})


def thing(kind: str, *names: Any, **facts: Any) -> dict[str, Any]:
    plain = {"kind": kind, "origin": "", "module": "", "namespace": "", "source": None}
    return {**plain, "names": list(names), **facts}


def bytecode(made: Any, **facts: Any) -> dict[str, Any]:
    raw = marshal.dumps(made.__code__)
    plain = {
        "sha256": hashlib.sha256(raw).hexdigest(),
        "magic": MAGIC,
        "base64": base64.b64encode(raw).decode(),
    }
    return {**plain, **facts}
