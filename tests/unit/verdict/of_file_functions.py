"""The rows for files without a sidecar: their classes and functions."""

from __future__ import annotations

from tests.bare import hdf5, keras_2_lambda, model_of, saved_model
from tests.unit.verdict.files import (
    BACKEND_UNKNOWN,
    DECOMPILED,
    OTHER_PYTHON_HERE,
    READ_IN_PART,
    UNDAMAGED,
    UNKNOWN,
    K,
    architecture_of,
    archive_of,
    archive_with,
    archive_with_code,
    by_name,
    coroutine,
    layer,
    of_class,
    perhaps_another_python,
    scale,
    tf,
    writer_of,
)
from tests.unit.verdict.models import SAFE_MODE
from tests.unit.verdict.situations import Bare, Row, environment_here, fatal, note, warning

OF_A_GRAPH = (fatal("served", "keras"), warning("backend-unknown", "capsule same"))

CLASSES = (
    Row(
        "a layer's class is somebody's own",
        fatal("custom-class", "keras capsule"),
        "Scale",
        architecture_of(layer("Scale")),
        architecture_of(layer("ReLU")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "the caller gives another class than that of the layer",
        fatal("custom-class", "keras capsule"),
        "Scale",
        archive_of(of_class("Scale", "mine.layers"), custom_objects=("Shift", "layers")),
        archive_of(of_class("Scale", "mine.layers"), custom_objects=("Scale",)),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "a SavedModel is served by its graph, whatever classes its layers had",
        fatal("custom-class", "keras capsule"),
        "Scale",
        Bare(writer_of(hdf5, "model.h5", model_of(layer("Scale")), "2.15.0"), environment_here()),
        Bare(
            writer_of(saved_model, "model", model_of(layer("Scale")), "2.15.0"), environment_here()
        ),
        "no no no",
        "no unknown unknown",
        side_effects=(READ_IN_PART, BACKEND_UNKNOWN),
        neighbour_effects=OF_A_GRAPH,
    ),
    Row(
        "a SavedModel is served by its graph, whatever functions its layers had",
        fatal("name-missing"),
        "scale",
        Bare(
            writer_of(hdf5, "model.h5", model_of(keras_2_lambda(lambda x: x * scale)), "2.15.0"),
            environment_here(),
        ),
        Bare(
            writer_of(
                saved_model, "model", model_of(keras_2_lambda(lambda x: x * scale)), "2.15.0"
            ),
            environment_here(),
        ),
        "no no no",
        "no unknown unknown",
        side_effects=(
            READ_IN_PART,
            BACKEND_UNKNOWN,
            DECOMPILED,
            SAFE_MODE,
            fatal("name-lost", "keras"),
        ),
        neighbour_effects=OF_A_GRAPH,
    ),
)

FUNCTIONS = (
    Row(
        "the file holds the name of a function that Keras does not have",
        fatal("by-name-only"),
        "distance",
        archive_of(by_name("distance")),
        archive_of(by_name("relu")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "the caller gives another function than that of the layer",
        fatal("by-name-only"),
        "distance",
        archive_of(by_name("Mine>distance"), custom_objects=("Mine",)),
        archive_of(by_name("Mine>distance"), custom_objects=("distance",)),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "the file says that a function is not of Keras",
        fatal("by-name-only"),
        "distance",
        archive_of(by_name("distance", "mine.keras")),
        archive_of(by_name("distance", "keras.losses")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "tf-keras is a Keras, and keras_contrib is none",
        fatal("by-name-only"),
        "distance",
        archive_of(by_name("distance", "keras_contrib.losses")),
        archive_of(by_name("distance", "tf_keras.losses")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "a file of Keras 1 does not say from where a function is",
        fatal("by-name-only"),
        "distance",
        architecture_of(layer("Lambda", function="distance", function_type="function")),
        architecture_of(layer("Lambda", function="sigmoid", function_type="function")),
        "no no no",
        UNKNOWN,
    ),
    Row(
        "the bytecode can't be read",
        fatal("unread"),
        "lam",
        archive_with_code(b"no code at all", environment_here(python="3.8.18")),
        archive_with_code(UNDAMAGED, environment_here(python="3.8.18")),
        "no no no",
        UNKNOWN,
        neighbour_effects=(DECOMPILED,),
    ),
    Row(
        "Keras on Windows damaged the bytecode",
        fatal("bytecode-damaged", "keras"),
        "<lambda>",
        archive_with_code(UNDAMAGED.replace(b"\\", b"/"), environment_here(python="3.8.18")),
        archive_with_code(UNDAMAGED, environment_here(python="3.8.18")),
        "no unknown unknown",
        UNKNOWN,
    ),
    Row(
        "another Python wrote the bytecode",
        fatal("bytecode", "keras"),
        "<lambda>",
        archive_with(lambda x: x, at=OTHER_PYTHON_HERE),
        archive_with(lambda x: x),
        "no unknown unknown",
        UNKNOWN,
        neighbour_effects=perhaps_another_python(lambda x: x),
    ),
    Row(
        "another Python wrote the bytecode, which can't be decompiled",
        fatal("code-only", "capsule same"),
        "lam",
        archive_with(coroutine, at=OTHER_PYTHON_HERE),
        archive_with(lambda x: x, at=OTHER_PYTHON_HERE),
        "no no no",
        "no unknown unknown",
        side_effects=(note("source-missing"),),
        neighbour_effects=(DECOMPILED,),
    ),
    Row(
        "the Python that wrote the bytecode runs it, decompiled or not",
        fatal("code-only", "capsule same"),
        "lam",
        archive_with(coroutine, at=OTHER_PYTHON_HERE),
        archive_with(coroutine),
        "no no no",
        UNKNOWN,
        side_effects=(fatal("bytecode", "keras"),),
        neighbour_effects=perhaps_another_python(coroutine, warning("code-only", "capsule same")),
    ),
    Row(
        "a lambda uses a name that nothing in the file defines, and that is none of the usual ones",
        fatal("name-missing"),
        "scale",
        archive_with(lambda x: x * scale),
        archive_with(lambda x: K.abs(x)),
        "no no no",
        "no unknown unknown",
    ),
    Row(
        "the caller gives something that can't be stored",
        fatal("name-missing"),
        "scale",
        archive_with(lambda x: x * scale),
        archive_with(lambda x: x * scale, bind={"scale": object()}),
        "no no no",
        "no unknown unknown",
    ),
    Row(
        "the caller says what a name is",
        fatal("name-missing"),
        "scale",
        archive_with(lambda x: tf.abs(x) * scale, bind={"tf": 2}),
        archive_with(lambda x: tf.abs(x) * scale, bind={"scale": 2}),
        "no no no",
        "no unknown unknown",
    ),
)

ROWS = (*CLASSES, *FUNCTIONS)
