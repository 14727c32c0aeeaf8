"""Loads a model with the Keras of this process, and calls it.

Keras gets functions and classes stored by name through ``custom_objects``, and all others,
for which it has no public way in, through the loader patches.
"""

import importlib
import inspect
import sys
from typing import Any, Dict, List, Optional

from .building import build_model
from .digest import digest
from .function_tables import FunctionTables
from .keras_places import look_up
from .loader_patches import patch_loaders
from .restore import RestoreError, Restorer
from .serving import ServedModel

# The functions behind the short names of losses. Keras 3 writes those names into .h5 and then
# looks for a class of that name in keras.metrics.
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
    """Import the Keras that a plan names.

    Parameters
    ----------
    module
        ``keras``, ``tf_keras`` or ``tensorflow.keras``.

    Returns
    -------
    module
        The Keras.

    Raises
    ------
    ImportError
        It is not installed.
    """
    if module.startswith("tensorflow"):
        # Before Keras was a distribution of its own, tf.keras lived inside TensorFlow.
        return importlib.import_module("tensorflow").keras
    return importlib.import_module(module)


def load_model(
    plan: Dict[str, Any],
    path: str,
    custom_objects: Optional[Dict[str, Any]] = None,
    options: Optional[Dict[str, Any]] = None,
    caller_values: Optional[Dict[str, Any]] = None,
) -> Any:
    """Load a model file as a plan says.

    Parameters
    ----------
    plan
        The plan of the host, as JSON data.
    path
        The model file or SavedModel folder.
    custom_objects
        Classes and functions by the names under which Keras asks for them.
    options
        Passed to Keras' ``load_model`` as they are; the plan decides on ``safe_mode``.
    caller_values
        Values for names that the functions use and nothing defines.

    Returns
    -------
    keras.Model or ServedModel
        The model. A SavedModel gives a ServedModel, which only predicts.

    Raises
    ------
    RestoreError
        A function can't be rebuilt, or the file is not the one that was judged. Whatever
        Keras raises passes through.
    """
    if plan.get("format") == "saved-model":
        return ServedModel(path, plan.get("model"))
    _require_judged(path, plan.get("judged") or {})
    keras = find_keras(plan["keras"])
    functions = _restore_functions(plan, keras, caller_values)
    tables = _make_tables(plan, functions, custom_objects or {})
    names = dict(_loss_aliases(keras), **_not_in_keras(keras, tables.aliases))
    names.update(tables.by_name)
    options = dict(options or {})
    keras_loader = look_up(keras, "load_model")
    if "safe_mode" in inspect.signature(keras_loader).parameters:
        options["safe_mode"] = plan["safe_mode"]  # False only where consent was given
    with patch_loaders(keras, tables), look_up(keras, "CustomObjectScope")(names):
        if plan.get("build"):
            return build_model(keras, plan["build"], path, names, plan["safe_mode"])
        return keras_loader(path, custom_objects=names or None, **options)


def _restore_functions(
    plan: Dict[str, Any], keras: Any, caller_values: Optional[Dict[str, Any]]
) -> Dict[str, Any]:
    """Return the live functions of a plan by the names of their definitions."""
    roots = sorted({f["node"] for f in plan["functions"] if f["node"] is not None})
    try:
        return Restorer(plan["nodes"], keras, caller_values).restore(roots)
    except RestoreError:
        raise
    except (Exception, SystemExit) as error:
        # Definitions run while they are made, and a sidecar may hold any.
        cause = "%s: %s" % (type(error).__name__, error)
        raise RestoreError("its functions cannot be rebuilt (%s)" % cause)


def _make_tables(
    plan: Dict[str, Any], functions: Dict[str, Any], custom_objects: Dict[str, Any]
) -> FunctionTables:
    """Return the tables that answer Keras; what the caller names counts for more than the plan."""
    tables = FunctionTables(from_keras_2=bool((plan.get("build") or {}).get("translated")))
    for function in plan["functions"]:
        own_name = function["name"].rpartition(">")[2]
        replaceable = function["key"] is None and own_name in custom_objects
        if function["node"] is not None and not replaceable:
            tables.add(function, functions[function["node"]])
    tables.settle()
    tables.by_name.update(custom_objects)
    return tables


def _require_judged(path: str, judged: Dict[str, str]) -> None:
    """Raise RestoreError if h5py, which Keras uses, reads another model than the host judged."""
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


def _not_in_keras(keras: Any, classes: Dict[str, Any]) -> Dict[str, Any]:
    """Return those of *classes* of whose names Keras has none: a .h5 could mean Keras' own."""
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
    losses = {short: getattr(keras.losses, name, None) for short, name in LOSS_ALIASES.items()}
    return {short: loss for short, loss in losses.items() if loss is not None}


def describe(model: Any) -> Dict[str, Any]:
    """Describe a model as JSON data.

    Parameters
    ----------
    model
        A Keras model or a ServedModel.

    Returns
    -------
    dict
        ``class`` and ``name``; ``inputs`` and ``outputs``, each with name, shape and dtype in
        the model's order; ``keys``, the names of the outputs where they come as a dict.
    """
    return {
        "class": type(model).__name__,
        "name": model.name,
        "inputs": _tensors(model, "input"),
        "outputs": _tensors(model, "output"),
        "keys": _keys(model),
    }


def _keys(model: Any) -> Optional[List[str]]:
    """Return the names of the outputs in their order where the model returns a dict."""
    for name in ("_outputs_struct", "_nested_outputs"):
        structure = getattr(model, name, None)
        if isinstance(structure, dict):
            return sorted(structure)
    return None


def _tensors(model: Any, side: str) -> List[Dict[str, Any]]:
    try:
        tensors = getattr(model, side + "s") or []
    except (AttributeError, ValueError):
        return []  # a subclassed model has none before its first call
    structure = getattr(model, "_%ss_struct" % side, None)
    names = getattr(model, side + "_names", None) or []
    if isinstance(structure, dict):
        names = sorted(structure)
    specs: List[Dict[str, Any]] = []
    for index, tensor in enumerate(tensors):
        name = names[index] if index < len(names) else tensor.name
        specs.append(
            {
                "name": name.split(":")[0],
                "shape": _shape(tensor.shape),
                "dtype": getattr(tensor.dtype, "name", None) or str(tensor.dtype),
            }
        )
    return specs


def _shape(shape: Any) -> List[Optional[int]]:
    # TensorFlow 1 has Dimension objects, which as_list() turns into numbers.
    sizes = shape.as_list() if hasattr(shape, "as_list") else list(shape)
    return [None if size is None else int(size) for size in sizes]


def call(model: Any, arrays: List[Any]) -> List[Any]:
    """Call a model without training.

    Parameters
    ----------
    model
        A Keras model or a ServedModel.
    arrays
        Its inputs, in its order.

    Returns
    -------
    list
        Its outputs as numpy arrays, in its order.
    """
    inputs = arrange(model, arrays)
    eager = getattr(sys.modules.get("tensorflow"), "executing_eagerly", None)
    if eager is not None and not eager():
        outputs = model.predict_on_batch(inputs)  # in a graph, a call computes nothing
    else:
        outputs = model(inputs, training=False)
    return [to_numpy(output) for output in flatten(outputs)]


def arrange(model: Any, arrays: List[Any]) -> Any:
    """Put inputs into the structure that a model takes.

    Parameters
    ----------
    model
        A Keras model or a ServedModel.
    arrays
        Its inputs, in its order.

    Returns
    -------
    array, list or dict
        What the model can be called with.
    """
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict) and len(structure) == len(arrays):
        return dict(zip(sorted(structure), arrays))
    return arrays if len(arrays) > 1 else arrays[0]


def flatten(outputs: Any) -> List[Any]:
    """Return the tensors of a model's output as a list.

    Parameters
    ----------
    outputs
        A tensor, or tuples, lists and dicts of tensors at any depth.

    Returns
    -------
    list
        The tensors, in the model's order.
    """
    if isinstance(outputs, dict):
        outputs = [outputs[name] for name in sorted(outputs)]  # as Keras orders them
    if not isinstance(outputs, (list, tuple)):
        return [outputs]
    return [leaf for output in outputs for leaf in flatten(output)]


def to_numpy(tensor: Any) -> Any:
    """Convert a tensor to numpy.

    Parameters
    ----------
    tensor
        A tensor of any backend.

    Returns
    -------
    numpy.ndarray
        The same numbers.
    """
    import numpy

    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
    return numpy.asarray(tensor)
