"""Each defect D40 to D64 of the original MongoDB design: shown there, and put right in the product."""

from __future__ import annotations

import copy
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import bson
import psycopg2
import pymongo
import pytest
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError, WriteError

from workbench.areas.nosql import operations
from workbench.areas.nosql.reconciliation import reconcile
from workbench.areas.nosql.roles import Login, logins
from workbench.documents.example.build import build_example, pseudonym_key, sample_queries
from workbench.documents.example.designs import CollectionDesign, apply_design, design, designed, granularity
from workbench.engines.mongo import Document, MongoServer, private_mongod
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.source import Options, open_source

SEED_FILE = Path(__file__).parents[1] / "data" / "seed_nosql.js"
SEED_USER = ObjectId("507f1f77bcf86cd799439011")
SEED_PRODUCT = ObjectId("607f1f77bcf86cd799439012")
INVALID, DUPLICATE, DENIED, TIME_SERIES_REFUSES = 121, 11000, 13, 72


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SEED_EVENT: Document = {
    "timestamp": day("2024-01-15T10:30:00"),
    "metadata": {
        "userId": SEED_USER,
        "sessionId": "550e8400-e29b-41d4-a716-446655440000",
        "deviceType": "mobile",
        "appVersion": "2.1.0",
    },
    "eventType": "page_view",
    "eventData": {
        "page": "/products/electronics",
        "referrer": "/home",
        "loadTime": 1250,
        "viewport": {"width": 375, "height": 812},
    },
    "location": {"type": "Point", "coordinates": [-73.97, 40.77]},
}
SEED_PRODUCT_DOCUMENT: Document = {
    "sku": "ELEC-PHONE-001",
    "name": "Smartphone Pro Max",
    "brand": "TechCorp",
    "categories": ["Electronics", "Mobile Phones", "5G Devices"],
    "specifications": {
        "general": {
            "releaseDate": day("2023-09-15"),
            "weight": {"value": 195, "unit": "grams"},
            "dimensions": {"height": 147.5, "width": 71.5, "depth": 7.85, "unit": "mm"},
        },
        "display": {"size": 6.7, "resolution": "2796 x 1290", "type": "OLED", "refreshRate": 120},
        "performance": {
            "processor": "A17 Bionic",
            "ram": {"value": 8, "unit": "GB"},
            "storage": [128, 256, 512, 1024],
        },
    },
    "pricing": {
        "current": {"amount": 1199.99, "currency": "USD", "validFrom": day("2024-01-01")},
        "history": [
            {
                "amount": 1299.99,
                "currency": "USD",
                "validFrom": day("2023-09-15"),
                "validTo": day("2023-12-31"),
            }
        ],
    },
    "reviewSummary": {
        "averageRating": 4.7,
        "totalReviews": 1523,
        "distribution": {"5": 1100, "4": 300, "3": 80, "2": 30, "1": 13},
        "lastUpdated": day("2024-01-15"),
    },
    "inventory": [
        {
            "warehouseId": "WH-US-EAST-01",
            "available": 156,
            "reserved": 23,
            "incoming": 200,
            "expectedDate": day("2024-01-20"),
        },
        {"warehouseId": "WH-US-WEST-02", "available": 89, "reserved": 12, "incoming": 0},
    ],
    "searchTerms": [
        "smartphone",
        "5g phone",
        "pro max",
        "techcorp mobile",
        "flagship phone",
        "oled display phone",
    ],
    "tags": ["bestseller", "new-arrival", "free-shipping"],
    "isActive": True,
    "createdAt": day("2023-09-01"),
    "updatedAt": day("2024-01-15"),
}
SEED_CART: Document = {
    "userId": SEED_USER,
    "sessionId": "550e8400-e29b-41d4-a716-446655440000",
    "items": [
        {
            "productId": SEED_PRODUCT,
            "sku": "ELEC-PHONE-001",
            "name": "Smartphone Pro Max",
            "quantity": 1,
            "unitPrice": 1199.99,
            "totalPrice": 1199.99,
            "addedAt": day("2024-01-15T10:30:00"),
            "snapshot": {
                "image": "https://cdn.example.com/products/phone-001.jpg",
                "color": "Space Gray",
                "storage": "256GB",
            },
        }
    ],
    "summary": {"itemCount": 1, "subtotal": 1199.99, "tax": 95.99, "shipping": 0, "total": 1295.98},
    "appliedCoupons": [],
    "createdAt": day("2024-01-15T10:30:00"),
    "updatedAt": day("2024-01-15T10:35:00"),
    "expiresAt": day("2024-01-22T10:30:00"),
}
SEED_TIME_SERIES = {
    "timeseries": {"timeField": "timestamp", "metaField": "metadata", "granularity": "seconds"},
    "expireAfterSeconds": 7776000,
}


def build_seed(database: Database[Document]) -> None:
    """The original's statements, one for one, but for the sample document that is none and the documents."""
    database.create_collection("user_activities", **SEED_TIME_SERIES)
    activities, products = database["user_activities"], database["products"]
    activities.create_index([("metadata.userId", 1), ("timestamp", -1)])
    activities.create_index([("eventType", 1), ("timestamp", -1)])
    activities.create_index([("location", "2dsphere")])
    products.create_index([("categories", 1), ("pricing.current.amount", 1)])
    products.create_index([("brand", 1), ("reviewSummary.averageRating", -1)])
    products.create_index([("searchTerms", 1)])
    products.create_index([("inventory.warehouseId", 1), ("inventory.available", 1)])
    database["sessions"].create_index([("expiresAt", 1)], expireAfterSeconds=0)


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Connection]:
    """The e-commerce example, small."""
    with open_source("ecommerce", server, Options(scale=0.001)) as source:
        yield source.connection


@pytest.fixture(scope="module")
def built(mongo_server: MongoServer, shop: Connection) -> Iterator[Database[Document]]:
    """The product's collections, filled; tests put back what they change."""
    with mongo_server.scratch_database(label="built") as database:
        build_example(shop, database)
        yield database


@pytest.fixture(scope="module")
def shared_seed(mongo_server: MongoServer) -> Iterator[Database[Document]]:
    with mongo_server.scratch_database(label="seed") as database:
        build_seed(database)
        yield database


@pytest.fixture
def seed(shared_seed: Database[Document]) -> Iterator[Database[Document]]:
    """The original's collections and indexes; emptied after the test."""
    yield shared_seed
    for name in ("user_activities", "products", "sessions", "carts"):
        shared_seed[name].delete_many({})


@pytest.fixture(scope="module")
def shared_ours(mongo_server: MongoServer) -> Iterator[Database[Document]]:
    with mongo_server.scratch_database(label="ours") as database:
        apply_design(database)
        yield database


@pytest.fixture
def ours(shared_ours: Database[Document]) -> Iterator[Database[Document]]:
    """The product's collections without documents; emptied after the test."""
    yield shared_ours
    for each in design():
        shared_ours[each.name].delete_many({})


def seed_event() -> Document:
    """The original's event, but of now: what is older than 90 days expires."""
    return {**copy.deepcopy(SEED_EVENT), "timestamp": datetime.now(UTC)}


def seed_product(**changes: Any) -> Document:
    return {**copy.deepcopy(SEED_PRODUCT_DOCUMENT), **changes}


def seed_cart(**changes: Any) -> Document:
    return {**copy.deepcopy(SEED_CART), **changes}


def product(**changes: Any) -> Document:
    """A product that our validator accepts, as far as *changes* leave it so."""
    return {
        "_id": uuid4(),
        "schemaVersion": 1,
        "sku": "ELEC-PHONE-001",
        "name": "Smartphone Pro Max",
        "brand": "TechCorp",
        "type": "electronics",
        "categories": ["electronics", "electronics.phones"],
        "attributes": [
            {"k": "power", "v": 20, "u": "W"},
            {"k": "voltage", "v": 5, "u": "V"},
            {"k": "wireless", "v": True},
            {"k": "weight", "v": 195, "u": "g"},
        ],
        "price": {"amount": Decimal128("1199.99"), "currency": "USD", "validFrom": day("2024-01-01")},
        "isActive": True,
        "createdAt": day("2023-09-01"),
        "updatedAt": day("2024-01-15"),
        **changes,
    }


def review_summary(counts: Mapping[int, int], average: str) -> Document:
    return {
        "average": Decimal128(average),
        "count": sum(counts.values()),
        "distribution": [{"stars": stars, "count": counts[stars]} for stars in range(1, 6)],
        "computedAt": day("2024-01-15"),
    }


def line(sku: str = "ELEC-PHONE-001", quantity: int = 1, price: str = "1199.99", **changes: Any) -> Document:
    return {
        "productId": UUID(bytes=hashlib.md5(sku.encode()).digest()),
        "sku": sku,
        "name": "Smartphone Pro Max",
        "quantity": quantity,
        "unitPrice": Decimal128(price),
        "totalPrice": Decimal128(quantity * Decimal(price)),
        "addedAt": day("2024-01-15T10:30:00"),
        **changes,
    }


def cart(*items: Document, tax: str = "0", **changes: Any) -> Document:
    """A cart that our validator accepts, as far as *changes* leave it so; it expires tomorrow."""
    now = datetime.now(UTC).replace(microsecond=0)
    subtotal = sum((item["totalPrice"].to_decimal() for item in items), Decimal(0))
    return {
        "_id": uuid4(),
        "schemaVersion": 1,
        "owner": {"userId": uuid4()},
        "status": "open",
        "version": Int64(1),
        "currency": "USD",
        "items": list(items),
        "summary": {
            "itemCount": sum(item["quantity"] for item in items),
            "subtotal": Decimal128(subtotal),
            "tax": Decimal128(tax),
            "shipping": Decimal128("0"),
            "total": Decimal128(subtotal + Decimal(tax)),
        },
        "createdAt": now - timedelta(hours=1),
        "updatedAt": now,
        "expiresAt": now + timedelta(days=1),
        **changes,
    }


def login_session(token: bytes, **changes: Any) -> Document:
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "_id": uuid4(),
        "schemaVersion": 1,
        "tokenHash": hashlib.sha256(token).digest(),
        "userId": uuid4(),
        "source": {"channel": "web", "device": "desktop", "country": "DE"},
        "createdAt": now - timedelta(hours=2),
        "lastSeenAt": now - timedelta(hours=1),
        "expiresAt": now + timedelta(hours=1),
        **changes,
    }


def event(**changes: Any) -> Document:
    return {
        "timestamp": datetime.now(UTC).replace(microsecond=0),
        "source": {"channel": "web", "device": "desktop", "country": "DE"},
        "eventId": uuid4(),
        "eventType": "page_view",
        **changes,
    }


def arrival(of: Document, **changes: Any) -> Document:
    """*of* as it arrives in the inbox."""
    return {"schemaVersion": 1, "state": "new", "receivedAt": datetime.now(UTC), "event": of, **changes}


def bucket(*prices: tuple[str, str, str]) -> Document:
    entries = [
        {"amount": Decimal128(amount), "validFrom": day(begins), "validTo": day(ends)}
        for amount, begins, ends in prices
    ]
    return {
        "_id": uuid4(),
        "schemaVersion": 1,
        "productId": uuid4(),
        "currency": "USD",
        "validFrom": entries[0]["validFrom"],
        "validTo": entries[-1]["validTo"],
        "prices": entries,
    }


def refusal(attempt: Callable[[], Any]) -> int:
    """The code with which the server refuses; 0 where it does what is asked."""
    try:
        attempt()
    except OperationFailure as exc:
        return exc.code or -1
    return 0


def insertion(database: Database[Document], name: str, document: Document) -> int:
    """The code with which the server refuses *document*; 0 where it takes it."""
    return refusal(lambda: database[name].insert_one(dict(document)))


def explained(database: Database[Document], command: Document) -> Document:
    found: Document = database.command("explain", command, verbosity="executionStats")
    if "executionStats" in found:
        return found["executionStats"]
    first = found["stages"][0]
    return next(first[name] for name in ("$cursor", "$geoNearCursor") if name in first)["executionStats"]


def stages(plan: Any) -> set[str]:
    """The names of all stages of a plan."""
    if isinstance(plan, list):
        return set().union(*map(stages, plan)) if plan else set()
    if not isinstance(plan, dict):
        return set()
    return {plan[key] for key in ("stage",) if key in plan} | stages(list(plan.values()))


def buckets(database: Database[Document], name: str) -> int:
    found: int = database.command("collStats", name)["timeseries"]["bucketCount"]
    return found


def eventually(condition: Callable[[], bool], *, within_s: float = 90) -> bool:
    """Whether *condition* comes true; the TTL monitor comes every second on our engine, else every minute."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def parses(database: Database[Document], script: str) -> bool:
    """Whether the server's JavaScript engine can read *script*; nothing of it runs."""
    body = f"function() {{ return 1; function never() {{ {script} \n}} }}"
    compiled = {"$function": {"body": body, "args": [], "lang": "js"}}
    try:
        database.aggregate([{"$documents": [{}]}, {"$project": {"x": compiled}}]).to_list()
    except OperationFailure as exc:
        assert exc.code == 139, exc
        assert "SyntaxError" in str(exc), exc
        return False
    return True


def test_d40_the_design_is_data_that_a_program_reads(ours: Database[Document]) -> None:
    """For a bare sample document no engine parses the original; ours is data and applied as it stands."""
    script = SEED_FILE.read_text(encoding="utf-8")
    repaired, replaced = re.subn(
        r"(?ms)^// Sample document structure\n(\{.*?^\})$", r"db.user_activities.insertOne(\1);", script
    )

    assert not parses(ours, script)
    assert replaced == 1
    assert parses(ours, repaired)
    assert {each.name for each in design()} <= set(ours.list_collection_names())


def test_d41_the_meta_field_names_a_source_not_a_session(
    mongo: Database[Document], built: Database[Document]
) -> None:
    """With the session in the meta field each makes buckets of its own; a source's events share them."""
    events = list(built["user_activities"].find(sort=[("timestamp", 1)]))
    visits = [
        str(UUID(bytes=hashlib.md5(f"{each.get('userPseudonym')}{each['timestamp']:%F}".encode()).digest()))
        for each in events
    ]
    mongo.create_collection("user_activities", **SEED_TIME_SERIES)
    mongo["user_activities"].insert_many(
        {
            "timestamp": each["timestamp"],
            "metadata": {
                "userId": each.get("userPseudonym"),
                "sessionId": visit,
                "deviceType": each["source"]["device"],
                "appVersion": each["appVersion"],
            },
            **{name: each[name] for name in each if name not in ("timestamp", "source", "_id")},
        }
        for each, visit in zip(events, visits, strict=True)
    )

    assert buckets(mongo, "user_activities") >= len(set(visits))
    assert buckets(built, "user_activities") < buckets(mongo, "user_activities") / 3
    assert (
        built.command("collStats", "user_activities")["size"]
        < mongo.command("collStats", "user_activities")["size"] / 1.5
    )


def test_d42_granularity_follows_from_the_event_rate(
    mongo: Database[Document], built: Database[Document]
) -> None:
    """At a low rate "seconds" leaves buckets of a few events, and what was made coarser stays coarser."""
    series = designed("user_activities").options["timeseries"]
    events = [{**each, "_id": ObjectId()} for each in built["user_activities"].find()]
    mongo.create_collection("fixed", timeseries={**series, "granularity": "seconds"})
    mongo["fixed"].insert_many(sorted(events, key=lambda each: each["timestamp"]))
    collection = built.list_collections(filter={"name": "user_activities"}).next()

    assert buckets(built, "user_activities") < buckets(mongo, "fixed") / 2
    assert [granularity(rate) for rate in (0, 1, 5, 99.9, 100, 5000)] == [
        "hours",
        "hours",
        "minutes",
        "minutes",
        "seconds",
        "seconds",
    ]
    assert collection["options"]["timeseries"]["granularity"] == "hours"
    finer = {"timeseries": {"granularity": "seconds"}}
    assert refusal(lambda: built.command("collMod", "user_activities", **finer)) == TIME_SERIES_REFUSES
    assert apply_design(built, events_per_hour_per_source=10_000) == []  # it is not even tried


def test_d43_places_are_searched_for_in_the_form_that_works(
    seed: Database[Document], built: Database[Document]
) -> None:
    """$near on a time series is refused; the declared query is $geoNear with its key, and uses the index."""
    seed["user_activities"].insert_one(seed_event())
    near = {"location": {"$near": {"$geometry": SEED_EVENT["location"], "$maxDistance": 20_000}}}
    (query,) = [each for each in sample_queries(built) if each.index == "location_2dsphere"]
    stages_of_query = list(query.operation.pipeline)
    found = built["user_activities"].aggregate(stages_of_query).to_list()
    plan = explained(built, {"aggregate": "user_activities", "pipeline": stages_of_query, "cursor": {}})

    assert refusal(lambda: seed["user_activities"].find_one(near)) == 5626500
    assert stages_of_query[0]["$geoNear"]["key"] == "location"
    distances = [each["metres"] for each in found]
    assert distances
    assert distances == sorted(distances)
    assert distances[-1] <= 20_000
    assert "COLLSCAN" not in stages(plan)


def test_d44_an_event_that_comes_twice_counts_once(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """A time series takes an event as often as it is sent; the inbox once, and moving it once too."""
    twice = {**seed_event(), "_id": ObjectId()}
    for _ in range(2):
        seed["user_activities"].insert_one(dict(twice))
    unique = refusal(lambda: seed["user_activities"].create_index("eventId", unique=True))
    sent = event()

    assert seed["user_activities"].count_documents({}) == 2
    assert unique == TIME_SERIES_REFUSES
    assert insertion(ours, "activity_inbox", arrival(sent)) == 0
    assert insertion(ours, "activity_inbox", arrival(sent)) == DUPLICATE
    assert operations.ingest(ours) == operations.Ingested(moved=1, already_there=0)
    assert operations.ingest(ours) == operations.Ingested(moved=0, already_there=0)
    assert insertion(ours, "activity_inbox", arrival(sent)) == DUPLICATE
    assert ours["user_activities"].count_documents({"eventId": sent["eventId"]}) == 1


def test_d44_a_run_that_died_half_way_is_finished(ours: Database[Document]) -> None:
    """Events that were inserted but not marked, and claimed but not inserted, are there once afterwards."""
    inserted, claimed = event(), event()
    ours["user_activities"].insert_one(dict(inserted))
    for each in (inserted, claimed):
        ours["activity_inbox"].insert_one(arrival(each, state="moving", batchId=ObjectId()))

    assert operations.ingest(ours) == operations.Ingested(moved=1, already_there=1)
    keys = [each["eventId"] for each in ours["user_activities"].find()]
    assert sorted(keys) == sorted([inserted["eventId"], claimed["eventId"]])
    assert ours["activity_inbox"].distinct("state") == ["moved"]


def test_d44_an_index_on_the_kind_of_event_narrows_nothing(
    mongo: Database[Document], built: Database[Document]
) -> None:
    """An index on a measurement reads most buckets, for each holds every kind; ours go by the meta."""
    mongo.create_collection("events", timeseries=designed("user_activities").options["timeseries"])
    mongo["events"].insert_many(built["user_activities"].find(sort=[("timestamp", 1)]))
    mongo["events"].create_index([("eventType", 1), ("timestamp", -1)], name="kind")
    kind = explained(mongo, {"find": "events", "filter": {"eventType": "purchase"}, "hint": "kind"})
    country = {"find": "user_activities", "filter": {"source.country": "DE"}, "hint": "country_timestamp"}

    assert kind["totalDocsExamined"] > 0.5 * buckets(mongo, "events")
    assert explained(built, country)["totalDocsExamined"] < 0.5 * buckets(built, "user_activities")
    keys = {path for index in designed("user_activities").indexes for path, _ in index.key}
    assert {path.partition(".")[0] for path in keys} <= {"source", "timestamp", "location"}


def test_d45_events_are_checked_before_they_are_in_the_time_series(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """A time series takes anything with a date and no validator; the inbox refuses what is no event."""
    schema = {"$jsonSchema": {"required": ["eventType"]}}
    validator = refusal(lambda: seed.command("collMod", "user_activities", validator=schema))
    nonsense = {"timestamp": datetime.now(UTC), "metadata": {}, "eventType": 7, "amount": "much"}

    def in_transaction() -> None:
        with seed.client.start_session() as session, session.start_transaction():
            seed["user_activities"].insert_one(seed_event(), session=session)

    assert insertion(seed, "user_activities", nonsense) == 0
    assert validator == TIME_SERIES_REFUSES
    assert refusal(in_transaction) == 263
    assert designed("user_activities").validator is None
    assert insertion(ours, "activity_inbox", arrival(event())) == 0
    for bad in (
        event(eventType="nonsense"),
        event(source={"channel": "web", "device": "desktop", "country": "DE", "userId": "u1"}),
        event(eventId="not a UUID"),
        event(timestamp=datetime.now(UTC) + timedelta(hours=1)),
        event(amount=Decimal128("3.50")),
        event(location={"type": "Point", "coordinates": [13.4, 152.5]}),
        event(email="somebody@example.com"),
    ):
        assert insertion(ours, "activity_inbox", arrival(bad)) == INVALID, bad


def test_d45_the_time_series_holds_no_person(built: Database[Document], shop: Connection) -> None:
    """The original stores the user's key and the place; ours a keyed pseudonym and a tenth of a degree."""
    users = [UUID(key) for (key,) in shop.execute("select user_id::text from shop.users").fetchall()]
    pseudonyms = {hmac.digest(pseudonym_key(1), user.bytes, "sha256")[:16] for user in users}
    events = list(built["user_activities"].find())

    assert "userId" in SEED_EVENT["metadata"]
    assert {each["userPseudonym"] for each in events if "userPseudonym" in each} <= pseudonyms
    assert not {user.bytes for user in users} & pseudonyms
    raw = b"".join(bson.encode(each, codec_options=built.codec_options) for each in events)
    assert not [user for user in users if user.bytes in raw or str(user).encode() in raw]
    places = [each["location"]["coordinates"] for each in events if "location" in each]
    assert places
    assert all(round(degrees, 1) == degrees for place in places for degrees in place)


def test_d46_applying_the_design_again_changes_nothing(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """The original's script fails when it is run again; ours finds everything there."""
    again = refusal(lambda: seed.command("create", "user_activities", timeseries={"timeField": "at"}))

    assert again == 48
    assert apply_design(ours) == []
    keys = [index.key for index in designed("user_activities").indexes]
    assert keys.count((("source", 1), ("timestamp", 1))) == 1  # what servers from 6.3 on make themselves


@pytest.mark.parametrize("name", ["products", "carts", "sessions"])
def test_d47_nonsense_is_refused(name: str, seed: Database[Document], ours: Database[Document]) -> None:
    """The original takes any document; our validators are strict and refuse it."""
    nonsense = {"_id": "x", "price": "free", "items": 12, "expiresAt": "soon"}
    options = ours.list_collections(filter={"name": name}).next()["options"]

    assert insertion(seed, name, nonsense) == 0
    assert insertion(ours, name, nonsense) == INVALID
    assert (options["validationLevel"], options["validationAction"]) == ("strict", "error")


def test_d48_money_is_decimal(seed: Database[Document], ours: Database[Document]) -> None:
    """Three times 1199.99 as doubles is not 3599.97; as Decimal128 it is, and a double is refused."""
    seed["carts"].insert_one(seed_cart())
    ours["carts"].insert_one(cart(line(quantity=3)))
    price = {"$arrayElemAt": ["$items.unitPrice", 0]}
    tripled = [{"$project": {"_id": 0, "sum": {"$multiply": [price, 3]}}}]

    assert seed["carts"].aggregate(tripled).to_list() == [{"sum": 3599.9700000000003}]
    assert ours["carts"].aggregate(tripled).to_list() == [{"sum": Decimal128("3599.97")}]
    doubled = {"amount": 1199.99, "currency": "USD", "validFrom": day("2024-01-01")}
    assert insertion(ours, "products", product()) == 0
    assert insertion(ours, "products", product(sku="B", price=doubled)) == INVALID
    assert insertion(ours, "carts", cart(line(unitPrice=1199.99))) == INVALID


def test_d49_skus_and_open_carts_are_unique(seed: Database[Document], ours: Database[Document]) -> None:
    """The original takes a SKU and a user's cart twice; ours refuses the second, a finished cart aside."""
    owner, guest = {"userId": uuid4()}, {"guestTokenHash": hashlib.sha256(b"token").digest()}

    for _ in range(2):
        assert insertion(seed, "products", seed_product()) == 0
        assert insertion(seed, "carts", seed_cart()) == 0
    assert [insertion(ours, "products", product()) for _ in range(2)] == [0, DUPLICATE]
    for each in (owner, guest):
        assert insertion(ours, "carts", cart(owner=each, status="ordered")) == 0
        assert [insertion(ours, "carts", cart(owner=each)) for _ in range(2)] == [0, DUPLICATE]


def test_d50_carts_expire(seed: Database[Document], ours: Database[Document]) -> None:
    """In the original sessions expire and carts, said to last seven days, do not; in ours they do."""
    now = datetime.now(UTC).replace(microsecond=0)
    past = {
        "createdAt": now - timedelta(days=9),
        "updatedAt": now - timedelta(days=8),
        "expiresAt": now - timedelta(days=1),
    }
    seed["carts"].insert_one(seed_cart(**past))
    seed["sessions"].insert_one({"expiresAt": past["expiresAt"]})
    ours["carts"].insert_many([cart(**past), cart()])
    ours["sessions"].insert_one(login_session(b"token", expiresAt=now - timedelta(minutes=1)))

    assert eventually(lambda: ours["carts"].count_documents({}) == 1)
    assert eventually(lambda: seed["sessions"].count_documents({}) == 0)
    assert eventually(lambda: ours["sessions"].count_documents({}) == 0)
    assert seed["carts"].count_documents({}) == 1
    assert ours["carts"].find_one({})["expiresAt"] > now  # type: ignore[index]


def test_d51_an_expired_session_is_not_found(seed: Database[Document], ours: Database[Document]) -> None:
    """Until the TTL monitor comes an expired session is there; the declared query does not find it."""
    expired = datetime.now(UTC) - timedelta(minutes=1)
    (query,) = [
        each.operation
        for index in designed("sessions").indexes
        if index.name == "token"
        for each in index.queries
    ]
    seen = False
    for number in range(50):  # it is gone at once only if the monitor comes between two statements
        token = f"token {number}".encode()
        seed["sessions"].insert_one({"sessionId": token, "expiresAt": expired})
        seen = seen or seed["sessions"].find_one({"sessionId": token}) is not None
        ours["sessions"].insert_one(login_session(token, expiresAt=expired))
        wanted = {"tokenHash": hashlib.sha256(token).digest(), "expiresAt": {"$gt": datetime.now(UTC)}}
        assert set(wanted) == set(query.filter)
        assert ours["sessions"].find_one(wanted) is None

    assert seen


def test_d51_sessions_are_designed_and_hold_no_token(
    seed: Database[Document], built: Database[Document], ours: Database[Document]
) -> None:
    """The original designs no session, so a token can be stored; ours has a unique hash of 32 bytes."""
    assert insertion(seed, "sessions", {"token": "secret"}) == 0
    assert insertion(ours, "sessions", login_session(b"secret")) == 0
    assert insertion(ours, "sessions", login_session(b"secret")) == DUPLICATE
    assert insertion(ours, "sessions", {**login_session(b"other"), "token": "secret"}) == INVALID
    assert insertion(ours, "sessions", login_session(b"other", tokenHash=b"secret")) == INVALID
    assert insertion(ours, "sessions", login_session(b"other", tokenHash="ab" * 16)) == INVALID
    assert {len(each["tokenHash"]) for each in built["sessions"].find()} == {32}


def test_d52_price_changes_do_not_grow_the_product(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """In the original each former price makes the product larger; in ours buckets of fifty take them."""
    entry = SEED_PRODUCT_DOCUMENT["pricing"]["history"][0]
    seed["products"].insert_one(seed_product())
    before = len(seed["products"].find_raw_batches({}).next())
    seed["products"].update_one({}, {"$push": {"pricing.history": {"$each": [entry] * 60}}})
    ours_product = product()
    ours["products"].insert_one(ours_product)
    size = len(ours["products"].find_raw_batches({}).next())
    for number in range(60):
        operations.change_price(
            ours,
            ours_product["_id"],
            Decimal("1199.99"),
            at=ours_product["price"]["validFrom"] + timedelta(days=number + 1),
        )
    found = list(ours["price_history"].find(sort=[("validFrom", 1)]))

    assert len(seed["products"].find_raw_batches({}).next()) > before + 60 * len(bson.encode(entry))
    assert len(ours["products"].find_raw_batches({}).next()) == size
    assert [len(each["prices"]) for each in found] == [50, 10]
    full = {
        **found[0],
        "_id": uuid4(),
        "productId": uuid4(),
        "prices": [*found[0]["prices"], found[1]["prices"][0]],
    }
    assert insertion(ours, "price_history", {**full, "validTo": full["prices"][-1]["validTo"]}) == INVALID


def test_d53_there_is_a_price_at_each_moment(
    seed: Database[Document], built: Database[Document], ours: Database[Document]
) -> None:
    """On the original's last day of 2023 nothing has a price; ours refuses a gap, and none is in the data."""
    seed["products"].insert_one(seed_product())
    noon = day("2023-12-31T12:00:00")
    priced = {
        "$or": [
            {"pricing.history": {"$elemMatch": {"validFrom": {"$lte": noon}, "validTo": {"$gt": noon}}}},
            {"pricing.current.validFrom": {"$lte": noon}},
        ]
    }
    half_open = bucket(("1299.99", "2023-09-15", "2023-12-31"), ("1249.99", "2023-12-31", "2024-01-01"))

    assert seed["products"].find_one(priced) is None
    assert insertion(ours, "price_history", half_open) == 0
    for prices in (
        [("1299.99", "2023-09-15", "2023-12-31"), ("1249.99", "2024-01-01", "2024-02-01")],  # a gap
        [("1299.99", "2023-09-15", "2023-12-31"), ("1249.99", "2023-12-30", "2024-02-01")],  # an overlap
        [("1299.99", "2023-09-15", "2023-09-15")],  # no time at all
    ):
        assert insertion(ours, "price_history", bucket(*prices)) == INVALID
    outside = {**bucket(("1299.99", "2023-09-15", "2023-12-31")), "validTo": day("2024-01-01")}
    assert insertion(ours, "price_history", outside) == INVALID

    assert operations.price_gaps(built) == []
    history = built["price_history"].find_one({"prices.1": {"$exists": True}})
    assert history is not None
    for ended, begun in zip(history["prices"], history["prices"][1:], strict=False):
        moment = timedelta(milliseconds=1)
        assert (
            operations.price_at(built, history["productId"], ended["validTo"] - moment)
            == ended["amount"].to_decimal()
        )
        assert (
            operations.price_at(built, history["productId"], begun["validFrom"])
            == begun["amount"].to_decimal()
        )


def test_d53_a_gap_between_buckets_is_found(ours: Database[Document]) -> None:
    """What no validator sees the check does: a gap or an overlap with the price of today."""
    history = bucket(("1299.99", "2023-09-15", "2023-12-31"))
    ours["products"].insert_one(product(_id=history["productId"]))
    ours["price_history"].insert_one(history)
    gap = operations.price_gaps(ours)
    ours["products"].update_one({}, {"$set": {"price.validFrom": day("2023-12-01")}})
    overlap = operations.price_gaps(ours)
    ours["products"].update_one({}, {"$set": {"price.validFrom": day("2023-12-31")}})

    assert [(each["kind"], each["productId"]) for each in gap] == [("gap", history["productId"])]
    assert [each["kind"] for each in overlap] == ["overlap"]
    assert operations.price_gaps(ours) == []


def test_d54_stock_is_a_collection_of_its_own(
    seed: Database[Document], built: Database[Document], ours: Database[Document], shop: Connection
) -> None:
    """The original lists a warehouse twice and oversells; ours does neither and agrees with the ledger."""
    doubled = [*SEED_PRODUCT_DOCUMENT["inventory"], SEED_PRODUCT_DOCUMENT["inventory"][0]]
    seed["products"].insert_one(seed_product(inventory=doubled))
    seed["products"].update_one({}, {"$inc": {"inventory.0.available": -1000}})
    stock = {
        "schemaVersion": 1,
        "productId": uuid4(),
        "sku": "ELEC-PHONE-001",
        "warehouse": "WH-US-EAST-01",
        "available": 5,
        "reserved": 0,
        "sourceVersion": 1,
        "updatedAt": day("2024-01-15"),
    }
    found = seed["products"].find_one()
    assert found is not None

    assert found["inventory"][0]["available"] == -844
    assert [insertion(ours, "inventory", stock) for _ in range(2)] == [0, DUPLICATE]
    assert refusal(lambda: ours["inventory"].update_one({}, {"$inc": {"available": -6}})) == INVALID
    ledger = shop.execute(
        """
        select p.sku, w.warehouse_code, i.quantity_available, i.quantity_reserved
        from shop.inventory i
        join shop.products p on p.product_id = i.product_id
        join shop.warehouses w on w.warehouse_id = i.warehouse_id
        """
    ).fetchall()
    assert set(ledger) == {
        (each["sku"], each["warehouse"], each["available"], each["reserved"])
        for each in built["inventory"].find()
    }


def test_d54_the_last_piece_is_promised_once(ours: Database[Document]) -> None:
    """Of eight who want one of five pieces at the same time, five get it."""
    ours["inventory"].insert_one(
        {
            "schemaVersion": 1,
            "productId": uuid4(),
            "sku": "A",
            "warehouse": "W",
            "available": 5,
            "reserved": 0,
            "sourceVersion": 1,
            "updatedAt": day("2024-01-15"),
        }
    )
    promised: list[bool] = []
    threads = [
        threading.Thread(target=lambda: promised.append(operations.reserve(ours, "A", "W", 1)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(promised) == [False] * 3 + [True] * 5
    assert ours["inventory"].find_one({}, {"_id": 0, "reserved": 1}) == {"reserved": 5}
    assert not operations.reserve(ours, "A", "elsewhere", 1)
    with pytest.raises(BadInput, match="give 1 or more"):
        operations.reserve(ours, "A", "W", 0)


def test_d55_the_average_is_computed(
    seed: Database[Document], built: Database[Document], ours: Database[Document]
) -> None:
    """The original says 4.7 where its distribution makes 4.605; ours refuses that and computes it."""
    counts = {5: 1100, 4: 300, 3: 80, 2: 30, 1: 13}
    points = sum(stars * count for stars, count in counts.items())
    stored = SEED_PRODUCT_DOCUMENT["reviewSummary"]

    assert insertion(seed, "products", seed_product()) == 0
    assert {int(stars): count for stars, count in stored["distribution"].items()} == counts
    assert round(points / stored["totalReviews"], 1) != stored["averageRating"]
    assert insertion(ours, "products", product(reviewSummary=review_summary(counts, "4.70"))) == INVALID
    assert insertion(ours, "products", product(reviewSummary=review_summary(counts, "4.60"))) == 0
    more = {**review_summary(counts, "4.60"), "count": 1524}
    assert insertion(ours, "products", product(sku="B", reviewSummary=more)) == INVALID
    assert built["products"].count_documents({"reviewSummary": {"$exists": True}}) > 0
    assert operations.wrong_summaries(built) == []


def test_d56_the_distribution_is_a_list(seed: Database[Document], ours: Database[Document]) -> None:
    """Keys 5 to 1 come back as 1 to 5 in JavaScript, and distribution.5 is also an element of an array."""
    (literal,) = re.findall(r"distribution: (\{.*?\})", SEED_FILE.read_text(encoding="utf-8"), re.DOTALL)
    body = f"function() {{ return Object.keys({literal}) }}"
    keys = {"$function": {"body": body, "args": [], "lang": "js"}}
    seed["products"].insert_many(
        [seed_product(), seed_product(reviewSummary={"distribution": [0, 0, 0, 0, 0, 1100]})]
    )
    written = SEED_PRODUCT_DOCUMENT["reviewSummary"]["distribution"]
    order = seed.aggregate([{"$documents": [{}]}, {"$project": {"keys": keys}}]).to_list()
    summary = review_summary({5: 1, 4: 0, 3: 0, 2: 0, 1: 0}, "5.00")
    backwards = {**summary, "distribution": summary["distribution"][::-1]}

    assert (list(written), order[0]["keys"]) == (["5", "4", "3", "2", "1"], ["1", "2", "3", "4", "5"])
    assert seed["products"].count_documents({"reviewSummary.distribution.5": 1100}) == 2
    assert insertion(ours, "products", product(reviewSummary=summary)) == 0
    assert insertion(ours, "products", product(sku="B", reviewSummary=backwards)) == INVALID
    by_key = {**summary, "distribution": {"5": 1, "4": 0, "3": 0, "2": 0, "1": 0}}
    assert insertion(ours, "products", product(sku="B", reviewSummary=by_key)) == INVALID
    fives = {"reviewSummary.distribution": {"$elemMatch": {"stars": 5, "count": {"$gte": 1}}}}
    assert ours["products"].count_documents(fives) == 1


def test_d57_two_conditions_hold_for_the_same_element(
    seed: Database[Document], built: Database[Document]
) -> None:
    """The original finds a warehouse with too little, for another has enough; ours cannot."""
    seed["products"].insert_one(seed_product())
    both = {"inventory.warehouseId": "WH-US-WEST-02", "inventory.available": {"$gte": 100}}
    index = [("inventory.warehouseId", 1), ("inventory.available", 1)]
    plan = seed.command("explain", {"find": "products", "filter": both, "hint": dict(index)})
    scan = plan["queryPlanner"]["winningPlan"]["inputStage"]

    assert seed["products"].count_documents(both) == 1  # the west has 89
    assert scan["indexBounds"]["inventory.available"] == ["[MinKey, MaxKey]"]
    together = {"inventory": {"$elemMatch": {"warehouseId": "WH-US-WEST-02", "available": {"$gte": 100}}}}
    assert seed["products"].count_documents(together) == 0
    for each in sample_queries(built):
        if each.index == "attribute_price":
            assert "$elemMatch" in each.operation.filter["attributes"]
            command = {"find": "products", "filter": dict(each.operation.filter), "hint": each.index}
            assert explained(built, command)["totalKeysExamined"] == explained(built, command)["nReturned"]
    sku = built["inventory"].find_one()
    assert sku is not None
    enough = {"sku": sku["sku"], "warehouse": sku["warehouse"], "available": {"$gt": sku["available"]}}
    assert built["inventory"].count_documents(enough) == 0


def array_roots(each: CollectionDesign, path: str) -> set[str]:
    """The paths above and at *path* that the schema says are arrays."""
    roots, node, walked = set(), each.schema or {}, []
    for name in path.split("."):
        walked.append(name)
        node = node.get("items", node) if node.get("bsonType") == "array" else node
        node = node.get("properties", {}).get(name, {})
        if node.get("bsonType") == "array":
            roots.add(".".join(walked))
    return roots


def test_d58_no_index_can_meet_parallel_arrays(seed: Database[Document], ours: Database[Document]) -> None:
    """An index over two fields fails once both are arrays; by our schemas none can be."""
    seed["products"].create_index([("categories", 1), ("tags", 1)], name="parallel")
    late = [insertion(seed, "products", seed_product(tags=tags)) for tags in ("bestseller", ["bestseller"])]
    seed["products"].drop_index("parallel")
    seed["products"].insert_one(seed_product())
    build = refusal(lambda: seed["products"].create_index([("categories", 1), ("searchTerms", 1)]))

    assert late == [0, 171]
    assert build == 171
    assert array_roots(designed("products"), "attributes.k") == {"attributes"}
    for each in design():
        for index in each.indexes:
            if "text" not in dict(index.key).values():
                assert len(set().union(*(array_roots(each, path) for path, _ in index.key))) <= 1, index.name
    ours["products"].insert_one(product())
    ours["products"].update_one({}, {"$set": {"categories": ["a", "b"]}})


def test_d59_words_are_searched_for_by_a_text_index(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """The original's terms match only as they are written, without order; ours by stem and relevance."""
    seed["products"].insert_one(seed_product())
    named = product(name="Travel Kettle", description="A kettle.")
    told = product(sku="B", name="Mug", description="Fits the kettles of this series and many others.")
    retired = product(sku="C", name="Old Kettle", isActive=False)
    ours["products"].insert_many([told, named, retired])
    found = ours["products"].find(
        {"isActive": True, "$text": {"$search": "KETTLES"}},
        {"sku": 1},
        sort=[("score", {"$meta": "textScore"})],
    )

    assert [
        seed["products"].count_documents({"searchTerms": words})
        for words in ("smartphone", "Smartphone", "smartphones", "phone")
    ] == [1, 0, 0, 0]
    assert [each["sku"] for each in found] == [named["sku"], told["sku"]]
    assert insertion(ours, "products", product(sku="D", searchTerms=["kettle"])) == INVALID


def test_d60_a_price_range_is_of_one_currency_and_on_sale(
    seed: Database[Document], built: Database[Document]
) -> None:
    """The original's range mixes yen with dollars and what is retired; ours reads exactly what it returns."""
    yen = {"current": {"amount": 900, "currency": "JPY", "validFrom": day("2024-01-01")}, "history": []}
    seed["products"].insert_many([seed_product(), seed_product(pricing=yen), seed_product(isActive=False)])
    cheap = {"categories": "Electronics", "pricing.current.amount": {"$lte": 1200}}
    (query,) = [each.operation for each in sample_queries(built) if each.index == "category_price"]
    command = {
        "find": "products",
        "filter": dict(query.filter),
        "sort": dict(query.sort),
        "limit": query.limit,
    }
    plan = explained(built, command)
    found = list(built["products"].find(query.filter, sort=list(query.sort), limit=query.limit))

    assert seed["products"].count_documents(cheap) == 3
    assert {each["price"]["currency"] for each in found} == {query.filter["price.currency"]}
    assert all(each["isActive"] for each in found)
    amounts = [each["price"]["amount"].to_decimal() for each in found]
    assert amounts == sorted(amounts)
    assert plan["totalKeysExamined"] == plan["totalDocsExamined"] == plan["nReturned"] == len(found) > 0
    assert "SORT" not in stages(plan["executionStages"])


def test_d61_a_cart_adds_up_and_is_bounded(seed: Database[Document], ours: Database[Document]) -> None:
    """The original takes a cart of any size whose sums are wrong; ours refuses each thing by itself."""
    wrong = seed_cart(items=SEED_CART["items"] * 10_000, summary={"itemCount": -1, "total": "free"})
    good = cart(line(quantity=2), line("B", price="0.10"), tax="96.01")

    def with_sum(name: str, value: Any) -> Document:
        return {**good, "summary": {**good["summary"], name: value}}

    assert insertion(seed, "carts", wrong) == 0
    assert insertion(ours, "carts", good) == 0
    for bad in (
        with_sum("itemCount", 2),
        with_sum("subtotal", Decimal128("2400.07")),
        with_sum("total", Decimal128("0")),
        cart(line(totalPrice=Decimal128("1.00"))),
        cart(line(quantity=100)),
        cart(line(quantity=0)),
        cart(line(), line()),
        cart(*(line(f"SKU-{number}") for number in range(101))),
        cart(line(price="-1.00")),
        {name: value for name, value in good.items() if name != "currency"},
        {name: value for name, value in good.items() if name != "version"},
        cart(line(), owner={"userId": uuid4(), "guestTokenHash": hashlib.sha256(b"x").digest()}),
        cart(line(), owner={}),
        cart(line(), owner={"guestTokenHash": b"x"}),
        cart(line(), sessionId="550e8400-e29b-41d4-a716-446655440000"),
    ):
        assert insertion(ours, "carts", {**bad, "_id": uuid4()}) == INVALID, bad
    assert insertion(ours, "carts", cart(*(line(f"SKU-{number}") for number in range(100)))) == 0


def vat(subtotal: Decimal) -> Decimal:
    return (subtotal * Decimal("0.19")).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_d61_a_cart_that_somebody_else_changed_is_not_overwritten(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """Of two who read the original's cart the second overwrites the first; in ours the version tells."""
    seed["carts"].insert_one(seed_cart())
    for items in (["first"], ["second"]):
        seed["carts"].update_one({"userId": SEED_USER}, {"$set": {"items": items}})
    ours["carts"].insert_one(cart(line()))
    read = ours["carts"].find_one()
    assert read is not None
    now = datetime.now(UTC)
    operations.set_items(ours, read, [line(quantity=2)], tax=vat, at=now)
    changed = ours["carts"].find_one({}, {"_id": 0, "items.quantity": 1, "version": 1, "summary.total": 1})

    assert seed["carts"].distinct("items") == ["second"]
    with pytest.raises(operations.CartChanged, match="no longer version 1"):
        operations.set_items(ours, read, [line(quantity=9)], tax=vat, at=now)
    assert changed == {
        "items": [{"quantity": 2}],
        "version": 2,
        "summary": {"total": Decimal128("2855.98")},
    }


def test_d61_a_guests_cart_is_merged_when_the_guest_logs_in(ours: Database[Document]) -> None:
    """Pieces are added up to 99, the later cart's price stands, and one open cart is left."""
    token, user, now = hashlib.sha256(b"guest").digest(), uuid4(), datetime.now(UTC).replace(microsecond=0)
    own = cart(
        line("A", 90, "2.00"),
        line("B", 1, "3.00"),
        owner={"userId": user},
        updatedAt=now - timedelta(minutes=30),
    )
    guest = cart(line("A", 20, "2.50"), line("C", 1, "4.00"), owner={"guestTokenHash": token})
    ours["carts"].insert_many([own, guest])
    kept = operations.merge_carts(ours, token, user, tax=vat, at=now)
    merged = ours["carts"].find_one({"status": "open"})
    assert merged is not None

    assert kept == merged["_id"] == own["_id"]
    assert [(each["sku"], each["quantity"], str(each["unitPrice"])) for each in merged["items"]] == [
        ("A", 99, "2.50"),
        ("B", 1, "3.00"),
        ("C", 1, "4.00"),
    ]
    assert merged["summary"]["subtotal"].to_decimal() == Decimal("254.50")
    assert ours["carts"].find_one({"_id": guest["_id"]}, {"_id": 0, "status": 1}) == {"status": "merged"}
    assert operations.merge_carts(ours, token, user, tax=vat, at=now) == own["_id"]  # nothing more to do


def test_d61_a_user_without_a_cart_gets_the_guests(ours: Database[Document]) -> None:
    """The cart changes its owner; carts of two currencies are left as they are."""
    token, user, now = hashlib.sha256(b"guest").digest(), uuid4(), datetime.now(UTC)
    guest = cart(line(), owner={"guestTokenHash": token})
    ours["carts"].insert_one(guest)

    assert operations.merge_carts(ours, token, user, tax=vat, at=now) == guest["_id"]
    assert ours["carts"].find_one({}, {"_id": 0, "owner": 1}) == {"owner": {"userId": user}}
    ours["carts"].insert_one(cart(line(), owner={"guestTokenHash": token}, currency="JPY"))
    with pytest.raises(BadInput, match="JPY and USD"):
        operations.merge_carts(ours, token, user, tax=vat, at=now)
    assert ours["carts"].count_documents({"status": "open"}) == 2
    assert operations.merge_carts(ours, b"?" * 32, uuid4(), tax=vat, at=now) is None


def test_d61_an_expired_cart_does_not_stand_in_the_way(ours: Database[Document]) -> None:
    """A user's cart whose time is over, removed already or not, leaves the guest's to be the open one."""
    token, user, now = hashlib.sha256(b"guest").digest(), uuid4(), datetime.now(UTC).replace(microsecond=0)
    guest = cart(line(), owner={"guestTokenHash": token})
    ours["carts"].insert_many([cart(line("A"), owner={"userId": user}), guest])
    ours["carts"].update_one({"owner.userId": user}, {"$set": {"expiresAt": now + timedelta(minutes=1)}})
    later = now + timedelta(minutes=2)

    assert operations.merge_carts(ours, token, user, tax=vat, at=later) == guest["_id"]
    assert ours["carts"].distinct("owner", {"status": "open"}) == [{"userId": user}]
    assert ours["carts"].distinct("status") == ["expired", "open"]


def test_d62_both_stores_know_the_same_keys(
    seed: Database[Document], built: Database[Document], shop: Connection
) -> None:
    """An ObjectId is no key in PostgreSQL; ours are the same UUIDs, and differences are counted."""
    seed["carts"].insert_one(seed_cart())
    foreign = seed["carts"].distinct("userId")[0]
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
        shop.execute("select true from shop.users where user_id = %s::uuid", [str(foreign)])
    agreed = reconcile(shop, built)
    removed = built["products"].find_one_and_delete({})
    stranger = login_session(b"stranger")
    built["sessions"].insert_one(stranger)
    try:
        differing = reconcile(shop, built)
    finally:
        built["products"].insert_one(removed)
        built["sessions"].delete_one({"_id": stranger["_id"]})

    assert agreed.holds
    assert agreed.products.in_both == built["products"].count_documents({})
    assert agreed.users.in_both > 0
    assert not differing.holds
    assert (differing.products.only_in_postgresql, differing.products.only_in_collections) == (1, 0)
    assert differing.users.only_in_collections == 1
    one = built["product_reviews"].find_one()
    assert one is not None
    (bought,) = shop.execute(
        """
        select count(*)
        from shop.order_items i
        join shop.orders o on o.order_id = i.order_id
        where o.user_id = %s::uuid
            and i.product_id = %s::uuid
        """,
        [str(one["userId"]), str(one["productId"])],
    ).fetchone() or (0,)
    assert bought > 0


def test_d62_a_key_of_another_subtype_is_refused(ours: Database[Document]) -> None:
    """The same sixteen bytes with another subtype, and an ObjectId, are no keys of ours."""
    assert insertion(ours, "products", product(_id=Binary(uuid4().bytes, 3))) == INVALID
    assert insertion(ours, "products", product(_id=Binary(uuid4().bytes, 0))) == INVALID
    assert insertion(ours, "products", product(_id=ObjectId())) == INVALID
    assert insertion(ours, "carts", cart(line(), owner={"userId": ObjectId()})) == INVALID
    assert insertion(ours, "carts", cart(line(productId=Binary(uuid4().bytes, 3)))) == INVALID


def test_d63_versions_concerns_and_shard_keys_are_declared(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """The original has none; ours demands a version, and unique indexes begin with the shard key."""
    assert "schemaVersion" not in {*SEED_EVENT, *SEED_PRODUCT_DOCUMENT, *SEED_CART}
    assert insertion(seed, "products", seed_product()) == 0
    unversioned = {name: value for name, value in product().items() if name != "schemaVersion"}
    assert insertion(ours, "products", unversioned) == INVALID
    assert insertion(ours, "products", product(schemaVersion=2)) == INVALID
    for each in design():
        collection = each.of(ours)
        assert collection.write_concern.document == {"w": "majority", "j": True}
        assert collection.read_concern.level in ("local", "majority")
        assert each.schema is None or "schemaVersion" in each.schema["required"]
        assert each.shard_key_because
        for index in each.indexes:
            if index.options.get("unique"):
                assert index.key[: len(each.shard_key)] == each.shard_key


def test_d63_attributes_have_one_unit_and_one_index(
    seed: Database[Document], ours: Database[Document]
) -> None:
    """The original mixes units and scans; ours refuses another unit, and one index serves every attribute."""
    mixed = [{"value": 195, "unit": "grams"}, {"value": 0.195, "unit": "kg"}]
    for weight in mixed:
        seed["products"].insert_one(seed_product(specifications={"general": {"weight": weight}}))
    heavy = {"find": "products", "filter": {"specifications.general.weight.value": {"$gte": 100}}}
    plan = explained(seed, heavy)

    assert (plan["nReturned"], "COLLSCAN" in stages(plan)) == (1, True)
    attributes = product()["attributes"]
    for bad in (
        [*attributes[:3], {"k": "weight", "v": 195, "u": "grams"}],
        [*attributes[:3], {"k": "weight", "v": 0.195, "u": "g"}],
        [*attributes[:3], {"k": "weight", "v": 195}],
        [*attributes, attributes[0]],
        attributes[:3],
        [*attributes, {"k": "fileSize", "v": 7, "u": "kB"}],
    ):
        assert insertion(ours, "products", product(attributes=bad)) == INVALID, bad
    assert insertion(ours, "products", product(type="download")) == INVALID
    assert insertion(ours, "products", product()) == 0


def test_d63_the_attribute_pattern_beats_a_wildcard_index_and_none(
    mongo: Database[Document], built: Database[Document]
) -> None:
    """Cheapest first of a material: the pattern's index reads what it returns, the others more."""
    documents = list(built["products"].find())
    mongo["none"].insert_many(copy.deepcopy(documents))
    for each in documents:
        each["specifications"] = {found["k"]: found["v"] for found in each.pop("attributes")}
    mongo["wildcard"].insert_many(documents)
    mongo["wildcard"].create_index([("specifications.$**", 1)], name="wildcard")
    common = {"isActive": True, "price.currency": "USD"}
    pattern = {**common, "attributes": {"$elemMatch": {"k": "material", "v": "oak"}}}
    wildcard = {**common, "specifications.material": "oak"}
    rest = {"sort": {"price.amount": 1}, "limit": 5}
    ours = explained(built, {"find": "products", "filter": pattern, "hint": "attribute_price", **rest})
    none = explained(mongo, {"find": "none", "filter": pattern, **rest})
    other = explained(mongo, {"find": "wildcard", "filter": wildcard, "hint": "wildcard", **rest})

    assert ours["nReturned"] == none["nReturned"] == other["nReturned"] == 5
    assert ours["totalKeysExamined"] == ours["totalDocsExamined"] == 5
    assert none["totalDocsExamined"] == len(documents)
    assert other["totalDocsExamined"] > ours["totalDocsExamined"]
    assert "SORT" in stages(other)
    assert "SORT" not in stages(ours)


@pytest.fixture(scope="module")
def users(built: Database[Document]) -> Iterator[Mapping[str, Login]]:
    with logins(built) as found:
        yield found


ALLOWED: Mapping[str, Callable[[Database[Document]], Any]] = {
    "app_catalog": lambda db: db["products"].find_one(),
    "app_cart": lambda db: operations.reserve(db, "none", "none", 1),
    "app_session": lambda db: db["sessions"].delete_one({"_id": "none"}),
    "app_ingest": lambda db: operations.ingest(db, limit=1),
    "catalog_editor": lambda db: db["products"].update_one({"sku": "none"}, {"$set": {"isActive": False}}),
    "review_writer": lambda db: db["product_reviews"].delete_one({"_id": "none"}),
    "review_summary": lambda db: db["product_reviews"].find_one(),
    "stock_sync": lambda db: db["inventory"].update_one({"sku": "none"}, {"$set": {"available": 1}}),
    "analyst": lambda db: db["activity_facts"].find_one(),
}
REFUSED: Mapping[str, Callable[[Database[Document]], Any]] = {
    "app_catalog": lambda db: db["carts"].find_one(),
    "app_cart": lambda db: db["products"].update_one({}, {"$set": {"price.amount": Decimal128("0")}}),
    "app_session": lambda db: db["product_reviews"].find_one(),
    "app_ingest": lambda db: db["user_activities"].delete_many({}),
    "catalog_editor": lambda db: db["sessions"].find_one(),
    "review_writer": lambda db: db["products"].update_one({}, {"$set": {"isActive": False}}),
    "review_summary": lambda db: db["product_reviews"].delete_many({}),
    "stock_sync": lambda db: db["products"].find_one(),
    "analyst": lambda db: db["user_activities"].find_one(),
}


@pytest.mark.parametrize("role", sorted(ALLOWED))
def test_d64_each_role_may_do_what_it_must_and_no_more(
    role: str, mongo_server: MongoServer, built: Database[Document], users: Mapping[str, Login]
) -> None:
    """A login of the role does its work; what belongs to another is refused by the server."""
    login = users[role]
    with mongo_server.client(user=login.user, password=login.password, authSource=login.database) as client:
        database = client[built.name]
        ALLOWED[role](database)
        refused = refusal(lambda: REFUSED[role](database))
        dropped = refusal(lambda: database.command("drop", "products"))

    assert set(ALLOWED) == set(REFUSED) == set(users)
    assert (refused, dropped) == (DENIED, DENIED)


def test_d64_analysts_see_no_pseudonym(built: Database[Document]) -> None:
    """The view that is all an analyst can read has neither pseudonyms nor keys nor the place itself."""
    fields = {name for each in built["activity_facts"].find() for name in each}

    assert {"timestamp", "source", "eventType", "cell"} <= fields
    assert not fields & {"userPseudonym", "eventId", "location", "_id", "appVersion"}


def test_d64_without_a_login_nothing_is_read(mongo_server: MongoServer, built: Database[Document]) -> None:
    """As the original stands, whoever reaches the server reads carts and users; ours asks for a login."""
    with private_mongod(auth=False) as (open_server, _), open_server.client() as anybody:
        anybody["shop"]["carts"].insert_one(seed_cart())
        with pymongo.MongoClient(open_server.url()) as stranger:
            assert stranger["shop"]["carts"].find_one({}, {"userId": 1}) is not None

    unknown = MongoServer(mongo_server.hosts, mongo_server.label, replica_set=mongo_server.replica_set)
    with unknown.client() as stranger, pytest.raises(PyMongoError) as refused:
        stranger[built.name]["carts"].find_one()
    assert refused.value.code == DENIED  # type: ignore[attr-defined]


def test_the_helper_sees_a_refusal(ours: Database[Document]) -> None:
    """What the tests above rest on: an accepted document is 0, a refused one the server's code."""
    assert refusal(lambda: None) == 0
    with pytest.raises(WriteError):
        ours["carts"].insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError):
        for _ in range(2):
            ours["products"].insert_one(product())
