"""Validators, unique indexes, indexes, expiry and time series: what the proofs on collections say of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Decimal128, Int64
from pymongo import IndexModel
from pymongo.database import Database

from workbench.catalog.collections import CollectionIndex, Operation
from workbench.engines.mongo import Client, MongoServer
from workbench.errors import BadInput
from workbench.proof.documents.bad_documents import (
    ValidatorAttempt,
    attempt_validators,
    good_documents,
    validator_summary,
)
from workbench.proof.documents.expiry import prove_expiry, prove_series_expiry
from workbench.proof.documents.index_use import prove_index_use
from workbench.proof.documents.privileges import attempt_anonymously, attempt_privileges
from workbench.proof.documents.time_series import compare_time_series, time_series_limits
from workbench.proof.documents.unique_indexes import attempt_unique_indexes

Collections = Database[dict[str, Any]]

ORDER_SCHEMA: dict[str, Any] = {
    "bsonType": "object",
    "required": ["number", "lines"],
    "additionalProperties": False,
    "properties": {
        "_id": {},
        "number": {"bsonType": ["int", "long"], "minimum": 1, "maximum": 99, "multipleOf": 2},
        "share": {"bsonType": "double", "minimum": 0.0, "exclusiveMinimum": True},
        "status": {"enum": ["new", "sent"]},
        "code": {"bsonType": "string", "pattern": "^[A-Z]{2}[0-9]+$", "minLength": 4, "maxLength": 6},
        "lines": {
            "bsonType": "array",
            "minItems": 1,
            "maxItems": 3,
            "uniqueItems": True,
            "items": {
                "bsonType": "object",
                "required": ["pieces"],
                "additionalProperties": False,
                "properties": {"pieces": {"bsonType": "int", "minimum": 1}, "note": {"bsonType": "string"}},
            },
        },
        "payment": {
            "oneOf": [
                {"bsonType": "object", "required": ["card"], "properties": {"card": {"bsonType": "string"}}},
                {"bsonType": "string", "minLength": 3},
            ]
        },
        "contact": {"anyOf": [{"bsonType": "string"}, {"bsonType": "int"}]},
        "extra": {
            "bsonType": "object",
            "minProperties": 1,
            "maxProperties": 3,
            "patternProperties": {"^n_": {"bsonType": "int"}},
            "additionalProperties": {"bsonType": "string"},
        },
        "coupon": {"not": {"bsonType": "int"}},
        "pair": {
            "bsonType": "array",
            "items": [{"bsonType": "int"}, {"bsonType": "string"}],
            "additionalItems": False,
        },
        "both": {"allOf": [{"bsonType": "int"}, {"minimum": 3}]},
    },
    "dependencies": {"coupon": ["code"], "contact": {"required": ["status"]}},
}
ORDER = {
    "number": 4,
    "share": 0.5,
    "status": "new",
    "code": "AB12",
    "lines": [{"pieces": 1, "note": "x"}, {"pieces": 2}],
    "payment": {"card": "visa"},
    "contact": "me",
    "extra": {"n_1": 1, "other": "x"},
    "coupon": "SUMMER",
    "pair": [1, "x"],
    "both": 3,
}
TOTALS: dict[str, Any] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["items", "total"],
        "properties": {
            "items": {
                "bsonType": "array",
                "maxItems": 5,
                "items": {"properties": {"pieces": {"bsonType": "int", "minimum": 1, "maximum": 9}}},
            },
            "total": {"bsonType": "decimal"},
        },
    },
    "$expr": {
        "$and": [
            {
                "$allElementsTrue": [
                    {
                        "$map": {
                            "input": "$items",
                            "as": "each",
                            "in": {"$eq": ["$$each.sum", {"$multiply": ["$$each.pieces", "$$each.price"]}]},
                        }
                    }
                ]
            },
            {"$eq": ["$total", {"$sum": "$items.sum"}]},
            {"$lt": ["$begins", "$ends"]},
        ]
    },
}
CART = {
    "items": [
        {"pieces": 2, "price": Decimal128("1.10"), "sum": Decimal128("2.20")},
        {"pieces": 1, "price": Decimal128("5"), "sum": Decimal128("5")},
    ],
    "total": Decimal128("7.20"),
    "begins": datetime(2024, 1, 1, tzinfo=UTC),
    "ends": datetime(2024, 1, 2, tzinfo=UTC),
}


def _rules(attempts: list[ValidatorAttempt], outcome: str) -> set[tuple[str, str]]:
    return {(each.path, each.rule.split()[0]) for each in attempts if each.outcome == outcome}


def test_each_rule_of_a_schema_is_broken_alone_and_named(mongo: Collections) -> None:
    """Every keyword refuses a document that breaks it alone, and the server names it at its path."""
    attempts = attempt_validators(mongo, "orders", {"$jsonSchema": ORDER_SCHEMA}, [ORDER])

    untried = [each for each in attempts if each.outcome != "refused"]
    assert [(each.path, each.rule) for each in untried] == [("", "bsonType 'object'")]
    assert all(each.code == 121 for each in attempts if each.outcome == "refused")
    assert {
        ("", "required"),
        ("", "additionalProperties"),
        ("number", "bsonType"),
        ("number", "minimum"),
        ("number", "maximum"),
        ("number", "multipleOf"),
        ("share", "minimum"),
        ("share", "exclusiveMinimum"),
        ("status", "enum"),
        ("code", "pattern"),
        ("code", "minLength"),
        ("code", "maxLength"),
        ("lines", "minItems"),
        ("lines", "maxItems"),
        ("lines", "uniqueItems"),
        ("lines[].pieces", "minimum"),
        ("lines[]", "additionalProperties"),
        ("payment", "oneOf"),
        ("payment.card", "bsonType"),
        ("payment", "minLength"),
        ("contact", "anyOf"),
        ("extra", "minProperties"),
        ("extra", "maxProperties"),
        ("extra.*", "bsonType"),
        ("coupon", "not"),
        ("pair[]", "bsonType"),
        ("pair", "additionalItems"),
        ("both", "minimum"),
        ("", "dependencies"),
    } <= {(each.path, each.rule.split()[0]) for each in attempts if each.alone}
    assert mongo.list_collection_names() == []


def test_expressions_are_broken_one_by_one(mongo: Collections) -> None:
    """Each part of an $expr, and a rule that sums depend on, is broken with the other sums put right."""
    attempts = attempt_validators(mongo, "carts", TOTALS, [CART])

    expressions = [each for each in attempts if each.rule.startswith("$expr")]
    assert len(expressions) == 3
    assert all(each.outcome == "refused" and each.alone for each in expressions)
    (least,) = [each for each in attempts if (each.path, each.rule) == ("items[].pieces", "minimum 1")]
    assert least.alone
    assert "items.0.pieces: 2 → 0" in least.statement and "total" in least.statement


def test_a_validator_without_the_rule_accepts(mongo: Collections) -> None:
    """A collection whose validator lacks a rule of the design accepts the document that breaks it."""
    weaker = {**ORDER_SCHEMA, "properties": {**ORDER_SCHEMA["properties"], "code": {"bsonType": "string"}}}
    mongo.create_collection("orders", validator={"$jsonSchema": weaker})

    attempts = attempt_validators(mongo, "orders", {"$jsonSchema": ORDER_SCHEMA}, [ORDER])

    assert _rules(attempts, "accepted") == {("code", "pattern"), ("code", "minLength"), ("code", "maxLength")}
    assert {each.reason for each in attempts if each.outcome == "accepted"} == {
        "the collection's validator has no such rule"
    }


def test_a_warning_is_no_refusal(mongo: Collections) -> None:
    """With validationAction warn every bad document is accepted, and the reason says why."""
    schema = {"$jsonSchema": {"properties": {"a": {"bsonType": "int"}}}}
    mongo.create_collection("loose", validator=schema, validationAction="warn")

    (attempt,) = attempt_validators(mongo, "loose", schema, [{"a": 1}])

    assert attempt.outcome == "accepted" and "warn" in attempt.reason


def test_a_moderate_level_lets_old_documents_be(mongo: Collections) -> None:
    """With validationLevel moderate an insert is refused, an update of a bad document is not."""
    schema = {"$jsonSchema": {"properties": {"a": {"bsonType": "int"}}}}
    mongo.create_collection("old", validator=schema, validationLevel="moderate")

    insert, update = attempt_validators(mongo, "old", schema, [{"a": 1}])

    assert (insert.outcome, update.outcome, update.rule) == ("refused", "accepted", "validationLevel")


def test_an_empty_collection_gets_a_document_made_from_its_schema(mongo: Collections) -> None:
    """Without any document, one is made that the validator accepts, sums included, and broken from there."""
    attempts = attempt_validators(mongo, "carts", TOTALS, [])

    assert [each.rule for each in attempts if each.outcome != "refused"] == ["bsonType 'object'"]


def test_a_rule_that_another_implies_says_so(mongo: Collections) -> None:
    """A type beside an enum of that type is never broken alone; the attempt names what is broken with it."""
    schema = {"$jsonSchema": {"properties": {"status": {"bsonType": "string", "enum": ["a", "b"]}}}}

    kind, members = attempt_validators(mongo, "states", schema, [{"status": "a"}])

    assert (kind.outcome, kind.alone, kind.reason) == (
        "refused",
        False,
        "broken along with it: status enum",
    )
    assert members.alone


def test_queries_are_validators_too(mongo: Collections) -> None:
    """A validator in the form of a query is broken condition by condition."""
    validator = {
        "pieces": {"$gte": 1, "$lt": 10},
        "kind": {"$in": ["a", "b"]},
        "$nor": [{"kind": "b", "pieces": 3}],
        "$or": [{"a": {"$exists": True}}, {"b": 1}],
    }

    attempts = attempt_validators(mongo, "queried", validator, [{"pieces": 3, "kind": "a", "b": 1}])

    assert [(each.rule.split()[0], each.outcome) for each in attempts] == [
        ("$gte", "refused"),
        ("$lt", "refused"),
        ("$in", "refused"),
        ("$nor", "refused"),
        ("$or", "refused"),
    ]
    assert all(each.alone for each in attempts)


def test_a_rule_that_the_server_never_applies_is_found(mongo: Collections) -> None:
    """A property whose name has a dot is a path to the server: a field of that name escapes the rule."""
    schema = {"$jsonSchema": {"properties": {"a.b": {"bsonType": "int"}}}}

    (attempt,) = attempt_validators(mongo, "dotted", schema, [{"a.b": 1}])

    assert (attempt.path, attempt.outcome) == ('["a.b"]', "accepted")


def test_documents_that_are_there_may_be_bad(mongo: Collections) -> None:
    """Good documents are told from bad ones that came before the validator, and bad ones are no base."""
    mongo.create_collection("orders", validator={"$jsonSchema": ORDER_SCHEMA})

    found = good_documents(mongo, "orders", [ORDER, {**ORDER, "number": 5}])

    assert (found.tried, found.refused, found.reason) == (2, 1, "number multipleOf")


@pytest.mark.parametrize(
    "name", ["it's", "Größe 😀", "<b>&amp;</b>", 'say "no"', "with space", "$dollar", "UPPER"]
)
def test_odd_names(mongo: Collections, name: str) -> None:
    """Odd names of fields and collections stand in the way of nothing."""
    schema = {"$jsonSchema": {"required": [name, "n"], "properties": {"n": {"bsonType": "int"}}}}
    odd = name.replace("$", "dollar").replace(".", "_")

    attempts = attempt_validators(mongo, odd, schema, [{name: 1, "n": 1}])

    refused = {each.rule for each in attempts if each.outcome == "refused"}
    assert refused == {"bsonType 'int'", "required n", f"required {name}"}


def test_the_time_limit_leaves_rules_untried(mongo: Collections) -> None:
    """What was not reached within the limit is named as not tried, with the reason."""
    attempts = attempt_validators(mongo, "orders", {"$jsonSchema": ORDER_SCHEMA}, [ORDER], limit_s=-1.0)

    assert {each.outcome for each in attempts} == {"not tried"}
    assert "time limit" in attempts[1].reason


def test_no_rules_no_attempts(mongo: Collections) -> None:
    """An empty validator gives no attempts."""
    assert attempt_validators(mongo, "free", {}, [{"a": 1}]) == []
    assert validator_summary([]) == []


# Unique indexes


PARTIAL = CollectionIndex(
    "one_open", (("owner", 1),), unique=True, partial_filter={"status": "open", "n": {"$gt": 1}}
)


def test_a_unique_index_refuses_the_same_key(mongo: Collections) -> None:
    """The same key twice is refused by its index; another key, and what the filter leaves out, are not."""
    mongo.carts.create_index(
        "owner", name="one_open", unique=True, partialFilterExpression=PARTIAL.partial_filter
    )

    (attempt,) = attempt_unique_indexes(
        mongo, "carts", [PARTIAL], [{"_id": 1, "owner": {"user": 1}, "status": "open", "n": Int64(2)}]
    )

    assert (attempt.outcome, attempt.code) == ("refused", 11000)
    assert attempt.near_miss == ("another owner", "the same key twice outside the index's filter")


def test_an_index_that_is_not_unique_accepts(mongo: Collections) -> None:
    """Where the collection has the index without unique, the same key is accepted twice; so without it."""
    mongo.carts.create_index("owner", name="one_open")
    mongo.create_collection("bare")
    good = [{"owner": 1, "status": "open", "n": 2}]

    (plain,) = attempt_unique_indexes(mongo, "carts", [PARTIAL], good)
    (none,) = attempt_unique_indexes(mongo, "bare", [PARTIAL], good)

    assert (plain.outcome, none.outcome) == ("accepted", "accepted")
    assert none.reason == "the collection has no such index"


def test_a_unique_index_of_an_empty_collection_is_tried(mongo: Collections) -> None:
    """Without documents the key is made from the index and its filter; what cannot be made is not tried."""
    simple = CollectionIndex("sku", (("sku", 1), ("place", 1)), unique=True)
    odd = CollectionIndex("odd", (("a", 1),), unique=True, partial_filter={"b": {"$type": "date"}})

    first, second = attempt_unique_indexes(mongo, "none", [simple, odd], [])

    assert (first.outcome, first.near_miss) == ("refused", ("another sku",))
    assert second.outcome == "not tried" and "no document" in second.reason


# Indexes


@pytest.fixture
def orders(mongo: Collections) -> Collections:
    """2,000 orders of 100 customers, and a few indexes, of which one cannot be used for what it is for."""
    mongo.orders.insert_many(
        [
            {"customer": n % 100, "at": n, "status": "open" if n % 20 else "closed", "n": str(n)}
            for n in range(2000)
        ]
    )
    mongo.orders.create_indexes(
        [
            IndexModel([("customer", 1), ("at", -1)], name="customer_at"),
            IndexModel([("at", 1)], name="closed_at", partialFilterExpression={"status": "closed"}),
            IndexModel([("n", 1)], name="n"),
        ]
    )
    return mongo


def test_an_index_is_used_by_its_query(orders: Collections) -> None:
    """The query reads as many keys as it returns, unsorted; once the index is hidden, all that there is."""
    query = Operation("orders", "find", {"customer": 7}, sort=(("at", -1),), limit=5)

    proof = prove_index_use(orders.orders, query, "customer_at")

    assert proof.used and proof.gains
    assert (proof.by.keys_examined, proof.by.documents_examined, proof.by.returned) == (5, 5, 5)
    assert not proof.by.in_memory_sort
    assert proof.without is not None
    assert (proof.without.documents_examined, proof.without.in_memory_sort) == (2000, True)
    assert not any(each.get("hidden") for each in orders.orders.list_indexes())


def test_pipelines_updates_and_counts_are_explained(orders: Collections) -> None:
    """An index serves a pipeline, an update, a delete, a count and distinct values alike; nothing changes."""
    by_customer = {"customer": 7}
    pipeline = (
        {"$match": by_customer},
        {"$group": {"_id": "$status", "n": {"$sum": 1}}},
        {"$sort": {"n": 1}},
    )
    operations = [
        Operation("orders", "aggregate", pipeline=pipeline),
        Operation("orders", "update", by_customer),
        Operation("orders", "delete", by_customer),
        Operation("orders", "count", by_customer),
        Operation("orders", "distinct", by_customer, projection={"customer": 1}),
    ]

    proofs = [prove_index_use(orders.orders, each, "customer_at") for each in operations]

    assert all(each.used and each.gains for each in proofs)
    assert orders.orders.count_documents({"customer": 7, "_workbench": {"$exists": False}}) == 20


def test_an_index_that_the_query_cannot_use_is_refuted(orders: Collections) -> None:
    """A partial index does not serve a query that asks beyond its filter."""
    beyond = prove_index_use(orders.orders, Operation("orders", "find", {"at": 3}), "closed_at")
    within = prove_index_use(
        orders.orders, Operation("orders", "find", {"at": 20, "status": "closed"}), "closed_at"
    )

    assert (beyond.used, beyond.gains) == (False, False)
    assert (within.used, within.gains) == (True, True)


def test_what_cannot_be_compared_says_why(orders: Collections) -> None:
    """The index of _id cannot be hidden; an index that is not there is one clear line."""
    proof = prove_index_use(orders.orders, Operation("orders", "find", {"_id": 1}), "_id_")

    assert proof.used and proof.without is None and "cannot be hidden" in proof.without_reason
    with pytest.raises(BadInput, match="has no index 'nope'"):
        prove_index_use(orders.orders, Operation("orders", "find", {}), "nope")


def test_a_search_near_a_place_is_impossible_without_its_index(mongo: Collections) -> None:
    """Where a query needs its index, hiding it makes the server refuse, which the proof says."""
    mongo.places.insert_many([{"at": [x / 10, 1.0]} for x in range(50)])
    mongo.places.create_index([("at", "2dsphere")], name="at")
    near = {"$geoNear": {"near": {"type": "Point", "coordinates": [1, 1]}, "key": "at", "distanceField": "d"}}

    proof = prove_index_use(mongo.places, Operation("places", "aggregate", pipeline=(near,)), "at")

    assert proof.used and proof.gains and proof.without_reason.startswith("impossible without it")


# Expiry


def test_what_is_past_its_date_goes_and_nothing_else(mongo: Collections) -> None:
    """Under a TTL index the documents past their date go; later, absent and textual dates stay."""
    proof = prove_expiry(mongo, "sessions", [CollectionIndex("e", (("expiresAt", 1),), expire_after_s=0)])

    assert proof.outcome == "proved"
    assert len(proof.removed) == 2 and len(proof.kept) == 4
    assert "with a date as text" in proof.kept
    assert mongo.list_collection_names() == []


def test_expiry_without_its_index_is_refuted(mongo: Collections) -> None:
    """Without a TTL index, or with one on another field, what is past its date stays."""
    plain = CollectionIndex("e", (("expiresAt", 1),))
    elsewhere = CollectionIndex("c", (("createdAt", 1),), expire_after_s=0)

    missing = prove_expiry(mongo, "sessions", [plain], path="expiresAt")
    wrong = prove_expiry(mongo, "sessions", [elsewhere], path="expiresAt", good={"expiresAt": None})

    assert missing.outcome == "refuted" and "no index of the collection expires expiresAt" in missing.reason
    assert wrong.outcome == "refuted"


def test_expiry_is_not_proved_before_the_monitor_has_passed(mongo: Collections) -> None:
    """Where the server's monitor does not pass in time, nothing is claimed, and the reason says why."""
    proof = prove_expiry(mongo, "s", [CollectionIndex("e", (("at", 1),), expire_after_s=0)], deadline_s=-1.0)

    assert proof.outcome == "not proved" and "ttlMonitorSleepSecs" in proof.reason


def test_old_events_of_a_time_series_go(mongo: Collections) -> None:
    """Events go once their whole bucket is past its date; without expireAfterSeconds they stay."""
    options = {"timeField": "at", "metaField": "source", "granularity": "hours"}

    expiring = prove_series_expiry(mongo, "events", options, 90 * 86_400)
    lasting = prove_series_expiry(mongo, "events", options, None)

    assert (expiring.outcome, expiring.kept) == ("proved", ("a new event",))
    assert (lasting.outcome, lasting.reason) == ("refuted", "the old events stayed (nothing expires them)")


# Time series


def _events(count: int) -> list[dict[str, Any]]:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        {
            "at": begin + timedelta(seconds=n),
            "source": {"sensor": n % 4},
            "value": float(n % 50),
            "text": "abcdefgh"[: n % 8],
        }
        for n in range(count)
    ]


def test_a_time_series_is_measured_against_a_plain_collection(mongo: Collections) -> None:
    """The same events take fewer bytes in buckets, both answer alike, and many events are in one bucket."""
    by_sensor = (
        {"$match": {"source.sensor": 1}},
        {"$group": {"_id": "$source.sensor", "n": {"$sum": 1}, "sum": {"$sum": "$value"}}},
    )
    in_a_period = {"source.sensor": 2, "at": {"$lt": datetime(2024, 1, 1, 0, 10, tzinfo=UTC)}}

    found = compare_time_series(
        mongo,
        _events(20_000),
        {"timeField": "at", "metaField": "source", "granularity": "minutes"},
        plain_indexes=[IndexModel([("source.sensor", 1), ("at", 1)])],
        queries=[
            ("sums of a sensor", Operation("e", "aggregate", pipeline=by_sensor)),
            ("a period of a sensor", Operation("e", "find", in_a_period, projection={"_id": 0})),
        ],
        runs=3,
    )

    assert found.time_series.documents == found.plain.documents == 20_000
    assert found.time_series.data_bytes < found.plain.data_bytes / 2
    assert found.smaller > 1
    assert found.time_series.events_per_bucket is not None and found.time_series.events_per_bucket > 100
    assert all(each.same_result and each.runs == 3 for each in found.queries)
    assert mongo.list_collection_names(filter={"name": {"$regex": "^workbench"}}) == []


def test_a_meta_field_that_is_almost_unique_leaves_no_buckets_to_speak_of(mongo: Collections) -> None:
    """D41: with a session in the meta field each bucket holds next to nothing, and the bytes say so."""
    events = [{**each, "source": {"session": n // 3}} for n, each in enumerate(_events(3_000))]

    found = compare_time_series(mongo, events, {"timeField": "at", "metaField": "source"}, runs=1)

    assert found.time_series.events_per_bucket == pytest.approx(3)
    assert found.time_series.data_bytes > found.plain.data_bytes


def test_what_a_time_series_cannot_do(mongo: Collections) -> None:
    """What a time series refuses is refused with the server's codes, and the same _id is taken twice."""
    claims = time_series_limits(mongo)

    codes = {each.claim.removeprefix("a time series refuses "): each.facts.get("code") for each in claims}
    assert all(each.outcome == "proved" for each in claims)
    assert (codes["a unique index"], codes["a validator"], codes["a change stream"]) == (72, 72, 166)
    assert codes["a write in a transaction"] == 263
    assert claims[-1].facts == {"documents": 2}


# Roles


@pytest.fixture
def logins(mongo: Collections, mongo_server: MongoServer) -> Iterator[dict[str, Client]]:
    """A client of a role that may read and insert notes, and one that has not logged in."""
    mongo.notes.insert_one({"n": 1})
    mongo.command(
        "createRole",
        "writer",
        privileges=[{"resource": {"db": mongo.name, "collection": "notes"}, "actions": ["find", "insert"]}],
        roles=[],
    )
    mongo.command("createUser", "someone", pwd="x y", roles=["writer"])
    try:
        with (
            mongo_server.client(user="someone", password="x y", authSource=mongo.name) as writer,
            replace(mongo_server, user=None, password=None).client() as nobody,
        ):
            yield {"writer": writer, "nobody": nobody}
    finally:
        mongo.command("dropAllUsersFromDatabase")
        mongo.command("dropAllRolesFromDatabase")


def test_a_role_may_what_it_says_and_no_more(mongo: Collections, logins: dict[str, Client]) -> None:
    """What a role grants is done, all else is refused with 13; nothing is left of the attempts."""
    attempts = attempt_privileges(
        {"writer": logins["writer"]},
        mongo.name,
        {"writer": {"notes": ["find", "insert"]}},
        ["notes", "other"],
        administrator=mongo,
    )

    assert all(each.as_expected for each in attempts)
    assert {(each.collection, each.action) for each in attempts if each.outcome == "allowed"} == {
        ("notes", "find"),
        ("notes", "insert"),
    }
    assert len(attempts) == 11
    assert mongo.notes.count_documents({}) == 1


def test_a_role_with_too_much_is_told(mongo: Collections, logins: dict[str, Client]) -> None:
    """A login that can do more than the design says is not as expected; so one that can do less."""
    attempts = attempt_privileges(
        {"writer": logins["writer"]},
        mongo.name,
        {"writer": {"notes": ["find", "remove"]}},
        ["notes"],
        administrator=mongo,
    )

    assert [(each.action, each.outcome) for each in attempts if not each.as_expected] == [
        ("insert", "allowed"),
        ("remove", "refused"),
    ]


def test_nobody_may_anything(mongo: Collections, logins: dict[str, Client]) -> None:
    """A client that has not logged in is refused everything."""
    attempts = attempt_anonymously(logins["nobody"], mongo.name, ["notes"], administrator=mongo)

    assert {each.outcome for each in attempts} == {"refused"}
