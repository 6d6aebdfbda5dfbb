"""Validators, unique indexes, indexes, expiry and time series: what the proofs on collections say of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64
from pymongo.database import Database

from workbench.catalog.collections import CollectionIndex
from workbench.proof.documents.bad_documents import (
    ValidatorAttempt,
    attempt_validators,
    good_documents,
    validator_summary,
)
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
