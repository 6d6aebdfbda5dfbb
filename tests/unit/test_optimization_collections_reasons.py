"""Why an operation on a collection is slow: each reason is found, and its near misses are not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import bson
import pytest
from bson.regex import Regex

from workbench.areas.optimization.collections.conditions import conditions
from workbench.areas.optimization.collections.reasons import reasons_of
from workbench.areas.optimization.collections.slow import SlowOperation, with_declared
from workbench.catalog.collections import Collection, CollectionCatalog, CollectionIndex, Operation
from workbench.catalog.observed_operations import of_pipeline
from workbench.documents.shape import infer

DOCUMENTS = 2_000
ID = CollectionIndex("_id_", (("_id", 1),))
ORDERS = infer(
    "orders",
    [
        b"".join(
            bson.encode(
                {
                    "_id": n,
                    "no": n,
                    "customer": n % 400,
                    "status": ("new", "paid", "sent", "done")[n % 4],
                    "name": f"Name {n % 900}",
                    "tags": [n % 7, n % 11],
                    "items": [{"qty": n % 5}, {"qty": n % 3}],
                }
            )
            for n in range(DOCUMENTS)
        )
    ],
    of=DOCUMENTS,
)


def catalog(*indexes: CollectionIndex, customers: int = 500, joined: tuple[CollectionIndex, ...] = ()) -> Any:
    """2,000 orders with *indexes*, and *customers*."""
    return CollectionCatalog(
        "shop",
        "MongoDB",
        "standalone",
        (
            Collection("orders", documents=DOCUMENTS, indexes=(ID, *indexes)),
            Collection("customers", documents=customers, indexes=(ID, *joined)),
        ),
    )


def index(*paths: str, **options: Any) -> CollectionIndex:
    return CollectionIndex("_".join(paths), tuple((path, 1) for path in paths), **options)


def seen(
    operation: Operation,
    *,
    documents: int = DOCUMENTS,
    returned: int = 1,
    plan: str = "COLLSCAN",
    **more: Any,
) -> SlowOperation:
    """One call of *operation* as the profiler saw it."""
    return SlowOperation(
        replace(operation, documents_examined=documents, returned=returned),
        "profiler",
        calls=1,
        total_ms=10.0,
        documents_examined=documents,
        returned=returned,
        plans={plan: 1} if plan else {},
        **more,
    )


def find(query: dict[str, Any], **options: Any) -> Operation:
    return Operation("orders", "find", query, **options)


def kinds(slow: SlowOperation, of: Any = None) -> set[str]:
    return {each.kind for each in reasons_of(slow, of or catalog(), {"orders": ORDERS})}


def test_a_collection_scan_for_a_few_documents_is_a_reason() -> None:
    """Who asks for one customer and reads all orders is told so."""
    assert "collection_scan" in kinds(seen(find({"customer": "<int>"}), returned=5))


@pytest.mark.parametrize(
    "slow",
    [
        seen(find({}), returned=DOCUMENTS),
        seen(find({"status": "<string>"}), returned=1_500),
        seen(find({"customer": "<int>"}), documents=90),
        seen(find({"customer": "<int>"}), documents=5, returned=5, plan="IXSCAN { customer: 1 }"),
        seen(find({"note": "COLLSCAN"}), documents=5, returned=5, plan='IXSCAN { "COLLSCAN": 1 }'),
        seen(Operation("orders", "aggregate", pipeline=({"$group": "<stage>"},)), returned=4),
    ],
    ids=["all wanted", "most wanted", "small", "by an index", "a field of that name", "a group of all"],
)
def test_a_scan_that_is_right_or_is_none_is_no_reason(slow: SlowOperation) -> None:
    """A scan that gives most of what it reads, is short, or is the name of a field, is left alone."""
    assert kinds(slow) == set()


def test_a_group_over_a_narrow_filter_is_a_scan_too_many() -> None:
    """Of a group the result says nothing of what was needed: the filter's share does."""
    group = replace(
        of_pipeline([{"$match": {"customer": 5}}, {"$group": {"_id": None}}]), collection="orders"
    )
    wide = replace(
        of_pipeline([{"$match": {"status": "new"}}, {"$group": {"_id": None}}]), collection="orders"
    )

    assert "collection_scan" in kinds(seen(group))
    assert "collection_scan" not in kinds(seen(wide))


def test_reading_in_vain_is_told_by_documents_a_result() -> None:
    """An index that finds 500 for 5 is told; one that finds 20 for 5 is not."""
    asked = find({"status": "<string>", "customer": "<int>"})

    assert kinds(seen(asked, documents=500, returned=5, plan="IXSCAN { status: 1 }")) == {"reads_in_vain"}
    assert kinds(seen(asked, documents=20, returned=5, plan="IXSCAN { status: 1 }")) == set()


def test_a_sort_in_memory_of_much_is_a_reason() -> None:
    """A sort of 2,000 documents without an index is told; of 50, or by an index, it is not."""
    newest = find({}, sort=(("no", -1),), limit=10)

    assert "sort_in_memory" in kinds(seen(newest, returned=10, sorted_in_memory=1))
    assert "sort_in_memory" in kinds(seen(newest, documents=50, sorted_in_memory=1, used_disk=1))
    assert (
        kinds(seen(newest, documents=50, returned=10, sorted_in_memory=1, plan="IXSCAN { no: 1 }")) == set()
    )
    assert kinds(seen(newest, documents=10, returned=10, plan="IXSCAN { no: 1 }")) == set()


@pytest.mark.parametrize(
    "query",
    [
        {"name": {"$regex": "ame 7"}},
        {"name": {"$regex": "^Name 7", "$options": "i"}},
        {"name": Regex("ame 7")},
        {"name": re.compile("^name 7", re.IGNORECASE)},
        {"$and": [{"name": {"$regex": "<text>", "$options": ""}}]},
    ],
)
def test_a_pattern_that_no_index_narrows_is_a_reason(query: dict[str, Any]) -> None:
    """A pattern without a start, or that does not mind case, is told, whichever way it is written."""
    assert "loose_pattern" in kinds(seen(find(query)))


@pytest.mark.parametrize(
    "query",
    [
        {"name": {"$regex": "^Name 7"}},
        {"name": "$regex of the i kind"},
        {"customer": 5, "name": {"$regex": "ame 7"}},
    ],
    ids=["bound to its start", "a text", "beside a selective field"],
)
def test_a_pattern_that_is_none_or_costs_nothing_is_no_reason(query: dict[str, Any]) -> None:
    """A pattern bound to its start, a text with such words, and one that few documents meet, are left "
    "alone."""
    assert "loose_pattern" not in kinds(seen(find(query)))


@pytest.mark.parametrize(
    "query",
    [
        {"status": {"$ne": "done"}},
        {"status": {"$nin": ["done"]}},
        {"gift": {"$exists": False}},
        {"no": {"$not": {"$gt": 5}}},
    ],
)
def test_a_negation_alone_is_a_reason(query: dict[str, Any]) -> None:
    """What is asked for by what it is not narrows little."""
    assert "negation" in kinds(seen(find(query)))


@pytest.mark.parametrize(
    "slow",
    [
        seen(find({"status": {"$ne": "done"}, "customer": 7})),
        seen(find({"gift": {"$ne": None}})),
        seen(find({"gift": {"$exists": True}})),
        seen(find({"status": {"$ne": "done"}}), documents=200, returned=200, plan="IXSCAN { status: 1 }"),
    ],
    ids=["beside a selective field", "not null", "exists", "gives what it reads"],
)
def test_a_negation_that_costs_nothing_is_no_reason(slow: SlowOperation) -> None:
    """Beside a selective field, or where what is read is wanted, a negation is left alone."""
    assert "negation" not in kinds(slow)


def test_an_alternative_without_an_index_is_a_reason() -> None:
    """One alternative without an index makes all of them a scan; with one, or with none at all, it is "
    "not that."""
    asked = seen(find({"$or": [{"customer": "<int>"}, {"name": "<string>"}]}))

    assert "alternative_without_index" in kinds(asked, catalog(index("customer")))
    assert "alternative_without_index" not in kinds(asked, catalog(index("customer"), index("name")))
    assert "alternative_without_index" not in kinds(asked, catalog())


def test_a_join_by_a_field_without_an_index_is_a_reason() -> None:
    """$lookup by a field that begins no index is told; by _id, an index or in a small collection it "
    "is not."""

    def joined(field: str) -> SlowOperation:
        stage = {
            "$lookup": {"from": "customers", "localField": "customer", "foreignField": field, "as": "of"}
        }
        return seen(replace(of_pipeline([stage]), collection="orders"), returned=DOCUMENTS)

    assert kinds(joined("code")) == {"join_without_index"}
    assert kinds(joined("code"), catalog(joined=(index("code", "city"),))) == set()
    assert kinds(joined("code"), catalog(joined=(index("city", "code"),))) == {"join_without_index"}
    assert kinds(joined("_id")) == set()
    assert kinds(joined("code"), catalog(customers=50)) == set()


def test_paging_by_skip_is_a_reason_once_it_is_deep() -> None:
    """Passing over 2,000 documents is told, over 20 not."""
    page = find({"status": "<string>"}, sort=(("no", 1),), limit=10)
    deep = seen(
        page,
        documents=10,
        returned=10,
        plan="IXSCAN { status: 1, no: 1 }",
        keys_examined=2_010,
        skipped=2_000,
    )

    assert kinds(deep) == {"skip"}
    assert kinds(replace(deep, keys_examined=30, skipped=20)) == set()


def test_a_long_list_is_a_reason() -> None:
    """An $in of more than 200 values is told, by its length or the class of it; one of 100 is not."""
    assert "long_list" in kinds(seen(find({"customer": {"$in": list(range(300))}})))
    assert "long_list" in kinds(seen(find({"customer": {"$in": ["<int>", "… over 200"]}})))
    assert "long_list" not in kinds(seen(find({"customer": {"$in": ["<int>", "… up to 200"]}})))
    assert "long_list" not in kinds(seen(find({"tags": {"$all": list(range(300))}})))


def test_javascript_is_a_reason() -> None:
    """$where is told, as an operator and not as a word in a value or a path's end."""
    assert "javascript" in {
        kind for each in with_declared([], [find({"$where": "this.no > 5"})]) for kind in kinds(each)
    }
    assert kinds(with_declared([], [find({"name": "$where", "customer": 5})])[0]) == set()
    function = {"$expr": {"$function": {"body": "function() { return true }", "args": [], "lang": "js"}}}
    assert "javascript" in kinds(with_declared([], [find(function)])[0])


def test_a_range_of_two_sides_over_an_array_is_a_reason_where_an_index_is_read_by_it() -> None:
    """Two sides over an array bound an index by one; within $elemMatch, or over no array, by both."""
    of = catalog(index("items.qty"), index("no"))

    assert "multikey_bounds" in kinds(seen(find({"items.qty": {"$gte": 1, "$lt": 2}})), of)
    assert "multikey_bounds" not in kinds(seen(find({"items.qty": {"$gte": 1}})), of)
    assert "multikey_bounds" not in kinds(
        seen(find({"items": {"$elemMatch": {"qty": {"$gte": 1, "$lt": 2}}}})), of
    )
    assert "multikey_bounds" not in kinds(seen(find({"no": {"$gte": 1, "$lt": 2}})), of)
    assert "multikey_bounds" not in kinds(seen(find({"items.qty": {"$gte": 1, "$lt": 2}})), catalog())


def test_a_computed_comparison_is_a_reason() -> None:
    """$expr over what is computed is told; over a field and a constant an index serves it."""
    assert "computed" in kinds(seen(find({"$expr": {"$gt": [{"$add": ["$no", 1]}, 5]}})))
    assert "computed" in kinds(seen(find({"$expr": {"$eq": ["$no", "$customer"]}})))
    assert "computed" not in kinds(seen(find({"$expr": {"$eq": ["$no", 5]}})))
    assert "computed" not in kinds(
        seen(find({"$expr": {"$and": [{"$eq": ["$no", 5]}, {"$gt": [{"$abs": "$no"}, 1]}]}}))
    )
    assert "computed" not in kinds(seen(find({"customer": 5, "$expr": {"$gt": [{"$abs": "$no"}, 1]}})))


def test_fetching_for_a_projection_that_an_index_could_give_is_a_reason() -> None:
    """Two plain fields of many documents need no document; _id shown, an array or few documents do "
    "not count."""
    shown = {"_id": 0, "no": 1}
    many: dict[str, Any] = {"documents": 1_500, "returned": 100, "plan": "IXSCAN { status: 1 }"}

    assert "not_covered" in kinds(seen(find({"status": "<string>"}, projection=shown), **many))
    assert "not_covered" not in kinds(seen(find({"status": "<string>"}, projection={"no": 1}), **many))
    assert "not_covered" not in kinds(
        seen(find({"status": "<string>"}, projection={"_id": 0, "tags": 1}), **many)
    )
    assert "not_covered" not in kinds(
        seen(find({"status": "<string>"}, projection={"_id": 0, "name": 0}), **many)
    )
    assert "not_covered" not in kinds(
        seen(find({"status": "<string>"}, projection=shown), **{**many, "documents": 900})
    )


def test_replans_and_write_conflicts_are_reasons_where_they_are_frequent() -> None:
    """A plan made anew in half of the calls, and more conflicts than calls, are told."""
    served: dict[str, Any] = {"documents": 5, "returned": 5, "plan": "IXSCAN { customer: 1 }"}

    assert kinds(seen(find({"customer": 5}), **served, replanned=1)) == {"replanned"}
    assert kinds(seen(find({"customer": 5}), **served, write_conflicts=3)) == {"write_conflicts"}
    assert kinds(replace(seen(find({"customer": 5}), **served, replanned=1), calls=50)) == set()


def test_a_filter_is_taken_apart_as_a_document() -> None:
    """Each operator is a condition with its path, also within $elemMatch, $or and beside each other."""
    query = {
        "a": 1,
        "b": {"$gt": 1, "$lt": 2},
        "c": {"$elemMatch": {"d": {"$in": [1]}}},
        "$or": [{"e": 1}, {"f.g": {"$ne": 2}}],
        "h": {"$gt": {"of": 1}},
        "i": {"plain": "object"},
    }
    found = [(each.path, each.operator, each.in_element, each.alternative) for each in conditions(query)]

    assert found == [
        ("a", "$eq", False, False),
        ("b", "$gt", False, False),
        ("b", "$lt", False, False),
        ("c.d", "$in", True, False),
        ("e", "$eq", False, True),
        ("f.g", "$ne", False, True),
        ("h", "$gt", False, False),
        ("i", "$eq", False, False),
    ]


def test_stages_are_read_from_a_summary_and_commas_in_a_key_part_nothing() -> None:
    """A summary of two scans has two stages, however many fields their keys have."""
    both = seen(find({}), plan='IXSCAN { a: 1, b: 1 }, IXSCAN { "c, COLLSCAN": 1 }')

    assert both.stages == {"IXSCAN"}
    assert seen(find({}), plan="").stages == frozenset()
