"""Time travel: the rows of a table as they were, from the rows of today and the trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import sql as composing

from workbench.areas.security.intent.model import TableName
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, NotAuthorized

REDACTED = "redacted"


@dataclass(frozen=True)
class PastRow:
    """A row as it was: *values* by column as in JSON; of the *redacted* columns the trail kept no value.

    A column that was added since has the value of today where the trail says nothing of it; one that was
    dropped since has a value where the trail has one.
    """

    key: Mapping[str, Any]
    values: Mapping[str, Any]
    redacted: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """The values, with ``redacted`` where there is none."""
        return {**self.values, **dict.fromkeys(self.redacted, REDACTED)}


def as_of(
    conn: Connection,
    table: TableName,
    moment: datetime,
    *,
    key: Mapping[str, Any] | None = None,
    schema: str = "audit",
) -> list[PastRow]:
    """The rows of *table* at *moment*, or the one of *key* (column → value), in the order of their keys.

    A change counts from the end of its statement, not from its transaction's commit. Raises BadInput where
    the table was truncated since and its rows were not logged, NotAuthorized where row security hides rows
    of today from who asks, for the answer would be a part and look like the whole.
    """
    query = composing.SQL(
        "select key, record, redacted_columns from {}.as_of(%s::regclass, %s, %s::jsonb)"
    ).format(composing.Identifier(schema))
    name = composing.Identifier(*table).as_string(conn)
    try:
        rows = conn.execute(query, [name, moment, None if key is None else json.dumps(key)]).fetchall()
    except psycopg2.errors.NoDataFound as exc:
        raise BadInput(f"{exc.diag.message_primary}. {exc.diag.message_hint}") from exc
    except psycopg2.errors.UndefinedTable as exc:
        raise BadInput(
            f"there is no table {qualified(*table)} to travel in, or no trail in {schema}"
        ) from exc
    except psycopg2.errors.InsufficientPrivilege as exc:
        raise NotAuthorized(
            f"{qualified(*table)}: {exc.diag.message_primary}: ask as who may see the trail and all rows"
        ) from exc
    return [PastRow(key, values, tuple(redacted or ())) for key, values, redacted in rows]
