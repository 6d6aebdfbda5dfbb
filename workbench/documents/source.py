"""A database of collections that can be read: a live one, a dump, or a scratch database of our own."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pymongo.database import Database

from workbench.catalog.collections import CollectionCatalog
from workbench.catalog.reflect_collections import has_collections, reflect_collections
from workbench.documents.dumps import Dump, open_dump
from workbench.engines.mongo_reading import ReadOnlyDatabase, connect_read_only, reading_of
from workbench.engines.mongo_server import Document
from workbench.errors import SourceError, SourceTimeout, SourceUnreachable
from workbench.source import Source, resolve

_RANDOM_CURSOR_SHARE = 0.05  # above, and up to 100 documents, $sample reads and sorts the whole collection
_RANDOM_CURSOR_FROM = 101
_BATCH_BYTES = 4 << 20


@dataclass
class DocumentSource:
    """Collections and their documents. Made by `open_documents`, `live_source` or `scratch_source`.

    *title* is how a report calls it, *spec* what may be shown or passed on, *looked_at_on* the server or
    the files in the report's words. *database* is None for a dump.
    """

    title: str
    spec: str
    looked_at_on: str
    catalog: CollectionCatalog
    database: ReadOnlyDatabase | None
    dump: Dump | None = field(default=None, repr=False)

    def batches(
        self, collection: str, *, sample: int | None = None, seed: int | None = None
    ) -> Iterator[bytes]:
        """The documents of *collection* as concatenated BSON of a few MB, at most 16.

        All in their natural order, or *sample* random ones, each at most once; fewer where there are no
        more. The same *seed* gives the same ones of a dump; a server draws them itself. Raises KeyError
        for an unknown collection, SourceError and its kinds.
        """
        if self.database is None:
            if self.dump is None:
                raise SourceError(f"{self.spec}: its documents are not at hand")
            drawn = random.SystemRandom().getrandbits(32) if seed is None else seed
            yield from self.dump.batches(collection, sample=sample, seed=drawn)
            return
        self.catalog.collection(collection)
        if sample is None:
            yield from self.database.batches(collection)
        elif sample > 0:
            yield from self._sampled(self.database, collection, sample, seed)

    def _sampled(
        self, database: ReadOnlyDatabase, collection: str, sample: int, seed: int | None
    ) -> Iterator[bytes]:
        if self._has_random_cursor(collection, sample):
            try:
                # collected first, so that a draw that fails part way leaves nothing behind
                yield from list(database.aggregate_batches(collection, [{"$sample": {"size": sample}}]))
                return
            except (SourceUnreachable, SourceTimeout):
                raise
            except SourceError:  # a storage engine whose cursor gave the same documents again: read all
                pass
        yield from reservoir(database.batches(collection), sample, seed=seed)

    def _has_random_cursor(self, collection: str, sample: int) -> bool:
        """Whether the server draws *sample* documents by jumping, without reading and sorting all.

        Source: MongoDB manual, "$sample", behaviour.
        """
        facts = self.catalog.collection(collection)
        documents = facts.documents or 0
        return (
            facts.kind == "collection"
            and documents >= _RANDOM_CURSOR_FROM
            and sample < documents * _RANDOM_CURSOR_SHARE
        )


@contextmanager
def open_documents(spec: str, *, timeout_s: float = 300.0) -> Iterator[DocumentSource]:
    """The collections that *spec* names, a mongodb:// URL or a dump, open during the block.

    Raises SourceError where there is no collection, SourceUnreachable, ServerTooOld, DumpError.
    """
    source = resolve(spec)
    if source.kind == "dump":
        with open_dump(source.path) as dump:
            yield DocumentSource(
                title=source.title,
                spec=source.spec,
                looked_at_on=f"{dump.catalog.server}, {source.title}".removeprefix(", "),
                catalog=dump.catalog,
                database=None,
                dump=dump,
            )
    elif source.kind == "collections":
        with _connected(source, timeout_s) as database:
            yield live_source(database, title=source.title, spec=source.spec)
    else:
        raise SourceError(f"{source.spec} holds tables: give a mongodb:// URL or a dump of collections")


def _connected(source: Source, timeout_s: float) -> ReadOnlyDatabase:
    return connect_read_only(
        source.spec, source.secret, secret_options=source.secret_options, timeout_s=timeout_s
    )


def require_documents(spec: str, *, timeout_s: float = 300.0) -> None:
    """Fail here, once, where `open_documents` would: no server, no login, no collection, a damaged file.

    Of a database the names alone are read, whatever it holds; a dump is read through.
    """
    source = resolve(spec)
    if source.kind == "dump":
        with open_dump(source.path):
            return
    with _connected(source, timeout_s) as database:
        if not has_collections(database):
            raise _without_collections(source.spec)


def live_source(database: ReadOnlyDatabase, *, title: str, spec: str) -> DocumentSource:
    """The collections of *database*. Raises SourceError where there is none."""
    catalog = reflect_collections(database)
    if not catalog.collections:
        raise _without_collections(spec)
    return DocumentSource(title, spec, f"{database.server}, {database.host}", catalog, database)


def _without_collections(spec: str) -> SourceError:
    return SourceError(f"{spec}: there is no collection in it that you may read: check the database's name")


def scratch_source(database: Database[Document], *, title: str, timeout_s: float = 300.0) -> DocumentSource:
    """The collections of a scratch *database* of ours, read as a named one is; it may be empty."""
    reading = reading_of(database.client, database.name, timeout_s=timeout_s)
    return DocumentSource(title, database.name, reading.server, reflect_collections(reading), reading)


def reservoir(batches: Iterator[bytes], size: int, *, seed: int | None = None) -> Iterator[bytes]:
    """*size* random documents of *batches*, in their order, each equally likely; all where there are fewer.

    It keeps *size* documents and jumps over those that are not drawn. Source: Kim-Hung Li, "Reservoir-
    Sampling Algorithms of Time Complexity O(n(1 + log(N/n)))", 1994, algorithm L.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    kept: list[tuple[int, bytes]] = []
    weight = 1.0
    following = size  # the next document that is drawn, by its number
    for number, (batch, begin, end) in enumerate(_documents(batches)):
        if number < size:
            kept.append((number, batch[begin:end]))
            if number < size - 1:
                continue
        elif number < following:
            continue
        else:
            kept[chance.randrange(size)] = (number, batch[begin:end])
        weight *= math.exp(math.log(1 - chance.random()) / size)
        following = number + 1 + int(math.log(1 - chance.random()) / math.log1p(-weight))
    yield from _joined(document for _, document in sorted(kept))


def _documents(batches: Iterator[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Where each document of the batches begins and ends."""
    for batch in batches:
        begin = 0
        while begin < len(batch):
            end = begin + int.from_bytes(batch[begin : begin + 4], "little")
            yield batch, begin, end
            begin = end


def _joined(documents: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document)
        if size >= _BATCH_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
