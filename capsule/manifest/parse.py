"""A sidecar's JSON to a manifest, every value checked; an error carries the path to it."""

from __future__ import annotations

import functools
import re
import sys
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from capsule.errors import ManifestError
from capsule.guest import values
from capsule.manifest import ENVIRONMENT_VARIABLES, JSON, SCHEMA_VERSION, Manifest, model
from capsule.manifest.reader import Reader

URL_SCHEMES = ("http", "https", "file", "ssh", "git", "git+https", "git+ssh")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Installers expand ${VARIABLES} in addresses.
_URL = re.compile(r"[A-Za-z0-9._~:/?#@!&'()*+,;=%-]+\Z")
_DTYPE = re.compile(r"(bool|u?int\d+|b?float\d+|complex\d+)\Z")
_SETTING = re.compile(r"[A-Za-z0-9_.,+-]{0,64}\Z")
_MINOR = re.compile(r"[23]\.[0-9]{1,2}\Z")
_HEX = re.compile(r"[0-9a-f]{64}\Z")
# On 3.9 sys does not list them; its own modules are then the best there is.
_STANDARD = frozenset(getattr(sys, "stdlib_module_names", sys.builtin_module_names)) | {
    "os",
    "sys",
    "builtins",
    "site",
    "sitecustomize",
    "usercustomize",
    "subprocess",
    "json",
}
_TAKEN = _STANDARD | {"keras", "tf_keras", "tensorflow", "numpy", "jax", "torch", "h5py"}


def manifest_from_json(data: JSON) -> Manifest:
    """Return the manifest in a sidecar's JSON *data*, every value checked."""
    top = Reader(data, "")
    version, warnings = _schema_version(top)
    origin = top.choice("origin", ("saved", "file", "inferred"))
    unknown = origin == "inferred"
    distributions = (
        None
        if unknown and top.raw("distributions") is None
        else top.objects("distributions", _distribution)
    )
    nodes = {}
    for name in top.object("nodes").names:
        nodes[name] = _node(top.object("nodes").object(name), name)
    functions = top.objects("functions", _function)
    for index, function in enumerate(functions):
        if function.node is not None and function.node not in nodes:
            raise top.bad(f"functions[{index}].node", "names no node")
    for name, node in nodes.items():
        for index, binding in enumerate(node.names):
            if binding.to is not None and binding.to not in nodes:
                raise top.bad(f"nodes[{name}].names[{index}].to", "names no node")
    return Manifest(
        origin=origin,
        created=top.text("created"),
        created_by=top.text("created_by"),
        artifact=_artifact(top.object("artifact")),
        python=_python(top.object("python"), unknown=unknown),
        platform=(
            top.optional("platform", _platform) if unknown else _platform(top.object("platform"))
        ),
        keras=top.optional("keras", functools.partial(_keras, unknown=unknown)),
        settings=top.optional("settings", _settings),
        environment_variables=(
            top.optional("environment_variables", _variables)
            if unknown
            else _variables(top.object("environment_variables"))
        ),
        distributions=distributions,
        functions=functions,
        nodes=nodes,
        model=top.optional("model", _model),
        probe=_probe(top.object("probe")),
        problems=top.texts("problems"),
        known=top.objects("known", _known) if "known" in top.names else (),
        version=version,
        warnings=warnings,
    )


def _known(data: Reader) -> model.KnownFact:
    return model.KnownFact(
        data.text("subject"),
        data.text("value"),
        data.choice("how", ("read", "inferred", "assumed")),
        data.text("why"),
    )


def _schema_version(top: Reader) -> tuple[str, tuple[str, ...]]:
    version = top.text("capsule")
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", version)
    if match is None:
        raise top.bad("capsule", f"{version[:80]!r} is no schema version")
    major, minor = (int(part) for part in SCHEMA_VERSION.split("."))
    if int(match[1]) != major:
        told = f"the sidecar has schema {version}, this capsule reads {major}.x: upgrade capsule"
        raise ManifestError(told, path="capsule", code="manifest-too-new")
    if int(match[2]) > minor:
        told = f"the sidecar has schema {version}, newer than {SCHEMA_VERSION}: parts may be missed"
        return version, (told,)
    return version, ()


def _artifact(data: Reader) -> model.ArtifactFacts:
    name = data.text("name")
    if not name or "/" in name or "\\" in name or _CONTROL.search(name):
        raise data.bad("name", "not the name of a file")
    return model.ArtifactFacts(
        name, data.text("format"), data.integer("size"), data.text("sha256", _HEX)
    )


def _version(data: Reader, key: str) -> str:
    version = data.text(key)
    try:
        # Python reads no whole number of more than 4300 digits.
        Version(version if len(version) < VERSION_LENGTH else "too long")
    except InvalidVersion:
        raise data.bad(key, f"{version[:80]!r} is no version (PEP 440)") from None
    if version != version.strip():
        raise data.bad(key, "a version has no space around it")
    return version


def _distribution_name(data: Reader, key: str) -> str:
    name = data.text(key, _NAME)
    if canonicalize_name(name) != name:
        raise data.bad(key, f"{name[:80]!r} is not normalized (PEP 503)")
    return name


def _python(data: Reader, *, unknown: bool) -> model.PythonFacts:
    versions = data.texts("versions", optional=True)
    if not all(_MINOR.match(version) for version in versions):
        raise data.bad("versions", "not minor versions of Python, as 3.11 is")
    implementation = data.text("implementation", _NAME)
    version = None if data.raw("version") is None else _version(data, "version")
    if version is None and not (unknown and versions):
        raise data.bad("version", "only an inferred manifest may lack it, and lists versions then")
    magic = None if unknown and data.raw("magic") is None else data.integer("magic")
    abi = data.text("abi")
    if _CONTROL.search(abi):
        raise data.bad("abi", "not an ABI tag")
    return model.PythonFacts(implementation, version, magic, abi, versions)


def _platform(data: Reader) -> model.PlatformFacts:
    return model.PlatformFacts(data.text("system"), data.text("machine"), data.texts("libc"))


def _keras(data: Reader, *, unknown: bool) -> model.KerasFacts:
    def name(key: str) -> str | None:
        return None if data.raw(key) is None else _distribution_name(data, key)

    return model.KerasFacts(
        module=data.choice("module", ("keras", "tf_keras", "tensorflow.keras")),
        version=_version(data, "version"),
        distribution=name("distribution"),
        backend=(None if unknown and data.raw("backend") is None else data.text("backend", _NAME)),
        backend_version=(
            None if data.raw("backend_version") is None else _version(data, "backend_version")
        ),
        backend_distribution=name("backend_distribution"),
    )


def _settings(data: Reader) -> model.Settings:
    return model.Settings(
        floatx=data.text("floatx", _NAME),
        epsilon=data.number("epsilon"),
        image_data_format=data.choice("image_data_format", ("channels_last", "channels_first")),
        dtype_policy=data.text("dtype_policy", _NAME),
    )


def _variables(data: Reader) -> dict[str, str]:
    for name in data.names:
        if name not in ENVIRONMENT_VARIABLES:
            raise data.bad(name[:80], "not an environment variable that capsule sets")
    return {name: data.text(name, _SETTING) for name in data.names}


def _distribution(data: Reader) -> model.DistributionFacts:
    return model.DistributionFacts(
        name=_distribution_name(data, "name"),
        version=_version(data, "version"),
        requires=_requires(data),
        direct_url=data.optional("direct_url", _direct_url),
        installer=data.optional_text("installer"),
    )


def _requires(data: Reader) -> tuple[str, ...]:
    texts = data.texts("requires")
    if any(len(text) > REQUIREMENT_LENGTH or text.count("(") > 100 for text in texts):
        raise data.bad("requires", "too long to be a requirement")
    return texts


def _direct_url(data: Reader) -> JSON:
    if not data.names or data.raw("url") is None:
        raise data.bad("url", "the key is missing")
    url = data.text("url")
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        raise data.bad("url", "not an address") from None
    if parts.scheme not in URL_SCHEMES or (parts.scheme == "file" and url != "file:"):
        raise data.bad("url", f"an address of scheme {parts.scheme[:20]!r} is not taken")
    if not _URL.match(url):
        raise data.bad("url", "an address with such characters is not taken")
    if password is not None or (parts.username is not None and "ssh" not in parts.scheme):
        raise data.bad("url", "an address with a user or a password is not taken")
    return {key: data.raw(key) for key in data.names}


def check_module(data: Reader, key: str, name: str) -> None:
    """Refuse a module name that is not made of dotted identifiers."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise data.bad(key, f"{name[:80]!r} is no name of a module")


def _node(data: Reader, name: str) -> model.Node:
    kind = data.choice("kind", KINDS)
    source = data.optional_text("source")
    if kind == "module":
        check_module(data, "kind", name)
        if source is not None and name.split(".")[0] in _TAKEN:
            raise data.bad("source", f"a module named {name!r} may not be brought along")
    distribution = data.optional_text("distribution")
    if distribution is not None:
        _distribution_name(data, "distribution")
    module = data.optional_text("module") or ""
    if _CONTROL.search(module):
        raise data.bad("module", "not the name of a module")
    return model.Node(
        kind=kind,
        module=module,
        qualname=data.optional_text("qualname") or "",
        namespace=data.optional_text("namespace") or "",
        distribution=distribution,
        origin=data.optional_text("origin") or "",
        file=data.optional_text("file"),
        line=data.integer("line") if "line" in data.names else None,
        source=source,
        reason=data.optional_text("reason"),
        futures=data.texts("futures", optional=True),
        package=data.flag("package"),
        decorated=data.flag("decorated"),
        lifted=data.flag("lifted"),
        code=_code(data.object("code")) if "code" in data.names else None,
        names=data.objects("names", _binding),
    )


def _code(data: Reader) -> model.Code:
    return model.Code(
        data.text("sha256", _HEX), data.integer("magic"), data.optional_text("base64")
    )


VERSION_LENGTH, REQUIREMENT_LENGTH = 200, 2000
KINDS = (
    "lambda",
    "function",
    "class",
    "module",
    "call",
    "instance",
    "list",
    "tuple",
    "set",
    "frozenset",
    "dict",
)
HOWS = (
    "global",
    "closure",
    "default",
    "keyword-default",
    "import",
    "attribute",
    "base",
    "body",
    "decorator",
    "part",
    "argument",
    "keyword",
    "item",
)
_NAMED = ("global", "closure", "default", "keyword-default", "base", "body", "keyword")
VALUE_DEPTH = 4 * values.DEPTH_LIMIT  # each container is written as an object in a list


def _shallow(data: Reader, value: JSON) -> JSON:
    """Return *value* if it is no deeper than what capsule writes."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > VALUE_DEPTH:
            raise data.bad("value", f"nested more than {VALUE_DEPTH} deep")
        inner: list[JSON] = []
        for item in level:
            if isinstance(item, (list, dict)):
                inner += item.values() if isinstance(item, dict) else item
        level = inner
    return value


def _binding(data: Reader) -> model.Binding:
    name, how = data.text("name"), data.choice("how", HOWS)
    if how in _NAMED and not name.isidentifier():
        raise data.bad("name", f"{name[:80]!r} is no name")
    if how == "attribute" and _is_dunder(name) and name != "__wrapped__":
        raise data.bad("name", f"{name[:80]!r} is Python's own to set")
    return model.Binding(
        name=name,
        how=how,
        to=data.optional_text("to"),
        attribute=_attribute(data),
        value=_shallow(data, data.raw("value")) if "value" in data.names else None,
        missing=data.flag("missing"),
        attributes=data.texts("attributes", optional=True),
    )


def _attribute(data: Reader) -> str | None:
    attribute = data.optional_text("attribute")
    if attribute is not None and not all(
        part.isidentifier() and not _is_dunder(part) for part in attribute.split(".")
    ):
        raise data.bad("attribute", f"{attribute[:80]!r} is no name of something to import")
    return attribute


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _function(data: Reader) -> model.CarriedFunction:
    return model.CarriedFunction(
        where=data.texts("where"),
        role=data.text("role"),
        name=data.text("name"),
        encoding=data.text("encoding"),
        key=data.optional_text("key"),
        code_sha256=data.optional_text("code_sha256"),
        defaults=data.flag("defaults"),
        closure=data.flag("closure"),
        module=data.optional_text("module"),
        node=data.optional_text("node"),
        damaged=data.flag("damaged"),
    )


def _tensor(data: Reader) -> model.Tensor:
    shape = data.array("shape")
    if not all(size is None or (isinstance(size, int) and size >= 0) for size in shape):
        raise data.bad("shape", "not a shape")
    return model.Tensor(data.text("name"), tuple(shape), data.text("dtype"))


def _model(data: Reader) -> model.ModelFacts:
    return model.ModelFacts(
        class_name=data.text("class_name"),
        inputs=data.objects("inputs", _tensor),
        outputs=data.objects("outputs", _tensor),
        unbuilt=data.texts("unbuilt"),
        stateful=data.texts("stateful"),
        custom=data.texts("custom"),
        losses=data.texts("losses"),
        metrics=data.texts("metrics"),
        arguments=data.texts("arguments"),
        adapted=data.texts("adapted"),
        operations=data.texts("operations"),
        subclassed=data.flag("subclassed"),
        doubts=data.texts("doubts"),
    )


def _probe(data: Reader) -> model.Probe:
    def array(spec: Reader) -> JSON:
        shape = spec.array("shape")
        if not all(isinstance(size, int) and 0 <= size < 1 << 31 for size in shape):
            raise spec.bad("shape", "not a shape")
        spec.text("dtype", _DTYPE)
        return {key: spec.raw(key) for key in spec.names}

    def made(spec: Reader) -> JSON:
        spec.integer("seed"), spec.number("low"), spec.number("high")
        return array(spec)

    def kept(spec: Reader) -> JSON:
        if "base64" in spec.names:
            spec.text("base64")
        else:
            spec.text("sample"), spec.text("sha256", _HEX)
        return array(spec)

    return model.Probe(
        inputs=data.objects("inputs", made),
        given=data.objects("given", kept),
        outputs=data.objects("outputs", kept),
        skipped=data.optional_text("skipped"),
    )
