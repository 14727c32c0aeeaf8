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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MethodType, SimpleNamespace
from typing import Any

from capsule.capture.context import Context, Draft, Reference
from capsule.guest import values
from capsule.manifest import Node, NodeKind

_CONTAINERS: dict[type, NodeKind] = {
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
}


@dataclass(frozen=True)
class Parts:
    """What an object is made of: ``kind`` of node, a word for it, a reference to each part."""

    kind: NodeKind
    word: str
    parts: tuple[Reference, ...]


def draft_object(value: Any, context: Context) -> Draft | None:
    """Return the draft of an object by its parts, None for plain data and what has none."""
    if isinstance(value, Parts):
        parts: Parts | None = value
    else:
        opaque = values.find_opaque(values.encode(value))
        if not opaque or opaque[0].get("reason") == values.TOO_LARGE:
            return None  # plain data, or more of it than is ever stored
        parts = parts_of(value, context.origins.is_users)
    if parts is None:
        return None
    label = f":{parts.word}()" if parts.kind == "call" else f":{parts.word}"
    node = Node(kind=parts.kind, qualname=parts.word.partition("(")[0])
    return Draft(label, node, parts.parts)


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
        items = (Reference(str(number), "item", item) for number, item in enumerate(value))
        return Parts(_CONTAINERS[kind], kind.__name__, tuple(items))
    if kind is dict and all(isinstance(key, str) for key in value):
        return dict_parts("dict", value)
    return (
        _framework(value)
        or _cached(value)
        or _standard(value, kind)
        or _instance(value, kind, is_users)
    )


def dict_parts(word: str, items: Mapping[str, Any]) -> Parts:
    """Return a dict as the parts that it holds."""
    return Parts("dict", word, tuple(Reference(key, "item", item) for key, item in items.items()))


def has_state(value: Any) -> bool:
    """Tell whether *value* is a variable, a layer or a module of a framework."""
    tops = {base.__module__.split(".")[0] for base in type(value).__mro__}
    framework = tops & {"keras", "tf_keras", "tensorflow", "torch", "jax", "flax"}
    return bool(framework) and any(hasattr(value, n) for n in ("assign", "weights", "parameters"))


def call(function: Any, arguments: Iterable[Any], keywords: Mapping[str, Any], word: str) -> Parts:
    """Return an object as the result of calling *function*."""
    parts = [Reference("function", "part", function)]
    parts += [Reference(str(n), "argument", value) for n, value in enumerate(arguments)]
    parts += [Reference(name, "keyword", value) for name, value in keywords.items()]
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
        function, arguments = value.__reduce__()[:2]
        return call(function, arguments, {}, kind.__name__)
    return None


def _cached(value: Any) -> Parts | None:
    if type(value).__name__ != "_lru_cache_wrapper":
        return None
    cache = call(functools.lru_cache, [], value.cache_parameters(), "lru_cache")
    return call(cache, [value.__wrapped__], {}, value.__name__)


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
    options = {name: getattr(value, f"_{name}", None) for name in ("autograph", "jit_compile")}
    keywords = {name: bool(option) for name, option in options.items() if option is not None}
    return call(tensorflow.function, [value.python_function], keywords, "function")


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
    attributes = [Reference(name, "attribute", item) for name, item in state]
    parts = (Reference("class", "part", kind), *attributes)
    return Parts("instance", f"{kind.__qualname__}()", parts)
