"""The fields of the sidecar's dataclasses: each is declared, read, written and described once.

A field names a ``Codec``, which reads a JSON value and checks it, writes it again, and gives
its JSON schema. ``Record`` is the codec of a whole dataclass, made from those of its fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_options: Any) -> Callable[[Any], Any]:
        """Do nothing: only type checkers need to know (PEP 681)."""
        return lambda decorator: decorator


T = TypeVar("T")
D = TypeVar("D")
JSON = Any  # a value of json.load
Schema = dict[str, JSON]


class Invalid(Exception):
    """A value that is refused: why, and the path to it, which grows on the way up."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def inside(self, step: str) -> Invalid:
        """Return the same error as seen from outside of *step*."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return Invalid(self.message, f"{step}{dot}{self.path}")


class Codec(Generic[T]):
    """How values of one kind are read from JSON, written to it, and described."""

    # Whether a value is its own JSON, so that ``write`` need not be called.
    plain = True

    def read(self, value: JSON, strict: bool) -> T:
        """Return what *value* stands for; *strict* refuses keys that no field has.

        Raises Invalid for a value of another kind.
        """
        raise NotImplementedError

    def write(self, value: T) -> JSON:
        """Return *value* as JSON."""
        return value

    def schema(self, definitions: Schema) -> Schema:
        """Return the JSON schema; those of records are put into *definitions*."""
        raise NotImplementedError


class Raw(Codec[JSON]):
    """Any JSON value that *check* does not refuse, kept as it is."""

    def __init__(self, check: Callable[[JSON], None], schema: Schema) -> None:
        self._check = check
        self._schema = schema

    def read(self, value: JSON, strict: bool) -> JSON:
        self._check(value)
        return value

    def schema(self, definitions: Schema) -> Schema:
        return self._schema


class Text(Codec[str]):
    """A text: *meaning* says what it must be, *pattern* and *allows* decide it."""

    def __init__(
        self,
        meaning: str = "",
        pattern: str = "",
        allows: Callable[[str], bool] | None = None,
        **keywords: JSON,
    ) -> None:
        self._meaning = meaning
        self._match = re.compile(pattern).fullmatch if pattern else None
        self._allows = allows
        self._schema = {"type": "string", **keywords}
        if pattern:
            self._schema["pattern"] = f"^{pattern}$"

    def read(self, value: JSON, strict: bool) -> str:
        if not isinstance(value, str):
            raise Invalid("a text was expected")
        if (self._match is not None and self._match(value) is None) or (
            self._allows is not None and not self._allows(value)
        ):
            raise Invalid(f"{value[:80]!r} is not {self._meaning}")
        return value

    def schema(self, definitions: Schema) -> Schema:
        return self._schema


class Choice(Codec[Any]):
    """One of the texts of a Literal."""

    def __init__(self, literal: object) -> None:
        self._choices = get_args(literal)

    def read(self, value: JSON, strict: bool) -> Any:
        if not isinstance(value, str):
            raise Invalid("a text was expected")
        if value not in self._choices:
            raise Invalid(f"{value[:80]!r} is none of {', '.join(self._choices)}")
        return value

    def schema(self, definitions: Schema) -> Schema:
        return {"enum": list(self._choices)}


class Integer(Codec[int]):
    """A whole number from *minimum* to *maximum*."""

    def __init__(self, minimum: int = 0, maximum: int | None = None) -> None:
        self._minimum = minimum
        self._maximum = maximum

    def read(self, value: JSON, strict: bool) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < self._minimum:
            raise Invalid(f"a whole number was expected, {self._minimum} or more")
        if self._maximum is not None and value > self._maximum:
            raise Invalid(f"a whole number was expected, at most {self._maximum}")
        return value

    def schema(self, definitions: Schema) -> Schema:
        most = {} if self._maximum is None else {"maximum": self._maximum}
        return {"type": "integer", "minimum": self._minimum, **most}


class Number(Codec[float]):
    """A number, as a float."""

    def read(self, value: JSON, strict: bool) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise Invalid("a number was expected")
        try:
            return float(value)
        except OverflowError:
            raise Invalid("too large a number") from None

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "number"}


class Flag(Codec[bool]):
    """True or false."""

    def read(self, value: JSON, strict: bool) -> bool:
        if not isinstance(value, bool):
            raise Invalid("true or false was expected")
        return value

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "boolean"}


class Nullable(Codec["T | None"], Generic[T]):
    """A value, or null."""

    def __init__(self, codec: Codec[T]) -> None:
        self._codec = codec
        self.plain = codec.plain

    def read(self, value: JSON, strict: bool) -> T | None:
        return None if value is None else self._codec.read(value, strict)

    def write(self, value: T | None) -> JSON:
        return None if value is None else self._codec.write(value)

    def schema(self, definitions: Schema) -> Schema:
        schema = self._codec.schema(definitions)
        if isinstance(schema.get("type"), str):
            return {**schema, "type": [schema["type"], "null"]}
        return {"oneOf": [schema, {"type": "null"}]}


class Array(Codec["tuple[T, ...]"], Generic[T]):
    """An array of values of one kind, as a tuple."""

    plain = False

    def __init__(self, item: Codec[T]) -> None:
        self._item = item

    def read(self, value: JSON, strict: bool) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Invalid("an array was expected")
        items: list[T] = []
        read = self._item.read
        try:
            for item in value:
                items.append(read(item, strict))  # no comprehension: the error needs the index
        except Invalid as error:
            raise error.inside(f"[{len(items)}]") from None
        return tuple(items)

    def write(self, value: tuple[T, ...]) -> JSON:
        return list(value) if self._item.plain else [self._item.write(item) for item in value]

    def schema(self, definitions: Schema) -> Schema:
        return {"type": "array", "items": self._item.schema(definitions)}


class Table(Codec["dict[str, T]"], Generic[T]):
    """An object whose keys are names, of *keys* alone if there are any."""

    plain = False

    def __init__(self, item: Codec[T], keys: tuple[str, ...] = ()) -> None:
        self._item = item
        self._keys = keys

    def read(self, value: JSON, strict: bool) -> dict[str, T]:
        if not isinstance(value, dict):
            raise Invalid("an object was expected")
        items: dict[str, T] = {}
        key = ""
        try:
            for key, item in value.items():
                if self._keys and key not in self._keys:
                    raise Invalid(f"only {', '.join(self._keys)} may stand here")
                items[key] = self._item.read(item, strict)
        except Invalid as error:
            raise error.inside(key[:80]) from None
        return items

    def write(self, value: dict[str, T]) -> JSON:
        return {key: self._item.write(item) for key, item in value.items()}

    def schema(self, definitions: Schema) -> Schema:
        names = {"propertyNames": {"enum": list(self._keys)}} if self._keys else {}
        items = self._item.schema(definitions)
        return {"type": "object", **names, "additionalProperties": items}


@dataclass(frozen=True)
class _Field:
    """A field of a record, by the key that it has in JSON."""

    codec: Codec[Any]
    doc: str
    key: str
    optional: bool
    writes_default: Callable[[Any], bool] | None
    name: str = ""
    default: Any = None

    def is_left_out(self, record: object, value: object) -> bool:
        """Tell whether JSON needs no *value*, which *record* has in this field."""
        if not self.optional or value != self.default:
            return False
        return self.writes_default is None or not self.writes_default(record)


class Record(Codec[T]):
    """An object with the fields of a dataclass."""

    plain = False

    def __init__(self, cls: type[T]) -> None:
        self.cls = cls
        self.fields = _fields_of(cls)
        self._readers = [(f.name, f.key, f.codec.read, f.optional) for f in self.fields]
        self._keys = frozenset(field.key for field in self.fields)

    def read(self, value: JSON, strict: bool) -> T:
        if not isinstance(value, dict):
            raise Invalid("an object was expected")
        values: dict[str, Any] = {}
        key = ""
        try:
            for name, key, read, optional in self._readers:
                if key in value:
                    values[name] = read(value[key], strict)
                elif not optional:
                    raise Invalid("the key is missing")
        except Invalid as error:
            raise error.inside(key) from None
        if strict and not self._keys.issuperset(value):
            key = next(key for key in value if key not in self._keys)
            raise Invalid("no such key is known", key[:80])
        return self.cls(**values)

    def write(self, value: T) -> JSON:
        data: dict[str, JSON] = {}
        for field in self.fields:
            item = getattr(value, field.name)
            if not field.is_left_out(value, item):
                data[field.key] = item if field.codec.plain else field.codec.write(item)
        return data

    def schema(self, definitions: Schema) -> Schema:
        name = self.cls.__name__
        if name not in definitions:
            definitions[name] = self.definition(definitions)
        return {"$ref": f"#/$defs/{name}"}

    def definition(self, definitions: Schema) -> Schema:
        """Return the schema itself, not the reference to it."""
        return {
            "description": (self.cls.__doc__ or "").partition("\n")[0],
            "type": "object",
            "properties": {
                field.key: {"description": field.doc, **field.codec.schema(definitions)}
                for field in self.fields
            },
            "required": [field.key for field in self.fields if not field.optional],
            "additionalProperties": False,
        }


class Unparsed(Codec[JSON]):
    """An object that has the fields of a record, kept as JSON since the guest reads it so.

    Other keys may stand beside them. *groups* are sets of keys, one of which must be whole.
    """

    def __init__(self, record: Record[Any], *groups: tuple[str, ...]) -> None:
        self._record = record
        self._groups = groups

    def read(self, value: JSON, strict: bool) -> JSON:
        self._record.read(value, strict=False)
        if self._groups and not any(all(key in value for key in keys) for keys in self._groups):
            choices = ", or ".join(" and ".join(keys) for keys in self._groups)
            raise Invalid(f"{choices} must stand here")
        return value

    def schema(self, definitions: Schema) -> Schema:
        reference = self._record.schema(definitions)
        definition = definitions[self._record.cls.__name__]
        definition["additionalProperties"] = True
        if self._groups:
            definition["anyOf"] = [{"required": list(keys)} for keys in self._groups]
        return reference


def field(codec: Codec[T], doc: str, *, key: str = "", default: T = dataclasses.MISSING) -> T:  # type: ignore[assignment]
    """Declare a field that always stands in JSON, under its name or *key*; *doc* describes it.

    *default* is the constructor's alone.
    """
    spec = _Field(codec, doc, key, optional=False, writes_default=None)
    return dataclasses.field(default=default, metadata={"field": spec})


def optional_field(
    codec: Codec[T], doc: str, *, default: D, writes_default: Callable[[Any], bool] | None = None
) -> T | D:
    """Declare a field that is left out of JSON where it is *default*.

    Where *writes_default* is true of the record, the default is written as well.
    """
    spec = _Field(codec, doc, "", optional=True, writes_default=writes_default)
    return dataclasses.field(default=default, metadata={"field": spec})


@dataclass_transform(
    frozen_default=True, field_specifiers=(field, optional_field, dataclasses.field)
)
def record(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of *cls*; its fields are made by ``field`` and ``optional_field``."""
    return dataclass(frozen=True)(cls)


def _fields_of(cls: type[Any]) -> tuple[_Field, ...]:
    """Return the fields of a record that stand in JSON."""
    return tuple(
        dataclasses.replace(
            field.metadata["field"],
            name=field.name,
            key=field.metadata["field"].key or field.name,
            default=field.default,
        )
        for field in dataclasses.fields(cls)
        if "field" in field.metadata
    )
