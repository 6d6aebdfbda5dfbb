"""A copy of a collection, its documents and its indexes, on which an index can be tried.

with copied(source, collection, shape, engine) as copy:
    before = [copy.run(find) for find in copy.finds(operation)]
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bson
from bson import CodecOptions
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection as Target
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from workbench.catalog.collections import Collection, CollectionIndex, Operation
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.values import with_values
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import Document, MongoServer
from workbench.errors import EngineError
from workbench.proof.explain_documents import ExecutionStats, execution_stats

MOST_DOCUMENTS = 200_000
MOST_BYTES = 200 << 20
RUNS = 3  # executions of each operation, with values of different documents
_INSERTED_AT_ONCE = 10_000
_CANDIDATES = 200  # documents that values are taken from
_SEED = 1
_TIME_LIMIT_MS = 60_000
_DECODED: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


@dataclass(frozen=True)
class Wanted:
    """An index to try. With *hidden*, it is there under its name already and only hidden."""

    name: str
    key: tuple[tuple[str, int], ...]
    collation: Mapping[str, Any] | None = None
    hidden: bool = False


@dataclass(frozen=True)
class Copy:
    """A collection of ours. *documents* is how many were copied, *whole* whether those are all.

    *candidates* are some of them, from which the values of an operation are taken. Every method raises
    EngineError in one line.
    """

    target: Target[Document]
    documents: int
    whole: bool
    candidates: tuple[Mapping[str, Any], ...]

    def finds(self, operation: Operation, *, runs: int = RUNS) -> Iterator[dict[str, Any]]:
        """*operation* as finds with values in place, up to *runs* with those of different documents."""
        filled = (with_values(operation.filter, each, self.candidates) for each in self.candidates)
        different = {repr(query): query for query in filled if query is not None}
        for query in itertools.islice(different.values(), runs):
            find: dict[str, Any] = {"find": self.target.name, "filter": query}
            if operation.sort:
                find["sort"] = dict(operation.sort)
            if operation.limit:
                find["limit"] = operation.limit
            if operation.collation:
                find["collation"] = dict(operation.collation)
            yield find

    def explanation(self, find: Mapping[str, Any]) -> dict[str, Any]:
        """The server's reply to an ``explain`` of *find*, which is run."""
        asked = {"explain": dict(find), "verbosity": "executionStats", "maxTimeMS": _TIME_LIMIT_MS}
        try:
            return self.target.database.command(asked, codec_options=_DECODED)  # it sends UUIDs
        except PyMongoError as exc:
            raise EngineError(f"an operation could not be run: {line_of(exc)}") from exc

    def run(self, find: Mapping[str, Any]) -> ExecutionStats:
        """What one run of *find* took."""
        return execution_stats(self.explanation(find))

    def make(self, wanted: Wanted) -> str:
        """Make an index, or show one that is hidden; why that failed, empty where it did not."""
        options: dict[str, Any] = {"collation": dict(wanted.collation)} if wanted.collation else {}
        try:
            if wanted.hidden:
                self._set_hidden(wanted.name, hidden=False)
            else:
                self.target.create_index(list(wanted.key), name=wanted.name, **options)
        except PyMongoError as exc:
            return f"the index could not be made: {line_of(exc)}"
        return ""

    def hide(self, index: str, *, hidden: bool = True) -> None:
        """Take *index* from the planner's choice, or give it back; it is kept up all the while."""
        try:
            self._set_hidden(index, hidden=hidden)
        except PyMongoError as exc:
            raise EngineError(f"the index {index} could not be hidden: {line_of(exc)}") from exc

    def _set_hidden(self, index: str, *, hidden: bool) -> None:
        change = {"name": index, "hidden": hidden}
        self.target.database.command("collMod", self.target.name, index=change)

    def index_sizes(self) -> dict[str, int]:
        """Bytes by the name of each index."""
        stats = next(iter(self.target.aggregate([{"$collStats": {"storageStats": {}}}])))
        sizes: dict[str, int] = stats["storageStats"]["indexSizes"]
        return sizes


@contextmanager
def copied(
    source: DocumentSource,
    collection: Collection,
    shape: Shape,
    engine: MongoServer,
    *,
    most: int | None = None,
) -> Iterator[Copy]:
    """*collection* copied to a scratch database of *engine*, with its indexes, for the block.

    At most 200,000 documents and 200 MB of them (or *most* documents), at random where there are more. Its
    unique indexes refuse nothing there, its TTL indexes remove nothing. Raises SourceError where the
    documents cannot be read, EngineError.
    """
    with engine.scratch_database(label="indexes") as database:
        target = _copy_of(collection, database)
        documents, whole, drawn = _filled(source, collection, shape, target, most or MOST_DOCUMENTS)
        for index in collection.indexes:
            make_existing(target, index)
        yield Copy(target, documents, whole, tuple(_decoded(drawn)))


def _copy_of(collection: Collection, database: Database[Document]) -> Target[Document]:
    """An empty collection for the copy; the name is ours, as not every name suits the driver."""
    options: dict[str, Any] = {"collation": dict(collection.collation)} if collection.collation else {}
    return database.create_collection("copy", **options)


def _filled(
    source: DocumentSource, collection: Collection, shape: Shape, target: Target[Document], at_most: int
) -> tuple[int, bool, list[bytes]]:
    """Copy the documents; how many there are now, whether those are all, and some to take values from.

    These are drawn by a fixed seed, so that a collection that is the same gives the same figures.
    """
    total = shape.of or collection.documents or shape.documents
    mean = max(shape.sizes.mean, 1.0)
    most = min(at_most, max(int(MOST_BYTES / mean), 1))
    whole = total <= most
    raw = target.with_options(codec_options=RAW)
    copied = seen = 0
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    expected = min(total, most)
    places = set(chance.sample(range(expected), min(_CANDIDATES, expected)))
    drawn: list[bytes] = []
    documents = _documents(source.batches(collection.name, sample=None if whole else most))
    for part in _parts(itertools.islice(documents, most), _INSERTED_AT_ONCE):
        drawn += [bytes(each.raw) for number, each in enumerate(part, seen) if number in places]
        seen += len(part)
        try:
            raw.insert_many(part, ordered=False)
            copied += len(part)
        except BulkWriteError as exc:
            copied += exc.details["nInserted"]
        except PyMongoError as exc:
            raise EngineError(
                f"the documents of {collection.name} could not be copied: {line_of(exc)}"
            ) from exc
    chance.shuffle(drawn)
    return copied, whole, drawn


def _documents(batches: Iterator[bytes]) -> Iterator[RawBSONDocument]:
    for batch in batches:
        yield from bson.decode_all(batch, RAW)


def _parts(documents: Iterator[RawBSONDocument], size: int) -> Iterator[list[RawBSONDocument]]:
    while part := list(itertools.islice(documents, size)):
        yield part


def make_existing(target: Target[Document], index: CollectionIndex) -> None:
    """An index that is there already; nothing expires in the copy, and nothing is refused by it."""
    if index.name == "_id_":
        return
    options: dict[str, Any] = {**index.options, "name": index.name, "sparse": index.sparse}
    options.pop("clustered", None)
    if index.partial_filter:
        options["partialFilterExpression"] = dict(index.partial_filter)
        options.pop("sparse")
    if index.collation:
        options["collation"] = dict(index.collation)
    if index.hidden:
        options["hidden"] = True
    try:
        target.create_index(list(index.key), **options)
    except PyMongoError as exc:
        raise EngineError(f"its index {index.name} could not be made again: {line_of(exc)}") from exc


def _decoded(documents: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The *documents*; one that is no valid BSON is passed over."""
    for raw in documents:
        try:
            yield bson.decode(raw, _DECODED)
        except BSONError:
            continue


def line_of(exc: Exception) -> str:
    """The first line of what the driver says, without the reply that it repeats."""
    said = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    return said.partition(", full error")[0]
