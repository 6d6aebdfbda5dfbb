"""A source as documents: collections, tables beside them, or the example, which is both; and an engine."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo.database import Database

from workbench.catalog.collections import Collection, Operation
from workbench.catalog.reflect import reflect
from workbench.catalog.shapes import Shape
from workbench.documents.example.build import BuiltExample, build_example, sample_queries
from workbench.documents.operations import operations_from_file
from workbench.documents.shape import infer
from workbench.documents.source import DocumentSource, open_documents, scratch_source
from workbench.engines.mongo import MongoServer, mongo_engine
from workbench.engines.postgres import engine
from workbench.errors import EngineError, FeatureUnavailable, SourceError
from workbench.proof.looked_at import looked_at
from workbench.proof.results import LookedAt
from workbench.source import OpenSource, Options, Source, open_source, resolve

_SQL = ("example", "file", "database")


@dataclass
class OpenModel:
    """A source as the areas of documents see it. Made by `open_model` or, for a notebook, `hold_model`.

    *rows* is the relational side, *collections* the documents: a .sql file and a PostgreSQL database have
    rows alone, a MongoDB database and a dump collections alone, the example has both. *server* is the
    engine of the proofs; where there is none, *why_no_server* and *how_to* say so. *database* is the
    scratch database of the example.
    """

    source: Source
    options: Options
    rows: OpenSource | None = None
    collections: DocumentSource | None = None
    server: MongoServer | None = None
    database: Database[Any] | None = field(default=None, repr=False)
    built: BuiltExample | None = None
    why_no_server: str = ""
    how_to: str = ""
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @property
    def is_example(self) -> bool:
        return self.source.kind == "example"

    @property
    def proved_on(self) -> str:
        """The engine of the proofs in the report's words."""
        return self.server.description if self.server else "no MongoDB"

    def close(self) -> None:
        """Give everything back; twice does no harm."""
        self._held.close()


def hold_model(spec: str, options: Options | None = None) -> OpenModel:
    """For a notebook: *spec* open until `close()` or the end of the process."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open_model(spec, options))
        opened._held = stack.pop_all()
    atexit.register(opened.close)
    return opened


@contextlib.contextmanager
def open_model(spec: str, options: Options | None = None) -> Iterator[OpenModel]:
    """*spec* open for reading and proving during the block; what was made for it is gone afterwards.

    Where this machine has no MongoDB what can be read is read all the same. Raises SourceError and its
    kinds, and EngineError where the engine that was named cannot be used, or does not start.
    """
    options = options or Options()
    opened = OpenModel(resolve(spec), options)
    with contextlib.ExitStack() as stack:
        try:
            opened.server = stack.enter_context(mongo_engine())
        except FeatureUnavailable as exc:  # one that was named and cannot be used stays an error
            opened.why_no_server, opened.how_to = str(exc), exc.hint
        if opened.source.kind in _SQL:
            opened.rows = stack.enter_context(open_source(spec, stack.enter_context(engine()), options))
        else:
            opened.collections = stack.enter_context(open_documents(spec, timeout_s=options.timeout_s))
        if opened.is_example and opened.server is not None and opened.rows is not None:
            database = stack.enter_context(opened.server.scratch_database(label="source"))
            opened.database = database
            opened.built = build_example(opened.rows.connection, database, seed=options.seed)
            opened.collections = scratch_source(
                database, title=opened.source.title, timeout_s=options.timeout_s
            )
        yield opened


def require_collections(opened: OpenModel) -> DocumentSource:
    """The collections of *opened*. Raises SourceError where it has tables, EngineError without engine."""
    if opened.collections is None:
        if opened.is_example:
            raise EngineError(f"the example's collections cannot be built: {opened.why_no_server}")
        raise SourceError(
            f"{opened.source.spec} holds tables: give a mongodb:// URL or a dump, "
            "or ask for documents with workbench nosql design"
        )
    return opened.collections


def require_server(opened: OpenModel) -> MongoServer:
    """The engine of the proofs. Raises EngineError where there is none, with what helps."""
    if opened.server is None:
        raise EngineError(opened.why_no_server)
    return opened.server


def shapes_of(source: DocumentSource, *, sample: int = 0) -> dict[str, Shape]:
    """The shape of each collection and time series of *source* by name, from *sample* documents or all.

    Views are left out: to read one is to run its pipeline. So are the time series of a dump, which holds
    buckets that only a server unpacks.
    """
    return {
        each.name: infer(
            each.name,
            source.batches(each.name, sample=sample or None),
            of=each.documents,
            full=not sample or (each.documents is not None and sample >= each.documents),
        )
        for each in source.catalog.collections
        if each.kind == "collection" or (each.kind == "time series" and source.database is not None)
    }


def declared_operations(opened: OpenModel, operations: Path | str | None) -> list[Operation]:
    """What the file *operations* declares, or what the example's design does for its indexes."""
    if operations:
        return operations_from_file(operations, catalog=require_collections(opened).catalog)
    if opened.database is not None:
        return [query.operation for query in sample_queries(opened.database)]
    return []


def looked_at_of(opened: OpenModel, shapes: Mapping[str, Shape]) -> LookedAt:
    """The source in the report's words: its collections, or where it has none, its tables."""
    if opened.collections is None:
        if opened.rows is None:
            raise SourceError(f"{opened.source.spec} is not open")
        return looked_at(opened.rows, reflect(opened.rows.connection))
    source = opened.collections
    return LookedAt(
        source=opened.source.title,
        server=source.looked_at_on,
        database=source.catalog.database if opened.source.kind == "collections" else "",
        loaded=_how(opened),
        collections=len(source.catalog.collections),
        documents=sum(documents_of(each, shapes.get(each.name)) for each in source.catalog.collections),
        size_bytes=sum(each.size_bytes or 0 for each in source.catalog.collections)
        or sum(shape.size_bytes for shape in shapes.values()),
        file=opened.source.spec if opened.source.kind == "dump" else "",
    )


def documents_of(collection: Collection, shape: Shape | None) -> int:
    """How many documents there are: as they were read, if all were, else as the server has it."""
    return shape.documents if shape and shape.full else collection.documents or 0


def _how(opened: OpenModel) -> str:
    match opened.source.kind:
        case "example":
            return f"built from the shop at scale {opened.options.scale:g} with seed {opened.options.seed}"
        case "dump":
            return "read as a stream, without a server"
        case _:
            return "read by commands that cannot write; the proofs ran on copies in a scratch database"
