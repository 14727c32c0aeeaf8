"""A model built from a configuration that a plan brings, and its weights from the file.

For files that the Keras at hand does not load as they are: an architecture alone, or a
configuration that was put in its words.
"""

import contextlib
import importlib
import json
from typing import Any, Dict

from .keras_places import look_up
from .restore import RestoreError


def build(
    keras: Any, told: Dict[str, Any], path: str, known: Dict[str, Any], safe_mode: bool
) -> Any:
    """Return the model of ``told["config"]``, with the weights of *path* if ``told["weights"]``.

    *known* are the custom objects. Without weights in the file they are fresh ones.
    *safe_mode* holds while it is built, as it does while Keras loads a file.
    ``told["translated"]`` says that the configuration is Keras 2's, put in Keras 3's words.
    """
    if not told["translated"]:
        with _guarded(keras, safe_mode):
            text = json.dumps(told["config"])
            model = look_up(keras, "model_from_json")(text, custom_objects=known)
        if told["weights"]:
            model.load_weights(path)
        return model
    legacy_words = look_up(keras, "keras_option_scope")
    model_from_config = look_up(keras, "model_from_config")
    with _guarded(keras, safe_mode), legacy_words(use_legacy_config=True):
        model = model_from_config(told["config"], custom_objects=dict(_of_keras_2(keras), **known))
    if told["weights"]:
        h5py = importlib.import_module("h5py")
        with h5py.File(path, "r") as file:
            group = file["model_weights"] if "model_weights" in file else file
            look_up(keras, "load_weights_from_hdf5_group")(group, model)
    return model


def _guarded(keras: Any, safe_mode: bool) -> Any:
    """Return Keras' own scope of its safe mode; before 2.12 there was none."""
    try:
        return look_up(keras, "SafeModeScope")(safe_mode)
    except RestoreError:
        if hasattr(keras, "ops"):
            raise  # every Keras 3 has one: without it nothing would guard what is built
        return contextlib.ExitStack()


def _of_keras_2(keras: Any) -> Dict[str, Any]:
    """Return the layers of Keras 2 that its successor left out and that are a line of code."""

    class AddLoss(keras.layers.Layer):  # type: ignore[misc]
        """Adds what comes in to the model's losses, and passes it on."""

        def __init__(self, unconditional: bool = False, **options: Any) -> None:
            super().__init__(**options)

        def compute_output_spec(self, inputs: Any, **options: Any) -> Any:
            # Another tensor than the input: else the layer would not stand in the graph.
            return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

        def call(self, inputs: Any) -> Any:
            self.add_loss(keras.ops.mean(inputs))
            return inputs

    class AddMetric(AddLoss):
        """Told a number in training; passes what comes in on."""

        def __init__(self, **options: Any) -> None:
            for name in ("aggregation", "metric_name"):
                options.pop(name, None)
            super().__init__(**options)

        def call(self, inputs: Any) -> Any:
            return inputs

    return {"AddLoss": AddLoss, "AddMetric": AddMetric}
