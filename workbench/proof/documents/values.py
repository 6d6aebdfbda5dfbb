"""Values of BSON: their type's alias, others of another type, and paths into documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.code import Code
from bson.datetime_ms import DatetimeMS

Place: TypeAlias = tuple[str | int, ...]
MISSING = object()
A_DAY = datetime(2024, 1, 15, 12, tzinfo=UTC)
NUMBERS = frozenset(["int", "long", "double", "decimal"])
_JSON_TYPES = {
    "object": ("object",),
    "array": ("array",),
    "number": ("int", "long", "double", "decimal"),
    "boolean": ("bool",),
    "string": ("string",),
    "null": ("null",),
}
_OF_TYPE: Mapping[str, Any] = {
    "string": "workbench",
    "int": 1,
    "long": Int64(1),
    "double": 1.0,
    "decimal": Decimal128("1"),
    "bool": True,
    "date": A_DAY,
    "objectId": ObjectId("65a51f800000000000000001"),
    "object": {},
    "array": [],
    "binData": UUID("65a51f80-0000-4000-8000-000000000001"),
    "null": None,
    "regex": Regex("a"),
    "timestamp": Timestamp(1705320000, 1),
    "javascript": Code("1"),
    "minKey": MinKey(),
    "maxKey": MaxKey(),
}


def bson_type(value: Any) -> str:
    """The alias of the type that *value* has in BSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Int64):
        return "long"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "long"
    for kind, name in (
        (float, "double"),
        (str, "string"),
        (datetime, "date"),
        (DatetimeMS, "date"),
        (ObjectId, "objectId"),
        (Decimal128, "decimal"),
        (UUID, "binData"),
        (bytes, "binData"),
        (Mapping, "object"),
        (list, "array"),
        (Regex, "regex"),
        (re.Pattern, "regex"),
        (Timestamp, "timestamp"),
        (MinKey, "minKey"),
        (MaxKey, "maxKey"),
    ):
        if isinstance(value, kind):
            return name
    return "javascript" if isinstance(value, Code) else type(value).__name__


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that *schema* allows, empty where it does not say."""
    found: set[str] = set()
    for keyword in ("bsonType", "type"):
        named = schema.get(keyword, ())
        for alias in [named] if isinstance(named, str) else named:
            found.update(
                _JSON_TYPES.get(alias, (alias,)) if keyword == "type" or alias == "number" else (alias,)
            )
    return frozenset(found)


def of_type(alias: str) -> Any:
    """A value of the type *alias*; a string for one that cannot be made."""
    return _OF_TYPE.get(alias, "workbench")


def of_other_types(value: Any, types: frozenset[str]) -> Iterator[Any]:
    """Values of no type of *types*; those that are most like *value* first."""
    number = as_decimal(value)
    if number is not None:
        for alias in ("double", "decimal", "long", "int"):
            if alias not in types and (
                alias in ("double", "decimal") or number == number.to_integral_value()
            ):
                yield as_number(number, alias)
    if isinstance(value, datetime) and "string" not in types:
        yield value.isoformat()
    if isinstance(value, (UUID, ObjectId)) and "string" not in types:
        yield str(value)
    for alias, other in _OF_TYPE.items():
        if alias not in types:
            yield other


def as_decimal(value: Any) -> Decimal | None:
    """The finite number that *value* is, or None."""
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        value = Decimal(repr(value)) if isinstance(value, float) else Decimal(int(value))
    return value if isinstance(value, Decimal) and value.is_finite() else None


def as_number(number: Decimal, alias: str) -> Any:
    """*number* as a value of the number type *alias*, whole where that is."""
    if alias == "decimal":
        return Decimal128(number)
    if alias == "double":
        return float(number)
    whole = int(number)
    return Int64(whole) if alias == "long" or not -(2**31) <= whole < 2**31 else whole


def like(value: Any, number: Decimal) -> Any:
    """*number* in the type of *value*."""
    return as_number(number, bson_type(value))


def near(value: Any) -> Iterator[Any]:
    """Values of the same type as *value* that lie near it, then some that lie further off."""
    number = as_decimal(value)
    if number is not None:
        for step in (1, -1, 10, -10, 1_000_000):
            yield like(value, number + step)
        yield like(value, Decimal(0))
        yield like(value, -number)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield from (value + "x", value[:-1], value.swapcase(), "")
    elif isinstance(value, datetime):
        for step_s in (1, -1, 86_400, -86_400, 3650 * 86_400, -3650 * 86_400):
            yield value + timedelta(seconds=step_s)
    elif isinstance(value, UUID):
        yield from (Binary(value.bytes, 0), Binary(value.bytes, 3), Binary(value.bytes + b"\0", 0))
        yield UUID(int=value.int ^ 1)
    elif isinstance(value, bytes):
        subtype = getattr(value, "subtype", 0)
        if subtype in (3, 4):  # a UUID has 16 bytes, or the driver cannot read the server's reply
            yield from (Binary(bytes(value), 0), Binary(bytes(value) + b"\0", 0))
            return
        yield from (Binary(value + b"\0", subtype), Binary(bytes(value)[:-1], subtype))
        yield Binary(bytes(value), 128 if subtype != 128 else 0)
    elif isinstance(value, ObjectId):
        yield ObjectId(bytes([value.binary[0] ^ 1]) + value.binary[1:])
    elif isinstance(value, list):
        if value:
            yield from ([*value, value[-1]], value[:-1], value[::-1], [])
    elif value is None:
        yield 1


def places(value: Any, steps: int = 12, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value within *value* with its place; of an array's elements the first and the last alone."""
    if at:
        yield at, value
    if steps == 0:
        return
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from places(below, steps - 1, (*at, name))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from places(value[index], steps - 1, (*at, index))


def value_at(document: Any, place: Place) -> Any:
    """The value at *place*, or MISSING."""
    for step in place:
        if isinstance(step, str):
            if not isinstance(document, Mapping) or step not in document:
                return MISSING
            document = document[step]
        elif isinstance(document, list) and step < len(document):
            document = document[step]
        else:
            return MISSING
    return document


def with_value(document: Any, place: Place, value: Any) -> Any:
    """A copy of *document* with *value* at *place*, or without it where *value* is MISSING.

    What is on the way and of another kind is replaced; an index beyond the end appends.
    """
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(step, str):
        copy = dict(document) if isinstance(document, Mapping) else {}
        if value is MISSING and not rest:
            copy.pop(step, None)
        elif value is not MISSING or step in copy:
            copy[step] = with_value(copy.get(step), rest, value)
        return copy
    elements = list(document) if isinstance(document, list) else []
    if step >= len(elements):
        return elements if value is MISSING else [*elements, with_value(None, rest, value)]
    if value is MISSING and not rest:
        del elements[step]
    else:
        elements[step] = with_value(elements[step], rest, value)
    return elements
