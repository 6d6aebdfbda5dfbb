"""What a design costs: documents, bytes and milliseconds a pattern, by rates measured on the engine.

The unit is milliseconds that callers wait. A step costs one operation, and for each document a constant and
its bytes: WiredTiger reads a document as a whole however little of it is asked for, and writes it anew as
a whole however little of it changes. The constants are lower quartiles of small runs on the same server, so
that they hold for it alone, with all data in its cache; what a document from the disk takes more is a
parameter.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import bson
import numpy as np
from bson import Decimal128
from pymongo.collection import Collection
from pymongo.database import Database

from workbench.documents.design.model import Design
from workbench.documents.design.plans import Plan, Planner, Step
from workbench.documents.design.sampling import Sample
from workbench.documents.design.sizes import Sizes
from workbench.documents.design.statistics import Statistics
from workbench.engines.mongo import MongoServer

_SIZES = (300, 8_000, 120_000)
_COUNTS = (1, 10, 100)
_RUNS = 12


@dataclass(frozen=True)
class Rate:
    """Milliseconds: of an operation, of a document more, of a kilobyte."""

    operation_ms: float
    document_ms: float
    kilobyte_ms: float

    def of(self, documents: float, document_bytes: float) -> float:
        kilobytes = documents * document_bytes / 1000
        return self.operation_ms + documents * self.document_ms + kilobytes * self.kilobyte_ms


@dataclass(frozen=True)
class Rates:
    """What was measured on *engine*: reads (a kilobyte of the reply), inserts, updates.

    *stored_kilobyte_ms* is that of a document which is read and not sent, *index_entry_ms* of an entry more.
    *cold_ms* is not measured: the share of documents that come from the disk times what that takes.
    """

    engine: str
    read: Rate
    insert: Rate
    update: Rate
    stored_kilobyte_ms: float
    index_entry_ms: float
    cold_ms: float = 0.0

    def __call__(self, step: Step) -> float:
        """The expected milliseconds of *step*, without index entries."""
        if step.action == "insert":
            return step.share * self.insert.of(step.documents, step.document_bytes)
        cold = step.documents * self.cold_ms
        if step.action == "find":
            left_out = step.documents * (step.document_bytes - step.reply_bytes) / 1000
            warm = self.read.of(step.documents, step.reply_bytes) + left_out * self.stored_kilobyte_ms
        else:
            warm = self.update.of(step.documents, step.document_bytes)
        return step.share * (warm + cold)


def calibrate(engine: MongoServer, database: Database[Any], *, cold_ms: float = 0.0) -> Rates:
    """The rates of *engine*, from some hundred small operations in the scratch *database*."""
    runs = _Calibration(database["calibration"])
    try:
        insert, update = runs.writes()
        return Rates(
            engine=engine.description,
            read=runs.read(),
            insert=insert,
            update=update,
            stored_kilobyte_ms=runs.stored_kilobyte(),
            index_entry_ms=runs.index_entry(),
            cold_ms=cold_ms,
        )
    finally:
        database.drop_collection("calibration")


Point = tuple[int, int]  # bytes of a document, documents


@dataclass
class _Calibration:
    collection: Collection[Any]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.collection.drop()
        self.collection.create_index("group")
        for size in _SIZES:
            many = 100 if size < 100_000 else 10
            self.collection.insert_many([_document(f"{size}-{n}", size, f"{size}") for n in range(many)])
        for count in _COUNTS[1:]:
            several = [_document(f"u{count}-{n}", _SIZES[0], f"u{count}") for n in range(count)]
            self.collection.insert_many(several)

    def read(self) -> Rate:
        """By the key, and some documents by an index."""
        points = [(size, n) for size in _SIZES for n in _COUNTS if size * n <= 1_500_000]
        elapsed = _quiet_ms([partial(self._read, *each) for each in points])
        matrix = [[1.0, count, size * count / 1000] for size, count in points]
        return Rate(*_fitted(matrix, elapsed))

    def writes(self) -> tuple[Rate, Rate]:
        """Inserts and updates; what an operation waits for, the journal, is the same for both."""
        inserts = [(size, n) for size in _SIZES for n in _COUNTS if size * n <= 1_000_000]
        updates = [*((size, 1) for size in _SIZES), *((_SIZES[0], n) for n in _COUNTS[1:])]
        elapsed = _quiet_ms(
            [
                *(partial(self._insert, *each) for each in inserts),
                *(partial(self._update, *each) for each in updates),
            ]
        )
        matrix = [
            *([1.0, count, size * count / 1000, 0.0, 0.0] for size, count in inserts),
            *([1.0, 0.0, 0.0, count, size * count / 1000] for size, count in updates),
        ]
        operation, *rest = _fitted(matrix, elapsed)
        return Rate(operation, rest[0], rest[1]), Rate(operation, rest[2], rest[3])

    def stored_kilobyte(self) -> float:
        """Of a large document that is read for its small fields, the milliseconds a kilobyte."""

        def read(size: int) -> None:
            list(self.collection.find_raw_batches({"group": f"{size}"}, {"rows": 0}).limit(10))

        small, large = _quiet_ms([partial(read, size) for size in (_SIZES[0], _SIZES[-1])])
        return max(0.0, (large - small) / (10 * (_SIZES[-1] - _SIZES[0]) / 1000))

    def index_entry(self) -> float:
        """Of an insert of 1,000 documents with three indexes more, the milliseconds an entry."""

        def inserted() -> None:
            self.collection.insert_many(
                [{"_id": f"x{next(self.numbers)}", "a": n, "b": -n, "c": n % 7} for n in range(1000)]
            )

        (plain,) = _quiet_ms([inserted], runs=4)
        for name in ("a", "b", "c"):
            self.collection.create_index(name)
        (indexed,) = _quiet_ms([inserted], runs=4)
        return max(0.0, (indexed - plain) / 3000)

    def _read(self, size: int, count: int) -> None:
        query = {"_id": f"{size}-0"} if count == 1 else {"group": f"{size}"}
        list(self.collection.find_raw_batches(query).limit(count))

    def _insert(self, size: int, count: int) -> None:
        self.collection.insert_many([_document(f"i{next(self.numbers)}", size, "new") for _ in range(count)])

    def _update(self, size: int, count: int) -> None:
        """A small change of one document of the size, or of several small ones."""
        change = {"$set": {"changed": next(self.numbers)}}
        if count == 1:
            self.collection.update_one({"_id": f"{size}-0"}, change)
        else:
            self.collection.update_many({"group": f"u{count}"}, change)


_ROW = {"id": 1, "at": datetime(2024, 2, 29, 12, tzinfo=UTC), "text": "x" * 16, "amount": Decimal128("12.50")}
_ROW_BYTES = len(bson.encode(_ROW)) + 5


def _document(key: str, size: int, group: str) -> dict[str, Any]:
    """A document of about *size* bytes, made of rows as tables have them."""
    return {"_id": key, "group": group, "rows": [_ROW] * max(1, (size - 60) // _ROW_BYTES)}


def _quiet_ms(runs_of: Sequence[Callable[[], object]], *, runs: int = _RUNS) -> list[float]:
    """The lower quartile of each, run in turn: what else the machine does at times is left out alike."""
    elapsed: list[list[float]] = [[] for _ in runs_of]
    for number in range(runs + 1):
        for each, run in zip(elapsed, runs_of, strict=True):
            started = time.perf_counter()
            run()
            if number:  # the first opens connections and warms caches
                each.append((time.perf_counter() - started) * 1000)
    return [sorted(each)[len(each) // 4] for each in elapsed]


def _fitted(matrix: Sequence[Sequence[float]], elapsed: Sequence[float]) -> list[float]:
    """The constants that explain *elapsed* by the rows of *matrix* with the least relative error.

    Negative ones are noise: they are set to nothing and the rest is fitted again.
    """
    weighted = np.array(matrix) / np.array(elapsed)[:, None]
    used = list(range(weighted.shape[1]))
    found = np.zeros(weighted.shape[1])
    while used:
        solution, *_ = np.linalg.lstsq(weighted[:, used], np.ones(len(elapsed)), rcond=None)
        if (solution >= 0).all():
            found[used] = solution
            break
        used = [each for each, value in zip(used, solution, strict=True) if value >= 0]
    return [float(each) for each in found]


@dataclass(frozen=True)
class PatternPrice:
    """What one run of a pattern is expected to take: *lookups* are the operations, *milliseconds* a run."""

    plan: Plan
    operations: float
    documents_read: float
    bytes_read: float
    documents_written: float
    bytes_written: float
    milliseconds: float
    cold_ms: float  # of these, for what comes from the disk

    @property
    def warm_ms(self) -> float:
        """What a run is expected to take where all is in the cache, as in the runs here."""
        return self.milliseconds - self.cold_ms

    @property
    def per_hour_ms(self) -> float:
        return self.milliseconds * self.plan.pattern.per_hour

    @property
    def per_hour_documents(self) -> float:
        """Documents read and written an hour."""
        return (self.documents_read + self.documents_written) * self.plan.pattern.per_hour


@dataclass(frozen=True)
class DesignPrice:
    """A design with the price of each pattern; *storage_bytes* before compression.

    *largest_bytes* is the largest document expected now, *days_to_limit* when one reaches 16 MB at the
    mean rate at which children come (None where nothing grows, or no time is known).
    """

    design: Design
    patterns: tuple[PatternPrice, ...]
    storage_bytes: float
    largest_bytes: float
    days_to_limit: float | None

    @property
    def per_hour_ms(self) -> float:
        return sum(each.per_hour_ms for each in self.patterns)

    @property
    def read_ms(self) -> float:
        return sum(each.per_hour_ms for each in self.patterns if not each.plan.pattern.writes)

    @property
    def write_ms(self) -> float:
        return sum(each.per_hour_ms for each in self.patterns if each.plan.pattern.writes)

    @property
    def copies(self) -> int:
        """How many places hold what has its home elsewhere."""
        return sum(place.copies for place in self.design.places) + sum(
            len(place.part.computed) for place in self.design.places
        )


def price_design(
    design: Design, samples: Sequence[Sample], statistics: Statistics, rates: Rates
) -> DesignPrice:
    """*design* priced for the patterns of *samples*."""
    sizes = Sizes(design, statistics)
    planner = Planner(design, statistics, sizes, rates)
    plans = [planner.plan(each) for each in samples]
    indexes: dict[str, set[tuple[tuple[str, int], ...]]] = {}
    for plan in plans:
        for step in plan.steps:
            if step.index:
                indexes.setdefault(step.collection.name, set()).add(step.index)
    prices = tuple(_price(plan, rates, {name: len(each) for name, each in indexes.items()}) for plan in plans)
    days = min((sizes.days_to_limit(each) for each in design.collections), default=float("inf"))
    return DesignPrice(
        design,
        prices,
        sizes.storage_bytes(),
        max((sizes.largest_bytes(each) for each in design.collections), default=0.0),
        None if days == float("inf") else max(0.0, days),
    )


def _price(plan: Plan, rates: Rates, indexes: dict[str, int]) -> PatternPrice:
    operations = read = read_bytes = written = written_bytes = elapsed = 0.0
    for step in plan.steps:
        operations += step.share
        documents = step.share * step.documents
        if step.action != "insert":
            read += documents
            read_bytes += documents * step.document_bytes
        if step.action != "find":
            written += documents
            written_bytes += documents * step.document_bytes
        elapsed += rates(step)
        if step.action in ("insert", "delete"):
            elapsed += documents * (1 + indexes.get(step.collection.name, 0)) * rates.index_entry_ms
    return PatternPrice(
        plan, operations, read, read_bytes, written, written_bytes, elapsed, read * rates.cold_ms
    )


def pareto(prices: Sequence[DesignPrice]) -> list[DesignPrice]:
    """Those that no other beats or equals in reads, writes and storage together, cheapest first."""

    def figures(price: DesignPrice) -> tuple[float, float, float]:
        return (price.read_ms, price.write_ms, price.storage_bytes)

    kept: list[DesignPrice] = []
    for price in sorted(prices, key=lambda each: (each.per_hour_ms, each.storage_bytes)):
        mine = figures(price)
        if not any(all(a <= b for a, b in zip(figures(other), mine, strict=True)) for other in kept):
            kept.append(price)
    return kept
