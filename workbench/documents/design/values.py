"""How a column's values stand in a document, exactly, and the text that both sides are compared by.

========================================  ==============================================================
PostgreSQL                                document
========================================  ==============================================================
smallint, integer; bigint, oid            int; long
numeric, money                            Decimal128 with its scale; a string beyond 34 digits
real, double precision                    double (of a real, the one with the same shortest decimals)
boolean; uuid; bytea                      bool; binary of subtype 4; binary of subtype 0
timestamp (as if UTC), timestamptz, date  date, floored to the millisecond; ``infinity`` as a string
json, jsonb                               sub-document, array or value (of json: without doubled keys)
ranges                                    ``{lower, upper, bounds: "[)"}`` or ``{empty: true}``
arrays                                    array; elements of the types not above this line as strings
everything else (text, enum, interval …)  string, an interval in ISO 8601
null                                      the field is absent
========================================  ==============================================================
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from bson import Binary, Decimal128, Int64
from bson.datetime_ms import DatetimeMS
from psycopg2 import sql as composed

from workbench.catalog.model import Column

Composable = composed.Composable

DIGITS = 34  # of a Decimal128
_LEAST_EXPONENT = 6176
_HALVES = struct.Struct("<QQ")
_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
_INT64 = 2**63
_PLAIN_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?\Z")
_LONG_AGO = re.compile(r"(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(\.\d+)?(?:\+00)?)?( BC)?\Z")
_RANGES = {
    "int4range": "integer",
    "int8range": "bigint",
    "numrange": "numeric",
    "daterange": "date",
    "tsrange": "timestamp without time zone",
    "tstzrange": "timestamp with time zone",
}
_AS_STRINGS = ("date", "timestamp", "bytea", "json", "money")  # elements of arrays: see the table above


@dataclass(frozen=True)
class ValueType:
    """One way to carry a value over.

    *bson* is the alias of the type; *selected* and *compared* make an expression of a column's: the text
    that is read, and the text that the server says is the value; *value* turns the one into what stands
    in the document, *text* that into the other.
    """

    bson: str
    selected: Callable[[Composable], Composable]
    compared: Callable[[Composable], Composable]
    value: Callable[[str], Any]
    text: Callable[[Any], str]
    milliseconds: bool = False  # finer parts of a second are lost


def value_type(column: Column) -> ValueType:
    """The way of *column*'s values into documents."""
    if column.enum_labels:
        return _of("text")
    return _of(column.base_type)


@cache
def _of(name: str) -> ValueType:
    if name.endswith("[]"):
        return _array(name.removesuffix("[]"))
    if name in _RANGES:
        return _range(_of(_RANGES[name]))
    return _SCALARS.get(name, _STRING)


def _cast(to: str) -> Callable[[Composable], Composable]:
    return lambda column: composed.SQL("{}::" + to).format(column)


_as_text = _cast("text")


def _scalar(bson: str, value: Callable[[str], Any], text: Callable[[Any], str]) -> ValueType:
    return ValueType(bson, _as_text, _as_text, value, text)


def decimal_of(text: str) -> Decimal128 | str:
    """The number *text* with its scale; the text itself where it has more than 34 digits."""
    plain = _PLAIN_NUMBER.match(text)
    if plain is None:  # NaN, Infinity
        return Decimal128(text)
    sign, whole, fraction = plain.groups("")
    coefficient = int(whole + fraction)
    if coefficient >= 10**DIGITS or len(fraction) > _LEAST_EXPONENT:
        return text
    high = ((_LEAST_EXPONENT - len(fraction)) << 49) | (coefficient >> 64)
    if sign:
        high |= 1 << 63
    found: Decimal128 = Decimal128.from_bid(
        (coefficient & (2**64 - 1)).to_bytes(8, "little") + high.to_bytes(8, "little")
    )
    return found


def decimal_text(value: Any) -> str:
    """A Decimal128, or the string that stands for a longer number, as PostgreSQL writes it."""
    if isinstance(value, str):
        return value
    low, high = _HALVES.unpack(value.bid)
    exponent = (high >> 49 & 0x3FFF) - _LEAST_EXPONENT
    if high >> 61 & 3 == 3 or exponent > 0:  # NaN, infinity, and other forms of the same numbers
        return format(value.to_decimal(), "f")
    digits = str((high & 0x1FFFFFFFFFFFF) << 64 | low)
    sign = "-" if high >> 63 else ""
    if not exponent:
        return sign + digits
    digits = digits.zfill(1 - exponent)
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def float_text(value: float, *, exponent_from: int = 15) -> str:
    """*value* as PostgreSQL writes a double precision; a real has its exponents from 6 on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    written = "".join(map(str, digits))
    power = len(written) + int(exponent) - 1
    minus = "-" if sign else ""
    if not value:
        return f"{minus}0"
    if -5 < power < exponent_from:
        return minus + format(Decimal(repr(abs(value))).normalize(), "f")
    mantissa = written[0] + ("." + written[1:] if len(written) > 1 else "")
    return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def moment_of(text: str) -> datetime | DatetimeMS | str:
    """The time *text* (ISO, UTC where it has a zone); beyond years 1 to 9999 in milliseconds."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _far_moment(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _far_moment(text: str) -> DatetimeMS | str:
    parts = _LONG_AGO.match(text)
    if parts is None:  # infinity, -infinity
        return text
    year, month, day = int(parts[1]), int(parts[2]), int(parts[3])
    if parts[8]:
        year = 1 - year
    seconds = int(parts[4] or 0) * 3600 + int(parts[5] or 0) * 60 + int(parts[6] or 0)
    milliseconds = int((parts[7] or ".").removeprefix(".").ljust(3, "0")[:3])
    return DatetimeMS((_days(year, month, day) * 86_400 + seconds) * 1000 + milliseconds)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970 in the proleptic Gregorian calendar, of any year (0 is 1 BC)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def moment_text(value: Any) -> str:
    """Milliseconds since 1970 of a date as it is decoded (without a zone), or ``infinity``."""
    if isinstance(value, datetime):
        return str((value - _EPOCH) // _MILLISECOND)
    return value if isinstance(value, str) else str(int(value))


def _moment_compared(column: Composable) -> Composable:
    return composed.SQL(
        "case when pg_catalog.isfinite({0}) "
        "then pg_catalog.floor(extract(epoch from {0}) * 1000)::bigint::text else {0}::text end"
    ).format(column)


def _json_number(text: str) -> Any:
    number = int(text)
    if -_INT64 <= number < _INT64:
        return number
    return Decimal128(Decimal(text))


def _json_fraction(text: str) -> Any:
    """A double where it reads back as the same text, else a Decimal128."""
    as_double = float(text)
    return as_double if repr(as_double) == text else Decimal128(Decimal(text))


def json_of(text: str) -> Any:
    return json.loads(text, parse_int=_json_number, parse_float=_json_fraction)


def json_text(value: Any) -> str:
    """*value* as PostgreSQL writes a jsonb: the keys stand in its order already."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json_text(str(key))}: {json_text(each)}" for key, each in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_text(each) for each in value) + "]"
    if isinstance(value, Decimal128):
        return format(value.to_decimal(), "f")
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


_BARE = _scalar("string", str, str)
_STRING = _BARE


def _uuid_of(text: str) -> Binary:
    return Binary(bytes.fromhex(text.replace("-", "")), 4)


def _uuid_text(value: Any) -> str:
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _hex(column: Composable) -> Composable:
    return composed.SQL("pg_catalog.encode({}, 'hex')").format(column)


_MOMENT = ValueType("date", _as_text, _moment_compared, moment_of, moment_text, milliseconds=True)
_JSON = ValueType("object", _cast("jsonb::text"), _cast("jsonb::text"), json_of, json_text)
_MONEY = ValueType("decimal", _cast("numeric::text"), _cast("numeric::text"), decimal_of, decimal_text)
_REAL = _scalar("double", float, lambda value: float_text(value, exponent_from=6))

_SCALARS = {
    "smallint": _scalar("int", int, str),
    "integer": _scalar("int", int, str),
    "bigint": _scalar("long", lambda text: Int64(int(text)), lambda value: str(int(value))),
    "oid": _scalar("long", lambda text: Int64(int(text)), lambda value: str(int(value))),
    "numeric": _scalar("decimal", decimal_of, decimal_text),
    "money": _MONEY,
    "real": _REAL,
    "double precision": _scalar("double", float, float_text),
    "boolean": _scalar("bool", lambda text: text == "true", lambda value: "true" if value else "false"),
    "uuid": _scalar("uuid", _uuid_of, _uuid_text),
    "bytea": ValueType("binData", _hex, _hex, bytes.fromhex, lambda value: bytes(value).hex()),
    "timestamp with time zone": _MOMENT,
    "timestamp without time zone": _MOMENT,
    "date": ValueType("date", _as_text, _moment_compared, moment_of, moment_text),
    "json": _JSON,
    "jsonb": _JSON,
}


def _array(element: str) -> ValueType:
    of = _STRING if element.startswith(_AS_STRINGS) or element in _RANGES else _of(element)

    def made(item: Any) -> Any:
        if isinstance(item, list):
            return [made(each) for each in item]
        return None if item is None else of.value(item)

    def texts(item: Any) -> Any:
        if isinstance(item, list):
            return [texts(each) for each in item]
        return None if item is None else of.text(item)

    def as_text(column: Composable) -> Composable:
        return composed.SQL("pg_catalog.to_jsonb({}::text[])::text").format(column)

    return ValueType(
        "array",
        as_text,
        as_text,
        lambda text: made(json.loads(text)),
        lambda value: json_text(texts(value)),
    )


_RANGE_PARTS = composed.SQL(
    "pg_catalog.jsonb_build_array(pg_catalog.isempty({0}), pg_catalog.lower_inc({0}), {1}, {2}, "
    "pg_catalog.upper_inc({0}))::text"
)


def _range(bound: ValueType) -> ValueType:
    def parts(of_bound: Callable[[Composable], Composable]) -> Callable[[Composable], Composable]:
        def expression(column: Composable) -> Composable:
            lower = of_bound(composed.SQL("pg_catalog.lower({})").format(column))
            upper = of_bound(composed.SQL("pg_catalog.upper({})").format(column))
            built = _RANGE_PARTS.format(column, lower, upper)
            return composed.SQL("case when {} is not null then {} end").format(column, built)

        return expression

    def made(text: str) -> dict[str, Any]:
        empty, lower_included, lower, upper, upper_included = json.loads(text)
        if empty:
            return {"empty": True}
        bounds = ("[" if lower_included else "(") + ("]" if upper_included else ")")
        ends = {name: bound.value(end) for name, end in (("lower", lower), ("upper", upper)) if end}
        return {**ends, "bounds": bounds}

    def text_of(value: Any) -> str:
        if value.get("empty"):
            return json_text([True, False, None, None, False])
        ends = [bound.text(value[name]) if name in value else None for name in ("lower", "upper")]
        return json_text([False, value["bounds"][0] == "[", *ends, value["bounds"][1] == "]"])

    return ValueType("object", parts(bound.selected), parts(bound.compared), made, text_of)
