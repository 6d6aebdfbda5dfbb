"""What an application asks of its data, and how often: access patterns, read from a JSON file.

``[{"name": "order with its lines", "kind": "read", "root": "shop.orders", "by": ["order_id"],
"include": [{"table": "shop.order_items", "newest": 20, "order_by": "-line_number"}], "per_hour": 1200}]``
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from workbench.catalog.model import Catalog, Table, qualified
from workbench.documents.design.model import Order, Relationship, TableKey, relationships
from workbench.errors import BadInput

PatternKind = Literal["read", "insert", "update", "delete"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in"]
_INCLUDES_DEEP = 8

_PATTERN_KEYS = (
    "name",
    "kind",
    "root",
    "by",
    "filter",
    "sort",
    "limit",
    "columns",
    "include",
    "aggregate",
    "set",
    "per_hour",
)
_INCLUDE_KEYS = ("table", "via", "columns", "newest", "order_by", "include", "filter")


class PatternError(BadInput):
    """A pattern that cannot be: the message says which, where and what to do."""


@dataclass(frozen=True)
class Condition:
    """A comparison of *column*; without a *value* (None), a value of the rows is sampled."""

    column: str
    operator: Operator
    value: Any = None


@dataclass(frozen=True)
class Include:
    """Rows read along with others: the children along *relationship*, or with *to_parent* the one parent.

    *columns* that are read, none for all; *newest* limits the children to the first by *order*.
    """

    relationship: Relationship
    to_parent: bool
    columns: tuple[str, ...] = ()
    newest: int | None = None
    order: Order = ()
    where: tuple[Condition, ...] = ()
    include: tuple[Include, ...] = ()

    @property
    def table(self) -> TableKey:
        return self.relationship.parent if self.to_parent else self.relationship.child


@dataclass(frozen=True)
class Aggregate:
    """Instead of rows: their number, and the sums of columns."""

    sums: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccessPattern:
    """One operation and its frequency. Rows of *root* are found by equality of the columns *by*.

    *assumed* says that nobody declared it, *origin* where it comes from, *notes* what it leaves out.
    """

    name: str
    kind: PatternKind
    root: TableKey
    by: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    sort: Order = ()
    limit: int | None = None
    columns: tuple[str, ...] = ()
    include: tuple[Include, ...] = ()
    aggregate: Aggregate | None = None
    set: tuple[str, ...] = ()
    per_hour: float = 1.0
    assumed: bool = False
    origin: str = "file"
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def writes(self) -> bool:
        return self.kind != "read"

    @property
    def relationships(self) -> tuple[Relationship, ...]:
        """The relationships that it follows."""
        return tuple(each.relationship for each in all_includes(self.include))


def all_includes(found: Iterable[Include]) -> Iterator[Include]:
    """Each include with those within it."""
    for each in found:
        yield each
        yield from all_includes(each.include)


def read_patterns(path: str | Path, catalog: Catalog) -> tuple[AccessPattern, ...]:
    """The patterns of the JSON file *path*. Raises PatternError with the file, the pattern and the remedy."""
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise PatternError(f"{source}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise PatternError(f"{source}: is not UTF-8: save it as UTF-8") from exc
    try:
        found = json.loads(text)
    except json.JSONDecodeError as exc:
        raise PatternError(f"{source}:{exc.lineno}: is not JSON: {exc.msg}") from exc
    except RecursionError as exc:
        raise PatternError(f"{source}: is nested too deeply for a list of patterns") from exc
    return patterns_of(found, catalog, where=str(source))


def patterns_of(data: Any, catalog: Catalog, *, where: str = "patterns") -> tuple[AccessPattern, ...]:
    """The patterns that plain *data* (a list of objects) describes. Raises PatternError."""
    if not isinstance(data, list):
        raise PatternError(f"{where}: is not a list of patterns: write [{{...}}, {{...}}]")
    if not data:
        raise PatternError(f"{where}: holds no pattern: name at least one read or write")
    reader = _Reader(catalog)
    found = tuple(reader.pattern(each, f"{where}, pattern {n}") for n, each in enumerate(data, start=1))
    seen: set[str] = set()
    for each in found:
        if each.name in seen:
            raise PatternError(f"{where}: two patterns are named {each.name!r}: give each a name of its own")
        seen.add(each.name)
    return found


def closest(name: str, names: Iterable[str]) -> str:
    """A remedy: the name that was likely meant, or the names that there are."""
    known = sorted(set(names))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    return f"there are {listed}" if known else "there are none"


class Names:
    """Finds tables, columns and relationships of a catalog by the names that people write."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.tables = {(table.schema, table.name): table for table in catalog.base_tables}
        self.relationships = relationships(catalog)
        self._roots = {
            (table.schema, table.name): table.partition_of for table in catalog.tables if table.partition_of
        }
        self._known = (*self.tables, *self._roots)

    def is_view(self, written: str) -> bool:
        """Whether *written* names no table that holds rows, but a view or the like."""
        others = (each for each in self.catalog.tables if (each.schema, each.name) not in self._known)
        return any(written in (each.name, f"{each.schema}.{each.name}") for each in others) and not any(
            written in (name, f"{schema}.{name}") for schema, name in self._known
        )

    def table(self, written: str, where: str) -> Table:
        """The table that *written* names, with or without its schema; a partition names its root."""
        written = written.strip()
        keys = [
            key
            for key in self._known
            if written in (f"{key[0]}.{key[1]}", qualified(*key), key[1], qualified(key[1]))
        ]
        for key in keys:
            if written != key[1]:
                keys = [key]
                break
        if not keys:
            names = [qualified(*key) for key in self.tables]
            if "." not in written:
                names = [key[1] for key in self.tables]
            raise PatternError(f"{where}: there is no table {written!r}: {closest(written, names)}")
        if len(keys) > 1:
            listed = ", ".join(sorted(qualified(*key) for key in keys))
            raise PatternError(f"{where}: {written!r} is one of {listed}: write it with its schema")
        key = keys[0]
        while key in self._roots and key not in self.tables:
            key = self._roots[key] or key
        return self.tables[key]

    def column(self, table: Table, written: str, where: str) -> str:
        names = [column.name for column in table.columns]
        if written not in names:
            raise PatternError(
                f"{where}: table {table.qualified} has no column {written!r}: {closest(written, names)}"
            )
        return written

    def between(
        self, one: TableKey, other: TableKey, via: str | None, where: str
    ) -> tuple[Relationship, bool]:
        """The foreign key between a table and the one read along with it, and whether that is its parent."""
        found = [(each, False) for each in self.relationships if (each.parent, each.child) == (one, other)]
        found += [(each, True) for each in self.relationships if (each.child, each.parent) == (one, other)]
        if via is not None:
            named = [each for each in found if via == each[0].name or via in each[0].columns]
            names = [name for each, _ in found for name in (each.name, *each.columns)]
            if not named:
                raise PatternError(
                    f"{where}: no foreign key {via!r} joins {qualified(*one)} and {qualified(*other)}: "
                    f"{closest(via, names)}"
                )
            found = named
        if not found:
            raise PatternError(
                f"{where}: no foreign key joins {qualified(*one)} and {qualified(*other)}: "
                "include a table that refers to it, or that it refers to"
            )
        if len({each[0] for each in found}) > 1 and via is None:
            listed = ", ".join(sorted({each[0].name for each in found}))
            raise PatternError(
                f"{where}: several foreign keys join {qualified(*one)} and {qualified(*other)}: "
                f'name one of {listed} as "via"'
            )
        return found[0]


class _Reader:
    def __init__(self, catalog: Catalog) -> None:
        self.names = Names(catalog)

    def pattern(self, data: Any, where: str) -> AccessPattern:
        given = _object(data, where, _PATTERN_KEYS)
        name = _text(given, "name", where)
        where = f"{where} ({name})"
        kind = _text(given, "kind", where, default="read")
        if kind not in get_args(PatternKind):
            raise PatternError(f"{where}: kind {kind!r} is none of read, insert, update, delete")
        table = self.names.table(_text(given, "root", where), where)
        primary = table.primary_key.columns if table.primary_key else ()
        by = self._columns(given, "by", table, where)
        if kind in ("update", "delete") and not by:
            by = primary
            if not by:
                raise PatternError(f'{where}: {table.qualified} has no primary key: say "by" which columns')
        changed = self._columns(given, "set", table, where)
        if kind == "update" and not changed:
            raise PatternError(f'{where}: an update changes something: name the columns in "set"')
        if kind != "update" and changed:
            raise PatternError(f'{where}: "set" belongs to an update, this is {_article(kind)}')
        if set(changed) & set(primary):
            raise PatternError(
                f"{where}: the key {', '.join(sorted(set(changed) & set(primary)))} is _id there, "
                "which cannot change: write a delete and an insert"
            )
        return AccessPattern(
            name=name,
            kind=kind,  # type: ignore[arg-type]
            root=(table.schema, table.name),
            by=by,
            where=self._conditions(given, table, where),
            sort=self._order(given, "sort", table, where),
            limit=_count(given, "limit", where),
            columns=self._columns(given, "columns", table, where),
            include=self._includes(given, table, where, 1),
            aggregate=self._aggregate(given, table, where),
            set=changed,
            per_hour=_frequency(given, where),
        )

    def _includes(self, given: Mapping[str, Any], table: Table, where: str, deep: int) -> tuple[Include, ...]:
        items = given.get("include", [])
        if not isinstance(items, list):
            raise PatternError(f'{where}: "include" is not a list: write [{{"table": ...}}]')
        if deep > _INCLUDES_DEEP and items:
            raise PatternError(f"{where}: includes are nested more than {_INCLUDES_DEEP} deep")
        return tuple(self._include(item, table, where, deep) for item in items)

    def _include(self, item: Any, table: Table, where: str, deep: int) -> Include:
        item = {"table": item} if isinstance(item, str) else item
        given = _object(item, f"{where}, include", _INCLUDE_KEYS)
        other = self.names.table(_text(given, "table", f"{where}, include"), where)
        where = f"{where}, include {other.qualified}"
        via = _text(given, "via", where) if "via" in given else None
        relationship, to_parent = self.names.between(
            (table.schema, table.name), (other.schema, other.name), via, where
        )
        newest = _count(given, "newest", where)
        order = self._order(given, "order_by", other, where)
        if newest is not None and to_parent:
            raise PatternError(f'{where}: a row has one parent there: "newest" belongs to children')
        if newest is not None and not order:
            raise PatternError(f'{where}: the newest {newest} by what? Name a column in "order_by"')
        return Include(
            relationship,
            to_parent,
            columns=self._columns(given, "columns", other, where),
            newest=newest,
            order=order,
            where=self._conditions(given, other, where),
            include=self._includes(given, other, where, deep + 1),
        )

    def _columns(self, given: Mapping[str, Any], key: str, table: Table, where: str) -> tuple[str, ...]:
        items = given.get(key, [])
        items = [items] if isinstance(items, str) else items
        if not isinstance(items, list) or not all(isinstance(each, str) for each in items):
            raise PatternError(f'{where}: "{key}" is not a list of column names')
        return tuple(dict.fromkeys(self.names.column(table, each, where) for each in items))

    def _order(self, given: Mapping[str, Any], key: str, table: Table, where: str) -> Order:
        """Columns to sort by: ``"-created_at"`` is descending, ``["created_at", "desc"]`` too."""
        items = given.get(key, [])
        items = [items] if isinstance(items, str) else items
        if not isinstance(items, list) or not all(isinstance(each, str) for each in items):
            raise PatternError(
                f'{where}: "{key}" is not a list of column names, a "-" before those descending'
            )
        if len(items) == 2 and items[1] in ("asc", "desc"):
            items = [f"-{items[0]}" if items[1] == "desc" else items[0]]
        names = {column.name for column in table.columns}
        return tuple(
            (self.names.column(table, each, where), 1)
            if each in names or not each.startswith("-")
            else (self.names.column(table, each[1:], where), -1)
            for each in items
        )

    def _conditions(self, given: Mapping[str, Any], table: Table, where: str) -> tuple[Condition, ...]:
        items = given.get("filter", [])
        if not isinstance(items, list):
            raise PatternError(f'{where}: "filter" is not a list: write [{{"column": ..., "op": "="}}]')
        found = []
        for item in items:
            condition = _object(item, f"{where}, filter", ("column", "op", "value"))
            column = self.names.column(table, _text(condition, "column", f"{where}, filter"), where)
            operator = _text(condition, "op", where, default="=")
            if operator not in get_args(Operator):
                known = ", ".join(get_args(Operator))
                raise PatternError(f"{where}: the comparison {operator!r} is none of {known}")
            value = condition.get("value")
            if operator == "in" and not (isinstance(value, list) and value):
                raise PatternError(f'{where}: the comparison "in" needs a list of values')
            value = tuple(value) if isinstance(value, list) else value
            if isinstance(value, dict):
                raise PatternError(
                    f"{where}: the value of {column!r} is an object: give a text, number or list"
                )
            found.append(Condition(column, operator, value))  # type: ignore[arg-type]
        return tuple(found)

    def _aggregate(self, given: Mapping[str, Any], table: Table, where: str) -> Aggregate | None:
        if "aggregate" not in given:
            return None
        item = _object(given["aggregate"], f"{where}, aggregate", ("count", "sum"))
        return Aggregate(self._columns(item, "sum", table, where))


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _object(data: Any, where: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise PatternError(f"{where}: is not an object: write {{...}}")
    for key in data:
        if key not in known:
            raise PatternError(f"{where}: {key!r} is not known: {closest(key, known)}")
    return data


def _text(given: Mapping[str, Any], key: str, where: str, *, default: str | None = None) -> str:
    value = given.get(key, default)
    if value is None:
        raise PatternError(f'{where}: "{key}" is missing')
    if not isinstance(value, str) or not value.strip():
        raise PatternError(f'{where}: "{key}" is {value!r}, not a text')
    return value


def _count(given: Mapping[str, Any], key: str, where: str) -> int | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise PatternError(f'{where}: "{key}" is {value!r}, not a whole number from 1 to 1,000,000')
    return value


def _frequency(given: Mapping[str, Any], where: str) -> float:
    value = given.get("per_hour", 1)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 < value <= 1e12:
        raise PatternError(f'{where}: "per_hour" is {value!r}, not a number above 0')
    return float(value)
