"""A sidecar's JSON to a manifest, every value checked; an error carries the path to it."""

from __future__ import annotations

import operator
import re
import sys
from dataclasses import replace

from capsule.errors import ManifestError, escaped
from capsule.manifest import JSON, SCHEMA_VERSION, Binding, Manifest, Node
from capsule.manifest.codecs import Invalid
from capsule.manifest.model import MANIFEST
from capsule.manifest.read import is_dunder, is_module

# What is null only in an inferred manifest.
RECORDED_FACTS = (
    "python.version",
    "python.magic",
    "platform",
    "keras.backend",
    "environment_variables",
    "distributions",
)
_NAMED = ("global", "closure", "default", "keyword-default", "base", "body", "keyword")


def _standard_modules() -> frozenset[str]:
    """Return the names of the standard library's modules, and those that Python itself imports."""
    names = getattr(sys, "stdlib_module_names", None)
    if names is None:  # Python 3.9 has no list: its folders say what is there
        import pkgutil
        import sysconfig

        folders = [sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")]
        modules = pkgutil.iter_modules(folder for folder in folders if folder)
        names = {*sys.builtin_module_names, *(module.name for module in modules)}
    return frozenset(names) | {"sitecustomize", "usercustomize"}


STANDARD_MODULES = _standard_modules()
_RESERVED = STANDARD_MODULES | {
    *("keras", "tf_keras", "tensorflow", "numpy", "jax", "torch", "h5py"),
}


def manifest_from_json(data: JSON) -> Manifest:
    """Return the manifest in a sidecar's JSON *data*, every value checked.

    Raises
    ------
    ManifestError
        A value is refused, or the sidecar is of another major version; ``path`` leads to it.
    """
    try:
        warning = _version_warning(data)
        # A newer minor version may have keys that this one does not know.
        manifest = MANIFEST.read(data, strict=warning is None)
        _check_unknown_facts(manifest)
        _check_references(manifest)
        for name, node in manifest.nodes.items():
            _check_node(name, node)
    except Invalid as error:
        raise ManifestError(error.message, path=escaped(error.path) or "the top") from None
    return manifest if warning is None else replace(manifest, warnings=(warning,))


def _version_warning(data: JSON) -> str | None:
    """Return what to say of a newer minor version; refuse another major one."""
    if not isinstance(data, dict) or "capsule" not in data:
        return None  # the reader refuses it
    version = data["capsule"]
    match = isinstance(version, str) and re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})", version)
    if not match:
        raise Invalid(f"{str(version)[:80]!r} is no schema version", "capsule")
    major, minor = SCHEMA_VERSION.split(".")
    if int(match[1]) != int(major):
        message = f"the sidecar has schema {version}, this capsule reads {major}.x: upgrade capsule"
        raise ManifestError(message, path="capsule", code="manifest-too-new")
    if int(match[2]) <= int(minor):
        return None
    return f"the sidecar has schema {version}, newer than {SCHEMA_VERSION}: parts may be missed"


def _check_unknown_facts(manifest: Manifest) -> None:
    if manifest.origin == "inferred":
        if manifest.python.version is None and not manifest.python.versions:
            raise Invalid("either the version or a range is needed", "python.versions")
        return
    for path in RECORDED_FACTS:
        *outer, key = path.split(".")
        holder = operator.attrgetter(*outer)(manifest) if outer else manifest
        if holder is not None and getattr(holder, key) is None:
            raise Invalid("only an inferred manifest may hold null here", path)


def _check_references(manifest: Manifest) -> None:
    for index, function in enumerate(manifest.functions):
        if function.node is not None and function.node not in manifest.nodes:
            raise Invalid("names no node", f"functions[{index}].node")
    for name, node in manifest.nodes.items():
        for index, binding in enumerate(node.names):
            if binding.to is not None and binding.to not in manifest.nodes:
                raise Invalid("names no node", f"nodes.{name}.names[{index}].to")


def _check_node(name: str, node: Node) -> None:
    if node.kind == "module":
        if not is_module(name):
            raise Invalid(f"{name[:80]!r} is no name of a module", f"nodes.{name[:80]}")
        if node.source is not None and name.split(".")[0] in _RESERVED:
            message = f"a module named {name!r} may not be brought along"
            raise Invalid(message, f"nodes.{name}.source")
    for index, binding in enumerate(node.names):
        if (fault := _fault(binding)) is not None:
            raise Invalid(f"{binding.name[:80]!r} {fault}", f"nodes.{name}.names[{index}].name")


def _fault(binding: Binding) -> str | None:
    """Return what is wrong with the name of a binding."""
    if binding.how in _NAMED and not binding.name.isidentifier():
        return "is no name"
    if binding.how == "attribute" and is_dunder(binding.name) and binding.name != "__wrapped__":
        return "is Python's own to set"
    return None
