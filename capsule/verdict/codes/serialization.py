"""Finding codes: what Keras stores of a model and does not bring back."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

STORED_ALIKE = Code(
    "stored-alike",
    title="Two functions that differ are stored alike",
    severity="fatal",
    decides=QUESTIONS,
    message="{layer} and {other} hold functions that differ, and the file stores them alike",
    cure="give the two functions different names, or make their code differ",
    explanation="The file stores two functions under the same name, or with the same bytecode, but"
    " they compute different things. Nothing in the file shows which is which, so Keras uses one of"
    " them in both places. `capsule.load` can assign them only if they belong to Lambda layers of"
    " different names.",
    example="def scaling(factor):\n    def scaled(x):\n        return x * factor\n\n"
    "    return scaled\n\n\n"
    "keras.layers.Dense(4, activation=scaling(2.0))\n"
    "keras.layers.Dense(4, activation=scaling(3.0))",
    sample={"layer": "dense_1.activation", "other": "dense.activation"},
    case="if capsule can't tell the functions apart either",
)
STORED_ALIKE_APART = STORED_ALIKE.variant(
    "if the functions belong to Lambda layers of different names",
    decides=("keras",),
    sample={"layer": "lambda_1", "other": "lambda"},
)
NAME_TAKEN = Code(
    "name-taken",
    title="A function of yours has the name of one of Keras' own",
    severity="fatal",
    decides=QUESTIONS,
    message="{layer} is stored by the name {subject!r}, which Keras has for a function of its own",
    cure="rename your {subject}",
    explanation="Keras stores the function by its name alone. When it loads the file it finds its"
    " own function of that name, and the model computes something else without an error. Passing"
    " yours in `custom_objects` would replace Keras' function in every layer.",
    example="def softplus(x):\n    return keras.ops.maximum(x, 0)\n\n"
    "keras.layers.Dense(4, activation=softplus)",
    sample={"layer": "dense.activation", "subject": "softplus"},
)
BY_NAME_ONLY = Code(
    "by-name-only",
    title="A function is stored by its name alone",
    severity="fatal",
    decides=("keras",),
    message="{layer} is {subject}{registered}, and the file stores only its name, not its code",
    cure="load it with capsule.load, or pass it in custom_objects",
    explanation="Keras 3 stores a function made with `def` by its name, as every Keras does for"
    " activations, losses, metrics and classes. In a process that does not define the name,"
    " `load_model` can't find it. A sidecar contains the source.",
    example="def halve(x):\n    return x / 2\n\n"
    "keras.Sequential([keras.layers.Lambda(halve)]).save('model.keras')",
    sample={"layer": "lambda", "subject": "halve", "registered": ""},
    case="if the sidecar has its source",
)
BY_NAME_UNKNOWN = BY_NAME_ONLY.variant(
    "if the file has no sidecar",
    decides=QUESTIONS,
    cure='pass it: custom_objects={{"{subject}": …}}',
)
BYTECODE_DAMAGED = Code(
    "bytecode-damaged",
    title="Keras on Windows damaged the bytecode of a function",
    severity="fatal",
    decides=("keras",),
    message="{layer} was damaged by Keras, which on Windows writes / for every byte of its code"
    " that happens to be a backslash",
    cure="load it with capsule.load, which restores the bytes",
    explanation="On Windows, TensorFlow's Keras and Keras 3 replace every byte 0x5c, a backslash,"
    " by 0x2f, a slash, when they store a lambda. Up to Python 3.12 the byte 0x5c is the"
    " instruction that unpacks a tuple, so `a, b = x` becomes an undefined instruction. The code"
    " still loads, and crashes when it runs.",
    example="def difference(pair):\n    a, b = pair\n    return a - b\n\n"
    "tf.keras.layers.Lambda(difference)  # saved on Windows",
    sample={"layer": "lambda"},
)
DEFAULTS_LOST = Code(
    "defaults-lost",
    title="Keras does not bring back default arguments",
    severity="fatal",
    decides=("keras",),
    message="{layer} {why}",
    cure="load it with capsule.load, or take the defaults out",
    explanation="Keras 3 stores the default arguments of a lambda as a JSON list, and Python wants"
    " a tuple, so loading raises an error. No Keras stores keyword-only defaults, and an"
    " array or a tuple among the defaults comes back as a list.",
    example="keras.layers.Lambda(lambda x, factor=2.0: x * factor)",
    sample={
        "layer": "lambda",
        "why": 'has default arguments, which Keras 3 cannot load again ("arg 4 (defaults) must be'
        ' None or tuple")',
    },
)
ARGUMENTS_LOST = Code(
    "arguments-lost",
    title="Keras does not bring back the arguments of a Lambda",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} has arguments that are not plain numbers, texts or lists: they come back"
    " as other types",
    cure="make them inside the function, or save the model under capsule's hook",
    explanation="Keras stores the `arguments` of a Lambda as JSON, which knows numbers, texts,"
    " lists and objects only. An array, a tuple or a function comes back as another type, and the"
    " Lambda fails or computes something else.",
    example="keras.layers.Lambda(lambda x, mean: x - mean, arguments={'mean': np.zeros(3)})",
    sample={"subject": "lambda"},
    case="if the sidecar does not hold the arguments",
)
ARGUMENTS_LOST_CAPTURED = ARGUMENTS_LOST.variant(
    "if the sidecar holds the arguments",
    decides=("keras",),
    cure="load it with capsule.load, or make them inside the function",
)
LAMBDA_ELSEWHERE = Code(
    "lambda-elsewhere",
    title="A lambda stands where Keras can't load one",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{layer} is a lambda, which Keras stores there and cannot load again",
    cure="put it into a Lambda layer, or save the model under capsule's hook",
    explanation="Keras turns stored bytecode back into a function for the `Lambda` layer alone. In"
    " other places, such as a layer's `activation` or a loss, it writes the lambda and fails to"
    " load it.",
    example="keras.layers.Dense(4, activation=lambda x: keras.ops.maximum(x, 0.1 * x))",
    sample={"layer": "dense.activation"},
    case="if the function is not in a sidecar",
)
LAMBDA_ELSEWHERE_CAPTURED = LAMBDA_ELSEWHERE.variant(
    "if the sidecar has the function",
    decides=("keras",),
    cure="load it with capsule.load, or put it into a Lambda layer",
)
NAME_LOST = Code(
    "name-lost",
    title="Keras does not keep the names that a function uses",
    severity="fatal",
    decides=("keras",),
    message="{layer} uses {expected}, undefined after Keras {version} loads it: NameError at load"
    " or at the first call",
    cure="load it with capsule.load, which binds the names again",
    explanation="A lambda finds names such as `tf` or `np` in the module where it was written."
    " Keras stores only its bytecode, and after loading looks for the names in a module of Keras"
    " itself. Which names exist there depends on the version; in Keras 3, `tf` and `np` do not.",
    example="import tensorflow as tf\n\nkeras.layers.Lambda(lambda x: tf.abs(x))",
    sample={"layer": "lambda", "expected": "tf", "version": "3.15.1"},
)
CLOSURE_LOST = Code(
    "closure-lost",
    title="Keras brings a closure's value back as something else",
    severity="fatal",
    decides=("keras",),
    message="{layer} closes over {subject}, {why}",
    cure="load it with capsule.load, which keeps the value",
    explanation="A lambda written inside a function can use that function's variables: its closure."
    " Keras stores their values as JSON, which turns arrays and tuples into lists and can't hold"
    " functions or modules. With a list in the place of an array, `values * 2` repeats the list"
    " and raises no error.",
    example="def scaled(values):\n    return keras.layers.Lambda(lambda x: x * values)\n\n"
    "scaled(np.array([1.0, 2.0]))",
    sample={
        "layer": "lambda",
        "subject": "helper",
        "why": "which Keras writes as a text",
    },
    case="if the value is a function, a module or another object that JSON can't hold",
)
CLOSURE_LOST_PERHAPS = CLOSURE_LOST.variant(
    "if the value comes back as a list, which may work",
    severity="warning",
    sample={
        "layer": "lambda",
        "subject": "values",
        "why": "an array that Keras brings back as a list: results may differ silently",
    },
)
CLOSURE_LOST_BYTES = CLOSURE_LOST.variant(
    "if the value is `bytes`, which Keras changes before capsule can replace them",
    decides=("keras", "capsule"),
    cure="create {subject} inside the function",
    sample={
        "layer": "lambda",
        "subject": "key",
        "why": "a bytes that Keras does not bring back",
    },
)
LOSS_ALIAS = Code(
    "loss-alias",
    title="Keras 3 can't read the short name of a loss from .h5",
    severity="fatal",
    decides=("keras",),
    message='Keras 3 writes the loss {subject!r} into .h5 and cannot read it again ("not a'
    ' KerasSaveable subclass")',
    cure="compile with {expected!r}, save as .keras, or load with capsule.load or compile=False",
    explanation="A model compiled with a short name such as `mse` is saved to `.h5` with that short"
    " name. When Keras 3 loads the file, it takes the name for a class that it can't use and"
    " raises an error. The weights are intact.",
    example='model.compile(loss="mse")\nmodel.save("model.h5")',
    sample={"subject": "mse", "expected": "mean_squared_error"},
)
NAME_UNKNOWN = Code(
    "name-unknown",
    title="Keras may not find a loss or metric by its name",
    severity="warning",
    decides=QUESTIONS,
    message="Keras may not find {subject!r}, given as {role}, when it loads the file",
    cure="load with compile=False",
    explanation="The model was compiled with the name of a loss or metric, and the name is not"
    " among those that Keras reads back from `.h5`. It may be registered in the process that saved"
    " the model and unknown to the process that loads it. Only training needs it.",
    example="keras.utils.get_custom_objects()['distance'] = distance\n"
    "model.compile(loss='distance')\nmodel.save('model.h5')",
    sample={"subject": "distance", "role": "loss"},
)
ADAPTED = Code(
    "adapted",
    title="A layer holds a table that it learned",
    severity="warning",
    decides=QUESTIONS,
    message="{subject} has a table of its own, which Keras does not bring back from every format",
    cure="check it: capsule replay MODEL --unsafe --check",
    explanation="Layers such as `StringLookup`, `TextVectorization` and `Normalization` learn a"
    " vocabulary or statistics in `adapt`. Some versions of Keras lose that table in some file"
    " formats, and the layer then fails or starts from nothing.",
    example="words = keras.layers.StringLookup()\nwords.adapt(['red', 'green', 'blue'])",
    sample={"subject": "string_lookup"},
)
MASK_LOST = Code(
    "mask-lost",
    title="Keras 3 does not bring back the mask function of a Lambda",
    severity="warning",
    decides=("keras",),
    message="{layer} is a mask function, which Keras 3 writes and does not load",
    cure="load it with capsule.load",
    explanation="A Lambda can have a second function, `mask`, that computes the mask for the layers"
    " after it. Keras 3 writes that function into the file and leaves it as raw data when it loads"
    " the file. A model that uses masks then fails or ignores them.",
    example="keras.layers.Lambda(lambda x: x * 2, mask=lambda x, mask: mask)",
    sample={"layer": "lambda.mask"},
)
NOT_IN_HDF5 = Code(
    "not-in-hdf5",
    title="Keras 3 writes something into .h5 that it can't read again",
    severity="fatal",
    decides=QUESTIONS,
    message="{why}",
    cure="save it as .keras",
    explanation="From an `.h5` file Keras 3 reads models made of layers. Operations on tensors that"
    " are not layers, such as slicing or dividing, and subclassed models, which have no layers"
    " before their first call, are written and can't be read back. The `.keras` format holds both.",
    example="inputs = keras.Input((4,))\nmodel = keras.Model(inputs, inputs[:, :2])\n"
    "model.save('model.h5')",
    sample={"why": "GetItem is not a layer, and of .h5 Keras 3 reads layers alone"},
)
SAFE_MODE = Code(
    "safe-mode",
    title="Keras' safe mode refuses the model's functions",
    severity="note",
    decides=(),
    message="{count} function(s) stored as bytecode: Keras' default safe_mode refuses them",
    cure="pass safe_mode=False if you trust the file",
    explanation="Loading bytecode runs code that the author of the file wrote. Keras therefore"
    " refuses it unless you pass `safe_mode=False`. Do so only with a file whose author you trust;"
    " `capsule inspect` shows its functions without running them.",
    example="keras.models.load_model('model.keras')  # with a Lambda: ValueError",
    sample={"count": "1"},
)

CODES = (
    STORED_ALIKE,
    STORED_ALIKE_APART,
    NAME_TAKEN,
    BY_NAME_ONLY,
    BY_NAME_UNKNOWN,
    BYTECODE_DAMAGED,
    DEFAULTS_LOST,
    ARGUMENTS_LOST,
    ARGUMENTS_LOST_CAPTURED,
    LAMBDA_ELSEWHERE,
    LAMBDA_ELSEWHERE_CAPTURED,
    NAME_LOST,
    CLOSURE_LOST,
    CLOSURE_LOST_PERHAPS,
    CLOSURE_LOST_BYTES,
    LOSS_ALIAS,
    NAME_UNKNOWN,
    ADAPTED,
    MASK_LOST,
    NOT_IN_HDF5,
    SAFE_MODE,
)
