"""The rows for distributions: what a function uses, what Keras requires, all the rest."""

from __future__ import annotations

from tests.unit.verdict.models import (
    BOOL,
    FLOAT,
    FLOAT_OF_SMALL,
    JAX,
    NUMPY,
    OVER_JAX,
    SMALL,
    TANH,
    TENSORFLOW,
    sidecar_requiring,
)
from tests.unit.verdict.situations import (
    Row,
    Saved,
    binding,
    environment,
    fatal,
    module,
    node,
    note,
    sidecar,
    warning,
)

SERIAL = binding("serial", to="serial", attributes=["STOPBITS_ONE"])

MISSING = (
    Row(
        "nobody could tell which distribution a module came from",
        warning("distribution-unknown"),
        "serial",
        Saved(sidecar(SERIAL, nodes={"serial": module(distribution=None)}), environment()),
        Saved(sidecar(SERIAL, nodes={"serial": module("stdlib")}), environment()),
        "no unknown unknown",
        "no yes yes",
    ),
    Row(
        "a function that was found in a distribution is in the sidecar itself",
        warning("distribution-unknown"),
        "serial",
        Saved(sidecar(SERIAL, nodes={"serial": module(distribution=None)}), environment()),
        Saved(
            sidecar(SERIAL, nodes={"serial": node(kind="function", origin="distribution")}),
            environment(),
        ),
        "no unknown unknown",
        "no yes yes",
    ),
    Row(
        "a distribution that a function uses is not installed",
        fatal("distribution-missing"),
        "numpy",
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy=None)),
        Saved(sidecar(TANH, nodes=NUMPY), environment()),
        "no no no",
    ),
    Row(
        "a distribution that a function uses is there under another name",
        fatal("distribution-missing"),
        "tensorflow-cpu",
        Saved(
            sidecar(binding("tf", "import", to="tensorflow"), nodes=TENSORFLOW, keras=JAX),
            environment(tensorflow_cpu=None, **OVER_JAX),
        ),
        Saved(
            sidecar(binding("tf", "import", to="tensorflow"), nodes=TENSORFLOW, keras=JAX),
            environment(tensorflow_cpu=None, tensorflow="2.21.0", **OVER_JAX),
        ),
        "no no no",
    ),
    Row(
        "a function can't do without what Keras may",
        fatal("distribution-missing"),
        "numpy",
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy=None)),
        Saved(sidecar(), environment(numpy=None)),
        "no no no",
        "unknown unknown unknown",
        neighbour_effects=(warning("distribution-missing"),),
    ),
    Row(
        "numbers of Keras come from a distribution that is not installed",
        warning("distribution-missing"),
        "numpy",
        Saved(sidecar(), environment(numpy=None)),
        Saved(sidecar(), environment()),
        "unknown unknown unknown",
    ),
    Row(
        "Keras requires a distribution that is not installed, and no number comes from it",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("rich"), environment()),
        Saved(sidecar_requiring("rich"), environment(rich="1.0")),
        "yes yes yes",
    ),
)

VERSIONS = (
    Row(
        "a name is imported from a distribution of another version",
        warning("distribution-version"),
        "numpy",
        Saved(
            sidecar(binding("tanh", "import", to="numpy", attribute="tanh"), nodes=NUMPY),
            environment(numpy="2.5.0"),
        ),
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy="2.5.0")),
        "unknown unknown unknown",
        "unknown yes unknown",
        neighbour_effects=(warning("distribution-version", "keras same"),),
    ),
    Row(
        "a name is imported from a distribution that has not changed, another one has",
        warning("distribution-version"),
        "numpy",
        Saved(
            sidecar(binding("tanh", "import", to="numpy", attribute="tanh"), nodes=NUMPY),
            environment(numpy="2.5.0"),
        ),
        Saved(
            sidecar(
                TANH,
                binding("f", "import", to="small", attribute="f"),
                nodes={**NUMPY, **SMALL},
                requires={"small": []},
            ),
            environment(numpy="2.5.0", small="1.0"),
        ),
        "unknown unknown unknown",
        "unknown yes unknown",
        neighbour_effects=(warning("distribution-version", "keras same"),),
    ),
    Row(
        "a module that a function uses is of another version, or of the same written otherwise",
        warning("distribution-version", "keras same"),
        "numpy",
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy="2.4.7")),
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy="2.4.6.0")),
        "unknown yes unknown",
    ),
    Row(
        "numbers of Keras come from a distribution of another version",
        warning("distribution-version", "keras same"),
        "numpy",
        Saved(sidecar(), environment(numpy="2.4.7")),
        Saved(sidecar(), environment(numpy="2.4.6.0")),
        "unknown yes unknown",
    ),
    Row(
        "Keras requires a distribution of another version, and no number comes from it",
        note("distribution-version"),
        "rich",
        Saved(sidecar_requiring("rich"), environment(rich="1.1")),
        Saved(sidecar_requiring("rich"), environment(rich="1.0.0")),
        "yes yes yes",
    ),
    Row(
        "a function of numpy is gone",
        fatal("api-removed"),
        "numpy",
        Saved(sidecar(FLOAT, nodes=NUMPY), environment(numpy="2.5.0")),
        Saved(sidecar(FLOAT, nodes=NUMPY), environment(numpy="1.26.4")),
        "no no no",
        "unknown yes unknown",
        neighbour_effects=(warning("distribution-version", "keras same"),),
    ),
    Row(
        "another function of numpy is there",
        fatal("api-removed"),
        "numpy",
        Saved(sidecar(FLOAT, nodes=NUMPY), environment(numpy="2.5.0")),
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy="2.5.0")),
        "no no no",
        "unknown yes unknown",
        neighbour_effects=(warning("distribution-version", "keras same"),),
    ),
    Row(
        "what was gone from numpy came back",
        fatal("api-removed"),
        "numpy",
        Saved(sidecar(BOOL, nodes=NUMPY), environment(numpy="1.24.0")),
        Saved(sidecar(BOOL, nodes=NUMPY), environment(numpy="2.0.0")),
        "no no no",
        "unknown yes unknown",
        neighbour_effects=(warning("distribution-version", "keras same"),),
    ),
    Row(
        "what is imported from numpy by its name is gone",
        fatal("api-removed"),
        "numpy",
        Saved(
            sidecar(binding("f", "import", to="numpy", attribute="float_"), nodes=NUMPY),
            environment(numpy="2.0.0"),
        ),
        Saved(
            sidecar(binding("f", "import", to="numpy", attribute="float64"), nodes=NUMPY),
            environment(numpy="2.0.0"),
        ),
        "no no no",
        "unknown unknown unknown",
        neighbour_effects=(warning("distribution-version"),),
    ),
    Row(
        "only numpy is known to have lost functions, no other distribution",
        fatal("api-removed"),
        "numpy",
        Saved(
            sidecar(FLOAT, nodes={**NUMPY, **SMALL}, requires={"small": []}),
            environment(numpy="2.5.0", small="1.0"),
        ),
        Saved(
            sidecar(TANH, FLOAT_OF_SMALL, nodes={**NUMPY, **SMALL}, requires={"small": []}),
            environment(numpy="2.5.0", small="1.0"),
        ),
        "no no no",
        "unknown yes unknown",
        neighbour_effects=(warning("distribution-version", "keras same"),),
    ),
)

UNREACHED = (
    Row(
        "nothing of the model needs a distribution of another version",
        note("unreached"),
        "jupyter",
        Saved(sidecar(), environment(jupyter="2.0")),
        Saved(sidecar(), environment(jupyter="1.0")),
        "yes yes yes",
    ),
    Row(
        "nothing of the model needs a distribution that is gone",
        note("unreached"),
        "rich",
        Saved(sidecar(requires={"rich": []}), environment()),
        Saved(sidecar_requiring("rich"), environment()),
        "yes yes yes",
        neighbour_effects=(note("distribution-missing"),),
    ),
    Row(
        "what a function uses is not among the rest",
        note("unreached"),
        "small",
        Saved(sidecar(requires={"small": []}), environment()),
        Saved(sidecar(FLOAT_OF_SMALL, nodes=SMALL, requires={"small": []}), environment()),
        "yes yes yes",
        "no no no",
        neighbour_effects=(fatal("distribution-missing"),),
    ),
    Row(
        "the rest of a model that is served by its graph",
        note("unreached"),
        "jupyter",
        Saved(
            sidecar(artifact={"format": "saved-model", "name": "model"}),
            environment(jupyter=None),
        ),
        Saved(sidecar(artifact={"format": "saved-model", "name": "model"}), environment()),
        "no yes yes",
        "no yes yes",
    ),
)

ROWS = (*MISSING, *VERSIONS, *UNREACHED)
