"""The checks of collections as pure functions: catalogs, shapes and operations in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from bson import ObjectId, Regex

from workbench.areas.nosql.checks import CHECKS, Context
from workbench.areas.nosql.checks.arrays import capped
from workbench.areas.nosql.checks.matching import anchored, patterns
from workbench.areas.nosql.checks.namespaces import families
from workbench.areas.nosql.checks.naming import calendar_day, durable, expiry, money, transient, words
from workbench.areas.nosql.checks.tallies import Values, reached, string_kinds
from workbench.catalog.collections import Collection, CollectionCatalog, CollectionIndex, Operation
from workbench.documents.shape import infer
from workbench.proof.findings import Finding

NOW = datetime(2024, 6, 1, tzinfo=UTC)
Key = tuple[tuple[str, int | str], ...]


def index(*key: tuple[str, int | str], **options: Any) -> CollectionIndex:
    return CollectionIndex("_".join(f"{path}_{way}" for path, way in key), key, **options)


def context_of(
    collections: dict[str, Sequence[dict[str, Any]]],
    *,
    catalog: Sequence[Collection] = (),
    operations: Sequence[Operation] = (),
    shard_keys: dict[str, Key] | None = None,
    full: bool = True,
) -> Context:
    """What the checks see of *collections* of documents, everything counted, ids looked up among them."""
    described = {each.name: each for each in catalog}
    shapes = {
        name: infer(name, [b"".join(bson.encode(each) for each in documents)], of=len(documents), full=full)
        for name, documents in collections.items()
    }
    facts = [
        replace(described.pop(name, Collection(name)), documents=len(documents))
        for name, documents in collections.items()
    ]
    context = Context(
        catalog=CollectionCatalog("shop", "MongoDB", "files", (*facts, *described.values())),
        shapes=shapes,
        operations=tuple(operations),
        looked_at_on="MongoDB",
        now=NOW,
        shard_keys=shard_keys or {},
        existing=lambda name, values: frozenset(
            each["_id"] for each in collections[name] if each.get("_id") in set(values)
        ),
    )
    answers = {}
    for question in (each for check in CHECKS if check.questions for each in check.questions(context)):
        tally = question.tally(NOW)
        for document in collections[question.collection]:
            tally.add(bson.decode(bson.encode(document), bson.CodecOptions(tz_aware=True)))
        answers[question] = tally
    return replace(context, answers=answers)


def findings(check: str, context: Context) -> list[Finding]:
    (found,) = [each for each in CHECKS if each.name == check]
    return list(found.find(context))


def objects(check: str, *arguments: Any, **options: Any) -> list[str]:
    return [finding.object for finding in findings(check, context_of(*arguments, **options))]


# What holds for all


def test_each_check_has_a_name_of_its_own() -> None:
    """No two checks share a name, by which a finding is known from run to run."""
    names = [check.name for check in CHECKS]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_nothing_is_found_where_there_is_nothing(check: Any) -> None:
    """Neither an empty database, nor an empty collection, nor a view is worth a word."""
    empty = context_of({"nothing": []}, catalog=[Collection("seen", kind="view", view_on="nothing")])

    assert list(check.find(context_of({}))) == []
    assert list(check.find(empty)) == []


def test_a_sample_does_not_verify() -> None:
    """What was counted in a sample is said to be so."""
    documents = [{"price": 9.99 + n} for n in range(50)]
    (finding,) = findings("money_as_double", context_of({"sales": documents}, full=False))

    assert not finding.verified
    assert "sample of 50" in finding.unverified_because


def test_nothing_is_claimed_without_the_documents() -> None:
    """A name alone is no evidence: where the values were not counted, money is not mentioned."""
    context = replace(context_of({"sales": [{"price": 9.99}] * 20}), answers={})

    assert findings("money_as_double", context) == []


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unitPriceUSD", ("unit", "price", "usd")),
        ("created_at", ("created", "at")),
        ("HTTPStatus", ("http", "status")),
        ("größe", words("größe")),
        ("", ()),
    ],
)
def test_words_of_a_name(name: str, expected: tuple[str, ...]) -> None:
    """Humps, underscores and acronyms part the words."""
    assert words(name) == expected


@pytest.mark.parametrize(
    ("path", "collection", "sure"),
    [
        ("price", "x", "surely"),
        ("items.[].unitPrice", "x", "surely"),
        ("payment.amount", "x", "surely"),
        ("total", "orders", "surely"),
        ("total", "games", "perhaps"),
        ("prices.*", "x", "surely"),
        ("rating", "x", ""),
        ("taxRate", "orders", ""),
        ("priceIndex", "x", ""),
        ("latitude", "x", ""),
        ("costCenterCount", "x", ""),
    ],
)
def test_money_by_name(path: str, collection: str, sure: str) -> None:
    """The last word decides, the words around it settle what it leaves open."""
    assert money(tuple(path.split(".")), collection) == sure


@pytest.mark.parametrize("name", ["expiresAt", "expires_at", "expiry", "expirationDate", "expireAt", "ttl"])
def test_expiry_by_name(name: str) -> None:
    """These fields say when their document expires."""
    assert expiry(name)


@pytest.mark.parametrize("name", ["expired", "createdAt", "validFrom", "deletedAt", "experience"])
def test_other_dates_are_no_expiry(name: str) -> None:
    """A date in the past tense is what happened."""
    assert not expiry(name)


def test_the_last_word_of_a_collection_says_what_it_holds() -> None:
    """User sessions pass, contracts stay, and a code is of what it is a code of."""
    assert [transient(each) for each in ("user_sessions", "carts", "verification_codes")] == [True] * 3
    assert [durable(each) for each in ("contracts", "coupon_codes", "creditCards")] == [True] * 3
    assert not transient("coupon_codes")
    assert not transient("users")


def test_birthdays_are_days() -> None:
    """A day of the calendar may well be text."""
    assert calendar_day(("person", "birthDate"))
    assert not calendar_day(("shippedOn",))


# Values


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2024-02-29", "date"),
        ("2024-02-29T10:30:00Z", "date and time"),
        ("2024-02-29 10:30:00.123+02:00", "date and time"),
        ("31/12/2024", "other date"),
        ("12.31.2024 10:30", "other date"),
        ("Mon, 15 Jan 2024 10:30:00 GMT", "other date"),
        ("19.99", "decimal number"),
        ("-7", "number"),
        ("65a4f0000000000000000001", "plausible object id"),
        ("550e8400-e29b-41d4-a716-446655440000", "uuid"),
    ],
)
def test_what_a_string_is_instead(text: str, kind: str) -> None:
    """Dates, numbers and ids are known by their form."""
    assert kind in string_kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2024-13-01",
        "0042",
        "1.2.3",
        "10.0.0.1",
        "2024-05",
        "99/99/2024",
        "1e5",
        "x" * 24,
        "",
        "7 ",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    """Days that are not, codes with leading zeros, versions, addresses and months are strings."""
    assert string_kinds(text) == []


def test_a_hash_is_no_object_id() -> None:
    """24 hexadecimal digits whose time is before 2009 or to come are no ObjectId by themselves."""
    assert string_kinds("0" * 24) == ["object id"]
    assert string_kinds("f" * 24) == ["object id"]


def test_values_are_reached_through_arrays_and_keys() -> None:
    """Every element and every key that is data is passed; a missing field gives nothing."""
    document = {"a": [{"b": 1}, {"b": 2}, {"c": 3}], "days": {"mon": {"n": 4}, "tue": {"n": 5}}}

    assert list(reached(document, ("a", "[]", "b"))) == [1, 2]
    assert list(reached(document, ("days", "*", "n"))) == [4, 5]
    assert list(reached(document, ("a", "b"))) == []


def test_amounts_that_calculation_has_touched_are_counted() -> None:
    """3 times 1199.99 is a hair beside an amount, 19.99 is one, 20.0 is whole, a measurement is neither."""
    tally = Values("c", ("v",)).tally(NOW)
    for value in (1199.99 * 3, 19.99, 20.0, 3.14159265, float("nan"), float("inf"), 1e300):
        tally.add({"v": value})

    assert (tally.rounding, tally.cents, tally.whole) == (1, 1, 2)
    assert tally.rounding_examples == [3599.9700000000003]


# Arrays


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ({200: 300}, True),
        ({200: 240, 17: 1, 90: 1}, True),
        ({250: 150, 130: 40, 3: 110}, True),
        ({5000: 1, 3: 300}, False),
        ({5000: 12, 3: 300}, False),
        (dict.fromkeys(range(500), 1), False),
    ],
)
def test_a_limit_is_where_lengths_pile_up(lengths: dict[int, int], expected: bool) -> None:
    """Vectors, buckets and slices end at one length; outliers do not show a limit."""
    assert capped(Counter(lengths)) is expected


def test_an_array_that_is_longer_the_older_the_document_grows() -> None:
    """Lengths that follow the age of the ObjectId are growth, though none is long yet."""
    documents = [
        {
            "_id": ObjectId(
                int((NOW - timedelta(days=n)).timestamp()).to_bytes(4, "big")
                + bytes([0] * 6)
                + n.to_bytes(2, "big")
            ),
            "entries": list(range(n // 2)),
        }
        for n in range(300)
    ]
    (finding,) = findings("unbounded_array", context_of({"devices": documents}))

    assert finding.object == "shop.devices.entries"
    assert finding.evidence[0].facts["age_rank_correlation"] == 1.0


def test_arrays_of_all_lengths_without_age_or_name_are_left_alone_while_short() -> None:
    """Up to 150 elements of any length are no growth by themselves."""
    documents = [{"_id": n, "parts": list(range(n % 150))} for n in range(300)]

    assert objects("unbounded_array", {"machines": documents}) == []


def test_a_declared_limit_counts_only_in_force() -> None:
    """A validator that only warns bounds nothing."""
    documents = [{"_id": n, "comments": ["x"] * (400 if n % 40 == 0 else 2)} for n in range(200)]
    schema = {"$jsonSchema": {"properties": {"comments": {"maxItems": 500}}}}

    for action, expected in (("error", []), ("warn", ["shop.posts.comments"])):
        catalog = [Collection("posts", validator=schema, validation_action=action, validation_level="strict")]
        assert objects("unbounded_array", {"posts": documents}, catalog=catalog) == expected


def test_two_declared_arrays_are_parallel_before_a_document_has_them() -> None:
    """An index over two fields that the validator calls arrays is found in an empty collection."""
    schema = {
        "$jsonSchema": {"properties": {"tags": {"bsonType": "array"}, "kinds": {"bsonType": ["array"]}}}
    }
    over = index(("tags", 1), ("kinds", 1))

    assert objects(
        "parallel_arrays",
        {"articles": []},
        catalog=[Collection("articles", validator=schema, indexes=(over,))],
    ) == ["shop.articles.tags_1_kinds_1"]


def test_both_fields_of_one_array_are_one_array() -> None:
    """items.sku and items.qty share their array, and so does an array within it."""
    documents = [{"items": [{"sku": "a", "qty": 1, "sizes": [1, 2]}]}] * 5
    over = index(("items.sku", 1), ("items.sizes", 1))

    assert objects("parallel_arrays", {"o": documents}, catalog=[Collection("o", indexes=(over,))]) == []


def test_two_arrays_within_the_elements_of_one_are_parallel() -> None:
    """items.sizes and items.colors are two arrays, though both are below items."""
    documents = [{"items": [{"colors": ["red"], "sizes": [1, 2]}]}] * 5
    over = index(("items.colors", 1), ("items.sizes", 1))
    (finding,) = findings(
        "parallel_arrays", context_of({"o": documents}, catalog=[Collection("o", indexes=(over,))])
    )

    assert finding.severity == "error"
    assert finding.evidence[0].facts["documents_both_are_arrays"] == 5


# Indexes


def redundant(*indexes: CollectionIndex, **facts: Any) -> list[str]:
    catalog = [Collection("c", indexes=(CollectionIndex("_id_", (("_id", 1),)), *indexes), **facts)]
    return [
        each.rpartition(".")[2] for each in objects("redundant_index", {"c": [{"a": 1}]}, catalog=catalog)
    ]


def test_a_prefix_is_redundant() -> None:
    """In the same direction or all against it; the shorter ones of a chain are served by the longest."""
    a, ab, abc = index(("a", 1)), index(("a", 1), ("b", -1)), index(("a", 1), ("b", -1), ("c", 1))

    assert redundant(a, ab) == ["a_1"]
    assert redundant(index(("a", -1)), ab) == ["a_-1"]
    assert redundant(index(("a", -1), ("b", 1)), abc) == ["a_-1_b_1"]
    assert sorted(redundant(a, ab, abc)) == ["a_1", "a_1_b_-1"]
    assert redundant(index(("a", 1)), index(("a", -1))) == ["a_-1"]


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"unique": True}, {}),
        ({"sparse": True}, {}),
        ({}, {"sparse": True}),
        ({"partial_filter": {"x": 1}}, {}),
        ({}, {"partial_filter": {"x": 1}}),
        ({"collation": {"locale": "en", "strength": 2}}, {}),
        ({"expire_after_s": 60.0}, {}),
        ({"hidden": True}, {}),
        ({}, {"hidden": True}),
        ({"size_bytes": 2**20}, {"size_bytes": 2**24}),
    ],
)
def test_a_prefix_that_does_more_is_not_redundant(narrow: dict[str, Any], wide: dict[str, Any]) -> None:
    """Each of these enforces, removes or holds something else."""
    assert redundant(index(("a", 1), **narrow), index(("a", 1), ("b", 1), **wide)) == []


def test_other_kinds_and_orders_are_not_prefixes() -> None:
    """Hashed, text and wildcard keys, other directions, fields behind others, and the _id."""
    assert redundant(index(("a", "hashed")), index(("a", 1), ("b", 1))) == []
    assert redundant(index(("a", 1), ("b", 1)), index(("a", 1), ("b", -1), ("c", 1))) == []
    assert redundant(index(("b", 1)), index(("a", 1), ("b", 1))) == []
    assert redundant(index(("_id", 1), ("a", 1))) == []
    assert redundant(index(("$**", 1)), index(("$**", 1), ("b", 1))) == []


def test_a_unique_twin_serves_a_unique_one() -> None:
    """Of two unique indexes on the same field in both directions one is enough."""
    assert redundant(index(("a", 1), unique=True), index(("a", -1), unique=True)) == ["a_-1"]
    assert redundant(index(("a", 1)), index(("a", -1), unique=True)) == ["a_1"]


def test_an_index_that_inherits_the_collections_collation_is_as_one_that_has_it() -> None:
    """No collation of its own means the collection's; simple means none."""
    folding = {"locale": "en", "strength": 2}
    wide = index(("a", 1), ("b", 1), collation=folding)

    assert redundant(index(("a", 1)), wide, collation=folding) == ["a_1"]
    assert redundant(index(("a", 1), collation={"locale": "simple"}), wide, collation=folding) == []


def unused(since: datetime | None, **facts: Any) -> list[str]:
    busy = index(("_id", 1), accesses=facts.pop("busy", 9), accesses_since=since)
    seen = index(("a", 1), **{"accesses": 0, "accesses_since": since, **facts})
    return objects("unused_index", {"c": []}, catalog=[Collection("c", indexes=(busy, seen))])


def test_an_index_without_an_access_in_a_week_is_unused() -> None:
    """A week is enough, a day less is not, and a time without a zone is UTC."""
    assert unused(NOW - timedelta(days=7)) == ["shop.c.a_1"]
    assert unused((NOW - timedelta(days=7)).replace(tzinfo=None)) == ["shop.c.a_1"]
    assert unused(NOW - timedelta(days=6)) == []
    assert unused(None) == []


def test_an_index_that_works_without_being_read_is_not_unused() -> None:
    """Unique, TTL and hidden ones; and none at all on a member that nobody asks."""
    old = NOW - timedelta(days=30)

    assert unused(old, unique=True) == unused(old, expire_after_s=1.0) == unused(old, hidden=True) == []
    assert unused(old, busy=0) == []
    assert unused(old, accesses=1) == []


def test_the_severity_of_many_indexes() -> None:
    """15 are none too many, 16 are a warning, 50 are near the limit."""
    for count, expected in ((15, []), (16, ["warn"]), (50, ["error"])):
        catalog = [Collection("c", indexes=tuple(index((f"f{n}", 1)) for n in range(count)))]
        found = findings("too_many_indexes", context_of({"c": []}, catalog=catalog))
        assert [each.severity for each in found] == expected


# Families of collections


def test_families_by_date_number_and_tenant() -> None:
    """Names that differ in one part; words that differ count for tenants alone."""
    months = [f"log_{year}_{month:02}" for year in (2023, 2024) for month in range(1, 13)]
    days = [f"log{n}" for n in range(20240101, 20240110)]
    tenants = [
        f"{who}_{what}" for who in ("acme", "globex", "initech", "stark", "wayne") for what in ("a", "b")
    ]
    lookups = [f"ref_{n}" for n in ("countries", "currencies", "units", "titles", "colors", "sizes")]

    assert [each.pattern for each in families(months)] == ["log_*"]
    assert [(each.pattern, each.by) for each in families(days)] == [("log*", "date")]
    assert [each.pattern for each in families(tenants)] == ["*_a", "*_b"]
    assert families(lookups) == []
    assert families(["oauth2", "s3_files", "md5", "ipv4"]) == []


def test_more_than_ten_thousand_collections() -> None:
    """The limit that MongoDB advises, and not one less."""
    names = [f"c{chr(97 + n // 676 % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}x" for n in range(10_001)]

    assert objects("too_many_collections", {}, catalog=[Collection(each) for each in names]) == ["shop"]
    assert objects("too_many_collections", {}, catalog=[Collection(each) for each in names[1:]]) == []


# Operations


def test_patterns_of_an_operation_in_whichever_form() -> None:
    """Regular expressions as values, as $regex with options, within $or, $in, $not and a pipeline."""
    operation = Operation(
        "c",
        "aggregate",
        {"a": Regex("x", "i"), "$or": [{"b.c": {"$regex": "^y"}}, {"d": {"$in": [Regex("^z")]}}]},
        pipeline=({"$match": {"e": {"$not": {"$regex": "w", "$options": "i"}}}}, {"$limit": 1}),
    )

    assert sorted(patterns(operation)) == [
        ("a", "x", True),
        ("b.c", "^y", False),
        ("d", "^z", False),
        ("e", "w", True),
    ]


def test_anchored_patterns() -> None:
    """A start that every match has; an alternative may begin anywhere."""
    assert anchored("^abc")
    assert anchored(r"\Aabc")
    assert not anchored("abc")
    assert not anchored("^abc|def")


def test_a_joined_field_needs_an_index_that_begins_with_it() -> None:
    """A second place in a key, a partial and a hidden index do not serve; a wildcard and a hashed one do."""
    lookup = {"from": "reviews", "localField": "sku", "foreignField": "sku", "as": "r"}
    operation = Operation("products", "aggregate", pipeline=({"$lookup": lookup},))

    def found(*indexes: CollectionIndex) -> list[str]:
        catalog = [Collection("reviews", indexes=indexes, documents=5_000)]
        return objects("unindexed_lookup", {}, catalog=catalog, operations=[operation])

    assert found() == ["shop.reviews.sku"]
    assert found(index(("at", 1), ("sku", 1))) == ["shop.reviews.sku"]
    assert found(index(("sku", 1), partial_filter={"x": 1})) == ["shop.reviews.sku"]
    assert found(index(("sku", 1), hidden=True)) == ["shop.reviews.sku"]
    assert (
        found(index(("sku", 1), ("at", 1)))
        == found(index(("$**", 1)))
        == found(index(("sku", "hashed")))
        == []
    )


def test_a_join_within_a_facet_or_a_view_is_seen() -> None:
    """Pipelines within pipelines are read, and those of views."""
    lookup = {"$lookup": {"from": "r", "localField": "a", "foreignField": "b", "as": "x"}}
    view = Collection("v", kind="view", view_on="c", pipeline=({"$facet": {"one": [lookup]}},))

    assert objects("unindexed_lookup", {}, catalog=[Collection("r", documents=5_000), view]) == ["shop.r.b"]


# Shard keys


def test_a_shard_key_by_its_values() -> None:
    """Few values, one frequent value, values that rise; a compound key is judged as a whole."""
    documents = [{"_id": n, "country": "de" if n % 2 else "fr", "n": n * 7919 % 1000} for n in range(1000)]

    def found(check: str, *key: tuple[str, int | str]) -> list[str]:
        return objects(check, {"c": documents}, shard_keys={"c": key})

    assert found("low_cardinality_shard_key", ("country", 1)) == ["shop.c.country"]
    assert found("low_cardinality_shard_key", ("country", "hashed")) == ["shop.c.country"]
    assert found("low_cardinality_shard_key", ("country", 1), ("n", 1)) == []
    assert found("monotonic_shard_key", ("_id", 1)) == ["shop.c._id"]
    assert found("monotonic_shard_key", ("_id", "hashed")) == []
    assert found("monotonic_shard_key", ("n", 1)) == []


# Types


def test_a_discriminator_tells_the_type() -> None:
    """Beside it, above it, and as the key of a pair; without it the mixture is found."""
    values = {"text": "x", "number": 7, "flag": True}
    beside = [{"kind": kind, "payload": value} for kind, value in values.items()] * 40
    above = [{"kind": kind, "body": {"payload": value}} for kind, value in values.items()] * 40
    pairs = [{"facts": [{"k": kind, "v": value} for kind, value in values.items()]}] * 40
    alone = [{"payload": value} for value in values.values()] * 40

    assert objects("mixed_types", {"a": beside, "b": above, "c": pairs}) == []
    assert objects("mixed_types", {"d": alone}) == ["shop.d.payload"]


def test_one_value_of_another_type_is_found() -> None:
    """A single mistake among thousands is counted, whatever stands beside it."""
    documents: list[dict[str, Any]] = [{"kind": f"k{n % 9}", "size": n} for n in range(3_000)]
    documents[1_234]["size"] = "large"
    (finding,) = findings("mixed_types", context_of({"parts": documents}))

    assert finding.evidence[0].facts["not_of_the_main_type"] == 1


def test_types_that_the_validator_names_are_meant() -> None:
    """A list of types and anyOf are declarations; null beside one type is no second one."""
    documents = [{"reference": n if n % 2 else "x"} for n in range(40)]
    for schema, expected in (
        ({"bsonType": ["int", "string"]}, []),
        ({"anyOf": [{"bsonType": "int"}, {"bsonType": "string"}]}, []),
        ({"bsonType": ["int", "null"]}, ["shop.c.reference"]),
    ):
        validator = {"$jsonSchema": {"properties": {"reference": schema}}}
        assert (
            objects("mixed_types", {"c": documents}, catalog=[Collection("c", validator=validator)])
            == expected
        )


def test_references_are_looked_up_by_name_and_type() -> None:
    """One that leads nowhere among many; a field of which nothing is found refers to something else."""
    customers = [{"_id": n} for n in range(100)]
    some = [{"customerId": n % 100 if n else 4711} for n in range(200)]
    none = [{"customer_id": 1_000 + n} for n in range(200)]
    other_type = [{"customerId": str(n)} for n in range(200)]

    assert objects("reference_without_target", {"customers": customers, "orders": some}) == [
        "shop.orders.customerId"
    ]
    assert objects("reference_without_target", {"customers": customers, "orders": none}) == []
    assert objects("reference_without_target", {"customers": customers, "orders": other_type}) == []


def test_odd_names_are_written_and_spelled() -> None:
    """Quotes, dots, dollars, HTML and emoji are quoted in the object and in the fix."""
    odd = 'a"b.c$d <b>🐘'
    context = context_of({odd: [{"unit price": 1.5 + n} for n in range(30)]})
    (finding,) = findings("money_as_double", context)

    assert finding.object == 'shop["a\\"b.c$d <b>🐘"]["unit price"]'
    assert 'db.getCollection("a\\"b.c$d <b>🐘").updateMany({"unit price"' in finding.fix
