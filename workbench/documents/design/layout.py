"""From choices to collections: which objects stand where, and what their fields are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.catalog.model import Catalog, Column, Table
from workbench.documents.design.model import (
    Choice,
    CollectionDesign,
    Computed,
    Design,
    Field,
    Nested,
    Part,
    Relationship,
    TableKey,
    field_name,
    relationships,
)
from workbench.errors import BadInput

_SAME_WHEN_EQUAL = (
    "smallint",
    "integer",
    "bigint",
    "oid",
    "uuid",
    "text",
    "character varying",
    "character",
    "boolean",
    "date",
)


def design_of(
    catalog: Catalog, choices: Sequence[Choice], tables: Iterable[TableKey], *, name: str = "design"
) -> Design:
    """The design that *choices* make of *tables*; relationships without a choice are references.

    Raises BadInput where choices contradict each other: rows with two homes, or a home in a circle.
    """
    return _Layout(catalog, tuple(choices), tuple(dict.fromkeys(tables))).design(name)


@dataclass(frozen=True)
class _Layout:
    catalog: Catalog
    choices: tuple[Choice, ...]
    tables: tuple[TableKey, ...]

    def design(self, name: str) -> Design:
        owners = self._owners()
        self._require_roots(owners)
        names: set[str] = set()
        collections: list[CollectionDesign] = []
        for table in self.tables:
            if table not in owners:
                collections.append(self._collection(table, names))
        for choice in self.choices:
            if choice.kind in ("bucket", "outlier"):
                collections.append(self._buckets(choice, names))
        inside = tuple(
            each
            for each in relationships(self.catalog)
            if each.child in self.tables and each.parent in self.tables
        )
        return Design(name, self.choices, tuple(collections), inside)

    def _owners(self) -> dict[TableKey, Choice]:
        owners: dict[TableKey, Choice] = {}
        for choice in self.choices:
            if choice.kind in ("embed", "outlier", "bucket"):
                child = choice.relationship.child
                if child in owners:
                    raise BadInput(
                        f"{'.'.join(child)} would stand in two places: {owners[child].label}; {choice.label}"
                    )
                owners[child] = choice
        return owners

    def _require_roots(self, owners: dict[TableKey, Choice]) -> None:
        for table in owners:
            seen = {table}
            above = table
            while above in owners:
                if owners[above].kind != "embed" and above != table:
                    raise BadInput(
                        f"{'.'.join(above)} is split over documents: nothing can be embedded in its rows"
                    )
                above = owners[above].relationship.parent
                if above in seen:
                    raise BadInput(f"{'.'.join(table)} would be embedded in itself")
                seen.add(above)
        for choice in self.choices:
            parent = choice.relationship.parent
            split = parent in owners and owners[parent].kind != "embed"
            if choice.kind in ("subset", "computed", "outlier") and split:
                raise BadInput(f"{'.'.join(parent)} is split over documents: it can hold no {choice.kind}")

    def _collection(self, table: TableKey, names: set[str]) -> CollectionDesign:
        facts = self.catalog.table(*table)
        key = facts.primary_key.columns if facts.primary_key else ()
        return CollectionDesign(
            name=_free(self._name(table), names), part=self._part(facts, key, None), key=key
        )

    def _name(self, table: TableKey) -> str:
        """The table's name, with its schema where another schema has a table of that name."""
        shared = sum(each[1] == table[1] for each in self.tables) > 1
        name = f"{table[0]}_{table[1]}" if shared else table[1]
        name = name.replace("$", "_").replace("\0", "_")[:100]
        return f"_{name}" if name.startswith("system.") else name

    def _buckets(self, choice: Choice, names: set[str]) -> CollectionDesign:
        child = choice.relationship.child
        suffix = "_buckets" if choice.kind == "bucket" else "_overflow"
        facts = self.catalog.table(*child)
        fields = _fields(facts, (), frozenset(choice.relationship.columns))
        extended = self._extended(facts, {field.path[0] for field in fields}, choice.relationship)
        return CollectionDesign(
            name=_free(self._name(child) + suffix, names),
            part=Part(child, fields, nested=extended),
            kind="buckets",
            relationship=choice.relationship,
            bound=choice.bound,
            skip=choice.bound if choice.kind == "outlier" else 0,
            order=choice.order,
        )

    def _part(self, table: Table, key: tuple[str, ...], by: Relationship | None) -> Part:
        """The object of a row of *table*, reached *by* the relationship to the object above it."""
        inherited = self._inherited(table, by) if by else ()
        left_out = frozenset(column for column, _ in inherited)
        fields = _fields(table, key, left_out)
        taken = {field.path[0] for field in fields}
        own = (table.schema, table.name)
        nested: list[Nested] = list(self._extended(table, taken, by))
        computed: list[Computed] = []
        for choice in self.choices:
            relationship = choice.relationship
            if relationship.parent != own or relationship == by:
                continue
            child = self.catalog.table(*relationship.child)
            if choice.kind in ("embed", "outlier"):
                nested.append(self._children(choice, child, taken))
            elif choice.kind == "subset":
                part = Part(relationship.child, *self._copied(child, choice))
                name = _free(("latest_" if _descends(choice) else "first_") + child.name, taken)
                nested.append(Nested(name, part, relationship, "array", True, choice.bound, choice.order))
            elif choice.kind == "computed":
                computed.append(Computed(_free(f"{child.name}_summary", taken), relationship, choice.columns))
        return Part(own, fields, inherited, tuple(nested), tuple(computed))

    def _children(self, choice: Choice, child: Table, taken: set[str]) -> Nested:
        relationship = choice.relationship
        part = self._part(child, (), relationship)
        alone = relationship.single and choice.kind == "embed"
        shape: Literal["array", "object"] = "object" if alone else "array"
        name = _free(field_name(child.name), taken)
        return Nested(name, part, relationship, shape, False, choice.bound, choice.order)

    def _copied(self, child: Table, choice: Choice) -> tuple[tuple[Field, ...], tuple[tuple[str, str], ...]]:
        inherited = self._inherited(child, choice.relationship)
        key = child.primary_key.columns if child.primary_key else ()
        wanted = {*choice.columns, *key, *(name for name, _ in choice.order)}
        left_out = {column for column, _ in inherited}
        if choice.columns:
            left_out |= {column.name for column in child.columns if column.name not in wanted}
        return _fields(child, (), frozenset(left_out)), inherited

    def _extended(self, table: Table, taken: set[str], by: Relationship | None) -> tuple[Nested, ...]:
        """Objects with copies of named columns of the parents of *table*."""
        own = (table.schema, table.name)
        found = []
        for choice in self.choices:
            relationship = choice.relationship
            if choice.kind != "extended" or relationship.child != own or relationship == by:
                continue
            parent = self.catalog.table(*relationship.parent)
            wanted = frozenset(column.name for column in parent.columns if column.name not in choice.columns)
            fields = _fields(parent, (), wanted)
            stem = relationship.columns[-1].removesuffix("_id")
            name = stem if stem != relationship.columns[-1] else parent.name
            name = _free(field_name(name), taken)
            found.append(Nested(name, Part(relationship.parent, fields), relationship, "object", True))
        return tuple(found)

    def _inherited(self, table: Table, by: Relationship) -> tuple[tuple[str, str], ...]:
        """Columns of the foreign key that are the same text in both rows, and so need stand only above."""
        parent = self.catalog.table(*by.parent)
        return tuple(
            (column, referenced)
            for column, referenced in zip(by.columns, by.referenced, strict=True)
            if _same_when_equal(table.column(column), parent.column(referenced))
        )


def _same_when_equal(one: Column, other: Column) -> bool:
    exact = one.base_type in _SAME_WHEN_EQUAL or bool(one.enum_labels)
    return exact and one.base_type == other.base_type and one.collation is None and other.collation is None


def _descends(choice: Choice) -> bool:
    return bool(choice.order) and choice.order[0][1] < 0


def _fields(table: Table, key: tuple[str, ...], left_out: frozenset[str]) -> tuple[Field, ...]:
    """The fields of the columns, the key first, in their order."""
    taken: set[str] = {"_id"} if key else set()
    within: set[str] = set()
    fields = []
    for column in sorted(
        table.columns,
        key=lambda each: (each.name not in key, key.index(each.name) if each.name in key else 0),
    ):
        if column.name in left_out:
            continue
        if column.name in key:
            inner = () if len(key) == 1 else (_free(field_name(column.name), within),)
            fields.append(Field(column.name, ("_id", *inner)))
        else:
            fields.append(Field(column.name, (_free(field_name(column.name), taken),)))
    return tuple(fields)


def _free(name: str, taken: set[str]) -> str:
    """*name*, with a number where it is taken; it is taken from now on."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found
