"""Patterns that nobody declared: from the keys of a schema, and the writes that a workload leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from workbench.catalog.model import Catalog, Table
from workbench.documents.design.model import Order, Relationship, TableKey, is_part, relationships
from workbench.documents.design.patterns import AccessPattern, Include, all_includes
from workbench.documents.design.statistics import time_column

WRITES_PER_READ = 0.01  # where a workload declares no write of a table that it reads
READS = 10.0  # an hour, of an assumed read; a write is assumed once
MOST_PATTERNS = 60
_LATEST = 20
_NAMES = re.compile(r"name|title|label", re.IGNORECASE)
_ORIGIN = "keys"


def patterns_of_keys(
    catalog: Catalog, rows: Mapping[TableKey, float], *, most: int = MOST_PATTERNS
) -> tuple[tuple[AccessPattern, ...], tuple[str, ...]]:
    """The patterns that the keys of *catalog* suggest, ten reads to a write, and notes on what was left out.

    For each one-to-many foreign key a parent read with its children (of a join table also what it joins; the
    latest 20 where they are more than a part of the parent); for
    each table with a key a row read by it with the names of its parents, one by each unique key, an
    insert, and a change of what is no key. Of more than *most*, those on the largest
    tables (by *rows*) are kept.
    """
    maker = _Maker(catalog)
    found = list(maker.patterns())
    ordered = sorted(range(len(found)), key=lambda n: (*_heaviest(found[n], rows), n))
    kept = sorted(ordered[:most])
    notes = []
    if len(found) > most:
        notes.append(
            f"{len(found) - most} of {len(found)} assumed patterns left out: those on the smallest tables"
        )
    keyless = [table.qualified for table in catalog.base_tables if not table.primary_key]
    if keyless:
        shown = ", ".join(keyless[:5]) + (f" and {len(keyless) - 5} more" if len(keyless) > 5 else "")
        notes.append(f"no key, so that no pattern finds a row of them alone: {shown}")
    return tuple(found[n] for n in kept), tuple(notes)


def with_assumed_writes(catalog: Catalog, patterns: Sequence[AccessPattern]) -> tuple[AccessPattern, ...]:
    """*patterns*, and for each table that is read and never written an insert and an update.

    Each at a hundredth of the reads of the table, so that what copies and embeds pays for its writes.
    """
    written = {each.root for each in patterns if each.writes}
    reads: dict[TableKey, float] = {}
    for each in patterns:
        if not each.writes:
            for table in _touched(each):
                reads[table] = reads.get(table, 0.0) + each.per_hour
    added = [
        pattern
        for key, per_hour in reads.items()
        if key not in written
        for pattern in _writes(catalog.table(*key), per_hour * WRITES_PER_READ)
    ]
    return (*patterns, *added)


def _touched(pattern: AccessPattern) -> tuple[TableKey, ...]:
    return tuple(dict.fromkeys([pattern.root, *(each.table for each in all_includes(pattern.include))]))


def _heaviest(pattern: AccessPattern, rows: Mapping[TableKey, float]) -> tuple[float, TableKey]:
    """What brings the patterns of one table together, those of the largest first."""
    return min((-rows.get(table, 0.0), table) for table in _touched(pattern))


def _writes(table: Table, per_hour: float) -> Iterator[AccessPattern]:
    root = (table.schema, table.name)
    name = table.qualified
    yield AccessPattern(f"new row of {name}", "insert", root, per_hour=per_hour, assumed=True, origin=_ORIGIN)
    changing = _changing(table)
    if table.primary_key and changing:
        yield AccessPattern(
            f"change of {name}",
            "update",
            root,
            by=table.primary_key.columns,
            set=changing,
            per_hour=per_hour,
            assumed=True,
            origin=_ORIGIN,
        )


def _changing(table: Table) -> tuple[str, ...]:
    """Columns that belong to no key and are not computed."""
    keys = {
        name
        for each in table.constraints
        if each.kind in ("primary key", "unique", "foreign key")
        for name in each.columns
    }
    return tuple(each.name for each in table.columns if each.name not in keys and not each.generated)


def _latest(table: Table) -> Order:
    """The newest first: by the time that a row came, else by its key."""
    column = time_column(table)
    if column:
        return ((column, -1),)
    return tuple((name, -1) for name in (table.primary_key.columns if table.primary_key else ()))


class _Maker:
    def __init__(self, catalog: Catalog) -> None:
        self.tables = sorted(catalog.base_tables, key=lambda each: (each.schema, each.name))
        self.found = relationships(catalog)
        self._referred_to = frozenset(each.parent for each in self.found if not each.to_itself)
        self._by_key = {(table.schema, table.name): table for table in self.tables}

    def patterns(self) -> Iterator[AccessPattern]:
        for relationship in self.found:
            if not relationship.to_itself:
                yield self._with_children(relationship)
        for table in self.tables:
            yield from self._of_table(table)

    def _with_children(self, relationship: Relationship) -> AccessPattern:
        child, parent = self._by_key[relationship.child], self._by_key[relationship.parent]
        along = tuple(
            Include(each, True, columns=self._names(each.parent))
            for each in self.found
            if each.child == relationship.child
            and each != relationship
            and self._joins(child)
            and each.parent != each.child
        )
        several = sum(
            each.child == relationship.child and each.parent == relationship.parent for each in self.found
        )
        by = f" by {', '.join(relationship.columns)}" if several > 1 else ""
        part = relationship.single or is_part(relationship, self._referred_to)
        return AccessPattern(
            f"{parent.qualified} with {child.qualified}{by}",
            "read",
            relationship.parent,
            by=relationship.referenced,
            include=(
                Include(relationship, False, include=along)
                if part
                else Include(relationship, False, newest=_LATEST, order=_latest(child), include=along),
            ),
            per_hour=READS,
            assumed=True,
            origin=_ORIGIN,
        )

    def _joins(self, table: Table) -> bool:
        """Whether the key of *table* is made of the keys of others: it stands for many-to-many."""
        if table.primary_key is None:
            return False
        own = (table.schema, table.name)
        within = [
            each
            for each in self.found
            if each.child == own and set(each.columns) <= set(table.primary_key.columns)
        ]
        covered = {name for each in within for name in each.columns}
        return len({each.parent for each in within}) > 1 and covered == set(table.primary_key.columns)

    def _names(self, key: TableKey) -> tuple[str, ...]:
        """The columns that one would show of a parent: two that are called a name, else its first text."""
        table = self._by_key[key]
        texts = [
            each.name
            for each in table.columns
            if each.base_type in ("text", "character varying", "character", "citext") or each.enum_labels
        ]
        primary = set(table.primary_key.columns) if table.primary_key else set()
        texts = [name for name in texts if name not in primary]
        named = [name for name in texts if _NAMES.search(name)]
        return tuple(named[:2] or texts[:1])

    def _of_table(self, table: Table) -> Iterator[AccessPattern]:
        own = (table.schema, table.name)
        primary = table.primary_key.columns if table.primary_key else ()
        if primary and not self._joins(table):
            yield AccessPattern(
                f"{table.qualified} by its key",
                "read",
                own,
                by=primary,
                per_hour=READS,
                include=tuple(
                    Include(each, True, columns=names)
                    for each in self.found
                    if each.child == own and not each.to_itself and (names := self._names(each.parent))
                ),
                assumed=True,
                origin=_ORIGIN,
            )
        for each in table.constraints:
            if (
                each.kind == "unique"
                and set(each.columns) != set(primary)
                and not set(primary) <= set(each.columns)
            ):
                yield AccessPattern(
                    f"{table.qualified} by {', '.join(each.columns)}",
                    "read",
                    own,
                    by=each.columns,
                    per_hour=READS,
                    assumed=True,
                    origin=_ORIGIN,
                )
        yield from _writes(table, 1.0)


def touched_tables(patterns: Sequence[AccessPattern], found: Sequence[Relationship]) -> tuple[TableKey, ...]:
    """The tables that *patterns* need a place for: those they name, and the parents they find children by."""
    tables = dict.fromkeys(table for each in patterns for table in _touched(each))
    for each in patterns:
        for relationship in each.relationships:
            tables.setdefault(relationship.child)
            tables.setdefault(relationship.parent)
        for relationship in found:
            if relationship.child == each.root and each.by and set(relationship.key) <= set(each.by):
                tables.setdefault(relationship.parent)
    return tuple(tables)
