"""The design of the example, proved: each claim on the engine, and each refuted where the design lacks it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier
from typing import Any

import pytest
from pymongo.database import Database

from workbench.areas.nosql import operations
from workbench.areas.nosql.operation_proofs import (
    BUYERS,
    prove_cart_version,
    prove_ingest,
    prove_operations,
    prove_reservation,
)
from workbench.areas.nosql.proofs import (
    Proofs,
    claims_of,
    outcome_counts,
    prove_expiries,
    prove_indexes,
    prove_roles,
    prove_source,
    prove_time_series,
    prove_unique_indexes,
    prove_validators,
    record_proofs,
)
from workbench.documents.example.build import build_example
from workbench.documents.example.designs import CODEC, apply_design, design, designed
from workbench.documents.source import DocumentSource, scratch_source
from workbench.engines.mongo import Document, MongoServer
from workbench.engines.postgres import Server
from workbench.proof.documents.bad_documents import attempt_validators
from workbench.proof.results import AreaResults
from workbench.source import Options, open_source

Documents = Database[Document]


@pytest.fixture(scope="module")
def example(server: Server, mongo_server: MongoServer) -> Iterator[Documents]:
    """The example's collections, small; no test changes its documents."""
    with (
        open_source("ecommerce", server, Options(scale=0.001)) as shop,
        mongo_server.scratch_database(label="proofs") as database,
    ):
        build_example(shop.connection, database)
        yield database.with_options(codec_options=CODEC)


@pytest.fixture
def designed_database(mongo: Documents) -> Documents:
    """The design, without documents."""
    apply_design(mongo)
    return mongo.with_options(codec_options=CODEC)


def test_each_rule_of_the_carts_is_refused_and_named(example: Documents) -> None:
    """D47: each rule of the carts' validator, sums included, refuses a document that breaks it."""
    carts = designed("carts")
    good = list(example["carts"].find())
    says = [(rule.says, rule.expression) for rule in carts.rules]

    attempts = attempt_validators(example, "carts", carts.validator or {}, good, says=says)

    assert [(each.path, each.rule) for each in attempts if each.outcome != "refused"] == [
        ("", "bsonType 'object'"),  # a document is one in any case
        ("", "required _id"),  # the server gives it
    ]
    sums = [each for each in attempts if each.rule == "$expr: subtotal is the sum of the lines"]
    assert [each.alone for each in sums] == [True]
    assert sum(each.alone for each in attempts) > len(attempts) / 2


def test_a_collection_without_its_validator_is_refuted(example: Documents, mongo: Documents) -> None:
    """D47: the same documents in a collection without the validator are all accepted, and the claim falls."""
    inventory = designed("inventory")
    mongo.create_collection("inventory")
    scratch = mongo.with_options(codec_options=CODEC)

    attempts = attempt_validators(
        scratch, "inventory", inventory.validator or {}, list(example["inventory"].find(limit=20))
    )

    assert {each.outcome for each in attempts} == {"accepted", "not tried"}
    assert sum(each.outcome == "accepted" for each in attempts) > 25


def test_each_unique_index_refuses(example: Documents) -> None:
    """D49: each unique index refuses the same key twice; a cart that is not open may have the same owner."""
    attempts = prove_unique_indexes(example)

    unique = {index.name for each in design() for index in each.indexes if index.options.get("unique")}
    assert {each.index for each in attempts} == unique
    assert {each.outcome for each in attempts} == {"refused"}
    (carts,) = [each for each in attempts if each.collection == "carts"]
    assert "the same key twice outside the index's filter" in carts.near_miss


def test_each_index_is_used_by_its_query(example: Documents) -> None:
    """Each query of the design goes by its index by the server's own choice; no index stays hidden."""
    proofs = prove_indexes(example)

    assert {(each.collection, each.index) for each in proofs} == {
        (each.name, index.name) for each in design() for index in each.indexes
    }
    assert [(each.index, each.indexes_used) for each in proofs if not each.used] == []
    searches = [each for each in proofs if each.collection in ("products", "price_history", "sessions")]
    assert all(each.gains for each in searches if each.index != "sku")
    for each in design():
        assert not any(index.get("hidden") for index in example[each.name].list_indexes())


def test_what_expires_goes(example: Documents) -> None:
    """D50, D51: carts, sessions, moved events and old activities go when they should, and nothing else."""
    proofs = prove_expiries(example)

    assert sorted((each.collection, each.outcome) for each in proofs) == [
        ("activity_inbox", "proved"),
        ("carts", "proved"),
        ("sessions", "proved"),
        ("user_activities", "proved"),
    ]


def test_expiry_is_not_claimed_where_the_monitor_is_slow(example: Documents) -> None:
    """Where the TTL monitor does not pass in time, nothing is proved; the reason and what helps are told."""
    proofs = Proofs(expiry=prove_expiries(example, deadline_s=-1.0))
    results = AreaResults("nosql", "NoSQL")

    record_proofs(results, proofs, "MongoDB")

    assert {each.outcome for each in results.proofs} == {"not proved"}
    assert all("ttlMonitorSleepSecs" in each.why_not and each.how_to for each in results.proofs)


def test_the_activities_are_smaller_as_a_time_series(example: Documents) -> None:
    """D41, D42: the activities take fewer bytes in buckets, and both collections answer alike."""
    found = prove_time_series(example, runs=1)

    assert found.smaller > 1
    assert all(each.same_result for each in found.queries) and found.queries
    assert (found.time_series.events_per_bucket or 0) > 10


def test_each_role_may_what_it_must(example: Documents, mongo_server: MongoServer) -> None:
    """D64: each role does what it is for, is refused all else with 13, and nobody does anything."""
    attempts = prove_roles(mongo_server, example)

    assert [each for each in attempts if not each.as_expected] == []
    assert {each.code for each in attempts if each.outcome == "refused"} == {13}
    assert {each.outcome for each in attempts if each.role == "nobody"} == {"refused"}
    assert example.command("usersInfo")["users"] == []


# Operations


def test_the_operations_bear_several_writers(mongo: Documents) -> None:
    """D54, D61, D44: reservations, versions of carts, their merging and the ingestion keep their promises."""
    claims = prove_operations(mongo.with_options(codec_options=CODEC))

    assert [(each.claim, each.saw) for each in claims if not each.holds] == []
    assert len(claims) == 5


def test_a_reservation_that_reads_first_is_refuted(designed_database: Documents) -> None:
    """D54: to read what is free and then to write promises more pieces than there are."""
    all_have_read = Barrier(BUYERS)

    def reserve(database: Documents, sku: str, warehouse: str, pieces: int) -> bool:
        found = database["inventory"].find_one({"sku": sku, "warehouse": warehouse}) or {}
        all_have_read.wait(30)
        if found["available"] - found["reserved"] < pieces:
            return False
        changed = {"$set": {"reserved": found["reserved"] + pieces}}
        database["inventory"].update_one({"_id": found["_id"]}, changed)
        return True

    claim = prove_reservation(designed_database, reserve=reserve)

    assert (claim.outcome, claim.facts["promised"]) == ("refuted", BUYERS)


def test_a_cart_without_its_version_is_refuted(designed_database: Documents) -> None:
    """D61: an update that does not name the version that it read overwrites what another has written."""

    def set_items(database: Documents, cart: Any, items: Any, *, tax: Any, at: Any) -> None:
        for _ in range(20):  # whoever comes second looks again, and overwrites
            now = database["carts"].find_one({"_id": cart["_id"]}) or {}
            try:
                operations.set_items(database, now, items, tax=tax, at=at)
                return
            except operations.CartChanged:
                continue

    claim = prove_cart_version(designed_database, set_items=set_items)

    assert (claim.outcome, claim.facts["refused"], claim.facts["version"]) == ("refuted", 0, 3)


def test_an_ingestion_that_does_not_look_is_refuted(designed_database: Documents) -> None:
    """D44: to insert without looking whether the event is there doubles it when a run stopped half way."""

    def ingest(database: Documents) -> None:
        waiting = list(database["activity_inbox"].find({"state": {"$ne": "moved"}}))
        database["user_activities"].insert_many([each["event"] for each in waiting])
        for each in waiting:
            database["activity_inbox"].update_one(
                {"_id": each["_id"]},
                [{"$set": {"state": "moved", "movedAt": "$$NOW", "batchId": each["_id"]}}],
            )

    arrived, stopped = prove_ingest(designed_database, ingest=ingest)

    assert (arrived.outcome, stopped.outcome) == ("proved", "refuted")
    assert stopped.facts == {"events": 2}


# Any database


@pytest.fixture
def shop(mongo: Documents) -> DocumentSource:
    """Somebody's database: a validator in force, one that only warns, a unique index, and odd names."""
    schema = {
        "$jsonSchema": {"required": ["sku"], "properties": {"pieces": {"bsonType": "int", "minimum": 0}}}
    }
    mongo.create_collection("stock", validator=schema)
    mongo["stock"].create_index("sku", unique=True)
    mongo["stock"].insert_many([{"sku": f"S{n}", "pieces": n} for n in range(5)])
    mongo.create_collection("loose 😀's", validator=schema, validationAction="warn")
    mongo["loose 😀's"].insert_one({"sku": "S", "pieces": -1})
    mongo.create_collection("free")
    return scratch_source(mongo, title="somebody's")


def test_the_validators_of_any_database_are_tried_on_copies(
    shop: DocumentSource, mongo: Documents, mongo_server: MongoServer
) -> None:
    """A validator in force is proved, one that warns refuted, and the database is left as it was."""
    before = {name: list(mongo[name].find()) for name in mongo.list_collection_names()}

    proofs = prove_source(shop, mongo_server)

    outcomes = {each.claim: each.outcome for each in claims_of(proofs)}
    assert outcomes["stock: each rule of its validator refuses a document that breaks it"] == "proved"
    assert outcomes["stock: the unique index sku_1 refuses the same sku 1 twice"] == "proved"
    assert outcomes["loose 😀's: each rule of its validator refuses a document that breaks it"] == "refuted"
    assert {name: list(mongo[name].find()) for name in mongo.list_collection_names()} == before
    assert outcome_counts(proofs)["refuted"] == 1


def test_documents_that_break_their_validator_are_told(mongo: Documents, mongo_server: MongoServer) -> None:
    """Documents that came before the validator and break it refute that it accepts what is there."""
    mongo["old"].insert_many([{"n": "one"}, {"n": 2}])
    mongo.command("collMod", "old", validator={"$jsonSchema": {"properties": {"n": {"bsonType": "int"}}}})

    proofs = prove_source(scratch_source(mongo, title="old"), mongo_server)

    assert [(each.tried, each.refused, each.reason) for each in proofs.good] == [(2, 1, "n bsonType")]
    assert {each.outcome for each in proofs.validators} == {"refused"}


def test_a_database_without_rules_has_nothing_to_prove(mongo: Documents, mongo_server: MongoServer) -> None:
    """Collections without validators and unique indexes give no claims."""
    mongo["free"].insert_one({"a": 1})

    assert claims_of(prove_source(scratch_source(mongo, title="free"), mongo_server)) == []


def test_all_validators_of_the_example_are_proved(example: Documents) -> None:
    """Every validator refuses by each of its rules and accepts the documents that are there."""
    validators, good = prove_validators(example)

    claims = claims_of(Proofs(validators=validators, good=good))
    assert [(each.claim, each.saw) for each in claims if each.outcome != "proved"] == []
    assert len(good) == sum(each.validator is not None for each in design())
