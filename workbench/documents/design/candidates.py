"""Which designs are worth pricing: the patterns that fit each relationship, by rules with their sources.

Rules: MongoDB manual, "Data Modeling" (embed what is read together, unbounded arrays, 16 MB); "Building with
Patterns" (subset, bucket, outlier, computed, extended reference); R. Copeland, "MongoDB Applied Design
Patterns", chapters 1 and 2 (to embed or reference, polymorphic and one-to-many).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.catalog.model import Catalog
from workbench.documents.design.layout import design_of
from workbench.documents.design.model import Choice, Design, Order, Relationship, TableKey, is_part
from workbench.documents.design.patterns import AccessPattern, Include, all_includes
from workbench.documents.design.price import DesignPrice
from workbench.documents.design.statistics import FanOut, Statistics
from workbench.errors import BadInput

REFUSED_BYTES = 12_000_000  # of a document: the server refuses 16 MB
SOFT_BYTES = 1_000_000
MOST_CHILDREN = 200  # the 99th percentile, in an array
BUCKET_BYTES = 64_000
_BUCKET_ROWS = (10, 200)
_OPTIONS = 5  # of a relationship, that are combined with the others'
_BEAM = 6
TOGETHER = 0.5  # share of a child's reads that come through the parent, to embed it
OWN_CHANGES = 10  # declared changes of children for one of their parent, above which they stand apart
WORTH_SHARE = 0.01  # of the patterns that it concerns: what saves less stays a reference
_EXACT_SUMS = ("smallint", "integer", "bigint", "numeric", "money")


@dataclass(frozen=True)
class Excluded:
    """A pattern that a relationship cannot have, and why."""

    relationship: Relationship
    kind: str
    reason: str


@dataclass(frozen=True)
class Options:
    """The choices that are open to a relationship, the reference first."""

    relationship: Relationship
    choices: tuple[Choice, ...]
    excluded: tuple[Excluded, ...] = ()


@dataclass
class _Uses:
    """How the patterns use a relationship."""

    down: list[tuple[Order, int | None, tuple[str, ...]]] = field(default_factory=list)
    up: set[str] = field(default_factory=set)
    whole_parent: bool = False
    goes_up: bool = False
    sums: set[str] = field(default_factory=set)
    aggregated: bool = False
    conditions: bool = False
    weight: float = 0.0
    through: float = 0.0  # reads an hour of the children that come by way of the parent
    declared: bool = False  # some of the reads were declared, not assumed


def options_of(
    catalog: Catalog,
    statistics: Statistics,
    patterns: Sequence[AccessPattern],
    found: Sequence[Relationship],
) -> list[Options]:
    """The choices for each relationship that *patterns* follow, by their weight."""
    uses = _uses(patterns, found)
    reads: Counter[TableKey] = Counter()
    changes: Counter[TableKey] = Counter()
    for pattern in patterns:
        if pattern.kind == "update" and not pattern.assumed:
            changes[pattern.root] += pattern.per_hour  # type: ignore[assignment]
        if pattern.kind == "read":
            reads.update(
                dict.fromkeys(
                    (pattern.root, *(each.table for each in all_includes(pattern.include))), pattern.per_hour
                )
            )
    referred_to = frozenset(each.parent for each in found if not each.to_itself)
    ordered = sorted(uses, key=lambda each: (-uses[each].weight, each.child, each.name))
    return [
        _options(_Maker(catalog, statistics, each, uses[each], reads[each.child], referred_to, changes))
        for each in ordered
    ]


def _uses(patterns: Sequence[AccessPattern], found: Sequence[Relationship]) -> dict[Relationship, _Uses]:
    uses: dict[Relationship, _Uses] = {}

    def followed(pattern: AccessPattern, includes: Iterable[Include]) -> None:
        for each in includes:
            use = uses.setdefault(each.relationship, _Uses())
            use.weight += pattern.per_hour
            if each.to_parent:
                use.goes_up = True
                use.up |= {*each.columns, *(condition.column for condition in each.where)}
                use.whole_parent |= not each.columns
            else:
                use.down.append((each.order, each.newest, each.columns))
                use.through += pattern.per_hour
                use.declared |= not pattern.assumed
                use.conditions |= bool(each.where)
            followed(pattern, each.include)

    for pattern in patterns:
        if pattern.kind != "read":
            continue
        followed(pattern, pattern.include)
        for relationship in found:
            if pattern.root == relationship.child and set(relationship.key) <= set(pattern.by):
                _read_by_parent(uses.setdefault(relationship, _Uses()), pattern, relationship)
    return uses


def _read_by_parent(use: _Uses, pattern: AccessPattern, relationship: Relationship) -> None:
    use.weight += pattern.per_hour
    use.through += pattern.per_hour
    use.declared |= not pattern.assumed
    exact = set(pattern.by) <= set(relationship.columns) and not pattern.where
    if pattern.aggregate is not None:
        if exact:
            use.aggregated = True
            use.sums |= set(pattern.aggregate.sums)
    elif exact:
        use.down.append((pattern.sort, pattern.limit, pattern.columns))
    else:
        use.down.append(((), None, pattern.columns))


def _options(maker: _Maker) -> Options:
    relationship = maker.relationship
    choices = [Choice(relationship, "reference")]
    excluded = []
    if not maker.fan_out.children:
        why = "there are no rows that show how many children a parent has"
        return Options(relationship, tuple(choices), (Excluded(relationship, "all but a reference", why),))
    for kind, make in maker.makers():
        made = make()
        if isinstance(made, Choice):
            choices.append(made)
        elif made:
            excluded.append(Excluded(relationship, kind, made))
    return Options(relationship, tuple(choices), tuple(excluded))


@dataclass(frozen=True)
class _Maker:
    """Each maker gives a choice, the reason why it cannot be, or an empty text where nothing asks for it."""

    catalog: Catalog
    statistics: Statistics
    relationship: Relationship
    use: _Uses
    reads: float  # of the children, an hour
    referred_to: frozenset[TableKey]
    changes: Mapping[TableKey, float]  # declared, an hour

    def makers(self) -> Iterator[tuple[str, Callable[[], Choice | str]]]:
        if self.use.down:
            yield "embed", self.embed
            yield "outlier", self.outlier
            yield "subset", self.subset
            yield "bucket", self.bucket
        if self.use.aggregated:
            yield "computed", self.computed
        if self.use.goes_up:
            yield "extended", self.extended

    @property
    def fan_out(self) -> FanOut:
        return self.statistics.fan_out(self.relationship)

    @property
    def child_bytes(self) -> float:
        return self.statistics.table(self.relationship.child).row_bytes

    def _homeless(self) -> str:
        """Why the children cannot have their only home in the parent's documents."""
        if self.relationship.to_itself:
            return "the table refers to itself: its rows would stand in each other without end"
        if self.fan_out.orphans:
            return f"{self.fan_out.orphans:,} rows refer to no parent and would have no place"
        if self.relationship.optional:
            return "the key may be null: a row without a parent would have no place"
        return ""

    def _independent(self) -> str:
        """Why the children are more than a part of the parent."""
        if is_part(self.relationship, self.referred_to):
            return "" if self.use.declared else self._larger_side()
        if not self.use.declared:
            return (
                "neither the keys nor a declared workload say that the rows are a part of the parent: "
                "declare how they are read"
            )
        share = self.use.through / self.reads if self.reads else 0.0
        if share < TOGETHER:
            return f"only {share:.0%} of the reads of {self.relationship.child[1]} come by way of the parent"
        return ""

    def _larger_side(self) -> str:
        """Of a row that joins two parents: whether the other has fewer such rows, and so a smaller array."""
        others = [
            fan_out
            for each, fan_out in self.statistics.fan_outs.items()
            if each.child == self.relationship.child and each != self.relationship and each.owned
        ]
        if others and not self.fan_out.children:
            return "the row joins several parents, and there are none that show which has fewer of them"
        fewer = [each for each in others if each.children and each.mean < self.fan_out.mean / 2]
        if not fewer:
            return ""
        least = min(fewer, key=lambda each: each.mean)
        return (
            f"of the two sides {least.relationship.parent[1]} has fewer of the rows ({least.mean:,.1f} on "
            f"average, not {self.fan_out.mean:,.1f}): they stand there"
        )

    def embed(self) -> Choice | str:
        if reason := self._homeless() or self._independent() or self._too_large() or self._contended():
            return reason
        if self.fan_out.growing:
            rate = f", {self.fan_out.per_day:.2g} a day" if self.fan_out.per_day else ""
            return (
                f"children come for as long as the parent is there (by {self.fan_out.time_column}{rate}): "
                "the array would have no bound"
            )
        return Choice(self.relationship, "embed", order=self._order())

    def _too_large(self) -> str:
        largest = self.fan_out.maximum * self.child_bytes
        if largest > REFUSED_BYTES:
            return f"the largest parent would have {largest / 1e6:.1f} MB of 16 MB"
        if self.fan_out.p99 > MOST_CHILDREN:
            beyond = f"{self.fan_out.p99:,.0f} children (limit {MOST_CHILDREN})"
            return f"a parent in a hundred has more than {beyond}"
        if largest > SOFT_BYTES:
            return f"the largest parent would have {largest / 1e6:.1f} MB: every read of it would carry that"
        if self.fan_out.maximum > 5 * MOST_CHILDREN:
            return f"one parent has {self.fan_out.maximum:,} children: an outlier, see there"
        return ""

    def _contended(self) -> str:
        """Why the children's own changes do not belong into the parent's document.

        What changes often stands apart from what does not: all writers of one parent's children rewrite, and
        wait for, one document. Source: MongoDB manual, "Model One-to-Many Relationships with References".
        """
        child, parent = (
            self.changes.get(key, 0.0) for key in (self.relationship.child, self.relationship.parent)
        )
        if self.relationship.single or self.fan_out.mean <= 1 or child < OWN_CHANGES * max(parent, 1.0):
            return ""
        return (
            f"the rows are changed on their own, {child:,.0f} times an hour against {parent:,.0f} changes of "
            f"{self.relationship.parent[1]}: their writers would wait for one document"
        )

    def _crowded(self) -> str:
        """Why new children would wait for each other: all of many rewrite the document of the same parent."""
        if self.fan_out.mean <= MOST_CHILDREN:
            return ""
        return (
            f"a parent has {self.fan_out.mean:,.0f} children: the writers of all of them would wait for its "
            "document"
        )

    def _order(self) -> Order:
        return next((order for order, _, _ in self.use.down if order), ())

    def outlier(self) -> Choice | str:
        fan_out = self.fan_out
        skewed = fan_out.maximum > 2 * max(fan_out.p99, 5.0)
        if not skewed or self._homeless() or self._independent():
            return ""
        bound = max(5, min(MOST_CHILDREN, round(fan_out.p99)))
        if fan_out.p99 > MOST_CHILDREN:
            return f"more than one parent in a hundred is beyond {MOST_CHILDREN} children: no outliers"
        return Choice(self.relationship, "outlier", bound, self._order())

    def subset(self) -> Choice | str:
        if not self.use.declared and not self.fan_out.growing:
            return ""  # only assumed, and no time says which the latest are
        limited = [(order, limit, columns) for order, limit, columns in self.use.down if order and limit]
        if not limited:
            return ""
        if self.relationship.to_itself:
            return "the table refers to itself: the copies would hold copies"
        order = limited[0][0]
        bound = max(limit or 0 for ordered, limit, _ in limited if ordered[:1] == order[:1])
        asked = [columns for ordered, _, columns in limited if ordered[:1] == order[:1]]
        columns: tuple[str, ...] = ()
        if all(asked):
            columns = tuple(dict.fromkeys(name for each in asked for name in each))
        if self.fan_out.maximum <= bound:
            return (
                f"a parent has at most {self.fan_out.maximum:,} children: {bound} copies would be all of them"
            )
        if reason := self._crowded():
            return reason
        if bound * self.child_bytes > SOFT_BYTES / 4:
            return f"{bound} copies would have {bound * self.child_bytes / 1e3:,.0f} kB in every parent"
        return Choice(self.relationship, "subset", bound, order, columns)

    def bucket(self) -> Choice | str:
        fan_out = self.fan_out
        if fan_out.p99 < _BUCKET_ROWS[0] or not (fan_out.growing or fan_out.p99 > MOST_CHILDREN):
            return ""
        if reason := self._homeless():
            return reason
        if self.relationship.child in self.referred_to:
            return "other tables refer to the rows: they are entities of their own, not measurements"
        low, high = _BUCKET_ROWS
        bound = max(low, min(high, int(BUCKET_BYTES / max(self.child_bytes, 1.0)), round(fan_out.p99)))
        return Choice(self.relationship, "bucket", bound, self._order())

    def computed(self) -> Choice | str:
        if reason := self._crowded():
            return reason
        child = self.catalog.table(*self.relationship.child)
        sums = tuple(column.name for column in child.columns if column.name in self.use.sums)
        inexact = [name for name in sums if child.column(name).base_type not in _EXACT_SUMS]
        if inexact:
            return f"sums of {', '.join(inexact)} are inexact: kept by adding, they would drift"
        return Choice(self.relationship, "computed", columns=sums)

    def extended(self) -> Choice | str:
        parent = self.catalog.table(*self.relationship.parent)
        columns = tuple(
            column.name
            for column in parent.columns
            if (self.use.whole_parent or column.name in self.use.up)
            and column.name not in self.relationship.referenced
        )
        if not columns:
            return ""
        if self.relationship.to_itself:
            return "the table refers to itself"
        size = sum(self.statistics.table(self.relationship.parent).column_bytes[name] for name in columns)
        if size > 1000:
            return (
                f"the columns that are read have {size:,.0f} bytes a row: too much to copy into every child"
            )
        return Choice(self.relationship, "extended", columns=columns)


Pricer = Callable[[Design], DesignPrice]


@dataclass(frozen=True)
class Search:
    """The designs that were priced, the cheapest first, and how many could not be combined."""

    prices: tuple[DesignPrice, ...]
    considered: int
    baseline: DesignPrice


def search(catalog: Catalog, tables: Sequence[TableKey], options: Sequence[Options], price: Pricer) -> Search:
    """Price whole designs: each option alone, then the best of them together, a relationship at a time.

    A beam over the relationships by weight, then a local search of single changes from the cheapest; the
    order is deterministic. What saves less than a hundredth of the patterns that it concerns goes back to a
    reference.
    """
    space = _Space(catalog, tuple(tables), price)
    baseline = space.priced(())
    if baseline is None:
        raise BadInput("the tables cannot be a collection each")
    alone = {each.relationship: _best_alone(space, each) for each in options}
    beam: list[tuple[Choice, ...]] = [()]
    for each in options:
        extended = [
            (*chosen, choice) if choice.kind != "reference" else chosen
            for chosen in beam
            for choice in alone[each.relationship]
        ]
        beam = [chosen for chosen, _ in space.cheapest(extended)[:_BEAM]]
    best = beam[0]
    improved = True
    while improved:
        improved = False
        for each in options:
            others = tuple(choice for choice in best if choice.relationship != each.relationship)
            tried = [others, *((*others, c) for c in each.choices if c.kind != "reference")]
            (cheapest, price_now), *_ = space.cheapest(tried)
            if price_now.per_hour_ms < space.total(best) * (1 - 1e-9):
                best, improved = cheapest, True
    best = _simplified(space, best)
    prices = sorted(
        (each for each in space.found.values() if each is not None),
        key=lambda each: (each.per_hour_ms, each.copies, each.storage_bytes, each.design.summary),
    )
    chosen = space.priced(best)
    ordered = [each for each in prices if each is not chosen]
    return Search((*([chosen] if chosen else []), *ordered), len(space.found), baseline)


def _best_alone(space: _Space, options: Options) -> tuple[Choice, ...]:
    priced = space.cheapest([(each,) if each.kind != "reference" else () for each in options.choices])
    kept = [chosen[0] if chosen else options.choices[0] for chosen, _ in priced[:_OPTIONS]]
    return tuple(dict.fromkeys([options.choices[0], *kept]))


def _simplified(space: _Space, chosen: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """*chosen* without what is hardly worth having, the least worth first."""
    while chosen:
        least = min(
            ((_worth(space, chosen, choice), n) for n, choice in enumerate(chosen)), default=(WORTH_SHARE, 0)
        )
        if least[0] >= WORTH_SHARE:
            break
        chosen = chosen[: least[1]] + chosen[least[1] + 1 :]
    return chosen


def _worth(space: _Space, chosen: tuple[Choice, ...], choice: Choice) -> float:
    """What *choice* saves, as a share of what the patterns that it concerns cost without it.

    Where the milliseconds hardly tell (they are those of a warm cache), a tenth of the documents counts.
    """
    with_it = space.priced(chosen)
    without = space.priced(tuple(each for each in chosen if each is not choice))
    if with_it is None or without is None:
        return 1.0
    concerned = [
        (one, other)
        for one, other in zip(with_it.patterns, without.patterns, strict=True)
        if abs(one.per_hour_ms - other.per_hour_ms) > 1e-9
    ]
    saved = _saved((one.per_hour_ms, other.per_hour_ms) for one, other in concerned)
    if saved < 0:
        return saved
    documents = _saved((one.per_hour_documents, other.per_hour_documents) for one, other in concerned)
    return max(saved, documents / 10)


def _saved(pairs: Iterable[tuple[float, float]]) -> float:
    """By how much the first of all *pairs* are less than the second, as a share of these."""
    after = before = 0.0
    for one, other in pairs:
        after += one
        before += other
    return (before - after) / before if before else 0.0


@dataclass
class _Space:
    catalog: Catalog
    tables: tuple[TableKey, ...]
    price: Pricer
    found: dict[frozenset[Choice], DesignPrice | None] = field(default_factory=dict)

    def priced(self, choices: tuple[Choice, ...]) -> DesignPrice | None:
        """The price of *choices*; None where they contradict each other or make too large a document."""
        key = frozenset(choices)
        if key not in self.found:
            ordered = tuple(
                sorted(choices, key=lambda each: (each.relationship.child, each.relationship.name))
            )
            try:
                priced: DesignPrice | None = self.price(design_of(self.catalog, ordered, self.tables))
            except BadInput:
                priced = None
            if priced is not None and priced.largest_bytes > REFUSED_BYTES and choices:
                priced = None
            self.found[key] = priced
        return self.found[key]

    def total(self, choices: tuple[Choice, ...]) -> float:
        priced = self.priced(choices)
        return priced.per_hour_ms if priced else float("inf")

    def cheapest(self, several: Iterable[tuple[Choice, ...]]) -> list[tuple[tuple[Choice, ...], DesignPrice]]:
        unique: Mapping[frozenset[Choice], tuple[Choice, ...]] = {frozenset(each): each for each in several}
        found = [(each, price) for each in unique.values() if (price := self.priced(each)) is not None]
        return sorted(
            found,
            key=lambda pair: (
                pair[1].per_hour_ms,
                pair[1].copies,
                pair[1].storage_bytes,
                pair[1].design.summary,
            ),
        )
