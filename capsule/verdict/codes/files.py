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
)
DESCRIBED = Code(
    "described",
    title="The sidecar was written after the save",
    severity="warning",
    decides=QUESTIONS,
    message="the sidecar describes the environment at hand, not the one that saved the model",
    cure="save the model under capsule's hook",
)
NO_PROBE = Code(
    "no-probe",
    title="No outputs were recorded at save",
    severity="warning",
    decides=("same",),
    message="no outputs were recorded when it was saved, so there is nothing to compare with",
    cure="compare its outputs with some that you know",
)
SAVE_WARNING = Code(
    "save-warning",
    title="Something about the model may go wrong",
    severity="warning",
    decides=QUESTIONS,
    message="{warning}",
    cure="check it: capsule replay MODEL --unsafe --check",
)
WEIGHTS_ONLY = Code(
    "weights-only",
    title="The file holds weights and no model",
    severity="fatal",
    decides=QUESTIONS,
    message="it holds weights and no model",
    cure="build the model in code, then call model.load_weights",
)
ARCHITECTURE_ONLY = Code(
    "architecture-only",
    title="The file holds an architecture and no weights",
    severity="note",
    decides=(),
    message="it holds an architecture and no weights: they will be fresh ones",
    cure="call model.load_weights with the file of the weights",
)
ARCHIVE_OF_KERAS_2 = Code(
    "archive-of-keras-2",
    title="Keras 3 does not read the archives of Keras 2",
    severity="fatal",
    decides=QUESTIONS,
    message="Keras 3 does not read the archives of Keras 2",
    cure="run it in its own environment: capsule replay MODEL --unsafe",
)
KERAS_1_LIST = Code(
    "keras-1-list",
    title="A Sequential model is written as Keras 1 wrote it",
    severity="fatal",
    decides=("keras",),
    message="Keras 3 raises \"Expected 'config' to be a dict\" for Sequential",
    cure="load it with capsule.load, which translates the configuration for Keras 3",
)
MODEL_CLASS = Code(
    "model-class",
    title="A model is written under its old class name",
    severity="fatal",
    decides=("keras",),
    message="Keras 3 raises \"Could not locate class 'Model'\"",
    cure=KERAS_1_LIST.cure,
)
KERAS_1_ARGUMENTS = Code(
    "keras-1-arguments",
    title="Layers are written with Keras 1's argument names",
    severity="fatal",
    decides=("keras",),
    message="its layers are written with the argument names of Keras 1",
    cure=KERAS_1_LIST.cure,
)
NOT_TRANSLATED = Code(
    "not-translated",
    title="The model's configuration can't be translated for this Keras",
    severity="fatal",
    decides=QUESTIONS,
    message="it can't be translated for Keras 3: {reason}",
    cure="run it in its own environment: capsule replay MODEL --unsafe",
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
