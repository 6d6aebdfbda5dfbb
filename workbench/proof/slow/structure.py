"""What reasons and rewrites need to know of tables: the catalog, the age of statistics, casts, collations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pglast import parse_sql
from pglast.keywords import COL_NAME_KEYWORDS, RESERVED_KEYWORDS, TYPE_FUNC_NAME_KEYWORDS

from workbench import sql
from workbench.catalog.model import Catalog, Column, Index, Table, quoted
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.proof.slow.tree import Tree, ast

_KEYWORDS = RESERVED_KEYWORDS | COL_NAME_KEYWORDS | TYPE_FUNC_NAME_KEYWORDS
_BY_BYTES = frozenset(("C", "POSIX", "ucs_basic", "pg_c_utf8"))


@dataclass(frozen=True)
class IndexKey:
    """A key of an index: the syntax of its expression, and the operator class where one is named."""

    expression: Tree
    operator_class: str = ""


@dataclass(frozen=True)
class Structure:
    """The tables of a database by schema and name, with what the planner knows of them."""

    catalog: Catalog
    server_version: int
    statistics: Mapping[tuple[str, str], Mapping[str, Any]] = field(repr=False)
    plain_casts: frozenset[tuple[str, str]] = field(repr=False)
    default_by_bytes: bool

    @cached_property
    def _tables(self) -> Mapping[tuple[str, str], Table]:
        return {(table.schema, table.name): table for table in self.catalog.tables}

    def table(self, schema: str, name: str) -> Table | None:
        return self._tables.get((schema, name))

    def find(self, name: str, search_path: Sequence[str]) -> Table | None:
        """The table of that name in the first schema of *search_path* that has one."""
        return next((found for each in search_path if (found := self.table(each, name))), None)

    def of(self, table: Table, fact: str, default: Any = None) -> Any:
        """A fact of sql/optimization/slow/tables.sql about *table*."""
        return self.statistics.get((table.schema, table.name), {}).get(fact, default)

    def pages(self, table: Table) -> int:
        """The pages of a table, of a partitioned one those of its partitions."""
        if table.kind == "partitioned table":
            return sum(self.pages(each) for each in self.partitions(table))
        return int(self.of(table, "pages", 0))

    @cached_property
    def _partitions(self) -> Mapping[tuple[str, str], list[Table]]:
        found: dict[tuple[str, str], list[Table]] = {}
        for each in self.catalog.tables:
            if each.partition_of:
                found.setdefault(each.partition_of, []).append(each)
        return found

    def partitions(self, table: Table) -> list[Table]:
        return self._partitions.get((table.schema, table.name), [])

    @cached_property
    def _inherited_from(self) -> frozenset[tuple[str, str]]:
        return frozenset(parent for each in self.catalog.tables for parent in each.inherits)

    def has_heirs(self, table: Table) -> bool:
        """Whether other tables inherit from *table* without being its partitions."""
        return (table.schema, table.name) in self._inherited_from

    def root(self, table: Table) -> Table:
        """The partitioned table that a partition is of, the topmost; any other table itself."""
        while table.partition_of and (parent := self.table(*table.partition_of)):
            table = parent
        return table

    def casts_plainly(self, column: Column, target: str) -> bool:
        """Whether the value of *column* is the same as a *target*, so that an index serves it."""
        return column.base_type == target or (column.base_type, target) in self.plain_casts

    def sorts_by_bytes(self, column: Column) -> bool:
        """Whether the column's collation compares bytes, so that a prefix is a range of its B-tree."""
        if column.collation in (None, "default", "pg_catalog.default"):
            return self.default_by_bytes
        return str(column.collation).rpartition(".")[2].strip('"') in _BY_BYTES

    def index_keys(self, index: Index) -> Sequence[IndexKey]:
        """The keys of an index as syntax; none where its definition cannot be parsed."""
        return tuple(_keys(index))

    def leading(self, table: Table) -> Iterator[tuple[Index, IndexKey]]:
        """The valid indexes of *table* with the key that each begins with."""
        for index in table.indexes:
            keys = self.index_keys(index) if index.valid else ()
            if keys:
                yield index, keys[0]


def read_structure(conn: Connection) -> Structure:
    """The structure of the database that *conn* is connected to; nothing is written."""
    return Structure(
        reflect(conn),
        conn.server_version,
        {(row["schema"], row["name"]): row for row in sql.fetch(conn, "optimization/slow/tables.sql")},
        frozenset(
            (row["source"], row["target"]) for row in sql.fetch(conn, "optimization/slow/plain_casts.sql")
        ),
        bool(sql.fetch(conn, "optimization/slow/default_collation.sql")[0]["by_bytes"]),
    )


def _keys(index: Index) -> Iterator[IndexKey]:
    parsed: Tree = parse_sql(index.definition)[0].stmt
    for element in parsed.indexParams:
        expression = ast.ColumnRef(fields=(ast.String(sval=element.name),)) if element.name else element.expr
        yield IndexKey(expression, element.opclass[-1].sval if element.opclass else "")


def name_in_sql(*names: str) -> str:
    """A qualified name as SQL takes it: quoted also where it is a keyword."""
    return ".".join('"' + each + '"' if each in _KEYWORDS else quoted(each) for each in names)
