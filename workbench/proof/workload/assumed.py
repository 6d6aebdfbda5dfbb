"""A workload assumed from keys, for a source of which nobody says how it is used."""

from __future__ import annotations

from collections.abc import Iterator

from pglast.stream import maybe_double_quote_name

from workbench import sql
from workbench.catalog.model import Catalog, Column, Constraint, Table
from workbench.proof.workload.model import Statement, Workload

ORIGIN = "assumed from keys and foreign keys"
_BY_KEY, _BY_UNIQUE, _CHILDREN, _LATEST, _JOINED = 10.0, 5.0, 5.0, 3.0, 2.0
_MOMENTS = ("timestamp with time zone", "timestamp without time zone", "date")
_NO_PLACE_IN_TIME = ("update", "modif", "changed", "deleted", "birth", "expir", "valid", "end")
_WORDS = ("created", "placed", "inserted", "occurred", "happened", "ordered")


def assumed_workload(catalog: Catalog) -> Workload:
    """The look-ups that *catalog*'s keys are there for: nobody has said or measured that they happen.

    Each row by its primary key (weight 10) and by each other unique key (5); the children of a parent by
    their foreign key (5), the newest 20 first where they have a time (3), and together with it (2).
    Parameters have no values: see `sample_values`. No write is assumed. Partitions are asked through
    their parent. Without a key in the catalog there is no statement.
    """
    statements = [
        statement
        for table in sorted(catalog.base_tables, key=lambda each: (each.schema, each.name))
        for statement in _of_table(catalog, table)
    ]
    notes = (
        "nobody has declared this workload, and no server has measured it: it is assumed from keys and "
        "foreign keys, so what is decided by it holds only if the tables are used like that",
        "no inserts, updates or deletes are assumed: what an index costs them is not weighed",
    )
    return Workload(tuple(statements), (), ORIGIN, notes)


def _of_table(catalog: Catalog, table: Table) -> Iterator[Statement]:
    keys: set[tuple[str, ...]] = set()
    for key in sorted(table.constraints, key=lambda each: (each.kind != "primary key", each.name)):
        if key.kind not in ("primary key", "unique") or not key.columns or key.columns in keys:
            continue
        keys.add(key.columns)
        weight = _BY_KEY if key.kind == "primary key" else _BY_UNIQUE
        yield _statement(
            f"{table.qualified} by {_listed(key.columns)}",
            _text("by_key", table=_table(table), condition=_given(key.columns)),
            weight,
        )
    followed: set[tuple[str, ...]] = set()
    for key in sorted(table.foreign_keys, key=lambda each: each.name):
        if key.columns not in followed and key.references:
            followed.add(key.columns)
            yield from _of_foreign_key(catalog, table, key, keys)


def _of_foreign_key(
    catalog: Catalog, table: Table, key: Constraint, unique: set[tuple[str, ...]]
) -> Iterator[Statement]:
    parent = next((each for each in catalog.base_tables if (each.schema, each.name) == key.references), None)
    if parent is None:
        return
    what = f"{table.qualified} of {parent.qualified} by {_listed(key.columns)}"
    if key.columns not in unique:  # else it is a look-up by a key, which is there already
        asked = {"table": _table(table), "condition": _given(key.columns)}
        yield _statement(what, _text("by_key", **asked), _CHILDREN)
        if moment := _moment(table):
            newest = _text("newest", **asked, moment=maybe_double_quote_name(moment.name))
            yield _statement(f"newest {what}", newest, _LATEST)
    joined = " and ".join(
        f"child.{maybe_double_quote_name(here)} = parent.{maybe_double_quote_name(there)}"
        for here, there in zip(key.columns, key.referenced_columns, strict=True)
    )
    yield _statement(
        f"{parent.qualified} with {table.qualified} by {_listed(key.columns)}",
        _text(
            "joined",
            parent=_table(parent),
            child=_table(table),
            joined=joined,
            condition=_given(key.referenced_columns, "parent."),
        ),
        _JOINED,
    )


def _text(file: str, **parts: str) -> str:
    """The statement of that *file* without its header, for those *parts*."""
    _, _, template = sql.read(f"proof/workload/assumed/{file}.sql").partition("\n")
    return template.strip().format(**parts)


def _statement(name: str, text: str, weight: float) -> Statement:
    return Statement(name, text, "select", weight, None, ORIGIN)


def _moment(table: Table) -> Column | None:
    """The time that rows are listed by: one named for their making, else the first that is never null."""
    times = [
        each
        for each in table.columns
        if each.base_type in _MOMENTS and not any(word in each.name.lower() for word in _NO_PLACE_IN_TIME)
    ]

    def rank(column: Column) -> tuple[bool, bool, int]:
        return not any(word in column.name.lower() for word in _WORDS), column.nullable, column.position

    return min(times, key=rank, default=None)


def _table(table: Table) -> str:
    return f"{maybe_double_quote_name(table.schema)}.{maybe_double_quote_name(table.name)}"


def _given(columns: tuple[str, ...], before: str = "") -> str:
    return " and ".join(
        f"{before}{maybe_double_quote_name(name)} = ${number}" for number, name in enumerate(columns, start=1)
    )


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)
