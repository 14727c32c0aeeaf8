"""Which module a customary name stands for, among those of this process.

Old models say ``K`` and mean a backend of which today's Keras has kept a part, and
TensorFlow a larger one. The one that has all that is used of it is taken.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from typing import Any

from capsule.errors import RestoreFailedError
from capsule.inspection import Inspection
from capsule.inspection.functions import ALIASES

_HOMES = {
    "K": ("keras.backend", "tensorflow.keras.backend", "keras.ops"),
    "keras": ("keras", "tensorflow.keras"),
    "tf": ("tensorflow", "tensorflow.compat.v1"),
}


def aliases_here(inspection: Inspection, bound: Collection[str]) -> dict[str, str]:
    """Return ``{alias: module}`` for the customary names that the functions use.

    Imports the modules in question. Names in *bound* are left to whoever supplied them.
    Raises RestoreFailedError where no module has what is used.
    """
    used: dict[str, set[str]] = {}
    for function in inspection.functions:
        for name, chains in function.uses.items():
            if name in ALIASES and name not in bound:
                used.setdefault(name, set()).update(chains)
        for name in function.freevars:
            if name in ALIASES and name not in bound and not function.closure:
                used.setdefault(name, set())
    return {name: _home(name, chains, inspection.path) for name, chains in sorted(used.items())}


def _home(name: str, chains: set[str], path: str) -> str:
    why = ""
    for home in _HOMES.get(name, (ALIASES[name],)):
        module = _module(home)
        missing = [chain for chain in sorted(chains) if module is None or not _has(module, chain)]
        if not missing and module is not None:
            return home
        why = why or f"{home} has no {', '.join(missing) or 'such module'} here"
    raise RestoreFailedError(
        f"{path}: {name} is used for {', '.join(sorted(chains))}, and {why}:"
        f" give it with bind={{{name!r}: …}}, or replay the model"
    )


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        top, _, rest = name.partition(".")
        try:
            module = importlib.import_module(top)
            for part in rest.split("."):
                module = getattr(module, part)
        except (ImportError, AttributeError):
            return None
        return module


def _has(module: Any, chain: str) -> bool:
    for part in chain.split("."):
        try:
            module = getattr(module, part)
        except AttributeError:
            # An attribute of a value is known when there is one.
            return not hasattr(module, "__path__") and not isinstance(module, type(importlib))
    return True
