"""Runs inside one environment of the matrix: saves the control models, loads what others saved.

usage: python inside.py controls FOLDER FLAVOR
       python inside.py load capsule|plain SAVED… RESULTS FLAVOR

A control is a case's architecture with its functions replaced by built-in layers: where
plain Keras can't load that, no one can load the case.
"""

import importlib
import json
import os
import re
import signal
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TIMED = ("L15",)  # the cases inside a TimeDistributed, which have a control of their own
TIME_LIMIT = 40  # seconds for one load; bytecode of another Python may loop for ever


def controls(folder, flavor):
    """Save one control model for each architecture and format."""
    import numpy as np

    keras = the_keras(flavor)
    layers = keras.layers
    shapes = {"control": (3,), "control_timed": (4, 3)}
    for name, shape in shapes.items():
        inputs = layers.Input(shape=shape)
        layer = layers.Activation("relu")
        outputs = layers.TimeDistributed(layer)(inputs) if len(shape) > 1 else layer(inputs)
        model = keras.models.Model(inputs, outputs)
        x = np.linspace(-1, 1, 2 * int(np.prod(shape)), dtype="float32").reshape(2, *shape)
        np.savez(os.path.join(folder, name + ".npz"), x0=x, y=np.asarray(model.predict(x)))
        model.save(os.path.join(folder, name + ".h5"))
        path = os.path.join(folder, name + ".keras")
        # Keras 2 up to 2.12 calls HDF5 "keras" too, and only 2.12 can write the archive.
        for options in (
            [{}]
            if hasattr(keras, "ops")
            else [{"save_format": "keras"}, {"save_format": "keras_v3"}]
        ):
            model.save(path, **options)
            with open(path, "rb") as stream:
                if stream.read(2) == b"PK":
                    break


def the_keras(flavor):
    if flavor == "tf":
        return importlib.import_module("tensorflow").keras
    return importlib.import_module("keras")


def load(how, folders, results, flavor):
    """Load each file of each folder, by plain Keras or by capsule, and write what happened."""
    keras = the_keras(flavor)
    with open(results, "w") as out:
        for folder in folders:
            files = sorted(
                path
                for path in Path(folder).iterdir()
                if path.suffix in (".h5", ".keras") and path.with_suffix(".npz").exists()
            )
            control = {path for path in files if path.stem.startswith("control")}
            tasks = [(how, path) for path in files if how == "plain" or path not in control]
            for (how, path), (outcome, told) in outcomes(keras, tasks):
                row = {
                    "save": Path(folder).name,
                    "case": path.stem,
                    "format": path.suffix[1:],
                    "how": how,
                    "outcome": outcome,
                    "error": told,
                }
                out.write(json.dumps(row, sort_keys=True) + "\n")
            out.flush()


def outcomes(keras, tasks):
    """Give each task with its outcome; capsule's share a process, as in a user's own.

    Plain loads get a process each: they may crash, and must not lend each other names.
    """
    waiting = list(tasks)
    while waiting:
        how = waiting[0][0]
        batch = [task for task in waiting if task[0] == how] if how == "capsule" else waiting[:1]
        waiting = waiting[len(batch) :]
        answers = forked(keras, batch)
        if len(answers) > len(batch):
            batch, waiting = batch[: len(answers)], batch[len(answers) :] + waiting
        done = len(answers)
        yield from zip(batch, answers)
        waiting = batch[done:] + waiting


def forked(keras, batch):
    """Return the outcomes of *batch* from a child process; its death is the last one's."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as answers:
            for how, path in batch:
                signal.alarm(TIME_LIMIT)
                answers.write(json.dumps(attempt(keras, how, path)) + "\n")
                answers.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        answers = [tuple(json.loads(line)) for line in lines]
    _, status = os.waitpid(child, 0)
    if len(answers) < len(batch):
        number = status & 0x7F
        hung = number == signal.SIGALRM
        answers.append(("hang" if hung else "crash", f"signal {number}"))
    return answers


def attempt(keras, how, path):
    """Load, predict, compare: return the outcome and what was said."""
    import numpy as np

    stored = np.load(path.with_suffix(".npz"))
    module = sys.modules["__main__"]
    for name in ("np", "tf", "K"):
        vars(module).pop(name, None)
    try:
        if how == "capsule":
            import capsule

            model = capsule.load(path, safe_mode=False, compile=False)
        else:
            model = plain(keras, path)
    except Exception as error:  # noqa: BLE001 - whatever a Keras raises is the result
        return "raises", said(error)
    try:
        y = np.asarray(model.predict(stored["x0"], verbose=0))
    except Exception as error:  # noqa: BLE001 - whatever a Keras raises is the result
        return "predict", said(error)
    if y.shape == stored["y"].shape and np.allclose(y, stored["y"], rtol=1e-4, atol=1e-5):
        return "ok", ""
    return "wrong", ""


def plain(keras, path):
    import inspect

    options = {"compile": False}
    if "safe_mode" in inspect.signature(keras.models.load_model).parameters:
        options["safe_mode"] = False
    return keras.models.load_model(path, **options)


def said(error):
    """Return an error in one line, without the colours that Keras gives it."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return f"{type(error).__name__}: {' '.join(text.split())[:300]}"


if __name__ == "__main__":
    if sys.argv[1] == "controls":
        controls(sys.argv[2], sys.argv[3])
    else:
        load(sys.argv[2], sys.argv[3:-2], sys.argv[-2], sys.argv[-1])
