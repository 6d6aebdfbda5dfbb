"""Candidates: indexes made on tables without a page, and given the size that they would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection
from workbench.proof.whatif import sizes
from workbench.proof.whatif.expressions import restore_expressions
from workbench.proof.whatif.files import Folder
from workbench.proof.whatif.model import IndexDefinition, Refused
from workbench.proof.whatif.sizing import Sized, Sizer

_NAME = "wb_whatif_{}"
Columns = Mapping[int, Sequence[Mapping[str, Any]]]


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
    sizer: Sizer
    made: int = 0

    def make(self, candidates: Sequence[IndexDefinition]) -> tuple[list[Created], list[Refused]]:
        """Create, size and hide *candidates*; those that the engine refuses are told."""
        created, refused = self._create(candidates)
        if not created:
            return [], refused
        tree = sql.fetch(self.admin, "proof/whatif/created_indexes.sql", {"indexes": list(created)})
        sized = self._settle(tree, {oid: definition for oid, (_, definition) in created.items()})
        sql.run(self.admin, ["proof/whatif/hide_indexes.sql"], {"indexes": [row["oid"] for row in tree]})
        members: dict[int, list[Mapping[str, Any]]] = {}
        for row in tree:
            members.setdefault(row["root"], []).append(row)
        found = []
        for oid, (name, definition) in created.items():
            files = [sized[row["oid"]] for row in members[oid] if row["oid"] in sized]
            found.append(
                Created(
                    definition,
                    oid,
                    name,
                    tuple(row["oid"] for row in members[oid]),
                    tuple((row["schema_name"], row["name"]) for row in members[oid]),
                    sum(each.size.pages for each in files) * sizes.PAGE,
                    sum(each.rows for each in files),
                )
            )
        return found, refused

    def _create(
        self, candidates: Sequence[IndexDefinition]
    ) -> tuple[dict[int, tuple[str, IndexDefinition]], list[Refused]]:
        """Create while the tables' files are empty, so that nothing is read, and restore their lengths."""
        tables = sorted({(each.schema, each.table) for each in candidates})
        given = {"schemas": [schema for schema, _ in tables], "tables": [table for _, table in tables]}
        paths = [row["path"] for row in sql.fetch(self.admin, "proof/whatif/table_files.sql", given)]
        lengths = {path: self.folder.length(path) for path in paths}
        names: dict[str, IndexDefinition] = {}
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
                    names[name] = definition
        finally:
            for path, pages in lengths.items():
                self.folder.set_length(path, pages)
        found = sql.fetch(self.admin, "proof/whatif/indexes_by_name.sql", {"names": list(names)})
        return {row["oid"]: (row["name"], names[row["name"]]) for row in found}, refused

    def _settle(
        self, tree: Sequence[Mapping[str, Any]], definitions: Mapping[int, IndexDefinition]
    ) -> dict[int, Sized]:
        """Rows and sizes by oid, written into the catalog and into the files' lengths."""
        root_of = {row["oid"]: row["root"] for row in tree if row["has_file"]}
        columns = index_columns(self.admin, list(root_of))
        predicates = {(each.schema, each.table, each.predicate): each for each in definitions.values()}
        asked = {key: self._fraction(each) for key, each in predicates.items() if each.predicate}
        fractions = {
            oid: asked.get((each.schema, each.table, each.predicate), 1.0)
            for oid, each in definitions.items()
        }
        self._count_unknown(columns)
        self._ration(columns, root_of)
        self.sizer.prepare(columns)
        found = {
            oid: self.sizer.sized(definitions[root_of[oid]], each, fractions.get(root_of[oid], 1.0))
            for oid, each in columns.items()
        }
        evict(self.admin, list(columns))
        for oid, each in columns.items():
            self.folder.set_length(each[0]["path"], found[oid].size.pages)
            if each[0]["method"] == "btree":
                self.folder.set_height(each[0]["path"], found[oid].size.height)
        evict(self.admin, list(columns))  # what was read meanwhile is not what is there now
        sql.run(
            self.admin,
            ["proof/whatif/settle_indexes.sql"],
            {
                "indexes": list(found),
                "pages": [each.size.pages for each in found.values()],
                "rows": [each.rows for each in found.values()],
            },
        )
        restore_expressions(self.owner, self.sizer, columns, found)
        return found

    def _count_unknown(self, columns: Mapping[int, list[dict[str, Any]]]) -> None:
        """Where ANALYZE never ran, a table has the rows that the planner guesses by its length."""
        guessed: dict[int, float] = {}
        for each in columns.values():
            table = each[0]["table_oid"]
            if each[0]["table_rows"] < 0:
                if table not in guessed:
                    name = composed.Identifier(each[0]["schema_name"], each[0]["table_name"])
                    guessed[table] = self._expected_rows(composed.SQL("select 1 from only {}").format(name))
                for row in each:
                    row["table_rows"] = guessed[table]

    def _ration(self, columns: Columns, root_of: Mapping[int, int]) -> None:
        """Sample partitioned tables as wholes."""
        partitions: dict[int, dict[int, float]] = {}
        for oid, each in columns.items():
            partitions.setdefault(root_of[oid], {})[each[0]["table_oid"]] = each[0]["table_rows"]
        for tables in partitions.values():
            if len(tables) > 1:
                self.sizer.samples.ration(sorted(tables, key=lambda table: -tables[table]))

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
