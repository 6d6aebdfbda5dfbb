"""The example as a database of collections: the customers and products of the e-commerce example.

with open_source("ecommerce", server) as source, mongo.scratch_database() as database:
    built = build_example(source.connection, database)
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

import psycopg2.extensions
from bson import json_util
from bson.binary import UUID_SUBTYPE, Binary
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from psycopg2.extensions import connection as Connection
from pymongo.database import Database

from workbench import sql
from workbench.catalog.collections import Operation
from workbench.documents.example.designs import (
    AS_SENT,
    CODEC,
    CollectionDesign,
    DesignedQuery,
    apply_design,
    design,
    designed,
    granularity,
    pipeline,
)
from workbench.errors import BadInput

__all__ = [
    "BuiltExample",
    "CollectionDesign",
    "SampleQuery",
    "apply_design",
    "build_example",
    "design",
    "designed",
    "granularity",
    "pseudonym_key",
    "refresh_review_summaries",
    "sample_queries",
]

PREPARATION = "nosql/generate"
DOCUMENTS = "nosql/generate/documents"
BATCH = 5_000
_HMAC_BLOCK = 64
_BYTEA, _NUMERIC = 17, 1700

Document: TypeAlias = dict[str, Any]
_Field: TypeAlias = tuple[tuple[str, ...], str, Callable[[Any], Any] | None]


@dataclass(frozen=True)
class BuiltExample:
    """What was built: *documents* by collection, *changes* of the structure, seconds in all.

    *granularity* is that of user_activities, from *events_per_hour_per_source*.
    """

    documents: Mapping[str, int]
    changes: tuple[str, ...]
    granularity: str
    events_per_hour_per_source: float
    elapsed_s: float


@dataclass(frozen=True)
class SampleQuery:
    """A query of the design with values of the data's, and the index that is there for it."""

    collection: str
    index: str
    says: str
    operation: Operation


def build_example(
    pg: Connection, database: Database[Any], *, seed: int = 1, moment: datetime | None = None
) -> BuiltExample:
    """Put the design in force in *database* and fill it from the shop behind *pg*.

    The shop, *seed* and *moment* decide every document; *moment*, by default the server's clock, is when
    the last order was placed as far as what expires is concerned, so that nothing has expired yet. Rows
    are read in batches of a server-side cursor in one snapshot; memory does not grow with the shop.
    Raises BadInput where a collection has documents already, where the shop is missing or has no orders,
    and where *pg* is inside a transaction.
    """
    started = time.monotonic()
    if not 0 <= seed < 2**31:
        raise BadInput(f"seed {seed!r} is not between 0 and {2**31 - 1}")
    database = database.with_options(codec_options=CODEC)
    _require_empty(database)
    moment = moment or database.client.admin.command("hello")["localTime"]
    with snapshot(pg):
        _require_orders(pg)
        first, *others = sql.files(PREPARATION)
        sql.run(pg, [first], {"seed": seed, "moment": moment})
        sql.run(pg, others, _padded_keys(pseudonym_key(seed)))
        rate = sql.fetch(pg, "nosql/event_rate.sql")[0]["events_per_hour_per_source"]
        changes = apply_design(database, events_per_hour_per_source=rate)
        documents = {
            each.name: _fill(pg, database, each, file)
            for each, file in zip(design(), sql.files(DOCUMENTS), strict=True)
        }
    refresh_review_summaries(database)
    return BuiltExample(documents, tuple(changes), granularity(rate), rate, time.monotonic() - started)


def refresh_review_summaries(database: Database[Any]) -> None:
    """Compute products.reviewSummary from product_reviews, on the server."""
    source, stages = pipeline("review_summaries")
    database[source].aggregate(stages)


def pseudonym_key(seed: int) -> bytes:
    """The key of the example's pseudonyms. It is no secret: that of a real shop comes from a vault."""
    return hashlib.sha256(f"pseudonyms of the example, seed {seed}".encode()).digest()


def sample_queries(database: Database[Any]) -> list[SampleQuery]:
    """For each index of the design the queries that it is for, with values of the documents there.

    UUIDs in them are Binary, so that a command can carry them. Raises BadInput where a collection that
    values are taken from is empty.
    """
    database = database.with_options(codec_options=AS_SENT)
    values: dict[str, Any] = {}
    return [
        SampleQuery(each.name, index.name, query.says, _with_values(database, query, values))
        for each in design()
        for index in each.indexes
        for query in index.queries
    ]


def _with_values(database: Database[Any], query: DesignedQuery, known: dict[str, Any]) -> Operation:
    """The query with values for its parameters; *known* keeps those that were asked for before."""
    values = {}
    for name, source in query.parameters.items():
        key = json_util.dumps(source)
        if key not in known:
            known[key] = _value(database, name, source)
        values[f"$${name}"] = known[key]
    operation = query.operation
    return replace(
        operation,
        filter=_filled(operation.filter, values),
        pipeline=tuple(_filled(stage, values) for stage in operation.pipeline),
    )


def _value(database: Database[Any], name: str, source: Mapping[str, Any]) -> Any:
    found = list(database[source["collection"]].aggregate(source["pipeline"]))
    if not found or "value" not in found[0]:
        raise BadInput(
            f"{database.name}.{source['collection']} has no document that a value for {name!r} could be "
            "taken from: build the example in an empty database"
        )
    return found[0]["value"]


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, Mapping):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if isinstance(template, str):
        return values.get(template, template)
    return template


@contextlib.contextmanager
def snapshot(pg: Connection) -> Iterator[None]:
    """One transaction in which every query sees the same state; what it makes is gone after it."""
    if pg.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
        raise BadInput("the connection is inside a transaction: commit or roll it back first")
    before = pg.autocommit
    pg.autocommit = False
    try:
        with pg:
            with pg.cursor() as cur:
                cur.execute("set transaction isolation level repeatable read")
            yield
    finally:
        pg.autocommit = before


def _fill(pg: Connection, database: Database[Any], each: CollectionDesign, file: str) -> int:
    """Insert the documents that the SQL file *file* selects; how many they were."""
    collection = each.of(database)
    inserted = 0
    for batch in _documents(pg, file):
        collection.insert_many(batch, ordered=False)
        inserted += len(batch)
    return inserted


def _documents(pg: Connection, file: str) -> Iterator[list[Document]]:
    """Batches of the documents that the SQL file *file* selects.

    Form ``documents``: one column of extended JSON. Form ``rows``: a column a field, its path as the
    name, with ``:uuid`` or ``:objectId`` after it for what is a bytea; a null is a field that is absent.
    """
    read = _from_json if sql.header(file)["form"] == "documents" else _from_rows
    with pg.cursor(name="documents") as cur:
        cur.itersize = BATCH
        cur.execute(sql.read(file), {})
        while rows := cur.fetchmany(BATCH):
            yield read(cur.description or (), rows)


def _from_json(
    columns: Sequence[psycopg2.extensions.Column], rows: Sequence[tuple[Any, ...]]
) -> list[Document]:
    return [json_util.loads(text, json_options=_JSON) for (text,) in rows]


_JSON = json_util.JSONOptions(uuid_representation=CODEC.uuid_representation, tz_aware=True)


def _from_rows(
    columns: Sequence[psycopg2.extensions.Column], rows: Sequence[tuple[Any, ...]]
) -> list[Document]:
    fields = [_field(column) for column in columns]
    return [_document(fields, row) for row in rows]


def _field(column: psycopg2.extensions.Column) -> _Field:
    path, _, kind = column.name.partition(":")
    *parents, name = path.split(".")
    convert: Callable[[Any], Any] | None = None
    if kind == "uuid":
        convert = _uuid
    elif kind == "objectId":
        convert = _object_id
    elif column.type_code == _BYTEA:
        convert = bytes
    elif column.type_code == _NUMERIC:
        convert = Decimal128
    return tuple(parents), name, convert


def _uuid(value: memoryview) -> Binary:
    return Binary(bytes(value), UUID_SUBTYPE)


def _object_id(value: memoryview) -> ObjectId:
    return ObjectId(bytes(value))


def _document(fields: Sequence[_Field], row: Sequence[Any]) -> Document:
    document: Document = {}
    for (parents, name, convert), value in zip(fields, row, strict=True):
        if value is None:
            continue
        inside = document
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[name] = convert(value) if convert else value
    return document


def _padded_keys(key: bytes) -> dict[str, bytes]:
    """The inner and the outer key of HMAC-SHA-256, so that SQL needs nothing but sha256 (RFC 2104)."""
    block = key.ljust(_HMAC_BLOCK, b"\0")
    return {
        "inner_key": bytes(byte ^ 0x36 for byte in block),
        "outer_key": bytes(byte ^ 0x5C for byte in block),
    }


def _require_empty(database: Database[Any]) -> None:
    there = set(database.list_collection_names())
    filled = [each.name for each in design() if each.name in there and database[each.name].find_one()]
    if filled:
        raise BadInput(
            f"the database {database.name} already has documents in {', '.join(filled)}: "
            "build the example in an empty database"
        )


def _require_orders(pg: Connection) -> None:
    (state,) = sql.fetch(pg, "oltp/generator_state.sql")
    if not state["has_schema"]:
        raise BadInput("the shop's tables are missing: the documents are made of the e-commerce example")
    with pg.cursor() as cur:
        cur.execute("select exists (select from shop.orders)")
        (filled,) = cur.fetchone() or (False,)
    if not filled:
        raise BadInput("the shop has no orders: generate the e-commerce example first")
