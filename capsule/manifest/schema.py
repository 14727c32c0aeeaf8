"""The sidecar's JSON schema; ``python -m capsule.manifest.schema`` makes ``schema.json`` anew."""

from __future__ import annotations

import json
from pathlib import Path

from capsule.manifest.codecs import JSON, Schema
from capsule.manifest.model import MANIFEST
from capsule.manifest.parse import RECORDED_FACTS

PATH = Path(__file__).with_name("schema.json")


def schema() -> Schema:
    """Return the JSON schema of a sidecar."""
    definitions: Schema = {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "capsule sidecar",
        **MANIFEST.definition(definitions),
        "if": {"properties": {"origin": {"const": "inferred"}}},
        "then": {"properties": {"python": _RANGE}},
        "else": {"properties": _without_null()},
        "$defs": dict(sorted(definitions.items())),
    }


# A Python has a version, or a range of at least one.
_RANGE: Schema = {
    "if": {"properties": {"version": {"type": "null"}}},
    "then": {"required": ["versions"], "properties": {"versions": {"minItems": 1}}},
}


def _without_null() -> Schema:
    """Return what forbids null where only an inferred manifest may hold it."""
    properties: Schema = {}
    for path in RECORDED_FACTS:
        inside = properties
        *outer, key = path.split(".")
        for name in outer:
            inside = inside.setdefault(name, {}).setdefault("properties", {})
        inside[key] = {"not": {"type": "null"}}
    return properties


def to_text(value: JSON, indent: str = "") -> str:
    """Return a schema as JSON, each property on a line of its own."""
    deeper = indent + " "
    if not isinstance(value, dict) or "description" not in json.dumps([*value.values()]):
        return json.dumps(value, ensure_ascii=False)
    items = [f"{json.dumps(key)}: {to_text(item, deeper)}" for key, item in value.items()]
    return f"{{\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}}}"


if __name__ == "__main__":
    PATH.write_text(to_text(schema()) + "\n", encoding="utf-8")
