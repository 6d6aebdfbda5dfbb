"""Which value is meant: a column, and within it a row, as bytes that no other column or row has."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from workbench.errors import BadInput

KeyValue: TypeAlias = int | str | bytes | UUID | Decimal | datetime.date
RowKey: TypeAlias = KeyValue | tuple[KeyValue, ...]


def encoded(parts: Iterable[bytes]) -> bytes:
    """*parts* one after the other, each behind its length in 4 bytes: two lists never give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def column_bytes(schema: str, table: str, column: str) -> bytes:
    """The column's name, encoded; row bytes follow it."""
    return encoded(name.encode() for name in (schema, table, column))


def row_bytes(key: RowKey) -> bytes:
    """The primary key of a row, encoded; a tuple where it has several columns.

    A value has one form whatever the driver gives: a uuid as its text or as UUID, a number as int or
    Decimal, a time with zone in any zone. Within one column of a key, two values never share a form.
    Raises BadInput for null and for types that are no key's.
    """
    if type(key) is str:  # the two usual keys, without the detour
        part = key.encode()
        return len(part).to_bytes(4, "big") + part
    if type(key) is int:
        part = b"%d" % key
        return len(part).to_bytes(4, "big") + part
    if not isinstance(key, tuple):
        return encoded([_form(key)])
    if not key:
        raise BadInput("a row's key has no value: a table without a primary key cannot bind values to rows")
    return encoded(_form(value) for value in key)


def _form(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, UUID):
        return str(value).encode()
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Decimal) and value.is_finite():
        return _number(value)
    if isinstance(value, datetime.datetime):
        return (value.astimezone(datetime.UTC) if value.tzinfo else value).isoformat().encode()
    if isinstance(value, datetime.date):
        return value.isoformat().encode()
    raise BadInput(
        f"a row's key has a value of type {type(value).__name__}: "
        "int, str, UUID, bytes, Decimal, date and datetime can be bound to"
    )


def _number(value: Decimal) -> bytes:
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return b"0" if plain in ("-0", "") else plain.encode()
