"""What the planner knows of a source: lengths, rows, statistics and settings, read in a few queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
from psycopg2 import sql as composed
from psycopg2.extensions import connection as AnyConnection

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, FeatureUnavailable
from workbench.proof.whatif.extended import ExtendedStatistics, read_extended

_RANGES_SINCE = 170_000
_MOST_NAMED = 10
_TABLES = frozenset("rpmf")
_REASONS = {
    "never analysed": "no statistics, as ANALYZE was not run: the planner guesses as in the source",
    "row security": "no statistics, as row security hides them from the login (give it BYPASSRLS), of",
}
_NO_RANGES = """null as range_length_histogram, null as range_empty_frac, null as range_bounds_histogram"""
_RANGES = """s.range_length_histogram::text as range_length_histogram, s.range_empty_frac,
  s.range_bounds_histogram::text as range_bounds_histogram"""
_LENGTH = "pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint"


@dataclass(frozen=True)
class Relation:
    """A relation as the catalog counts it: *pages* and *rows* of the last ANALYZE, *blocks* as of now."""

    schema_name: str
    relation_name: str
    kind: str
    pages: int
    rows: float
    pages_visible: int
    blocks: int
    named: bool
    readable: bool

    @property
    def name(self) -> str:
        return qualified(self.schema_name, self.relation_name)

    def grown(self, factor: float) -> Relation:
        """The relation at *factor* times its volume."""
        if factor == 1:
            return self
        return replace(
            self,
            pages=round(self.pages * factor),
            rows=self.rows * factor if self.rows > 0 else self.rows,
            pages_visible=round(self.pages_visible * factor),
            blocks=round(self.blocks * factor),
        )


@dataclass(frozen=True)
class Facts:
    """All that is taken over from a source; *lost* says, a line each, what could not be read."""

    relations: Sequence[Relation]
    columns: Sequence[Mapping[str, Any]]
    extended: Sequence[ExtendedStatistics]
    settings: Mapping[str, str]
    search_path: Sequence[str]
    lost: tuple[str, ...]


def read_facts(source: AnyConnection) -> Facts:
    """The facts of the database behind *source*, which is only read. Raises FeatureUnavailable."""
    settings = {row["name"]: row["setting"] for row in sql.fetch(source, "proof/whatif/planner_settings.sql")}
    if settings.pop("block_size", "8192") != "8192":
        raise FeatureUnavailable(
            "planning for pages of another size than 8 kB", "this engine", hint="use a source built with 8 kB"
        )
    relations, lost = _relations(source)
    columns = _fetch(
        source,
        "proof/whatif/column_statistics.sql",
        ranges=_RANGES if source.server_version >= _RANGES_SINCE else _NO_RANGES,
    )
    with source.cursor() as cur:
        cur.execute("select pg_catalog.current_schemas(false)::text[]")
        (path,) = cur.fetchone() or ([],)
    lost = (*lost, *_unread(source))
    return Facts(relations, columns, read_extended(source), settings, path, lost)


def _unread(source: AnyConnection) -> Iterator[str]:
    """The tables without statistics, a line a reason: there may be very many tables."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for row in sql.fetch(source, "proof/whatif/unread_statistics.sql"):
        tables.setdefault(row["reason"], []).append((row["schema_name"], row["table_name"]))
    for reason, why in _REASONS.items():
        if names := tables.get(reason):
            yield f"{why}: {listed(names)}"


def listed(tables: Sequence[tuple[str, str]]) -> str:
    """The first of many *tables*, by schema and name, and how many more there are."""
    more = len(tables) - _MOST_NAMED
    return ", ".join(qualified(*each) for each in tables[:_MOST_NAMED]) + (
        f" and {more:,} more" if more > 0 else ""
    )


def grown(source: AnyConnection, facts: Facts, volume: float | Mapping[str, float]) -> Facts:
    """*facts* at *volume* times the rows and pages, of all tables or by qualified name.

    Raises BadInput for a volume that cannot be, or a table that is not there.
    """
    if isinstance(volume, Mapping):
        known = {each.name for each in facts.relations if each.kind in _TABLES}
        if unknown := sorted(volume.keys() - known):
            raise BadInput(f"volume: {unknown[0]} is no table of the source: write schema.table")
    factors = list(volume.values()) if isinstance(volume, Mapping) else [volume]
    if not all(0 < each < float("inf") for each in factors):
        raise BadInput(f"a volume of {factors[0]} cannot be: give a factor above 0")
    if all(each == 1 for each in factors):
        return facts
    table_of = {
        (row["schema_name"], row["index_name"]): qualified(row["schema_name"], row["table_name"])
        for row in sql.fetch(source, "proof/whatif/tables_of_indexes.sql")
    }

    def factor(name: str) -> float:
        return volume.get(name, 1.0) if isinstance(volume, Mapping) else volume

    relations = [
        each.grown(factor(table_of.get((each.schema_name, each.relation_name), each.name)))
        for each in facts.relations
    ]
    refers = {
        (row["schema_name"], row["table_name"], row["column_name"]): factor(
            qualified(row["referenced_schema"], row["referenced_table"])
        )
        for row in sql.fetch(source, "proof/whatif/foreign_columns.sql")
    }
    columns = [
        _spread(each, refers.get((each["schema_name"], each["relation_name"], each["column_name"]), 1.0))
        for each in facts.columns
    ]
    return replace(facts, relations=relations, columns=columns)


def _spread(column: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    """A column that refers to *factor* times as many rows: each of them has so much less of its own."""
    if factor == 1:
        return column
    shares = column["most_common_freqs"]
    return {
        **column,
        "n_distinct": column["n_distinct"] * (factor if column["n_distinct"] > 0 else 1.0),
        "most_common_freqs": [share / factor for share in shares] if shares else shares,
    }


def _relations(source: AnyConnection) -> tuple[list[Relation], tuple[str, ...]]:
    """The relations; where one is locked, the lengths are those of the last ANALYZE."""
    lost: tuple[str, ...] = ()
    try:
        rows = _fetch(source, "proof/whatif/relations.sql", blocks=_LENGTH)
    except (psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled):
        if not source.autocommit:
            source.rollback()
        rows = _fetch(source, "proof/whatif/relations.sql", blocks="c.relpages")
        lost = (
            "the present length of the files, as a table is locked: "
            "those of the last VACUUM or ANALYZE count",
        )
    return [Relation(**row) for row in rows], lost


def _fetch(conn: AnyConnection, name: str, **fields: str) -> list[dict[str, Any]]:
    text = composed.SQL(sql.read(name)).format(**{key: composed.SQL(value) for key, value in fields.items()})
    with conn.cursor() as cur:
        cur.execute(text)
        names = [column.name for column in cur.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cur.fetchall()]


def restore(conn: Connection, facts: Facts) -> tuple[str, ...]:
    """Write *facts* into the clone behind *conn*; what it refused, a line each."""
    relations = [
        {
            "schema_name": each.schema_name,
            "relation_name": each.relation_name,
            "pages": each.pages,
            "rows": each.rows,
            "pages_visible": each.pages_visible,
        }
        for each in facts.relations
    ]
    done = sql.fetch(conn, "proof/whatif/restore_relations.sql", {"relations": json.dumps(relations)})
    lost = [
        f"size and rows of {qualified(row['schema_name'], row['relation_name'])}"
        for row in done
        if not row["restored"]
    ]
    there = {(row["schema_name"], row["relation_name"]) for row in done}
    lost += [
        f"{each.name}: it is not in the clone"
        for each in facts.relations
        if each.readable and (each.schema_name, each.relation_name) not in there
    ]
    columns = json.dumps(list(facts.columns))
    for row in sql.fetch(conn, "proof/whatif/restore_columns.sql", {"columns": columns}):
        if not row["restored"]:
            table = qualified(row["schema_name"], row["relation_name"])
            lost.append(f"part of the statistics of column {row['column_name']} of {table}")
    return tuple(lost)
