"""The rows for files without a sidecar: their formats, and what is installed."""

from __future__ import annotations

from tests.bare import architecture, hdf5, model_of
from tests.unit.verdict.files import (
    KERAS_2_HERE,
    NEVER_CAPTURED,
    UNKNOWN,
    architecture_of,
    archive_of,
    archive_with,
    branching_model,
    layer,
    tf,
    writer_of,
)
from tests.unit.verdict.models import SAFE_MODE
from tests.unit.verdict.situations import (
    Bare,
    Row,
    Saved,
    environment,
    environment_here,
    fatal,
    note,
    sidecar,
)

FORMATS = (
    Row(
        "a file of weights alone",
        fatal("weights-only"),
        "model.h5",
        Bare(writer_of(hdf5, "model.h5", None, ""), environment_here()),
        Bare(writer_of(hdf5, "model.h5", model_of(layer("ReLU")), "2.2.4"), environment_here()),
        "no no no",
        UNKNOWN,
        neighbour_effects=(NEVER_CAPTURED,),
    ),
    Row(
        "nothing was recorded when the model was saved",
        NEVER_CAPTURED,
        "model.keras",
        archive_with(lambda x: x),
        Saved(sidecar(), environment()),
        UNKNOWN,
        neighbour_effects=(SAFE_MODE,),
    ),
    Row(
        "Keras 3 reads no archive of Keras 2",
        fatal("archive-of-keras-2"),
        "keras",
        archive_of(layer("ReLU"), version="2.15.0"),
        archive_of(layer("ReLU"), version="3.0.0"),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "Keras 2 reads its own archives",
        fatal("archive-of-keras-2"),
        "keras",
        archive_of(layer("ReLU"), version="2.15.0"),
        archive_of(layer("ReLU"), version="2.15.0", at=KERAS_2_HERE),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "tf-keras reads the archives of Keras 2",
        fatal("archive-of-keras-2"),
        "keras",
        archive_of(layer("ReLU"), version="2.15.0"),
        archive_of(
            layer("ReLU"), version="2.15.0", at=environment_here(keras=None, tf_keras="2.15.0")
        ),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "an architecture has no weights, and an .h5 has them",
        note("architecture-only"),
        "model.json",
        architecture_of(layer("ReLU")),
        Bare(writer_of(hdf5, "model.h5", model_of(layer("ReLU")), "2.2.4"), environment_here()),
        UNKNOWN,
        UNKNOWN,
    ),
    Row(
        "a Sequential that is a list of layers",
        fatal("keras-1-list", "keras"),
        "keras",
        Bare(
            writer_of(
                architecture,
                "model.json",
                {
                    "class_name": "Sequential",
                    "config": [layer("ReLU", batch_input_shape=[None, 4])],
                },
                "2.1.0",
            ),
            environment_here(),
        ),
        architecture_of(layer("ReLU"), version="2.1.0"),
        "no unknown unknown",
        UNKNOWN,
    ),
    Row(
        "a model of Keras 1",
        fatal("keras-1-arguments", "keras"),
        "keras",
        architecture_of(layer("Activation", activation="relu"), version="1.2.0"),
        architecture_of(layer("Activation", activation="relu"), version="2.0.0"),
        "no unknown unknown",
        UNKNOWN,
    ),
    Row(
        "a model of the class Model, which Keras 3 calls Functional",
        fatal("model-class", "keras"),
        "keras",
        branching_model("Model"),
        branching_model("Functional"),
        "no unknown unknown",
        UNKNOWN,
    ),
    Row(
        "Keras 2 knows the class Model",
        fatal("model-class", "keras"),
        "keras",
        branching_model("Model"),
        branching_model("Model", at=KERAS_2_HERE),
        "no unknown unknown",
        UNKNOWN,
        side_effects=(note("architecture-only"),),
    ),
    Row(
        "Keras 3 has no such layer",
        fatal("not-translated"),
        "keras",
        architecture_of(layer("ThresholdedReLU")),
        architecture_of(layer("ReLU")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "Keras 2 needs no translation of its own files",
        fatal("not-translated"),
        "keras",
        architecture_of(layer("ThresholdedReLU")),
        architecture_of(layer("ThresholdedReLU"), at=KERAS_2_HERE),
        "no no no",
        UNKNOWN,
        side_effects=(note("architecture-only"),),
    ),
    Row(
        "what Keras 3 wrote needs no translation",
        fatal("not-translated"),
        "keras",
        architecture_of(layer("ThresholdedReLU")),
        architecture_of(layer("ThresholdedReLU"), version="3.0.0"),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "an .h5 is translated like an architecture, and an archive never is",
        fatal("not-translated"),
        "keras",
        Bare(
            writer_of(hdf5, "model.h5", model_of(layer("ThresholdedReLU")), "2.2.4"),
            environment_here(),
        ),
        archive_of(layer("ThresholdedReLU"), version="2.15.0"),
        "no no no",
        "no no no",
        neighbour_effects=(fatal("archive-of-keras-2"),),
    ),
)

FRAMEWORKS = (
    Row(
        "no Keras is installed, not even the one that came after Keras 2",
        fatal("keras-missing"),
        "keras",
        archive_with(lambda x: x, at=environment_here(keras=None)),
        archive_with(lambda x: x, at=environment_here(keras=None, tf_keras="2.15.0")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "a lambda uses TensorFlow, which is not installed",
        fatal("backend-missing"),
        "tensorflow",
        archive_with(lambda x: tf.abs(x), at=environment_here(tensorflow_cpu=None)),
        archive_with(lambda x: abs(x), at=environment_here(tensorflow_cpu=None)),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "a lambda uses TensorFlow, of which another build is installed",
        fatal("backend-missing"),
        "tensorflow",
        archive_with(lambda x: tf.abs(x), at=environment_here(tensorflow_cpu=None)),
        archive_with(
            lambda x: tf.abs(x), at=environment_here(tensorflow_cpu=None, tf_nightly="2.22.0")
        ),
        "no no no",
        UNKNOWN,
    ),
)

ROWS = (*FORMATS, *FRAMEWORKS)
