"""What is known of Keras and numpy, measured or read in their sources."""

from __future__ import annotations

from packaging.version import Version

from capsule.manifest import KerasFacts

# Names that a lambda finds, after Keras loaded it, in the module that loaded it, with
# the module that each stands for. None: Keras' own, whatever it may be.
_KERAS3_NAMES: dict[str, str | None] = {
    "binascii": "binascii",
    "codecs": "codecs",
    "marshal": "marshal",
    "os": "os",
    "python_types": "types",
}
_KERAS2_NAMES: dict[str, str | None] = {
    "np": "numpy",
    "sys": "sys",
    "textwrap": "textwrap",
    "types": None,
    "warnings": "warnings",
    "python_types": "types",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Attributes of numpy that are gone, by the version without them.
NUMPY_REMOVED = {
    "1.24": _words(
        """
        bool int float complex object str long unicode
        """
    ),
    "2.0": _words(
        """
        float_ complex_ unicode_ string_ Inf Infinity NaN infty NINF PINF NZERO PZERO
        alltrue sometrue cumproduct product round_ asfarray find_common_type cast source
        lookfor who msort mat issubclass_ issctype maximum_sctype obj2sctype sctype2char
        sctypes singlecomplex longfloat longcomplex clongfloat cfloat
        """
    ),
}
NUMPY_RETURNED = {"bool": "2.0", "long": "2.0"}


# Names that Keras looks up among its own before anybody else's, or after custom_objects:
# a function of the user's under one of them replaces Keras' everywhere in the model.
KERAS_LOSSES = _words(
    """
    mean_squared_error mean_absolute_error mean_absolute_percentage_error
    mean_squared_logarithmic_error binary_crossentropy categorical_crossentropy
    sparse_categorical_crossentropy binary_focal_crossentropy categorical_hinge
    categorical_focal_crossentropy hinge squared_hinge huber log_cosh poisson kl_divergence
    cosine_similarity dice tversky ctc circle
    """
)
KERAS_METRICS = KERAS_LOSSES | _words(
    """
    accuracy acc mse mae mape msle binary_accuracy categorical_accuracy
    sparse_categorical_accuracy top_k_categorical_accuracy
    """
)
KERAS_NAMES = KERAS_LOSSES | _words(
    """
    relu relu6 elu selu gelu celu glu leaky_relu sigmoid hard_sigmoid log_sigmoid softmax
    log_softmax softplus softsign swish silu hard_silu hard_swish tanh hard_tanh linear
    exponential mish sparsemax squareplus threshold zeros ones constant
    """
)


def is_keras3(keras: KerasFacts | None) -> bool:
    """Tell whether that Keras is of version 3 or later."""
    return keras is not None and keras.module == "keras" and Version(keras.version).major >= 3


def is_of_keras(module: str | None) -> bool:
    """Tell whether a *module*, as a file names it, is one of Keras' own."""
    return (module or "").split(".")[0] in ("keras", "tf_keras")


def is_name_of_keras(name: str, module: str | None) -> bool:
    """Tell whether Keras has a function *name* of its own, or its *module* is Keras'."""
    return name in KERAS_NAMES or is_of_keras(module)


def names_at_load(module: str, version: str) -> dict[str, str | None]:
    """Return the global names that Keras' own loader gives a lambda, by accident of its module."""
    release = Version(version)
    if module == "keras" and release >= Version("3"):
        return _KERAS3_NAMES
    names = dict(_KERAS2_NAMES)
    if release < Version("2.7"):
        names["K"] = "keras.backend"
    if release >= Version("2.6"):
        names["tf"] = "tensorflow"
    return names


def keras_generation(module: str, version: str, form: str) -> str:
    """Return which Kerases read each other's files: same text, same generation."""
    release = Version(version)
    if module == "keras" and release.major >= 3:
        return "3"
    if form == "keras-zip":
        return "2.13" if release >= Version("2.13") else "2.12"
    return "2"


def removed_from_numpy(attribute: str, version: str) -> bool:
    """Tell whether ``numpy.<attribute>`` is gone in *version*."""
    name = attribute.split(".")[0]
    numpy = Version(version)
    if name in NUMPY_RETURNED and numpy >= Version(NUMPY_RETURNED[name]):
        return False
    return any(numpy >= Version(gone) and name in names for gone, names in NUMPY_REMOVED.items())
