"""The rows that stand at a place of a design, as one ordered query each.

Every query numbers the rows above and carries that number, in the same total order, so that several
cursors of one snapshot can be merged by numbers alone, whatever the types and collations of the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2 import sql as composed

from workbench import sql
from workbench.catalog.model import Catalog, Table
from workbench.documents.design.model import CollectionDesign, Computed, Order, Place, Relationship, TableKey
from workbench.documents.design.values import Composable, value_type

N = composed.Identifier("workbench:n")
PARENT = composed.Identifier("workbench:parent")
RANK = composed.Identifier("workbench:rank")


@dataclass(frozen=True)
class Scope:
    """Which rows are taken: all, or of *limited* tables the first by key, and what refers to those.

    *limits* bound the tables that refer to no other limited one; *following* are the relationships by
    which the other limited tables follow their parents.
    """

    limits: Mapping[TableKey, int] = field(default_factory=dict)
    following: Mapping[TableKey, tuple[Relationship, ...]] = field(default_factory=dict)

    @property
    def limited(self) -> bool:
        return bool(self.limits)


@dataclass(frozen=True)
class RowQueries:
    """Makes the queries over *catalog*'s tables within *scope*."""

    catalog: Catalog
    scope: Scope = field(default_factory=Scope)

    def table(self, key: TableKey) -> Table:
        return self.catalog.table(*key)

    def source(self, key: TableKey) -> Composable:
        """The table, or the part of it that is in scope, as an item of FROM without an alias."""
        table = composed.Identifier(*key)
        if key in self.scope.limits:
            return composed.SQL("(select t.tableoid, t.ctid, t.* from {} as t order by {} limit {})").format(
                table, self.key_order(key, "t"), composed.Literal(self.scope.limits[key])
            )
        following = self.scope.following.get(key, ())
        if not following:
            return table
        conditions = composed.SQL(" and ").join(self._follows(each) for each in following)
        return composed.SQL("(select t.tableoid, t.ctid, t.* from {} as t where {})").format(
            table, conditions
        )

    def _follows(self, relationship: Relationship) -> Composable:
        some_null = composed.SQL(" or ").join(
            composed.SQL("t.{} is null").format(composed.Identifier(name)) for name in relationship.columns
        )
        return composed.SQL("({} or exists (select from {} as p where {}))").format(
            some_null, self.source(relationship.parent), _joined(relationship, "t", "p")
        )

    def key_order(self, key: TableKey, alias: str) -> Composable:
        """The columns that order the rows of a table totally."""
        primary = self.table(key).primary_key
        names: Sequence[str] = primary.columns if primary else ("tableoid", "ctid")
        return composed.SQL(", ").join(composed.Identifier(alias, name) for name in names)

    def order(self, key: TableKey, alias: str, order: Order) -> Composable:
        wanted = [
            composed.SQL("{} desc nulls last" if direction < 0 else "{} asc nulls first").format(
                composed.Identifier(alias, name)
            )
            for name, direction in order
        ]
        return composed.SQL(", ").join([*wanted, self.key_order(key, alias)])

    def numbered(self, place: Place) -> Composable:
        """The rows of *place*: their number, the number of the row above, and all of their columns."""
        if not place.trail:
            return self._root(place.collection)
        nested = place.trail[-1]
        relationship = nested.relationship
        table = nested.part.table
        above = self.numbered(place.above)
        child, parent = ("c", "p") if nested.shape == "array" or not nested.copies else ("p", "c")
        joined = _joined(relationship, child, parent)
        order = self.order(table, "c", nested.order)
        bounded = nested.bound > 0
        template = sql.read("nosql/design/bounded_rows.sql" if bounded else "nosql/design/nested_rows.sql")
        return composed.SQL(template).format(
            n=N,
            parent=PARENT,
            rank=RANK,
            order=order,
            source=self.source(table),
            above=above,
            joined=joined,
            bound=composed.Literal(nested.bound),
        )

    def _root(self, collection: CollectionDesign) -> Composable:
        table = collection.part.table
        if collection.kind == "rows":
            return composed.SQL(
                "select pg_catalog.row_number() over (order by {}) as {}, t.* from {} as t"
            ).format(self.key_order(table, "t"), N, self.source(table))
        relationship = collection.relationship
        assert relationship is not None, "buckets are of a relationship"
        keys = composed.SQL(", ").join(composed.Identifier("t", name) for name in relationship.columns)
        present = composed.SQL(" and ").join(
            composed.SQL("{} is not null").format(composed.Identifier("t", name))
            for name in relationship.columns
        )
        return composed.SQL(sql.read("nosql/design/bucket_rows.sql")).format(
            n=N,
            rank=RANK,
            keys=keys,
            order=self.order(table, "t", collection.order),
            source=self.source(table),
            present=present,
            skip=composed.Literal(collection.skip),
        )

    def texts(self, place: Place) -> Composable:
        """The rows of *place* in order: the number above (in a bucket the rank), then a text a field."""
        table = self.table(place.part.table)
        fields = [
            value_type(table.column(each.column)).selected(composed.Identifier("r", each.column))
            for each in place.part.fields
        ]
        first: Composable = composed.Identifier("r", PARENT.strings[0])
        if not place.trail:
            first = composed.Identifier("r", (RANK if place.collection.kind == "buckets" else N).strings[0])
            if place.collection.kind == "buckets" and place.collection.relationship:
                fields = [
                    *(
                        value_type(table.column(name)).selected(composed.Identifier("r", name))
                        for name in place.collection.relationship.columns
                    ),
                    *fields,
                ]
        return composed.SQL("select {} from ({}) as r order by r.{}").format(
            composed.SQL(", ").join([first, *fields]), self.numbered(place), N
        )

    def computed(self, place: Place, found: Computed) -> Composable:
        """The number above, then the count and the sums of the children, of rows that have any."""
        child = self.table(found.relationship.child)
        sums = [
            value_type(child.column(name)).selected(
                composed.SQL("pg_catalog.sum({})").format(composed.Identifier("c", name))
            )
            for name in found.sums
        ]
        return composed.SQL(sql.read("nosql/design/computed.sql")).format(
            n=N,
            values=composed.SQL(", ").join([composed.SQL("pg_catalog.count(*)::text"), *sums]),
            above=self.numbered(place),
            source=self.source(found.relationship.child),
            joined=_joined(found.relationship, "c", "p"),
        )

    def computed_checksum(self, place: Place, found: Computed) -> Composable:
        """Count and checksum of the key, the count and the sums of every row of *place*."""
        child = self.table(found.relationship.child)
        key = place.collection.key if not place.trail else ()
        own = self.table(place.part.table)
        ordered = [each for each in own.columns if each.name in key]
        inner = composed.SQL("").join(
            composed.SQL(", {}").format(composed.Identifier("p", each.name)) for each in ordered
        )
        some = composed.Identifier("c", found.relationship.columns[0])
        sums = composed.SQL("").join(
            composed.SQL(", pg_catalog.sum({}) as {}").format(
                composed.Identifier("c", name), composed.Identifier(f"sum_{name}")
            )
            for name in found.sums
        )
        rows = composed.SQL(sql.read("nosql/design/computed_rows.sql")).format(
            n=N,
            key=inner,
            counted=some,
            sums=sums,
            above=self.numbered(place),
            source=self.source(found.relationship.child),
            joined=_joined(found.relationship, "c", "p"),
        )
        texts = [
            *(value_type(each).compared(composed.Identifier("r", each.name)) for each in ordered),
            composed.SQL("r.count::text"),
            *(
                value_type(child.column(name)).compared(composed.Identifier("r", f"sum_{name}"))
                for name in found.sums
            ),
        ]
        return composed.SQL(sql.read("nosql/design/checksum.sql")).format(
            rows=rows, texts=composed.SQL(", ").join(texts)
        )

    def checksum(self, key: TableKey, columns: Sequence[str], rows: Composable) -> Composable:
        """Count and order-independent checksum of *rows*, by the texts that the server gives its values."""
        table = self.table(key)
        return composed.SQL(sql.read("nosql/design/checksum.sql")).format(
            rows=rows,
            texts=composed.SQL(", ").join(
                value_type(table.column(name)).compared(composed.Identifier("r", name)) for name in columns
            )
            or composed.SQL("null"),
        )


def _joined(relationship: Relationship, child: str, parent: str) -> Composable:
    return composed.SQL(" and ").join(
        composed.SQL("{} = {}").format(composed.Identifier(child, one), composed.Identifier(parent, other))
        for one, other in zip(relationship.columns, relationship.referenced, strict=True)
    )


joined = _joined
