"""The Keras of this process: found, given the restored functions, asked to load.

Functions stored by name go in through ``custom_objects``. Those stored as bytecode
have no public way in, so Keras' ``func_load`` is replaced for the duration of a load,
for the loading thread only; likewise one look-up that Keras 2.13 to 2.15 get wrong.
"""

import contextlib
import functools
import importlib
import inspect
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .digest import carried_key
from .restore import RestoreError, Restorer

# Short names of losses that Keras 3 writes into .h5 as they are and then looks for in
# keras.metrics, as a class: with the functions they stand for.
LOSS_ALIASES = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
    "MSE": "mean_squared_error", "MAE": "mean_absolute_error",
    "MAPE": "mean_absolute_percentage_error", "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence", "KLD": "kl_divergence", "bce": "binary_crossentropy",
    "BCE": "binary_crossentropy",
}  # fmt: skip

_active = threading.local()
_lock = threading.Lock()
_originals: List[Tuple[Any, str, Any]] = []
_loads = [0]


def find_keras(module: str) -> Any:
    """Import and return the Keras that a manifest names: keras, tf_keras or tf.keras."""
    if module.startswith("tensorflow"):
        # Before Keras was a distribution of its own, tf.keras lived inside TensorFlow.
        return importlib.import_module("tensorflow").keras
    return importlib.import_module(module)


def load_model(
    plan: Dict[str, Any],
    path: str,
    custom_objects: Optional[Dict[str, Any]] = None,
    options: Optional[Dict[str, Any]] = None,
) -> Any:
    """Load the artifact at *path* as *plan* says; returns the Keras model.

    *options* go to Keras' ``load_model`` as they are. Raises RestoreError where a
    function cannot be rebuilt, and whatever Keras raises.
    """
    functions = Restorer(plan["nodes"]).restore(
        sorted({f["node"] for f in plan["functions"] if f["node"] is not None})
    )
    by_key: Dict[str, Any] = {}
    by_name: Dict[str, Any] = {}
    for carried in plan["functions"]:
        if carried["node"] is None:
            continue
        table, key = (by_key, carried["key"]) if carried["key"] else (by_name, carried["name"])
        if table.setdefault(key, functions[carried["node"]]) is not functions[carried["node"]]:
            raise RestoreError("two functions are stored alike: %s" % carried["name"])
    by_name.update(custom_objects or {})
    keras = find_keras(plan["keras"])
    options = dict(options or {})
    by_name = dict(_loss_aliases(keras), **by_name)
    parameters = inspect.signature(keras.models.load_model).parameters
    if "safe_mode" in parameters:
        options["safe_mode"] = plan["safe_mode"]  # False only where consent was given
    scope = getattr(keras.utils, "custom_object_scope", None) or keras.utils.CustomObjectScope
    with restored(by_key, by_name), scope(by_name):
        return keras.models.load_model(path, custom_objects=by_name or None, **options)


def _loss_aliases(keras: Any) -> Dict[str, Any]:
    """Return the losses by the short names under which Keras 3 can't find them in .h5."""
    if not hasattr(keras, "ops"):
        return {}
    found = {short: getattr(keras.losses, name, None) for short, name in LOSS_ALIASES.items()}
    return {short: loss for short, loss in found.items() if loss is not None}


@contextlib.contextmanager
def restored(by_key: Dict[str, Any], by_name: Dict[str, Any]) -> Iterator[None]:
    """Answer Keras' own loaders of functions in this thread; nothing is unmarshalled."""
    _install()
    outer = getattr(_active, "tables", None)
    _active.tables = (by_key, by_name)
    try:
        yield
    finally:
        _active.tables = outer
        _uninstall()


def _func_load(
    original: Any,
    code: Any,
    defaults: Any = None,
    closure: Any = None,
    globs: Any = None,
    **others: Any,
) -> Any:
    """Stand in for Keras' ``func_load``: the function restored from source, by its key."""
    tables = getattr(_active, "tables", None)
    if tables is None:
        return original(code, defaults, closure, globs, **others)
    if isinstance(code, (tuple, list)):
        code, defaults, closure = code
    found = tables[0].get(carried_key(code, defaults, closure))
    if found is None:
        raise RestoreError("the artifact carries a function that the plan does not list")
    return found


def _class_and_config(original: Any, config: Any, *others: Any, **named: Any) -> Any:
    """Stand in for Keras 2's look-up of a class, where 2.13 to 2.15 ask it for a function.

    They write an activation of the user's as ``{"class_name": "function", "config": name}``
    into .h5, and then look for a class of the name "function".
    """
    tables = getattr(_active, "tables", None)
    if tables is not None and config.get("class_name") == "function":
        found = tables[1].get(config.get("config"))
        if found is not None:
            return type("Found", (), {"from_config": staticmethod(lambda config: found)}), {}
    return original(config, *others, **named)


_STAND_INS: Dict[str, Callable[..., Any]] = {
    "func_load": _func_load,
    "class_and_config_for_serialized_keras_object": _class_and_config,
}


def _install() -> None:
    with _lock:
        # Looked through at every load: a Keras may have been imported since the last.
        _loads[0] += 1
        for name, module in sorted(sys.modules.items()):
            if module is None or name.split(".")[0] not in (
                "keras",
                "tf_keras",
                "tensorflow",
                "tensorflow_core",
            ):
                continue
            for attribute, stand_in in _STAND_INS.items():
                # Modules import it by name: every copy has to go. vars(): a lazy module
                # would import half of TensorFlow on getattr.
                original = vars(module).get(attribute)
                wrapped = getattr(original, "func", None) is stand_in
                if callable(original) and not wrapped:
                    _originals.append((module, attribute, original))
                    setattr(module, attribute, functools.partial(stand_in, original))


def _uninstall() -> None:
    with _lock:
        _loads[0] -= 1
        if _loads[0]:
            return
        for module, attribute, original in _originals:
            setattr(module, attribute, original)
        del _originals[:]


def describe(model: Any) -> Dict[str, Any]:
    """Return names, shapes and dtypes of the model's inputs and outputs as JSON data."""
    return {
        "class": type(model).__name__,
        "name": model.name,
        "inputs": _tensors(model, "input"),
        "outputs": _tensors(model, "output"),
    }


def _tensors(model: Any, side: str) -> List[Dict[str, Any]]:
    try:
        tensors = getattr(model, side + "s") or []
    except (AttributeError, ValueError):
        return []  # a subclassed model has none before it was called
    structure = getattr(model, "_%ss_struct" % side, None)
    names = getattr(model, side + "_names", None) or []
    if isinstance(structure, dict):
        names = sorted(structure)
    told: List[Dict[str, Any]] = []
    for index, tensor in enumerate(tensors):
        name = names[index] if index < len(names) else tensor.name
        told.append(
            {
                "name": name.split(":")[0],
                "shape": _shape(tensor.shape),
                "dtype": getattr(tensor.dtype, "name", None) or str(tensor.dtype),
            }
        )
    return told


def _shape(shape: Any) -> List[Optional[int]]:
    # TensorFlow 1 gives Dimension objects, which as_list() turns into numbers.
    sizes = shape.as_list() if hasattr(shape, "as_list") else list(shape)
    return [None if size is None else int(size) for size in sizes]


def call(model: Any, arrays: List[Any]) -> List[Any]:
    """Return ``model(arrays, training=False)`` as a list of numpy arrays."""
    inputs = arranged(model, arrays)
    eager = getattr(sys.modules.get("tensorflow"), "executing_eagerly", None)
    if eager is not None and not eager():
        outputs = model.predict_on_batch(inputs)  # a graph of TensorFlow 1 gives no numbers
    else:
        outputs = model(inputs, training=False)
    return [to_numpy(output) for output in flatten(outputs)]


def arranged(model: Any, arrays: List[Any]) -> Any:
    """Return *arrays*, in the order of the inputs, as the model takes them: one, list or dict."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict) and len(structure) == len(arrays):
        return dict(zip(sorted(structure), arrays))
    return arrays if len(arrays) > 1 else arrays[0]


def flatten(outputs: Any) -> List[Any]:
    """Return the tensors of a model's output in its order: a list of one for a single one."""
    if isinstance(outputs, dict):
        outputs = [outputs[name] for name in sorted(outputs)]  # as Keras orders them
    if not isinstance(outputs, (list, tuple)):
        return [outputs]
    return [leaf for output in outputs for leaf in flatten(output)]


def to_numpy(tensor: Any) -> Any:
    """Return *tensor* of whichever backend as a numpy array."""
    import numpy

    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return numpy.asarray(tensor)
