"""Finding codes: what a function of the model uses, and whether it can be brought back."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

NAME_MISSING = Code(
    "name-missing",
    title="A function uses a name that nothing defines",
    severity="fatal",
    decides=QUESTIONS,
    message="{function} uses {subject}, which nothing in the file defines",
    cure='say what it is: capsule.load(…, bind={{"{subject}": …}})',
    explanation="A function stored in a model file keeps its instructions and not the global names"
    " that it uses. Without a value for the name, the function raises `NameError`. A sidecar"
    " records these names at save, if they exist then and can be reached from outside.",
    example="margin = 0.5\nkeras.layers.Lambda(lambda x: x - margin)  # saved without a sidecar",
    sample={"function": "lambda", "subject": "margin"},
    case="if the file has no sidecar",
)
NAME_UNDEFINED = NAME_MISSING.variant(
    "if the name did not exist at save either: the function fails only where it uses it",
    severity="warning",
    decides=("same",),
    message="{function} uses {subject}, which was not defined when the model was saved",
    cure="define {subject}, or pass it as an argument",
)
NAME_LOCAL = NAME_MISSING.variant(
    "if the body or the bases of a class use a name that existed only inside a function",
    decides=("keras", "capsule"),
    message="{function} is built with {subject}, which can't be reached after the save",
    cure="make {subject} a global name",
    sample={"function": "Scaled", "subject": "Base"},
)
VALUE_OPAQUE = Code(
    "value-opaque",
    title="A function uses a value that the sidecar can't hold",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{function} uses {subject}, a value of type {expected} that is not in the sidecar"
    " ({reason})",
    cure="create {subject} inside the function, or import it",
    explanation="The sidecar stores numbers, texts, lists, dicts and arrays of moderate size. It"
    " leaves out live objects such as a tokenizer or a `tf.Variable`, very large values, paths of"
    " your machine, and values whose name looks like a secret's. The function can't be bound to"
    " such a value in another process.",
    example="factor = tf.Variable(2.0)\nkeras.layers.Lambda(lambda x: x * factor)",
    sample={
        "function": "<lambda>",
        "subject": "factor",
        "expected": "tensorflow.Variable",
        "reason": "not plain data",
    },
    case="if the value can't be stored",
)
VALUE_SECRET = VALUE_OPAQUE.variant(
    "if the value was left out because of a name like a secret's",
    cure="if {subject} is a secret, read it from the environment when the function is called",
    sample={
        "function": "<lambda>",
        "subject": "API_KEY",
        "expected": "str",
        "reason": "its name looks like a secret's; if it is none: allow=['API_KEY'] in Python, or"
        " capsule save --allow API_KEY",
    },
)
CLASS_OPAQUE = Code(
    "class-opaque",
    title="A class of yours has no source",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{subject} has no source ({reason}): it can't be brought back",
    cure="define {subject} in a file, or pass it in custom_objects",
    explanation="capsule brings a class back by running its source again. This class was made by"
    " `exec` or `type`, was typed at a prompt, or was changed after its definition, so no source"
    " text makes exactly this class.",
    example='Scale = type("Scale", (keras.layers.Layer,), {"call": lambda self, x: x * 2})',
    sample={"subject": "Scale", "reason": "no source text exists for the class Scale"},
)
SOURCE_DECOMPILED = Code(
    "source-decompiled",
    title="A function without source was decompiled",
    severity="note",
    decides=(),
    message="{subject} has no source ({reason}): it was decompiled from its bytecode, {source}",
    explanation="No source text exists for this function. capsule wrote source from its bytecode"
    " and proved that it compiles to the same operations, so the function comes back under any"
    " Python. Comments and the original layout are lost.",
    example='scale = eval("lambda x: x * 2")\nkeras.layers.Lambda(scale)',
    sample={
        "subject": "<lambda>",
        "reason": "no source text exists for <string>",
        "source": "lambda x: x * 2",
    },
)
SOURCE_MISSING = Code(
    "source-missing",
    title="A function has no source",
    severity="note",
    decides=(),
    message="{subject} has no source ({reason}): its bytecode runs under Python {minor} alone",
    cure="define it in a file",
    explanation="No source text exists for this function, and its bytecode could not be decompiled"
    " with proof. Under the Python that saved the model it works from its bytecode. Under another"
    " Python it does not, and `code-only` says so there.",
    example='exec("""def scale(x):\n    try:\n        return x * 2\n    except TypeError:\n'
    '        return x""")  # no file contains its source\n'
    "keras.layers.Lambda(scale)",
    sample={
        "subject": "scale",
        "reason": "no source text exists for <string>",
        "minor": "3.11",
    },
)
UNREAD = Code(
    "unread",
    title="A function can't be read",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} can't be read: {reason}",
    cure="save the model again",
    explanation="The file holds something in the place of a function's bytecode that is bytecode of"
    " no known Python. The file is damaged, or a tool other than Keras wrote it. No Python can load"
    " the function.",
    example='{"class_name": "Lambda", "config": {"function": ["4wEAAAAAAAAA", null, null]}}',
    sample={"subject": "lambda", "reason": "no Python's marshalled code"},
)
FUNCTION_UNKNOWN = Code(
    "function-unknown",
    title="A function was read from the file, not from memory",
    severity="warning",
    decides=QUESTIONS,
    message="{layer} was read from the file: what its names stood for is not known",
    cure="save the model under capsule's hook",
    explanation="The sidecar was written without the live model, so capsule saw only what the file"
    " holds of this function. The values of the global names that it used at save are not in the"
    " file.",
    example="$ capsule save model.keras   # a file that exists, not a training script",
    sample={"layer": "lambda"},
)
CUSTOM_CLASS = Code(
    "custom-class",
    title="A class of your own is not in the file",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{subject} is a class of your own{origin}, and the file holds only its name",
    cure='pass it: custom_objects={{"{subject}": …}}',
    explanation="Keras stores a layer, loss or model of your own class by the name of the class."
    " The code of the class is not in the file, and it was not recorded in a sidecar either."
    " Whoever loads the model has to supply the class.",
    example="class Scale(keras.layers.Layer):\n    def call(self, x):\n        return x * 2\n\n"
    'keras.Sequential([Scale()]).save("model.keras")  # saved without a sidecar',
    sample={"subject": "Scale", "origin": ""},
)
MODULE_OPAQUE = Code(
    "module-opaque",
    title="A module of yours is not in the sidecar",
    severity="fatal",
    decides=("capsule",),
    message="the module {subject} is not in the sidecar",
    cure="save with source=True",
    explanation="A function uses a module of your project, and the sidecar has no source of it:"
    " source was left out at save, or the module has none, such as a compiled extension."
    " `capsule.load` can't rebuild the module in another place.",
    example="import helpers  # helpers.py, beside train.py\n\n"
    'capsule.save(model, "model.keras", source=False)',
    sample={"subject": "helpers"},
)
MODULE_STATE = Code(
    "module-state",
    title="A module of yours may not come back as it was",
    severity="warning",
    decides=QUESTIONS,
    message="the module {subject} may not come back as it was: {reason}",
    cure="pass what it holds as an argument",
    explanation="capsule brings a module of your project back by running its source again. This"
    " module depends on more than its source: it reads `__file__`, or something in it was replaced"
    " after the import. What the model's functions see there can differ.",
    example="# helpers.py\nTABLE = Path(__file__).with_name('table.txt').read_text()",
    sample={"subject": "helpers", "reason": "it uses __file__, which it no longer has"},
)
RANDOM = Code(
    "random",
    title="A function uses random numbers",
    severity="warning",
    decides=("keras", "same"),
    message="{function} uses random numbers: no two calls compute the same",
    cure="use a layer that is random in training alone, such as Dropout or GaussianNoise",
    explanation="The function draws random numbers or reads the clock, so its outputs differ from"
    " call to call, in the original process as well. A comparison with recorded outputs proves"
    " nothing here.",
    example="keras.layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x)))",
    sample={"function": "<lambda>"},
)
OUTSIDE = Code(
    "outside",
    title="A function uses something outside the model",
    severity="warning",
    decides=QUESTIONS,
    message="{function} uses {api}: what it finds there is not in the sidecar",
    cure="pass what it needs as an argument",
    explanation="The function reads files, environment variables, loaded modules or the call stack"
    " while it runs. capsule can't see what it will find there, and a sidecar does not record it.",
    example="keras.layers.Lambda(lambda x: x - np.load('mean.npy'))",
    sample={"function": "<lambda>", "api": "numpy.load"},
)
UNBUILT = Code(
    "unbuilt",
    title="A layer was never built",
    severity="fatal",
    decides=QUESTIONS,
    message="never built, so that the file holds no weights of it: {subject}",
    cure="call the model on data so that it builds, then save again",
    explanation="Keras creates a layer's weights when the layer is first called. This layer had"
    " not been called when the model was saved, so the file has no weights for it. A frequent cause"
    " is a function that calls numpy: Keras builds with symbolic tensors, numpy refuses them, and"
    " Keras does not report it.",
    example="def activation(x):\n    return np.tanh(x)\n\n"
    "model = keras.Sequential([keras.layers.Lambda(activation), keras.layers.Dense(4)])\n"
    'model.save("model.keras")',
    sample={"subject": "dense"},
    case="if nothing in the model is known to stop Keras from building",
)
UNBUILT_BY_NUMPY = UNBUILT.variant(
    "if a function calls numpy",
    message=UNBUILT.message + "; {function} calls numpy.{api}, which takes no symbolic tensor",
    cure="use keras.ops.{api} or tf.{api} in {function}, build the model, then save again",
    sample={"subject": "dense", "function": "activation", "api": "tanh"},
)

CODES = (
    NAME_MISSING,
    NAME_UNDEFINED,
    NAME_LOCAL,
    VALUE_OPAQUE,
    VALUE_SECRET,
    CLASS_OPAQUE,
    SOURCE_DECOMPILED,
    SOURCE_MISSING,
    UNREAD,
    FUNCTION_UNKNOWN,
    CUSTOM_CLASS,
    MODULE_OPAQUE,
    MODULE_STATE,
    RANDOM,
    OUTSIDE,
    UNBUILT,
    UNBUILT_BY_NUMPY,
)
