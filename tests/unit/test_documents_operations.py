"""Operations that are declared in a file, or seen by the profiler, and what they ask of each field."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
from bson import ObjectId, Regex

from workbench.catalog.collections import Collection, CollectionCatalog
from workbench.catalog.observed_operations import observed_operations, shape_of
from workbench.documents.operations import operations_from_file
from workbench.documents.predicates import branches_of
from workbench.errors import BadInput, SourceError

CATALOG = CollectionCatalog("shop", "MongoDB 6.0.5", "primary", (Collection("orders"), Collection("carts")))


def written(folder: Path, text: str) -> Path:
    path = folder / "operations.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_declares_operations(tmp_path):
    """Filter, sort, limit, collation and frequency come as they are written, dates as extended JSON."""
    path = written(
        tmp_path,
        """[
          {"collection": "orders", "find": {"at": {"$gte": {"$date": "2024-05-01T00:00:00Z"}}},
           "sort": {"at": -1, "no": 1}, "limit": 20, "collation": {"locale": "en"}, "per_hour": 3600},
          {"collection": "carts",
           "aggregate": [{"$match": {"open": true}}, {"$sort": {"at": 1}}, {"$limit": 3}]},
          {"collection": "carts", "delete": {}}
        ]""",
    )

    found, pipeline, deleted = operations_from_file(path, catalog=CATALOG)

    assert found.filter == {"at": {"$gte": datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)}}
    assert (found.sort, found.limit, found.per_hour) == ((("at", -1), ("no", 1)), 20, 3600.0)
    assert (found.collation, found.origin) == ({"locale": "en"}, "operations.json")
    assert (pipeline.filter, pipeline.sort, pipeline.limit) == ({"open": True}, (("at", 1),), 3)
    assert (deleted.kind, deleted.filter) == ("delete", {})


def test_an_empty_list_declares_nothing(tmp_path):
    """No operation is no error."""
    assert operations_from_file(written(tmp_path, " [ ] \n")) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "begin it with ["),
        ('{"collection": "orders"}', 1, "begin it with ["),
        ('[\n {"collection": "orders", "find": {}},\n {"collection": "orders"}]', 3, "none is given"),
        ('[\n {"collection": "orders", "find": {}, "delete": {}}]', 2, "2 are given"),
        ('[\n\n {"collection": "orders", "find": {,}}]', 3, "is not JSON"),
        ('[{"collection": "orders", "find": {}}\n {}]', 2, "comma"),
        ('[{"collection": "orders", "find": {}}] []', 1, "more after the list"),
        ('[{"collection": "orders", "find": {"a": 1, "a": 2}}]', 1, "'a' is written twice"),
        ('[{"collection": "orders", "find": [1]}]', 1, "takes a filter"),
        ('[{"collection": "orders", "aggregate": {}}]', 1, "takes a pipeline"),
        ('[{"find": {}}]', 1, "collection is missing"),
        ('[{"collection": "orders", "find": {}, "sorted": {}}]', 1, "'sorted' is not known"),
        ('[{"collection": "orders", "find": {}, "sort": {"a": 0}}]', 1, "1 or -1"),
        ('[{"collection": "orders", "find": {}, "sort": {"a": true}}]', 1, "1 or -1"),
        ('[{"collection": "orders", "find": {}, "limit": -1}]', 1, "limit is a whole number"),
        ('[{"collection": "orders", "find": {}, "per_hour": NaN}]', 1, "per_hour is a number"),
        ('[{"collection": "orders", "find": {}, "collation": {"strength": 2}}]', 1, "needs a locale"),
        ('[{"collection": "orders", "find": {"_id": {"$oid": "zz"}}}]', 1, "'zz' is not a valid ObjectId"),
        ('[{"collection": "order", "find": {}}]', 1, "did you mean 'orders'?"),
        ("[" * 100_000, 1, "nested too deeply"),
    ],
)
def test_bad_input_names_the_line(tmp_path, text, line, words):
    """What is wrong is said in one line, with the file, the line and what to do."""
    path = written(tmp_path, text)

    with pytest.raises(BadInput) as error:
        operations_from_file(path, catalog=CATALOG)

    assert str(error.value).startswith(f"{path}:{line}: ") and words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path):
    """A missing file and another encoding are errors of the source."""
    (tmp_path / "latin.json").write_bytes(b'["\xe4"]')

    with pytest.raises(SourceError, match="No such file"):
        operations_from_file(tmp_path / "none.json")
    with pytest.raises(SourceError, match="is not UTF-8"):
        operations_from_file(tmp_path / "latin.json")


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        ({"a": 1, "b": None, "c": True}, {"a": "<int>", "b": None, "c": "<bool>"}),
        ({"a": {"$gte": 1.5, "$lt": 9}}, {"a": {"$gte": "<double>", "$lt": "<int>"}}),
        ({"a": {"$in": ["x"]}}, {"a": {"$in": ["<string>"]}}),
        ({"a": {"$in": list(range(9))}}, {"a": {"$in": ["<int>", "… up to 10"]}}),
        ({"a": {"$in": list(range(201))}}, {"a": {"$in": ["<int>", "… over 200"]}}),
        ({"a": re.compile("^Ab", re.IGNORECASE)}, {"a": {"$regex": "^<text>", "$options": "i"}}),
        ({"a": {"$regex": "(?i)^ab"}}, {"a": {"$regex": "^<text>", "$options": "i"}}),
        ({"a": Regex("^ab|c")}, {"a": {"$regex": "<text>", "$options": ""}}),
        ({"a": {"$exists": False}, "b": {"$ne": 3}}, {"a": {"$exists": False}, "b": {"$ne": "<int>"}}),
        ({"a": {"x": 1}}, {"a": "<object>"}),
        ({"a": {"$elemMatch": {"b": ObjectId()}}}, {"a": {"$elemMatch": {"b": "<objectId>"}}}),
        ({"$or": [{"a": 1}, {"b": "secret"}]}, {"$or": [{"a": "<int>"}, {"b": "<string>"}]}),
    ],
)
def test_a_shape_has_no_values(query, shape):
    """Values become their types; operators, null and what an index asks of them stay; twice is as once."""
    assert shape_of(query) == shape
    assert shape_of(shape) == shape


@pytest.mark.parametrize(
    ("query", "predicates"),
    [
        ({"a": 1, "b": {"$gt": 1, "$lt": 3}}, {("a", "equality", 0), ("b", "range", 2)}),
        ({"a": {"$gt": 1}, "b": {"$in": [1, 2]}}, {("a", "range", 1), ("b", "in", 0)}),
        ({"a": {"$ne": 1}, "b": {"$exists": False}}, {("a", "residual", 0), ("b", "residual", 0)}),
        ({"a": Regex("^Wal")}, {("a", "range", 3)}),
        ({"a": Regex("^Wal", "i")}, {("a", "residual", 0)}),
        ({"a": Regex("Wal")}, {("a", "residual", 0)}),
        ({"a": Regex("^W*al")}, {("a", "residual", 0)}),
        ({"a": {"$elemMatch": {"b": 1, "c": {"$gt": 1}}}}, {("a.b", "equality", 0), ("a.c", "range", 1)}),
        ({"$and": [{"a": 1}, {"b": 2}]}, {("a", "equality", 0), ("b", "equality", 0)}),
    ],
)
def test_predicates_of_a_filter(query, predicates):
    """Equality, one of some, a range, or nothing that can be looked up: also within $and and $elemMatch."""
    (branch,) = branches_of(query)

    assert {(each.path, each.kind, each.bounds) for each in branch.predicates} == predicates


def test_each_alternative_is_a_branch():
    """The alternatives of an $or each take the predicates beside it along; text search is no branch."""
    branches = branches_of({"$or": [{"a": 1}, {"b": 2}], "c": 3})

    assert [{each.path for each in branch.predicates} for branch in branches] == [{"a", "c"}, {"b", "c"}]
    assert branches_of({"$text": {"$search": "x"}}) is None


def test_the_profiler_is_grouped_by_shape():
    """Executions of one shape are one operation, a getMore belongs to its find, figures are means."""
    start = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)

    def entry(seconds, op="query", **fields):
        return {
            "op": op,
            "ns": "shop.orders",
            "ts": start + datetime.timedelta(seconds=seconds),
            "keysExamined": 0,
            "docsExamined": 100,
            "nreturned": 10,
            "millis": 4,
            "planSummary": "COLLSCAN",
            **fields,
        }

    entries = [
        entry(0, command={"find": "orders", "filter": {"a": 1, "b": 2}}),
        entry(1800, command={"find": "orders", "filter": {"b": 7, "a": 3}}),
        entry(
            1801,
            "getmore",
            command={"getMore": 1},
            originatingCommand={"find": "orders", "filter": {"a": 1, "b": 2}},
        ),
        entry(3600, "update", command={"q": {"a": 1}, "u": {}}, nMatched=3),
        entry(3600, command={"find": "orders", "filter": {"z": 1}}, appName="workbench reader"),
        entry(3600, command={"find": "system.users", "filter": {}}, ns="shop.system.users"),
        entry(3600, command={"$truncated": "{ find: ..."}),
    ]

    found, updated = sorted(observed_operations(entries, "shop"), key=lambda each: each.kind)

    assert (found.filter, found.count, found.per_hour) == ({"a": "<int>", "b": "<int>"}, 2, 2.0)
    assert (found.documents_examined, found.returned, found.mean_ms) == (150, 15, 6.0)
    assert (updated.kind, updated.returned, updated.plan) == ("update", 10, "COLLSCAN")
