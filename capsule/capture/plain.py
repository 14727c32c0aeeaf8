"""Plain values for the sidecar, and what is kept out of it: secrets and paths of this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from capsule.capture.secret_names import looks_secret
from capsule.guest import values

_URL_SECRET = re.compile(r"://[^/\s]*:[^/\s]*@")


class PlainValues:
    """Encodes values; *root* is the project's folder, *allow* names that hold no secret.

    ``stored=False`` leaves every value out.
    """

    def __init__(self, root: Path, *, stored: bool, allow: Collection[str]) -> None:
        self.root = root
        self._stored = stored
        self._allow = frozenset(allow)

    def encode(self, name: str, value: Any) -> Any:
        """Return *value*, which stood under *name*, as JSON data; opaque if it must stay out."""
        if not self._stored:
            return values.opaque(value, "values were left out as asked")
        encoded = values.encode(value)
        if type(encoded) in (bool, int, float, type(None)):
            return encoded
        reason = self._reason_to_omit(name, encoded)
        return encoded if reason is None else values.opaque(value, reason)

    def _reason_to_omit(self, name: str, encoded: Any) -> str | None:
        texts = list(_texts(encoded, None))
        if any(_is_machine_path(text, self.root) for _, text in texts):
            return "a path of this machine"
        if any(_URL_SECRET.search(text) for _, text in texts):
            return "an address with a password"
        if name in self._allow:
            return None
        way_out = f"if it is none: allow=[{name!r}] in Python, or capsule save --allow {name}"
        key = next((key for key, _ in texts if key and looks_secret(key)), None)
        if key is not None:
            return f"its key {key} looks like a secret's name; {way_out}"
        if texts and looks_secret(name):
            return f"its name looks like a secret's; {way_out}"
        return None

    def relative(self, file: str | None) -> str | None:
        """Return a file's path inside the project; of what lies outside only the name."""
        if file is None or file.startswith("<"):
            return file
        try:
            return Path(os.path.abspath(file)).relative_to(self.root).as_posix()
        except ValueError:
            return os.path.basename(file)


def _texts(encoded: Any, key: str | None) -> Iterator[tuple[str | None, str]]:
    """Give every text inside an encoded value, with the key of the dict that it stands under.

    Of bytes and of arrays of texts it gives only that they are there.
    """
    if isinstance(encoded, str):
        yield key, encoded
    elif isinstance(encoded, list):
        for item in encoded:
            yield from _texts(item, key)
    elif isinstance(encoded, dict):
        kind = encoded.get("type")
        array = kind in ("ndarray", "scalar")
        if kind == "bytes" or (array and str(encoded["dtype"])[1:2] in "SU"):
            yield key, ""
        for item in () if array else encoded.get("items", ()):
            if kind == "dict":
                yield from _texts(item[0], key)
                yield from _texts(item[1], item[0] if isinstance(item[0], str) else key)
            else:
                yield from _texts(item, key)


def _is_machine_path(text: str, root: Path) -> bool:
    if not os.path.isabs(text) or len(text) < 3:
        return False
    places = (str(Path.home()), str(root), os.getcwd())
    return text.startswith(places) or os.path.exists(text)
