"""What the foreign keys of a catalog say about how many rows belong to how many: one relation a key."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workbench.catalog.model import Catalog, Constraint, Table, qualified

TableKey = tuple[str, str]  # schema, name

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_MATCH_FULL = re.compile(r"\bMATCH\s+FULL\b", re.IGNORECASE)
_PERIOD = re.compile(r"\bPERIOD\b", re.IGNORECASE)
_WITHOUT_OVERLAPS = re.compile(r"\bWITHOUT\s+OVERLAPS\b", re.IGNORECASE)
_NOT_NULL_PREDICATE = re.compile(r'\(*(?P<column>"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*) IS NOT NULL\)*\Z')


@dataclass(frozen=True)
class Relation:
    """One foreign key, composite or not, between two tables as drawn (a partition counts as its root).

    *child_many* is false where the key's columns are unique: a parent has one child at most.
    *parent_optional* is true where a child may stand without a parent: a key column may be null, or
    the key is not (yet) held by every row. *over_time* marks a temporal key (``period``): a child
    may lean on several versions of its parent. *doubt* says why a key does not hold for every row.
    """

    name: str
    child: TableKey
    columns: tuple[str, ...]
    parent: TableKey
    referenced_columns: tuple[str, ...]
    child_many: bool
    parent_optional: bool
    over_time: bool = False
    on_delete: str = ""
    doubt: str = ""

    @property
    def sentence(self) -> str:
        """The relation in words, as a tooltip and for a reader without the picture."""
        parent = "one or more" if self.over_time else "zero or one" if self.parent_optional else "exactly one"
        child = "zero or more" if self.child_many else "zero or one"
        keys = f"{qualified(*self.child)} ({', '.join(self.columns)})"
        referenced = f"{qualified(*self.parent)} ({', '.join(self.referenced_columns)})"
        action = f"; on delete {self.on_delete}" if self.on_delete not in ("", "no action") else ""
        doubt = f"; {self.doubt}" if self.doubt else ""
        return f"{keys} → {referenced}: each has {parent}, and is had by {child}{action}{doubt}"


def roots(catalog: Catalog) -> dict[TableKey, TableKey]:
    """For every table of *catalog*, the table that is drawn for it: the root of its partitions, or itself."""
    parents = {(table.schema, table.name): table.partition_of for table in catalog.tables}
    found: dict[TableKey, TableKey] = {}
    for key in parents:
        top, seen = key, {key}
        while (above := parents.get(top)) is not None and above in parents and above not in seen:
            top = above
            seen.add(top)
        found[key] = top
    return found


def relations(catalog: Catalog) -> list[Relation]:
    """Every foreign key of *catalog* once, ordered by child, columns and parent.

    The copies that partitions have of their root's keys are folded into one; a key that is declared
    on partitions alone becomes a relation of the root, in doubt where some partition lacks it.
    A key to a table that the catalog does not hold is left out.
    """
    drawn = roots(catalog)
    leaves = _leaves(catalog)
    groups: dict[tuple[TableKey, tuple[tuple[str, str], ...], TableKey], list[tuple[Table, Constraint]]]
    groups = defaultdict(list)
    for table in catalog.tables:
        for key in table.foreign_keys:
            if key.references not in drawn:
                continue
            child, parent = drawn[table.schema, table.name], drawn[key.references]
            pairs = tuple(sorted(zip(key.columns, key.referenced_columns, strict=False)))
            groups[child, pairs, parent].append((table, key))
    found = [
        _relation(catalog.table(*child), parent, declared, leaves)
        for (child, _, parent), declared in groups.items()
    ]
    return sorted(found, key=lambda each: (each.child, each.columns, each.parent, each.referenced_columns))


def unique_keys(table: Table) -> list[tuple[str, ...]]:
    """The column sets of *table* that no two rows share, the primary key first.

    From primary keys, unique constraints and valid unique indexes on plain columns, whole or with
    the predicate that their one column is not null. Partial indexes, expressions and keys
    ``without overlaps`` promise less and are left out.
    """
    constraints = [
        key for key in table.constraints if key.kind in ("primary key", "unique") and not _is_temporal(key)
    ]
    ordered = sorted(constraints, key=lambda key: (key.kind != "primary key", key.name))
    found = [key.columns for key in ordered if key.columns]
    temporal = {key.name for key in table.constraints if _is_temporal(key)}
    for index in sorted(table.indexes, key=lambda index: index.name):
        columns = tuple(column for column in index.columns if column is not None)
        whole = bool(columns) and len(columns) == len(index.columns)
        if not (index.unique and index.valid and whole) or {index.name, index.constraint} & temporal:
            continue
        if index.predicate is None or _only_excludes_nulls(index.predicate, columns):
            found.append(columns)
    return list(dict.fromkeys(found))


def degree(found: Iterable[Relation]) -> Mapping[TableKey, int]:
    """How many relations each table takes part in."""
    counts: dict[TableKey, int] = defaultdict(int)
    for relation in found:
        for key in {relation.child, relation.parent}:
            counts[key] += 1
    return counts


def _relation(
    root: Table,
    parent: TableKey,
    declared: list[tuple[Table, Constraint]],
    leaves: Mapping[TableKey, frozenset[TableKey]],
) -> Relation:
    """The relation of *root* to *parent* that the keys *declared* on it or its partitions make."""
    own = [(table, key) for table, key in declared if table is root]
    doubt = ""
    if not own:
        doubt = _coverage(root, {(table.schema, table.name) for table, _ in declared}, leaves)
    considered = own or declared
    _, key = considered[0]
    doubt = doubt or _weakness([key for _, key in considered])
    optional = any(_may_lack_a_parent(table, key) for table, key in considered)
    over_time = _PERIOD.search(_QUOTED.sub("", key.definition)) is not None
    unique = any(set(columns) <= set(key.columns) for columns in unique_keys(root))
    return Relation(
        name=key.name,
        child=(root.schema, root.name),
        columns=key.columns,
        parent=parent,
        referenced_columns=key.referenced_columns,
        child_many=over_time or not unique,
        parent_optional=optional or bool(doubt),
        over_time=over_time,
        on_delete=key.on_delete,
        doubt=doubt,
    )


def _may_lack_a_parent(table: Table, key: Constraint) -> bool:
    """Whether a row of *table* may refer to nothing: under MATCH FULL only if all columns are null."""
    by_name = {column.name: column.nullable for column in table.columns}
    nullable = [by_name.get(name, True) for name in key.columns]
    full = _MATCH_FULL.search(_QUOTED.sub("", key.definition)) is not None
    return all(nullable) if full else any(nullable)


def _weakness(keys: list[Constraint]) -> str:
    """Why rows may break the key, where each of *keys* that declares it is weak; else nothing."""
    if any(key.enforced and key.validated for key in keys):
        return ""
    return "not enforced" if not any(key.enforced for key in keys) else "not validated for older rows"


def _coverage(root: Table, covered: set[TableKey], leaves: Mapping[TableKey, frozenset[TableKey]]) -> str:
    """In doubt where the key is declared on fewer partitions than *root* has; else nothing."""
    total = leaves.get((root.schema, root.name), frozenset())
    reached = total & frozenset().union(*(leaves.get(key, frozenset({key})) for key in covered))
    return f"declared on {len(reached)} of {len(total)} partitions only" if reached < total else ""


def _leaves(catalog: Catalog) -> dict[TableKey, frozenset[TableKey]]:
    """The leaf partitions that lie under each partitioned table, at any depth."""
    parents = {(table.schema, table.name): table.partition_of for table in catalog.tables}
    inner = set(parents.values())
    found: dict[TableKey, set[TableKey]] = defaultdict(set)
    for leaf, parent in parents.items():
        above = parent if leaf not in inner else None
        while above is not None and leaf not in found[above]:
            found[above].add(leaf)
            above = parents.get(above)
    return {key: frozenset(below) for key, below in found.items()}


def _is_temporal(key: Constraint) -> bool:
    return _WITHOUT_OVERLAPS.search(_QUOTED.sub("", key.definition)) is not None


def _only_excludes_nulls(predicate: str, columns: tuple[str, ...]) -> bool:
    """Whether *predicate* says no more than that one of *columns* is not null.

    A row that refers to a parent has no null in its key, so that such an index binds all of them.
    """
    matched = _NOT_NULL_PREDICATE.match(predicate)
    if not matched:
        return False
    name = matched["column"]
    return (name[1:-1].replace('""', '"') if name.startswith('"') else name) in columns
