"""Plain values for the sidecar, and what is kept out of it: secrets and paths of this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from capsule.guest import values

SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET", re.IGNORECASE)
_URL_SECRET = re.compile(r"://[^/\s]*:[^/\s]*@")


class PlainValues:
    """Encodes values; *root* is the project's folder, *allow* names that hold no secret.

    ``wanted=False`` leaves every value out.
    """

    def __init__(self, root: Path, *, wanted: bool, allow: Collection[str]) -> None:
        self.root = root
        self._wanted = wanted
        self._allow = frozenset(allow)

    def encode(self, name: str, value: Any) -> Any:
        """Return *value*, which stood under *name*, as JSON data; opaque if it must stay out."""
        if not self._wanted:
            return values.opaque(value, "values were left out as asked")
        encoded = values.encode(value)
        if type(encoded) in (bool, int, float, type(None)):
            return encoded
        texts = list(_texts(encoded))
        if any(_is_machine_path(text, self.root) for text in texts):
            return values.opaque(value, "a path of this machine")
        if any(_URL_SECRET.search(text) for text in texts):
            return values.opaque(value, "an address with a password")
        if name not in self._allow and any(map(SECRET.search, _keys(encoded))):
            return values.opaque(value, "one of its keys looks like a secret's name")
        if name not in self._allow and SECRET.search(name) and _holds_text(encoded):
            return values.opaque(value, "its name looks like a secret's")
        return encoded

    def relative(self, file: str | None) -> str | None:
        """Return a file's path inside the project; of what lies outside only the name."""
        if file is None or file.startswith("<"):
            return file
        try:
            return Path(os.path.abspath(file)).relative_to(self.root).as_posix()
        except ValueError:
            return os.path.basename(file)


def _texts(encoded: Any) -> Iterator[str]:
    """Give every text inside an encoded value."""
    if isinstance(encoded, str):
        yield encoded
    elif isinstance(encoded, list):
        for item in encoded:
            yield from _texts(item)
    elif isinstance(encoded, dict):
        yield from _texts(encoded.get("items", []))


def _keys(encoded: Any) -> Iterator[str]:
    """Give the keys that are texts of every dict inside an encoded value."""
    if isinstance(encoded, list):
        for item in encoded:
            yield from _keys(item)
    elif isinstance(encoded, dict):
        if encoded.get("type") == "dict":
            yield from (pair[0] for pair in encoded["items"] if isinstance(pair[0], str))
        yield from _keys(encoded.get("items", []))


def _is_machine_path(text: str, root: Path) -> bool:
    if not os.path.isabs(text) or len(text) < 3:
        return False
    places = (str(Path.home()), str(root), os.getcwd())
    return text.startswith(places) or os.path.exists(text)


def _holds_text(encoded: Any) -> bool:
    if isinstance(encoded, str):
        return True
    if isinstance(encoded, list):
        return any(_holds_text(item) for item in encoded)
    if isinstance(encoded, dict):
        if encoded.get("type") in ("ndarray", "scalar"):
            return str(encoded["dtype"])[1:2] in "SU"
        return encoded.get("type") == "bytes" or _holds_text(encoded.get("items", []))
    return False
