"""One JSON object, read key by key, whoever wrote it: an error carries the path to the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from capsule.errors import ManifestError, escaped

T = TypeVar("T")


class Reader:
    """One Any object, read key by key; every error carries the path to the value."""

    def __init__(self, data: Any, path: str) -> None:
        self.path = path
        if not isinstance(data, dict):
            raise ManifestError("an object was expected", path=path or "the top")
        self._data = data

    def bad(self, key: str, told: str) -> ManifestError:
        """Return the error for the value at *key*."""
        return ManifestError(told, path=escaped(f"{self.path}.{key}" if self.path else key))

    @property
    def names(self) -> list[str]:
        """The object's keys."""
        return list(self._data)

    def raw(self, key: str) -> Any:
        if key not in self._data:
            raise self.bad(key, "the key is missing")
        return self._data[key]

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        value = self.raw(key)
        if not isinstance(value, str):
            raise self.bad(key, "a text was expected")
        if pattern is not None and not pattern.match(value):
            raise self.bad(key, f"{value[:80]!r} is not allowed here")
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self._data.get(key) is None else self.text(key)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise self.bad(key, f"{value[:80]!r} is none of {', '.join(allowed)}")
        return value

    def integer(self, key: str) -> int:
        value = self.raw(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.bad(key, "a whole number was expected")
        return value

    def number(self, key: str) -> float:
        value = self.raw(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self.bad(key, "a number was expected")
        try:
            return float(value)
        except OverflowError:
            raise self.bad(key, "too large a number") from None

    def flag(self, key: str) -> bool:
        value = self._data.get(key, False)
        if not isinstance(value, bool):
            raise self.bad(key, "true or false was expected")
        return value

    def array(self, key: str) -> list[Any]:
        value = self.raw(key)
        if not isinstance(value, list):
            raise self.bad(key, "an array was expected")
        return value

    def texts(self, key: str, *, optional: bool = False) -> tuple[str, ...]:
        values = [] if optional and key not in self._data else self.array(key)
        if not all(isinstance(value, str) for value in values):
            raise self.bad(key, "an array of texts was expected")
        return tuple(values)

    def object(self, key: str) -> Reader:
        return Reader(self.raw(key), f"{self.path}.{key}" if self.path else key)

    def objects(self, key: str, build: Callable[[Reader], T]) -> tuple[T, ...]:
        path = f"{self.path}.{key}" if self.path else key
        return tuple(build(Reader(v, f"{path}[{i}]")) for i, v in enumerate(self.array(key)))

    def optional(self, key: str, build: Callable[[Reader], T]) -> T | None:
        return None if self.raw(key) is None else build(self.object(key))
