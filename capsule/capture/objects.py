"""Objects that are neither plain data nor definitions, taken apart into what made them.

Nothing is pickled: a partial is a call of ``functools.partial`` with its parts, a bound
method an attribute of its owner, an instance of the user's own class that class and its
attributes. What can't be told so is opaque.
"""

from __future__ import annotations

import argparse
import enum
import functools
import logging
import operator
import re
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MethodType, SimpleNamespace
from typing import Any

from capsule.manifest import BindingKind, NodeKind

Part = tuple[str, BindingKind, Any]


@dataclass(frozen=True)
class Parts:
    """What an object is made of: ``kind`` of node, a word for it, ``(name, how, value)`` each."""

    kind: NodeKind
    word: str
    parts: tuple[Part, ...]


_CONTAINERS: dict[type, NodeKind] = {
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
}


def parts_of(value: Any, is_users: Callable[[type], bool]) -> Parts | None:
    """Return what makes *value* again, None if nothing known does.

    *is_users* tells whether a class is the user's own.
    """
    kind = type(value)
    if isinstance(value, functools.partial):
        return call(functools.partial, [value.func, *value.args], value.keywords, "partial")
    if isinstance(value, MethodType):
        if getattr(value.__self__, value.__name__, None) == value:
            return call(getattr, [value.__self__, value.__name__], {}, value.__name__)
        return call(MethodType, [value.__func__, value.__self__], {}, value.__name__)
    if kind in _CONTAINERS:
        items: list[Part] = [(str(number), "item", item) for number, item in enumerate(value)]
        return Parts(_CONTAINERS[kind], kind.__name__, tuple(items))
    if kind is dict and all(isinstance(key, str) for key in value):
        return Parts("dict", "dict", tuple((key, "item", item) for key, item in value.items()))
    return (
        _framework(value)
        or _cached(value)
        or _standard(value, kind)
        or _instance(value, kind, is_users)
    )


def has_state(value: Any) -> bool:
    """Tell whether *value* is a variable, a layer or a module of a framework."""
    tops = {base.__module__.split(".")[0] for base in type(value).__mro__}
    framework = tops & {"keras", "tf_keras", "tensorflow", "torch", "jax", "flax"}
    return bool(framework) and any(hasattr(value, n) for n in ("assign", "weights", "parameters"))


def call(
    function: Callable[..., Any], given: Iterable[Any], named: dict[str, Any], word: str
) -> Parts:
    """Return an object as the result of calling *function*."""
    parts: list[Part] = [("function", "part", function)]
    parts += [(str(number), "argument", value) for number, value in enumerate(given)]
    parts += [(name, "keyword", value) for name, value in named.items()]
    return Parts("call", word, tuple(parts))


def _standard(value: Any, kind: type) -> Parts | None:
    """Return an object of the standard library that people keep among their globals."""
    if isinstance(value, logging.Logger):
        return call(logging.getLogger, [value.name], {}, "getLogger")
    if isinstance(value, re.Pattern):
        return call(re.compile, [value.pattern, value.flags], {}, "compile")
    if isinstance(value, enum.Enum):
        return call(getattr, [kind, value.name], {}, value.name)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return call(kind, list(value), {}, kind.__name__)
    if kind in (SimpleNamespace, argparse.Namespace):
        return call(kind, [], vars(value), kind.__name__)
    if kind is OrderedDict:
        return call(OrderedDict, [list(value.items())], {}, "OrderedDict")
    if kind is defaultdict:
        return call(defaultdict, [value.default_factory, dict(value)], {}, "defaultdict")
    if kind in (operator.itemgetter, operator.attrgetter, operator.methodcaller):
        made = value.__reduce__()
        return call(made[0], made[1], {}, kind.__name__)
    return None


def _cached(value: Any) -> Parts | None:
    if type(value).__name__ != "_lru_cache_wrapper":
        return None
    made = call(functools.lru_cache, [], value.cache_parameters(), "lru_cache")
    parts: tuple[Part, ...] = (("function", "part", made), ("0", "argument", value.__wrapped__))
    return Parts("call", value.__name__, parts)


def _framework(value: Any) -> Parts | None:
    """Return a tensor or a compiled function of a framework that this process has loaded."""
    tensorflow = sys.modules.get("tensorflow")
    kind = type(value)
    if tensorflow is not None:
        if kind.__name__ == "EagerTensor" and hasattr(value, "numpy"):
            return call(tensorflow.constant, [value.numpy()], {}, "constant")
        if hasattr(value, "python_function") and hasattr(value, "get_concrete_function"):
            return _compiled(tensorflow, value)
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, jax.Array):
        import numpy

        return call(jax.numpy.asarray, [numpy.asarray(value)], {}, "asarray")
    torch = sys.modules.get("torch")
    if torch is not None and kind is torch.Tensor and not value.requires_grad:
        return call(torch.from_numpy, [value.detach().cpu().numpy()], {}, "from_numpy")
    return None


def _compiled(tensorflow: Any, value: Any) -> Parts | None:
    """Return a ``tf.function`` as the call that makes it; None with options unknown here."""
    if getattr(value, "input_signature", None) is not None:
        return None
    named = {}
    for name, attribute in (("autograph", "_autograph"), ("jit_compile", "_jit_compile")):
        found = getattr(value, attribute, None)
        if found is not None:
            named[name] = bool(found)
    return call(tensorflow.function, [value.python_function], named, "function")


_WORDS = ("abc", "typing", "typing_extensions", "collections.abc")


def is_dunder(name: str) -> bool:
    """Tell whether a name is Python's own, such as ``__wrapped__``."""
    return name.startswith("__") and name.endswith("__")


def _instance(value: Any, kind: type, is_users: Callable[[type], bool]) -> Parts | None:
    """Return an object of the user's own class: all of its state must be attributes."""
    # Some bases are but words: they bring no state.
    own = [base for base in kind.__mro__ if base.__module__ not in _WORDS and base is not object]
    if not own or not all(is_users(base) for base in own):
        return None
    if not hasattr(value, "__dict__") or any("__slots__" in vars(base) for base in own):
        return None
    state = sorted((name, item) for name, item in vars(value).items() if not is_dunder(name))
    attributes: list[Part] = [(name, "attribute", item) for name, item in state]
    return Parts("instance", f"{kind.__qualname__}()", (("class", "part", kind), *attributes))
