"""What answers in Keras' place while a model is loaded: for one thread, for one call.

Keras has public ways in for what it stores by name (``custom_objects``), and none for
bytecode, for a Lambda's mask, or for a function inside a layer's configuration. So a few
of its functions are replaced for the duration of a load, in every module that has a copy,
and each replacement asks first whether its own thread is the one that loads.
"""

import contextlib
import functools
import inspect
import marshal
import sys
import threading
import types
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .digest import carried_key, code_bytes
from .keras_places import look_up
from .restore import RestoreError

# What a Lambda's configuration says of its functions besides the functions themselves.
_HELPERS = (
    "function_type",
    "module",
    "output_shape_type",
    "output_shape_module",
    "mask_type",
    "mask_module",
)

# What holds several functions, of which the file stores each or none.
_HOLDERS = (list, tuple, dict)

_active = threading.local()
_lock = threading.Lock()
_originals: List[Tuple[Any, str, Any]] = []
_loads = [0]


class Place(NamedTuple):
    """A function that stood in a layer: the layer's whole path, and how the function is stored."""

    where: Tuple[str, ...]
    key: Optional[str]
    name: str
    value: Any


class Tables(object):
    """The restored functions of one load: by key, by name, and by place in the model.

    ``translated``: whether the configuration is Keras 2's, put in the words of Keras 3.
    ``aliases``: classes by their names without the package under which they are registered.
    """

    def __init__(self, translated: bool = False) -> None:
        self.translated = translated
        self.by_key: Dict[str, Any] = {}
        self.by_name: Dict[str, Any] = {}
        self.aliases: Dict[str, Any] = {}
        self._places: Dict[Tuple[str, str], List[Place]] = {}
        self._ambiguous: List[str] = []

    def add(self, carried: Dict[str, Any], value: Any) -> None:
        """Add one function of the plan."""
        where, role, key, name = (carried[k] for k in ("where", "role", "key", "name"))
        if role == "class" and not isinstance(value, type):
            raise RestoreError("%s is no class" % name)
        if where:
            place = Place(tuple(where), key, name, value)
            self._places.setdefault((where[-1], role), []).append(place)
        if isinstance(value, _HOLDERS):
            return
        table, index = (self.by_key, key) if key else (self.by_name, name)
        if table.setdefault(index, value) is not value:
            # Two are stored alike: only their places can tell them apart.
            self._ambiguous.append(index)
        if (
            role == "class"
            and ">" in name
            and self.aliases.setdefault(_last(name), value) is not value
        ):
            self._ambiguous.append(_last(name))

    def settle(self) -> None:
        """Forget what is stored alike, so that no one gets the wrong one of two."""
        for index in self._ambiguous:
            if isinstance(self.by_name.get(index), type):
                raise RestoreError("two classes are stored by the name %s" % index)
            for table in (self.by_key, self.by_name, self.aliases):
                table.pop(index, None)

    def at(self, layer: Any, role: str, entry: Any) -> Any:
        """Return what stood in *layer* under *role*, None if nothing is known of it.

        *entry* is what the configuration has there; it tells two layers of one name
        apart: what it does not mean belongs to the other one. Raises RestoreError where
        it means two.
        """
        places = self._places.get((layer, role), [])
        if any(isinstance(place.value, _HOLDERS) for place in places):
            return self.unwritten(layer, role, _HOLDERS) if entry else None
        key, names = key_of(entry), _names_of(entry)
        keyed = [place.value for place in places if place.key is not None and place.key == key]
        named = [
            place.value for place in places if place.key is None and _last(place.name) in names
        ]
        return _only_value(layer, keyed or named)

    def unwritten(self, layer: Any, role: str, kinds: Any = object) -> Any:
        """Return what stood in *layer* under *role*, of which its configuration does not tell.

        *kinds* are the types of value that it may be. Raises RestoreError where another
        layer of that name had none.
        """
        places = self._places.get((layer, role), [])
        places = [place for place in places if isinstance(place.value, kinds)]
        functions = self._places.get((layer, "function"), [])
        if places and not {place.where for place in functions} <= {place.where for place in places}:
            raise RestoreError("two layers are named %s, and the file stores no %s" % (layer, role))
        return _only_value(layer, [place.value for place in places])

    def by_code(self, code: Any) -> Any:
        """Return the function of this load whose bytecode Keras just wrote and reads again."""
        raw = code_bytes(code)
        for value in list(self.by_key.values()) + list(self.by_name.values()):
            if isinstance(value, types.FunctionType) and marshal.dumps(value.__code__) == raw:
                return value
        return None


def _only_value(layer: Any, values: List[Any]) -> Any:
    if any(value is not values[0] for value in values[1:]):
        raise RestoreError("two layers are named %s, and the file stores them alike" % layer)
    return values[0] if values else None


def _names_of(entry: Any) -> List[str]:
    """Return the names by which *entry*, a part of a configuration, may mean a function."""
    # Keras may have looked a function up already, and not in the place that is asked for.
    parts = [getattr(entry, "__name__", entry)]
    if isinstance(entry, dict):
        parts = [entry.get(name) for name in ("config", "class_name", "registered_name")]
    return [_last(part) for part in parts if isinstance(part, str)]


def _last(name: str) -> str:
    """Return *name* without the package under which it is registered."""
    return name.rpartition(">")[2]


def key_of(entry: Any) -> Optional[str]:
    """Return the key of a function as any Keras stores it, None if it is no bytecode."""
    if isinstance(entry, dict):
        inner = entry.get("config", entry)
        if isinstance(inner, dict):
            if "code" in inner:
                return carried_key(inner["code"], inner.get("defaults"), inner.get("closure"))
            entry = inner.get("value", entry)
    if isinstance(entry, str):
        entry = [entry, None, None]
    if isinstance(entry, (list, tuple)) and len(entry) == 3 and isinstance(entry[0], str):
        return carried_key(*entry)
    return None


@contextlib.contextmanager
def answering(keras: Any, tables: Tables) -> Iterator[None]:
    """Answer Keras' own loaders in this thread with *tables*; nothing is unmarshalled."""
    _install(keras)
    outer = getattr(_active, "tables", None)
    _active.tables = tables
    try:
        yield
    finally:
        _active.tables = outer
        _uninstall()


def _tables() -> Any:
    return getattr(_active, "tables", None)


def _func_load(
    original: Any,
    code: Any,
    defaults: Any = None,
    closure: Any = None,
    globs: Any = None,
    **others: Any,
) -> Any:
    """Stand in for Keras' ``func_load``: the function restored from source, by its key."""
    tables = _tables()
    if tables is None:
        return original(code, defaults, closure, globs, **others)
    if isinstance(code, (tuple, list)):
        code, defaults, closure = code
    found = tables.by_key.get(carried_key(code, defaults, closure))
    if found is None:
        found = tables.by_code(code)
    if found is None:
        raise RestoreError("the artifact carries a function that the plan does not list")
    return found


def _class_and_config(original: Any, config: Any, *others: Any, **named: Any) -> Any:
    """Stand in for Keras 2's look-up of a class, where 2.13 to 2.15 ask it for a function.

    They write an activation of the user's as ``{"class_name": "function", "config": name}``
    into .h5, and then look for a class of the name "function".
    """
    tables = _tables()
    if tables is not None and config.get("class_name") == "function":
        found = tables.by_name.get(config.get("config"))
        if found is not None:
            return type("Found", (), {"from_config": staticmethod(lambda config: found)}), {}
    return original(config, *others, **named)


def _find_replace(original: Any, config: Any, find: str, replace: str) -> Any:
    """Stand in for a replacement in texts that Keras 3.0 to 3.5 do by way of JSON.

    By then a configuration may hold functions, which JSON refuses.
    """
    if _tables() is None:
        return original(config, find, replace)
    if isinstance(config, dict):
        return {k: _find_replace(original, v, find, replace) for k, v in config.items()}
    if isinstance(config, list):
        return [_find_replace(original, item, find, replace) for item in config]
    return config.replace(find, replace) if isinstance(config, str) else config


def _layer_from_config(original: Any, cls: Any, config: Any, *others: Any, **named: Any) -> Any:
    """Stand in for ``Layer.from_config``: functions in a configuration become themselves."""
    tables = _tables()
    if tables is not None and isinstance(config, dict):
        config = dict(config, **_at_home(tables, config))
    return original.__get__(None, cls)(config, *others, **named)


def _lambda_from_config(original: Any, cls: Any, config: Any, *others: Any, **named: Any) -> Any:
    """Stand in for ``Lambda.from_config``, whatever Keras wrote the configuration."""
    tables = _tables()
    home = _at_home(tables, config) if tables is not None else {}
    if "function" not in home:
        return original.__get__(None, cls)(config, *others, **named)
    made = {name: value for name, value in config.items() if name not in _HELPERS}
    made.update(home)
    for role in ("output_shape", "mask"):
        if role not in home and key_of(config.get(role)) is not None:
            raise RestoreError(
                "%s has a function %s that the plan does not list" % (config.get("name"), role)
            )
    shape = made.get("output_shape")
    if isinstance(shape, list):
        made["output_shape"] = _as_shape(shape)
    if "arguments" not in home and isinstance(made.get("arguments"), dict):
        made["arguments"] = {k: _as_argument(v) for k, v in made["arguments"].items()}
    layer = cls(**made)
    if tables.translated and getattr(layer, "_output_shape", None) is not None:
        _shape_by_calling(layer)
    return layer


def _shape_by_calling(layer: Any) -> None:
    """Let *layer* find its output's shape by its function, as Keras 2 did; else as it says.

    Keras 2 used what is written for the shape only where it could not call the function, so
    that people wrote shapes that were never true. Keras 3 believes them.
    """
    as_written, told = layer.compute_output_shape, layer._output_shape

    def compute_output_shape(input_shape: Any) -> Any:
        layer._output_shape = None
        try:
            return as_written(input_shape)
        except NotImplementedError:
            pass
        finally:
            layer._output_shape = told
        return as_written(input_shape)

    layer.compute_output_shape = compute_output_shape


def _at_home(tables: Tables, config: Dict[str, Any]) -> Dict[str, Any]:
    """Return what of *config* is a restored function, by role."""
    found = {role: tables.at(config.get("name"), role, entry) for role, entry in config.items()}
    home = {role: value for role, value in found.items() if value is not None}
    if "mask" not in config and "function" in home:
        mask = tables.unwritten(config.get("name"), "mask")
        home.update({} if mask is None else {"mask": mask})
    return home


def _as_shape(shape: List[Any]) -> Any:
    """Return a shape that JSON made a list as the tuple that it was."""
    if all(size is None or isinstance(size, int) for size in shape):
        return tuple(shape)
    return [_as_shape(inner) if isinstance(inner, list) else inner for inner in shape]


def _as_argument(value: Any) -> Any:
    """Return an argument of a Lambda as it was: Keras 2 writes arrays as objects."""
    if isinstance(value, dict) and value.get("type") == "ndarray":
        import numpy

        return numpy.array(value["value"])
    return value


_FUNCTIONS: Dict[str, Callable[..., Any]] = {
    "func_load": _func_load,
    "class_and_config_for_serialized_keras_object": _class_and_config,
    "_find_replace_nested_dict": _find_replace,
}


def _install(keras: Any) -> None:
    with _lock:
        # Looked through at every load: a Keras may have been imported since the last.
        _loads[0] += 1
        tops = ("keras", "tf_keras", "tensorflow", "tensorflow_core")
        for name, module in sorted(sys.modules.items()):
            if module is None or name.split(".")[0] not in tops:
                continue
            for attribute, stand_in in _FUNCTIONS.items():
                # Modules import it by name: every copy has to go. vars(): a lazy module
                # would import half of TensorFlow on getattr.
                original = vars(module).get(attribute)
                if callable(original) and getattr(original, "func", None) is not stand_in:
                    _replace(module, attribute, original, functools.partial(stand_in, original))
        for kind in _owners(look_up(keras, "Lambda")):
            original = vars(kind)["from_config"]
            if not hasattr(original.__func__, "__capsule__"):
                stand_in = _lambda_from_config if kind.__name__ == "Lambda" else _layer_from_config
                _replace(kind, "from_config", original, _method(stand_in, original))


def _owners(layer: Any) -> List[Any]:
    """Return the classes whose ``from_config`` makes a Lambda, and any layer without its own."""
    return [kind for kind in inspect.getmro(layer) if "from_config" in vars(kind)]


def _method(stand_in: Callable[..., Any], original: Any) -> Any:
    # The signature stays Keras' own: it looks there for whether to pass custom_objects.
    @functools.wraps(original.__func__)
    def from_config(cls: Any, *given: Any, **named: Any) -> Any:
        return stand_in(original, cls, *given, **named)

    vars(from_config)["__capsule__"] = True
    return classmethod(from_config)


def _replace(owner: Any, attribute: str, original: Any, stand_in: Any) -> None:
    _originals.append((owner, attribute, original))
    setattr(owner, attribute, stand_in)


def _uninstall() -> None:
    with _lock:
        _loads[0] -= 1
        if _loads[0]:
            return
        for owner, attribute, original in _originals:
            setattr(owner, attribute, original)
        del _originals[:]
