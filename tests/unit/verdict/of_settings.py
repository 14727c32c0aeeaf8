"""The rows for settings and environment variables."""

from __future__ import annotations

from tests.unit.verdict.models import IN_KERAS_2, JAX, KERAS_2
from tests.unit.verdict.situations import Row, Saved, environment, sidecar, warning

SETTINGS = (
    Row(
        "keras.json sets another type of numbers",
        warning("settings", "keras same"),
        "floatx",
        Saved(sidecar(), environment(settings={"floatx": "float64"})),
        Saved(sidecar(), environment(settings={"floatx": "float32"})),
        "unknown yes unknown",
    ),
    Row(
        "what no keras.json sets is as Keras has it",
        warning("settings", "keras same"),
        "floatx",
        Saved(sidecar(settings={"floatx": "float16"}), environment()),
        Saved(sidecar(settings={"floatx": "float16"}), environment(settings={"floatx": "float16"})),
        "unknown yes unknown",
    ),
    Row(
        "another smallest number",
        warning("settings", "keras same"),
        "epsilon",
        Saved(sidecar(settings={"epsilon": 1e-5}), environment()),
        Saved(sidecar(settings={"epsilon": 1e-7}), environment()),
        "unknown yes unknown",
    ),
    Row(
        "another order of an image's dimensions",
        warning("settings", "keras same"),
        "image_data_format",
        Saved(sidecar(settings={"image_data_format": "channels_first"}), environment()),
        Saved(sidecar(settings={"image_data_format": "channels_last"}), environment()),
        "unknown yes unknown",
    ),
    Row(
        "the settings at save are not known",
        warning("settings", "keras same"),
        "epsilon",
        Saved(sidecar(), environment(settings={"epsilon": 1e-5})),
        Saved(sidecar(settings=None), environment(settings={"epsilon": 1e-5})),
        "unknown yes unknown",
    ),
    Row(
        "keras.json chooses the backend of Keras 3",
        warning("settings", "keras same"),
        "backend",
        Saved(sidecar(), environment(settings={"backend": "jax"})),
        Saved(sidecar(), environment(settings={"backend": "tensorflow"})),
        "unknown yes unknown",
    ),
    Row(
        "keras.json chooses no backend for Keras 2",
        warning("settings", "keras same"),
        "backend",
        Saved(sidecar(), environment(settings={"backend": "jax"})),
        Saved(
            sidecar(keras=KERAS_2),
            environment(**IN_KERAS_2, settings={"backend": "jax"}),
        ),
        "unknown yes unknown",
    ),
    Row(
        "what was saved over JAX is not loaded over TensorFlow, which is the default",
        warning("settings", "keras same"),
        "backend",
        Saved(sidecar(keras=JAX), environment(jax="0.4.30")),
        Saved(sidecar(keras=JAX), environment(jax="0.4.30", settings={"backend": "jax"})),
        "unknown yes unknown",
    ),
    Row(
        "an environment variable is set here",
        warning("variable", "keras same"),
        "TF_ENABLE_ONEDNN_OPTS",
        Saved(sidecar(), environment(variables={"TF_ENABLE_ONEDNN_OPTS": "0"})),
        Saved(
            sidecar(environment_variables={"TF_ENABLE_ONEDNN_OPTS": "0"}),
            environment(variables={"TF_ENABLE_ONEDNN_OPTS": "0"}),
        ),
        "unknown yes unknown",
    ),
    Row(
        "an environment variable was set at save",
        warning("variable", "keras same"),
        "TF_USE_LEGACY_KERAS",
        Saved(sidecar(environment_variables={"TF_USE_LEGACY_KERAS": "1"}), environment()),
        Saved(sidecar(), environment()),
        "unknown yes unknown",
    ),
    Row(
        "the variable of the backend is a setting like that of keras.json",
        warning("variable", "keras same"),
        "NVIDIA_TF32_OVERRIDE",
        Saved(sidecar(), environment(variables={"NVIDIA_TF32_OVERRIDE": "0"})),
        Saved(sidecar(), environment(variables={"KERAS_BACKEND": "tensorflow"})),
        "unknown yes unknown",
    ),
    Row(
        "another interpreter has the variables of this process",
        warning("variable", "keras same"),
        "JAX_ENABLE_X64",
        Saved(
            sidecar(environment_variables={"JAX_ENABLE_X64": "0"}),
            environment(kind="interpreter", variables={"JAX_ENABLE_X64": "1"}),
        ),
        Saved(
            sidecar(environment_variables={"JAX_ENABLE_X64": "0"}),
            environment(kind="rebuilt", variables={"JAX_ENABLE_X64": "1"}),
        ),
        "unknown yes unknown",
    ),
)

ROWS = SETTINGS
