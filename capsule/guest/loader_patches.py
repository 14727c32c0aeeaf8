"""Patches Keras' loaders while a model is loaded, for the thread that loads it.

Keras has a public way in for what it stores by name (``custom_objects``), and none for
bytecode, for a Lambda's mask, or for a function inside a layer's configuration. So a few
of its functions are replaced for the duration of a load, in every module that has a copy,
and each replacement asks first whether its own thread is the one that loads.
"""

import contextlib
import functools
import inspect
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .digest import embedded_key
from .function_tables import FunctionTables, key_of
from .keras_places import look_up
from .restore import RestoreError

# What a Lambda's configuration has about its functions besides the functions themselves.
_HELPERS = (
    "function_type",
    "module",
    "output_shape_type",
    "output_shape_module",
    "mask_type",
    "mask_module",
)

# The packages in which a Keras has its modules.
_TOP_LEVEL = ("keras", "tf_keras", "tensorflow", "tensorflow_core")

_active = threading.local()


def _tables() -> Optional[FunctionTables]:
    """Return the tables of the load in this thread, None if this thread loads nothing."""
    return getattr(_active, "tables", None)


def _func_load(
    original: Any,
    code: Any,
    defaults: Any = None,
    closure: Any = None,
    globs: Any = None,
    **options: Any,
) -> Any:
    """Stand in for Keras' ``func_load``: return the function restored from source, by its key."""
    tables = _tables()
    if tables is None:
        return original(code, defaults, closure, globs, **options)
    if isinstance(code, (tuple, list)):
        code, defaults, closure = code
    function = tables.by_key.get(embedded_key(code, defaults, closure))
    if function is None:
        function = tables.by_code(code)
    if function is None:
        raise RestoreError("the artifact has an embedded function that the plan does not list")
    return function


def _class_and_config(original: Any, config: Any, *args: Any, **kwargs: Any) -> Any:
    """Stand in for Keras 2's look-up of a class, where 2.13 to 2.15 ask it for a function.

    They write an activation of the user's into .h5 as ``{"class_name": "function",
    "config": name}``, and then look for a class of the name "function".
    """
    tables = _tables()
    if tables is not None and config.get("class_name") == "function":
        function = tables.by_name.get(config.get("config"))
        if function is not None:
            return type("Holder", (), {"from_config": staticmethod(lambda config: function)}), {}
    return original(config, *args, **kwargs)


def _find_replace(original: Any, config: Any, find: str, replace: str) -> Any:
    """Stand in for a replacement in texts that Keras 3.0 to 3.5 do by way of JSON.

    The configuration may hold live functions by then, which JSON refuses.
    """
    if _tables() is None:
        return original(config, find, replace)
    if isinstance(config, dict):
        return {k: _find_replace(original, v, find, replace) for k, v in config.items()}
    if isinstance(config, list):
        return [_find_replace(original, item, find, replace) for item in config]
    return config.replace(find, replace) if isinstance(config, str) else config


def _layer_from_config(original: Any, cls: Any, config: Any, *args: Any, **kwargs: Any) -> Any:
    """Stand in for ``Layer.from_config``: put live functions into the configuration."""
    tables = _tables()
    if tables is not None and isinstance(config, dict):
        config = dict(config, **_find_functions(tables, config))
    return original.__get__(None, cls)(config, *args, **kwargs)


def _lambda_from_config(original: Any, cls: Any, config: Any, *args: Any, **kwargs: Any) -> Any:
    """Stand in for ``Lambda.from_config``; any Keras may have written the configuration."""
    tables = _tables()
    functions = {} if tables is None else _find_functions(tables, config)
    if tables is None or "function" not in functions:
        return original.__get__(None, cls)(config, *args, **kwargs)
    options = {name: value for name, value in config.items() if name not in _HELPERS}
    options.update(functions)
    for role in ("output_shape", "mask"):
        if role not in functions and key_of(config.get(role)) is not None:
            raise RestoreError(
                "%s has a function %s that the plan does not list" % (config.get("name"), role)
            )
    shape = options.get("output_shape")
    if isinstance(shape, list):
        options["output_shape"] = _as_shape(shape)
    arguments = options.get("arguments")
    if "arguments" not in functions and isinstance(arguments, dict):
        options["arguments"] = {k: _as_argument(v) for k, v in arguments.items()}
    layer = cls(**options)
    if tables.from_keras_2 and getattr(layer, "_output_shape", None) is not None:
        _compute_shape_by_call(layer)
    return layer


def _compute_shape_by_call(layer: Any) -> None:
    """Let *layer* compute its output's shape by its function, else take the stored shape.

    Keras 2 used the stored shape only where it could not call the function, so that people
    wrote shapes that were never true. Keras 3 believes them.
    """
    original, stored_shape = layer.compute_output_shape, layer._output_shape

    def compute_output_shape(input_shape: Any) -> Any:
        layer._output_shape = None
        try:
            return original(input_shape)
        except NotImplementedError:
            pass
        finally:
            layer._output_shape = stored_shape
        return original(input_shape)

    layer.compute_output_shape = compute_output_shape


def _find_functions(tables: FunctionTables, config: Dict[str, Any]) -> Dict[str, Any]:
    """Return the restored functions of a layer's configuration, by role."""
    layer = config.get("name")
    values = {role: tables.at(layer, role, entry) for role, entry in config.items()}
    if "mask" not in config and values.get("function") is not None:
        values["mask"] = tables.at_layer(layer, "mask")
    return {role: value for role, value in values.items() if value is not None}


def _as_shape(shape: List[Any]) -> Any:
    """Return the tuple of a shape, which JSON made a list."""
    if all(size is None or isinstance(size, int) for size in shape):
        return tuple(shape)
    return [_as_shape(inner) if isinstance(inner, list) else inner for inner in shape]


def _as_argument(value: Any) -> Any:
    """Return an argument of a Lambda; Keras 2 writes an array as an object."""
    if isinstance(value, dict) and value.get("type") == "ndarray":
        import numpy

        return numpy.array(value["value"])
    return value


_FUNCTIONS: Dict[str, Callable[..., Any]] = {
    "func_load": _func_load,
    "class_and_config_for_serialized_keras_object": _class_and_config,
    "_find_replace_nested_dict": _find_replace,
}


class _Patches(object):
    """What is replaced in Keras at the moment, and for how many loads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loads = 0
        self._originals: List[Tuple[Any, str, Any]] = []

    @contextlib.contextmanager
    def apply(self, keras: Any) -> Iterator[None]:
        """Have the patches in place meanwhile; the last of several loads takes them out."""
        with self._lock:
            self._loads += 1
        try:
            # Within: an error must not leave Keras patched.
            with self._lock:
                # At every load: more of a Keras may have been imported since the last.
                self._replace_functions()
                self._replace_methods(look_up(keras, "Lambda"))
            yield
        finally:
            with self._lock:
                self._loads -= 1
                if not self._loads:
                    self._restore()

    def _replace_functions(self) -> None:
        for name, module in sorted(sys.modules.items()):
            if module is None or name.split(".")[0] not in _TOP_LEVEL:
                continue
            for attribute, stand_in in _FUNCTIONS.items():
                # Modules import it by name: every copy has to go. vars(): a lazy module
                # would import half of TensorFlow on getattr.
                original = vars(module).get(attribute)
                if callable(original) and getattr(original, "func", None) is not stand_in:
                    replacement = functools.partial(stand_in, original)
                    self._replace(module, attribute, original, replacement)

    def _replace_methods(self, layer: Any) -> None:
        """Replace what makes a Lambda, and any layer without a ``from_config`` of its own."""
        for kind in inspect.getmro(layer):
            original = vars(kind).get("from_config")
            if original is not None and not hasattr(original.__func__, "__capsule__"):
                stand_in = _lambda_from_config if kind.__name__ == "Lambda" else _layer_from_config
                self._replace(kind, "from_config", original, _class_method(stand_in, original))

    def _replace(self, owner: Any, attribute: str, original: Any, replacement: Any) -> None:
        self._originals.append((owner, attribute, original))
        setattr(owner, attribute, replacement)

    def _restore(self) -> None:
        for owner, attribute, original in self._originals:
            setattr(owner, attribute, original)
        del self._originals[:]


def _class_method(stand_in: Callable[..., Any], original: Any) -> Any:
    # The signature stays Keras' own: it looks there for whether to pass custom_objects.
    @functools.wraps(original.__func__)
    def from_config(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return stand_in(original, cls, *args, **kwargs)

    vars(from_config)["__capsule__"] = True
    return classmethod(from_config)


_patches = _Patches()


@contextlib.contextmanager
def patch_loaders(keras: Any, tables: FunctionTables) -> Iterator[None]:
    """Answer Keras' own loaders in this thread from tables; unmarshal nothing.

    Parameters
    ----------
    keras
        The Keras that loads.
    tables
        The functions of the plan.

    Raises
    ------
    RestoreError
        The Keras lacks what has to be replaced, or asks for a function that the plan does
        not list.
    """
    with _patches.apply(keras):
        outer = _tables()
        _active.tables = tables
        try:
            yield
        finally:
            _active.tables = outer
