"""From access patterns to a decision: designs priced, the best built from the same rows, verified and run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workbench import example
from workbench.catalog.model import Catalog
from workbench.catalog.reflect import reflect
from workbench.documents.design.assumed import patterns_of_keys, touched_tables, with_assumed_writes
from workbench.documents.design.build import Built, BuiltCollection, build, collection_names
from workbench.documents.design.candidates import Excluded, Options, options_of, search
from workbench.documents.design.model import CollectionDesign, Design, TableKey, relationships
from workbench.documents.design.patterns import AccessPattern
from workbench.documents.design.price import DesignPrice, Rates, calibrate, pareto, price_design
from workbench.documents.design.rows import RowQueries
from workbench.documents.design.run import Measured, Runner, create_indexes, total_ms
from workbench.documents.design.sampling import Sample, samples_of
from workbench.documents.design.statistics import Statistics, measure
from workbench.documents.design.verify import Verification, Verifier
from workbench.documents.design.workload import Unmapped, Workload, patterns_of_workload
from workbench.engines.mongo import MongoServer
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.findings import Evidence, Finding
from workbench.source import OpenSource

ROWS = 200_000
COLD_SHARE = 0.05
DISK_READ_MS = 0.1
_DIFFERENT = 0.005  # of the whole price, that two built designs are apart at least
_MEASURED_APART = 0.03  # of the measured cost of all patterns
_MOST_TOLD = 4  # choices in which two designs differ
_TOLD_APART = 0.1  # of a pattern's latency, below which two designs count as equal


@dataclass(frozen=True)
class BuiltDesign:
    """A design as it was priced, built, verified and run.

    *collections* are the collections in the database, *indexes* those made for the patterns; *measured* go
    with the patterns, None where the rows gave no key to try. *measured_ms* an hour; *predicted_ms* is the
    price without what comes from the disk, which a warm cache does not show. *against_ms* is what it costs
    an hour more than the design of the lowest price, by the patterns where the runs tell the two apart.
    """

    name: str
    price: DesignPrice
    collections: tuple[BuiltCollection, ...]
    indexes: Mapping[str, tuple[tuple[tuple[str, int], ...], ...]]
    verification: Verification
    measured: tuple[Measured | None, ...]
    measured_ms: float
    predicted_ms: float
    cold_ms: float
    against_ms: float = 0.0

    @property
    def cost_ms(self) -> float:
        """Milliseconds an hour: measured in the cache, and *cold_ms* for what comes from the disk."""
        return self.measured_ms + self.cold_ms

    @property
    def design(self) -> Design:
        return self.price.design

    @property
    def documents(self) -> int:
        return sum(each.documents for each in self.collections)

    @property
    def size_bytes(self) -> int:
        return sum(each.size_bytes for each in self.collections)

    @property
    def largest_bytes(self) -> int:
        return max((each.largest_bytes for each in self.collections), default=0)


@dataclass(frozen=True)
class Surprise:
    """A pattern where the measured order of two designs is not the one predicted."""

    pattern: str
    predicted_faster: str
    measured_faster: str
    predicted_ms: tuple[float, float]
    measured_ms: tuple[float, float]


@dataclass(frozen=True)
class DesignComparison:
    """The whole comparison. *built* begins with the design that is chosen: of those whose rows were all
    found back the cheapest as measured, or as priced where the measurements do not tell them apart; the
    others follow by cost. A collection a table is always there as *baseline*.
    """

    source: str
    engine: str
    patterns: tuple[AccessPattern, ...]
    unmapped: tuple[Unmapped, ...]
    options: tuple[Options, ...]
    considered: int
    rates: Rates
    built: tuple[BuiltDesign, ...]
    pareto: tuple[DesignPrice, ...]
    surprises: tuple[Surprise, ...]
    agreed: int
    compared: int
    losses: tuple[str, ...]
    notes: tuple[str, ...]
    statistics: Statistics = field(repr=False)
    elapsed_s: float = 0.0

    @property
    def chosen(self) -> BuiltDesign:
        return self.built[0]

    @property
    def baseline(self) -> BuiltDesign:
        """A collection a table."""
        return next(each for each in self.built if not each.design.choices)

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        return tuple(each for option in self.options for each in option.excluded)

    @property
    def decision(self) -> str:
        """What was decided, why, and what speaks for the runner-up: a few sentences."""
        return _decision(self)

    def finding(self, area: str = "nosql") -> Finding:
        """The decision as a finding, with the measurements as evidence."""
        return _finding(self, area)


def choose_designs(
    opened: OpenSource,
    patterns: Sequence[AccessPattern] | Workload | None,
    engine: MongoServer,
    *,
    rows: int = ROWS,
    keep: int = 3,
    cold_share: float = COLD_SHARE,
    disk_read_ms: float = DISK_READ_MS,
    rates: Rates | None = None,
) -> DesignComparison:
    """Price the designs for *patterns*, build the best *keep* in a scratch database of *engine*, run them.

    Without *patterns*, the example's declared workload, or what the keys of the schema suggest. At most
    *rows* of the largest table are taken, and the same share of the others. *cold_share* of the documents are
    priced as if they came from a disk, at *disk_read_ms* each. *rates* are measured first unless they are
    given. The source is only read. Raises BadInput where
    nothing can be compared, BuildFailed, PatternError.
    """
    _require(rows >= 1000, f"rows={rows!r}: at least 1000 are needed to compare designs")
    _require(1 <= keep <= 10, f"keep={keep!r}: build between 1 and 10 designs")
    _require(
        0 <= cold_share <= 1 and disk_read_ms >= 0,
        "cold_share is a share from 0 to 1, disk_read_ms not negative",
    )
    started = time.monotonic()
    conn = opened.connection
    catalog = reflect(conn)
    workload, notes = _workload(opened, catalog, patterns)
    with engine.scratch_database(label="design") as database:
        rates = rates or calibrate(engine, database, cold_ms=cold_share * disk_read_ms)
        made = _Comparison(conn, catalog, workload.patterns, rates, database, rows, keep)
        built, facts = made.run()
    surprises, compared = _surprises(built, made.samples)
    return DesignComparison(
        source=opened.source.title,
        engine=engine.description,
        patterns=tuple(each.pattern for each in made.samples),
        unmapped=workload.unmapped,
        options=tuple(made.options),
        considered=facts.considered,
        rates=rates,
        built=tuple(built),
        pareto=tuple(pareto(facts.prices)[:10]),
        surprises=tuple(surprises),
        agreed=compared - len(surprises),
        compared=compared,
        losses=made.losses,
        notes=(*notes, *made.statistics.notes, *made.notes),
        statistics=made.statistics,
        elapsed_s=time.monotonic() - started,
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInput(message)


def _workload(
    opened: OpenSource, catalog: Catalog, patterns: Sequence[AccessPattern] | Workload | None
) -> tuple[Workload, list[str]]:
    notes: list[str] = []
    if patterns is None and opened.source.kind == "example":
        patterns = patterns_of_workload(example.workload(), catalog)
    if patterns is None:
        sizes = {(each.schema, each.name): each.rows_estimated or 0.0 for each in catalog.base_tables}
        found, left_out = patterns_of_keys(catalog, sizes)
        _require(bool(found), "the schema has no keys that suggest a pattern: give a file of access patterns")
        notes += [
            "no workload was given: reads and writes are assumed from the keys, ten reads to a write",
            *left_out,
        ]
        return Workload(found), notes
    workload = patterns if isinstance(patterns, Workload) else Workload(tuple(patterns))
    if not workload.patterns:
        reasons = "; ".join(f"{each.name}: {each.reason}" for each in workload.unmapped[:3])
        raise BadInput(f"no statement of the workload is an access pattern: {reasons or 'it is empty'}")
    if not any(each.writes for each in workload.patterns):
        written = with_assumed_writes(catalog, workload.patterns)
        notes.append(
            f"the workload declares no write: {len(written) - len(workload.patterns)} are assumed, "
            "an insert and a change of each table at a hundredth of its reads"
        )
        workload = Workload(written, workload.unmapped)
    return workload, notes


@dataclass(frozen=True)
class _Facts:
    considered: int
    prices: tuple[DesignPrice, ...]


@dataclass
class _Comparison:
    conn: Connection
    catalog: Catalog
    patterns: tuple[AccessPattern, ...]
    rates: Rates
    database: Any
    rows: int
    keep: int
    samples: list[Sample] = field(default_factory=list)
    options: list[Options] = field(default_factory=list)
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    statistics: Statistics = field(default_factory=lambda: Statistics({}, {}))

    def run(self) -> tuple[list[BuiltDesign], _Facts]:
        found = relationships(self.catalog)
        tables = touched_tables(self.patterns, found)
        inside = [each for each in found if each.child in tables and each.parent in tables]
        self.statistics = measure(self.conn, self.catalog, tables, inside, rows=self.rows)
        self._require_rows(tables)
        queries = RowQueries(self.catalog, self.statistics.scope)
        self.samples = samples_of(self.conn, queries, self.statistics, self.patterns)
        self.options = options_of(
            self.catalog, self.statistics, [each.pattern for each in self.samples], inside
        )
        result = search(
            self.catalog,
            tables,
            self.options,
            lambda design: price_design(design, self.samples, self.statistics, self.rates),
        )
        selected = _selected(result.prices, result.baseline, self.keep)
        designs = [each.design for each in selected]
        names = collection_names(designs)
        built = build(self.conn, queries, designs, self.database, names=names)
        self.losses = built.losses
        self._note_empty(tables)
        indexes = create_indexes(
            self.database, names, (one.plan for each in selected for one in each.patterns)
        )
        verifier = Verifier(self.conn, queries, self.database, names)
        verified = [verifier.verify(each) for each in designs]
        runner = Runner(self.database, names, queries, self.statistics)
        measured = [
            runner.compare(sample, [price.patterns[n].plan for price in selected])
            for n, sample in enumerate(self.samples)
        ]
        made = [
            self._built(n, price, built, names, indexes, verified[n], [each[n] for each in measured])
            for n, price in enumerate(selected)
        ]
        return _ranked(made, self.samples), _Facts(result.considered, result.prices)

    def _require_rows(self, tables: Sequence[TableKey]) -> None:
        if not any(self.statistics.table(key).rows for key in tables):
            named = ", ".join(f"{schema}.{name}" for schema, name in tables[:5])
            raise BadInput(
                f"the tables that the patterns touch have no rows ({named}): no design can be built or run; "
                "give a source that has some"
            )

    def _note_empty(self, tables: Sequence[TableKey]) -> None:
        empty = [f"{key[0]}.{key[1]}" for key in tables if not self.statistics.table(key).rows]
        if empty:
            shown = ", ".join(empty[:5]) + (f" and {len(empty) - 5} more" if len(empty) > 5 else "")
            self.notes = (
                f"{len(empty)} tables have no rows ({shown}): nothing could be measured on them, "
                "and their relationships are priced without children",
            )

    def _built(
        self,
        n: int,
        price: DesignPrice,
        built: Built,
        names: Mapping[CollectionDesign, str],
        indexes: Mapping[CollectionDesign, tuple[tuple[tuple[str, int], ...], ...]],
        verification: Verification,
        measured: Sequence[Measured | None],
    ) -> BuiltDesign:
        predicted = sum(
            one.warm_ms * one.plan.pattern.per_hour
            for one, found in zip(price.patterns, measured, strict=True)
            if found is not None
        )
        return BuiltDesign(
            name="a collection a table" if not price.design.choices else f"design {n + 1}",
            price=price,
            collections=tuple(built.collections[each] for each in price.design.collections),
            indexes={names[each]: indexes.get(each, ()) for each in price.design.collections},
            verification=verification,
            measured=tuple(measured),
            measured_ms=total_ms(measured, self.samples),
            predicted_ms=predicted,
            cold_ms=sum(
                one.cold_ms * one.plan.pattern.per_hour
                for one, found in zip(price.patterns, measured, strict=True)
                if found is not None
            ),
        )


def _ranked(made: list[BuiltDesign], samples: Sequence[Sample]) -> list[BuiltDesign]:
    """The built designs, the one to choose first: verified, and the cheapest as measured.

    Each is measured against the one of the lowest price, pattern by pattern, where the runs tell them
    apart; designs that they do not stay in the order of their prices.
    """
    first = made[0]
    measured = [replace(each, against_ms=_against_ms(each, first, samples)) for each in made]
    verified = [each for each in measured if each.verification.equal] or measured
    least = min(each.against_ms for each in verified)
    near = least + _MEASURED_APART * first.cost_ms
    chosen = next(each for each in verified if each.against_ms <= near)
    rest = sorted(
        (each for each in measured if each is not chosen),
        key=lambda each: (not each.verification.equal, each.against_ms),
    )
    return [chosen, *rest]


def _against_ms(one: BuiltDesign, other: BuiltDesign, samples: Sequence[Sample]) -> float:
    """Milliseconds an hour that *one* costs more than *other*."""
    slower = sum(
        mine.slower_than(its) * sample.pattern.per_hour
        for mine, its, sample in zip(one.measured, other.measured, samples, strict=True)
        if mine is not None and its is not None
    )
    return slower + one.cold_ms - other.cold_ms


def _selected(prices: Sequence[DesignPrice], baseline: DesignPrice, keep: int) -> list[DesignPrice]:
    """The cheapest, then the next that are told apart from all before by price; the baseline in any case."""
    chosen = [prices[0]]
    for price in prices[1:]:
        if len(chosen) >= keep:
            break
        apart = all(
            abs(price.per_hour_ms - each.per_hour_ms) > _DIFFERENT * each.per_hour_ms for each in chosen
        )
        if apart and _concerned(price, chosen):
            chosen.append(price)
    if all(each.design.choices for each in chosen):
        chosen.append(baseline)
    return chosen


def _concerned(price: DesignPrice, chosen: Sequence[DesignPrice]) -> bool:
    """Whether *price*'s design differs from each of *chosen* in a collection, not in an option unused."""
    return all(set(price.design.collections) != set(each.design.collections) for each in chosen)


def _surprises(built: Sequence[BuiltDesign], samples: Sequence[Sample]) -> tuple[list[Surprise], int]:
    """Where the order of two designs in a pattern is not the predicted one, and how many were compared.

    Compared are those that are predicted to differ by a tenth, and that the runs tell apart.
    """
    found: list[Surprise] = []
    compared = 0
    for n, sample in enumerate(samples):
        for i, one in enumerate(built):
            for other in built[i + 1 :]:
                first, second = one.measured[n], other.measured[n]
                if first is None or second is None:
                    continue
                predicted = (one.price.patterns[n].warm_ms, other.price.patterns[n].warm_ms)
                slower = first.slower_than(second)
                if not _apart(predicted) or not slower:
                    continue
                measured = (first.median_ms, second.median_ms)
                compared += 1
                if (predicted[0] < predicted[1]) != (slower < 0):
                    names = (one.name, other.name)
                    found.append(
                        Surprise(
                            sample.pattern.name,
                            names[predicted[0] > predicted[1]],
                            names[slower > 0],
                            predicted,
                            measured,
                        )
                    )
    return found, compared


def _apart(pair: tuple[float, float]) -> bool:
    return abs(pair[0] - pair[1]) > _TOLD_APART * max(pair)


def _decision(found: DesignComparison) -> str:
    chosen = found.chosen
    words = [
        f"{chosen.design.summary[:1].upper()}{chosen.design.summary[1:]}.",
        f"It costs {chosen.cost_ms:,.0f} ms an hour ({chosen.measured_ms:,.0f} of them measured, the rest "
        f"for documents from the disk); {_saved(chosen, found.baseline)}"
        f"{chosen.verification.rows:,} rows stand in {chosen.documents:,} documents, the largest has "
        f"{chosen.largest_bytes:,} bytes"
        + (
            f", and one reaches 16 MB in {chosen.price.days_to_limit:,.0f} days at the rate seen."
            if chosen.price.days_to_limit is not None
            else "."
        ),
    ]
    others = [each for each in found.built if each is not chosen]
    if others:
        runner_up = others[0]
        words.append(_against(found, chosen, runner_up))
    return " ".join(words)


def difference(other: BuiltDesign, chosen: BuiltDesign) -> str:
    """What *other* does otherwise than *chosen*, the first few choices of it."""
    if not other.design.choices:
        return "every relationship a reference"
    more = [f"with {each.label}" for each in other.design.choices if each not in chosen.design.choices]
    less = [f"without {each.label}" for each in chosen.design.choices if each not in other.design.choices]
    told = (more + less)[:_MOST_TOLD]
    left = len(more) + len(less) - len(told)
    return "; ".join(told) + (f"; and {left} more" if left else "")


def saved_ms(chosen: BuiltDesign, baseline: BuiltDesign) -> float:
    """Milliseconds an hour that *chosen* saves against *baseline*, by paired runs on the same keys."""
    return baseline.against_ms - chosen.against_ms


def _saved(chosen: BuiltDesign, baseline: BuiltDesign) -> str:
    if chosen is baseline:
        return ""
    return (
        f"a collection a table costs {saved_ms(chosen, baseline):,.0f} ms more, by paired runs on the same "
        "keys; "
    )


def _against(found: DesignComparison, chosen: BuiltDesign, other: BuiltDesign) -> str:
    """What the runner-up costs more, and where it is better."""
    more = (other.against_ms - chosen.against_ms) / chosen.cost_ms if chosen.cost_ms else 0.0
    wins = []
    for n, pattern in enumerate(found.patterns):
        mine, its = chosen.measured[n], other.measured[n]
        if mine and its and (slower := mine.slower_than(its)) > 0:
            wins.append((pattern.per_hour * slower, pattern.name, mine, its))
    wins.sort(key=lambda each: (-each[0], each[1]))
    told = ", ".join(
        f"{name} ({its.median_ms:.2f} ms instead of {mine.median_ms:.2f})" for _, name, mine, its in wins[:3]
    )
    cost = f"{abs(more):.1%} {'more' if more >= 0 else 'less'}"
    return f"The runner-up ({other.name}: {difference(other, chosen)}) costs {cost}" + (
        f"; it is measured faster at {told}." if told else "; it is measured faster at no pattern."
    )


def _finding(found: DesignComparison, area: str) -> Finding:
    chosen = found.chosen
    equal = chosen.verification.equal
    unequal = ", ".join(each.what for each in chosen.verification.unequal)
    return Finding(
        area=area,
        check="document-design",
        severity="info",
        object=found.source,
        title=f"The documents for {len(found.patterns)} access patterns: {chosen.design.summary}",
        why=found.decision,
        fix="\n".join(each.label for each in chosen.design.choices) or "a collection a table, by reference",
        verified=equal,
        unverified_because="" if equal else f"rows were not found back: {unequal}",
        evidence=tuple(
            Evidence(
                kind="design",
                summary=f"{each.name}: {each.measured_ms:,.0f} ms an hour measured, {each.design.summary}",
                engine=found.engine,
                facts={
                    "price_ms_per_hour": round(each.price.per_hour_ms, 1),
                    "measured_ms_per_hour": round(each.measured_ms, 1),
                    "documents": each.documents,
                    "size_bytes": each.size_bytes,
                    "largest_document_bytes": each.largest_bytes,
                    "rows_verified": each.verification.rows if each.verification.equal else 0,
                },
            )
            for each in found.built
        ),
    )
