"""Candidates: indexes made on tables without a page, and given the size that they would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.whatif import sizes
from workbench.proof.whatif.files import Folder
from workbench.proof.whatif.model import IndexDefinition, Refused

_NAME = "wb_whatif_{}"


@dataclass(frozen=True)
class Created:
    """A candidate in the clone with the indexes of its partitions; *members* holds its own oid as well."""

    definition: IndexDefinition
    oid: int
    name: str
    members: tuple[int, ...]
    names: tuple[tuple[str, str], ...]  # schema and name of each member
    size_bytes: int
    rows: float


@dataclass
class Maker:
    """Creates candidates: *owner* is who owns the tables, *admin* the cluster's superuser."""

    admin: Connection
    owner: Connection
    folder: Folder
    made: int = 0
    _lengths: dict[str, int] = field(default_factory=dict)

    def make(self, candidates: Sequence[IndexDefinition]) -> tuple[list[Created], list[Refused]]:
        """Create, size and hide *candidates*; those that the engine refuses are told."""
        created, refused = self._create(candidates)
        if not created:
            return [], refused
        tree = sql.fetch(self.admin, "proof/whatif/created_indexes.sql", {"indexes": list(created)})
        fractions = {
            oid: self._fraction(definition)
            for oid, (_, definition) in created.items()
            if definition.predicate
        }
        rows, size_bytes = self._settle(tree, fractions)
        sql.run(self.admin, ["proof/whatif/hide_indexes.sql"], {"indexes": [row["oid"] for row in tree]})
        found = []
        for oid, (name, definition) in created.items():
            own = [row for row in tree if row["root"] == oid]
            members = tuple(row["oid"] for row in own)
            names = tuple((row["schema_name"], row["name"]) for row in own)
            size = sum(size_bytes.get(each, 0) for each in members)
            of_rows = sum(rows.get(each, 0.0) for each in members)
            found.append(Created(definition, oid, name, members, names, size, of_rows))
        return found, refused

    def _create(
        self, candidates: Sequence[IndexDefinition]
    ) -> tuple[dict[int, tuple[str, IndexDefinition]], list[Refused]]:
        """Create while the tables' files are empty, so that nothing is read, and restore their lengths."""
        tables = sorted({(each.schema, each.table) for each in candidates})
        given = {"schemas": [schema for schema, _ in tables], "tables": [table for _, table in tables]}
        paths = [row["path"] for row in sql.fetch(self.admin, "proof/whatif/table_files.sql", given)]
        lengths = {path: self.folder.length(path) for path in paths}
        created: dict[int, tuple[str, IndexDefinition]] = {}
        refused: list[Refused] = []
        try:
            for path in paths:
                self.folder.set_length(path, 0)
            for definition in candidates:
                self.made += 1
                name = _NAME.format(self.made)
                try:
                    self.owner.execute(definition.create(name))
                except psycopg2.Error as exc:
                    refused.append(Refused(definition, (exc.diag.message_primary or str(exc)).strip()))
                else:
                    created[self._oid(definition.schema, name)] = (name, definition)
        finally:
            for path, pages in lengths.items():
                self.folder.set_length(path, pages)
        return created, refused

    def _oid(self, schema: str, name: str) -> int:
        (found,) = self.admin.execute(
            "select pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s::text, %s::text))::oid",
            [schema, name],
        ).fetchone() or (0,)
        return int(found)

    def _settle(
        self, tree: Sequence[Mapping[str, Any]], fractions: Mapping[int, float]
    ) -> tuple[dict[int, float], dict[int, int]]:
        """Rows and bytes by oid, written into the catalog and into the files' lengths."""
        root_of = {row["oid"]: row["root"] for row in tree if row["has_file"]}
        columns = index_columns(self.admin, list(root_of))
        evict(self.admin, list(columns))
        rows: dict[int, float] = {}
        pages: dict[int, int] = {}
        for oid, found in columns.items():
            rows[oid] = max(0.0, found[0]["table_rows"]) * fractions.get(root_of[oid], 1.0)
            size = size_of(rows[oid], found)
            pages[oid] = size.pages
            self.folder.set_length(found[0]["path"], size.pages)
            if found[0]["method"] == "btree":
                self.folder.set_height(found[0]["path"], size.height)
        settled = {
            "indexes": list(rows),
            "pages": [pages[each] for each in rows],
            "rows": list(rows.values()),
        }
        sql.run(self.admin, ["proof/whatif/settle_indexes.sql"], settled)
        return rows, {oid: count * sizes.PAGE for oid, count in pages.items()}

    def _fraction(self, definition: IndexDefinition) -> float:
        """The share of the rows that the planner expects to satisfy a partial index's predicate."""
        whole = composed.SQL("select 1 from {}").format(
            composed.Identifier(definition.schema, definition.table)
        )
        part = whole + composed.SQL(" where ") + composed.SQL(definition.predicate)
        return min(1.0, self._expected_rows(part) / max(1.0, self._expected_rows(whole)))

    def _expected_rows(self, query: composed.Composable) -> float:
        with self.owner.cursor() as cur:
            cur.execute(composed.SQL("explain (format json) ") + query)
            found = cur.fetchone()
        return float(found[0][0]["Plan"]["Plan Rows"]) if found else 0.0


def evict(admin: Connection, relations: Sequence[int]) -> None:
    """Take the pages of *relations* out of memory: a new index has its meta page there, and dirty."""
    (schema,) = sql.fetch(admin, "proof/whatif/evicting_schema.sql")
    text = composed.SQL(sql.read("proof/whatif/evict.sql")).format(schema=composed.Identifier(schema["name"]))
    admin.execute(text, {"relations": list(relations)})


def index_columns(admin: Connection, indexes: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The columns of each index, in order, with what decides their width."""
    columns: dict[int, list[dict[str, Any]]] = {}
    for row in sql.fetch(admin, "proof/whatif/index_columns.sql", {"indexes": list(indexes)}):
        columns.setdefault(row["index_oid"], []).append(row)
    return columns


def size_of(rows: float, found: Sequence[Mapping[str, Any]]) -> sizes.Size:
    """The size of an index with the columns *found*."""
    keys = [_column(row) for row in found if row["is_key"]]
    included = [_column(row) for row in found if not row["is_key"]]
    distinct = sizes.distinct_keys(rows, keys)
    return sizes.btree(rows, keys, included, distinct, unique=found[0]["is_unique"])


def height_of(pages: int, found: Sequence[Mapping[str, Any]]) -> int:
    """The height of a B-tree of *pages* with the columns *found*."""
    return sizes.btree_height(pages, [_column(row) for row in found if row["is_key"]])


def _column(row: Mapping[str, Any]) -> sizes.Column:
    return sizes.Column(
        row["length"],
        row["alignment"],
        row["avg_width"],
        row["null_frac"] or 0.0,
        row["n_distinct"],
        row["deduplicates"],
    )
