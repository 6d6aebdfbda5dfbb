"""Figures and statements as findings say them."""

from __future__ import annotations

from psycopg2 import sql as composed

from workbench.engines.postgres import Connection

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def in_bytes(size_bytes: float) -> str:
    """``41.3 MB``, in units of 1000."""
    size = float(size_bytes)
    for unit in _UNITS:
        if abs(size) < 1000 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "bytes" or abs(size) >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the last unit takes every size")


def percent(share: float) -> str:
    """``51 %``, with a decimal below 10."""
    value = share * 100
    return f"{value:.0f} %" if abs(value) >= 10 or value == 0 else f"{value:.2g} %"


def of_table(conn: Connection, statement: str, schema: str, name: str) -> str:
    """*statement* with the quoted name of the table (or index) in the place of ``{}``."""
    return composed.SQL(statement).format(composed.Identifier(schema, name)).as_string(conn)
