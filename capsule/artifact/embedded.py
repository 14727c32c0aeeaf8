"""Which functions a model's configuration holds, in every shape that Keras writes.

The whole JSON is walked, since functions sit in layers, wrappers, merges and
compile settings alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from capsule.errors import ArtifactError
from capsule.guest.digest import carried_key, code_bytes

if TYPE_CHECKING:
    from capsule.manifest import Encoding

DEPTH_LIMIT = 200


@dataclass(frozen=True)
class StoredFunction:
    """A function as the artifact stores it.

    ``where`` are the names of the layers from the model down; ``role`` the key it
    stands under. ``code`` is the text of the bytecode, None for a function stored by
    ``name``, of which the artifact holds nothing but that.
    """

    where: tuple[str, ...]
    role: str
    name: str
    encoding: Encoding
    code: str | None
    defaults: Any
    closure: Any
    module: str | None

    @property
    def key(self) -> str | None:
        """The digest by which the guest knows the function, None if stored by name."""
        if self.code is None:
            return None
        return carried_key(self.code, self.defaults, self.closure)

    @property
    def code_sha256(self) -> str | None:
        """SHA-256 of the marshalled bytes in hex, None if stored by name."""
        if self.code is None:
            return None
        return hashlib.sha256(code_bytes(self.code)).hexdigest()


def stored_functions(config: Any) -> list[StoredFunction]:
    """Return the functions in *config*, in the order of the file."""
    return list(_walk(config, (), "", 0))


_OWN = ("code", "defaults", "closure", "value")


def _walk(data: Any, where: tuple[str, ...], role: str, depth: int) -> Iterator[StoredFunction]:
    if depth > DEPTH_LIMIT:
        raise ArtifactError(f"a configuration nested more than {DEPTH_LIMIT} deep is not read")
    if isinstance(data, list):
        for item in data:
            yield from _walk(item, where, role, depth + 1)
        return
    if not isinstance(data, dict):
        return
    function = _entry(data, where, role)
    if function is not None:
        yield function  # and on: what else stands in it counts as well
    config = data.get("config")
    if function is not None and function.code is not None and isinstance(config, dict):
        # Its closure and defaults are its own: its key is over them, and no Keras reads on.
        config = {k: v for k, v in config.items() if k not in _OWN}
    if "class_name" in data and isinstance(config, dict):
        # The outermost model's own name says nothing: reach begins with "model".
        name = config.get("name", data.get("name"))
        inner = (*where, name) if isinstance(name, str) and depth else where
        yield from _layer(config, inner, depth + 1)
        rest = {k: v for k, v in data.items() if k != "config"}
        yield from _layer(rest, inner, depth + 1)
        return
    yield from _layer(data, where, depth)


# Keras' own classes that load code or files besides: no digest of a function covers those.
_LOADERS = ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_KERAS = ("keras", "tf_keras", "builtins", "tensorflow")


def objects(config: Any) -> Iterator[dict[str, Any]]:
    """Give every JSON object inside *config*, the outer ones first."""
    stack = [config]
    while stack:
        data = stack.pop()
        if isinstance(data, dict):
            yield data
            stack += data.values()
        elif isinstance(data, list):
            stack += data


def lambda_arguments(config: Any) -> set[str]:
    """Return the names of the layers in *config* that pass arguments to a function."""
    return {
        data["name"]
        for data in objects(config)
        if "function" in data and data.get("arguments") and isinstance(data.get("name"), str)
    }


def foreign_classes(config: Any, supplied: Collection[str] = ()) -> tuple[str, ...]:
    """Return the classes that *config* names outside Keras, or that load files themselves.

    *supplied* are the names for which Keras will be given classes: it asks for those first.
    """
    classes = set()
    for data in objects(config):
        name, module = data.get("class_name"), data.get("module")
        if not isinstance(name, str) or isinstance(data.get("config"), str):
            continue  # a function by its name is listed as such
        registered = data.get("registered_name")
        # Where a module is named, only the registered name is asked for before it is imported.
        key = registered if registered is not None or module is not None else name
        if isinstance(key, str) and key in supplied:
            continue
        # Keras joins the two: "keras" and "layers.TFSMLayer" are one name.
        top, _, last = f"{module if isinstance(module, str) else ''}.{name}".rpartition(".")
        if isinstance(module, str) and top.strip(".").split(".")[0] not in _KERAS:
            classes.add(f"{module}.{name}")
        elif last in _LOADERS or ">" in str(registered or "") or not _plain(module, registered):
            classes.add(name)
    return tuple(sorted(classes))


def _plain(*names: Any) -> bool:
    """Tell whether *names* are texts or none: what else they are, some Keras may take oddly."""
    return all(name is None or isinstance(name, str) for name in names)


def _layer(data: dict[str, Any], where: tuple[str, ...], depth: int) -> Iterator[StoredFunction]:
    for key, value in data.items():
        kind = data.get(f"{key}_type")
        if kind == "lambda" and isinstance(value, (str, list)):
            function = _listed(value, where, key, data.get(f"{key}_module", data.get("module")))
            if function is not None:
                yield function
            else:  # no function at all, whatever it says
                yield from _walk(value, where, key, depth + 1)
        elif kind == "function" and isinstance(value, str):
            module = data.get("module") if key == "function" else data.get(f"{key}_module")
            yield _named(value, where, key, module)
        else:
            yield from _walk(value, where, key, depth + 1)


def _entry(data: dict[str, Any], where: tuple[str, ...], role: str) -> StoredFunction | None:
    """Return the function that the object *data* is, if it is one."""
    config = data.get("config")
    if data.get("class_name") == "__lambda__" and isinstance(config, dict):
        if isinstance(config.get("code"), str):
            return StoredFunction(
                where,
                role,
                "<lambda>",
                "keras3",
                config["code"],
                config.get("defaults"),
                config.get("closure"),
                None,
            )
        value = config.get("value")
        if isinstance(value, list):
            return _listed(value, where, role, None)
    if set(data) <= {"value", "class_name", "config"} and isinstance(data.get("value"), list):
        return _listed(data["value"], where, role, None)
    # "function", and for other callables "method", "Function": the config is a bare name.
    if isinstance(data.get("class_name"), str) and isinstance(config, str) and "module" in data:
        return _named(config, where, role, data.get("module"))
    # A function said as if it were a class: Keras looks the name up all the same.
    name, module = data.get("class_name"), data.get("module")
    if isinstance(name, str) and isinstance(module, str) and name.rpartition(".")[2][:1].islower():
        return _named(name, where, role, module)
    return None


def _named(name: str, where: tuple[str, ...], role: str, module: Any) -> StoredFunction:
    module = module if isinstance(module, str) else None
    return StoredFunction(where, role, name, "by-name", None, None, None, module)


def _listed(value: Any, where: tuple[str, ...], role: str, module: Any) -> StoredFunction | None:
    """Return the function in Keras 1 and 2's form: text, or ``[text, defaults, closure]``."""
    parts = value if isinstance(value, list) else [value, None, None]
    if len(parts) != 3 or not isinstance(parts[0], str):
        return None
    if not all(part is None or isinstance(part, (list, dict)) for part in parts[1:]):
        return None
    wrapped = parts[0][:1].isascii() and "\n" in parts[0]
    encoding: Encoding = "base64" if wrapped else "raw-unicode-escape"
    module = module if isinstance(module, str) else None
    return StoredFunction(where, role, "<lambda>", encoding, parts[0], parts[1], parts[2], module)
