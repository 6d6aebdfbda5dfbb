"""The figures of an explanation, whichever of the server's forms it has."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import EngineError
from workbench.proof.explain_documents import execution_stats


@pytest.fixture
def orders(mongo):
    """500 orders, ten customers, an index on the customer."""
    mongo.orders.insert_many([{"_id": n, "customer": n % 10, "name": str(n)} for n in range(500)])
    mongo.orders.create_index("customer")
    mongo.command("create", "first", viewOn="orders", pipeline=[{"$match": {"customer": 1}}])
    return mongo


def explained(database: Any, command: dict[str, Any], verbosity: str = "executionStats") -> dict[str, Any]:
    result: dict[str, Any] = database.command({"explain": command, "verbosity": verbosity})
    return result


def pipeline(*stages: dict[str, Any]) -> dict[str, Any]:
    return {"aggregate": "orders", "pipeline": list(stages), "cursor": {}}


MATCH = {"$match": {"customer": 3}}
JOIN = {"$lookup": {"from": "orders", "localField": "customer", "foreignField": "customer", "as": "all"}}


@pytest.mark.parametrize(
    ("command", "keys", "documents", "returned", "indexes", "sorts"),
    [
        ({"find": "orders", "filter": {"customer": 3}}, 50, 50, 50, ("customer_1",), False),
        (
            {"find": "orders", "filter": {"customer": 3}, "sort": {"name": 1}},
            50,
            50,
            50,
            ("customer_1",),
            True,
        ),
        ({"find": "orders", "filter": {"name": "3"}}, 0, 500, 1, (), False),
        ({"find": "orders", "filter": {"_id": 3}}, 1, 1, 1, ("_id_",), False),
        ({"find": "first", "filter": {"name": "1"}}, 50, 50, 1, ("customer_1",), False),
        ({"find": "nothing", "filter": {"name": "1"}}, 0, 0, 0, (), False),
        ({"count": "orders", "query": {"customer": 3}}, 51, 0, 50, ("customer_1",), False),
        (
            {"update": "orders", "updates": [{"q": {"customer": 3}, "u": {"$set": {"a": 1}}, "multi": True}]},
            50,
            50,
            50,
            ("customer_1",),
            False,
        ),
        (
            {"delete": "orders", "deletes": [{"q": {"customer": 3}, "limit": 0}]},
            50,
            50,
            50,
            ("customer_1",),
            False,
        ),
        (pipeline(MATCH, {"$group": {"_id": "$name"}}), 50, 50, 50, ("customer_1",), False),
        (pipeline(MATCH, {"$set": {"a": 1}}, {"$sort": {"a": 1}}), 50, 50, 50, ("customer_1",), True),
        (pipeline({"$match": {"_id": 3}}, JOIN), 51, 51, 1, ("_id_", "customer_1"), False),
    ],
    ids=str,
)
def test_figures_of_each_form(orders, command, keys, documents, returned, indexes, sorts):
    """Finds, writes, counts and pipelines, also those that read a second collection."""
    stats = execution_stats(explained(orders, command))

    assert (stats.keys_examined, stats.documents_examined, stats.returned) == (keys, documents, returned)
    assert set(stats.index_names) == set(indexes)
    assert stats.in_memory_sort is sorts
    assert stats.collection_scan is (documents == 500)


def test_a_join_that_unwinds_is_not_counted_by_the_server(orders):
    """The server counts nothing for a $lookup that has taken in the $unwind behind it: neither do we."""
    stats = execution_stats(explained(orders, pipeline({"$match": {"_id": 3}}, JOIN, {"$unwind": "$all"})))

    assert (stats.documents_examined, stats.returned) == (1, 50)


def test_explaining_changes_nothing(orders):
    """An update that is explained says what it would change and leaves it."""
    explained(orders, {"delete": "orders", "deletes": [{"q": {}, "limit": 0}]})

    assert orders.orders.count_documents({}) == 500


def test_stages_are_named_from_the_outside(orders):
    """The pipeline's own stages come first, then those of the plan."""
    stats = execution_stats(explained(orders, pipeline(MATCH, {"$set": {"a": 1}}, {"$sort": {"a": 1}})))

    assert stats.stages[0] == "$sort" and stats.stages[-1] == "IXSCAN"
    assert (stats.documents_per_returned, stats.keys_per_returned) == (1.0, 1.0)


def test_a_plan_that_was_not_run_has_no_figures(orders):
    """Planned alone, an operation has no figures, and that is said."""
    with pytest.raises(EngineError, match="executionStats"):
        execution_stats(explained(orders, {"find": "orders", "filter": {}}, "queryPlanner"))


def test_the_shards_of_a_cluster_are_added():
    """A mongos explains a pipeline by shard, as its manual page shows."""
    shard = {
        "queryPlanner": {
            "winningPlan": {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "a_1"}}
        },
        "executionStats": {
            "executionSuccess": True,
            "nReturned": 2,
            "totalKeysExamined": 3,
            "totalDocsExamined": 2,
            "executionTimeMillis": 4,
        },
    }

    stats = execution_stats({"mergeType": "mongos", "shards": {"one": shard, "two": shard}})

    assert (stats.keys_examined, stats.documents_examined, stats.returned, stats.elapsed_ms) == (6, 4, 4, 4)
    assert stats.index_names == ("a_1",)
