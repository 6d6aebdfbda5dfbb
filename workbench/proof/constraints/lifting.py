"""What stands in the way of the constraint that is tried, lifted within the same savepoint."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import Diagnostics

from workbench.catalog.model import Table, qualified, quoted
from workbench.proof.constraints.rows import table_name
from workbench.proof.constraints.targets import Name, Setting

DEFAULT_PARTITION = "workbench_default_partition"
_NOT_NULL, _CHECK, _FOREIGN_KEY = "23502", "23514", "23503"
_BY_NAME = ("23505", "23P01", "23514", _FOREIGN_KEY)


@dataclass(frozen=True)
class Lift:
    """A statement that takes a constraint away, and that constraint's name for people.

    *rests* is true of a foreign key: while another constraint is tried, the foreign keys rest anyhow.
    """

    statement: sql.Composable
    lifted: str
    rests: bool = False


def lift(setting: Setting, table: Table, diagnostics: Diagnostics) -> Lift | None:
    """What takes away the constraint that *diagnostics* reports; None where nothing can."""
    if diagnostics.datatype_name:
        return _lift_from_domain(diagnostics)
    if diagnostics.sqlstate == _NOT_NULL and diagnostics.column_name:
        return _lift_not_null(table, diagnostics.column_name)
    if diagnostics.sqlstate in _BY_NAME and diagnostics.constraint_name:
        return _lift_by_name(setting, table, diagnostics)
    if diagnostics.sqlstate == _CHECK:
        return _widen_partitions(setting, table)
    return None


def _lift_from_domain(diagnostics: Diagnostics) -> Lift:
    name = sql.Identifier(diagnostics.schema_name or "", diagnostics.datatype_name or "")
    shown = qualified(diagnostics.schema_name or "", diagnostics.datatype_name or "")
    if not diagnostics.constraint_name:
        return Lift(sql.SQL("alter domain {} drop not null").format(name), f"not null of {shown}")
    return Lift(
        sql.SQL("alter domain {} drop constraint {}").format(
            name, sql.Identifier(diagnostics.constraint_name)
        ),
        f"{quoted(diagnostics.constraint_name)} of {shown}",
    )


def _lift_not_null(table: Table, column: str) -> Lift:
    key = table.primary_key
    if key and column in key.columns:
        statement = sql.SQL(
            "alter table {} drop constraint {} cascade, alter column {} drop not null"
        ).format(table_name(table), sql.Identifier(key.name), sql.Identifier(column))
        return Lift(statement, f"primary key {quoted(key.name)}")
    statement = sql.SQL("alter table {} alter column {} drop not null").format(
        table_name(table), sql.Identifier(column)
    )
    return Lift(statement, f"not null of {quoted(column)}")


def _lift_by_name(setting: Setting, table: Table, diagnostics: Diagnostics) -> Lift | None:
    """A table's constraint or unique index, found at the table where it was declared."""
    reported: Name = (
        diagnostics.schema_name or "", diagnostics.table_name or "", diagnostics.constraint_name or "",
    )  # fmt: skip
    schema, owner_name, name = setting.roots.get(reported, reported)
    owner = setting.catalog._tables_by_name.get((schema, owner_name))
    if owner is None:
        return None
    if owner.partition_of and table.kind == "partitioned table":
        owner = table  # a check that the partitions have in common
    index = next((one for one in owner.indexes if one.name == name and not one.constraint), None)
    statement = (
        sql.SQL("drop index {}").format(sql.Identifier(owner.schema, name))
        if index
        else sql.SQL("alter table {} drop constraint {} cascade").format(
            table_name(owner), sql.Identifier(name)
        )
    )
    return Lift(statement, quoted(name), rests=diagnostics.sqlstate == _FOREIGN_KEY)


def _widen_partitions(setting: Setting, table: Table) -> Lift | None:
    """A default partition, where a row that belongs to no other would be refused for that."""
    if table.kind != "partitioned table":
        return None
    statement = sql.SQL("create table {} partition of {} default").format(
        sql.Identifier(table.schema, DEFAULT_PARTITION), table_name(table)
    )
    return Lift(statement, "the bounds of its partitions")
