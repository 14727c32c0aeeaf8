"""The rows for which requirements of Keras count."""

from __future__ import annotations

from tests.unit.verdict.models import sidecar_requiring
from tests.unit.verdict.situations import Row, Saved, environment, note, sidecar

REQUIREMENTS = (
    Row(
        "a marker that holds",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("rich; python_version >= '3.11'"), environment()),
        Saved(sidecar_requiring("rich; python_version < '3.11'"), environment()),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "markers are those of the Python and the system that saved the model",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("rich; sys_platform == 'linux'"), environment()),
        Saved(sidecar_requiring("rich; sys_platform == 'win32'"), environment()),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "a marker that can't be evaluated keeps nothing out",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("rich; os_name ~= 'posix'"), environment()),
        Saved(sidecar_requiring("rich; os_name != 'posix'"), environment()),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "a requirement in an old form counts by its name",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("rich (>=dev)"), environment()),
        Saved(sidecar_requiring("poor (>=dev)"), environment()),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "a name that is written in another way",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("Rich>=0.1"), environment()),
        Saved(sidecar_requiring("richer>=0.1"), environment()),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "what a requirement requires",
        note("distribution-missing"),
        "rich",
        Saved(sidecar_requiring("small", small=["rich"]), environment(small="1.0")),
        Saved(sidecar_requiring("small", small=[]), environment(small="1.0")),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "what an extra requires",
        note("distribution-missing"),
        "rich",
        Saved(
            sidecar_requiring("small[colour]", small=["rich; extra == 'colour'"]),
            environment(small="1.0"),
        ),
        Saved(
            sidecar_requiring("small", small=["rich; extra == 'colour'"]), environment(small="1.0")
        ),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "an extra that is asked for after the distribution alone was",
        note("distribution-missing"),
        "rich",
        Saved(
            sidecar(
                requires={
                    "keras": ["small", "other"],
                    "other": ["small[colour]"],
                    "small": ["rich; extra == 'colour'"],
                    "rich": [],
                }
            ),
            environment(small="1.0", other="1.0"),
        ),
        Saved(
            sidecar(
                requires={
                    "keras": ["small", "other"],
                    "other": ["small[sound]"],
                    "small": ["rich; extra == 'colour'"],
                    "rich": [],
                }
            ),
            environment(small="1.0", other="1.0"),
        ),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "requirements that go round in a circle",
        note("distribution-missing"),
        "rich",
        Saved(
            sidecar_requiring("small", small=["small", "keras", "rich"]), environment(small="1.0")
        ),
        Saved(sidecar_requiring("small", small=["small", "keras"]), environment(small="1.0")),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
    Row(
        "what the backend requires",
        note("distribution-missing"),
        "rich",
        Saved(sidecar(requires={"tensorflow-cpu": ["rich"], "rich": []}), environment()),
        Saved(sidecar(requires={"jupyter": ["rich"], "rich": []}), environment()),
        "yes yes yes",
        neighbour_effects=(note("unreached"),),
    ),
)

ROWS = REQUIREMENTS
