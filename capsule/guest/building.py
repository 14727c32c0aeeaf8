"""A model built from a configuration that a plan brings, and its weights from the file.

For files that the Keras at hand does not load as they are: an architecture alone, or a
configuration that was put in its words.
"""

import contextlib
import importlib
import json
from typing import Any, Dict


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
            model = keras.models.model_from_json(json.dumps(told["config"]), custom_objects=known)
        if told["weights"]:
            model.load_weights(path)
        return model
    saving = _legacy(keras, "saving_utils")
    options = _legacy(keras, "saving_options")
    with _guarded(keras, safe_mode), options.keras_option_scope(use_legacy_config=True):
        model = saving.model_from_config(
            told["config"], custom_objects=dict(_of_keras_2(keras), **known)
        )
    if told["weights"]:
        h5py = importlib.import_module("h5py")
        with h5py.File(path, "r") as file:
            group = file["model_weights"] if "model_weights" in file else file
            _legacy(keras, "legacy_h5_format").load_weights_from_hdf5_group(group, model)
    return model


def _guarded(keras: Any, safe_mode: bool) -> Any:
    """Return Keras 3's own scope of its safe mode; before Keras 3 there was none for this."""
    try:
        library = importlib.import_module("%s.src.saving.serialization_lib" % keras.__name__)
        return library.SafeModeScope(safe_mode)
    except (ImportError, AttributeError):
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


def _legacy(keras: Any, name: str) -> Any:
    """Return Keras 3's module *name* for the files of Keras 2, which has no public name."""
    return importlib.import_module("%s.src.legacy.saving.%s" % (keras.__name__, name))
