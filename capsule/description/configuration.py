"""The configuration that is built in place of a file's own, where a Keras can't read that."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from capsule.description.describe import Description
from capsule.environment.frameworks import InstalledKeras
from capsule.keras_compat.translation import mended, translated


@dataclass(frozen=True)
class Configuration:
    """A configuration for the guest to build, and whether the file holds its weights."""

    config: dict[str, Any]
    weights: bool
    translated: bool
    """Whether it is Keras 2's, put in Keras 3's words."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a plan bears it."""
        return asdict(self)


def configuration_for(
    description: Description, keras: InstalledKeras | None
) -> Configuration | None:
    """Return what *keras* shall build; None where it reads the file as it is.

    Raises
    ------
    Untranslatable
        What the configuration means in that Keras is not certain.
    """
    form = description.identity.format
    if form not in ("keras-h5", "keras-json"):
        return None
    weights = form == "keras-h5"
    if keras is not None and keras.third and not _written_by_keras_3(description):
        artifact = description.artifact
        config = translated(artifact.config, artifact.keras_version)
        return Configuration(config, weights and artifact.weights, translated=True)
    if form == "keras-json":
        return Configuration(description.artifact.config, weights=False, translated=False)
    return None


def configuration_as_written(description: Description) -> Configuration | None:
    """Return what the Keras that wrote the file shall build; None where it reads the file.

    Raises
    ------
    Untranslatable
        The configuration is not as any Keras writes it.
    """
    artifact = description.artifact
    config = mended(artifact.config)
    if artifact.format == "keras-json" or config is not None:
        weights = artifact.format != "keras-json"
        return Configuration(config or artifact.config, weights, translated=False)
    return None


def _written_by_keras_3(description: Description) -> bool:
    keras = description.manifest.keras
    version = keras.version if keras is not None else description.artifact.keras_version
    return (version or "").startswith("3.")
