"""The Keras of this process: found, given the restored functions, asked to load.

Functions and classes stored by name go in through ``custom_objects``; what has no public
way in goes through the stand-ins.
"""

import importlib
import inspect
import sys
from typing import Any, Dict, List, Optional

from .building import build
from .digest import digest
from .keras_places import look_up
from .loader_patches import Tables, answering
from .restore import RestoreError, Restorer
from .serving import ServedModel

# Short names of losses that Keras 3 writes into .h5 as they are and then looks for in
# keras.metrics, as a class: with the functions they stand for.
LOSS_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "MSE": "mean_squared_error",
    "MAE": "mean_absolute_error",
    "MAPE": "mean_absolute_percentage_error",
    "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "KLD": "kl_divergence",
    "bce": "binary_crossentropy",
    "BCE": "binary_crossentropy",
}

# Where Keras looks for a class of its own.
_PARTS = (
    "layers",
    "models",
    "losses",
    "metrics",
    "optimizers",
    "initializers",
    "regularizers",
    "constraints",
)


def find_keras(module: str) -> Any:
    """Import and return the Keras that a plan names: keras, tf_keras or tf.keras."""
    if module.startswith("tensorflow"):
        # Before Keras was a distribution of its own, tf.keras lived inside TensorFlow.
        return importlib.import_module("tensorflow").keras
    return importlib.import_module(module)


def load_model(
    plan: Dict[str, Any],
    path: str,
    custom_objects: Optional[Dict[str, Any]] = None,
    options: Optional[Dict[str, Any]] = None,
    bound: Optional[Dict[str, Any]] = None,
) -> Any:
    """Load the artifact at *path* as *plan* says; returns the Keras model.

    Of a SavedModel it returns a ServedModel, which predicts and no more.

    *bound* are live values for names that the functions use and nothing defines.
    *options* go to Keras' ``load_model`` as they are. Raises RestoreError where a
    function cannot be rebuilt, and whatever Keras raises.
    """
    if plan.get("format") == "saved-model":
        return ServedModel(path, plan.get("model"))
    _require_judged(path, plan.get("judged") or {})
    keras = find_keras(plan["keras"])
    roots = sorted({f["node"] for f in plan["functions"] if f["node"] is not None})
    try:
        restored = Restorer(plan["nodes"], keras, bound).restore(roots)
    except RestoreError:
        raise
    except (Exception, SystemExit) as error:
        # Definitions run while they are made, and a sidecar may hold any.
        told = "%s: %s" % (type(error).__name__, error)
        raise RestoreError("its functions cannot be rebuilt (%s)" % told)
    tables = Tables(bool((plan.get("build") or {}).get("translated")))
    given = custom_objects or {}
    for carried in plan["functions"]:
        # What the caller gives by name counts for more than what was there at save.
        mine = carried["key"] is None and carried["name"].rpartition(">")[2] in given
        if carried["node"] is not None and not mine:
            tables.add(carried, restored[carried["node"]])
    tables.settle()
    tables.by_name.update(given)
    known = dict(_loss_aliases(keras), **_not_of_keras(keras, tables.aliases))
    known.update(tables.by_name)
    options = dict(options or {})
    keras_loader = look_up(keras, "load_model")
    if "safe_mode" in inspect.signature(keras_loader).parameters:
        options["safe_mode"] = plan["safe_mode"]  # False only where consent was given
    with answering(keras, tables), look_up(keras, "CustomObjectScope")(known):
        if plan.get("build"):
            return build(keras, plan["build"], path, known, plan["safe_mode"])
        return keras_loader(path, custom_objects=known or None, **options)


def _require_judged(path: str, judged: Dict[str, str]) -> None:
    """Raise RestoreError if h5py, as Keras uses it, finds another model than was judged."""
    if not judged:
        return
    h5py = importlib.import_module("h5py")
    with h5py.File(path, "r") as file:
        for name in ("model_config", "training_config"):
            text = file.attrs.get(name)
            if isinstance(text, bytes):
                text = text.decode("utf-8", "replace")
            if (None if text is None else digest(text)) != judged.get(name):
                raise RestoreError("%s holds two of %s: no Keras writes that" % (path, name))


def _not_of_keras(keras: Any, classes: Dict[str, Any]) -> Dict[str, Any]:
    """Return those of *classes* whose names Keras has not for its own: a .h5 may mean those."""
    parts = [getattr(keras, name, None) for name in _PARTS]
    return {
        name: value
        for name, value in classes.items()
        if not any(hasattr(part, name) for part in parts)
    }


def _loss_aliases(keras: Any) -> Dict[str, Any]:
    """Return the losses by the short names under which Keras 3 can't find them in .h5."""
    if not hasattr(keras, "ops"):
        return {}
    found = {short: getattr(keras.losses, name, None) for short, name in LOSS_ALIASES.items()}
    return {short: loss for short, loss in found.items() if loss is not None}


def describe(model: Any) -> Dict[str, Any]:
    """Return names, shapes and dtypes of the model's inputs and outputs as JSON data."""
    return {
        "class": type(model).__name__,
        "name": model.name,
        "inputs": _tensors(model, "input"),
        "outputs": _tensors(model, "output"),
        "keys": _keys(model),
    }


def _keys(model: Any) -> Optional[List[str]]:
    """Return the names of the outputs in their order where the model gives a dict."""
    for name in ("_outputs_struct", "_nested_outputs"):
        structure = getattr(model, name, None)
        if isinstance(structure, dict):
            return sorted(structure)
    return None


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
