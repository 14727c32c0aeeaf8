"""The kinds of values in a sidecar, each with what it refuses: anybody may have written it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from capsule.guest import values
from capsule.manifest.codecs import JSON, Array, Flag, Integer, Invalid, Nullable, Number, Raw, Text

URL_SCHEMES = ("http", "https", "file", "ssh", "git", "git+https", "git+ssh")
VERSION_LENGTH, REQUIREMENT_LENGTH = 200, 2000
VALUE_DEPTH = 4 * values.DEPTH_LIMIT  # each container is written as an object in a list

# Installers expand ${VARIABLES} in addresses.
_URL = re.compile(r"[A-Za-z0-9._~:/?#@!&'()*+,;=%-]+")
_RELEASE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}")
_CONTROL = r"\x00-\x1f\x7f-\x9f"


def _is_version(text: str) -> bool:
    if _RELEASE.fullmatch(text):
        return True  # nearly all are: the parser of PEP 440 costs twenty times as much
    if len(text) >= VERSION_LENGTH or text != text.strip():
        return False  # Python reads no whole number of more than 4300 digits
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _is_requirement(text: str) -> bool:
    return len(text) <= REQUIREMENT_LENGTH and text.count("(") <= 100


def is_dunder(name: str) -> bool:
    """Tell whether a name is one of Python's own, as ``__class__`` is."""
    return name.startswith("__") and name.endswith("__")


def is_module(name: str) -> bool:
    """Tell whether a name is made of dotted identifiers."""
    return all(part.isidentifier() for part in name.split("."))


def _is_member(chain: str) -> bool:
    return is_module(chain) and not any(is_dunder(part) for part in chain.split("."))


def _check_direct_url(value: JSON) -> None:
    if not isinstance(value, dict):
        raise Invalid("an object was expected")
    url = value.get("url")
    if not isinstance(url, str):
        raise Invalid("a text was expected", "url")
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        raise Invalid("not an address", "url") from None
    if parts.scheme not in URL_SCHEMES or (parts.scheme == "file" and url != "file:"):
        raise Invalid(f"an address of scheme {parts.scheme[:20]!r} is not taken", "url")
    if not _URL.fullmatch(url):
        raise Invalid("an address with such characters is not taken", "url")
    if password is not None or (parts.username is not None and "ssh" not in parts.scheme):
        raise Invalid("an address with a user or a password is not taken", "url")


def _check_depth(value: JSON) -> None:
    """Refuse a value that is deeper than what capsule writes."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > VALUE_DEPTH:
            raise Invalid(f"nested more than {VALUE_DEPTH} deep")
        inner: list[JSON] = []
        for item in level:
            if isinstance(item, (list, dict)):
                inner += item.values() if isinstance(item, dict) else item
        level = inner


text = Text()
texts = Array(text)
optional_text = Nullable(text)
flag = Flag()
whole = Integer()
size = Integer(minimum=1)
number = Number()
date = Text(format="date-time")
schema_version = Text("a schema version that is read here", r"1\.[0-9]{1,4}")
name = Text("a plain name", r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
file_name = Text("the name of a file", rf"[^/\\{_CONTROL}]+")
line_text = Text("a text without control characters", rf"[^{_CONTROL}]*")
sha256 = Text("a SHA-256 in hex", "[0-9a-f]{64}")
version = Text("a version (PEP 440)", allows=_is_version)
minor_versions = Array(Text("a minor version of Python, as 3.11 is", r"[23]\.[0-9]{1,2}"))
distribution = Text("a normalized name (PEP 503)", "[a-z0-9]+(-[a-z0-9]+)*")
requirements = Array(Text("a requirement: it is too long", allows=_is_requirement))
direct_url = Raw(
    _check_direct_url,
    {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
)
setting = Text("the value of a setting", r"[A-Za-z0-9_.,+-]{0,64}")
member = Text("the name of something to import", allows=_is_member)
dtype = Text("a dtype", r"(bool|u?int[0-9]+|b?float[0-9]+|complex[0-9]+)")
shape = Array(Integer(maximum=(1 << 31) - 1))
open_shape = Array(Nullable(Integer()))
value = Raw(_check_depth, {})
