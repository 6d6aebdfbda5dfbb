"""The example as collections: true to its design, the same for the same seed, every index for a query."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, WriteError

from workbench import example as oltp
from workbench import sql
from workbench.areas.nosql.reconciliation import reconcile
from workbench.areas.nosql.roles import apply_roles, drop_roles, roles
from workbench.documents.example.build import BuiltExample, build_example, sample_queries
from workbench.documents.example.designs import (
    BUCKET_SPANS_S,
    FILLED_BUCKET,
    apply_design,
    design,
    designed,
    granularity,
    pipeline,
    views,
)
from workbench.engines.mongo import Document, MongoServer
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.source import Options, open_source

PAGE = Path(__file__).parents[2] / "docs" / "nosql_example.md"
MOMENT = datetime.now(UTC).replace(microsecond=0)
CHOSEN_BY_THE_SERVER = {"activity_inbox": {"_id"}, "user_activities": {"_id"}, "inventory": {"_id"}}


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Connection]:
    """The e-commerce example, small."""
    with open_source("ecommerce", server, Options(scale=0.001)) as source:
        yield source.connection


@pytest.fixture(scope="module")
def example(mongo_server: MongoServer, shop: Connection) -> Iterator[tuple[Database[Document], BuiltExample]]:
    with mongo_server.scratch_database(label="example") as database:
        yield database, build_example(shop, database, moment=MOMENT)


@pytest.fixture(scope="module")
def built(example: tuple[Database[Document], BuiltExample]) -> Database[Document]:
    return example[0]


def content(database: Database[Document], name: str) -> list[Document]:
    """The documents of a collection in a fixed order, without what the server or the driver chose."""
    left_out = CHOSEN_BY_THE_SERVER.get(name, set())
    found = [
        {field: value for field, value in each.items() if field not in left_out}
        for each in database[name].find()
    ]
    for each in found:
        each.get("reviewSummary", {}).pop("computedAt", None)
    return sorted(found, key=repr)


def plan_of(database: Database[Document], command: Document) -> Document:
    """The figures of executionStats with the ``names`` of the indexes used."""
    found = database.command("explain", command, verbosity="executionStats")
    if "executionStats" not in found:
        first = found["stages"][0]
        found = next(first[name] for name in ("$cursor", "$geoNearCursor") if name in first)
    return {**found["executionStats"], "names": index_names(found["queryPlanner"]["winningPlan"])}


def index_names(plan: Any) -> set[str]:
    if isinstance(plan, list):
        return set().union(*map(index_names, plan)) if plan else set()
    if not isinstance(plan, dict):
        return set()
    if "indexName" in plan:
        return {plan["indexName"]}
    return index_names(list(plan.values()))


def test_every_collection_has_documents_of_the_shop(
    example: tuple[Database[Document], BuiltExample], shop: Connection
) -> None:
    """Counts are those of the collections; products and stock are as many as in PostgreSQL."""
    database, made = example
    counts = {each.name: database[each.name].count_documents({}) for each in design()}
    (products, stock) = shop.execute(
        "select (select count(*) from shop.products), (select count(*) from shop.inventory)"
    ).fetchone() or (0, 0)

    assert dict(made.documents) == counts
    assert min(counts.values()) > 0
    assert (counts["products"], counts["inventory"]) == (products, stock)
    assert reconcile(shop, database).holds
    assert made.granularity == granularity(made.events_per_hour_per_source)


def test_every_document_is_as_its_validator_says(built: Database[Document]) -> None:
    """No document is against its validator, and every product type, state and kind of owner is there."""
    for each in design():
        if each.validator:
            assert built[each.name].count_documents({"$nor": [each.validator]}) == 0, each.name
    types = designed("products").schema["properties"]["type"]["enum"]  # type: ignore[index]
    assert set(built["products"].distinct("type")) == set(types)
    assert set(built["activity_inbox"].distinct("state")) == {"new", "moving", "moved"}
    assert built["carts"].count_documents({"owner.userId": {"$exists": True}}) > 0
    assert built["carts"].count_documents({"owner.guestTokenHash": {"$exists": True}}) > 0
    assert built["price_history"].count_documents({"prices.49": {"$exists": True}}) > 0


def test_every_index_serves_the_queries_that_it_is_for(built: Database[Document]) -> None:
    """The server chooses the index itself and reads a key or two for a document returned."""
    queries = sample_queries(built)
    served = set()
    for each in queries:
        operation = each.operation
        command: Document = {"find": each.collection, "filter": dict(operation.filter)}
        if operation.sort:
            command["sort"] = dict(operation.sort)
        if operation.limit:
            command["limit"] = operation.limit
        if operation.kind == "aggregate":
            command = {"aggregate": each.collection, "pipeline": list(operation.pipeline), "cursor": {}}
        plan = plan_of(built, command)
        assert plan["names"] == {each.index}, each
        assert plan["nReturned"] > 0, each
        if each.index not in ("words", "location_2dsphere"):
            assert plan["totalKeysExamined"] <= 2 * plan["nReturned"] + 2, each
        served.add((each.collection, each.index))
    assert served == {(each.name, index.name) for each in design() for index in each.indexes}


def test_nothing_has_expired_when_it_is_built(built: Database[Document]) -> None:
    """What expires does so days after the build, whatever the dates of the shop's orders are."""
    for name in ("carts", "sessions"):
        (first,) = built[name].find(sort=[("expiresAt", 1)], limit=1)
        assert first["expiresAt"] > MOMENT + timedelta(days=1)
    (oldest,) = built["user_activities"].find(sort=[("timestamp", 1)], limit=1)
    kept = timedelta(seconds=designed("user_activities").options["expireAfterSeconds"])
    assert MOMENT - kept + timedelta(days=5) < oldest["timestamp"] < MOMENT


def test_the_same_seed_gives_the_same_documents(
    mongo: Database[Document], built: Database[Document], shop: Connection
) -> None:
    """Shop, seed and moment decide every document; the granularity and the summaries come out the same."""
    again = build_example(shop, mongo, moment=MOMENT)

    assert again.documents["user_activities"] > 0
    for each in design():
        assert content(mongo, each.name) == content(built, each.name), each.name


def test_another_seed_gives_other_documents(
    mongo: Database[Document], built: Database[Document], shop: Connection
) -> None:
    """Pseudonyms, sessions and attributes differ; what the shop has is the same."""
    build_example(shop, mongo, seed=2, moment=MOMENT)

    assert not set(mongo["user_activities"].distinct("userPseudonym")) & set(
        built["user_activities"].distinct("userPseudonym")
    )
    assert mongo["products"].distinct("sku") == built["products"].distinct("sku")
    assert content(mongo, "products") != content(built, "products")
    assert content(mongo, "inventory") == content(built, "inventory")


def test_documents_go_into_empty_collections_only(built: Database[Document], shop: Connection) -> None:
    """A second build is refused in one line that says where; nothing is added."""
    before = built["products"].count_documents({})
    with pytest.raises(BadInput, match="already has documents in activity_inbox, user_activities"):
        build_example(shop, built)

    assert built["products"].count_documents({}) == before


def test_a_build_leaves_nothing_in_the_shop(shop: Connection, built: Database[Document]) -> None:
    """The connection is as it was: no transaction, no temporary table."""
    left = shop.execute(
        "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'"
    ).fetchone()

    assert shop.autocommit
    assert left == (0,)


def test_a_shop_that_is_none_is_refused(pg: Connection, mongo: Database[Document]) -> None:
    """Without the shop's tables, with a wrong seed, or inside a transaction, a line says what to do."""
    with pytest.raises(BadInput, match="shop's tables are missing"):
        build_example(pg, mongo)
    with pytest.raises(BadInput, match="seed -1"):
        build_example(pg, mongo, seed=-1)
    pg.autocommit = False
    pg.execute("select 1")
    with pytest.raises(BadInput, match="inside a transaction"):
        build_example(pg, mongo)
    assert mongo.list_collection_names() == []


def test_a_shop_without_orders_is_refused(server: Server, mongo: Database[Document]) -> None:
    """An empty shop says so, and nothing is created."""
    with server.scratch_database(label="empty") as name, server.session(name) as conn:
        oltp.apply_schema(conn)
        with pytest.raises(BadInput, match="no orders"):
            build_example(conn, mongo)
    assert mongo.list_collection_names() == []


def test_values_are_not_taken_from_empty_collections(mongo: Database[Document]) -> None:
    """Without documents there are no sample queries: a line says which collection lacks them."""
    apply_design(mongo)
    with pytest.raises(BadInput, match=r"activity_inbox has no document .* build the example"):
        sample_queries(mongo)


def test_the_design_repairs_what_differs(mongo: Database[Document]) -> None:
    """A weaker validator, a missing index, another expiry and a changed view are put right, and named."""
    apply_design(mongo)
    mongo.command("collMod", "carts", validator={}, validationLevel="moderate")
    mongo["products"].drop_index("sku")
    mongo.command("collMod", "sessions", index={"name": "expire", "expireAfterSeconds": 60})
    mongo.command("collMod", "user_activities", expireAfterSeconds=60)
    mongo.command("collMod", "activity_facts", viewOn="user_activities", pipeline=[])

    assert apply_design(mongo) == [
        "altered user_activities: expireAfterSeconds",
        "indexed products: sku",
        "altered carts: validator, validationLevel",
        "altered sessions.expire: expireAfterSeconds",
        "altered activity_facts",
    ]
    assert apply_design(mongo) == []
    assert mongo.list_collections(filter={"name": "activity_facts"}).next()["options"]["pipeline"] == list(
        views()[0].pipeline
    )


def test_granularity_is_made_coarser_only(mongo: Database[Document]) -> None:
    """The event rate decides; a lower rate later makes the buckets last longer, a higher one leaves them."""

    def in_force() -> str:
        found = mongo.list_collections(filter={"name": "user_activities"}).next()
        granularity_in_force: str = found["options"]["timeseries"]["granularity"]
        return granularity_in_force

    apply_design(mongo, events_per_hour_per_source=5_000)
    assert in_force() == "seconds"
    assert apply_design(mongo, events_per_hour_per_source=0.5) == ["altered user_activities: timeseries"]
    assert in_force() == "hours"
    assert apply_design(mongo, events_per_hour_per_source=5_000) == []
    assert in_force() == "hours"


def test_granularity_is_the_finest_that_fills_a_bucket() -> None:
    """Just enough events for a bucket's span choose it, one fewer the next coarser one."""
    for finer, coarser in (("seconds", "minutes"), ("minutes", "hours")):
        enough = FILLED_BUCKET * 3600 / BUCKET_SPANS_S[finer]  # type: ignore[index]
        assert granularity(enough) == finer
        assert granularity(enough * 0.99) == coarser
    with pytest.raises(BadInput, match="event rate of -1"):
        granularity(-1)


@pytest.mark.parametrize("kind", ["view", "time series", "other meta field"])
def test_something_else_of_the_same_name_is_left_alone(kind: str, mongo: Database[Document]) -> None:
    """A view or a time series where a collection should be is refused, and so is another meta field."""
    if kind == "view":
        mongo.create_collection("products", viewOn="x", pipeline=[])
    elif kind == "time series":
        mongo.create_collection("products", timeseries={"timeField": "at"})
    else:
        mongo.create_collection("user_activities", timeseries={"timeField": "timestamp", "metaField": "m"})

    with pytest.raises(BadInput, match="name another database"):
        apply_design(mongo)


def test_an_index_of_the_same_name_is_left_alone(mongo: Database[Document]) -> None:
    """An index that has the name and not the key, or is not unique, must be dropped by hand."""
    mongo["products"].create_index([("sku", 1)], name="sku")
    with pytest.raises(BadInput, match=r"index sku of .*products is another"):
        apply_design(mongo)


def test_documents_that_are_there_can_stand_against_an_index(mongo: Database[Document]) -> None:
    """Duplicate SKUs do not allow the unique index: the line says which and why."""
    mongo["products"].insert_many([{"sku": "A"}, {"sku": "A"}])
    with pytest.raises(BadInput, match=r"products: the indexes sku.*duplicate key"):
        apply_design(mongo)


def test_odd_database_names_work(mongo_server: MongoServer, shop: Connection) -> None:
    """A name with capitals, a dash, a quote and an emoji is a database like another."""
    with mongo_server.scratch_database(label="odd") as scratch:
        database = scratch.client[f"{scratch.name[:24]}-It's🎈"]
        try:
            assert build_example(shop, database).documents["products"] > 0
            assert len(sample_queries(database)) > 20
        finally:
            scratch.client.drop_database(database.name)


def test_roles_are_applied_once(mongo: Database[Document]) -> None:
    """Applied again nothing changes; a privilege too many is taken back."""
    names = {each.name for each in design()} | {view.name for view in views()}
    try:
        assert apply_roles(mongo) == [role.name for role in roles()]
        assert apply_roles(mongo) == []
        more = [{"resource": {"db": mongo.name, "collection": ""}, "actions": ["find", "remove"]}]
        mongo.command("grantPrivilegesToRole", "analyst", privileges=more)
        assert apply_roles(mongo) == ["analyst"]
        assert apply_roles(mongo) == []
    finally:
        drop_roles(mongo)
    assert mongo.command("rolesInfo", 1)["roles"] == []
    for role in roles():
        assert set(role.privileges) <= names
        assert {action for actions in role.privileges.values() for action in actions} <= {
            "find",
            "insert",
            "update",
            "remove",
        }


def test_the_page_shows_the_whole_design() -> None:
    """Collections with their concerns and shard keys, indexes, views and roles are all documented."""
    page = PAGE.read_text(encoding="utf-8")
    for each in design():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{each.name}` | `w:")]
        key = ", ".join(f"{path}: {way}" for path, way in each.shard_key)
        shown = f"`{{{key}}}`" if key else "none"
        assert row.split(" | ")[1:4] == [
            f"`w: {each.write_concern['w']}, j`",
            f"`{each.read_concern['level']}`",
            shown,
        ]
        for index in each.indexes:
            assert f"`{index.name}`" in page, index.name
    for name in (*(role.name for role in roles()), *(view.name for view in views())):
        assert f"`{name}`" in page, name


def test_the_design_says_what_everything_is_for() -> None:
    """Collections, rules, indexes and queries all say so; unknown names are refused with those there are."""
    for each in design():
        assert each.says
        assert all(rule.says for rule in each.rules)
        assert all(index.queries for index in each.indexes)
        assert all(
            query.says and query.operation.per_hour for index in each.indexes for query in index.queries
        )
        assert (each.validator is None) == ("timeseries" in each.options)
    with pytest.raises(BadInput, match="has no collection 'orders': it has activity_inbox"):
        designed("orders")
    assert pipeline("review_summaries")[0] == "product_reviews"
    assert len(sql.files("nosql/generate/documents")) == len(design())


Change = Callable[[Document], Any]
HOUR, NO_UUID = timedelta(hours=1), Binary(uuid4().bytes, 3)


def plus(amount: Decimal128, more: str = "1") -> Decimal128:
    return Decimal128(amount.to_decimal() + Decimal(more))


def reviewed(found: Document, counts: Sequence[int], count: int, average: str) -> None:
    """The summary of *counts* reviews with 1 to 5 stars, with a count and an average as given."""
    distribution = [{"stars": stars, "count": of} for stars, of in enumerate(counts, 1)]
    found["reviewSummary"] = {
        "average": Decimal128(average),
        "count": count,
        "distribution": distribution,
        "computedAt": MOMENT,
    }


def distribution_reversed(found: Document) -> None:
    reviewed(found, [0, 0, 0, 0, 9], 9, "5.00")
    found["reviewSummary"]["distribution"].reverse()


def price_without_duration(found: Document) -> None:
    first = found["prices"][0]
    first["validTo"] = first["validFrom"]
    found.update(prices=[first], validFrom=first["validFrom"], validTo=first["validFrom"])


def product_in_two_lines(found: Document) -> None:
    sums = found["summary"]
    found["items"] = found["items"] * 2
    sums["itemCount"] *= 2
    sums["total"] = plus(sums["total"], str(sums["subtotal"]))
    sums["subtotal"] = plus(sums["subtotal"], str(sums["subtotal"]))


def line_too_dear(found: Document) -> None:
    for sums, name in (
        (found["items"][0], "totalPrice"),
        (found["summary"], "subtotal"),
        (found["summary"], "total"),
    ):
        sums[name] = plus(sums[name])


def subtotal_too_high(found: Document) -> None:
    for name in ("subtotal", "total"):
        found["summary"][name] = plus(found["summary"][name])


# for each rule of a collection, in the order of the design, how a document that is good breaks it alone
BROKEN: Mapping[str, tuple[Document, Sequence[Change]]] = {
    "activity_inbox": (
        {"state": "moved"},
        (
            lambda found: found.pop("movedAt"),
            lambda found: found["event"].update(eventId=NO_UUID),
            lambda found: found["event"].update(userPseudonym=b"short"),
            lambda found: found.update(receivedAt=found["event"]["timestamp"] - HOUR),
            lambda found: (
                found["event"].update(amount=Decimal128("1.00"), currency="EUR")
                or found["event"].pop("currency")
            ),
            lambda found: found["event"]["location"].update(coordinates=[13.4, 152.5]),
        ),
    ),
    "products": (
        {"type": "electronics"},
        (
            lambda found: found.update(_id=NO_UUID),
            lambda found: found["attributes"].pop(),
            distribution_reversed,
            lambda found: reviewed(found, [0, 0, 0, 0, 1000], 1001, "5.00"),
            lambda found: reviewed(found, [1, 0, 0, 0, 1], 2, "3.01"),
            lambda found: found.update(createdAt=found["updatedAt"] + HOUR),
        ),
    ),
    "price_history": (
        {"prices.2": {"$exists": True}},
        (
            lambda found: found.update(productId=NO_UUID),
            price_without_duration,
            lambda found: found["prices"][1].update(validFrom=found["prices"][1]["validFrom"] + HOUR),
            lambda found: found.update(validTo=found["validTo"] + HOUR),
        ),
    ),
    "inventory": (
        {},
        (
            lambda found: found.update(productId=NO_UUID),
            lambda found: found.update(reserved=found["available"] + 1),
        ),
    ),
    "product_reviews": ({}, (lambda found: found.update(userId=NO_UUID),)),
    "carts": (
        {"owner.guestTokenHash": {"$exists": True}},
        (
            lambda found: found["items"][0].update(productId=NO_UUID),
            lambda found: found.update(owner={"guestTokenHash": b"short"}),
            product_in_two_lines,
            line_too_dear,
            lambda found: found["summary"].update(itemCount=found["summary"]["itemCount"] + 1),
            subtotal_too_high,
            lambda found: found["summary"].update(total=plus(found["summary"]["total"])),
            lambda found: found.update(createdAt=found["updatedAt"] + HOUR),
        ),
    ),
    "sessions": (
        {},
        (
            lambda found: found.update(userId=NO_UUID),
            lambda found: found.update(tokenHash=b"short"),
            lambda found: found.update(expiresAt=found["createdAt"] + timedelta(days=91)),
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_each_rule_refuses_what_it_is_about(
    name: str, mongo: Database[Document], built: Database[Document]
) -> None:
    """A document that breaks one rule satisfies the schema and all other rules, and is refused."""
    each = designed(name)
    condition, changes = BROKEN[name]
    good = built[name].find_one(condition)
    assert good is not None
    built[name].delete_one({"_id": good["_id"]})
    try:
        for number, change in enumerate(changes):
            bad = copy.deepcopy(good)
            change(bad)
            mongo["trial"].insert_one(bad)
            failing = [
                rule.says
                for rule in each.rules
                if not mongo["trial"].count_documents({"$expr": rule.expression})
            ]
            assert failing == [each.rules[number].says]
            assert mongo["trial"].count_documents({"$jsonSchema": each.schema}) == 1, failing
            with pytest.raises(WriteError, match="failed validation"):
                built[name].insert_one(bad)
            mongo["trial"].delete_many({})
    finally:
        built[name].insert_one(good)
    assert len(changes) == len(each.rules)
    assert set(BROKEN) == {design.name for design in design() if design.rules}


def test_each_unique_index_refuses_the_same_key_again(built: Database[Document]) -> None:
    """The same document under another _id is refused, and the server names the index that is meant."""
    tried = []
    for each in design():
        for index in each.indexes:
            if index.options.get("unique"):
                good = built[each.name].find_one(index.options.get("partialFilterExpression", {}))
                assert good is not None
                new = uuid4() if isinstance(good["_id"], UUID) else ObjectId()
                with pytest.raises(DuplicateKeyError) as refused:
                    built[each.name].insert_one({**good, "_id": new})
                assert refused.value.details is not None
                assert refused.value.details["keyPattern"] == dict(index.key)
                tried.append(each.name)
    assert sorted(tried) == [
        "activity_inbox",
        "carts",
        "inventory",
        "price_history",
        "product_reviews",
        "products",
        "sessions",
    ]


def test_partial_indexes_hold_what_their_queries_ask_for(built: Database[Document]) -> None:
    """Every query names the condition of its partial index, which has a key for those documents only."""
    entries = {
        each.name: built.command("validate", each.name)["keysPerIndex"] for each in design() if each.validator
    }
    partial = [
        (each, index)
        for each in design()
        for index in each.indexes
        if "partialFilterExpression" in index.options
    ]
    assert {index.name for _, index in partial} == {
        "attribute_price",
        "batch",
        "brand_rating",
        "category_price",
        "oldest_new",
        "open_cart",
        "words",
    }
    for each, index in partial:
        condition = index.options["partialFilterExpression"]
        for query in index.queries:
            asked = query.operation.filter or query.operation.pipeline[0]["$match"]
            assert condition.items() <= asked.items(), index.name
        if index.name in ("oldest_new", "batch", "open_cart", "brand_rating"):
            assert entries[each.name][index.name] == built[each.name].count_documents(dict(condition))


def test_events_that_were_moved_a_week_ago_go(mongo: Database[Document], built: Database[Document]) -> None:
    """The TTL monitor removes what was moved long ago, and never what still waits, however old it is."""
    apply_design(mongo)
    moved, waits = (built["activity_inbox"].find_one({"state": state}) for state in ("moved", "new"))
    assert moved is not None
    assert waits is not None
    long_ago = MOMENT - timedelta(days=30)
    for each in (moved, waits):
        each["receivedAt"] = each["event"]["timestamp"] = long_ago
    mongo["activity_inbox"].insert_many([{**moved, "movedAt": long_ago}, waits])
    deadline = time.monotonic() + 90
    while mongo["activity_inbox"].count_documents({}) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert mongo["activity_inbox"].distinct("state") == ["new"]
