"""Finding codes: how the environment differs from the one that saved the model."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

BYTECODE = Code(
    "bytecode",
    title="A function is stored as bytecode of another Python",
    severity="fatal",
    decides=("keras",),
    message='{layer} is bytecode of {expected}: it raises at load ("bad marshal data")',
    cure="load it with capsule.load, or under {expected}",
)
BYTECODE_RELATED = Code(
    "bytecode",
    title=BYTECODE.title,
    severity="warning",
    decides=("keras",),
    message="{layer} is bytecode of {expected}: {found} reads it and runs wrong instructions,"
    " which may crash",
    cure=BYTECODE.cure,
)
BYTECODE_PERHAPS = Code(
    "bytecode",
    title=BYTECODE.title,
    severity="warning",
    decides=("keras",),
    message="{layer} is bytecode of {expected}: if it is not of {found}, it crashes or runs wrong"
    " instructions",
    cure=BYTECODE.cure,
)
CODE_ONLY = Code(
    "code-only",
    title="A function exists only as bytecode of another Python",
    severity="fatal",
    decides=("capsule", "same"),
    message="{subject} exists only as bytecode of {expected}{reason}",
    cure="run it under its own Python: capsule replay MODEL --unsafe",
)
PYTHON = Code(
    "python",
    title="The Python is another one",
    severity="note",
    decides=(),
    message="Python {expected} → {found}",
)
PLATFORM = Code(
    "platform",
    title="The operating system or the processor is another one",
    severity="warning",
    decides=("same",),
    message="platform {expected} → {found}",
    cure="check the outputs with capsule replay MODEL --unsafe --check",
)
LIBC = Code(
    "libc",
    title="The C library is another one",
    severity="note",
    decides=(),
    message="C library {expected} → {found}",
)
KERAS_UNKNOWN = Code(
    "keras-unknown",
    title="The Keras that saved the model is not known",
    severity="warning",
    decides=QUESTIONS,
    message="the Keras that saved it is not known",
    cure="load it and compare its outputs with some that you know",
)
KERAS_MISSING = Code(
    "keras-missing",
    title="No Keras is installed that could read the file",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} is not installed",
    cure="install {distribution}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
)
KERAS_GENERATION = Code(
    "keras-generation",
    title="The Keras is of a generation that does not read the file",
    severity="fatal",
    decides=QUESTIONS,
    message="Keras {before} → {after}: it does not read such files",
    cure="run it in its own environment: capsule replay MODEL --unsafe",
)
KERAS_GENERATION_PARTLY = Code(
    "keras-generation",
    title=KERAS_GENERATION.title,
    severity="warning",
    decides=QUESTIONS,
    message="Keras {before} → {after}: it reads such files in part",
    cure=KERAS_GENERATION.cure,
)
KERAS_VERSION = Code(
    "keras-version",
    title="The Keras is of another version",
    severity="warning",
    decides=QUESTIONS,
    message="Keras {before} → {after}",
    cure="check it: capsule replay MODEL --unsafe --check",
)
BACKEND_MISSING = Code(
    "backend-missing",
    title="The backend is not installed",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} is not installed",
    cure="install {distribution}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
)
BACKEND_OTHER = Code(
    "backend-other",
    title="Another backend is installed",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} is not installed, {found} is",
    cure="run it in its own environment: capsule replay MODEL --unsafe",
)
BACKEND_VERSION = Code(
    "backend-version",
    title="The backend is of another version",
    severity="warning",
    decides=QUESTIONS,
    message="{subject} {before} → {after}",
    cure="check it: capsule replay MODEL --unsafe --check",
)
BACKEND_UNKNOWN = Code(
    "backend-unknown",
    title="The version of the backend that saved the model is not known",
    severity="warning",
    decides=QUESTIONS,
    message="the file does not say which version of {subject} saved it",
    cure="load it and compare its outputs with some that you know",
)
SETTINGS = Code(
    "settings",
    title="A setting of Keras is another one",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} {expected} → {found}",
    cure="set {subject} before loading (keras.json, or KERAS_BACKEND)",
)
VARIABLE = Code(
    "variable",
    title="An environment variable that changes numbers differs",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} {before} → {after}",
    cure="{command}",
)
SERVED = Code(
    "served",
    title="A SavedModel is served by its graph",
    severity="fatal",
    decides=("keras",),
    message="it is a SavedModel: its functions are in the graph, and load_model reads no such"
    " folder",
    cure="capsule.load serves its graph",
)
SERVED_PARTLY = Code(
    "served",
    title=SERVED.title,
    severity="warning",
    decides=("keras",),
    message="it is a SavedModel: its functions are in the graph, and Keras 2 makes a model of it"
    " only in part",
    cure=SERVED.cure,
)

CODES = (
    BYTECODE,
    CODE_ONLY,
    PYTHON,
    PLATFORM,
    LIBC,
    KERAS_UNKNOWN,
    KERAS_MISSING,
    KERAS_GENERATION,
    KERAS_VERSION,
    BACKEND_MISSING,
    BACKEND_OTHER,
    BACKEND_VERSION,
    BACKEND_UNKNOWN,
    SETTINGS,
    VARIABLE,
    SERVED,
)
