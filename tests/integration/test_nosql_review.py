"""The review of a database of collections on a server: what is found, what is left alone, what fixes do."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import bson
import pytest
from bson import ObjectId, json_util
from pymongo.database import Database

from workbench.areas.nosql.checks import CHECKS
from workbench.areas.nosql.review import review
from workbench.catalog.collections import Operation
from workbench.catalog.shapes import Shape
from workbench.documents.shape import infer
from workbench.documents.source import DocumentSource, open_documents, scratch_source
from workbench.engines.mongo import Document, MongoServer
from workbench.proof.findings import SEVERITIES, Finding

BENCH = Path(__file__).resolve().parents[2] / "bench"
NOW = datetime.now(UTC)


def bench_module(name: str) -> ModuleType:
    """A module of the folder of benchmarks, which is no package."""
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


planted = bench_module("_nosql_planted")
benchmark = bench_module("nosql")


def shapes_of(source: DocumentSource, *, sample: int | None = None) -> dict[str, Shape]:
    """The shape of every collection, of all documents or of a *sample* of so many."""
    return {
        collection.name: infer(
            collection.name,
            source.batches(collection.name, sample=sample),
            of=collection.documents,
            full=sample is None,
        )
        for collection in source.catalog.collections
        if not collection.name.startswith("system.")
    }


def reviewed(
    database: Database[Document], *, engine: MongoServer | None = None, **options: Any
) -> list[Finding]:
    """The findings about *database*, everything read."""
    source = scratch_source(database, title="test")
    return review(source, shapes_of(source), engine=engine, **options)


def found(findings: list[Finding], check: str) -> list[str]:
    """The objects of the findings of *check*, without the database."""
    return [each.object.partition(".")[2] for each in findings if each.check == check]


@pytest.fixture(scope="module")
def built(mongo_server: MongoServer) -> Iterator[Any]:
    """The database of planted problems, in its smallest size."""
    with mongo_server.scratch_database(label="planted") as database:
        yield planted.build(database, documents=240)


@pytest.fixture(scope="module")
def source(built: Any) -> DocumentSource:
    return planted.as_if_a_month_old(scratch_source(built.database, title="planted"), built)


@pytest.fixture(scope="module")
def findings(built: Any, source: DocumentSource, mongo_server: MongoServer) -> list[Finding]:
    """What is said of the planted database, tried on the server."""
    return review(source, shapes_of(source), operations=built.operations, engine=mongo_server)


# The planted database


def test_every_planted_problem_is_found(built: Any, findings: list[Finding]) -> None:
    """Each one by its own check, at the very object."""
    assert benchmark.missing(built, findings) == []


def test_nothing_else_is_found(built: Any, findings: list[Finding]) -> None:
    """None of the near misses, nor anything where nothing was planted."""
    assert benchmark.beside(built, findings) == []


def test_planted_counts_are_exact(built: Any, findings: list[Finding]) -> None:
    """The evidence has the figures that were planted."""
    assert benchmark.miscounted(built, findings) == []


def test_every_finding_is_verified(findings: list[Finding]) -> None:
    """Each claim was counted over all documents or tried on the server, and holds."""
    assert benchmark.unproved(findings) == []


def test_every_check_is_planted_with_a_near_miss(built: Any) -> None:
    """No check goes untried, neither in what it finds nor in what it leaves alone."""
    names = {check.name for check in CHECKS}

    assert {each.check for each in built.planted} == names
    assert names - {each.check for each in built.decoys} == set()


def test_the_worst_come_first(findings: list[Finding]) -> None:
    """By severity, then by object."""
    keys = [(SEVERITIES.index(each.severity), each.object, each.check) for each in findings]

    assert keys == sorted(keys)


def test_findings_are_complete(findings: list[Finding], source: DocumentSource) -> None:
    """Every finding has a reason with its source, a fix, and evidence that names where it was seen."""
    levels = {check.name: SEVERITIES.index(check.level) for check in CHECKS}
    for each in findings:
        assert each.area == "nosql"
        assert each.title
        assert "Source: " in each.why or each.check == "keys_are_data"
        assert each.fix
        assert each.evidence[0].engine == source.looked_at_on
        assert SEVERITIES.index(each.severity) >= levels[each.check]
    assert len({each.id for each in findings}) == len(findings)


def test_reading_changes_nothing(built: Any, source: DocumentSource) -> None:
    """After a review the database holds what it held, down to the bytes."""
    before = built.database.command("dbHash")["md5"]
    review(source, shapes_of(source), operations=built.operations)

    assert built.database.command("dbHash")["md5"] == before


def test_without_an_engine_what_was_not_tried_is_not_verified(built: Any, source: DocumentSource) -> None:
    """The same findings; those that rest on a trial say that there was none."""
    untried = review(source, shapes_of(source), operations=built.operations)

    assert benchmark.missing(built, untried) == []
    assert benchmark.beside(built, untried) == []
    open_ones = {each.check for each in untried if not each.verified}
    assert open_ones == {
        "redundant_index",
        "parallel_arrays",
        "unindexed_lookup",
        "case_insensitive_match_without_collation",
        "unanchored_regex",
    }
    assert all(each.unverified_because for each in untried if not each.verified)


def test_a_sample_finds_without_verifying(built: Any, source: DocumentSource) -> None:
    """Of a sample the problems that are everywhere are found, and said to rest on a sample."""
    sampled = review(source, shapes_of(source, sample=100), operations=built.operations)
    price = next(each for each in sampled if each.object.endswith("sales.price"))

    assert not price.verified
    assert "sample" in price.unverified_because
    assert price.evidence[0].facts["doubles"] <= 100


# The fixes, as they are written


def run_fix(database: Database[Document], fix: str) -> int:
    """Runs the statements of *fix* that are commands on one collection, and says how many these were."""
    run = 0
    for line in fix.splitlines():
        call = re.match(r'db\.getCollection\((?P<name>"(?:[^"\\]|\\.)*")\)\.(?P<method>\w+)\(', line)
        if not call:
            continue
        arguments = list(_arguments(line[call.end() :]))
        collection = database[json.loads(call["name"])]
        if call["method"] == "updateMany":
            collection.update_many(*arguments)
        elif call["method"] == "createIndex":
            collection.create_index(
                list(arguments[0].items()), **(arguments[1] if len(arguments) > 1 else {})
            )
        elif call["method"] in ("dropIndex",):
            collection.drop_index(arguments[0])
        elif call["method"] == "aggregate":
            list(collection.aggregate(*arguments))
        elif call["method"] == "hideIndex":
            database.command("collMod", collection.name, index={"name": arguments[0], "hidden": True})
        else:
            assert call["method"] == "find", line
            list(collection.find(arguments[0]))
        run += 1
    return run


def _arguments(text: str) -> Iterator[Any]:
    """The JSON values up to the bracket that closes the call."""
    decoder = json.JSONDecoder()
    while not text.startswith(")"):
        value, end = decoder.raw_decode(text)
        yield json_util.object_hook(value) if isinstance(value, dict) else value
        text = text[end:].lstrip(", ")


# those whose commands alone close them; the others need a decision or another program
CLOSED = {
    ("unbounded_array", "posts.comments"),
    ("unbounded_array", "people.social.followers"),
    ("parallel_arrays", "articles.tags_1_authors_1"),
    ("parallel_arrays", "books.categories"),
    ("bloated_documents", "profiles"),
    ("bloated_documents", "scans"),
    ("keys_are_data", "stations.daily"),
    ("keys_are_data", "hotels.stars"),
    ("dots_and_dollars", 'hosts["cpu.load"]'),
    ("redundant_index", "orders_a.customer_1"),
    ("redundant_index", "orders_a.region_-1"),
    ("unused_index", "visitors.phone_1"),
    ("mixed_types", "tickets.createdAt"),
    ("mixed_types", "tickets.score"),
    ("mixed_types", "logins.reviewer"),
    ("money_as_double", "sales.price"),
    ("money_as_double", "sales.payment.amount"),
    ("date_as_string", "tickets.createdAt"),
    ("date_as_string", "tickets.closedAt"),
    ("date_as_string", "tickets.reportedAt"),
    ("number_as_string", "tickets.quantity"),
    ("id_as_string", "logins.userId"),
    ("case_insensitive_match_without_collation", "accounts.status"),
    ("case_variants", "jobs_done.outcome"),
    ("missing_ttl", "sessions.expiresAt"),
    ("missing_ttl", "invitations.expires"),
    ("ttl_on_non_dates", "otps.expiresAt"),
    ("unindexed_lookup", "reviews.product"),
}


def test_fixes_run_as_they_are_written_and_close_their_findings(built: Any, findings: list[Finding]) -> None:
    """The commands of a fix are taken by the server, and afterwards the check finds nothing there.

    It changes the planted database, and so is the last that sees it. An index that refuses two arrays is
    dropped before a field is made an array.
    """
    commands = {
        (each.check, each.object.partition(".")[2]): run_fix(built.database, each.fix)
        for each in sorted(findings, key=lambda each: each.check != "parallel_arrays")
    }
    after = planted.as_if_a_month_old(scratch_source(built.database, title="after"), built)
    left = {
        (each.check, each.object.partition(".")[2])
        for each in review(after, shapes_of(after), operations=built.operations)
    }

    assert [each for each in CLOSED if not commands.get(each)] == []
    assert CLOSED & left == set()
    assert left - set(commands) == {  # what was moved is seen where it went
        ("bloated_documents", "profiles_photo"),
        ("bloated_documents", "scans_page"),
        ("date_as_string", "stations.daily[].k"),
    }


# Near misses and bad input that need a server


def test_an_empty_database_has_no_findings(mongo: Database[Document], mongo_server: MongoServer) -> None:
    """Without collections nothing is said, and no trial is made."""
    assert reviewed(mongo, engine=mongo_server) == []


def test_views_and_time_series_are_read_as_what_they_are(mongo: Database[Document]) -> None:
    """A view repeats its collection's findings nowhere; a time series has no TTL index and needs none."""
    mongo.create_collection("points", timeseries={"timeField": "at", "metaField": "m"}, expireAfterSeconds=60)
    mongo.points.insert_many({"at": NOW, "m": n % 3, "price": 9.99 + n} for n in range(30))
    mongo.sales.insert_many({"price": 9.99 + n} for n in range(30))
    mongo.create_collection("seen", viewOn="sales", pipeline=[])

    assert found(reviewed(mongo), "money_as_double") == ["points.price", "sales.price"]


def test_odd_names_travel_through_trials_and_fixes(
    mongo: Database[Document], mongo_server: MongoServer
) -> None:
    """Quotes, spaces, HTML and emoji in names of collections, fields and indexes."""
    odd = 'odd "name" <b>🐘'
    mongo[odd].insert_many({"unit price €": 1.25 + n, 'x "y"': n if n % 3 else f"n{n}"} for n in range(60))
    mongo[odd].create_index([('x "y"', 1)], name='an "index"')
    mongo[odd].create_index([('x "y"', 1), ("unit price €", -1)])
    findings = reviewed(mongo, engine=mongo_server)

    assert {each.check for each in findings} == {"money_as_double", "mixed_types", "redundant_index"}
    assert [each.unverified_because for each in findings if not each.verified] == []
    for each in findings:
        run_fix(mongo, each.fix)
    assert {each.check for each in reviewed(mongo)} == {"mixed_types"}  # "n2" is no number


def test_values_that_no_check_expects(mongo: Database[Document]) -> None:
    """Not-a-numbers, dates beyond year 9999, UUIDs of a wrong length and deep documents are borne."""
    deep: Document = {"v": 1}
    for _ in range(150):
        deep = {"d": deep}
    mongo.odd.insert_many(
        [
            {"price": float("nan"), "expiresAt": bson.datetime_ms.DatetimeMS(2**60)},
            {"price": float("inf"), "at": bson.Binary(b"short", 4)},
            {"price": 1.25, "at": bson.MinKey(), "createdAt": "2024-01-01T00:00:00Z"},
            {"deep": deep, "price": bson.Decimal128("NaN"), "createdAt": 7},
        ]
    )
    checks = {each.check for each in reviewed(mongo)}

    assert "deep_nesting" in checks
    assert "date_as_string" in checks


def test_a_dump_is_reviewed_without_a_server(mongo: Database[Document], tmp_path: Path) -> None:
    """The same findings from a folder of BSON with metadata as from the server that it was dumped from."""
    users = [ObjectId() for _ in range(50)]
    mongo.users.insert_many({"_id": each, "name": "x"} for each in users)
    mongo.orders.insert_many(
        {
            "userId": users[n % 50] if n else ObjectId(),
            "buyer": str(users[n % 50]),
            "total": 9.99 + n,
            "placedAt": "2024-01-15T10:30:00Z",
        }
        for n in range(200)
    )
    mongo.orders.create_index([("userId", 1)])
    mongo.orders.create_index([("userId", 1), ("placedAt", 1)])
    live = reviewed(mongo)
    folder = tmp_path / mongo.name
    folder.mkdir()
    for name in ("users", "orders"):
        collection = mongo[name]
        (folder / f"{name}.bson").write_bytes(b"".join(collection.find_raw_batches()))
        metadata = {"indexes": [dict(each) for each in collection.list_indexes()], "collectionName": name}
        (folder / f"{name}.metadata.json").write_text(json_util.dumps(metadata))
    with open_documents(str(folder)) as dump:
        from_files = review(dump, shapes_of(dump))

    seen = [(each.check, each.object.partition(".")[2], each.verified) for each in live]
    assert [(each.check, each.object.partition(".")[2], each.verified) for each in from_files] == seen
    assert {check for check, _, _ in seen} == {
        "date_as_string",
        "id_as_string",
        "money_as_double",
        "redundant_index",
        "reference_without_target",
    }


def test_what_expires_is_removed_only_as_a_date(mongo: Database[Document], mongo_server: MongoServer) -> None:
    """The trial of a TTL index: the date of yesterday is removed, a string and a number stay."""
    mongo.otps.create_index([("expiresAt", 1)], expireAfterSeconds=0)
    mongo.otps.insert_many({"expiresAt": "2020-01-01T00:00:00Z" if n % 2 else 1} for n in range(10))
    mongo.sessions.insert_many({"expiresAt": NOW - timedelta(days=2)} for _ in range(10))
    findings = {each.check: each for each in reviewed(mongo, engine=mongo_server)}

    assert findings["ttl_on_non_dates"].severity == "error"
    assert findings["ttl_on_non_dates"].evidence[0].facts["never_removed"] == 10
    for check in ("ttl_on_non_dates", "missing_ttl"):
        assert findings[check].verified
        assert findings[check].evidence[-1].facts["removed"] == 1
        assert findings[check].evidence[-1].facts["stayed"] >= 1


def test_a_query_under_a_collation_is_no_pattern(mongo: Database[Document]) -> None:
    """An equality under a collation is what the check advises, and an index for it closes the finding."""
    mongo.accounts.insert_many({"status": ("Active", "active")[n % 2]} for n in range(1_200))
    loose = Operation("accounts", "find", {"status": {"$regex": "<text>", "$options": "i"}}, count=3)

    check = "case_insensitive_match_without_collation"
    assert found(reviewed(mongo, operations=[loose]), check) == ["accounts.status"]
    mongo.accounts.create_index([("status", 1)], collation={"locale": "en", "strength": 2})
    assert found(reviewed(mongo, operations=[loose]), check) == []


def test_the_profilers_operations_are_judged(mongo: Database[Document]) -> None:
    """What the server recorded is taken with what was declared."""
    mongo.notes.insert_many({"body": f"a long text of number {n}"} for n in range(1_500))
    mongo.command("profile", 2)
    list(mongo.notes.find({"body": {"$regex": "number 7"}}))
    mongo.command("profile", 0)

    assert found(reviewed(mongo), "unanchored_regex") == ["notes.body"]
