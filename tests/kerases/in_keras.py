"""Runs in the Python of an old Keras: saves a model there, and loads it through the guest.

``in_keras.py save GUEST TASK ANSWER`` or ``in_keras.py load GUEST TASK ANSWER``: the folder that
holds the guest, and two JSON files. Python 3.6 reads this file.
"""

import importlib
import json
import os
import sys
import traceback
import types
import zipfile

SCALE = 3.0


def squash(x):
    return x / (1.0 + x * x)


def halve(x):
    return x / 2.0


def import_keras(module):
    if module == "tensorflow.keras":
        return importlib.import_module("tensorflow").keras
    return importlib.import_module(module)


def make_model(keras):
    """Return a model with a Lambda that needs a global name, a closure and a default.

    It has functions of a name as well, which Keras 3 stores by that name alone.
    """
    import numpy

    shift = 0.5
    inputs = keras.layers.Input((3,))
    moved = keras.layers.Lambda(lambda x, power=2.0: x * power * SCALE + shift, name="moved")
    halved = keras.layers.Lambda(halve, name="halved")
    dense = keras.layers.Dense(2, activation=squash, name="dense")
    model = keras.models.Model(inputs, dense(halved(moved(inputs))))
    kernel = numpy.linspace(-0.3, 0.4, 6, dtype="float32").reshape(3, 2)
    dense.set_weights([kernel, numpy.array([0.1, -0.2], "float32")])
    return model


def save(task):
    """Save the model in every format that this Keras writes; return what it computes."""
    probe = importlib.import_module("capsule_guest.probe")
    adapter = importlib.import_module("capsule_guest.keras_adapter")
    keras = import_keras(task["keras"])
    model = make_model(keras)
    outputs = adapter.call(model, probe.make_inputs(task["inputs"]))
    answer = {
        "version": keras.__version__,
        "outputs": [probe.record(output) for output in outputs],
        "weights": [weight.tolist() for weight in model.get_weights()],
        "formats": {},
    }
    for suffix in ("h5", "keras", "json"):
        path = os.path.join(task["folder"], "model." + suffix)
        try:
            if suffix == "json":
                with open(path, "w") as file:
                    file.write(model.to_json())
            else:
                model.save(path)
        except Exception as error:
            answer["formats"][suffix] = describe_error(error)
            continue
        # Up to 2.12 what is named .keras is HDF5, or a folder.
        native = suffix != "keras" or zipfile.is_zipfile(path)
        answer["formats"][suffix] = None if native else "this Keras has no such format"
    return answer


def load(task):
    """Load each plan as the worker does; return what it computes and what Keras keeps of it."""
    adapter = importlib.import_module("capsule_guest.keras_adapter")
    keras = import_keras(task["keras"])
    return {
        "lookups": look_up(keras, task["keras_3"]),
        "files": {name: load_file(adapter, file, task) for name, file in task["files"].items()},
        "refusals": {n: load_file(adapter, file, task) for n, file in task["refusals"].items()},
    }


def look_up(keras, keras_3):
    """Return what the guest looks up in a Keras, by name: None, or why it is not there."""
    places = importlib.import_module("capsule_guest.keras_places")
    patches = importlib.import_module("capsule_guest.loader_patches")
    names = list(places.PLACES) + (list(places.PLACES_IN_KERAS_3) if keras_3 else [])
    answer = {}
    for name in names:
        try:
            places.look_up(keras, name)
            answer[name] = None
        except Exception as error:
            answer[name] = describe_error(error)
    with patches.answering(keras, patches.Tables()):
        patched = {place.rpartition(".")[2] for place in find_changes({})}
    for name in ("func_load", "from_config"):
        answer[name] = None if name in patched else "nothing of this name was replaced"
    return answer


def load_file(adapter, file, task):
    """Return how one file loads and computes, and what is changed in Keras afterwards."""
    worker = importlib.import_module("capsule_guest.worker")
    before = snapshot()
    answer = {"error": None, "comparison": None}
    session = worker.Session()
    try:
        if file["by_name"]:
            # As ``capsule.load(custom_objects=…)`` does.
            objects = {name: globals()[name] for name in file["by_name"]}
            options = {"compile": False}
            session.model = adapter.load_model(file["plan"], file["path"], objects, options)
        else:
            session.answer({"do": "load", "plan": file["plan"], "path": file["path"]}, [])
        if file["weights"]:
            import numpy

            session.model.set_weights([numpy.array(w, "float32") for w in file["weights"]])
        probe = {"do": "probe", "inputs": task["inputs"], "outputs": file["outputs"]}
        answer["comparison"] = session.answer(probe, [])[0]["comparison"]
        answer["prediction"] = compare_prediction(session, file, task)
        session.answer({"do": "summary"}, [])
        session.answer({"do": "weights"}, [])
    except BaseException as error:
        answer["error"] = describe_error(error)
    answer["changes"] = find_changes(before)
    return answer


def compare_prediction(session, file, task):
    """Return how ``predict`` compares with what was recorded at save."""
    probe = importlib.import_module("capsule_guest.probe")
    arrays = probe.make_inputs(task["inputs"])
    outputs = session.answer({"do": "predict", "options": {}}, arrays)[1]
    return probe.compare(file["outputs"], outputs)


def describe_error(error):
    """Return an exception as text, with the end of its traceback."""
    return f"{type(error).__name__}: {error}\n{traceback.format_exc()[-2000:]}"


def list_owners():
    """Give each module and each class of Keras and TensorFlow, with its name."""
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] not in ("keras", "tf_keras", "tensorflow", "tensorflow_core"):
            continue
        if isinstance(module, types.ModuleType):
            yield name, module
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == name:
                    yield f"{name}.{value.__qualname__}", value


def snapshot():
    """Return every attribute of Keras: ``{owner: {attribute: value}}``."""
    return {name: dict(vars(owner)) for name, owner in list_owners()}


def find_changes(before):
    """Return what of Keras is callable and not what it was, or belongs to the guest."""
    changes = []
    for name, owner in list_owners():
        for attribute, value in list(vars(owner).items()):
            old = before.get(name, {}).get(attribute, value)
            replaced = old is not value and is_code(old)
            if replaced or belongs_to_guest(value):
                changes.append(f"{name}.{attribute}")
    return changes


def is_code(value):
    return callable(value) or isinstance(value, (classmethod, staticmethod, property))


def belongs_to_guest(value):
    function = getattr(value, "__func__", value) if isinstance(value, classmethod) else value
    if type(function).__name__ == "partial":
        function = function.func
    if not isinstance(function, types.FunctionType):
        return False
    return function.__globals__.get("__name__", "").startswith("capsule_guest")


def main(action, guest, task, answer):
    sys.path.insert(0, guest)
    with open(task) as file:
        question = json.load(file)
    result = {"save": save, "load": load}[action](question)
    with open(answer, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
