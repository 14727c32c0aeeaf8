"""Where each Keras keeps what the guest needs of it: one list of places, one look-up.

Keras moves its own functions from release to release, and some releases show to their users
what others hide.
"""

import importlib
import types
from typing import Any, Dict, Tuple

from .compiling import RestoreError

# By name, the places below the Keras module in which a Keras may have it.
PLACES: Dict[str, Tuple[str, ...]] = {
    "Lambda": ("layers.Lambda",),
    "load_model": ("models.load_model",),
    "model_from_json": ("models.model_from_json",),
    # 2.6 to 2.8 show it in the name space that they make for TensorFlow alone.
    "CustomObjectScope": ("utils.CustomObjectScope", "utils.generic_utils.CustomObjectScope"),
}
# What only Keras 3 must have: its reader for the files of Keras 2, and what that needs.
PLACES_IN_KERAS_3: Dict[str, Tuple[str, ...]] = {
    # 2.12, which made it, did not have its sources in ``src`` yet.
    "SafeModeScope": (
        "src.saving.serialization_lib.SafeModeScope",
        "saving.serialization_lib.SafeModeScope",
    ),
    "keras_option_scope": ("src.legacy.saving.saving_options.keras_option_scope",),
    "model_from_config": ("src.legacy.saving.saving_utils.model_from_config",),
    "load_weights_from_hdf5_group": (
        "src.legacy.saving.legacy_h5_format.load_weights_from_hdf5_group",
    ),
}
_ABSENT = object()


def look_up(keras: Any, name: str) -> Any:
    """Return what *keras* has under one of the places of *name*.

    Raises RestoreError, which names the places, where it has it under none.
    """
    places = PLACES.get(name) or PLACES_IN_KERAS_3[name]
    for place in places:
        value = _at(keras, place)
        if value is not _ABSENT:
            return value
    version = getattr(keras, "__version__", "of an unknown version")
    raise RestoreError(
        "%s %s has no %s (looked at %s)" % (keras.__name__, version, name, ", ".join(places))
    )


def _at(keras: Any, place: str) -> Any:
    """Return what stands at the dotted *place*; a module on the way is imported."""
    value = keras
    for part in place.split("."):
        inner = getattr(value, part, _ABSENT)
        if inner is _ABSENT and isinstance(value, types.ModuleType):
            inner = _submodule(value, part)
        if inner is _ABSENT:
            return _ABSENT
        value = inner
    return value


def _submodule(module: types.ModuleType, name: str) -> Any:
    try:
        return importlib.import_module("%s.%s" % (module.__name__, name))
    except ImportError:
        return _ABSENT
