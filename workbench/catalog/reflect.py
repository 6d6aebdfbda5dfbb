"""One database's structure and statistics, read in a constant number of set-based queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from workbench import sql
from workbench.catalog.model import (
    Catalog,
    Column,
    Constraint,
    Index,
    Policy,
    Role,
    Routine,
    Table,
    Trigger,
    qualified,
)
from workbench.catalog.model import Sequence as SequenceFacts
from workbench.engines.postgres import Connection, describe_version
from workbench.errors import SchemaNotFound, SourceError

Row = dict[str, Any]
Fact = TypeVar("Fact")

_ATTEMPTS = 3


def reflect(conn: Connection, *, schemas: Sequence[str] | None = None) -> Catalog:
    """The catalog of the database that *conn* is connected to, or only of its *schemas*.

    Nothing is written, and no privilege on the objects is needed: what this role may not read (column
    statistics, a sequence's last value) is None. All facts are of one snapshot unless *conn* is in a
    transaction already; that transaction and its settings are left as they were. Reading a relation's size
    waits for a session that holds it exclusively, up to the connection's ``lock_timeout``.
    Raises SchemaNotFound, and SourceError where other sessions drop things at every attempt to read them.
    """
    failure: psycopg2.Error | None = None
    for _ in range(_ATTEMPTS):
        try:
            with one_snapshot(conn):
                return _catalog(conn, schemas)
        except psycopg2.errors.InternalError_ as exc:
            # The server prints definitions from the live catalog: what has left it meanwhile is an internal
            # error ("cache lookup failed"), and a new snapshot is without it.
            failure = exc
    raise SourceError(
        f"database {conn.info.dbname!r} was changed while it was read ({str(failure).strip()}), "
        f"{_ATTEMPTS} times: try again when no one drops anything in it"
    ) from failure


def _catalog(conn: Connection, schemas: Sequence[str] | None) -> Catalog:
    """The catalog as the current snapshot shows it."""
    selected = schema_oids(conn, schemas)
    relations = sql.fetch(conn, "catalog/relations.sql", {"schemas": selected})
    types = sql.fetch(conn, "catalog/types.sql", {"schemas": selected})
    return Catalog(
        database=conn.info.dbname,
        server=describe_version(conn),
        server_version=conn.info.server_version,
        tables=_tables(conn, relations),
        sequences=_facts(conn, "sequences", _sequence, {"schemas": selected}),
        routines=_facts(conn, "routines", lambda row: Routine(**row), {"schemas": selected}),
        extensions={row["name"]: row["version"] for row in sql.fetch(conn, "catalog/extensions.sql")},
        enums={_qualified(row): tuple(row["labels"]) for row in types if row["kind"] == "enum"},
        domains={_qualified(row): row["definition"] for row in types if row["kind"] == "domain"},
        roles=_facts(conn, "roles", _role),
    )


@contextmanager
def one_snapshot(conn: Connection) -> Iterator[None]:
    """Read-only, repeatable, under an empty search path; whatever *conn* had before is there again after.

    In a transaction of the caller's it is a savepoint, and the isolation is the caller's.
    """
    idle = conn.info.transaction_status == TRANSACTION_STATUS_IDLE
    autocommit = conn.autocommit
    if idle:
        conn.autocommit = True  # so that the driver adds no BEGIN of its own
    try:
        sql.run(conn, ["catalog/snapshot/begin.sql" if idle else "catalog/snapshot/enter.sql"])
        try:
            sql.run(conn, ["catalog/snapshot/settings.sql"])
            yield
        finally:
            if not conn.closed:
                sql.run(conn, ["catalog/snapshot/end.sql" if idle else "catalog/snapshot/leave.sql"])
    finally:
        if idle and not conn.closed:
            conn.autocommit = autocommit


def schema_oids(conn: Connection, names: Sequence[str] | None) -> list[int]:
    """The oids of the schemas *names*, or of all that are not the system's. Raises SchemaNotFound."""
    found = {row["name"]: row["oid"] for row in sql.fetch(conn, "catalog/schemas.sql")}
    if names is None:
        return list(found.values())
    for name in names:
        if name not in found:
            has = ", ".join(found) or "none"
            raise SchemaNotFound(f"schema {name!r} is not in database {conn.info.dbname!r}: it has {has}")
    return [found[name] for name in names]


def _tables(conn: Connection, relations: list[Row]) -> tuple[Table, ...]:
    """The tables of the rows *relations*, each with the facts that other files have about it."""
    oids = [row["oid"] for row in relations]
    columns = _by_relation(conn, "columns", _column, oids)
    constraints = _by_relation(conn, "constraints", _constraint, oids)
    indexes = _by_relation(conn, "indexes", _index, oids)
    triggers = _by_relation(conn, "triggers", _trigger, oids)
    policies = _by_relation(conn, "policies", _policy, oids)
    return tuple(
        Table(
            columns=columns.get(oid, ()),
            constraints=constraints.get(oid, ()),
            indexes=indexes.get(oid, ()),
            triggers=triggers.get(oid, ()),
            policies=policies.get(oid, ()),
            **_relation(row),
        )
        for oid, row in ((row.pop("oid"), row) for row in relations)
    )


def _by_relation(
    conn: Connection, name: str, fact: Callable[[Row], Fact], oids: list[int]
) -> dict[int, tuple[Fact, ...]]:
    """The facts of sql/catalog/*name*.sql about the relations *oids*, in the file's order, by relation."""
    grouped: dict[int, list[Fact]] = defaultdict(list)
    for row in sql.fetch(conn, f"catalog/{name}.sql", {"relations": oids}):
        grouped[row.pop("oid")].append(fact(row))
    return {oid: tuple(facts) for oid, facts in grouped.items()}


def _facts(
    conn: Connection, name: str, fact: Callable[[Row], Fact], parameters: Mapping[str, Any] | None = None
) -> tuple[Fact, ...]:
    """The facts of sql/catalog/*name*.sql, in the file's order."""
    return tuple(fact(row) for row in sql.fetch(conn, f"catalog/{name}.sql", parameters))


def _relation(row: Row) -> Row:
    """The fields of a Table that relations.sql gives."""
    names = zip(row.pop("parent_schemas") or (), row.pop("parent_names") or (), strict=True)
    parents = tuple(names)
    if row.pop("is_partition"):
        return {**row, "partition_of": parents[0]}
    return {**row, "inherits": parents}


def _column(row: Row) -> Column:
    row["domain"] = qualified(*row["domain"]) if row["domain"] else None
    row["enum_labels"] = tuple(row["enum_labels"] or ())
    return Column(**row)


def _constraint(row: Row) -> Constraint:
    row["columns"] = tuple(row["columns"])
    row["references"] = tuple(row["references"]) if row["references"] else None
    row["referenced_columns"] = tuple(row["referenced_columns"])
    return Constraint(**row)


def _index(row: Row) -> Index:
    row["keys"] = tuple(row["keys"])
    row["columns"] = tuple(row["columns"])
    row["included"] = tuple(row["included"])
    return Index(**row)


def _trigger(row: Row) -> Trigger:
    row["function"] = qualified(*row["function"])
    return Trigger(**row)


def _policy(row: Row) -> Policy:
    row["roles"] = tuple(row["roles"])
    return Policy(**row)


def _sequence(row: Row) -> SequenceFacts:
    row["owned_by"] = tuple(row["owned_by"]) if row["owned_by"] else None
    return SequenceFacts(**row)


def _role(row: Row) -> Role:
    row["member_of"] = tuple(row["member_of"])
    return Role(**row)


def _qualified(row: Row) -> str:
    return qualified(row["schema"], row["name"])
