"""The restored functions of one load, by all that Keras may ask for them with."""

import marshal
import types
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .digest import code_bytes, embedded_key
from .restore import RestoreError

# What holds several functions, of which the file stores each or none.
_HOLDERS = (list, tuple, dict)


class Place(NamedTuple):
    """A function of a layer: the layer's whole path, and how the file stores the function."""

    where: Tuple[str, ...]
    key: Optional[str]
    name: str
    value: Any


class FunctionTables(object):
    """The restored functions of one load: by key, by name, and by place in the model.

    Parameters
    ----------
    from_keras_2
        Whether the configuration is of Keras 2, translated for Keras 3.

    Attributes
    ----------
    by_key, by_name
        The functions stored as bytecode by their keys, all others by their names.
    aliases
        Classes by their names without the package under which they are registered.
    """

    def __init__(self, from_keras_2: bool = False) -> None:
        self.from_keras_2 = from_keras_2
        self.by_key: Dict[str, Any] = {}
        self.by_name: Dict[str, Any] = {}
        self.aliases: Dict[str, Any] = {}
        self._places: Dict[Tuple[str, str], List[Place]] = {}
        self._ambiguous: List[str] = []

    def add(self, function: Dict[str, Any], value: Any) -> None:
        """Add one function.

        Parameters
        ----------
        function
            The function as the plan lists it.
        value
            The live function, class, or container of functions.

        Raises
        ------
        RestoreError
            It should be a class and is not.
        """
        where, role, key, name = (function[k] for k in ("where", "role", "key", "name"))
        if role == "class" and not isinstance(value, type):
            raise RestoreError("%s is no class" % name)
        if where:
            place = Place(tuple(where), key, name, value)
            self._places.setdefault((where[-1], role), []).append(place)
        if isinstance(value, _HOLDERS):
            return
        table, index = (self.by_key, key) if key else (self.by_name, name)
        if table.setdefault(index, value) is not value:
            # Two are stored alike: only their places tell them apart.
            self._ambiguous.append(index)
        if (
            role == "class"
            and ">" in name
            and self.aliases.setdefault(_last(name), value) is not value
        ):
            self._ambiguous.append(_last(name))

    def settle(self) -> None:
        """Forget what is stored alike, so that nobody gets the wrong function of two.

        Raises
        ------
        RestoreError
            Two classes have one name.
        """
        for index in self._ambiguous:
            if isinstance(self.by_name.get(index), type):
                raise RestoreError("two classes are stored by the name %s" % index)
            for table in (self.by_key, self.by_name, self.aliases):
                table.pop(index, None)

    def at(self, layer: Any, role: str, entry: Any) -> Any:
        """Find the function of a layer.

        Parameters
        ----------
        layer
            The layer's name.
        role
            The key of the layer's configuration under which the function stands.
        entry
            What the configuration has there. It tells two layers of one name apart: a
            function that it does not mean belongs to the other layer.

        Returns
        -------
        object
            What stood there at save, None if the plan has nothing for it.

        Raises
        ------
        RestoreError
            It could be either of two functions.
        """
        places = self._places.get((layer, role), [])
        if any(isinstance(place.value, _HOLDERS) for place in places):
            return self.at_layer(layer, role, _HOLDERS) if entry else None
        key, names = key_of(entry), _names_of(entry)
        by_key = [place.value for place in places if place.key is not None and place.key == key]
        by_name = [
            place.value for place in places if place.key is None and _last(place.name) in names
        ]
        return _only_value(layer, by_key or by_name)

    def at_layer(self, layer: Any, role: str, kinds: Any = object) -> Any:
        """Find the function of a layer whose configuration does not say which it is.

        Parameters
        ----------
        layer
            The layer's name.
        role
            What the function is for.
        kinds
            The types of which it may be.

        Returns
        -------
        object
            What stood there at save, None if the plan has nothing for it.

        Raises
        ------
        RestoreError
            Another layer of that name had none, or another function.
        """
        places = self._places.get((layer, role), [])
        places = [place for place in places if isinstance(place.value, kinds)]
        functions = self._places.get((layer, "function"), [])
        if places and not {place.where for place in functions} <= {place.where for place in places}:
            raise RestoreError("two layers are named %s, and the file stores no %s" % (layer, role))
        return _only_value(layer, [place.value for place in places])

    def by_code(self, code: Any) -> Any:
        """Find the function whose bytecode Keras has written itself during this load.

        Parameters
        ----------
        code
            The text of the bytecode.

        Returns
        -------
        function or None
            The function of this load that has just this bytecode.
        """
        raw = code_bytes(code)
        for value in list(self.by_key.values()) + list(self.by_name.values()):
            if isinstance(value, types.FunctionType) and marshal.dumps(value.__code__) == raw:
                return value
        return None


def _only_value(layer: Any, values: List[Any]) -> Any:
    if any(value is not values[0] for value in values[1:]):
        raise RestoreError("two layers are named %s, and the file stores them alike" % layer)
    return values[0] if values else None


def _names_of(entry: Any) -> List[str]:
    """Return the names by which *entry*, a part of a configuration, may mean a function."""
    # Keras may have put a function in its place already, and the wrong one.
    parts = [getattr(entry, "__name__", entry)]
    if isinstance(entry, dict):
        parts = [entry.get(name) for name in ("config", "class_name", "registered_name")]
    return [_last(part) for part in parts if isinstance(part, str)]


def _last(name: str) -> str:
    """Return *name* without the package under which it is registered."""
    return name.rpartition(">")[2]


def key_of(entry: Any) -> Optional[str]:
    """Return the key of a function in any form in which a Keras stores it.

    Parameters
    ----------
    entry
        A part of a configuration.

    Returns
    -------
    str or None
        The key, None if the entry is no bytecode.
    """
    if isinstance(entry, dict):
        inner = entry.get("config", entry)
        if isinstance(inner, dict):
            if "code" in inner:
                return embedded_key(inner["code"], inner.get("defaults"), inner.get("closure"))
            entry = inner.get("value", entry)
    if isinstance(entry, str):
        entry = [entry, None, None]
    if isinstance(entry, (list, tuple)) and len(entry) == 3 and isinstance(entry[0], str):
        return embedded_key(*entry)
    return None
