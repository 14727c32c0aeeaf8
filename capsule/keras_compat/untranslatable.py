"""The one exception of the translations, where both of them find it.

A configuration is either said in another Keras' words with the same meaning, or refused
with a reason that names the layer: nothing is translated halfway, and nothing is guessed,
since a model that computes something else without a word is worse than one that does not
load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Untranslatable(ValueError):
    """A configuration whose meaning in another Keras is not certain; says which layer and why."""

    @property
    def reason(self) -> str:
        """What is not certain, in one sentence without an end."""
        return str(self.args[0])


def certain(layer: str, key: str, value: object, names: Mapping[Any, object]) -> object:
    """Return what *value* is called now, by *names*; raises Untranslatable if it is not there.

    *layer* and *key* are for the message: which setting of which layer.
    """
    try:
        if value in names:
            return names[value]
    except TypeError:
        pass  # not a plain value, so that nothing is known of it
    raise Untranslatable(f"{layer} has {key}={str(value)[:60]!r}")


def only(layer: str, key: str, value: object, harmless: tuple[object, ...]) -> None:
    """Raise Untranslatable unless *value* is one of those under which *key* says nothing."""
    if not any(value is other or value == other for other in harmless):
        raise Untranslatable(f"{layer} has {key}={str(value)[:60]!r}")
