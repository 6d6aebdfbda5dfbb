"""What the checks ask of the documents, counted in one pass over each collection that is asked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from struct import Struct
from typing import Any

from bson import decode_all
from bson.codec_options import CodecOptions
from bson.errors import BSONError

from workbench.areas.nosql.checks.tallies import Document, Question, Tally, hashable
from workbench.catalog.shapes import Shape
from workbench.documents.bson_types import LENIENT, TELLING
from workbench.documents.source import DocumentSource

_CHUNK_BYTES = 256 * 1024
_ASKED_AT_ONCE = 1_000
_IDS_KEPT = 500_000  # of a collection without a server, to look references up in
_length_at = Struct("<i").unpack_from
_OPTIONS: CodecOptions[Document] = TELLING.with_options(tz_aware=True, tzinfo=UTC)
_LENIENT: CodecOptions[Document] = LENIENT.with_options(tz_aware=True, tzinfo=UTC)


def answers(
    source: DocumentSource, shapes: Mapping[str, Shape], questions: Iterable[Question], *, now: datetime
) -> dict[Question, Tally]:
    """The tallies of the *questions*, of all documents where the shape is, else of as large a sample."""
    asked: dict[str, dict[Question, Tally]] = defaultdict(dict)
    for question in questions:
        if question not in asked[question.collection]:
            asked[question.collection][question] = question.tally(now)
    for collection, tallies in asked.items():
        shape = shapes[collection]
        sample = None if shape.full else max(shape.documents, 1)
        for document in documents(source.batches(collection, sample=sample)):
            for tally in tallies.values():
                tally.add(document)
    return {question: tally for tallies in asked.values() for question, tally in tallies.items()}


def documents(batches: Iterable[bytes]) -> Iterator[Document]:
    """The documents in *batches*, decoded some at a time; dates have their time zone, which is UTC."""
    for batch in batches:
        for chunk in _chunks(batch):
            try:
                yield from decode_all(chunk, _OPTIONS)
            except (BSONError, ValueError):  # a UUID of a wrong length, which the first options refuse
                yield from decode_all(chunk, _LENIENT)


def _chunks(batch: bytes) -> Iterator[bytes]:
    """*batch* in parts of whole documents, of 256 kB or one document."""
    start = end = 0
    while end < len(batch):
        end += max(_length_at(batch, end)[0], 5)
        if end - start >= _CHUNK_BYTES:
            yield batch[start:end]
            start = end
    if start < len(batch):
        yield batch[start:]


class Identities:
    """Looks up which values are the ``_id`` of a document: by the server, or in those of the files."""

    def __init__(self, source: DocumentSource) -> None:
        self._source = source
        self._kept: dict[str, frozenset[Any] | None] = {}

    def __call__(self, collection: str, values: Sequence[Any]) -> frozenset[Any] | None:
        """Which of *values* are there; None where the collection has too many to keep their ids."""
        if self._source.database is not None:
            return frozenset(self._asked(collection, values))
        if collection not in self._kept:
            self._kept[collection] = self._all_of(collection)
        kept = self._kept[collection]
        return None if kept is None else kept & frozenset(values)

    def _asked(self, collection: str, values: Sequence[Any]) -> Iterator[Any]:
        database = self._source.database
        if database is None:
            return
        for start in range(0, len(values), _ASKED_AT_ONCE):
            part = list(values[start : start + _ASKED_AT_ONCE])
            for found in database.find(collection, {"_id": {"$in": part}}, projection={"_id": 1}):
                yield hashable(found["_id"])

    def _all_of(self, collection: str) -> frozenset[Any] | None:
        ids = set()
        for document in documents(self._source.batches(collection)):
            ids.add(hashable(document.get("_id")))
            if len(ids) > _IDS_KEPT:
                return None
        return frozenset(ids)
