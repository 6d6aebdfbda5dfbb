"""Index advice by equality, sort and range: what is advised is tried, and nothing else is advised."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from workbench.areas.nosql.indexes import advise_indexes, prove_index_advice
from workbench.catalog.collections import Operation
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.advice import MOST_A_COLLECTION
from workbench.documents.shape import infer
from workbench.documents.source import DocumentSource, scratch_source
from workbench.engines.mongo import Document, MongoServer, mongo_engine
from workbench.proof.findings import Finding

DOCUMENTS = 3_000
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
Advise = Callable[..., list[Finding]]


@pytest.fixture(scope="module")
def orders() -> Iterator[tuple[Database[Document], MongoServer]]:
    """3,000 orders of 200 customers; tests take the indexes away that they make."""
    chance = random.Random(1)
    with mongo_engine() as server, server.scratch_database(label="indexes") as database:
        database.orders.insert_many(
            [
                {
                    "no": n,
                    "customer": chance.randrange(200),
                    "status": chance.choice(["new", "paid", "sent", "done"]),
                    "active": True,
                    "at": START + datetime.timedelta(minutes=chance.randrange(500_000)),
                    "total": chance.randrange(10_000),
                    "name": f"Name {chance.randrange(3_000)}",
                    "tags": chance.sample("abcdefgh", 2),
                    "items": [
                        {"sku": f"s{chance.randrange(900)}", "qty": chance.randrange(5)} for _ in "123"
                    ],
                    "a.b": 1,
                }
                for n in range(DOCUMENTS)
            ]
        )
        database.small.insert_many([{"no": n} for n in range(900)])
        database.command("create", "all", viewOn="orders", pipeline=[])
        yield database, server


@pytest.fixture(scope="module")
def shapes(orders: tuple[Database[Document], MongoServer]) -> dict[str, Shape]:
    source = scratch_source(orders[0], title="orders")
    return {name: infer(name, source.batches(name)) for name in ("orders", "small", "all")}


@pytest.fixture
def advise(orders: tuple[Database[Document], MongoServer], shapes: dict[str, Shape]) -> Iterator[Advise]:
    """The advice for operations on the orders as they are, tried on the engine unless told otherwise."""
    database, server = orders

    def advised(*operations: Operation, tried: bool = True) -> list[Finding]:
        source = scratch_source(database, title="orders")
        findings = advise_indexes(source, shapes, operations)
        if not tried:
            return findings
        return prove_index_advice(findings, source, server, shapes=shapes, operations=operations)

    yield advised
    database.orders.drop_indexes()


def find(query: dict[str, Any], collection: str = "orders", **options: Any) -> Operation:
    return Operation(collection, "find", query, **options)


def keys(findings: list[Finding]) -> list[str]:
    """The keys that are advised, without the database's name."""
    return [finding.object.partition("orders ")[2].strip("()") for finding in findings]


NEWEST = {"sort": (("at", -1),), "limit": 20}


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        (find({"customer": "<int>"}), "customer"),
        (find({"no": "<int>", "status": "<string>", "customer": "<int>"}), "no"),
        (find({"customer": "<int>"}, **NEWEST), "customer, at desc"),
        (find({"status": "<string>"}, **NEWEST), "status, at desc"),
        (find({}, **NEWEST), "at desc"),
        (find({"total": {"$gt": "<int>"}, "customer": "<int>"}, **NEWEST), "customer, at desc, total"),
        (find({"at": {"$gte": "<date>"}, "status": "<string>"}, **NEWEST), "status, at desc"),
        (find({"total": {"$gte": "<int>", "$lt": "<int>"}}), "total"),
        (find({"no": {"$in": ["<int>", "… up to 10"]}}), "no"),
        (find({"customer": {"$in": ["<int>", "… up to 10"]}}, **NEWEST), "customer, at desc"),
        (
            find({"customer": {"$in": ["<int>", "… over 200"]}, "status": "<string>"}, **NEWEST),
            "status, at desc",
        ),
        (find({"name": {"$regex": "^<text>", "$options": ""}}), "name"),
        (
            find({"items": {"$elemMatch": {"sku": "<string>", "qty": {"$gt": "<int>"}}}}),
            "items.sku, items.qty",
        ),
        (find({"items.sku": "<string>", "tags": "<string>"}), "items.sku"),
        (find({"customer": "<int>", "active": "<bool>"}), "customer"),
        (find({"customer": 7, "status": "paid"}, **NEWEST), "customer, status, at desc"),
        (Operation("orders", "update", {"customer": "<int>"}), "customer"),
        (Operation("orders", "aggregate", {"customer": "<int>"}, sort=(("at", 1),), limit=5), "customer, at"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_index_by_equality_sort_and_range(advise, operation, key):
    """The key has equalities, the sort, one range; with it, hardly more is read than is returned."""
    findings = advise(operation)

    assert keys(findings) == [key]
    (finding,) = findings
    assert finding.verified and finding.check == "missing_index"
    facts = finding.evidence[-1].facts
    assert facts["documents_examined_before"] >= 10 * facts["documents_examined_after"]
    assert facts["sorted_in_memory_after"] == 0 and facts["index_bytes"] > 0
    assert facts["documents"] == DOCUMENTS and facts["whole_collection"]


@pytest.mark.parametrize(
    "operation",
    [
        find({"_id": "<objectId>"}),
        find({"_id": {"$in": ["<objectId>", "… up to 10"]}, "customer": "<int>"}),
        find({}),
        find({}, sort=(("at", 1),)),
        find({"status": "<string>"}),
        find({"active": "<bool>"}),
        find({"status": {"$ne": "<string>"}}),
        find({"customer": {"$nin": ["<int>"]}, "gone": {"$exists": False}}),
        find({"total": {"$gte": "<int>"}}),
        find({"name": {"$regex": "^<text>", "$options": "i"}}),
        find({"name": {"$regex": "<text>", "$options": ""}}),
        find({"$or": [{"no": "<int>"}, {"status": {"$ne": "<string>"}}]}),
        find({"nothing": "<int>"}),
        find({"a.b": "<int>", "status": "<string>"}),
        find({"$text": {"$search": "<string>"}}),
        find({"no": "<int>"}, "small"),
        find({"no": "<int>"}, "all"),
        find({"no": "<int>"}, "unknown"),
        Operation("orders", "insert"),
        find({"customer": "<int>"}, documents_examined=35, keys_examined=35, returned=30, count=9),
        find({"status": "<string>"}, documents_examined=3_000, keys_examined=0, returned=750, count=9),
    ],
    ids=lambda operation: f"{operation.collection} {operation.filter}",
)
def test_no_index_where_none_would_help(advise, operation):
    """By _id, of everything, of what a large share meets, negations, small collections, views: no advice."""
    assert advise(operation, tried=False) == []


@pytest.mark.parametrize(
    ("index", "options", "operation"),
    [
        ([("customer", 1)], {}, find({"customer": "<int>"})),
        ([("customer", 1), ("at", 1)], {}, find({"customer": "<int>"}, **NEWEST)),
        ([("customer", 1), ("at", -1), ("total", 1)], {}, find({"customer": "<int>"}, **NEWEST)),
        ([("no", 1)], {"unique": True}, find({"no": "<int>", "customer": "<int>"}, **NEWEST)),
        ([("customer", 1)], {"sparse": True}, find({"customer": "<int>"})),
        (
            [("customer", 1)],
            {"partialFilterExpression": {"status": "new"}},
            find({"customer": 1, "status": "new"}),
        ),
        ([("no", "hashed")], {}, find({"no": "<int>"})),
        ([("$**", 1)], {}, find({"no": "<int>"})),
        (
            [("name", 1)],
            {"collation": {"locale": "en", "strength": 2}},
            find({"name": "<string>"}, collation={"locale": "en", "strength": 2}),
        ),
    ],
    ids=str,
)
def test_an_index_that_serves_is_enough(orders, advise, index, options, operation):
    """A prefix, the same order backwards, a unique key, an implied partial filter: nothing is missing."""
    database, _ = orders
    assert advise(operation, tried=False) != []
    database.orders.create_index(index, **options)

    assert advise(operation, tried=False) == []


@pytest.mark.parametrize(
    ("index", "options", "operation", "key"),
    [
        ([("at", -1), ("customer", 1)], {}, find({"customer": "<int>"}), "customer"),
        (
            [("customer", 1)],
            {"partialFilterExpression": {"status": "new"}},
            find({"customer": "<int>"}),
            "customer",
        ),
        (
            [("customer", 1)],
            {"partialFilterExpression": {"status": "new"}},
            find({"customer": 3, "status": "paid"}),
            "customer, status",
        ),
        (
            [("status", 1), ("total", 1), ("at", 1)],
            {},
            find({"status": "<string>"}, **NEWEST),
            "status, at desc",
        ),
        ([("status", 1), ("at", "hashed")], {}, find({"status": "<string>"}, **NEWEST), "status, at desc"),
        (
            [("name", 1)],
            {},
            find({"name": "<string>"}, collation={"locale": "en", "strength": 2}),
            "name",
        ),
    ],
    ids=str,
)
def test_an_index_that_does_not_serve_is_not_enough(orders, advise, index, options, operation, key):
    """Hidden, of other documents, in another order or collation, an index leaves the advice in place."""
    database, _ = orders
    database.orders.create_index(index, **options)

    findings = advise(operation)

    assert keys(findings) == [key] and findings[0].verified


def test_one_index_serves_several_operations(advise):
    """A key that begins with another makes that one superfluous; shared fields come first."""
    operations = [
        find({"customer": "<int>"}, per_hour=100),
        find({"customer": "<int>", "status": "<string>"}, **NEWEST),
    ]

    findings = advise(*operations)

    assert keys(findings) == ["customer, status, at desc"]
    assert "for 2 operations" in findings[0].title
    assert len(findings[0].evidence[0].facts["operations"]) == 2


def test_each_alternative_needs_its_index(advise):
    """An $or is served when each of its branches is; with one index alone everything would be read."""
    findings = advise(find({"$or": [{"no": "<int>"}, {"items.sku": "<string>"}]}))

    assert sorted(keys(findings)) == ["items.sku", "no"]
    assert all(finding.verified and "Each alternative of an $or" in finding.why for finding in findings)


def test_parallel_arrays_are_kept_apart(advise):
    """Of two arrays one is in the key, and the advice says why the other is not."""
    (finding,) = advise(find({"items.sku": "<string>", "tags": "<string>"}))

    assert finding.verified and "tags is no part of it" in finding.why and "error 171" in finding.why


def test_the_fix_runs_and_closes_the_finding(orders, advise):
    """The command of the fix makes the index, the operation is served, and the superfluous one is hidden."""
    database, _ = orders
    database.orders.create_index("status")
    operation = find({"status": "<string>"}, **NEWEST, documents_examined=750, keys_examined=750, returned=20)

    (finding,) = advise(operation)

    assert finding.fix.splitlines() == [
        'db.getCollection("orders").createIndex({"status": 1, "at": -1})',
        'db.getCollection("orders").hideIndex("status_1")  // drop it when nothing has become slower',
    ]
    database.orders.create_index([("status", 1), ("at", -1)])
    assert advise(operation) == []


def test_the_fix_runs_beside_an_index_of_the_same_fields(orders, advise):
    """Where the usual name is taken by an index of fewer documents, the new one has a name of its own."""
    database, _ = orders
    database.orders.create_index("customer", partialFilterExpression={"status": "new"})

    (finding,) = advise(find({"customer": "<int>"}))

    assert finding.verified
    assert finding.fix == 'db.getCollection("orders").createIndex({"customer": 1}, {name: "customer_1_2"})'


def test_a_hidden_index_is_shown_again(orders, advise):
    """The same index, hidden, need not be made once more."""
    database, _ = orders
    database.orders.create_index("customer", hidden=True)

    (finding,) = advise(find({"customer": "<int>"}))

    assert finding.verified and finding.fix == 'db.getCollection("orders").unhideIndex("customer_1")'


def test_the_fix_names_the_collation(advise):
    """An index for an operation of another collation than the collection's is made with that."""
    (finding,) = advise(find({"name": "<string>"}, collation={"locale": "en", "strength": 2}))

    assert finding.verified
    assert finding.fix.endswith('createIndex({"name": 1}, {collation: {"locale": "en", "strength": 2}})')


def test_what_was_observed_counts_more_than_an_estimate(advise):
    """A rare value of a field that has few: the profiler saw that little is returned, so it is advised."""
    rare = find({"status": "<string>"}, documents_examined=3_000, keys_examined=0, returned=3, count=50)

    (finding,) = advise(rare, tried=False)

    assert keys([finding]) == ["status"] and finding.evidence[0].facts["observed"]
    assert "3,000 documents of it each time as the profiler saw" in finding.why


def test_advice_that_does_not_hold_is_dropped(advise):
    """What was observed elsewhere and is not so in the documents is not advised after the trial."""
    frequent = find({"status": "<string>"}, documents_examined=3_000, keys_examined=0, returned=3, count=50)

    assert advise(frequent) == []


def test_the_costliest_come_first_and_only_a_few(advise):
    """At most three indexes a collection, by frequency times documents saved."""
    paths = ["no", "customer", "total", "name", "at"]
    operations = [find({path: "<value>"}, per_hour=10.0**n) for n, path in enumerate(paths)]

    findings = advise(*operations, tried=False)

    assert keys(findings) == ["at", "name", "total"] and len(findings) == MOST_A_COLLECTION
    assert len({finding.id for finding in findings}) == len(findings)


def test_nothing_is_advised_of_nothing(advise):
    """No operations, no advice."""
    assert advise() == []


def test_advice_that_cannot_be_tried_says_so(orders, shapes):
    """Without documents at hand the finding stays, unverified, with the reason."""
    database, server = orders
    source = scratch_source(database, title="orders")
    gone = DocumentSource("dump", "dump", "files", source.catalog, None)
    operation = find({"customer": "<int>"})

    (finding,) = prove_index_advice(
        advise_indexes(gone, shapes, [operation]), gone, server, shapes=shapes, operations=[operation]
    )

    assert not finding.verified and "its documents are not at hand" in finding.unverified_because


def test_a_sample_is_tried_where_there_are_too_many(orders, shapes, monkeypatch):
    """Above the limit a random part is copied, and the evidence says so."""
    database, server = orders
    monkeypatch.setattr("workbench.documents.indexing.copies.MOST_DOCUMENTS", 2_000)
    source = scratch_source(database, title="orders")
    operations = [find({"no": "<int>"})]

    (finding,) = prove_index_advice(
        advise_indexes(source, shapes, operations), source, server, shapes=shapes, operations=operations
    )

    assert finding.verified and finding.evidence[-1].facts["documents"] == 2_000
    assert (
        not finding.evidence[-1].facts["whole_collection"]
        and "a sample of 2,000" in finding.evidence[-1].summary
    )
