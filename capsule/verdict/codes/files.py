"""Finding codes: what the file is, how it is written, and what was recorded of it."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

ARTIFACT_CHANGED = Code(
    "artifact-changed",
    title="The file has changed since its sidecar was written",
    severity="fatal",
    decides=QUESTIONS,
    message="{change}",
    cure="restore the file, or save the model again under capsule",
    explanation="The SHA-256 of the model file is not the one in the sidecar. The sidecar describes"
    " a file that is no longer there, so nothing in it can be trusted for this one. Usually the"
    " model was saved again without capsule, or another file was copied over it.",
    example="$ capsule save train.py\n$ cp retrained.keras model.keras  # the sidecar stays behind",
    sample={
        "change": "model.keras has changed since its sidecar was written (SHA-256 differs)",
    },
)
DESCRIBED = Code(
    "described",
    title="The sidecar was written after the save",
    severity="warning",
    decides=QUESTIONS,
    message="the sidecar describes the environment at hand, not the one that saved the model",
    cure="save the model under capsule's hook",
    explanation="`capsule save` was given a finished model file, so it recorded the environment in"
    " which it ran. Whether the model was saved in that environment is not known. The values that"
    " its functions used at save are not known either, since the file does not contain them.",
    example="$ capsule save model.keras   # a file that exists, not a training script",
)
NO_PROBE = Code(
    "no-probe",
    title="No outputs were recorded at save",
    severity="warning",
    decides=("same",),
    message="no outputs were recorded when it was saved, so there is nothing to compare with",
    cure="compare its outputs with some that you know",
    explanation="capsule says that a model computes the same when its outputs here equal outputs"
    " that were recorded at save: the probe. This file has no sidecar, so there is no probe."
    " A model that loads may still compute something else.",
    example="$ capsule verify downloaded.h5   # no downloaded.h5.capsule.json beside it",
)
SAVE_WARNING = Code(
    "save-warning",
    title="Something in the model may not survive the save",
    severity="warning",
    decides=QUESTIONS,
    message="{warning}",
    cure="check it: capsule replay MODEL --unsafe --check",
    explanation="When the model was saved, capsule saw something that Keras often does not bring"
    " back: a `get_config` that leaves out an argument, a class with the name of a Keras class,"
    " a `functools.partial` as a loss. The file looks complete, so only running the model shows"
    " whether it is.",
    example="class Scale(keras.layers.Layer):\n"
    "    def __init__(self, factor=1.0, **kwargs):\n"
    "        super().__init__(**kwargs)\n"
    "        self.factor = factor\n\n"
    "    def get_config(self):\n"
    "        return super().get_config()  # without factor",
    sample={"warning": "get_config of Scale leaves out factor"},
)
WEIGHTS_ONLY = Code(
    "weights-only",
    title="The file holds weights and no model",
    severity="fatal",
    decides=QUESTIONS,
    message="it holds weights and no model",
    cure="build the model in code, then call model.load_weights",
    explanation="`save_weights` writes the numbers of the layers and nothing about the layers"
    " themselves. `load_model` needs the layers, so it refuses such a file. The code that built"
    " the model is needed as well.",
    example='model.save_weights("model.weights.h5")',
)
ARCHITECTURE_ONLY = Code(
    "architecture-only",
    title="The file holds an architecture and no weights",
    severity="note",
    decides=(),
    message="it holds an architecture and no weights: they will be fresh ones",
    cure="call model.load_weights with the file of the weights",
    explanation="The file contains the layers and no trained numbers. A model made from it starts"
    " with newly initialised weights, so its outputs mean nothing until the weights are loaded.",
    example='Path("model.json").write_text(model.to_json())',
)
ARCHIVE_OF_KERAS_2 = Code(
    "archive-of-keras-2",
    title="Keras 3 does not read the archives of Keras 2",
    severity="fatal",
    decides=QUESTIONS,
    message="Keras 3 does not read the archives of Keras 2",
    cure="run it in its own environment: capsule replay MODEL --unsafe",
    explanation="Keras 2.12 to 2.15 wrote `.keras` archives that name classes by their module in"
    " Keras 2, and those modules moved in Keras 3. Keras 3 therefore refuses the whole file,"
    " even if the model has no Lambda. HDF5 files of Keras 2 do not have this limit.",
    example='model.save("model.keras")  # with Keras 2.15, loaded with Keras 3',
)
KERAS_1_LIST = Code(
    "keras-1-list",
    title="A Sequential model is written as Keras 1 wrote it",
    severity="fatal",
    decides=("keras",),
    message="Keras 3 raises \"Expected 'config' to be a dict\" for Sequential",
    cure="load it with capsule.load, which translates the configuration for Keras 3",
    explanation="Keras 1 and early releases of Keras 2 stored a Sequential model as a bare list of"
    " layers."
    " Keras 3 expects an object with a name and a list of layers, and raises an error.",
    example='{"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {…}}]}',
)
MODEL_CLASS = Code(
    "model-class",
    title="A model is written under its old class name",
    severity="fatal",
    decides=("keras",),
    message="Keras 3 raises \"Could not locate class 'Model'\"",
    cure=KERAS_1_LIST.cure,
    explanation="Keras 1, Keras 2 and early releases of TensorFlow 2 stored a functional model"
    " under the class name `Model`. Keras 3 calls that class `Functional` and does not know the"
    " old name.",
    example='{"class_name": "Model", "config": {"name": "model_1", "layers": […]}}',
)
KERAS_1_ARGUMENTS = Code(
    "keras-1-arguments",
    title="Layers are written with Keras 1's argument names",
    severity="fatal",
    decides=("keras",),
    message="its layers are written with the argument names of Keras 1",
    cure=KERAS_1_LIST.cure,
    explanation="Keras 2 renamed the arguments of most layers: `output_dim` became `units`,"
    " `nb_filter` became `filters`, `border_mode` became `padding`. Keras 3 does not know the old"
    " names and raises an error for the first layer that has them.",
    example='{"class_name": "Convolution2D", "config": {"nb_filter": 32, "border_mode": "same"}}',
)
NOT_TRANSLATED = Code(
    "not-translated",
    title="The model's configuration can't be translated for this Keras",
    severity="fatal",
    decides=QUESTIONS,
    message="it can't be translated for Keras 3: {reason}",
    cure="run it in its own environment: capsule replay MODEL --unsafe",
    explanation="capsule translates the configuration of an older Keras for Keras 3 where the"
    " meaning is certain. Something in this file has no exact equivalent: Keras 3 lacks the layer,"
    " or computes something else under the same name. capsule refuses to load a model that would"
    " compute other numbers.",
    example="keras.layers.LocallyConnected1D(8, 3)  # saved with Keras 2",
    sample={"reason": "locally_connected1d is a LocallyConnected1D: Keras 3 has no such layer"},
)

CODES = (
    ARTIFACT_CHANGED,
    DESCRIBED,
    NO_PROBE,
    SAVE_WARNING,
    WEIGHTS_ONLY,
    ARCHITECTURE_ONLY,
    ARCHIVE_OF_KERAS_2,
    KERAS_1_LIST,
    MODEL_CLASS,
    KERAS_1_ARGUMENTS,
    NOT_TRANSLATED,
)
