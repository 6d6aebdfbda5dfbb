"""Operations on collections: recorded, explained, and the indexes that are proved for them on a copy."""

from __future__ import annotations

import contextlib
import datetime
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import json_util
from pymongo.database import Database

from workbench.areas.optimization import collections as area
from workbench.areas.optimization.collections.findings import is_noticed
from workbench.areas.optimization.collections.reasons import Reason
from workbench.areas.optimization.collections.recorded import (
    Recorded,
    recorded_by_log,
    recorded_by_profiler,
)
from workbench.areas.optimization.collections.review import Reviewed, drop_candidates
from workbench.areas.optimization.collections.slow import SlowOperation, said_operation, slow_operations
from workbench.catalog.collections import Operation
from workbench.catalog.observed_operations import of_pipeline
from workbench.documents.source import scratch_source
from workbench.engines.mongo import Document, MongoServer
from workbench.engines.mongo_cluster import private_mongod
from workbench.errors import BadInput, FeatureUnavailable, SourceError
from workbench.proof.results import AreaResults

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
DOCUMENTS = 3_000


def fill(database: Database[Document]) -> None:
    """3,000 orders of 150 customers."""
    chance = random.Random(1)
    database.orders.insert_many(
        {
            "no": n,
            "customer": chance.randrange(150),
            "status": chance.choice(["new", "paid", "sent", "done"]),
            "at": START + datetime.timedelta(minutes=chance.randrange(500_000)),
            "total": chance.randrange(10_000),
        }
        for n in range(DOCUMENTS)
    )


@contextlib.contextmanager
def profiled(database: Database[Document]) -> Iterator[None]:
    """Every operation on *database* is recorded during the block; the server's threshold is left alone."""
    database.command("profile", 2)
    try:
        yield
    finally:
        database.command("profile", 0)


@pytest.fixture
def shop(mongo: Database[Document]) -> Database[Document]:
    fill(mongo)
    return mongo


@pytest.fixture(scope="module")
def own() -> Iterator[Database[Document]]:
    """A database on a server of its own, whose threshold and log are nobody else's."""
    with private_mongod() as (server, _), server.client() as client:
        fill(client["shop"])
        yield client["shop"]


@pytest.fixture(scope="module")
def reviewed(mongo_server: MongoServer) -> Iterator[tuple[area.OperationsReview, Database[Document]]]:
    """The review of a database with a slow, a sorted, a paged and a served operation, and a prefix index."""
    with mongo_server.scratch_database(label="reviewed") as database:
        fill(database)
        database.orders.create_index("status")
        database.orders.create_index([("status", 1), ("at", 1)])
        database.orders.create_index("no", unique=True)
        with profiled(database):
            for n in range(4):
                list(database.orders.find({"customer": n}).sort("at", -1).limit(5))
                list(database.orders.find({"no": n}))
                list(database.orders.find({"status": "new"}))
            database.orders.insert_one({"no": -1})
        with area.open_model(mongo_server.url(database.name)) as opened:
            yield area.review_operations(opened), database


def test_operations_are_grouped_by_shape_with_their_figures(reviewed: Any) -> None:
    """Four calls of one shape are one row, with what they read for each document returned."""
    rows = {row["operation"]: row for row in area.operation_rows(reviewed[0])}
    scan = rows['find {"customer": "<int>"}, sort {"at": -1}, limit 5']

    assert (scan["calls"], scan["plan"], scan["documents_per_returned"]) == (4, "COLLSCAN", 600.0)
    assert "reads the collection" in scan["why"]
    assert "sorted in memory" in scan["why"]
    assert rows['find {"no": "<int>"}']["why"] == ""


def test_an_index_by_equality_and_sort_is_proved_before_and_after(reviewed: Any) -> None:
    """It reads one key and one document a result instead of 600, is measured in time, bytes and inserts."""
    (trial,) = reviewed[0].accepted
    (effect,) = trial.effects

    assert trial.advice.key == (("customer", 1), ("at", -1))
    assert effect.documents_before == 3 * (DOCUMENTS + 1)
    assert effect.documents_after == effect.keys_after == effect.returned == 15
    assert (effect.sorts_before, effect.sorts_after) == (3, 0)
    assert effect.before_ms
    assert effect.after_ms
    assert trial.index_bytes
    assert trial.insert_us
    assert min(trial.insert_us) > 0


def test_the_source_is_only_read(reviewed: Any) -> None:
    """No index is made and none hidden in the database that was looked at."""
    indexes = list(reviewed[1].orders.list_indexes())

    assert [each["name"] for each in indexes] == ["_id_", "status_1", "status_1_at_1", "no_1"]
    assert not any(each.get("hidden") for each in indexes)
    assert reviewed[1].orders.estimated_document_count() == DOCUMENTS + 1


def test_a_prefix_is_hidden_on_the_copy_and_no_operation_reads_more(reviewed: Any) -> None:
    """The narrow index is proved to be needless; a unique one is left alone."""
    (row,) = area.drop_rows(reviewed[0])

    assert (row["index"], row["kind"], row["kept"], row["proved"]) == (
        "status_1",
        "redundant",
        "status_1_at_1",
        True,
    )


def test_commands_can_be_taken_home_and_taken_back(reviewed: Any, mongo: Database[Document]) -> None:
    """The commands of the review run on a server as they are, and their undo brings the indexes back."""
    fill(mongo)
    mongo.orders.create_index("status")
    before = mongo.orders.index_information()
    commands = area.commands_of(reviewed[0])
    for each in commands:
        mongo.command(json_util.loads(json.dumps(each["do"])))
    made = mongo.orders.index_information()
    for each in reversed(commands):
        mongo.command(json_util.loads(json.dumps(each["undo"])))

    assert made["customer_1_at_-1"]["key"] == [("customer", 1), ("at", -1)]
    assert made["status_1"]["hidden"]
    assert mongo.orders.index_information() == before


def test_after_its_fix_nothing_is_left_to_advise(
    reviewed: Any, shop: Database[Document], mongo_server: MongoServer
) -> None:
    """With the commands run, the same operations need no index and have no reason."""
    for each in area.commands_of(reviewed[0]):
        if "createIndexes" in each["do"]:
            shop.command(json_util.loads(json.dumps(each["do"])))
    with profiled(shop):
        for n in range(4):
            list(shop.orders.find({"customer": n}).sort("at", -1).limit(5))
    with area.open_model(mongo_server.url(shop.name)) as opened:
        review = area.review_operations(opened)

    assert review.indexes == ()
    assert [row["why"] for row in area.operation_rows(review)] == [""]
    assert area.findings_of(review) == []


def test_findings_say_what_was_measured_and_carry_their_undo(reviewed: Any) -> None:
    """The index and the needless one are findings, proved, each with a fix and what takes it back."""
    findings = {each.check: each for each in area.findings_of(reviewed[0])}
    missing, needless = findings["collections_missing_index"], findings["collections_needless_index"]

    assert set(findings) == {
        "collections_slow_operation",
        "collections_missing_index",
        "collections_needless_index",
    }
    assert all(each.verified and each.area == "optimization" for each in findings.values())
    assert 'createIndex({"customer": 1, "at": -1})' in missing.fix
    assert 'dropIndex("customer_1_at_-1")' in missing.fix
    assert needless.fix.startswith('db.getCollection("orders").hideIndex("status_1")')
    assert missing.evidence[0].facts["operations"][0]["examined_per_returned_after"] == 2.0


def test_results_have_the_proofs_the_pictures_and_the_files(reviewed: Any) -> None:
    """Findings, claims with their outcome, JSON, scripts and pictures go into the report."""
    results = AreaResults("optimization", "Optimization")
    area.record_operations(results, reviewed[0])
    area.add_operation_artifacts(results, reviewed[0])
    names = [each.name for each in results.artifacts]

    assert {each.outcome for each in results.proofs} == {"proved"}
    assert names[:4] == [
        "collection-operations.json",
        "collection-indexes.json",
        "collection-indexes.js",
        "collection-indexes-undo.js",
    ]
    assert "plan-1-orders.svg" in names
    assert json.dumps(area.review_as_dict(reviewed[0]))


def test_the_profiler_off_says_what_to_switch_on(shop: Database[Document], mongo_server: MongoServer) -> None:
    """An empty profile is no silent empty list: the command, the role and the database are named."""
    with area.open_model(mongo_server.url(shop.name)) as opened:
        review = area.review_operations(opened)

    assert review.operations == ()
    assert review.missing is not None
    with pytest.raises(FeatureUnavailable, match=r"db\.setProfilingLevel\(1, .*slowms.*dbAdmin"):
        area.require_recorded(review)
    results = AreaResults("optimization", "Optimization")
    area.record_operations(results, review)
    assert [(each.outcome, "setProfilingLevel" in each.how_to) for each in results.proofs] == [
        ("not proved", True)
    ]


def test_a_login_without_the_right_to_the_profile_is_told_the_role(
    shop: Database[Document], mongo_server: MongoServer
) -> None:
    """With the role read alone the collections are reviewed, and dbAdmin is named for the profile."""
    shop.command("createUser", "reader", pwd="secret", roles=[{"role": "read", "db": shop.name}])
    url = mongo_server.url(shop.name, user="reader", password="secret").replace(
        "authSource=admin", f"authSource={shop.name}"
    )
    try:
        with area.open_model(url) as opened:
            missing = area.review_operations(opened).missing
    finally:
        shop.command("dropUser", "reader")

    assert missing is not None
    assert "grantRolesToUser" in missing.hint
    assert "dbAdmin" in missing.hint


def test_the_settings_of_the_profiler_are_told(own: Database[Document]) -> None:
    """What was recorded before it was switched off is used, and said to have an end; a threshold is named."""
    with profiled(own):
        own.orders.find_one({"customer": 1})
    off = recorded_by_profiler(scratch_source(own, title="shop"))
    own.command("profile", 1, slowms=5_000, sampleRate=0.5)
    on = recorded_by_profiler(scratch_source(own, title="shop"))
    own.command("profile", 0, slowms=100, sampleRate=1.0)

    assert off.level == 0
    assert "the profiler is off" in off.notes[0]
    assert (on.level, on.slow_ms, on.sample_rate) == (1, 5_000, 0.5)
    assert any("5000 ms" in each for each in on.notes)
    assert any("0.5" in each for each in on.notes)


def test_a_dump_has_no_record_and_takes_a_log_or_declared_operations(tmp_path: Path) -> None:
    """A dump says that it has none; declared operations are judged on it all the same, and proved on "
    "a copy."""
    folder = tmp_path / "shop"
    folder.mkdir()
    documents = b"".join(bson.encode({"_id": n, "customer": n % 150}) for n in range(DOCUMENTS))
    (folder / "orders.bson").write_bytes(documents)
    declared = tmp_path / "operations.json"
    declared.write_text('[{"collection": "orders", "find": {"customer": "<int>"}, "per_hour": 60}]')
    with area.open_model(str(folder)) as opened:
        nothing = area.review_operations(opened)
        review = area.review_operations(opened, operations=declared)

    assert nothing.missing is not None
    assert "dump" in nothing.missing.hint
    assert review.missing is None
    assert [each.advice.key for each in review.accepted] == [(("customer", 1),)]
    assert review.accepted[0].saved_ms_an_hour


def test_without_trials_advice_is_not_proved(
    shop: Database[Document], mongo_server: MongoServer, tmp_path: Path
) -> None:
    """Where nothing may be copied the advice is listed as not proved, and no statement is made of it."""
    declared = tmp_path / "operations.json"
    declared.write_text('[{"collection": "orders", "find": {"customer": "<int>"}}]')
    with area.open_model(mongo_server.url(shop.name)) as opened:
        review = area.review_operations(opened, operations=declared, tried=False)
    (finding,) = [each for each in area.findings_of(review) if each.check == "collections_missing_index"]

    assert review.accepted == []
    assert review.indexes[0].because.startswith("not proved")
    assert not finding.verified
    assert finding.unverified_because == "it was not tried on an engine"
    assert area.commands_of(review) == []


def test_an_index_that_does_not_help_is_rejected_with_its_figures(
    shop: Database[Document], mongo_server: MongoServer, tmp_path: Path
) -> None:
    """Of two keys that serve the same, and of a range that leaves most, what is not better is rejected."""
    shop.orders.update_many({}, {"$set": {"kind": "common"}})
    shop.orders.update_many({"no": {"$lt": 3}}, {"$set": {"kind": "rare"}})
    operations = [
        {"collection": "orders", "find": {"kind": "common"}, "sort": {"at": 1}},
        {"collection": "orders", "find": {"customer": "<int>"}},
    ]
    declared = tmp_path / "operations.json"
    declared.write_text(json.dumps(operations))
    with area.open_model(mongo_server.url(shop.name)) as opened:
        review = area.review_operations(opened, operations=declared)
    rejected = area.rejected_rows(review)

    assert [each.advice.key for each in review.accepted] == [(("customer", 1),)]
    assert all(row["why"] for row in rejected)


def test_a_log_is_read_as_the_profiler_is(own: Database[Document], tmp_path: Path) -> None:
    """The same calls from system.profile and from the log's slow queries are the same operations."""
    log_of_server = Path(own.client.admin.command("getCmdLineOpts")["parsed"]["systemLog"]["path"])
    before = log_of_server.stat().st_size
    own.drop_collection("system.profile")
    own.command("profile", 2, slowms=0)
    with profiled(own):
        for n in range(3):
            list(own.orders.find({"customer": n, "total": {"$gt": 5}}).sort("at", 1).batch_size(2))
        own.orders.update_one({"no": 5}, {"$set": {"z": 1}})
    by_profiler = slow_operations(recorded_by_profiler(scratch_source(own, title="shop")), own.name)
    logged = log_of_server.read_bytes()[before:].decode(errors="replace").splitlines()
    lines = [line for line in logged if f'"ns":"{own.name}.' in line]
    log = tmp_path / "mongod.log"
    other = lines[0].replace(own.name, "another")
    log.write_text("\n".join([*lines, other, "no json"]) + "\n")
    recorded = recorded_by_log(log, own.name)
    by_log = slow_operations(recorded, own.name)

    def figures(slow: list[Any]) -> list[tuple[Any, ...]]:
        return sorted(
            (each.key, each.calls, each.documents_examined, each.returned, each.sorted_in_memory, each.plan)
            for each in slow
            if "getMore" not in each.key
        )

    assert figures(by_log) == figures(by_profiler)
    assert {each.origin for each in by_log} == {"mongod.log"}
    assert any("1 lines" in note for note in recorded.notes)
    assert any("other databases" in note for note in recorded.notes)


def test_a_log_that_is_none_and_one_without_slow_queries_are_told(tmp_path: Path) -> None:
    """Another file is bad input with its name; a log without slow queries says what logs them."""
    (tmp_path / "old.log").write_text("2019-01-01T00:00:00.000+0000 I COMMAND  [conn1] command shop.orders\n")
    (tmp_path / "quiet.log").write_text('{"t": {"$date": "2024-01-01T00:00:00.000Z"}, "msg": "Build Info"}\n')
    (tmp_path / "empty.log").write_text("")

    with pytest.raises(BadInput, match=r"old\.log:1: is no structured log"):
        recorded_by_log(tmp_path / "old.log", "shop")
    with pytest.raises(SourceError, match=r"gone\.log: cannot be read"):
        recorded_by_log(tmp_path / "gone.log", "shop")
    for name in ("quiet.log", "empty.log"):
        missing = recorded_by_log(tmp_path / name, "shop").missing
        assert missing is not None
        assert "setProfilingLevel" in missing.hint


def test_unused_indexes_are_told_by_age_and_never_those_that_enforce(shop: Database[Document]) -> None:
    """Without an access in eight days an index is a candidate; young statistics, unique and TTL are not."""
    shop.orders.create_index("total")
    shop.orders.create_index("no", unique=True)
    shop.orders.create_index("at", expireAfterSeconds=10**9)
    shop.orders.create_index("customer")
    source = scratch_source(shop, title="shop")
    now = datetime.datetime.now(datetime.UTC)
    (orders,) = [each for each in source.catalog.collections if each.name == "orders"]
    read = tuple(
        replace(each, accesses=5 if each.name == "customer_1" else 0, accesses_since=now)
        for each in orders.indexes
    )
    catalog = replace(source.catalog, collections=(replace(orders, indexes=read),))
    later = now + datetime.timedelta(days=8)

    found = drop_candidates(replace(source, catalog=catalog), {}, later)
    assert [(each.index.name, each.kind) for each in found["orders"]] == [("total_1", "unused")]
    assert drop_candidates(replace(source, catalog=catalog), {}, now) == {}


def test_names_with_quotes_spaces_and_markup_survive(
    mongo: Database[Document], mongo_server: MongoServer
) -> None:
    """A collection and fields of odd names are profiled, advised, proved and written as statements."""
    name = 'Ord"ers <b>&amp; x'
    mongo[name].insert_many({'Größe "q" <i>': n % 300, "n": n} for n in range(DOCUMENTS))
    with profiled(mongo):
        for n in range(3):
            list(mongo[name].find({'Größe "q" <i>': n}))
    with area.open_model(mongo_server.url(mongo.name)) as opened:
        review = area.review_operations(opened)
    (trial,) = review.accepted
    results = AreaResults("optimization", "Optimization")
    area.add_operation_artifacts(results, review)

    assert trial.advice.key == (('Größe "q" <i>', 1),)
    assert json.dumps(name, ensure_ascii=False) in area.script(review)
    assert any(each.name.startswith("plan-1-") for each in results.artifacts)


def test_views_time_series_and_empty_collections_are_left_alone(
    mongo: Database[Document], mongo_server: MongoServer
) -> None:
    """Operations on them are rows, and no index is advised for them."""
    mongo.create_collection("empty")
    mongo.create_collection("measured", timeseries={"timeField": "at"})
    mongo.measured.insert_many({"at": START + datetime.timedelta(minutes=n), "v": n} for n in range(1_500))
    mongo.command("create", "seen", viewOn="measured", pipeline=[])
    with profiled(mongo):
        list(mongo.empty.find({"a": 1}))
        list(mongo.measured.find({"v": 5}))
        list(mongo.seen.find({"v": 5}))
    with area.open_model(mongo_server.url(mongo.name)) as opened:
        review = area.review_operations(opened)

    assert review.operations
    assert review.indexes == ()
    assert review.drops == ()


def test_an_operation_is_noticed_by_its_time_or_its_share_and_only_with_a_reason() -> None:
    """100 ms a call, or a twentieth of all the time, and a reason: else it is a row and no finding."""
    reason = (Reason("collection_scan", "it reads all", "an index"),)
    slow = SlowOperation(
        Operation("orders", "find", {"a": 1}), "profiler", calls=10, total_ms=50.0, share=0.01
    )

    assert not is_noticed(Reviewed(slow, reason))
    assert is_noticed(Reviewed(replace(slow, share=0.2), reason))
    assert is_noticed(Reviewed(replace(slow, total_ms=2_000.0), reason))
    assert not is_noticed(Reviewed(replace(slow, share=0.2), ()))


def test_operations_of_long_filters_are_different_findings() -> None:
    """A title is cut, and two operations that differ behind the cut are still two objects."""
    reason = (Reason("collection_scan", "it reads all", "an index"),)
    slow = [
        SlowOperation(Operation("orders", "find", {"f" * 300 + end: 1}), "profiler", calls=1, share=0.5)
        for end in "ab"
    ]
    review = area.OperationsReview(
        "shop",
        "shop",
        "MongoDB",
        Recorded("profiler"),
        tuple(Reviewed(each, reason) for each in slow),
        (),
        (),
    )
    findings = area.findings_of(review)

    assert len({each.id for each in findings}) == 2
    assert all(len(each.title) < 250 for each in findings)


def test_d99_a_source_without_collections_is_an_error_that_says_so(tmp_path: Path) -> None:
    """A source of another kind gives an error with what to do, and not None."""
    schema = tmp_path / "schema.sql"
    schema.write_text("create table a (id int primary key);")
    with area.open_model(str(schema)) as opened, pytest.raises(SourceError, match="holds tables"):
        area.review_operations(opened)


def test_d100_the_connection_is_given_back(shop: Database[Document], mongo_server: MongoServer) -> None:
    """After the block no connection is left that could be used."""
    with area.open_model(mongo_server.url(shop.name)) as opened:
        database = opened.collections.database if opened.collections else None
    assert database is not None

    with pytest.raises(SourceError, match="connection was lost"):
        database.command({"hello": 1})


def test_d101_a_url_without_a_database_names_those_to_choose_from(
    shop: Database[Document], mongo_server: MongoServer
) -> None:
    """No default database is guessed, and the driver's error is not what one gets."""
    url = mongo_server.url("")

    with pytest.raises(SourceError, match="names no database"), area.open_model(url):
        pass


def test_two_pipelines_with_one_filter_are_two_findings() -> None:
    """What comes behind the filter, and what is shown, tells operations apart."""
    said = [
        said_operation(of_pipeline([{"$match": {"a": 1}}, stage]))
        for stage in ({"$group": {"_id": None}}, {"$lookup": {"from": "b", "as": "c"}})
    ]

    assert said == [
        'aggregate {"a": "<int>"}, then $group',
        'aggregate {"a": "<int>"}, then $lookup (b)',
    ]
    assert said_operation(Operation("o", "find", {"a": 1}, projection={"b": 1})) == 'find {"a": 1}, shows b'
