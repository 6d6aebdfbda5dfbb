"""Indexes of collections decided together on a copy: options respected, joins, costs, and what is "
"rejected."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from workbench.areas.optimization import collections as area
from workbench.areas.optimization.collections.effects import Effect
from workbench.areas.optimization.collections.recorded import Recorded
from workbench.areas.optimization.collections.slow import slow_operations, with_declared
from workbench.areas.optimization.collections.trial import DropTrial, IndexTrial, decide
from workbench.catalog.collections import Operation
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.advice import advised
from workbench.documents.shape import infer
from workbench.documents.source import DocumentSource, scratch_source
from workbench.engines.mongo import Document, MongoServer, mongo_engine
from workbench.errors import BadInput
from workbench.source import Options

DOCUMENTS = 3_000
Review = Callable[..., area.OperationsReview]


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[Database[Document], MongoServer]]:
    """3,000 orders of 150 customers; tests take their indexes away again."""
    chance = random.Random(1)
    with mongo_engine() as server, server.scratch_database(label="trials") as database:
        database.orders.insert_many(
            {
                "no": n,
                "customer": chance.randrange(150),
                "code": f"c{chance.randrange(1_500)}",
                "name": f"Name {chance.randrange(600)}",
                "total": n,
            }
            for n in range(DOCUMENTS)
        )
        database.customers.insert_many({"code": f"c{n}", "city": "A"} for n in range(1_500))
        yield database, server


@pytest.fixture
def review(shop: tuple[Database[Document], MongoServer], tmp_path: Path) -> Iterator[Review]:
    """The review of declared operations on the orders as they are."""
    database, server = shop

    def reviewed(*operations: dict[str, Any], **options: Any) -> area.OperationsReview:
        declared = tmp_path / "operations.json"
        declared.write_text(json.dumps([{"collection": "orders", **each} for each in operations]))
        with area.open_model(server.url(database.name)) as opened:
            return area.review_operations(opened, operations=declared, **options)

    yield reviewed
    database.orders.drop_indexes()
    database.customers.drop_indexes()


def test_one_index_serves_operations_together(review: Review) -> None:
    """Of a field and of two fields that begin with it, one index is made for both."""
    seen = review(
        {"find": {"customer": "<int>"}}, {"find": {"customer": "<int>"}, "sort": {"total": -1}, "limit": 5}
    )

    assert [each.advice.key for each in seen.accepted] == [(("customer", 1), ("total", -1))]
    assert len(seen.accepted[0].effects) == 2


def test_an_existing_index_is_not_advised_again_and_a_narrower_one_is_superseded(
    review: Review, shop: tuple[Database[Document], MongoServer]
) -> None:
    """What is there serves; what a new index begins with is hidden with it, proved."""
    shop[0].orders.create_index("customer")
    served = review({"find": {"customer": "<int>"}})
    wider = review({"find": {"customer": "<int>"}, "sort": {"total": -1}, "limit": 2})
    drops = [(each.index.name, each.kind, each.proved) for each in wider.drops]

    assert served.indexes == ()
    assert [each.accepted for each in wider.indexes] == [True] * len(drops)
    assert drops in ([], [("customer_1", "superseded", True)])


def test_a_hidden_index_is_shown_and_not_made_twice(
    review: Review, shop: tuple[Database[Document], MongoServer]
) -> None:
    """The command shows the hidden index; its undo hides it again."""
    shop[0].orders.create_index("no", hidden=True)
    commands = area.commands_of(review({"find": {"no": "<int>"}}))

    assert commands[0]["do"] == {"collMod": "orders", "index": {"name": "no_1", "hidden": False}}
    assert commands[0]["undo"] == {"collMod": "orders", "index": {"name": "no_1", "hidden": True}}


def test_a_collation_is_part_of_the_index(
    review: Review, shop: tuple[Database[Document], MongoServer]
) -> None:
    """An index without the operation's collation does not serve it; the new one has it, in its "
    "command too."""
    folded = {"locale": "en", "strength": 2}
    shop[0].orders.create_index("name")
    seen = review({"find": {"name": "<string>"}, "collation": folded})

    assert [each.advice.collation for each in seen.accepted] == [folded]
    assert area.commands_of(seen)[0]["do"]["indexes"][0]["collation"] == folded
    assert seen.drops == ()


@pytest.mark.parametrize(
    "options",
    [
        {"unique": True},
        {"expireAfterSeconds": 10**9},
        {"partialFilterExpression": {"no": 1}},
        {"sparse": True},
    ],
    ids=["unique", "TTL", "partial", "sparse"],
)
def test_an_index_that_does_more_than_serve_is_never_needless(
    review: Review, shop: tuple[Database[Document], MongoServer], options: dict[str, Any]
) -> None:
    """A narrow index that enforces, removes or holds other documents is no prefix that could go."""
    shop[0].orders.create_index("no", **options)
    shop[0].orders.create_index([("no", 1), ("total", 1)])
    shop[0].orders.create_index([("customer", "hashed")])
    shop[0].orders.create_index("customer")

    assert review({"find": {"total": "<int>"}}).drops == ()


def test_the_field_of_a_join_gets_its_index(
    review: Review, shop: tuple[Database[Document], MongoServer]
) -> None:
    """$lookup by a field without an index: the other collection gets one, proved; with it nothing is said."""
    stage = {"$lookup": {"from": "customers", "localField": "code", "foreignField": "code", "as": "of"}}
    pipeline = [{"$match": {"no": "<int>"}}, stage]
    seen = review({"aggregate": pipeline})
    shop[0].customers.create_index("code")
    shop[0].orders.create_index("no")
    after = review({"aggregate": pipeline})

    assert {(each.advice.collection.name, each.advice.key) for each in seen.accepted} == {
        ("customers", (("code", 1),)),
        ("orders", (("no", 1),)),
    }
    assert "$lookup" in seen.operations[0].reasons[-1].says
    assert after.indexes == ()
    assert after.operations[0].reasons == ()


def test_a_sample_is_said_to_be_one(review: Review) -> None:
    """Where fewer documents may be copied, that many are, and the trial says that they are not all."""
    (trial,) = review({"find": {"customer": "<int>"}}, most_documents=2_000).accepted

    assert (trial.documents, trial.whole) == (2_000, False)
    with pytest.raises(BadInput, match="1 or more"):
        review({"find": {"no": 1}}, most_documents=0)


def test_what_the_deadline_leaves_is_said_not_to_be_proved(review: Review) -> None:
    """Past the deadline nothing is copied: the advice stays, not proved, and a note says why."""
    seen = review({"find": {"customer": "<int>"}}, deadline_s=0.0)

    assert [(each.accepted, each.because) for each in seen.indexes] == [
        (False, "not proved: the deadline was reached before")
    ]
    assert any("deadline" in note for note in seen.notes)


def test_an_open_range_is_run_with_values_that_give_what_was_recorded(
    shop: tuple[Database[Document], MongoServer],
) -> None:
    """A range that gave 40 documents each time is tried with values that give about as many, both "
    "ways round."""
    database, server = shop
    source, shapes = _read(database)
    below = Operation(
        "orders", "find", {"total": {"$lt": "<int>"}}, returned=40, documents_examined=DOCUMENTS
    )
    above = replace(below, filter={"no": {"$gte": "<int>"}})
    advice = advised(source, shapes, [below, above])
    decided = decide(
        source,
        source.catalog.collection("orders"),
        shapes["orders"],
        server,
        advice=advice,
        drops=[],
        operations=[below, above],
    )

    assert [each.accepted for each in decided.indexes] == [True, True]
    for trial in decided.indexes:
        (effect,) = trial.effects
        assert effect.returned / effect.runs < 200


def test_an_index_that_an_operation_needs_is_not_dropped(
    shop: tuple[Database[Document], MongoServer],
) -> None:
    """Counted as unused and yet read by an operation on record: hidden, it reads all, so it stays."""
    database, server = shop
    database.orders.create_index("customer")
    database.orders.create_index("name")
    source, shapes = _read(database)
    orders = source.catalog.collection("orders")
    needed, idle = (
        next(each for each in orders.indexes if each.name == name) for name in ("customer_1", "name_1")
    )
    decided = decide(
        source,
        orders,
        shapes["orders"],
        server,
        advice=[],
        drops=[DropTrial(orders, needed, "unused"), DropTrial(orders, idle, "unused")],
        operations=[Operation("orders", "find", {"customer": "<int>"})],
    )
    database.orders.drop_indexes()

    assert [each.proved for each in decided.drops] == [False, True]
    assert "3,000" in decided.drops[0].because or "9,000" in decided.drops[0].because


def test_without_an_operation_no_drop_is_proved(shop: tuple[Database[Document], MongoServer]) -> None:
    """That nothing reads more is no proof where nothing is run."""
    database, server = shop
    database.orders.create_index("name")
    source, shapes = _read(database)
    orders = source.catalog.collection("orders")
    unused = DropTrial(orders, next(each for each in orders.indexes if each.name == "name_1"), "unused")
    decided = decide(source, orders, shapes["orders"], server, advice=[], drops=[unused], operations=[])
    database.orders.drop_indexes()

    assert not decided.drops[0].proved
    assert "no operation is on record" in decided.drops[0].because


def test_what_an_index_costs_is_held_against_it(shop: tuple[Database[Document], MongoServer]) -> None:
    """Inserts that lose more than the operations save, and others that it slows down, speak against it."""
    source, shapes = _read(shop[0])
    operation = Operation("orders", "find", {"customer": "<int>"}, per_hour=10.0)
    (advice,) = advised(source, shapes, [operation])
    saves = Effect(operation, 3, 0, 3, 9_000, 3, 3, 0, 0, before_ms=5.0, after_ms=1.0)
    other = Effect(
        replace(operation, per_hour=1_000.0), 3, 0, 900, 100, 900, 9, 0, 0, before_ms=1.0, after_ms=3.0
    )
    trial = IndexTrial(advice, True, "", (saves,), insert_us=(20.0, 30.0))

    assert trial.speaks_against_it(0.0) == ""
    assert trial.speaks_against_it(1_000.0) == ""
    assert "costs inserts" in trial.speaks_against_it(1_000_000.0)
    assert "another operation" in replace(trial, losses=(other,)).speaks_against_it(0.0)
    assert replace(trial, losses=(replace(other, operation=operation),)).speaks_against_it(0.0) == ""
    assert "longer" in replace(trial, effects=(replace(saves, after_ms=19.0),)).speaks_against_it(0.0)


def test_recorded_calls_are_summed_and_cursors_belong_to_their_call() -> None:
    """Calls, times, shares and what was read are summed by shape; a getMore is no call of its own."""
    entry = {
        "op": "query",
        "ns": "shop.orders",
        "millis": 30,
        "docsExamined": 100,
        "keysExamined": 7,
        "nreturned": 2,
        "planSummary": "COLLSCAN",
        "hasSortStage": True,
        "queryHash": "AB",
        "command": {"find": "orders", "filter": {"a": 1}, "skip": 40, "sort": {"b": 1}},
    }
    more = {
        **entry,
        "op": "getmore",
        "millis": 10,
        "command": {"getMore": 5},
        "originatingCommand": entry["command"],
    }
    other = {**entry, "millis": 10, "command": {"find": "orders", "filter": {"b": {"$in": [1, 2]}}}}
    elsewhere = {**entry, "ns": "other.orders"}
    cut = {**entry, "command": {"$truncated": "{ find: …"}}
    first, second = slow_operations(Recorded("profiler", (entry, entry, more, other, elsewhere, cut)), "shop")

    assert (first.calls, first.total_ms, first.max_ms, first.mean_ms) == (2, 70.0, 30.0, 35.0)
    assert (first.share, first.skipped, first.query_hashes) == (0.875, 40, ("AB",))
    assert (first.documents_examined, first.keys_examined, first.returned, first.sorted_in_memory) == (
        300,
        21,
        6,
        3,
    )
    assert (first.documents_per_returned, first.keys_per_returned) == (50.0, 3.5)
    assert second.calls == 1


def test_what_is_declared_and_recorded_is_one_operation() -> None:
    """A declared operation that was recorded gives its frequency to it; another stands beside it."""
    entry = {
        "op": "query",
        "ns": "shop.orders",
        "millis": 3,
        "command": {"find": "orders", "filter": {"a": 1}},
    }
    recorded = slow_operations(Recorded("profiler", (entry,)), "shop")
    declared = [
        Operation("orders", "find", {"a": 5}, per_hour=60.0),
        Operation("orders", "find", {"b": 5}, per_hour=1.0),
    ]
    both = with_declared(recorded, declared)

    assert [(each.calls, each.operation.per_hour) for each in both] == [(1, 60.0), (0, 1.0)]


def test_the_example_without_its_indexes_gets_back_what_its_queries_need() -> None:
    """The design's indexes for reading are dropped, its queries recorded; the advice names them again."""
    with area.open_model("ecommerce", Options(scale=0.01)) as opened:
        dropped = area.record_example(opened)
        seen = area.review_operations(opened)

    assert "product_reviews.user" in dropped
    assert (("userId", 1),) in [each.advice.key for each in seen.accepted]
    assert not any(note.startswith("products: indexes could not be tried") for note in seen.notes)
    assert all(each.slow.calls for each in seen.operations)


def test_only_the_example_is_run(shop: tuple[Database[Document], MongoServer]) -> None:
    """Nothing is run in a named database."""
    with (
        area.open_model(shop[1].url(shop[0].name)) as opened,
        pytest.raises(BadInput, match="not the example"),
    ):
        area.record_example(opened)


def _read(database: Database[Document]) -> tuple[DocumentSource, dict[str, Shape]]:
    source = scratch_source(database, title="shop")
    return source, {"orders": infer("orders", source.batches("orders"), of=DOCUMENTS)}
