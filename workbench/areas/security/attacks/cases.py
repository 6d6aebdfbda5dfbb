"""What is to be tried: each case is one statement of one role, and what the intent says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.attacks.model import Declared
from workbench.areas.security.intent.model import TableName
from workbench.engines.postgres import Connection

_STATEMENTS = "security/attacks/matrix/statements.sql"
_NAME = re.compile(r"^-- name: (?P<name>.+)$", re.MULTILINE)
How = Literal["plain", "count", "counter", "copy to", "copy from", "connect"]


@dataclass(frozen=True)
class Case:
    """One statement that is to be tried by *role* for *identity*, before anything has happened.

    *operation* and *row* are those of `Attempt`. Where *declared_rows* is set, exactly so many rows must
    be reached. *by_privilege* says that nobody declared any right to it, so that a design which leaves the
    refusal to row security is wider than declared. Of *how* ``count`` the statement's one value is the
    number of rows, of ``counter`` the setting workbench.rows is it; *sent* goes to a COPY FROM.
    The functions *before* are those of triggers that see the new row before a policy does, and may end it.
    """

    key: str
    name: str
    role: str
    identity: str
    operation: str
    statement: str
    declared: Declared
    table: TableName | None = None
    row: str = ""
    declared_rows: int | None = None
    by_privilege: bool = False
    before: tuple[str, ...] = ()
    how: How = "plain"
    sent: str = ""


@cache
def templates() -> Mapping[str, composed.SQL]:
    """The statements by name."""
    parts = _NAME.split(sql.read(_STATEMENTS))[1:]
    return {name: composed.SQL(text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def statement(conn: Connection, name: str, **values: composed.Composable) -> str:
    """The statement *name* as it is sent; *conn* says how literals are quoted."""
    return templates()[name].format(**values).as_string(conn)


def listed(names: Iterable[str], alias: str | None = None) -> composed.Composable:
    """Columns for a statement, comma-separated."""
    qualifier = () if alias is None else (alias,)
    return composed.SQL(", ").join(composed.Identifier(*qualifier, each) for each in names)


def literals(values: Iterable[str | None]) -> composed.Composable:
    """Values for a statement, comma-separated; the server reads each as its column's type."""
    return composed.SQL(", ").join(map(composed.Literal, values))


def assigned(values: Mapping[str, str | None]) -> composed.Composable:
    """The assignments of an update."""
    return composed.SQL(", ").join(
        composed.SQL("{} = {}").format(composed.Identifier(name), composed.Literal(value))
        for name, value in values.items()
    )


def copied(values: Iterable[str | None]) -> str:
    """One row in COPY's text format."""
    escapes = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
    table = str.maketrans(escapes)
    return "\t".join(r"\N" if value is None else value.translate(table) for value in values) + "\n"
