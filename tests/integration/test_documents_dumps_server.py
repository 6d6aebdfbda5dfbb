"""What a dump declares is what the server says of the same collections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import bson
import pytest
from bson import json_util
from pymongo.database import Database

from workbench.catalog.collections import Collection
from workbench.documents.dumps import open_dump
from workbench.documents.source import scratch_source

ODD = 'a "quoted" näme.<b>x</b> 🙂'


@pytest.fixture
def filled(mongo: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    """A collection of every kind, with every kind of index."""
    mongo.create_collection(
        "plain",
        validator={"$jsonSchema": {"bsonType": "object"}, "$expr": {"$gte": ["$a", 0]}},
        validationAction="warn",
    )
    mongo.plain.create_index([("a", 1), ("b", -1)], unique=True, sparse=True)
    mongo.plain.create_index([("text", "text")], weights={"text": 3}, default_language="german")
    mongo.plain.create_index([("$**", 1)], wildcardProjection={"a": 1})
    mongo.plain.create_index("until", expireAfterSeconds=86_400, hidden=True)
    mongo.plain.create_index("c", partialFilterExpression={"c": {"$gt": bson.Int64(5)}}, name="large c")
    mongo.plain.create_index([("h", "hashed")])
    mongo.plain.insert_many({"a": number, "b": 1} for number in range(100))
    mongo.create_collection(ODD, collation={"locale": "de", "strength": 2})
    mongo[ODD].create_index("x", collation={"locale": "fr"})
    mongo[ODD].insert_one({ODD: 1})
    mongo.create_collection("last", capped=True, size=4096, max=10)
    mongo.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    mongo.create_collection("seen", viewOn="plain", pipeline=[{"$match": {"a": {"$gt": 1}}}])
    series = {"timeField": "at", "metaField": "who", "granularity": "minutes"}
    mongo.create_collection("clicks", timeseries=series, expireAfterSeconds=10**9)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    mongo.clicks.insert_many({"at": start + timedelta(minutes=n), "who": n % 3, "n": n} for n in range(3000))
    mongo.clicks.create_index([("who", 1), ("at", -1)])
    return mongo


def stored(database: Database[dict[str, Any]], name: str) -> bytes:
    batches = cast(Iterator[bytes], iter(database[name].find_raw_batches()))
    return b"".join(batches)


def write_folder(database: Database[dict[str, Any]], folder: Path) -> None:
    """A dump as mongodump writes it: the catalog as the server lists it, the documents as it stores them."""
    for entry in database.list_collections():
        if entry["name"].startswith("system."):
            continue
        name, kind = entry["name"], entry["type"]
        indexes = [] if kind == "view" else [dict(each) for each in database[name].list_indexes()]
        metadata = {"options": entry["options"], "indexes": indexes, "collectionName": name, "type": kind}
        text = json_util.dumps(metadata, json_options=json_util.CANONICAL_JSON_OPTIONS)
        file = name.replace("%", "%25").replace("/", "%2F")
        (folder / f"{file}.metadata.json").write_text(text)
        if kind != "view":
            buckets = "system.buckets." if kind == "timeseries" else ""
            (folder / f"{buckets}{file}.bson").write_bytes(stored(database, buckets + name))


def declared(collections: Iterator[Collection]) -> dict[str, Collection]:
    """The collections without the figures that only a server has."""

    def without_figures(collection: Collection) -> Collection:
        indexes = (
            replace(each, size_bytes=None, accesses=None, accesses_since=None) for each in collection.indexes
        )
        return replace(
            collection,
            size_bytes=None if collection.kind == "time series" else collection.size_bytes,
            storage_bytes=None,
            indexes=tuple(sorted(indexes, key=lambda each: each.name)),
        )

    return {each.name: without_figures(each) for each in collections}


def test_a_dump_declares_what_the_server_says(filled: Database[dict[str, Any]], tmp_path: Path) -> None:
    """Validators, indexes, collations, views, capped and clustered collections, counts: the same facts."""
    write_folder(filled, tmp_path)
    live = scratch_source(filled, title="live")

    with open_dump(tmp_path) as dump:
        found = declared(iter(dump.catalog.collections))
        read = b"".join(dump.batches(ODD))

    assert found == declared(iter(live.catalog.collections))
    assert read == b"".join(live.batches(ODD))
    assert found["plain"].documents == 100


def test_an_export_is_the_collection(filled: Database[dict[str, Any]], tmp_path: Path) -> None:
    """Documents exported as canonical extended JSON are, byte for byte, those of the server."""
    everything: dict[str, Any] = {
        "money": bson.Decimal128("1.10"),
        "at": datetime(2024, 1, 1, 1, 1, 1, 5000, tzinfo=UTC),
        "far": bson.DatetimeMS(2**60),
        "uuid": bson.Binary(bytes(16), 4),
        "re": bson.Regex("^a", "im"),
        "code": bson.Code("f()"),
        "kept": [bson.MinKey(), bson.MaxKey(), bson.Timestamp(1, 2), bson.Int64(1), 1, 1.0, None, {}],
    }
    filled.kinds.insert_one(everything)
    options = json_util.JSONOptions(
        json_mode=json_util.JSONMode.CANONICAL,
        datetime_conversion=bson.DatetimeConversion.DATETIME_MS,
        uuid_representation=bson.binary.UuidRepresentation.UNSPECIFIED,
    )
    exported = stored(filled, "kinds")
    codec = bson.CodecOptions[dict[str, Any]](datetime_conversion=bson.DatetimeConversion.DATETIME_MS)
    (document,) = bson.decode_all(exported, codec)
    (tmp_path / "kinds.json").write_text(json_util.dumps(document, json_options=options))

    with open_dump(tmp_path / "kinds.json") as dump:
        assert b"".join(dump.batches("kinds")) == exported
    assert json.loads((tmp_path / "kinds.json").read_text())["far"] == {"$date": {"$numberLong": str(2**60)}}
