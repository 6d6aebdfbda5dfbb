"""Every row found back in the documents: counts and order-independent checksums of both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from psycopg2 import sql as composed
from pymongo.database import Database

from workbench.catalog.model import Table, qualified
from workbench.catalog.reflect import one_snapshot
from workbench.documents.design.build import sum_type, text_settings
from workbench.documents.design.model import (
    CollectionDesign,
    Computed,
    Design,
    Nested,
    Place,
    TableKey,
    bucket_key_names,
    places_of,
)
from workbench.documents.design.rows import RowQueries
from workbench.documents.design.values import Composable, value_type
from workbench.engines.postgres import Connection

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    tz_aware=False,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
_SEPARATOR, _NULL = "\x1f", "\x1e"
_ABSENT: Any = object()  # a null of json is a null, one of SQL an absent field


@dataclass(frozen=True)
class Compared:
    """One comparison of both sides: the rows of a table, the copies at a place, what is computed there."""

    what: str
    kind: str  # rows, copies, computed
    rows: int
    documents: int
    rows_checksum: int
    documents_checksum: int

    @property
    def equal(self) -> bool:
        return (self.rows, self.rows_checksum) == (self.documents, self.documents_checksum)


@dataclass(frozen=True)
class Verification:
    """The comparisons of one design; *rows* counts the rows of its tables."""

    compared: tuple[Compared, ...]

    @property
    def equal(self) -> bool:
        return all(each.equal for each in self.compared)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.compared if each.kind == "rows")

    @property
    def unequal(self) -> tuple[Compared, ...]:
        return tuple(each for each in self.compared if not each.equal)


@dataclass
class _Tally:
    count: int = 0
    checksum: int = 0

    def add(self, texts: Sequence[str | None]) -> None:
        joined = _SEPARATOR.join([_NULL if text is None else text for text in texts])
        self.checksum += int.from_bytes(hashlib.sha256(joined.encode()).digest()[:7], "big")
        self.count += 1


@dataclass
class _Found:
    """What a collection's documents hold: a tally a place, and one for what is computed there."""

    places: dict[Place, _Tally] = field(default_factory=dict)
    computed: dict[tuple[Place, Computed], _Tally] = field(default_factory=dict)


class Verifier:
    """Compares designs built in *database* with the rows they were made of; each collection is read once."""

    def __init__(
        self,
        conn: Connection,
        queries: RowQueries,
        database: Database[Any],
        names: Mapping[CollectionDesign, str],
    ) -> None:
        self._conn = conn
        self._queries = queries
        self._database = database
        self._names = names
        self._found: dict[CollectionDesign, _Found] = {}
        self._asked: dict[object, tuple[int, int]] = {}

    def verify(self, design: Design) -> Verification:
        """Both sides of every table and every copy of *design*."""
        with one_snapshot(self._conn), text_settings(self._conn):
            return Verification(tuple(self._compared(design)))

    def _compared(self, design: Design) -> Iterator[Compared]:
        for table in design.tables:
            tallies = [self._of(place.collection).places[place] for place in design.homes(table)]
            rows, checksum = self._of_table(table)
            yield Compared(
                qualified(*table),
                "rows",
                rows,
                sum(each.count for each in tallies),
                checksum,
                sum(each.checksum for each in tallies),
            )
        for place in design.places:
            if place.copies:
                tally = self._of(place.collection).places[place]
                yield Compared(
                    _label(place), "copies", *_alternate(self._of_place(place), (tally.count, tally.checksum))
                )
            for computed in place.part.computed:
                summed = self._of(place.collection).computed[place, computed]
                yield Compared(
                    f"{_label(place)}.{computed.name}",
                    "computed",
                    *_alternate(self._of_computed(place, computed), (summed.count, summed.checksum)),
                )

    def _of(self, collection: CollectionDesign) -> _Found:
        if collection not in self._found:
            self._found[collection] = self._read(collection)
        return self._found[collection]

    def _read(self, collection: CollectionDesign) -> _Found:
        found = _Found()
        reader = _reader(self._queries, collection, found)
        for batch in self._database[self._names[collection]].find_raw_batches(batch_size=1000):
            for document in bson.decode_all(batch, CODEC):
                reader(document)
        return found

    def _of_table(self, table: TableKey) -> tuple[int, int]:
        columns = [each.name for each in self._queries.table(table).columns]
        rows = composed.SQL("select t.* from {} as t").format(self._queries.source(table))
        return self._ask(table, self._queries.checksum(table, columns, rows))

    def _of_place(self, place: Place) -> tuple[int, int]:
        columns = _columns(self._queries.table(place.part.table), place)
        rows = self._queries.numbered(place)
        return self._ask(place, self._queries.checksum(place.part.table, columns, rows))

    def _of_computed(self, place: Place, computed: Computed) -> tuple[int, int]:
        return self._ask((place, computed), self._queries.computed_checksum(place, computed))

    def _ask(self, key: object, query: Composable) -> tuple[int, int]:
        if key not in self._asked:
            with self._conn.cursor() as cur:
                cur.execute(query)
                rows, checksum = cur.fetchone() or (0, "0")
                self._asked[key] = int(rows), int(checksum)
        return self._asked[key]


def _alternate(rows: tuple[int, int], documents: tuple[int, int]) -> tuple[int, int, int, int]:
    return rows[0], documents[0], rows[1], documents[1]


def _label(place: Place) -> str:
    return ".".join((place.collection.name, *place.names))


def _columns(table: Table, place: Place) -> list[str]:
    """The columns that a place holds, or inherits from what stands above."""
    part = place.part
    held = {each.column for each in part.fields} | {column for column, _ in part.inherited}
    if place.collection.kind == "buckets" and not place.trail and place.collection.relationship:
        held |= set(place.collection.relationship.columns)
    return [each.name for each in table.columns if each.name in held]


Reader = Callable[[dict[str, Any]], None]
TextsByColumn = dict[str, str | None]


def _reader(queries: RowQueries, collection: CollectionDesign, found: _Found) -> Reader:
    """A function that adds a document of *collection* to *found*."""
    for place in places_of(collection):
        found.places[place] = _Tally()
        for computed in place.part.computed:
            found.computed[place, computed] = _Tally()
    root = _object_reader(queries, Place(collection), found)
    if collection.kind == "rows":
        return lambda document: root(document, {})
    assert collection.relationship is not None, "buckets are of a relationship"
    table = queries.table(collection.part.table)
    key = [
        (column, name, value_type(table.column(column)).text)
        for column, name in zip(collection.relationship.columns, bucket_key_names(collection), strict=True)
    ]

    def bucket(document: dict[str, Any]) -> None:
        above: TextsByColumn = {
            column: text(document["_id"][name]) for column, name, text in key if name in document["_id"]
        }
        for row in document["rows"]:
            root(row, above)

    return bucket


def _object_reader(
    queries: RowQueries, place: Place, found: _Found
) -> Callable[[dict[str, Any], TextsByColumn], None]:
    """A function that adds an object at *place*, given the texts that stand above it."""
    part = place.part
    table = queries.table(part.table)
    columns = _columns(table, place)
    fields = [(each.column, each.path, value_type(table.column(each.column)).text) for each in part.fields]
    inherited = part.inherited
    of_bucket = place.collection.kind == "buckets" and not place.trail
    tally = found.places[place]
    nested = [
        (each, _object_reader(queries, Place(place.collection, (*place.trail, each)), found))
        for each in part.nested
    ]
    computed = [(each, found.computed[place, each], _computed_texts(queries, each)) for each in part.computed]
    key = [
        each.name for each in table.columns if each.name in (place.collection.key if not place.trail else ())
    ]

    def read(document: dict[str, Any], above: TextsByColumn) -> None:
        row: TextsByColumn = dict(above) if of_bucket else {}
        for column, referenced in inherited:
            row[column] = above.get(referenced)
        for column, path, text in fields:
            value = document.get(path[0], _ABSENT)
            if len(path) > 1 and value is not _ABSENT:
                value = value.get(path[1], _ABSENT)
            row[column] = None if value is _ABSENT else text(value)
        tally.add([row.get(name) for name in columns])
        for each, reader in nested:
            for inner in _objects(document, each):
                reader(inner, row)
        for found_there, summed, texts in computed:
            summed.add([*(row.get(name) for name in key), *texts(document.get(found_there.name) or {})])

    return read


def _objects(document: dict[str, Any], nested: Nested) -> Sequence[dict[str, Any]]:
    value = document.get(nested.name)
    if value is None:
        return ()
    return value if nested.shape == "array" else (value,)


def _computed_texts(queries: RowQueries, computed: Computed) -> Callable[[dict[str, Any]], list[str | None]]:
    child = queries.table(computed.relationship.child)
    sums = [(f"sum_{name}", sum_type(child, name).text) for name in computed.sums]

    def texts(value: dict[str, Any]) -> list[str | None]:
        return [
            str(value.get("count", 0)),
            *(text(value[name]) if name in value else None for name, text in sums),
        ]

    return texts
