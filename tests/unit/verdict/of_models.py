"""The rows for the model itself: its layers, classes, losses and tables."""

from __future__ import annotations

from tests.unit.verdict.models import IN_KERAS_2, KERAS_2, SERVED, ZIP, model_with, model_with_class
from tests.unit.verdict.situations import Row, Saved, environment, fatal, note, sidecar, warning

MODEL = (
    Row(
        "the sidecar was made for a file that was there",
        warning("described"),
        "model.h5",
        Saved(sidecar(origin="described"), environment()),
        Saved(sidecar(origin="recorded"), environment()),
        "unknown unknown unknown",
    ),
    Row(
        "the sidecar was made for a SavedModel that was there",
        warning("described"),
        "model",
        Saved(sidecar(artifact=SERVED, origin="described"), environment()),
        Saved(sidecar(artifact=SERVED), environment()),
        "no unknown unknown",
        "no yes yes",
    ),
    Row(
        "a layer was never built",
        fatal("unbuilt"),
        "dense, dense_1",
        model_with(unbuilt=["dense", "dense_1"]),
        model_with(stateful=["dense", "dense_1"]),
        "no no no",
    ),
    Row(
        "a layer was never built, and the graph of a SavedModel holds what it computes",
        fatal("unbuilt"),
        "dense",
        model_with(unbuilt=["dense"]),
        Saved(sidecar(model={"unbuilt": ["dense"]}, artifact=SERVED), environment()),
        "no no no",
        "no yes yes",
        side_effects=(note("safe-mode"),),
        neighbour_effects=(fatal("served", "keras"),),
    ),
    Row(
        "a class of the user's own was not captured",
        fatal("custom-class", "keras capsule"),
        "Scale",
        model_with(custom=["m:Scale"]),
        model_with_class(),
        "no no no",
        "no yes yes",
        side_effects=(note("safe-mode"),),
        neighbour_effects=(fatal("by-name-only", "keras"),),
    ),
    Row(
        "the caller gives another class than that of the model",
        fatal("custom-class", "keras capsule"),
        "Scale",
        Saved(sidecar(model={"custom": ["m:Scale"]}), environment(), ("Shift",)),
        Saved(sidecar(model={"custom": ["m:Scale"]}), environment(), ("Scale",)),
        "no no no",
    ),
    Row(
        "the save hook saw what may go wrong",
        warning("save-warning"),
        "model.h5",
        model_with(warnings=["scale was moved by hand"]),
        model_with(),
        "unknown unknown unknown",
    ),
)

LOSSES = (
    Row(
        "Keras 3 does not read the short name of a loss from .h5, and of an archive it does",
        fatal("loss-alias", "keras"),
        "mse",
        model_with(losses=["mean_squared_error", "mse"]),
        Saved(sidecar(artifact=ZIP, model={"losses": ["mse"]}), environment()),
        "no yes yes",
    ),
    Row(
        "Keras 3 does not read the short name of a loss from .h5, and reads the long one",
        fatal("loss-alias", "keras"),
        "KLD",
        model_with(losses=["KLD"]),
        model_with(losses=["kl_divergence"]),
        "no yes yes",
    ),
    Row(
        "Keras 2 reads the short name of a loss from .h5",
        fatal("loss-alias", "keras"),
        "mse",
        model_with(losses=["mse"]),
        Saved(sidecar(keras=KERAS_2, model={"losses": ["mse"]}), environment(**IN_KERAS_2)),
        "no yes yes",
    ),
    Row(
        "whether Keras finds a loss again in .h5 is not known",
        warning("name-unknown"),
        "cosine_proximity",
        model_with(losses=["cosine_proximity"]),
        model_with(losses=["cosine_similarity"]),
        "unknown unknown unknown",
    ),
    Row(
        "whether Keras finds a metric again in .h5 is not known",
        warning("name-unknown"),
        "logcosh",
        model_with(metrics=["accuracy", "logcosh"]),
        model_with(metrics=["accuracy", "log_cosh"]),
        "unknown unknown unknown",
    ),
    Row(
        "a metric is no loss",
        warning("name-unknown"),
        "binary_accuracy",
        model_with(losses=["binary_accuracy"]),
        model_with(metrics=["binary_accuracy"]),
        "unknown unknown unknown",
    ),
    Row(
        "an archive names losses as Keras finds them",
        warning("name-unknown"),
        "cosine_proximity",
        model_with(losses=["cosine_proximity"]),
        Saved(sidecar(artifact=ZIP, model={"losses": ["cosine_proximity"]}), environment()),
        "unknown unknown unknown",
    ),
    Row(
        "a layer learned a table",
        warning("adapted"),
        "lookup",
        model_with(adapted=["lookup"]),
        model_with(adapted=[], stateful=["lookup"]),
        "unknown unknown unknown",
    ),
    Row(
        "an operation in the model's graph is no layer of .h5",
        fatal("not-in-hdf5"),
        "Functional",
        model_with(class_name="Functional", operations=["add"]),
        model_with(class_name="Functional", operations=[]),
        "no no no",
    ),
    Row(
        "a subclassed model has no layers in .h5",
        fatal("not-in-hdf5"),
        "Mine",
        model_with(class_name="Mine", subclassed=True),
        Saved(
            sidecar(artifact=ZIP, model={"class_name": "Mine", "subclassed": True}), environment()
        ),
        "no no no",
    ),
    Row(
        "Keras 2 writes operations into .h5 and reads them again",
        fatal("not-in-hdf5"),
        "Functional",
        model_with(class_name="Functional", operations=["add"]),
        Saved(
            sidecar(keras=KERAS_2, model={"class_name": "Functional", "operations": ["add"]}),
            environment(**IN_KERAS_2),
        ),
        "no no no",
    ),
)

WITHOUT_MODEL = (
    Row(
        "of a model that nobody saw nothing is known",
        fatal("unbuilt"),
        "dense",
        model_with(unbuilt=["dense"]),
        Saved(sidecar(model=None), environment()),
        "no no no",
    ),
)

ROWS = (*MODEL, *LOSSES, *WITHOUT_MODEL)
