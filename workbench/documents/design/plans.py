"""How a design serves a pattern: the operations on collections, in order, and what each should touch.

The same steps are priced and run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from workbench.documents.design.model import (
    CollectionDesign,
    Computed,
    Design,
    Nested,
    Order,
    Place,
    Relationship,
    TableKey,
)
from workbench.documents.design.patterns import AccessPattern, Condition, Include
from workbench.documents.design.sampling import Sample
from workbench.documents.design.sizes import Sizes
from workbench.documents.design.statistics import Statistics

Action = Literal["find", "insert", "update", "delete"]


@dataclass(frozen=True)
class Source:
    """Where a value comes from: the pattern's key (*column*), or what an earlier *step* read, at *path*."""

    column: str = ""
    step: int = -1
    path: str = ""


@dataclass(frozen=True)
class Match:
    """A comparison of the field *path*: with a *source*, or with *value*, a text of the type of *column*."""

    path: str
    operator: str
    source: Source | None = None
    value: Any = None
    table: TableKey = ("", "")
    column: str = ""


@dataclass(frozen=True)
class Change:
    """What a write does at *place*.

    set: the *columns* of the key's row. push, pull: its object. insert: *count* objects. count: *by*
    more children in *computed*. *slice* keeps that many elements, the newest first.
    """

    kind: Literal["set", "push", "pull", "insert", "count", "delete"]
    place: Place
    columns: tuple[str, ...] = ()
    count: int = 1
    computed: Computed | None = None
    by: int = 1
    slice: int = 0
    elements: tuple[Match, ...] = ()  # which element of the place's array


@dataclass(frozen=True)
class Step:
    """One operation. *documents* it touches, each of *document_bytes*; *share* of the runs that need it."""

    action: Action
    collection: CollectionDesign
    why: str
    documents: float
    document_bytes: float
    match: tuple[Match, ...] = ()
    sort: tuple[tuple[str, int], ...] = ()
    limit: int | None = None
    share: float = 1.0
    change: Change | None = None
    array: str = ""  # several comparisons within it are meant of one element
    when: tuple[str, int] | None = None  # only where the array at the path has that many elements
    left_out: tuple[str, ...] = ()  # nested fields that a find does not ask for
    left_out_bytes: float = 0.0

    @property
    def reply_bytes(self) -> float:
        """Of a document, what comes back."""
        return max(20.0, self.document_bytes - self.left_out_bytes) if self.action == "find" else 0.0

    @property
    def index(self) -> tuple[tuple[str, int], ...]:
        """The index that serves it by equality, sort, range; none where _id does."""
        equal = [each.path for each in self.match if each.operator in ("=", "in")]
        ranged = [each.path for each in self.match if each.operator not in ("=", "in", "!=")]
        keys = dict.fromkeys(equal, 1)
        for path, direction in (*self.sort, *((path, 1) for path in ranged)):
            keys.setdefault(path, direction)
        return () if next(iter(keys), "") == "_id" else tuple(keys.items())


@dataclass(frozen=True)
class Plan:
    pattern: AccessPattern
    steps: tuple[Step, ...]


class StepPrice(Protocol):
    def __call__(self, step: Step) -> float: ...


@dataclass(frozen=True)
class _Reached:
    """Objects of a table that were read: where they are, how many, in which step."""

    steps: tuple[Step, ...]
    place: Place
    objects: float
    step: int
    whole: bool = True


@dataclass
class Planner:
    """Plans for one design. Where it offers several ways, the one that *price* makes cheapest is taken."""

    design: Design
    statistics: Statistics
    sizes: Sizes
    price: StepPrice

    def plan(self, sample: Sample) -> Plan:
        """The steps for *sample*'s pattern, in order."""
        pattern = sample.pattern
        makers = {
            "read": self._read,
            "insert": self._insert,
            "update": self._update,
            "delete": self._delete,
        }
        return Plan(pattern, tuple(makers[pattern.kind](sample)))

    # reads

    def _read(self, sample: Sample) -> Iterator[Step]:
        pattern = sample.pattern
        sources = {column: Source(column=column) for column in pattern.by}
        ways = list(self._ways(pattern, sources, sample.matched))
        best = min(ways, key=lambda way: (sum(map(self.price, way.steps)), len(way.steps)))
        steps = list(best.steps)
        needed = {(step.collection, name) for step in best.steps for name in best.place.names[:1]}
        for reached in self._include(steps, best, pattern.include):
            needed |= {(reached.place.collection, name) for name in reached.place.names[:1]}
        yield from (self._projected(step, needed) for step in steps)

    def _projected(self, step: Step, needed: set[tuple[CollectionDesign, str]]) -> Step:
        """*step* without the nested fields that nothing of the pattern stands in."""
        if step.collection.kind != "rows":
            return step
        nested = [each for each in step.collection.part.nested if (step.collection, each.name) not in needed]
        return replace(
            step,
            left_out=tuple(each.name for each in nested),
            left_out_bytes=sum(map(self.sizes.nested_bytes, nested)),
        )

    def _ways(
        self, pattern: AccessPattern, sources: Mapping[str, Source], matched: float
    ) -> Iterator[_Reached]:
        """Every way to the rows of the root: at home, in the parent, among copies, or computed."""
        if pattern.aggregate is not None:
            yield from self._computed(pattern, sources)
        yield from self._subset(pattern, sources)
        homes = self.design.homes(pattern.root)
        if len(homes) > 1:
            yield self._split(pattern, sources, matched, homes)
        else:
            yield self._home(pattern, sources, matched, homes[0])

    def _home(
        self, pattern: AccessPattern, sources: Mapping[str, Source], matched: float, place: Place
    ) -> _Reached:
        step = self._find(
            place, sources, pattern.where, pattern.sort, pattern.limit, matched, f"rows of {pattern.root[1]}"
        )
        objects = min(matched, pattern.limit) if pattern.limit else matched
        return _Reached((step,), place, objects, 0)

    def _find(
        self,
        place: Place,
        sources: Mapping[str, Source],
        where: Sequence[Condition],
        sort: Order,
        limit: int | None,
        matched: float,
        why: str,
    ) -> Step:
        """The find that reads rows at *place*: as many documents as hold them."""
        collection = place.collection
        table = place.part.table
        match = [
            Match(path, "=" if source.step < 0 else "in", source)
            for column, source in sources.items()
            if (path := place.path(column)) is not None
        ]
        plain = not place.in_array
        documents, ordered = matched, plain
        if plain or not match:  # of the elements of one parent the application picks those it wants
            match += [
                Match(path, each.operator, value=each.value, table=table, column=each.column)
                for each in where
                if (path := place.path(each.column)) is not None and (plain or each.operator in ("=", "in"))
            ]
        if plain:
            documents = min(matched, limit) if limit else matched
        elif match:
            documents, limit, ordered = self._documents_with(place, sources, matched, limit, sort)
        else:
            documents, limit = self.sizes.documents(collection), None
        if collection.kind == "buckets" and ordered:
            paths: tuple[tuple[str, int], ...] = (("_id.bucket", 1),)
        else:
            paths = tuple((path, way) for column, way in sort if (path := place.path(column)) is not None)
        return Step(
            "find",
            collection,
            why,
            documents,
            self.sizes.mean_bytes(collection),
            tuple(match),
            paths if ordered else (),
            limit if ordered else None,
            array=array_path(place),
        )

    def _documents_with(
        self, place: Place, sources: Mapping[str, Source], matched: float, limit: int | None, sort: Order
    ) -> tuple[float, int | None, bool]:
        """How many documents are read for *matched* rows in arrays, their limit, whether in their order."""
        total = self.sizes.documents(place.collection)
        by_parent = self._parent_given(place, sources)
        if place.collection.kind == "buckets":
            if not by_parent:
                return min(matched, total), None, False
            bound, skip = place.collection.bound, place.collection.skip
            along = bool(sort) and place.collection.order[:1] == sort[:1]
            rows = min(matched, limit) if limit and along else matched
            read = max(1.0, (rows - skip) / bound + 0.5 * (rows - skip > 1))
            return read, (-(-limit // bound) if limit and along else None), along
        if by_parent:
            return by_parent, None, False
        return min(matched, total), None, False

    def _parent_given(self, place: Place, sources: Mapping[str, Source]) -> float:
        """How many parents the *sources* name, where they hold the key of the object above; 0 if not."""
        relationship = place.trail[-1].relationship if place.trail else place.collection.relationship
        if relationship is None or not set(relationship.key) <= set(sources):
            return 0.0
        return 1.0

    def _computed(self, pattern: AccessPattern, sources: Mapping[str, Source]) -> Iterator[_Reached]:
        for place in self.design.places:
            for computed in place.part.computed:
                relationship = computed.relationship
                fits = relationship.child == pattern.root and _by_parent(pattern, relationship)
                summed = pattern.aggregate is not None and set(pattern.aggregate.sums) <= set(computed.sums)
                if fits and summed and not pattern.where and not place.copies:
                    step = self._parents(place, relationship, sources, f"summary of {pattern.root[1]}")
                    if step:
                        yield _Reached((step,), place, 1.0, 0)

    def _subset(self, pattern: AccessPattern, sources: Mapping[str, Source]) -> Iterator[_Reached]:
        """Through the copies of the first children in the parent, where these are all that is asked for."""
        for place in self.design.places:
            if not place.trail or place.part.table != pattern.root or not place.trail[-1].copies:
                continue
            nested = place.trail[-1]
            if nested.shape != "array" or not _by_parent(pattern, nested.relationship) or pattern.where:
                continue
            if self._suffices(nested, pattern.limit, pattern.sort) and self._holds(place, pattern.columns):
                step = self._parents(
                    place.above, nested.relationship, sources, f"copies of {pattern.root[1]}"
                )
                if step:
                    count = self.statistics.fan_out(nested.relationship).mean_up_to(nested.bound)
                    yield _Reached((step,), place, count, 0)

    def _suffices(self, nested: Nested, limit: int | None, order: Order) -> bool:
        if self.statistics.fan_out(nested.relationship).maximum <= nested.bound:
            return True
        return limit is not None and limit <= nested.bound and nested.order[:1] == order[:1]

    def _holds(self, place: Place, columns: Sequence[str]) -> bool:
        """Whether the copies at *place* have *columns* (none for all); the key of a parent its child has."""
        nested = place.trail[-1]
        known = nested.relationship.referenced if nested.shape == "object" else ()
        wanted = columns or tuple(self.statistics.table(place.part.table).column_bytes)
        return all(name in known or place.path(name) is not None for name in wanted)

    def _parents(
        self, place: Place, relationship: Relationship, sources: Mapping[str, Source], why: str
    ) -> Step | None:
        """The find of the parent's document by the key that the child's columns name."""
        given = {
            referenced: sources[column]
            for column, referenced in zip(relationship.columns, relationship.referenced, strict=True)
            if column in sources
        }
        if any(place.path(column) is None for column in given):
            return None
        step = self._find(place, given, (), (), None, 1.0, why)
        return replace(step, documents=1.0)

    def _split(
        self, pattern: AccessPattern, sources: Mapping[str, Source], matched: float, homes: Sequence[Place]
    ) -> _Reached:
        """Rows in the parent's array, and those beyond its bound in overflow documents."""
        own = next(place for place in homes if place.collection.kind == "rows")
        beyond = next(place for place in homes if place.collection.kind == "buckets")
        first = self._find(own, sources, pattern.where, (), None, matched, f"rows of {pattern.root[1]}")
        nested = own.trail[-1]
        if self._parent_given(own, sources) and self._suffices(nested, pattern.limit, pattern.sort):
            return _Reached((first,), own, min(matched, nested.bound), 0)
        second = self._overflow(beyond, sources, matched, ".".join(own.names))
        return _Reached((first, second), own, matched, 0, whole=False)

    def _overflow(self, place: Place, sources: Mapping[str, Source], matched: float, array: str) -> Step:
        """The find of overflow documents, where the *array* in the parent is full."""
        step = self._find(place, sources, (), (), None, matched, f"overflow of {place.part.table[1]}")
        relationship = place.collection.relationship
        if relationship is None or not self._parent_given(place, sources):
            return step
        fan_out = self.statistics.fan_out(relationship)
        share = fan_out.share_beyond(place.collection.skip)
        when = (array, place.collection.skip)
        return replace(step, documents=max(1.0, step.documents), share=share, when=when)

    # what is read along

    def _include(
        self, steps: list[Step], reached: _Reached, includes: Sequence[Include]
    ) -> Iterator[_Reached]:
        """What is read along with *reached*, by steps that are added where its documents do not hold it."""
        for include in includes:
            follow = self._to_parent if include.to_parent else self._to_children
            below = follow(steps, reached, include)
            yield below
            yield from self._include(steps, below, include.include)

    def _to_parent(self, steps: list[Step], reached: _Reached, include: Include) -> _Reached:
        relationship = include.relationship
        place = reached.place
        if place.trail and place.trail[-1].relationship == relationship:
            return replace(reached, place=place.above)
        for nested in place.part.nested:
            inner = Place(place.collection, (*place.trail, nested))
            copied = nested.relationship == relationship and nested.part.table == relationship.parent
            if copied and self._holds(inner, _asked(include)):
                return replace(reached, place=inner)
        pairs = zip(relationship.columns, relationship.referenced, strict=True)
        sources = {
            referenced: Source(step=reached.step, path=path)
            for column, referenced in pairs
            if (path := place.path(column)) is not None
        }
        fan_out = self.statistics.fan_out(relationship)
        rows = fan_out.children + fan_out.orphans
        named = fan_out.children / rows if rows else 1.0  # the others refer to nothing
        parents = min(reached.objects * named, float(self.statistics.table(relationship.parent).rows))
        home = self.design.homes(relationship.parent)[0]
        step = self._find(home, sources, (), (), None, parents, f"{relationship.parent[1]} referred to")
        if reached.objects <= 1:
            step = replace(step, documents=1.0, share=named)
        steps.append(step)
        return _Reached((step,), home, parents, len(steps) - 1)

    def _to_children(self, steps: list[Step], reached: _Reached, include: Include) -> _Reached:
        relationship = include.relationship
        place = reached.place
        fan_out = self.statistics.fan_out(relationship)
        each = fan_out.mean_of_all if include.newest is None else fan_out.mean_up_to(include.newest)
        children = reached.objects * each
        sources = {
            column: Source(step=reached.step, path=path)
            for column, referenced in zip(relationship.columns, relationship.referenced, strict=True)
            if (path := place.path(referenced)) is not None
        }
        for nested in place.part.nested:
            inner = Place(place.collection, (*place.trail, nested))
            if nested.relationship != relationship:
                continue
            if not nested.copies and not nested.bound:
                return replace(reached, place=inner, objects=children)
            enough = not include.where and self._suffices(nested, include.newest, include.order)
            if enough and self._holds(inner, include.columns):
                return replace(reached, place=inner, objects=children)
            if not nested.copies:
                beyond = next(
                    home
                    for home in self.design.homes(relationship.child)
                    if home.collection.kind == "buckets"
                )
                rows = fan_out.mean_of_all * reached.objects
                steps.append(self._overflow(beyond, sources, rows, ".".join(inner.names)))
                return replace(reached, place=inner, objects=children)
        homes = self.design.homes(relationship.child)
        home = next((each for each in homes if each.collection.kind == "buckets"), homes[0])
        alone = reached.objects <= 1
        step = self._find(
            home,
            sources,
            include.where,
            include.order if alone else (),
            include.newest if alone else None,
            children if alone else reached.objects * fan_out.mean_of_all,
            f"{relationship.child[1]} of {relationship.parent[1]}",
        )
        if not alone and home.collection.kind == "buckets":
            step = replace(step, documents=step.documents + reached.objects * 0.5)
        steps.append(step)
        if len(homes) > 1:
            other = next(each for each in homes if each.collection.kind == "rows")
            steps.append(
                self._find(
                    other, sources, (), (), None, children, f"{relationship.child[1]} in their documents"
                )
            )
        return _Reached((step,), home, children, len(steps) - 1)

    # writes

    def _key_sources(self, pattern: AccessPattern) -> dict[str, Source]:
        return {column: Source(column=column) for column in pattern.by}

    def _row_sources(self, columns: Sequence[str]) -> dict[str, Source]:
        return {column: Source(column=column) for column in columns}

    def _insert(self, sample: Sample) -> Iterator[Step]:
        """The object in its place, then what else must know of it."""
        pattern = sample.pattern
        yield from self._put(pattern.root, 1.0, pattern.include)
        yield from self._told(pattern.root, +1)

    def _put(self, table: TableKey, count: float, includes: Sequence[Include]) -> Iterator[Step]:
        home = self.design.homes(table)[0]
        objects = max(1, round(count))
        for nested in home.part.nested:
            if nested.copies and nested.shape == "object":
                yield self._copied_parent(nested)
        if home.collection.kind == "buckets":
            yield self._push(home, home.collection.relationship, "in the newest bucket")
        elif home.trail:
            yield self._push(home, home.trail[-1].relationship, "in the parent's array")
        else:
            inside = {nested.relationship for nested in home.part.nested if not nested.copies}
            size = 5 + sum(self.statistics.table(table).column_bytes.values())
            for include in includes:
                if include.relationship in inside and not include.to_parent:
                    rows = self.statistics.fan_out(include.relationship).mean_of_all
                    size += rows * self.statistics.table(include.relationship.child).row_bytes
            yield Step(
                "insert",
                home.collection,
                f"new {table[1]}",
                float(objects),
                size,
                change=Change("insert", home, count=objects),
            )
            for include in includes:
                if not include.to_parent and include.relationship not in inside:
                    rows = self.statistics.fan_out(include.relationship).mean_of_all
                    yield from self._put(include.relationship.child, rows * count, include.include)

    def _copied_parent(self, nested: Nested) -> Step:
        relationship = nested.relationship
        home = self.design.homes(relationship.parent)[0]
        sources = {
            referenced: Source(column=column)
            for column, referenced in zip(relationship.columns, relationship.referenced, strict=True)
        }
        return self._find(home, sources, (), (), None, 1.0, f"columns of {relationship.parent[1]} to copy")

    def _push(self, home: Place, relationship: Relationship | None, why: str) -> Step:
        assert relationship is not None, "what is pushed has a parent"
        place = home.above if home.trail else home
        match = self._parent_match(place, home, relationship)
        return Step(
            "update",
            home.collection,
            why,
            1.0,
            self.sizes.mean_bytes(home.collection),
            match,
            change=Change("push", home),
        )

    def _parent_match(self, place: Place, home: Place, relationship: Relationship) -> tuple[Match, ...]:
        """The document that the children of a parent stand in, by the child's columns."""
        if home.collection.kind == "buckets":
            return tuple(
                Match(path, "=", Source(column=column))
                for column in relationship.columns
                if (path := home.path(column)) is not None
            )
        return tuple(
            Match(path, "=", Source(column=column))
            for column, referenced in zip(relationship.columns, relationship.referenced, strict=True)
            if (path := place.path(referenced)) is not None
        )

    def _told(self, table: TableKey, by: int) -> Iterator[Step]:
        """The updates of copies and summaries in the parents of a row that comes or goes."""
        for place in self.design.places:
            if place.copies and not (place.trail and place.trail[-1].copies):
                continue
            for nested in place.part.nested:
                relationship = nested.relationship
                if (
                    nested.copies
                    and nested.shape == "array"
                    and relationship.child == table
                    and not place.copies
                ):
                    inner = Place(place.collection, (*place.trail, nested))
                    fan_out = self.statistics.fan_out(relationship)
                    documents = 1.0 if by > 0 else min(1.0, nested.bound / max(fan_out.mean, 1.0))
                    yield Step(
                        "update",
                        place.collection,
                        f"copies in {relationship.parent[1]}",
                        documents,
                        self.sizes.mean_bytes(place.collection),
                        self._parent_match(place, inner, relationship),
                        change=Change("push" if by > 0 else "pull", inner, slice=nested.bound),
                    )
            for computed in place.part.computed:
                if computed.relationship.child == table and not place.copies:
                    yield Step(
                        "update",
                        place.collection,
                        f"summary in {computed.relationship.parent[1]}",
                        1.0,
                        self.sizes.mean_bytes(place.collection),
                        self._parent_match(place, place, computed.relationship),
                        change=Change("count", place, computed=computed, by=by),
                    )

    def _update(self, sample: Sample) -> Iterator[Step]:
        pattern = sample.pattern
        sources = self._key_sources(pattern)
        for home in self.design.homes(pattern.root)[:1]:
            yield self._changed(home, sources, pattern, sample.matched)
        for place in self.design.places:
            if not place.copies or place.part.table != pattern.root or not place.trail[-1].copies:
                continue
            changed = tuple(name for name in pattern.set if place.part.path(name) is not None)
            if changed:
                yield self._copies_changed(place, changed, sample)

    def _changed(
        self, home: Place, sources: Mapping[str, Source], pattern: AccessPattern, matched: float
    ) -> Step:
        found = self._find(home, sources, pattern.where, (), None, matched, f"change of {pattern.root[1]}")
        columns = tuple(name for name in pattern.set if home.part.path(name) is not None)
        return replace(
            found,
            action="update",
            change=Change("set", home, columns=columns, elements=_elements(found.match, home)),
        )

    def _copies_changed(self, place: Place, changed: tuple[str, ...], sample: Sample) -> Step:
        """The copies of a row: in all of its children (extended), or in its parent (subset)."""
        nested = place.trail[-1]
        relationship = nested.relationship
        above = place.above
        fan_out = self.statistics.fan_out(relationship)
        size = self.sizes.mean_bytes(place.collection)
        if nested.shape == "object":
            match = tuple(
                Match(path, "=", Source(column=referenced))
                for column, referenced in zip(relationship.columns, relationship.referenced, strict=True)
                if (path := above.path(column)) is not None
            )
            copies = fan_out.mean_of_all * sample.matched
            documents = min(copies, self.sizes.documents(place.collection))
            return Step(
                "update",
                place.collection,
                f"copies of {relationship.parent[1]} in {place.collection.name}",
                documents,
                size,
                match,
                change=Change("set", place, columns=changed, elements=_elements(match, above)),
            )
        match = self._parent_match(above, place, relationship)
        primary = [
            Match(path, "=", Source(column=name))
            for name in sample.pattern.by
            if (path := place.path(name)) is not None and place.part.path(name) is not None
        ]
        return Step(
            "update",
            place.collection,
            f"copies in {relationship.parent[1]}",
            min(1.0, nested.bound / max(fan_out.mean, 1.0)),
            size,
            match,
            change=Change("set", place, columns=changed, elements=_elements(tuple(primary), place)),
        )

    def _delete(self, sample: Sample) -> Iterator[Step]:
        pattern = sample.pattern
        sources = self._key_sources(pattern)
        home = self.design.homes(pattern.root)[0]
        found = self._find(home, sources, pattern.where, (), None, sample.matched, f"gone {pattern.root[1]}")
        if home.in_array:
            elements = _elements(found.match, home)
            yield replace(found, action="update", change=Change("pull", home, elements=elements))
        else:
            yield replace(found, action="delete", change=Change("delete", home))
        inside = {each.relationship for each in home.part.nested if not each.copies}
        for relationship in self._cascading(pattern.root):
            if relationship in inside or relationship.child not in self.design.tables:
                continue
            child = self.design.homes(relationship.child)[0]
            rows = self.statistics.fan_out(relationship).mean_of_all
            keys = {
                column: Source(column=referenced)
                for column, referenced in zip(relationship.columns, relationship.referenced, strict=True)
            }
            step = self._find(child, keys, (), (), None, rows, f"gone with it: {relationship.child[1]}")
            yield (
                replace(step, action="delete", change=Change("delete", child)) if not child.in_array else step
            )
        yield from self._told(pattern.root, -1)

    def _cascading(self, table: TableKey) -> list[Relationship]:
        return [
            each
            for each in self.statistics.fan_outs
            if each.parent == table and each.cascades and not each.to_itself
        ]


def _asked(include: Include) -> tuple[str, ...]:
    """The columns that are read or compared; none for all."""
    if not include.columns:
        return ()
    return tuple(dict.fromkeys([*include.columns, *(each.column for each in include.where)]))


def _by_parent(pattern: AccessPattern, relationship: Relationship) -> bool:
    """Whether *pattern* asks for the children of one parent, and nothing narrower."""
    return set(relationship.key) <= set(pattern.by) <= set(relationship.columns)


def _elements(match: Sequence[Match], place: Place) -> tuple[Match, ...]:
    """Which element of the last array of *place* is meant: the comparisons with fields inside of it."""
    inside = array_path(place)
    return tuple(each for each in match if inside and each.path.startswith(inside + "."))


def array_path(place: Place) -> str:
    """The dotted path of the last array that *place* is in; empty where it is in none."""
    names: list[str] = []
    last = 0
    if place.collection.kind == "buckets":
        names.append("rows")
        last = 1
    for each in place.trail:
        names.append(each.name)
        if each.shape == "array":
            last = len(names)
    return ".".join(names[:last])
