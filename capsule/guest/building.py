"""Builds a model from a configuration that a plan brings, with the weights of the file.

For files that the installed Keras does not load as they are: an architecture alone, or a
configuration that had to be translated for it.
"""

import contextlib
import importlib
import json
from typing import Any, Dict

from .keras_places import look_up
from .restore import RestoreError


def build_model(
    keras: Any,
    configuration: Dict[str, Any],
    path: str,
    custom_objects: Dict[str, Any],
    safe_mode: bool,
) -> Any:
    """Build the model of a plan's configuration.

    Parameters
    ----------
    keras
        The Keras that builds it.
    configuration
        ``{"config", "weights", "translated"}``: what Keras reads; whether the file holds the
        weights, which else are fresh; whether it is a configuration of Keras 2 for Keras 3.
    path
        The model file.
    custom_objects
        Classes and functions by the names under which Keras asks for them.
    safe_mode
        Keras' own safe mode, in force meanwhile as it is while Keras loads a file.

    Returns
    -------
    keras.Model
        The model, uncompiled.

    Raises
    ------
    RestoreError
        The Keras lacks a function that this needs.
    """
    if not configuration["translated"]:
        with _safe_mode(keras, safe_mode):
            text = json.dumps(configuration["config"])
            model = look_up(keras, "model_from_json")(text, custom_objects=custom_objects)
        if configuration["weights"]:
            model.load_weights(path)
        return model
    legacy_words = look_up(keras, "keras_option_scope")
    model_from_config = look_up(keras, "model_from_config")
    objects = dict(_keras_2_layers(keras), **custom_objects)
    with _safe_mode(keras, safe_mode), legacy_words(use_legacy_config=True):
        model = model_from_config(configuration["config"], custom_objects=objects)
    if configuration["weights"]:
        h5py = importlib.import_module("h5py")
        with h5py.File(path, "r") as file:
            group = file["model_weights"] if "model_weights" in file else file
            look_up(keras, "load_weights_from_hdf5_group")(group, model)
    return model


def _safe_mode(keras: Any, safe_mode: bool) -> Any:
    """Return Keras' own scope of its safe mode, one that does nothing before Keras 2.12."""
    try:
        return look_up(keras, "SafeModeScope")(safe_mode)
    except RestoreError:
        if hasattr(keras, "ops"):
            raise  # every Keras 3 has it, and nothing else guards what is built
        return contextlib.ExitStack()


def _keras_2_layers(keras: Any) -> Dict[str, Any]:
    """Return those layers of Keras 2 that Keras 3 left out and that are a line of code."""

    class AddLoss(keras.layers.Layer):  # type: ignore[misc]
        """Adds its input to the model's losses, and returns it."""

        def __init__(self, unconditional: bool = False, **options: Any) -> None:
            super().__init__(**options)

        def compute_output_spec(self, inputs: Any, **options: Any) -> Any:
            # Another tensor than the input: else the layer would not stand in the graph.
            return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

        def call(self, inputs: Any) -> Any:
            self.add_loss(keras.ops.mean(inputs))
            return inputs

    class AddMetric(AddLoss):
        """Returns its input, of which Keras 2 made a metric in training."""

        def __init__(self, **options: Any) -> None:
            for name in ("aggregation", "metric_name"):
                options.pop(name, None)
            super().__init__(**options)

        def call(self, inputs: Any) -> Any:
            return inputs

    return {"AddLoss": AddLoss, "AddMetric": AddMetric}
