"""A SavedModel through its serving signature: the graph alone, in any TensorFlow 2.

Neither the Python that made the graph nor its Keras matters here.
"""

import importlib
from typing import Any, Dict, List, Optional

from .restore import RestoreError


class ServedModel(object):
    """A SavedModel that predicts like a Keras model, and does not train.

    Parameters
    ----------
    path
        The SavedModel folder.
    facts
        Names of the model's inputs and outputs in its order: ``{"inputs", "outputs"}``.

    Raises
    ------
    RestoreError
        The SavedModel has no serving signature.
    """

    def __init__(self, path: str, facts: Optional[Dict[str, Any]] = None) -> None:
        tensorflow = importlib.import_module("tensorflow")
        self._tensorflow = tensorflow
        self._saved_model = tensorflow.saved_model.load(path)  # its variables live with it
        signatures = self._saved_model.signatures
        if not signatures:
            raise RestoreError("%s has no serving signature" % path)
        name = "serving_default" if "serving_default" in signatures else sorted(signatures)[0]
        self._serve = signatures[name]
        self.name = name
        facts = facts or {}
        inputs = self._serve.structured_input_signature[1]
        self.input_names = _order_names(inputs, facts.get("inputs") or [])
        self.inputs = [inputs[key] for key in self.input_names]
        outputs = self._serve.structured_outputs
        self.output_names = _order_names(outputs, facts.get("outputs") or [])
        self.outputs = [outputs[key] for key in self.output_names]

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or a list of shapes; None is an open dimension."""
        shapes = [tuple(spec.shape.as_list()) for spec in self.inputs]
        return shapes if len(shapes) > 1 else shapes[0]

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or a list of shapes; None is an open dimension."""
        shapes = [tuple(spec.shape.as_list()) for spec in self.outputs]
        return shapes if len(shapes) > 1 else shapes[0]

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Compute the outputs: a tensor, or a list of tensors for several outputs."""
        if training:
            raise ValueError("a SavedModel's serving signature does not train")
        if isinstance(inputs, dict):
            inputs = [inputs[name] for name in self.input_names]
        values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(values) != len(self.inputs):
            raise ValueError("%d inputs are wanted, not %d" % (len(self.inputs), len(values)))
        constant = self._tensorflow.constant
        tensors = {
            name: constant(value, dtype=spec.dtype)
            for name, spec, value in zip(self.input_names, self.inputs, values)
        }
        answers = self._serve(**tensors)
        outputs = [answers[name] for name in self.output_names]
        return outputs if len(outputs) > 1 else outputs[0]

    def predict(self, inputs: Any, **options: Any) -> Any:
        """Compute the outputs as numpy arrays; the options of Keras' predict change nothing."""
        outputs = self(inputs)
        if isinstance(outputs, list):
            return [output.numpy() for output in outputs]
        return outputs.numpy()

    predict_on_batch = predict

    def summary(self, print_fn: Any = print) -> None:
        """Print names, shapes and dtypes of the inputs and outputs."""
        for kind, names, specs in (
            ("input", self.input_names, self.inputs),
            ("output", self.output_names, self.outputs),
        ):
            for name, spec in zip(names, specs):
                print_fn("%s %s %s %s" % (kind, name, tuple(spec.shape.as_list()), spec.dtype.name))


def _order_names(keys: Dict[str, Any], tensors: List[Dict[str, Any]]) -> List[str]:
    """Return *keys* in the order of the model's *tensors*, if they have the same names."""
    names = [tensor["name"] for tensor in tensors]
    if sorted(names) == sorted(keys):
        return names
    numbers = ["output_%d" % number for number in range(len(keys))]
    return numbers if sorted(numbers) == sorted(keys) else sorted(keys)
