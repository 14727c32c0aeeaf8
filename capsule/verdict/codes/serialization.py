"""Finding codes: what Keras stores of a model and does not bring back."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

STORED_ALIKE = Code(
    "stored-alike",
    title="Two functions that differ are stored alike",
    severity="fatal",
    decides=QUESTIONS,
    message="{layer} and {other} hold functions that differ, and the file stores them alike",
    cure="give them other names, or make the text of one differ",
)
NAME_TAKEN = Code(
    "name-taken",
    title="A function of yours bears the name of one of Keras' own",
    severity="fatal",
    decides=QUESTIONS,
    message="{layer} is stored by the name {subject!r}, which Keras has for a function of its own",
    cure="rename your {subject}",
)
BY_NAME_ONLY = Code(
    "by-name-only",
    title="A function is stored by its name alone",
    severity="fatal",
    decides=("keras",),
    message="{layer} is {subject}{registered}, and the file stores only its name, not its code",
    cure="load it with capsule.load, or pass it in custom_objects",
)
BY_NAME_UNKNOWN = Code(
    "by-name-only",
    title=BY_NAME_ONLY.title,
    severity="fatal",
    decides=QUESTIONS,
    message=BY_NAME_ONLY.message,
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
)
DEFAULTS_LOST = Code(
    "defaults-lost",
    title="Keras does not bring back default arguments",
    severity="fatal",
    decides=("keras",),
    message="{layer} {why}",
    cure="load it with capsule.load, or take the defaults out",
)
ARGUMENTS_LOST = Code(
    "arguments-lost",
    title="Keras does not bring back the arguments of a Lambda",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} has arguments that are not plain numbers, texts or lists: they come back"
    " as something else",
    cure="load it with capsule.load, or make them inside the function",
)
LAMBDA_ELSEWHERE = Code(
    "lambda-elsewhere",
    title="A lambda stands where Keras can't load one",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{layer} is a lambda, which Keras stores there and cannot load again",
    cure="load it with capsule.load, or make it a Lambda layer of its own",
)
NAME_LOST = Code(
    "name-lost",
    title="Keras cuts a function off from the names that it uses",
    severity="fatal",
    decides=("keras",),
    message="{layer} uses {expected}, undefined after Keras {version} loads it: NameError at load"
    " or at the first call",
    cure="load it with capsule.load, which binds the names again",
)
CLOSURE_LOST = Code(
    "closure-lost",
    title="Keras brings a closure's value back as something else",
    severity="fatal",
    decides=("keras",),
    message="{layer} closes over {subject}, {why}",
    cure="load it with capsule.load, which keeps the value",
)
LOSS_ALIAS = Code(
    "loss-alias",
    title="Keras 3 can't read the short name of a loss from .h5",
    severity="fatal",
    decides=("keras",),
    message='Keras 3 writes the loss {subject!r} into .h5 and cannot read it again ("not a'
    ' KerasSaveable subclass")',
    cure="compile with {expected!r}, save as .keras, or load with capsule.load or compile=False",
)
NAME_UNKNOWN = Code(
    "name-unknown",
    title="A loss or metric is named by a text that may not be found again",
    severity="warning",
    decides=QUESTIONS,
    message="whether Keras finds {subject!r} again, given as {role}, is not known",
    cure="load with compile=False",
)
ADAPTED = Code(
    "adapted",
    title="A layer holds a table that it learned",
    severity="warning",
    decides=QUESTIONS,
    message="{subject} has a table of its own, which Keras does not bring back from every format",
    cure="check it: capsule replay MODEL --unsafe --check",
)
MASK_LOST = Code(
    "mask-lost",
    title="Keras 3 does not bring back the mask function of a Lambda",
    severity="warning",
    decides=("keras",),
    message="{layer} is a mask function, which Keras 3 writes and does not load",
    cure="load it with capsule.load",
)
NOT_IN_HDF5 = Code(
    "not-in-hdf5",
    title="Keras 3 writes something into .h5 that it can't read again",
    severity="fatal",
    decides=QUESTIONS,
    message="{why}",
    cure="save it as .keras",
)
SAFE_MODE = Code(
    "safe-mode",
    title="Keras' safe mode refuses the model's functions",
    severity="note",
    decides=(),
    message="{count} function(s) stored as bytecode: Keras' default safe_mode refuses them",
    cure="pass safe_mode=False if you trust the file",
)

CODES = (
    STORED_ALIKE,
    NAME_TAKEN,
    BY_NAME_ONLY,
    BYTECODE_DAMAGED,
    DEFAULTS_LOST,
    ARGUMENTS_LOST,
    LAMBDA_ELSEWHERE,
    NAME_LOST,
    CLOSURE_LOST,
    LOSS_ALIAS,
    NAME_UNKNOWN,
    ADAPTED,
    MASK_LOST,
    NOT_IN_HDF5,
    SAFE_MODE,
)
