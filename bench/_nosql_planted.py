"""A database of collections with planted problems, each known by check and object, among clean near misses.

Every collection is either a problem's or a decoy's. What a server cannot be made to show in a moment, index
statistics of a month and shard keys, is set in the catalog that was read from it (`as_if_a_month_old`).
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Decimal128, Int64, ObjectId, Regex
from pymongo import IndexModel
from pymongo.database import Database

from workbench.catalog.collections import Operation
from workbench.catalog.shapes import written
from workbench.documents.source import DocumentSource

NOW = datetime.now(UTC).replace(microsecond=0)
MONTH_OLD = NOW - timedelta(days=30)
Document = dict[str, Any]


@dataclass(frozen=True)
class Planted:
    """A problem: what should find it, where, and figures that its evidence must have."""

    check: str
    object: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decoy:
    """What looks like a problem of *check* and is none."""

    check: str
    object: str


@dataclass
class Build:
    """What was planted in *database*, and what belongs to it beside the documents."""

    database: Database[Document]
    documents: int
    planted: list[Planted] = field(default_factory=list)
    decoys: list[Decoy] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    shard_keys: dict[str, tuple[tuple[str, int | str], ...]] = field(default_factory=dict)
    unused: list[tuple[str, str]] = field(default_factory=list)  # indexes without an access in a month
    random: random.Random = field(default_factory=lambda: random.Random(7))
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(6))
    _filling: list[Future[Any]] = field(default_factory=list)

    def plant(self, check: str, collection: str, *names: str, **facts: Any) -> None:
        self.planted.append(Planted(check, written((self.database.name, collection, *names)), facts))

    def decoy(self, check: str, collection: str, *names: str) -> None:
        self.decoys.append(Decoy(check, written((self.database.name, collection, *names))))

    def fill(self, collection: str, documents: list[Document]) -> None:
        """Insert the *documents*, a few collections at a time; `build` waits for all."""
        self._filling.append(self._pool.submit(self.database[collection].insert_many, documents))

    def wait(self) -> None:
        for filling in self._filling:
            filling.result()
        self._pool.shutdown()

    def rows(self) -> range:
        return range(self.documents)


def build(database: Database[Document], *, documents: int = 600) -> Build:
    """Fill the empty *database*, the larger collections with *documents* documents (at least 200)."""
    made = Build(database, max(documents, 200))
    for part in (
        _arrays,
        _parallel,
        _sizes,
        _names,
        _families,
        _indexes,
        _money,
        _strings,
        _mixed,
        _matches,
        _expiry,
        _shard_keys,
        _references,
    ):
        part(made)
    made.wait()
    return made


def as_if_a_month_old(source: DocumentSource, made: Build) -> DocumentSource:
    """The *source* as it would be after a month: with statistics of that age, the shard keys in force.

    Indexes named as unused have no access; those of the decoy with young statistics stay as they are.
    """
    collections = []
    for collection in source.catalog.collections:
        indexes = tuple(
            replace(
                index,
                accesses=0 if (collection.name, index.name) in made.unused else (index.accesses or 0) + 500,
                accesses_since=NOW if collection.name == "young" else MONTH_OLD,
            )
            for index in collection.indexes
        )
        key = made.shard_keys.get(collection.name, collection.shard_key)
        collections.append(replace(collection, indexes=indexes, shard_key=key))
    return replace(source, catalog=replace(source.catalog, collections=tuple(collections)))


def _id_of(days: float) -> ObjectId:
    """An ObjectId made so many days ago."""
    seconds = int((NOW - timedelta(days=days)).timestamp())
    return ObjectId(seconds.to_bytes(4, "big") + ObjectId().binary[4:])


def _arrays(made: Build) -> None:
    chance = made.random
    made.fill(
        "posts",
        [
            {
                "title": f"Post {n}",
                "comments": [
                    {"by": f"u{c}", "text": "well said"}
                    for c in range(n * 5000 // made.documents if n % 20 == 0 else n % 9)
                ],
            }
            for n in made.rows()
        ],
    )
    made.plant("unbounded_array", "posts", "comments")
    made.fill(
        "devices",
        [
            {
                "_id": _id_of(n),
                "serial": f"S{n:06}",
                "loginHistory": [
                    {"ip": f"10.0.{n % 250}.{e % 250}"} for e in range(1 + n // 2 + chance.randrange(5))
                ],
            }
            for n in range(300)
        ],
    )
    made.plant("unbounded_array", "devices", "loginHistory")
    made.fill(
        "people",
        [
            {
                "name": f"P{n}",
                "social": {"followers": list(range(chance.choice((3, 9, 20)) if n % 50 else 2000))},
            }
            for n in made.rows()
        ],
    )
    made.plant("unbounded_array", "people", "social", "followers")
    # near misses: vectors, buckets that fill up, $slice, geometry, a declared limit, few elements
    made.fill(
        "vectors", [{"text": f"t{n}", "embedding": [chance.random() for _ in range(256)]} for n in range(200)]
    )
    made.decoy("unbounded_array", "vectors", "embedding")
    made.fill(
        "buckets",
        [
            {
                "sensor": n % 9,
                "readings": [{"v": chance.random()} for _ in range(200 if n % 9 else 1 + n % 199)],
            }
            for n in range(200)
        ],
    )
    made.decoy("unbounded_array", "buckets", "readings")
    made.fill(
        "feeds",
        [
            {"owner": f"o{n}", "latestEvents": list(range(min(250, chance.randrange(500))))}
            for n in range(300)
        ],
    )
    made.decoy("unbounded_array", "feeds", "latestEvents")
    made.fill(
        "areas",
        [
            {
                "label": f"a{n}",
                "border": {
                    "type": "Polygon",
                    "coordinates": [[[float(p), 1.0] for p in range(5 if n % 30 else 900)]],
                },
            }
            for n in range(200)
        ],
    )
    made.decoy("unbounded_array", "areas", "border", "coordinates")
    made.database.create_collection(
        "surveys",
        validator={"$jsonSchema": {"properties": {"answers": {"bsonType": "array", "maxItems": 500}}}},
    )
    made.fill(
        "surveys", [{"form": n % 7, "answers": list(range(300 if n % 40 == 0 else 6))} for n in range(200)]
    )
    made.decoy("unbounded_array", "surveys", "answers")
    made.fill(
        "recipes", [{"dish": f"d{n}", "steps": [f"step {s}" for s in range(1 + n % 40)]} for n in range(200)]
    )
    made.decoy("unbounded_array", "recipes", "steps")


def _parallel(made: Build) -> None:
    database = made.database
    database.create_collection("articles")
    database.articles.create_index([("tags", 1), ("authors", 1)])
    made.fill(
        "articles",
        [
            {"tags": ["a", "b"], "authors": "one"} if n % 2 else {"tags": "a", "authors": ["x", "y"]}
            for n in range(200)
        ],
    )
    made.plant(
        "parallel_arrays",
        "articles",
        "tags_1_authors_1",
        documents_one_is_array=100,
        documents_other_is_array=100,
        documents_both_are_arrays=0,
    )
    # what makes that index dangerous is a mixture of types as well
    made.plant("mixed_types", "articles", "tags")
    made.plant("mixed_types", "articles", "authors")
    made.fill(
        "books",
        [
            {"isbn": f"978{n:010}", "tags": ["x", f"t{n % 5}"], "categories": ["c", f"k{n % 3}"]}
            for n in range(200)
        ],
    )
    made.operations.append(
        Operation("books", "find", {"tags": "string", "categories": "string"}, origin="planted")
    )
    made.plant("parallel_arrays", "books", "categories", documents_both_are_arrays=200)
    # near misses: both fields in one array, one array beside a scalar, an array and a geometry
    database.shelves.create_index([("books.title", 1), ("books.year", 1)])
    made.fill("shelves", [{"books": [{"title": f"t{n}", "year": 1900 + n % 99}]} for n in range(50)])
    made.decoy("parallel_arrays", "shelves", "books.title_1_books.year_1")
    database.films.create_index([("genres", 1), ("year", -1)])
    made.fill("films", [{"genres": ["drama", "war"], "year": 1950 + n % 70} for n in range(50)])
    made.decoy("parallel_arrays", "films", "genres_1_year_-1")
    made.operations.append(Operation("films", "find", {"genres": "string", "year": "int"}, origin="planted"))
    database.shops.create_index([("location", "2dsphere"), ("brands", 1)])
    made.fill(
        "shops",
        [
            {"location": {"type": "Point", "coordinates": [13.4, 52.5]}, "brands": ["a", "b"]}
            for _ in range(50)
        ],
    )
    made.decoy("parallel_arrays", "shops", "location_2dsphere_brands_1")


def _sizes(made: Build) -> None:
    picture = base64.b64encode(made.random.randbytes(1_600_000)).decode()
    made.fill(
        "profiles", [{"name": f"n{n}", "photo": picture if n % 10 == 0 else "none.png"} for n in range(50)]
    )
    made.plant("bloated_documents", "profiles")
    made.fill("scans", [{"name": f"n{n}", "page": made.random.randbytes(150_000)} for n in range(40)])
    made.plant("bloated_documents", "scans")
    wide = {f"field_{n:03}": "x" * 200 for n in range(120)}
    made.fill("dossiers", [{"number": n, "state": "open", **wide} for n in range(100)])
    made.operations.append(
        Operation("dossiers", "find", {"number": "int"}, projection={"state": 1}, origin="planted")
    )
    made.plant("bloated_documents", "dossiers")
    # near misses: the chunks of GridFS, wide documents that are read whole, ordinary ones
    made.fill(
        "fs.chunks",
        [{"files_id": ObjectId(), "n": 0, "data": made.random.randbytes(255 * 1024)} for _ in range(20)],
    )
    made.decoy("bloated_documents", "fs.chunks")
    made.fill("reports", [{"number": n, "state": "open", **wide} for n in range(100)])
    made.operations.append(Operation("reports", "find", {"number": "int"}, origin="planted"))
    made.decoy("bloated_documents", "reports")
    made.fill("notes", [{"text": "y" * (60_000 if n % 25 == 0 else 300)} for n in range(100)])
    made.decoy("bloated_documents", "notes")


def _names(made: Build) -> None:
    made.fill(
        "stations",
        [
            {"place": f"p{n}", "daily": {f"2024-{m:02}-{d:02}": n for m in range(1, 4) for d in range(1, 29)}}
            for n in range(60)
        ],
    )
    made.plant("keys_are_data", "stations", "daily")
    made.fill(
        "polls", [{"question": f"q{n}", "votes": {str(ObjectId()): 1 for _ in range(12)}} for n in range(60)]
    )
    made.plant("keys_are_data", "polls", "votes")
    made.fill(
        "hotels", [{"name": f"h{n}", "stars": {"1": n, "2": n, "3": n, "4": n, "5": n}} for n in range(60)]
    )
    made.plant("keys_are_data", "hotels", "stars")
    made.fill("labels", [{"key": f"k{n}", "text": {"en": "yes", "de": "ja", "fr": "oui"}} for n in range(60)])
    made.decoy("keys_are_data", "labels", "text")
    made.fill(
        "openings",
        [{"shop": n, "week": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "9-17")} for n in range(60)],
    )
    made.decoy("keys_are_data", "openings", "week")
    made.fill("hosts", [{"name": f"h{n}", "cpu.load": 0.5 + n, "ok": True} for n in range(60)])
    made.plant("dots_and_dollars", "hosts", "cpu.load")
    made.fill("prefs", [{"name": f"h{n}", "a-b": 1, "größe": 2, "with space": 3} for n in range(60)])
    made.decoy("dots_and_dollars", "prefs")
    deep: Document = {"leaf": 1}
    for level in range(24):
        deep = {"child": deep, "level": level}
    made.fill("trees", [{"number": n, "tree": deep} for n in range(30)])
    made.plant("deep_nesting", "trees", *("tree", *["child"] * 9))
    made.fill("addresses", [{"a": {"b": {"c": {"d": {"e": [{"f": n}]}}}}} for n in range(30)])
    made.decoy("deep_nesting", "addresses")
    facts = ("color", "size", "weight", "brand")
    made.fill(
        "product_attributes",
        [{"productId": n // 4, "attribute": facts[n % 4], "value": f"v{n % 9}"} for n in range(400)],
    )
    made.plant("entity_attribute_value", "product_attributes")
    made.fill(
        "lamps",
        [{"sku": f"L{n}", "attributes": [{"k": k, "v": f"v{n % 5}"} for k in facts]} for n in range(60)],
    )
    made.decoy("entity_attribute_value", "lamps")
    made.fill(
        "samples",
        [{"probeId": n // 4, "param": facts[n % 4], "value": float(n), "at": NOW} for n in range(400)],
    )
    made.decoy("entity_attribute_value", "samples")


def _families(made: Build) -> None:
    for month in range(12):
        made.fill(
            f"visits_{2023 + month // 6}_{month % 6 + 1:02}",
            [{"page": f"/{n}", "at": NOW, "ms": n} for n in range(5)],
        )
    made.plant("too_many_collections", "visits_*")
    for number in range(1, 11):
        made.fill(f"shard{number}_readings", [{"sensor": n, "v": 1.5, "at": NOW} for n in range(5)])
    made.plant("too_many_collections", "shard*_readings")
    # near misses: names with digits that are different things, a few yearly archives
    for number, name in enumerate(
        ("oauth2", "s3_objects", "md5_sums", "route53", "ipv4_ranges", "web3_wallets")
    ):
        made.fill(name, [{f"f{number}": n, f"g{number}": "x"} for n in range(5)])
        made.decoy("too_many_collections", name)
    for year in (2022, 2023, 2024):
        made.fill(f"ledger_{year}", [{"entry": n, "text": "x"} for n in range(5)])
    made.decoy("too_many_collections", "ledger_*")
    for number in range(1, 11):
        made.fill(f"table_{number}", [{f"only_{number}": n, f"here_{number}": "x"} for n in range(3)])
    made.decoy("too_many_collections", "table_*")


def _indexes(made: Build) -> None:
    database = made.database
    made.fill("crowded", [{f"f{at:02}": n for at in range(24)} for n in range(100)])
    database.crowded.create_indexes([IndexModel([(f"f{at:02}", 1)]) for at in range(22)])
    made.plant("too_many_indexes", "crowded", indexes=23)
    made.fill("modest", [{f"f{at:02}": n for at in range(10)} for n in range(100)])
    database.modest.create_indexes([IndexModel([(f"f{at:02}", 1)]) for at in range(8)])
    made.decoy("too_many_indexes", "modest")

    made.fill(
        "orders_a", [{"customer": n % 40, "at": NOW, "status": "new", "region": n % 4} for n in made.rows()]
    )
    database.orders_a.create_index([("customer", 1)])
    database.orders_a.create_index([("customer", 1), ("at", -1)])
    made.plant("redundant_index", "orders_a", "customer_1", kept="customer_1_at_-1")
    database.orders_a.create_index([("region", 1)])
    database.orders_a.create_index([("region", -1)])
    made.plant("redundant_index", "orders_a", "region_-1", kept="region_1")
    database.orders_a.create_index([("status", -1), ("at", 1)])
    database.orders_a.create_index([("status", 1), ("at", -1), ("region", 1)])
    made.plant("redundant_index", "orders_a", "status_-1_at_1")
    near = {
        "unique": ({}, {"unique": True}),
        "partial": ({}, {"partialFilterExpression": {"b": {"$gt": 3}}}),
        "collated": ({}, {"collation": {"locale": "en", "strength": 2}}),
        "sparse": ({}, {"sparse": True}),
        "wide_partial": ({"partialFilterExpression": {"b": {"$gt": 3}}}, {}),
        "ttl": ({}, {"expireAfterSeconds": 10**9}),
    }
    for name, (wide, narrow) in near.items():
        collection = f"near_{name}"
        made.fill(collection, [{"a": NOW + timedelta(days=n), "b": n % 7, "c": n % 5} for n in range(100)])
        database[collection].create_index([("a", 1), ("b", 1)], **wide)
        database[collection].create_index([("a", 1)], **narrow)
        made.decoy("redundant_index", collection, "a_1")
    made.fill("near_order", [{"a": n % 9, "b": n % 7, "c": n % 5} for n in range(100)])
    database.near_order.create_index([("a", 1), ("b", 1), ("c", 1)])
    database.near_order.create_index([("a", 1), ("b", -1)])
    database.near_order.create_index([("b", 1)])
    database.near_order.create_index([("a", "hashed")])
    made.decoy("redundant_index", "near_order", "a_1_b_-1")
    made.decoy("redundant_index", "near_order", "b_1")
    made.decoy("redundant_index", "near_order", "a_hashed")
    made.fill("near_multikey", [{"a": n, "list": [n % 3, n % 5, 7]} for n in range(100)])
    database.near_multikey.create_index([("a", 1), ("list", 1)])
    database.near_multikey.create_index([("a", 1)])
    made.decoy("redundant_index", "near_multikey", "a_1")

    made.fill(
        "visitors",
        [
            {
                "email": f"e{n}",
                "phone": f"+49{n}",
                "city": n % 9,
                "token": n,
                "until": NOW + timedelta(days=9),
            }
            for n in range(100)
        ],
    )
    for keys, options in (
        ([("phone", 1)], {}),
        ([("city", 1)], {}),
        ([("email", 1)], {"unique": True}),
        ([("until", 1)], {"expireAfterSeconds": 10**9}),
    ):
        database.visitors.create_index(keys, **options)
    made.unused += [
        ("visitors", "phone_1"),
        ("visitors", "email_1"),
        ("visitors", "until_1"),
        ("visitors", "_id_"),
    ]
    made.plant("unused_index", "visitors", "phone_1", days=30)
    for name in ("city_1", "email_1", "until_1", "_id_"):
        made.decoy("unused_index", "visitors", name)
    made.fill("young", [{"x": n} for n in range(100)])
    database.young.create_index([("x", 1)])
    made.unused.append(("young", "x_1"))
    made.decoy("unused_index", "young", "x_1")


def _money(made: Build) -> None:
    chance = made.random
    made.fill(
        "sales",
        [
            {
                "price": round(chance.uniform(1, 900), 2),
                "items": [
                    {"sku": f"s{n}", "unitPrice": round(chance.uniform(1, 90), 2), "lineTotal": 1199.99 * 3}
                ],
                "payment": {"amount": round(chance.uniform(1, 900), 2), "currency": "EUR"},
                "rating": round(chance.uniform(1, 5), 1),
                "weight": round(chance.uniform(1, 50), 2),
                "location": {"lat": chance.uniform(47, 55), "lng": chance.uniform(6, 15)},
                "taxRate": 0.19,
                "discountPercent": 12.5,
                "priceCents": 1999,
                "listPrice": Decimal128("19.99"),
                "points_total": 3.5,
            }
            for n in made.rows()
        ],
    )
    made.plant("money_as_double", "sales", "price", doubles=made.documents)
    made.plant("money_as_double", "sales", "items", "[]", "unitPrice")
    made.plant("money_as_double", "sales", "items", "[]", "lineTotal", a_hair_beside_an_amount=made.documents)
    made.plant("money_as_double", "sales", "payment", "amount")
    for names in (
        ("rating",),
        ("weight",),
        ("location", "lat"),
        ("location", "lng"),
        ("taxRate",),
        ("discountPercent",),
        ("priceCents",),
        ("listPrice",),
        ("points_total",),
    ):
        made.decoy("money_as_double", "sales", *names)
    made.fill(
        "ingredients",
        [{"name": f"i{n}", "amount": round(chance.uniform(0.5, 5), 1), "unit": "kg"} for n in range(100)],
    )
    made.decoy("money_as_double", "ingredients", "amount")
    made.fill(
        "forecasts",
        [{"predictedPrice": chance.uniform(1, 99), "cost": chance.uniform(0, 1)} for n in range(100)],
    )
    made.decoy("money_as_double", "forecasts", "predictedPrice")
    made.decoy("money_as_double", "forecasts", "cost")


def _strings(made: Build) -> None:
    third = [n for n in made.rows() if n % 10 < 3]
    made.fill(
        "tickets",
        [
            {
                "createdAt": (NOW - timedelta(hours=n)).isoformat()
                if n % 10 < 3
                else NOW - timedelta(hours=n),
                "closedAt": f"{n % 28 + 1:02}/03/2024",
                "reportedAt": f"2024-03-{n % 28 + 1:02}T10:30:00Z",
                "appVersion": f"{n % 5}.{n % 12}.{n % 30}",
                "number": f"2024-{n:06}",
                "birthday": f"19{n % 90 + 10:02}-05-17",
                "period": f"2024-{n % 12 + 1:02}",
                "phone": f"4930{n:07}",
                "zip": f"{10000 + n}",
                "leading": f"{n:08}",
                "quantity": str(n % 50),
                "score": str(n % 9) if n % 4 == 0 else n % 9,
                "release": f"{n % 4}.{n % 9}",
            }
            for n in made.rows()
        ],
    )
    made.plant(
        "date_as_string", "tickets", "createdAt", strings=len(third), true_dates=made.documents - len(third)
    )
    made.plant("mixed_types", "tickets", "createdAt", not_of_the_main_type=len(third))
    made.plant("date_as_string", "tickets", "closedAt", of_other_formats=made.documents)
    made.plant("date_as_string", "tickets", "reportedAt", dates_and_times=made.documents)
    made.plant("number_as_string", "tickets", "quantity", strings=made.documents)
    made.plant("number_as_string", "tickets", "score", strings=len([n for n in made.rows() if n % 4 == 0]))
    made.plant("mixed_types", "tickets", "score")
    for name in ("appVersion", "number", "birthday", "period", "phone", "zip", "leading", "release"):
        made.decoy("date_as_string", "tickets", name)
        made.decoy("number_as_string", "tickets", name)
    users = [_id_of(n / 3) for n in made.rows()]
    made.fill("users", [{"_id": identity, "name": f"user {n}"} for n, identity in enumerate(users)])
    made.fill(
        "logins",
        [
            {
                "userId": str(identity),
                "reviewer": identity if n % 5 else str(identity),
                "etag": made.random.randbytes(12).hex(),
                "traceId": made.random.randbytes(16).hex(),
            }
            for n, identity in enumerate(users)
        ],
    )
    made.plant("id_as_string", "logins", "userId", strings=made.documents, target="users")
    made.plant("id_as_string", "logins", "reviewer")
    made.plant("mixed_types", "logins", "reviewer")
    made.decoy("id_as_string", "logins", "etag")
    made.decoy("id_as_string", "logins", "traceId")


def _mixed(made: Build) -> None:
    rare = max(made.documents // 200, 1)
    made.fill(
        "parts",
        [
            {
                "code": f"c{n}",
                "size": "large" if n < rare else n % 40,
                "flag": n % 2 == 0,
                "count": Int64(n) if n % 3 else n,
            }
            for n in made.rows()
        ],
    )
    made.plant("mixed_types", "parts", "size", not_of_the_main_type=rare)
    made.decoy("mixed_types", "parts", "count")
    made.fill(
        "owners",
        [
            {"owner": {"name": f"o{n}"} if n % 4 else f"o{n}", "note": None if n % 3 else "x"}
            for n in made.rows()
        ],
    )
    made.plant("mixed_types", "owners", "owner")
    made.decoy("mixed_types", "owners", "note")
    kinds = {"text": "hello", "number": 7, "flag": True}
    made.fill(
        "events",
        [{"kind": kind, "payload": {"value": value}} for n in range(100) for kind, value in kinds.items()],
    )
    made.decoy("mixed_types", "events", "payload", "value")
    made.fill(
        "items",
        [
            {"sku": f"s{n}", "attributes": [{"k": "color", "v": "red"}, {"k": "watts", "v": n}]}
            for n in range(100)
        ],
    )
    made.decoy("mixed_types", "items", "attributes", "[]", "v")
    made.fill(
        "settings",
        [
            {"_id": "theme", "value": "dark"},
            {"_id": "retries", "value": 3},
            {"_id": "beta", "value": True},
            {"_id": "title", "value": "Shop"},
        ],
    )
    made.decoy("mixed_types", "settings", "value")
    made.database.create_collection(
        "flexible", validator={"$jsonSchema": {"properties": {"reference": {"bsonType": ["int", "string"]}}}}
    )
    made.fill("flexible", [{"reference": n if n % 2 else f"r{n}"} for n in range(100)])
    made.decoy("mixed_types", "flexible", "reference")


def _matches(made: Build) -> None:
    database = made.database
    states = ("active", "Active", "closed", "open", "OPEN")
    made.fill(
        "accounts",
        [
            {"status": states[n % 5], "bio": f"a long story number {n}", "handle": f"h{n:06}"}
            for n in range(1200)
        ],
    )
    database.accounts.create_index([("status", 1)])
    made.operations += [
        Operation(
            "accounts",
            "find",
            {"status": {"$regex": "^active$", "$options": "i"}},
            count=40,
            origin="planted",
        ),
        Operation("accounts", "find", {"bio": Regex("story")}, count=40, origin="planted"),
        Operation("accounts", "find", {"handle": {"$regex": "^h0001"}}, count=40, origin="planted"),
    ]
    made.plant("case_insensitive_match_without_collation", "accounts", "status", written_in_several_ways=2)
    made.plant("unanchored_regex", "accounts", "bio")
    made.decoy("unanchored_regex", "accounts", "handle")
    made.fill("cities", [{"name": f"City {n}", "mayor": f"M{n}"} for n in range(1200)])
    database.cities.create_index([("name", 1)], collation={"locale": "en", "strength": 2})
    made.operations += [
        Operation(
            "cities", "find", {"name": "string"}, collation={"locale": "en", "strength": 2}, origin="planted"
        ),
    ]
    made.decoy("case_insensitive_match_without_collation", "cities", "name")
    made.fill("colors", [{"name": "red"}, {"name": "green"}, {"name": "blue"}])
    made.operations.append(Operation("colors", "find", {"name": {"$regex": "e"}}, origin="planted"))
    made.decoy("unanchored_regex", "colors", "name")
    made.fill("jobs_done", [{"outcome": ("Success", "success", "failed")[n % 3]} for n in range(300)])
    made.plant("case_variants", "jobs_done", "outcome", rarer_spellings=100)
    made.fill("units", [{"unit": ("m", "M", "kg", "Kg")[n % 4]} for n in range(100)])
    made.decoy("case_variants", "units", "unit")
    made.fill("grades", [{"level": ("Gold", "Silver", "Bronze")[n % 3]} for n in range(100)])
    made.decoy("case_variants", "grades", "level")


def _expiry(made: Build) -> None:
    database = made.database
    half = [NOW - timedelta(days=n - 60) for n in range(120)]
    made.fill("sessions", [{"token": f"t{n}", "expiresAt": at} for n, at in enumerate(half)])
    made.plant("missing_ttl", "sessions", "expiresAt", dates=120)
    made.fill("invitations", [{"mail": f"m{n}", "expires": NOW - timedelta(days=n + 1)} for n in range(120)])
    made.plant("missing_ttl", "invitations", "expires", past=120)
    made.fill("contracts", [{"party": f"p{n}", "expiresAt": at} for n, at in enumerate(half)])
    made.decoy("missing_ttl", "contracts", "expiresAt")
    made.fill("cards", [{"holder": f"p{n}", "expiresOn": NOW - timedelta(days=n)} for n in range(100)])
    made.decoy("missing_ttl", "cards", "expiresOn")
    made.fill("tokens", [{"token": f"t{n}", "expiresAt": NOW + timedelta(days=2)} for n in range(100)])
    database.tokens.create_index([("expiresAt", 1)], expireAfterSeconds=0)
    made.decoy("missing_ttl", "tokens", "expiresAt")
    database.create_collection("last_logins", capped=True, size=1 << 20)
    made.fill("last_logins", [{"user": n, "expiresAt": NOW - timedelta(days=2)} for n in range(100)])
    made.decoy("missing_ttl", "last_logins", "expiresAt")
    seconds = int(NOW.timestamp())
    database.otps.create_index([("expiresAt", 1)], expireAfterSeconds=0)
    made.fill(
        "otps",
        [{"code": n, "expiresAt": NOW + timedelta(days=1) if n % 3 else Int64(seconds)} for n in range(120)],
    )
    made.plant("ttl_on_non_dates", "otps", "expiresAt", never_removed=40)
    made.plant("mixed_types", "otps", "expiresAt", not_of_the_main_type=40)
    database.locks.create_index([("until", 1)], expireAfterSeconds=0)
    future = NOW + timedelta(days=3)
    made.fill(
        "locks",
        [
            {"name": f"l{n}", "until": (future, None, [future])[n % 3]} if n % 4 else {"name": f"l{n}"}
            for n in range(120)
        ],
    )
    made.decoy("ttl_on_non_dates", "locks", "until")
    made.plant("mixed_types", "locks", "until")  # dates and arrays of them


def _shard_keys(made: Build) -> None:
    chance = made.random
    countries = ("de", "fr", "it", "es", "pl")
    made.fill(
        "customers_s", [{"country": countries[n % 5], "number": chance.randrange(10**9)} for n in made.rows()]
    )
    made.shard_keys["customers_s"] = (("country", 1),)
    made.plant("low_cardinality_shard_key", "customers_s", "country", different_keys=5)
    made.fill("jobs_s", [{"tenant": "big" if n % 2 else f"t{n}", "x": n} for n in made.rows()])
    made.shard_keys["jobs_s"] = (("tenant", "hashed"),)
    made.plant("low_cardinality_shard_key", "jobs_s", "tenant")
    made.fill("logs_s", [{"at": NOW + timedelta(seconds=n), "x": n} for n in made.rows()])
    made.shard_keys["logs_s"] = (("at", 1),)
    made.plant("monotonic_shard_key", "logs_s", "at")
    made.fill(
        "clients_s", [{"country": countries[n % 5], "number": chance.randrange(10**9)} for n in made.rows()]
    )
    made.shard_keys["clients_s"] = (("country", 1), ("number", 1))
    made.decoy("low_cardinality_shard_key", "clients_s", "country")
    made.fill("metrics_s", [{"at": NOW + timedelta(seconds=n), "x": n} for n in made.rows()])
    made.shard_keys["metrics_s"] = (("at", "hashed"),)
    made.decoy("monotonic_shard_key", "metrics_s", "at")


def _references(made: Build) -> None:
    suppliers = [ObjectId() for _ in range(200)]
    made.fill("suppliers", [{"_id": each, "name": f"s{n}"} for n, each in enumerate(suppliers)])
    lost = made.documents // 20
    made.fill(
        "deliveries",
        [
            {
                "supplierId": ObjectId() if n < lost else suppliers[n % 200],
                "externalUserId": n,
                "weightClass": n % 4,
            }
            for n in made.rows()
        ],
    )
    made.plant("reference_without_target", "deliveries", "supplierId", without_target=lost, occurrences=lost)
    made.decoy("reference_without_target", "deliveries", "externalUserId")
    made.fill("visits_log", [{"supplierId": suppliers[n % 200] if n % 3 else None} for n in range(300)])
    made.decoy("reference_without_target", "visits_log", "supplierId")
    made.fill("imports", [{"supplier_id": ObjectId()} for n in range(300)])
    made.decoy("reference_without_target", "imports", "supplier_id")

    made.fill("reviews", [{"product": n % 50, "stars": n % 5} for n in range(1100)])
    made.fill("stock", [{"product": n, "here": n % 9} for n in range(1100)])
    made.database.stock.create_index([("product", 1)])
    lookup = {"from": "reviews", "localField": "product", "foreignField": "product", "as": "reviews"}
    made.operations += [
        Operation("stock", "aggregate", pipeline=({"$lookup": lookup},), per_hour=5000, origin="planted"),
        Operation("stock", "find", {"product": "int"}, per_hour=200, origin="planted"),
        Operation(
            "reviews",
            "aggregate",
            pipeline=({"$lookup": {**lookup, "from": "stock"}},),
            per_hour=1,
            origin="planted",
        ),
        Operation("reviews", "find", {"stars": "int"}, per_hour=900, origin="planted"),
    ]
    made.plant("unindexed_lookup", "reviews", "product")
    made.plant("frequent_lookup", "stock")
    made.decoy("unindexed_lookup", "stock", "product")
    made.decoy("frequent_lookup", "reviews")
