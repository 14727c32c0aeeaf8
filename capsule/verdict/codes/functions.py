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
)
NAME_UNDEFINED = Code(
    "name-missing",
    title=NAME_MISSING.title,
    severity="warning",
    decides=("same",),
    message="{function} uses {subject}, which was not defined when the model was saved",
    cure="define {subject}, or pass it as an argument",
)
NAME_LOCAL = Code(
    "name-missing",
    title=NAME_MISSING.title,
    severity="fatal",
    decides=("keras", "capsule"),
    message="{function} is built with {subject}, which can't be reached after the save",
    cure="make {subject} a global name",
)
VALUE_OPAQUE = Code(
    "value-opaque",
    title="A function uses a value that the sidecar can't hold",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{function} uses {subject}, a {expected} that the sidecar can't hold ({reason})",
    cure="make {subject} inside the function, or import it",
)
CLASS_OPAQUE = Code(
    "class-opaque",
    title="A class of yours has no source",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{subject} has no source ({reason}): it can't be brought back",
    cure="define {subject} in a file, or pass it in custom_objects",
)
SOURCE_DECOMPILED = Code(
    "source-decompiled",
    title="A function without source was decompiled",
    severity="note",
    decides=(),
    message="{subject} has no source ({reason}): it was decompiled from its bytecode, {source}",
)
SOURCE_MISSING = Code(
    "source-missing",
    title="A function has no source",
    severity="note",
    decides=(),
    message="{subject} has no source ({reason}): its bytecode runs under Python {minor} alone",
    cure="define it in a file",
)
UNREAD = Code(
    "unread",
    title="A function can't be read",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} can't be read: {reason}",
    cure="save the model again",
)
FUNCTION_UNKNOWN = Code(
    "function-unknown",
    title="A function was read from the file, not from memory",
    severity="warning",
    decides=QUESTIONS,
    message="{layer} was read from the file: what its names stood for is not known",
    cure="save the model under capsule's hook",
)
CUSTOM_CLASS = Code(
    "custom-class",
    title="A class of your own is not in the file",
    severity="fatal",
    decides=("keras", "capsule"),
    message="{subject} is a class of your own{origin}, and the file holds only its name",
    cure='pass it: custom_objects={{"{subject}": …}}',
)
MODULE_OPAQUE = Code(
    "module-opaque",
    title="A module of yours is not in the sidecar",
    severity="fatal",
    decides=("capsule",),
    message="the module {subject} is not in the sidecar",
    cure="save with source=True",
)
MODULE_STATE = Code(
    "module-state",
    title="A module of yours may not come back as it was",
    severity="warning",
    decides=QUESTIONS,
    message="the module {subject} may not come back as it was: {reason}",
    cure="pass what it holds as an argument",
)
RANDOM = Code(
    "random",
    title="A function uses random numbers",
    severity="warning",
    decides=("keras", "same"),
    message="{function} uses random numbers: no two calls compute the same",
)
OUTSIDE = Code(
    "outside",
    title="A function uses what lies outside the model",
    severity="warning",
    decides=QUESTIONS,
    message="{function} uses {api}: what it finds there is not in the sidecar",
    cure="pass what it needs as an argument",
)
UNBUILT = Code(
    "unbuilt",
    title="A layer was never built",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} was never built: the file holds none of its weights{why}",
    cure="{how}, save again",
)

CODES = (
    NAME_MISSING,
    VALUE_OPAQUE,
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
)
