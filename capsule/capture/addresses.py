"""Where an object can be imported from again, so that it need not be captured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from capsule.capture.origins import Origins

# Where TensorFlow's and Keras' lazy modules really live, and the name people import.
_PUBLIC = (
    ("keras.api._v2.keras", "tensorflow", "keras"),
    ("keras._tf_keras.keras", "tensorflow", "keras"),
    ("tf_keras.api._v2.keras", "tf_keras", ""),
    ("keras.api", "keras", ""),
)


class Address(NamedTuple):
    """A module, what to take of it, and the module itself where ``sys.modules`` lacks it."""

    module: str
    attribute: str | None = None
    live: ModuleType | None = None


def address_of(value: Any, origins: Origins, *, source: bool) -> Address | None:
    """Return where *value* can be imported from, None if it is the user's or lies nowhere.

    Where *source* is captured, a class of a user's module has its address there: the
    module is captured whole, and two copies of the class would not be the same class.
    """
    if isinstance(value, ModuleType):
        return module_place(value) or _unlisted(value)
    if isinstance(value, (FunctionType, type)) and origins.is_users(value):
        return _in_own_module(value, origins) if source and isinstance(value, type) else None
    place = _object_place(value)
    return place if place is not None and not origins.is_user_code(place.module) else None


def module_place(module: ModuleType) -> Address | None:
    """Return where *module* can be imported from again, by its public name."""
    name = module.__name__
    for inner, public, attribute in _PUBLIC:
        if name == inner or name.startswith(inner + "."):
            rest = name[len(inner) + 1 :]
            if public == "tensorflow":
                return Address(public, ".".join(part for part in (attribute, rest) if part))
            return Address(f"{public}.{rest}" if rest else public)
    if sys.modules.get(name) is module:
        return Address(name)
    # A lazy stand-in (tf.keras, tf.estimator) hangs on its parent under its last name.
    for parent_name in ("tensorflow", name.rpartition(".")[0]):
        parent = sys.modules.get(parent_name)
        for attribute, value in vars(parent).items() if parent is not None else ():
            if value is module and not attribute.startswith("_"):
                return Address(parent_name, attribute)
    return None


def module_source(module: ModuleType) -> str | None:
    """Return the source text of *module* as its loader has it, None if it has none."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    try:
        text: str | None = loader.get_source(module.__name__)  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError, SyntaxError, ValueError):
        return None
    return text


def _unlisted(module: ModuleType) -> Address | None:
    return Address(module.__name__, live=module) if module_source(module) else None


def _in_own_module(kind: type, origins: Origins) -> Address | None:
    module = sys.modules.get(kind.__module__)
    if module is None or origins.of(kind.__module__).kind != "local":
        return None
    listed = vars(module).get(kind.__qualname__) is kind
    return Address(kind.__module__, kind.__qualname__) if listed and module_source(module) else None


def _object_place(value: Any) -> Address | None:
    """Return the address of *value*, the public one first, if it leads to the very object.

    Private names move from version to version.
    """
    for module, name in _candidates(value):
        target: Any = sys.modules.get(module)
        for part in name.split("."):
            target = getattr(target, part, None) if target is not None else None
        if target is not None and target is value:
            return Address(module, name)
    return None


def _candidates(value: Any) -> Iterator[tuple[str, str]]:
    exported = getattr(value, "_api_export_path", None)
    for path in [exported] if isinstance(exported, str) else exported or ():
        module, _, last = str(path).rpartition(".")
        yield module, last
    for path in getattr(value, "_tf_api_names", None) or ():
        yield "tensorflow", str(path)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    home = getattr(value, "__module__", None) or getattr(type(value), "__module__", None)
    if isinstance(name, str) and isinstance(home, str) and "<" not in name:
        parts = home.split(".")
        if parts[0] == "jax":
            yield "jax.numpy", name
        yield from ((".".join(parts[: n + 1]), name) for n in range(len(parts)))
    # Types of numbers are objects under their own names: tf.float32, torch.float32.
    own = getattr(value, "name", None)
    if isinstance(own, str) and not callable(value):
        yield type(value).__module__.split(".")[0], own
    if "dtype" in type(value).__name__ and str(value).startswith("torch."):
        yield "torch", str(value)[6:]
