"""Finding codes: how the environment differs from the one that saved the model."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

_REPLAY = "run it in its own environment: capsule replay MODEL --unsafe"
_CHECK = "check it: capsule replay MODEL --unsafe --check"

BYTECODE = Code(
    "bytecode",
    title="A function is stored as bytecode of another Python",
    severity="fatal",
    decides=("keras",),
    message='{layer} is bytecode of {expected}: it raises at load ("bad marshal data")',
    cure="load it with capsule.load, or under {expected}",
    explanation="Keras stores a lambda as the bytecode of the Python that saved the model. Bytecode"
    " changes with every minor version of Python. A Python with another layout (up to 3.7, 3.8 to"
    " 3.10, from 3.11 on) can't read it; one with the same layout reads it and runs wrong"
    " instructions. `capsule.load` compiles the function again from its source.",
    example="keras.layers.Lambda(lambda x: x * 2)  # saved under Python 3.8, loaded under 3.11",
    sample={"layer": "lambda", "expected": "Python 3.8", "found": "Python 3.11"},
    case="if the two Pythons lay out bytecode differently",
)
BYTECODE_RELATED = BYTECODE.variant(
    "if the two Pythons lay out bytecode alike",
    severity="warning",
    message="{layer} is bytecode of {expected}: {found} reads it and runs wrong instructions,"
    " which may crash",
)
BYTECODE_PERHAPS = BYTECODE.variant(
    "if the file leaves open which Python wrote it, and this may be the one",
    severity="warning",
    message="{layer} is bytecode of {expected}: if it is not of {found}, it crashes or runs wrong"
    " instructions",
)
CODE_ONLY = Code(
    "code-only",
    title="A function exists only as bytecode of another Python",
    severity="fatal",
    decides=("capsule", "same"),
    message="{subject} exists only as bytecode of {expected}{reason}",
    cure="run it under its own Python: capsule replay MODEL --unsafe",
    explanation="There is no source text for this function: none was recorded, and the bytecode"
    " could not be decompiled with proof that the result computes the same. Without source,"
    " `capsule.load` can't compile the function for another Python.",
    example='exec("""def scale(x):\n    try:\n        return x * 2\n    except TypeError:\n'
    '        return x""")  # no file contains its source\n'
    "keras.layers.Lambda(scale)",
    sample={"subject": "lambda", "expected": "Python 3.8", "reason": ""},
    case="if it is certain that another Python wrote the bytecode",
)
CODE_ONLY_PERHAPS = CODE_ONLY.variant(
    "if the file leaves open which Python wrote it, and this may be the one", severity="warning"
)
PYTHON = Code(
    "python",
    title="The Python is another one",
    severity="note",
    decides=(),
    message="Python {expected} → {found}",
    explanation="The model was saved under another Python than this. That alone is harmless;"
    " where the model depends on the Python, other findings such as `bytecode` say so.",
    example="$ python3.10 train.py\n$ python3.11 serve.py",
    sample={"expected": "cpython 3.10.14", "found": "cpython 3.11.9"},
)
PLATFORM = Code(
    "platform",
    title="The operating system or the processor is another one",
    severity="warning",
    decides=("same",),
    message="platform {expected} → {found}",
    cure="check the outputs with capsule replay MODEL --unsafe --check",
    explanation="The backend uses other machine code on another system or processor, and rounds"
    " differently there. Differences are usually in the last digits, but capsule can't tell"
    " without running the model.",
    example="# saved on a Mac, served on Linux",
    sample={"expected": "Darwin arm64", "found": "Linux x86_64"},
)
LIBC = Code(
    "libc",
    title="The C library is another one",
    severity="note",
    decides=(),
    message="C library {expected} → {found}",
    explanation="The system's C library has another version, or is another library. A"
    " wheel may need a certain one to install; what a model computes rarely depends on it.",
    example="# saved on Debian, served in an Alpine container",
    sample={"expected": "glibc 2.36", "found": "musl 1.2"},
)
KERAS_UNKNOWN = Code(
    "keras-unknown",
    title="The Keras that saved the model is not known",
    severity="warning",
    decides=QUESTIONS,
    message="the Keras that saved it is not known",
    cure="load it and compare its outputs with some that you know",
    explanation="The file does not say which Keras wrote it; the JSON of Keras 1 and some converted"
    " files do not. Whether this Keras reads it, and computes the same, can't be said in advance.",
    example='Path("model.json").write_text(model.to_json())  # with Keras 1.0',
)
KERAS_MISSING = Code(
    "keras-missing",
    title="No Keras is installed that could read the file",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} is not installed",
    cure="install {distribution}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
    explanation="The environment has no Keras at all, or lacks the kind that the file needs:"
    " `keras`, `tf_keras` and TensorFlow's own `tensorflow.keras` are different libraries.",
    example="import tf_keras\n\ntf_keras.Sequential([…]).save('model.h5')  # no tf-keras here",
    sample={"subject": "tf_keras", "distribution": "tf-keras"},
)
KERAS_GENERATION = Code(
    "keras-generation",
    title="The Keras is of a generation that does not read the file",
    severity="fatal",
    decides=QUESTIONS,
    message="Keras {before} → {after}: it does not read such files",
    cure=_REPLAY,
    explanation="Keras has changed its file formats several times. An older Keras does not read the"
    " files of a newer generation, and `.keras` archives can't be exchanged between Keras 2.12,"
    " 2.13 to 2.15 and 3. A newer Keras reads HDF5 files of an older one, but not everything in"
    " them.",
    example='model.save("model.keras")  # with Keras 3, loaded with Keras 2.15',
    sample={"before": "3.4.1", "after": "2.15.0"},
    case="if the Keras here is older, or the file is a `.keras` archive",
)
KERAS_GENERATION_PARTLY = KERAS_GENERATION.variant(
    "if the Keras here is newer and the file is no archive",
    severity="warning",
    message="Keras {before} → {after}: it reads such files in part",
)
KERAS_VERSION = Code(
    "keras-version",
    title="The Keras is of another version",
    severity="warning",
    decides=QUESTIONS,
    message="Keras {before} → {after}",
    cure=_CHECK,
    explanation="Another release of the same generation of Keras is installed. Even within a"
    " generation Keras changes what it stores: a plain model saved by Keras 3.15 does not load"
    " in 3.12. Layers can also change what they compute.",
    example="$ pip install keras==3.15.1\n$ capsule save train.py\n$ pip install keras==3.12.4\n"
    "$ capsule verify model.keras",
    sample={"before": "3.15.1", "after": "3.12.4"},
)
BACKEND_MISSING = Code(
    "backend-missing",
    title="The backend is not installed",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} is not installed",
    cure="install {distribution}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
    explanation="Keras computes nothing itself: it needs TensorFlow, JAX or PyTorch. The"
    " environment has no backend that could run this model.",
    example="$ pip install keras   # and no backend\n$ capsule verify model.keras",
    sample={"subject": "tensorflow", "distribution": "tensorflow-cpu"},
)
BACKEND_OTHER = Code(
    "backend-other",
    title="Another backend is installed",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} is not installed, {found} is",
    cure=_REPLAY,
    explanation="The model was saved with another backend than the one that is installed. Keras 3"
    " runs its own layers on each backend, with numbers that can differ in the last digits."
    " A function that calls the missing backend by name can't run at all.",
    example="keras.layers.Lambda(lambda x: tf.abs(x))  # loaded where only jax is installed",
    sample={"subject": "tensorflow", "found": "jax"},
    case="if the model's functions do not use the backend themselves",
)
BACKEND_OTHER_USED = BACKEND_OTHER.variant(
    "if a function of the model uses the backend that is missing",
    severity="fatal",
    decides=QUESTIONS,
)
BACKEND_VERSION = Code(
    "backend-version",
    title="The backend is of another version",
    severity="warning",
    decides=QUESTIONS,
    message="{subject} {before} → {after}",
    cure=_CHECK,
    explanation="The environment has another version of TensorFlow, JAX or PyTorch than the one at"
    " save. Operations can be renamed, or compute something else, between versions.",
    example="$ pip install tensorflow==2.21.0\n$ capsule save train.py\n"
    "$ pip install tensorflow==2.16.2\n$ capsule verify model.keras",
    sample={"subject": "tensorflow", "before": "2.21.0", "after": "2.16.2"},
    case="if Keras loads the file",
)
BACKEND_VERSION_SERVED = BACKEND_VERSION.variant(
    "if the file is a SavedModel: its graph loads, and may compute other numbers", decides=("same",)
)
BACKEND_UNKNOWN = Code(
    "backend-unknown",
    title="The version of the backend that saved the model is not known",
    severity="warning",
    decides=QUESTIONS,
    message="the file does not say which version of {subject} saved it",
    cure="load it and compare its outputs with some that you know",
    explanation="A model file names its Keras at most, not the version of TensorFlow, JAX or"
    " PyTorch. Whether the installed version computes the same can't be said in advance. A sidecar"
    " records that version at save.",
    example="$ capsule verify downloaded.h5   # no sidecar",
    sample={"subject": "tensorflow"},
    case="if Keras loads the file",
)
BACKEND_UNKNOWN_SERVED = BACKEND_UNKNOWN.variant(
    "if the file is a SavedModel", decides=("capsule", "same")
)
SETTINGS = Code(
    "settings",
    title="A setting of Keras is another one",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} {expected} → {found}",
    cure="set {subject} before loading (keras.json, or KERAS_BACKEND)",
    explanation="Keras reads its backend, `floatx`, `epsilon` and `image_data_format` from"
    " `~/.keras/keras.json` and from `KERAS_BACKEND`. These settings change what a model computes,"
    " and the model file does not contain them.",
    example='{"floatx": "float16", "epsilon": 1e-07, "image_data_format": "channels_last"}',
    sample={"subject": "floatx", "expected": "float32", "found": "float16"},
)
VARIABLE = Code(
    "variable",
    title="An environment variable that changes numbers differs",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} {before} → {after}",
    cure="export {subject}={expected}",
    explanation="Some environment variables change how the backend computes: oneDNN kernels,"
    " deterministic operations, the precision of matrix products. `TF_USE_LEGACY_KERAS` even"
    " selects another Keras. The variable had another value, or none, when the model was saved.",
    example="$ TF_ENABLE_ONEDNN_OPTS=0 capsule save train.py\n$ capsule verify model.keras",
    sample={
        "subject": "TF_ENABLE_ONEDNN_OPTS",
        "expected": "0",
        "before": "0",
        "after": "unset",
    },
    case="if it was set when the model was saved",
)
VARIABLE_UNSET = VARIABLE.variant(
    "if it was not set when the model was saved",
    cure="unset {subject}",
    sample={"subject": "TF_ENABLE_ONEDNN_OPTS", "before": "unset", "after": "0"},
)
SERVED = Code(
    "served",
    title="A SavedModel is served by its graph",
    severity="fatal",
    decides=("keras",),
    message="it is a SavedModel: its functions are in the graph, and load_model reads no such"
    " folder",
    cure="capsule.load serves its graph",
    explanation="A SavedModel folder contains the whole computation as a TensorFlow graph, with no"
    " Python in it. `load_model` of Keras 3 refuses such a folder. `capsule.load` returns an object"
    " that predicts by running the graph; it is not a Keras model with layers.",
    example='model.export("model")  # a folder with saved_model.pb',
    case="if the Keras that saved the model, or the one here, is Keras 3",
)
SERVED_PARTLY = SERVED.variant(
    "if neither is Keras 3",
    severity="warning",
    message="it is a SavedModel: its functions are in the graph, and Keras 2 makes a model of it"
    " only in part",
)

CODES = (
    BYTECODE,
    BYTECODE_RELATED,
    BYTECODE_PERHAPS,
    CODE_ONLY,
    CODE_ONLY_PERHAPS,
    PYTHON,
    PLATFORM,
    LIBC,
    KERAS_UNKNOWN,
    KERAS_MISSING,
    KERAS_GENERATION,
    KERAS_GENERATION_PARTLY,
    KERAS_VERSION,
    BACKEND_MISSING,
    BACKEND_OTHER,
    BACKEND_OTHER_USED,
    BACKEND_VERSION,
    BACKEND_VERSION_SERVED,
    BACKEND_UNKNOWN,
    BACKEND_UNKNOWN_SERVED,
    SETTINGS,
    VARIABLE,
    VARIABLE_UNSET,
    SERVED,
    SERVED_PARTLY,
)
