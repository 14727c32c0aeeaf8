"""A stand-in for a model's own Python: the real worker and protocol, and a model without Keras."""

from __future__ import annotations

import sys
from pathlib import Path

_SCRIPT = '''#!{python}
import json, os, sys, time
sys.path.insert(0, sys.argv[-1])
import numpy
from capsule_guest import keras_adapter, worker


class Spec:
    def __init__(self, name, size):
        self.name, self.shape, self.dtype = name, (None, size), "float32"


class Toy:
    """Doubles its first input and adds what the plan says; options of predict do the rest."""

    name = "toy"

    def __init__(self, plan):
        if "raise" in plan:
            raise ValueError(plan["raise"])
        self.inputs = [Spec(name, 2) for name in plan.get("inputs", ["x"])]
        self.outputs = [Spec(name, 2) for name in plan.get("outputs", ["y"])]
        self.input_names = [spec.name for spec in self.inputs]
        self.output_names = [spec.name for spec in self.outputs]
        if plan.get("dict"):
            self._outputs_struct = {{name: None for name in self.output_names}}
        self.weights = [Spec("toy/kernel", 2), Spec("toy/bias", 1)]

    def __call__(self, inputs, training):
        first = inputs[0] if isinstance(inputs, list) else inputs
        outputs = [first * 2 + number for number in range(len(self.outputs))]
        if hasattr(self, "_outputs_struct"):
            return dict(zip(self.output_names, outputs))
        return outputs if len(outputs) > 1 else outputs[0]

    def predict(self, inputs, verbose, die=None, kill=None, sleep=0, fail=None, say=None):
        if say is not None:
            print(say, flush=True)
        if die is not None:
            os._exit(die)
        if kill is not None:
            os.kill(os.getpid(), kill)
        if fail is not None:
            raise ValueError(fail)
        time.sleep(sleep)
        return self(inputs, training=False)

    def get_weights(self):
        return [numpy.ones(2), numpy.zeros(1)]

    def summary(self, print_fn):
        print_fn(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}))
        home = os.environ["KERAS_HOME"]
        print_fn(open(os.path.join(home, "keras.json")).read())


keras_adapter.load_model = lambda plan, path, *others: Toy(plan)
worker.main()
'''


def toy_python(folder: Path) -> Path:
    """Write an executable that a worker can be started with as if it were a Python."""
    path = folder / "python"
    path.write_text(_SCRIPT.format(python=sys.executable))
    path.chmod(0o755)
    return path
