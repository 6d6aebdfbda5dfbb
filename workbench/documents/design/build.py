"""Rows to documents: one snapshot, one ordered cursor a place, merged into BSON in constant memory."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import bson
import psycopg2
from bson import Int64
from bson.raw_bson import RawBSONDocument
from psycopg2 import sql as composed
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from workbench import sql
from workbench.catalog.model import Table, qualified
from workbench.catalog.reflect import one_snapshot
from workbench.documents.design.model import (
    CollectionDesign,
    Computed,
    Design,
    Nested,
    Part,
    Place,
    bucket_key_names,
)
from workbench.documents.design.rows import RowQueries
from workbench.documents.design.values import ValueType, value_type
from workbench.engines.postgres import Connection
from workbench.errors import WorkbenchError

MOST_BYTES = 16 * 1024 * 1024  # of a document
_ROWS_AT_ONCE = 2000
_DOCUMENTS_AT_ONCE = 1000
_BATCH_BYTES = 8_000_000

_FINER = re.compile(r"\.\d{3}0*[1-9]")  # than a millisecond
_CURSORS = itertools.count(1)

Texts = Sequence[str | None]


class BuildFailed(WorkbenchError):
    """Rows that cannot stand in documents as the design has them."""


@dataclass
class Losses:
    """What the documents do not hold of the rows' values, by qualified column."""

    microseconds: dict[str, int] = field(default_factory=dict)  # values with a part finer than a millisecond
    long_numbers: dict[str, int] = field(default_factory=dict)  # numbers beyond 34 digits: kept as strings

    def merge(self, other: Losses) -> None:
        """Take *other* in; of rows that stand in several collections each counts once."""
        for mine, its in (
            (self.microseconds, other.microseconds),
            (self.long_numbers, other.long_numbers),
        ):
            for column, count in its.items():
                mine[column] = max(count, mine.get(column, 0))

    def lines(self) -> tuple[str, ...]:
        return (
            *(
                f"{column}: {count:,} times lose what is finer than a millisecond"
                for column, count in sorted(self.microseconds.items())
            ),
            *(
                f"{column}: {count:,} numbers of more than 34 digits are strings"
                for column, count in sorted(self.long_numbers.items())
            ),
        )


@dataclass(frozen=True)
class BuiltCollection:
    """A collection that was filled: *size_bytes* before compression, *largest_bytes* of one document."""

    name: str
    documents: int
    size_bytes: int
    largest_bytes: int


@dataclass(frozen=True)
class Built:
    """A design in a database: its collections, under the names that they have there."""

    collections: Mapping[CollectionDesign, BuiltCollection]
    losses: tuple[str, ...]
    elapsed_s: float


def build(
    conn: Connection,
    queries: RowQueries,
    designs: Sequence[Design],
    database: Database[Any],
    *,
    names: Mapping[CollectionDesign, str] | None = None,
) -> Built:
    """Fill *database* with the collections of *designs*; a collection that several have is built once.

    *conn* is an autocommit connection that is only read, in one snapshot. Raises BuildFailed for a document
    beyond 16 MB and for what either server refuses, with the collection and the reason.
    """
    started = time.monotonic()
    names = names or collection_names(designs)
    losses = Losses()
    built = {}
    with one_snapshot(conn), text_settings(conn):
        for collection, name in names.items():
            own = Losses()
            try:
                built[collection] = _filled(documents(conn, queries, collection, losses=own), database[name])
                losses.merge(own)
            except (psycopg2.Error, PyMongoError) as exc:
                reason = str(exc).strip().splitlines()[0]
                raise BuildFailed(f"collection {name!r} cannot be built: {reason}") from exc
    return Built(built, losses.lines(), time.monotonic() - started)


def collection_names(designs: Sequence[Design]) -> dict[CollectionDesign, str]:
    """A name for each different collection of *designs*: its own, with a number where two share one."""
    names: dict[CollectionDesign, str] = {}
    taken: set[str] = set()
    for collection in dict.fromkeys(each for design in designs for each in design.collections):
        free = (collection.name, *(f"{collection.name}~{n}" for n in range(2, len(taken) + 3)))
        names[collection] = next(each for each in free if each not in taken)
        taken.add(names[collection])
    return names


@contextlib.contextmanager
def text_settings(conn: Connection) -> Iterator[None]:
    """Values in the form that `values` reads; only inside a transaction."""
    sql.run(conn, ["nosql/design/text_settings.sql", "proof/transaction/operators.sql"])
    yield


def _filled(raw: Iterator[bytes], collection: Collection[Any]) -> BuiltCollection:
    collection.database.create_collection(collection.name)
    documents = size = largest = 0
    while batch := _batch(raw):
        collection.insert_many(map(RawBSONDocument, batch), ordered=False)
        documents += len(batch)
        size += sum(map(len, batch))
        largest = max(largest, max(map(len, batch)))
    return BuiltCollection(collection.name, documents, size, largest)


def _batch(raw: Iterator[bytes]) -> list[bytes]:
    """The next documents, as many as one insert should have."""
    batch: list[bytes] = []
    size = 0
    for each in itertools.islice(raw, _DOCUMENTS_AT_ONCE):
        batch.append(each)
        size += len(each)
        if size >= _BATCH_BYTES:
            break
    return batch


def documents(
    conn: Connection, queries: RowQueries, collection: CollectionDesign, *, losses: Losses | None = None
) -> Iterator[bytes]:
    """The documents of *collection* as BSON, in the order of their keys; equal rows give equal bytes.

    *conn* is in a transaction with `text_settings`. Raises BuildFailed for a document beyond 16 MB.
    """
    source = _Source(conn, queries, losses if losses is not None else Losses())
    made = source.buckets(collection) if collection.kind == "buckets" else source.rows(collection)
    for document in made:
        raw = bson.encode(document)
        if len(raw) > MOST_BYTES:
            raise BuildFailed(
                f"collection {collection.name!r}: the document with _id {document['_id']!r} would have "
                f"{len(raw) / 1e6:.1f} MB, the limit is 16 MB: reference or bucket what it embeds"
            )
        yield raw


@dataclass(frozen=True)
class _Source:
    conn: Connection
    queries: RowQueries
    losses: Losses

    def rows(self, collection: CollectionDesign) -> Iterator[dict[str, Any]]:
        place = Place(collection)
        for number, document in self._objects(place):
            yield document if collection.key else {"_id": Int64(number), **document}

    def buckets(self, collection: CollectionDesign) -> Iterator[dict[str, Any]]:
        """Groups of up to *bound* rows of one parent, in their order."""
        assert collection.relationship is not None, "buckets are of a relationship"
        place = Place(collection)
        table = self.queries.table(collection.part.table)
        names = bucket_key_names(collection)
        types = [value_type(table.column(name)) for name in collection.relationship.columns]
        width = len(types)
        made = object_maker(table, collection.part, self.losses)
        nested = [(each, self._children(place, each)) for each in collection.part.nested]

        def bucket(row: Texts) -> tuple[Texts, int]:
            return tuple(row[1 : width + 1]), (int(row[0] or 0) - 1 - collection.skip) // collection.bound

        numbered = enumerate(self._stream(self.queries.texts(place)), start=1)
        for (key, number), rows in itertools.groupby(numbered, key=lambda each: bucket(each[1])):
            objects = []
            for n, row in rows:
                document = made(row[width + 1 :])
                for each, children in nested:
                    _put(document, each, children(n))
                objects.append(document)
            parent = {
                name: kind.value(text)
                for name, kind, text in zip(names, types, key, strict=True)
                if text is not None
            }
            yield {"_id": {**parent, "bucket": number}, "count": len(objects), "rows": objects}

    def _objects(self, place: Place) -> Iterator[tuple[int, dict[str, Any]]]:
        """The objects of *place* with all that stands in them, each with the number of the one above."""
        part = place.part
        made = object_maker(self.queries.table(part.table), part, self.losses)
        nested = [(each, self._children(place, each)) for each in part.nested]
        computed = [(each, self._computed(place, each)) for each in part.computed]
        for n, row in enumerate(self._stream(self.queries.texts(place)), start=1):
            document = made(row[1:])
            for each, children in nested:
                _put(document, each, children(n))
            for found, values in computed:
                document[found.name] = values(n)
            yield int(row[0] or 0), document

    def _children(self, place: Place, nested: Nested) -> Callable[[int], list[dict[str, Any]]]:
        """A function that gives the objects within the row of a number; the numbers must rise."""
        below = Place(place.collection, (*place.trail, nested))
        return _merged(self._objects(below))

    def _computed(self, place: Place, found: Computed) -> Callable[[int], dict[str, Any]]:
        child = self.queries.table(found.relationship.child)
        types = [sum_type(child, name) for name in found.sums]
        none: dict[str, Any] = {"count": 0}

        def values() -> Iterator[tuple[int, dict[str, Any]]]:
            for row in self._stream(self.queries.computed(place, found)):
                sums = {
                    f"sum_{name}": kind.value(text)
                    for name, kind, text in zip(found.sums, types, row[2:], strict=True)
                    if text is not None
                }
                yield int(row[0] or 0), {"count": int(row[1] or 0), **sums}

        merged = _merged(values())
        return lambda n: next(iter(merged(n)), none)

    def _stream(self, query: composed.Composable) -> Iterator[Texts]:
        """The rows of *query* by a server-side cursor."""
        name = composed.Identifier(f"workbench_rows_{next(_CURSORS)}")
        with self.conn.cursor() as cur:
            cur.execute(composed.SQL("declare {} no scroll cursor for {}").format(name, query))
            fetch = composed.SQL("fetch {} from {}").format(composed.Literal(_ROWS_AT_ONCE), name)
            while True:
                cur.execute(fetch)
                rows = cur.fetchall()
                yield from rows
                if len(rows) < _ROWS_AT_ONCE:
                    break
            cur.execute(composed.SQL("close {}").format(name))


def sum_type(child: Table, column: str) -> ValueType:
    """How the sum of *column* stands in a document: whole numbers as long, others as Decimal128 or double."""
    found = child.column(column)
    return value_type(replace(found, base_type=_SUMS.get(found.base_type, "numeric"), enum_labels=()))


_SUMS = {
    "smallint": "bigint",
    "integer": "bigint",
    "real": "real",
    "double precision": "double precision",
    "money": "money",
}


def _merged(numbered: Iterator[tuple[int, dict[str, Any]]]) -> Callable[[int], list[dict[str, Any]]]:
    """What of *numbered*, which rises, bears the number that is asked for; each number is asked for once."""
    waiting = next(numbered, None)

    def of(n: int) -> list[dict[str, Any]]:
        nonlocal waiting
        found = []
        while waiting is not None and waiting[0] == n:
            found.append(waiting[1])
            waiting = next(numbered, None)
        return found

    return of


def _put(document: dict[str, Any], nested: Nested, objects: list[dict[str, Any]]) -> None:
    """The objects in their field: always an array, an object only where there is one."""
    if nested.shape == "array":
        document[nested.name] = objects
    elif objects:
        document[nested.name] = objects[0]


def object_maker(table: Table, part: Part, losses: Losses) -> Callable[[Texts], dict[str, Any]]:
    """A function from the texts of a row, in the order of the part's fields, to its object."""
    plain = [
        (index, each.path[0], _counting(table, each.column, losses))
        for index, each in enumerate(part.fields)
        if len(each.path) == 1
    ]
    compound = [
        (index, each.path[1], _counting(table, each.column, losses))
        for index, each in enumerate(part.fields)
        if len(each.path) > 1
    ]

    def made(row: Texts) -> dict[str, Any]:
        document: dict[str, Any] = {}
        if compound:
            document["_id"] = {
                name: value(text) for index, name, value in compound if (text := row[index]) is not None
            }
        for index, name, value in plain:
            text = row[index]
            if text is not None:
                document[name] = value(text)
        return document

    return made


def _counting(table: Table, column: str, losses: Losses) -> Callable[[str], Any]:
    """The conversion of *column*, which counts what it cannot keep."""
    kind = value_type(table.column(column))
    label = qualified(table.schema, table.name, column)
    if kind.milliseconds:

        def moment(text: str) -> Any:
            value = kind.value(text)
            if _FINER.search(text):
                losses.microseconds[label] = losses.microseconds.get(label, 0) + 1
            return value

        return moment
    if kind.bson == "decimal":

        def number(text: str) -> Any:
            value = kind.value(text)
            if isinstance(value, str):
                losses.long_numbers[label] = losses.long_numbers.get(label, 0) + 1
            return value

        return number
    return kind.value
