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
    explanation="A function of the model uses a module of this distribution, directly or through"
    " a helper. The file does not contain that module, so the function raises `ImportError` or"
    " `NameError` here. A distribution that only Keras or the backend requires is less serious:"
    " the versions that are installed here may need others.",
    example="import einops\n\nkeras.layers.Lambda(lambda x: einops.rearrange(x, 'b h w -> b w h'))",
    sample={"subject": "einops", "expected": "0.8.0"},
    case="if a function of the model uses it",
)
DISTRIBUTION_MISSING_NUMERIC = DISTRIBUTION_MISSING.variant(
    "if Keras or the backend required it at save and computes with it, such as numpy",
    severity="warning",
    sample={"subject": "scipy", "expected": "1.14.1"},
)
DISTRIBUTION_MISSING_OTHER = DISTRIBUTION_MISSING.variant(
    "if Keras or the backend required it at save for something else",
    severity="note",
    decides=(),
    sample={"subject": "rich", "expected": "13.9.4"},
)
DISTRIBUTION_VERSION = Code(
    "distribution-version",
    title="A distribution that the model needs is of another version",
    severity="warning",
    decides=("keras", "same"),
    message="{subject} {expected} → {found}",
    cure="check it: capsule replay MODEL --unsafe --check",
    explanation="The model uses this distribution, and the environment has another version than"
    " the one at save. Functions change between versions: they can compute something else, take"
    " other arguments, or be removed. capsule can't tell from the version numbers whether the"
    " model is affected, so the answer is unknown until somebody runs it.",
    example="$ pip install einops==0.8.0\n$ capsule save train.py\n$ pip install einops==0.6.0\n"
    "$ capsule verify model.keras",
    sample={"subject": "einops", "expected": "0.8.0", "found": "0.6.0"},
    case="if a function of the model uses it, or Keras computes with it",
)
DISTRIBUTION_VERSION_IMPORTED = DISTRIBUTION_VERSION.variant(
    "if a function of the model imports a name from it, which may be gone", decides=QUESTIONS
)
DISTRIBUTION_VERSION_OTHER = DISTRIBUTION_VERSION.variant(
    "if Keras or the backend required it at save for something else than numbers",
    severity="note",
    decides=(),
    sample={"subject": "rich", "expected": "13.9.4", "found": "14.0.0"},
)
DISTRIBUTION_UNKNOWN = Code(
    "distribution-unknown",
    title="A module that the model needs belongs to no known distribution",
    severity="warning",
    decides=QUESTIONS,
    message="the model uses the module {subject}, and which distribution it came from is not known",
    cure="install {subject} in the version that was there at the save",
    explanation="A function uses a module that lay among the installed packages at save, but no"
    " installed distribution listed it among its files. This happens when files are copied into"
    " `site-packages` by hand, or when a package manager leaves out the list of files. Without the"
    " name of the distribution, capsule can neither compare versions nor install it again.",
    example="$ cp -r filters venv/lib/python3.11/site-packages/  # no pip, no list of files\n"
    "$ capsule save train.py",
    sample={"subject": "filters"},
)
API_REMOVED = Code(
    "api-removed",
    title="A function uses a name that the installed version no longer has",
    severity="fatal",
    decides=QUESTIONS,
    message="{api} is gone in {subject} {found}",
    cure="install {subject}=={expected}, or run the model in its own environment:"
    " capsule replay MODEL --unsafe",
    explanation="A function of the model uses a name of numpy that the installed numpy no longer"
    " has. numpy 1.24 removed aliases such as `np.float`, numpy 2.0 removed names such as"
    " `np.float_` and `np.Inf`. The function raises `AttributeError` when it is called.",
    example="keras.layers.Lambda(lambda x: x * np.float_(0.5))  # saved with numpy 1.26",
    sample={
        "api": "numpy.float_",
        "subject": "numpy",
        "expected": "1.26.4",
        "found": "2.4.6",
    },
)
UNREACHED = Code(
    "unreached",
    title="A distribution that the model does not use differs",
    severity="note",
    decides=(),
    message="{subject} {expected} → {after}",
    explanation="The sidecar lists every distribution that was installed at save. This one has"
    " another version here, or is missing, but nothing that the model uses leads to it. It does not"
    " affect the model.",
    example="$ capsule save train.py   # jupyter happens to be installed\n"
    "$ pip uninstall jupyter\n"
    "$ capsule verify model.keras",
    sample={"subject": "jupyter", "expected": "1.0", "after": "not installed"},
)

CODES = (
    DISTRIBUTION_MISSING,
    DISTRIBUTION_MISSING_NUMERIC,
    DISTRIBUTION_MISSING_OTHER,
    DISTRIBUTION_VERSION,
    DISTRIBUTION_VERSION_IMPORTED,
    DISTRIBUTION_VERSION_OTHER,
    DISTRIBUTION_UNKNOWN,
    API_REMOVED,
    UNREACHED,
)
