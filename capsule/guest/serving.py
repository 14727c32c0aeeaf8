"""A SavedModel through its serving signature: the graph alone, in any TensorFlow 2.

What Python made the graph does not matter any more, and no Keras is asked to read it.
"""

import importlib
from typing import Any, Dict, List, Optional

from .restore import RestoreError


class ServedModel(object):
    """Answers like a Keras model that only predicts: arrays in, arrays out."""

    def __init__(self, path: str, facts: Optional[Dict[str, Any]] = None) -> None:
        tensorflow = importlib.import_module("tensorflow")
        self._tensorflow = tensorflow
        self._loaded = tensorflow.saved_model.load(path)  # kept: its variables live with it
        signatures = self._loaded.signatures
        if not signatures:
            raise RestoreError("%s has no serving signature" % path)
        name = "serving_default" if "serving_default" in signatures else sorted(signatures)[0]
        self._serve = signatures[name]
        self.name = name
        facts = facts or {}
        given = self._serve.structured_input_signature[1]
        self.input_names = _ordered(given, facts.get("inputs") or [])
        self.inputs = [given[key] for key in self.input_names]
        made = self._serve.structured_outputs
        self.output_names = _ordered(made, facts.get("outputs") or [])
        self.outputs = [made[key] for key in self.output_names]

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
        """Return the outputs for *inputs*: a tensor each, a list of them for several."""
        if training:
            raise ValueError("a SavedModel's serving signature does not train")
        if isinstance(inputs, dict):
            inputs = [inputs[name] for name in self.input_names]
        many = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(many) != len(self.inputs):
            raise ValueError("%d inputs are wanted, not %d" % (len(self.inputs), len(many)))
        constant = self._tensorflow.constant
        named = {
            name: constant(value, dtype=spec.dtype)
            for name, spec, value in zip(self.input_names, self.inputs, many)
        }
        answers = self._serve(**named)
        outputs = [answers[name] for name in self.output_names]
        return outputs if len(outputs) > 1 else outputs[0]

    def predict(self, inputs: Any, **options: Any) -> Any:
        """Return the outputs as numpy arrays. *options* of Keras' predict change nothing."""
        outputs = self(inputs)
        if isinstance(outputs, list):
            return [output.numpy() for output in outputs]
        return outputs.numpy()

    predict_on_batch = predict

    def summary(self, print_fn: Any = print) -> None:
        """Tell the names and shapes of inputs and outputs."""
        for kind, names, specs in (
            ("input", self.input_names, self.inputs),
            ("output", self.output_names, self.outputs),
        ):
            for name, spec in zip(names, specs):
                print_fn("%s %s %s %s" % (kind, name, tuple(spec.shape.as_list()), spec.dtype.name))


def _ordered(keys: Dict[str, Any], told: List[Dict[str, Any]]) -> List[str]:
    """Return *keys* in the order of the model's tensors, where their names say so."""
    names = [tensor["name"] for tensor in told]
    if sorted(names) == sorted(keys):
        return names
    numbered = ["output_%d" % number for number in range(len(keys))]
    return numbered if sorted(numbered) == sorted(keys) else sorted(keys)
