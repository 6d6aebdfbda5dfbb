"""A document design as plain, frozen facts: which rows stand in which document, and where copies are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from workbench.catalog.model import Catalog, Constraint, Table, qualified, quoted

TableKey = tuple[str, str]
Order = tuple[tuple[str, int], ...]  # columns, each with 1 or -1
ChoiceKind = Literal["reference", "embed", "subset", "bucket", "outlier", "computed", "extended"]


@dataclass(frozen=True)
class Relationship:
    """A foreign key: rows of *child* refer by *columns* to a row of *parent* by its *referenced* columns.

    *key* are those of the columns that the parent's primary key needs (all where it refers to another key).
    *optional* says that the columns may be null, *single* that a parent has at most one child, *owned*
    that a child is a part of its parent: it goes with it, or its key holds the parent's.
    """

    name: str
    child: TableKey
    parent: TableKey
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    optional: bool
    single: bool
    owned: bool
    cascades: bool
    key: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{qualified(*self.child)}({', '.join(self.columns)}) → {qualified(*self.parent)}"

    @property
    def to_itself(self) -> bool:
        return self.child == self.parent


def relationships(catalog: Catalog) -> tuple[Relationship, ...]:
    """The foreign keys between tables of *catalog*, by child and name.

    Partitions are left out; a key that most partitions of a table declare for themselves is the table's.
    """
    bases = {(table.schema, table.name): table for table in catalog.base_tables}
    partitions: dict[TableKey, list[Table]] = {}
    for each in catalog.tables:
        if each.partition_of is not None and each.kind == "table":
            partitions.setdefault(_root_of(catalog, each), []).append(each)
    return tuple(
        _relationship(table, key, bases[key.references])
        for own, table in sorted(bases.items())
        for key in sorted(_keys(table, partitions.get(own, [])), key=lambda each: each.name)
        if key.references in bases
    )


def _root_of(catalog: Catalog, table: Table) -> TableKey:
    while table.partition_of is not None:
        table = catalog.table(*table.partition_of)
    return (table.schema, table.name)


def _keys(table: Table, partitions: list[Table]) -> list[Constraint]:
    """The foreign keys of *table*, and those that more than half of its *partitions* have."""
    own = {(key.columns, key.references): key for key in table.foreign_keys}
    found: dict[tuple[object, object], list[Constraint]] = {}
    for each in partitions:
        for key in each.foreign_keys:
            found.setdefault((key.columns, key.references), []).append(key)
    shared = {target: keys[0] for target, keys in found.items() if len(keys) > len(partitions) / 2}
    return list((shared | own).values())


def _relationship(table: Table, key: Constraint, parent: Table) -> Relationship:
    primary = table.primary_key.columns if table.primary_key else ()
    unique = [set(each.columns) for each in table.constraints if each.kind in ("primary key", "unique")]
    unique += [
        {name for name in each.columns if name is not None}
        for each in table.indexes
        if each.unique and not each.predicate and None not in each.columns
    ]
    parents_key = parent.primary_key.columns if parent.primary_key else ()
    by_parents_key = [
        column
        for column, referenced in zip(key.columns, key.referenced_columns, strict=True)
        if referenced in parents_key
    ]
    named = bool(parents_key) and len(by_parents_key) == len(parents_key)  # by its primary key
    part = named and set(by_parents_key) <= set(primary)
    return Relationship(
        name=key.name,
        child=(table.schema, table.name),
        parent=(parent.schema, parent.name),
        columns=key.columns,
        referenced=key.referenced_columns,
        optional=any(table.column(name).nullable for name in key.columns),
        single=any(columns <= set(key.columns) for columns in unique if columns),
        owned=key.on_delete == "cascade" or part,
        cascades=key.on_delete == "cascade",
        key=tuple(by_parents_key) if named else key.columns,
    )


def is_part(relationship: Relationship, referred_to: Collection[TableKey]) -> bool:
    """Whether the schema itself says that a child is nothing without its parent.

    It goes with it or its key holds the parent's (owned); or no table refers to it (*referred_to* are those
    that some do) and its name begins with the parent's, as that of invoice_line with invoice.
    """
    if relationship.owned:
        return True
    stem = relationship.parent[1].lower().rstrip("s")
    named = len(stem) > 2 and relationship.child[1].lower().startswith(stem)
    return named and relationship.child not in referred_to and not relationship.optional


@dataclass(frozen=True)
class Choice:
    """What a design does with one *relationship*.

    reference: the child keeps the parent's key. embed: the children are an array in the parent. subset: the
    parent holds copies of the *bound* first ones by *order*, all of them have their own collection. bucket:
    *bound* children a document. outlier: an array of at most *bound*, the rest in overflow documents.
    computed: the parent holds their count and the sums of *columns*. extended: the child holds copies of
    *columns* of the parent.
    """

    relationship: Relationship
    kind: ChoiceKind
    bound: int = 0
    order: Order = ()
    columns: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The choice in words."""
        child, parent = quoted(self.relationship.child[1]), quoted(self.relationship.parent[1])
        columns = ", ".join(map(quoted, self.columns))
        sums = f" and the sums of {columns}" if columns else ""
        by = f" (by {', '.join(map(quoted, self.relationship.columns))})"
        words = {
            "reference": f"{child} refers to {parent}",
            "embed": f"{child} embedded in {parent}",
            "subset": f"the first {self.bound} {child}{self._ordered} copied into {parent}",
            "bucket": f"{child} in buckets of {self.bound} a row of {parent}",
            "outlier": f"{child} embedded in {parent} up to {self.bound}, the rest in overflow documents",
            "computed": f"the count of {child}{sums} kept in {parent}",
            "extended": f"{columns} of {parent} copied into {child}",
        }
        return words[self.kind] + by

    @property
    def _ordered(self) -> str:
        return f" by {quoted(self.order[0][0])}{' descending' * (self.order[0][1] < 0)}" if self.order else ""


@dataclass(frozen=True)
class Field:
    """A column's place in its object: *path* is ("status",), or ("_id", "line") in a compound key."""

    column: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Computed:
    """The count and sums of the children along *relationship*, in the object *name* of the parent."""

    name: str
    relationship: Relationship
    sums: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """An object of a document that is made of a row of *table*.

    *inherited* are columns that are left out because the object above holds the same value: (column,
    its column there).
    """

    table: TableKey
    fields: tuple[Field, ...]
    inherited: tuple[tuple[str, str], ...] = ()
    nested: tuple[Nested, ...] = ()
    computed: tuple[Computed, ...] = ()

    def path(self, column: str) -> tuple[str, ...] | None:
        return self._paths.get(column)

    @cached_property
    def _paths(self) -> dict[str, tuple[str, ...]]:
        return {field.column: field.path for field in self.fields}


@dataclass(frozen=True)
class Nested:
    """A part within another, in the field *name*: the children of its row, or the parent it refers to.

    *copies* says that the rows have their home elsewhere; *bound* limits them to the first by *order*.
    """

    name: str
    part: Part
    relationship: Relationship
    shape: Literal["array", "object"]
    copies: bool
    bound: int = 0
    order: Order = ()


@dataclass(frozen=True)
class CollectionDesign:
    """A collection. Kind "rows": a document a row of the part's table. Kind "buckets": a document for up to
    *bound* rows of the same parent, which are its array ``rows``; the first *skip* of a parent are left out,
    as they are in the parent's own array (overflow documents).
    """

    name: str
    part: Part
    kind: Literal["rows", "buckets"] = "rows"
    relationship: Relationship | None = None
    bound: int = 0
    skip: int = 0
    order: Order = ()
    key: tuple[str, ...] = ()  # the columns of _id; none where the table has no key: a number then


@dataclass(frozen=True)
class Place:
    """Where rows of a table stand: a collection and the way through its nested parts, and as what."""

    collection: CollectionDesign
    trail: tuple[Nested, ...] = ()

    @property
    def part(self) -> Part:
        return self.trail[-1].part if self.trail else self.collection.part

    @property
    def copies(self) -> bool:
        return any(each.copies for each in self.trail)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields above the object: the first is the bucket's array."""
        own = ("rows",) if self.collection.kind == "buckets" else ()
        return own + tuple(each.name for each in self.trail)

    @property
    def in_array(self) -> bool:
        return self.collection.kind == "buckets" or any(each.shape == "array" for each in self.trail)

    @property
    def above(self) -> Place:
        return Place(self.collection, self.trail[:-1])

    def path(self, column: str) -> str | None:
        """The dotted path of *column* as a query names it; None where the place does not hold it."""
        if self.collection.kind == "buckets" and not self.trail and self.collection.relationship:
            key = self.collection.relationship.columns
            if column in key:
                return f"_id.{bucket_key_names(self.collection)[key.index(column)]}"
        found = self.part.path(column)
        if found is not None:
            return ".".join((*self.names, *found))
        above = dict(self.part.inherited).get(column)
        return self.above.path(above) if above is not None and self.trail else None


def bucket_key_names(collection: CollectionDesign) -> tuple[str, ...]:
    """The names of the parent's key within a bucket's _id."""
    columns = collection.relationship.columns if collection.relationship else ()
    return tuple(field_name(column) for column in columns)


def field_name(column: str) -> str:
    """*column* as a field: dots and a leading dollar, which queries cannot name, become underscores."""
    name = column.replace(".", "_")
    name = "_" + name[1:] if name.startswith("$") else name
    return "_id_" if name == "_id" else name


@dataclass(frozen=True)
class Design:
    """A whole design: its *choices* and the collections that follow from them."""

    name: str
    choices: tuple[Choice, ...]
    collections: tuple[CollectionDesign, ...]
    relationships: tuple[Relationship, ...] = ()  # between its tables

    @cached_property
    def places(self) -> tuple[Place, ...]:
        return tuple(place for collection in self.collections for place in places_of(collection))

    @cached_property
    def _homes(self) -> dict[TableKey, tuple[Place, ...]]:
        found: dict[TableKey, tuple[Place, ...]] = {}
        for place in self.places:
            if not place.copies:
                table = place.part.table
                found[table] = (*found.get(table, ()), place)
        return found

    def homes(self, table: TableKey) -> tuple[Place, ...]:
        """Where the rows of *table* stand: one place, or two where an overflow takes some. KeyError."""
        return self._homes[table]

    @cached_property
    def tables(self) -> tuple[TableKey, ...]:
        return tuple(self._homes)

    def choice(self, relationship: Relationship, *kinds: ChoiceKind) -> Choice | None:
        for each in self.choices:
            if each.relationship == relationship and (not kinds or each.kind in kinds):
                return each
        return None

    @property
    def summary(self) -> str:
        """The choices other than references, in one line."""
        told = [each.label for each in self.choices if each.kind != "reference"]
        return "; ".join(told) if told else "a collection a table, all by reference"


def places_of(collection: CollectionDesign) -> Iterator[Place]:
    """Every place of *collection*, its root first."""

    def below(place: Place) -> Iterator[Place]:
        yield place
        for nested in place.part.nested:
            yield from below(Place(collection, (*place.trail, nested)))

    yield from below(Place(collection))
