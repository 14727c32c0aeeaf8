"""Finding codes: distributions that are gone, of another version, or not known."""

from __future__ import annotations

from capsule.verdict.finding import QUESTIONS, Code

DISTRIBUTION_MISSING = Code(
    "distribution-missing",
    title="A distribution that the model needs is not installed",
    severity="fatal",
    decides=QUESTIONS,
    message="{subject} {expected} is not installed",
    cure="install {subject}=={expected}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
)
DISTRIBUTION_VERSION = Code(
    "distribution-version",
    title="A distribution that the model needs is of another version",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} {expected} → {found}",
    cure="check it: capsule replay MODEL --unsafe --check",
)
DISTRIBUTION_UNKNOWN = Code(
    "distribution-unknown",
    title="A module that the model needs belongs to no known distribution",
    severity="warning",
    decides=QUESTIONS,
    message="the model uses the module {subject}, and which distribution it came from is not known",
    cure="see that {subject} is installed, in the version of the save",
)
API_REMOVED = Code(
    "api-removed",
    title="A function uses a name that the installed version no longer has",
    severity="fatal",
    decides=QUESTIONS,
    message="{api} is gone in {subject} {found}",
    cure="install {subject}=={expected}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
)
UNREACHED = Code(
    "unreached",
    title="A distribution that the model does not use differs",
    severity="note",
    decides=(),
    message="{subject} {expected} → {after}",
)

CODES = (
    DISTRIBUTION_MISSING,
    DISTRIBUTION_VERSION,
    DISTRIBUTION_UNKNOWN,
    API_REMOVED,
    UNREACHED,
)
