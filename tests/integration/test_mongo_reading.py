"""A named database of collections is read and nothing but read; what cannot be read is said in one line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from urllib.parse import quote

import bson
import pytest
from pymongo.database import Database

from workbench.catalog.collections import CollectionCatalog
from workbench.catalog.reflect_collections import reflect_collections
from workbench.documents.source import live_source, open_documents, reservoir, scratch_source
from workbench.engines.mongo import Document, MongoServer, private_mongod
from workbench.engines.mongo_reading import (
    ReadOnlyDatabase,
    connect_read_only,
    supported_version,
    topology,
    without_secret,
)
from workbench.errors import (
    BadInput,
    NotAuthorized,
    ServerTooOld,
    SourceError,
    SourceTimeout,
    SourceUnreachable,
    WorkbenchError,
)

ODD_NAMES = ["a..b", "end.", "a.b.c", 'quo"te', "apo's", "😀", " space ", "<b>html</b>", "CamelCase"]


@contextmanager
def reader(mongo: Database[Document], server: MongoServer, roles: list[object]) -> Iterator[str]:
    """The URL of a user of the database with *roles* alone, dropped after the block."""
    mongo.command("createUser", "Re ader", pwd="p@ss/w:rd?", roles=roles)
    try:
        url = server.url(mongo.name, user="Re ader", password="p@ss/w:rd?")
        yield url.replace("authSource=admin", f"authSource={quote(mongo.name)}")
    finally:
        mongo.command("dropUser", "Re ader")


@contextmanager
def reading(mongo: Database[Document], server: MongoServer) -> Iterator[ReadOnlyDatabase]:
    with reader(mongo, server, ["read"]) as url, connect_read_only(url, timeout_s=60) as database:
        yield database


def refused(error: type[WorkbenchError], url: str, *, secret: str | None = None) -> str:
    """The message of the error that connecting raises: one line, without the password."""
    with pytest.raises(error) as raised:
        connect_read_only(url, secret)
    message = str(raised.value)
    assert "\n" not in message and "hunter2" not in message
    return message


def count(batches: Iterator[bytes]) -> int:
    return sum(len(bson.decode_all(batch)) for batch in batches)


def test_everything_is_read_and_nothing_written(mongo, mongo_server):
    """A whole reading leaves the data as it was, and the server saw no command that writes."""
    mongo.create_collection("capped", capped=True, size=4096)
    mongo.create_collection("readings", timeseries={"timeField": "at", "metaField": "sensor"})
    mongo.command("create", "paid", viewOn="orders", pipeline=[{"$match": {"paid": True}}])
    mongo.orders.insert_many([{"_id": n, "paid": n % 2 == 0} for n in range(500)])
    mongo.orders.create_index("paid")
    before = mongo.command("dbHash")["collections"]
    mongo.command("profile", 2)

    with open_documents(mongo_server.url(mongo.name)) as source:
        for collection in source.catalog.collections:
            count(source.batches(collection.name))
            count(source.batches(collection.name, sample=5))
            count(source.batches(collection.name, sample=400))
        source.database.explain({"find": "orders", "filter": {"paid": True}})

    mongo.command("profile", 0)
    seen = list(mongo["system.profile"].find({"appName": "workbench reader"}))
    commands = {next(iter(entry["command"])) for entry in seen}
    assert {entry["op"] for entry in seen} <= {"query", "command", "getmore"}
    assert {"find", "aggregate"} <= commands
    assert commands <= {"find", "aggregate", "getMore", "explain", "listCollections", "listIndexes"} | {
        "killCursors",
        "hello",
        "buildInfo",
    }
    assert all("maxTimeMS" in entry["command"] for entry in seen if entry["op"] == "query")
    after = mongo.command("dbHash")["collections"]
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"system.profile"}


@pytest.mark.parametrize(
    "command",
    [
        {"insert": "orders", "documents": [{}]},
        {"drop": "orders"},
        {"eval": "1"},
        {"profile": 2},
        {"aggregate": "orders", "pipeline": [{"$out": "stolen"}], "cursor": {}},
        {"aggregate": "orders", "pipeline": [{"$merge": "stolen"}], "cursor": {}},
        {"aggregate": "orders", "pipeline": [{"$facet": {"a": [{"$out": "stolen"}]}}], "cursor": {}},
        {
            "aggregate": "orders",
            "pipeline": [{"$unionWith": {"coll": "orders", "pipeline": [{"$merge": "stolen"}]}}],
            "cursor": {},
        },
        {"aggregate": "orders", "pipeline": [{"$lookup": {"pipeline": [{"$out": "x"}]}}], "cursor": {}},
        {"aggregate": "orders", "pipeline": [{"$set": {"a": {"$function": {"body": "f"}}}}], "cursor": {}},
        {"find": "orders", "filter": {"$or": [{"$where": "sleep(9)"}]}},
        {"explain": {"delete": "orders", "deletes": []}},
        {"explain": {"aggregate": "orders", "pipeline": [{"$out": "stolen"}], "cursor": {}}},
    ],
    ids=str,
)
def test_what_is_no_read_is_not_sent(mongo, mongo_server, command):
    """Writes, JavaScript and settings are refused, however deep in a pipeline, even with every right."""
    mongo.orders.insert_one({"_id": 1})

    with connect_read_only(mongo_server.url(mongo.name)) as database, pytest.raises(BadInput):
        list(database.documents(command))

    assert mongo.list_collection_names() == ["orders"] and mongo.orders.find_one() == {"_id": 1}


def test_the_catalog_has_what_is_declared_and_counted(mongo, mongo_server):
    """Views, capped, clustered and time series, validators, indexes of all kinds; the server's own hidden."""
    mongo.create_collection(
        "readings", timeseries={"timeField": "at", "metaField": "sensor"}, expireAfterSeconds=60
    )
    mongo.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    mongo.create_collection("capped", capped=True, size=8192)
    mongo.create_collection(
        "orders", validator={"total": {"$gte": 0}}, validationAction="warn", collation={"locale": "de"}
    )
    mongo.command("create", "paid", viewOn="orders", pipeline=[{"$match": {"paid": True}}])
    mongo.orders.insert_many([{"_id": n, "total": n, "loc": [1, 2], "text": "x"} for n in range(300)])
    mongo.orders.create_index(
        [("total", -1), ("paid", 1)], unique=True, partialFilterExpression={"paid": True}
    )
    mongo.orders.create_index("at", expireAfterSeconds=9)
    mongo.orders.create_index("loc", sparse=True, hidden=True)
    mongo.orders.create_index([("text", "text")], collation={"locale": "simple"})
    mongo.orders.create_index("$**", wildcardProjection={"secret": 0})
    mongo.orders.find_one({"total": 5, "paid": True}, hint=[("total", -1), ("paid", 1)])

    with connect_read_only(mongo_server.url(mongo.name)) as database:
        catalog = reflect_collections(database)

    assert [each.name for each in catalog.collections] == [
        "capped",
        "clustered",
        "orders",
        "paid",
        "readings",
    ]
    assert (catalog.server, catalog.topology) == (
        f"MongoDB {'.'.join(map(str, mongo_server.version))}",
        "primary",
    )
    assert catalog.left_out == ()
    capped, clustered, orders, paid, readings = catalog.collections
    assert capped.capped and clustered.clustered
    assert (paid.kind, paid.view_on, paid.documents) == ("view", "orders", None)
    assert (readings.kind, readings.documents, readings.expire_after_s) == ("time series", None, 60)
    assert (orders.documents, orders.validator, orders.validation_action) == (
        300,
        {"total": {"$gte": 0}},
        "warn",
    )
    assert orders.collation["locale"] == "de" and orders.size_bytes > 300 * 20 and orders.storage_bytes
    by_name = {index.name: index for index in orders.indexes}
    first = by_name["total_-1_paid_1"]
    assert (first.key, first.unique, first.partial_filter) == (
        (("total", -1), ("paid", 1)),
        True,
        {"paid": True},
    )
    assert (first.accesses, first.size_bytes > 0, first.collation["locale"]) == (1, True, "de")
    assert by_name["at_1"].expire_after_s == 9
    assert by_name["loc_1"].sparse and by_name["loc_1"].hidden
    assert by_name["text_text"].key == (("_fts", "text"), ("_ftsx", 1))
    assert by_name["text_text"].options["weights"] == {"text": 1}
    assert by_name["$**_1"].options["wildcardProjection"] == {"secret": 0}


def test_odd_names_work(mongo, mongo_server):
    """Names that the driver's own collections refuse, quotes, spaces, HTML and emoji are read like others."""
    for name in ODD_NAMES:
        mongo.command({"insert": name, "documents": [{"_id": n, "x": "y" * 500} for n in range(300)]})

    with reading(mongo, mongo_server) as database:
        source = live_source(database, title="odd", spec="odd")

        for name in ODD_NAMES:
            assert source.catalog.collection(name).documents == 300
            assert count(source.batches(name)) == 300
            assert count(source.batches(name, sample=3)) == 3


def test_all_documents_come_once_in_batches(mongo, mongo_server):
    """A full reading has every document once, in batches of at most 16 MB, whichever way names are read."""
    for name in ("plain", "odd..name"):
        for start in range(0, 24_000, 8_000):
            documents = [{"_id": start + n, "x": "y" * 1000} for n in range(8_000)]
            mongo.command({"insert": name, "documents": documents})

    with reading(mongo, mongo_server) as database:
        for name in ("plain", "odd..name"):
            batches = list(database.batches(name))

            assert all(len(batch) <= 16 << 20 for batch in batches) and len(batches) > 1
            ids = [document["_id"] for batch in batches for document in bson.decode_all(batch)]
            assert sorted(ids) == list(range(24_000))


def test_a_sample_is_random_and_has_no_document_twice(mongo, mongo_server):
    """Small samples and large ones, of collections and views, are random documents of the whole."""
    mongo.orders.insert_many([{"_id": n} for n in range(4_000)])
    mongo.command("create", "all", viewOn="orders", pipeline=[])

    with reading(mongo, mongo_server) as database:
        source = live_source(database, title="t", spec="t")

        for name, size in (("orders", 100), ("orders", 2_000), ("all", 100)):
            ids = [
                each["_id"] for batch in source.batches(name, sample=size) for each in bson.decode_all(batch)
            ]
            assert len(set(ids)) == len(ids) == size
            assert max(ids) > 2_500 and min(ids) < 1_500
        assert count(source.batches("orders", sample=9_999)) == 4_000
        assert count(source.batches("orders", sample=0)) == 0
        with pytest.raises(KeyError):
            next(source.batches("nothing"))


def test_a_reservoir_draws_evenly():
    """Each of 40 documents is drawn about equally often, in their order, over 4,000 draws of 8."""
    documents = [bson.encode({"n": n}) for n in range(40)]
    drawn = [0] * 40

    for seed in range(4_000):
        batches = reservoir(iter([b"".join(documents[:11]), b"".join(documents[11:])]), 8, seed=seed)
        numbers = [each["n"] for each in bson.decode_all(b"".join(batches))]
        assert len(numbers) == 8 and all(one < other for one, other in pairwise(numbers))
        for number in numbers:
            drawn[number] += 1

    assert min(drawn) > 680 and max(drawn) < 920  # 800 expected, five standard deviations of 25


def test_a_random_sample_needs_no_disk_of_the_server(mongo, mongo_server):
    """Documents that exceed the memory of a sort are sampled all the same, without temporary files."""
    mongo.large.insert_many([{"_id": n, "x": "y" * 1_000_000} for n in range(110)])

    with connect_read_only(mongo_server.url(mongo.name)) as database:
        source = live_source(database, title="t", spec="t")

        assert count(source.batches("large", sample=20)) == 20
        with pytest.raises(SourceError, match="does not fit the server's memory"):
            list(database.aggregate("large", [{"$sort": {"x": 1}}]))


def test_a_database_without_collections(mongo, mongo_server):
    """An empty database is an error for a named one, and a source without collections for a scratch one."""
    with (
        pytest.raises(SourceError, match="there is no collection in it"),
        open_documents(mongo_server.url(mongo.name)),
    ):
        raise AssertionError("an empty database was opened")

    assert scratch_source(mongo, title="empty").catalog.collections == ()


def test_login_errors_are_one_line(mongo, mongo_server):
    """No login, a wrong password, an unknown user, no password: each says what to do, none shows a secret."""
    mongo.orders.insert_one({})
    wrong = mongo_server.url(mongo.name, user="nobody", password="hunter2")
    place = wrong.partition("@")[2].replace("authSource=admin&", "").replace("authSource=admin", "")

    assert "refuses the user or the password" in refused(SourceUnreachable, wrong)
    assert "refuses the user or the password" in refused(
        SourceUnreachable, wrong.replace(":hunter2", ""), secret="hunter2"
    )
    assert "asks for a password" in refused(SourceUnreachable, wrong.replace(":hunter2", ""))
    assert "asks for a login" in refused(SourceUnreachable, f"mongodb://{place}")


def test_servers_that_do_not_answer_are_one_line(mongo_server):
    """A closed port, an unknown host, encryption that is not spoken, another replica set, no such file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quick = "serverSelectionTimeoutMS=300"
    login = "u:hunter2@"
    encrypted = mongo_server.url("x", user="u", password="hunter2") + f"&tls=true&{quick}"

    assert "no server answers" in refused(SourceUnreachable, f"mongodb://{login}127.0.0.1:{port}/x?{quick}")
    assert "host's name is not known" in refused(SourceUnreachable, f"mongodb://{login}no.invalid/x?{quick}")
    assert "tls" in refused(SourceUnreachable, encrypted)
    assert "replicaSet" in refused(
        SourceUnreachable, f"mongodb://{login}127.0.0.1:{port}/x?replicaSet=other&{quick}"
    )
    assert "cannot be read" in refused(
        SourceError, f"mongodb://{login}127.0.0.1/x?tls=true&tlsCAFile=/none.pem"
    )
    assert "not a MongoDB URL" in refused(SourceError, "mongodb://u:hunter2/x@127.0.0.1:70000/x")
    assert "no database is named" in refused(SourceError, f"mongodb://127.0.0.1:{port}/?{quick}")


def test_the_secret_of_a_url_is_not_shown():
    """Passwords, also badly encoded ones, those of key files and session tokens are left out."""
    assert without_secret("mongodb://u:p@h:1/d?authSource=a") == "mongodb://u@h:1/d?authSource=a"
    assert without_secret("mongodb://u:p?x@y/z@h/d") == "mongodb://u@h/d"
    assert without_secret("mongodb+srv://h/d") == "mongodb+srv://h/d"
    shown = without_secret(
        "mongodb://h/d?tlsCertificateKeyFilePassword=s3&authMechanismProperties=AWS_SESSION_TOKEN:s3&w=1"
    )
    assert shown == "mongodb://h/d?w=1"


def test_a_login_for_one_collection_reads_that_one(mongo, mongo_server):
    """What the login may not read is named in what is left out, and the rest is still read."""
    for name in ("open", "closed"):
        mongo[name].insert_one({"_id": 1})
    actions = ["find", "collStats", "listIndexes"]
    privilege = {"resource": {"db": mongo.name, "collection": "open"}, "actions": actions}
    mongo.command("createRole", "one", privileges=[privilege], roles=[])

    try:
        with reader(mongo, mongo_server, ["one"]) as url, connect_read_only(url) as database:
            source = live_source(database, title="t", spec="t")

            (only,) = source.catalog.collections
            assert (only.name, only.documents, [each.name for each in only.indexes]) == ("open", 1, ["_id_"])
            assert only.indexes[0].accesses is None
            assert any("use of the indexes of 'open'" in line for line in source.catalog.left_out)
            assert any("it may list only its own" in line for line in source.catalog.left_out)
            assert count(source.batches("open")) == 1
            with pytest.raises(NotAuthorized, match=r"closed: the login may not read it"):
                list(database.batches("closed"))
    finally:
        mongo.command("dropRole", "one")


def test_a_reader_without_statistics_says_so_once(mongo, mongo_server):
    """The plain role read has no index statistics and no profiler: a line each, however many collections."""
    for name in ("a", "b", "c", "d", "e"):
        mongo[name].insert_one({})

    with reading(mongo, mongo_server) as database:
        catalog = reflect_collections(database)

    lines = [line for line in catalog.left_out if "use of the indexes" in line]
    assert lines == ["use of the indexes of 'a', 'b', 'c' and 2 more collections: the login may not read it"]
    assert any("observed operations" in line for line in catalog.left_out)
    assert all(each.indexes and each.documents == 1 for each in catalog.collections)


def test_more_collections_than_are_measured(mongo, mongo_server):
    """Above the limit, collections are listed without figures, and that is said."""
    for name in ("a", "b", "c"):
        mongo[name].insert_one({})

    with connect_read_only(mongo_server.url(mongo.name)) as database:
        catalog = reflect_collections(database, most=1)

    assert [each.documents for each in catalog.collections] == [1, None, None]
    assert catalog.left_out == (
        "sizes and indexes of 2 of 3 collections, from 'b' on: those of the first 1 were read",
    )


def test_the_time_limit_names_the_collection_and_the_option(mongo, mongo_server):
    """What takes longer ends on the server, with the collection and --timeout in the message."""
    mongo.orders.insert_many([{"n": n} for n in range(5_000)])
    compared = {"$match": {"$expr": {"$lt": ["$n", {"$subtract": ["$$n", 9_999]}]}}}
    each_with_all = {"$lookup": {"from": "orders", "let": {"n": "$n"}, "pipeline": [compared], "as": "x"}}

    with connect_read_only(mongo_server.url(mongo.name), timeout_s=0.05) as database:
        with pytest.raises(
            SourceTimeout, match=r"orders: the time limit was reached: give more by --timeout"
        ):
            list(database.aggregate("orders", [each_with_all, {"$match": {"x": 1}}]))
        assert database.command({"hello": 1})["ok"] == 1


def test_observed_operations_come_from_the_profiler(mongo, mongo_server):
    """With the profiler on, operations are there by shape, with counts and figures, and without values."""
    mongo.orders.insert_many([{"customer": n % 9, "name": f"secret {n}"} for n in range(300)])
    with mongo_server.client(appname="shop") as client:
        shop = client[mongo.name]
        shop.command("profile", 2)
        for customer in range(3):
            list(
                shop.orders.find({"customer": customer, "name": {"$gt": "secret 1"}})
                .sort("name", -1)
                .limit(5)
            )
        shop.orders.update_many({"name": "secret 5"}, {"$set": {"seen": True}})
        shop.command("profile", 0)

    with connect_read_only(mongo_server.url(mongo.name)) as database:
        operations = {each.kind: each for each in reflect_collections(database).operations}

    found = operations["find"]
    assert found.filter == {"customer": "<int>", "name": {"$gt": "<string>"}}
    assert (found.sort, found.limit, found.count) == ((("name", -1),), 5, 3)
    assert (found.documents_examined, found.returned) == (300, 5)
    assert found.plan == "COLLSCAN, sorted in memory"
    assert (operations["update"].filter, operations["update"].returned) == ({"name": "<string>"}, 1)
    assert "secret" not in repr(operations)


def test_the_members_of_a_replica_set():
    """A secondary is read directly and preferred; the use of indexes is that of all the members.

    Where a member is not asked, or is gone, an index without an access is not said to be unused.
    """
    with private_mongod(members=3) as (server, cluster):
        with server.client(w=3) as client:
            client.shop.orders.insert_many([{"a": n, "b": n} for n in range(50)])
            client.shop.orders.create_index("a")
            client.shop.orders.create_index("b")
            client.shop.orders.find_one({"a": 1})
            members = client.admin.command("replSetGetStatus")["members"]
        secondary = next(each["name"] for each in members if each["stateStr"] == "SECONDARY")
        alone = replace(server, hosts=(secondary,), replica_set=None)
        with alone.client(directConnection=True) as client:  # it may have been the primary before
            used = sum(
                each["accesses"]["ops"] for each in client.shop.orders.aggregate([{"$indexStats": {}}])
            )

        with connect_read_only(alone.url("shop") + "&directConnection=true") as database:
            catalog = reflect_collections(database)
            assert (database.topology, catalog.topology, database.host) == (
                "secondary",
                "secondary",
                secondary,
            )
            assert count(database.batches("orders")) == 50
            assert accesses(catalog) == {"_id_": None, "a_1": used or None, "b_1": None}
            assert "which cannot be asked from here" in catalog.left_out[-1]
        with connect_read_only(server.url("shop")) as database:
            catalog = reflect_collections(database)
            assert (database.topology, len(database.others)) == ("secondary", 2)
            assert accesses(catalog) == {"_id_": 0, "a_1": 1, "b_1": 0}
            assert catalog.left_out == ()
            assert count(database.batches("orders")) == 50
        cluster.kill(server.hosts.index(secondary))
        with connect_read_only(server.url("shop")) as database:
            catalog = reflect_collections(database)
            assert accesses(catalog) == {"_id_": None, "a_1": 1 - used or None, "b_1": None}
            assert f"use of the indexes on {secondary}, which cannot be asked" in catalog.left_out[-1]


def accesses(catalog: CollectionCatalog) -> dict[str, int | None]:
    return {index.name: index.accesses for index in catalog.collection("orders").indexes}


def test_a_standalone_without_authentication_is_read():
    """A server without a replica set and without logins is read like another."""
    with private_mongod(auth=False, replica_set=False) as (server, _):
        with server.client() as client:
            client.shop.orders.insert_many([{} for _ in range(50)])

        with connect_read_only(server.url("shop")) as database:
            assert (database.topology, reflect_collections(database).collections[0].documents) == (
                "standalone",
                50,
            )


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        ({"isWritablePrimary": True, "msg": "isdbgrid"}, "mongos"),
        ({"isWritablePrimary": True, "setName": "rs0"}, "primary"),
        ({"isWritablePrimary": False, "secondary": True, "setName": "rs0"}, "secondary"),
        ({"isWritablePrimary": True}, "standalone"),
    ],
)
def test_what_a_server_is_by_its_reply_to_hello(hello, expected):
    """The replies that the manual documents."""
    assert topology(hello) == expected


def test_a_member_without_data_is_refused():
    """An arbiter, and a member that recovers, hold nothing that could be read."""
    with pytest.raises(SourceUnreachable, match="an arbiter"):
        topology({"isWritablePrimary": False, "secondary": False, "arbiterOnly": True, "me": "h:1"})
    with pytest.raises(SourceUnreachable, match="starting, recovering or removed"):
        topology({"isWritablePrimary": False, "secondary": False, "setName": "rs0", "me": "h:1"})


def test_an_old_server_is_refused_with_the_oldest_supported():
    """4.4 is too old and the message says what is not; 5.0 is supported."""
    with pytest.raises(
        ServerTooOld, match=r"MongoDB 4\.4\.29 is too old: the oldest that is supported is 5\.0"
    ):
        supported_version([4, 4, 29, 0], "4.4.29", "mongodb://h/d")

    assert supported_version([5, 0, 0, 0], "5.0.0", "mongodb://h/d") == (5, 0, 0)
