"""The review on databases of other styles: what each rule tells, and the near miss that it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId, json_util
from pymongo.database import Database

from workbench.areas.nosql import tried
from workbench.areas.nosql.indexes import advise_indexes
from workbench.areas.nosql.review import not_judged, review
from workbench.catalog.collections import Operation
from workbench.documents.shape import infer
from workbench.documents.source import scratch_source
from workbench.engines.mongo import Document, MongoServer
from workbench.proof.findings import Finding

NOW = datetime.now(UTC).replace(microsecond=0)


def reviewed(database: Database[Document], **options: Any) -> list[Finding]:
    source = scratch_source(database, title="test")
    shapes = {each.name: infer(each.name, source.batches(each.name)) for each in source.catalog.collections}
    return review(source, shapes, **options)


def told(findings: list[Finding], check: str) -> list[str]:
    return [each.object.partition(".")[2] for each in findings if each.check == check]


def test_money_in_other_languages(mongo: Database[Document]) -> None:
    """Prices of German, Spanish, French and compound names are money; weights and percentages are not."""
    mongo.artikel.insert_many(
        {
            "verkaufspreis": 1.25 + number,
            "precioUnitario": 2.35 + number,
            "coût": 3.15 + number,
            "walletUsd": 4.45 + number,
            "gewicht": 1.25 + number,
            "peso": 1.35 + number,
            "rabatt_prozent": 2.55,
            "eur_usd": 1.09,
        }
        for number in range(50)
    )

    assert told(reviewed(mongo), "money_as_double") == [
        "artikel.coût",
        "artikel.precioUnitario",
        "artikel.verkaufspreis",
        "artikel.walletUsd",
    ]


def test_numbers_and_dates_in_other_languages(mongo: Database[Document]) -> None:
    """A stock and a delivery date in text are told; a postal code, a telephone and a birthday are not."""
    mongo.pedidos.insert_many(
        {
            "lagerbestand": str(number),
            "cantidad": str(number),
            "minimum_nights": str(number),
            "fechaEntrega": f"{number % 28 + 1:02d}/07/2024",
            "plz": f"1{number:04d}",
            "telefono": f"93{number:07d}",
            "geburtsdatum": f"1984-05-{number % 28 + 1:02d}",
        }
        for number in range(60)
    )
    findings = reviewed(mongo)

    assert told(findings, "number_as_string") == [
        "pedidos.cantidad",
        "pedidos.lagerbestand",
        "pedidos.minimum_nights",
    ]
    assert told(findings, "date_as_string") == ["pedidos.fechaEntrega"]


@pytest.mark.parametrize(
    "text", ["Fri May 25 06:51:27 UTC 2007", "Feb 20 2015", "May 25, 2007", "25-May-2007", "1.2.2024"]
)
def test_dates_as_people_write_them(mongo: Database[Document], text: str) -> None:
    """Dates in words are dates, whatever the field is called; so is none of text that has a year in it."""
    mongo.permits.insert_many(
        {"issued": text, "remark": f"Brewed in May, bottle {number} of 2015"} for number in range(60)
    )

    assert told(reviewed(mongo), "date_as_string") == ["permits.issued"]


def test_expiry_in_other_languages(mongo: Database[Document]) -> None:
    """Carts and sessions with a date of expiry need a TTL index; products with a best-before date do not."""
    past = NOW - timedelta(days=30)
    for name, field in (("carritos", "caduca_en"), ("Sitzungen", "ablaufdatum"), ("productos", "caducidad")):
        mongo[name].insert_many({field: past} for _ in range(50))

    assert told(reviewed(mongo), "missing_ttl") == ["Sitzungen.ablaufdatum", "carritos.caduca_en"]


def test_ttl_index_on_a_field_that_no_document_has(mongo: Database[Document]) -> None:
    """A TTL index beside the field that it is meant for removes nothing; its fix makes it work.

    One on a field that marks the few documents that are to go is left alone.
    """
    mongo.otp.insert_many({"code": str(number), "expiresAt": NOW} for number in range(50))
    mongo.otp.create_index("expires", expireAfterSeconds=0)
    mongo.notes.insert_many({"text": "x", "createdAt": NOW} for _ in range(50))
    mongo.notes.create_index("deletedAt", expireAfterSeconds=3600)
    findings = reviewed(mongo)

    assert told(findings, "ttl_on_non_dates") == ["otp.expires"]
    (finding,) = [each for each in findings if each.check == "ttl_on_non_dates"]
    assert finding.fix.splitlines() == [
        'db.getCollection("otp").dropIndex("expires_1");',
        'db.getCollection("otp").createIndex({"expiresAt": 1}, {"expireAfterSeconds": 0});',
    ]
    mongo.otp.drop_index("expires_1")
    mongo.otp.create_index("expiresAt", expireAfterSeconds=10**6)
    assert not told(reviewed(mongo), "ttl_on_non_dates")


def test_records_cut_into_arrays(mongo: Database[Document]) -> None:
    """Arrays of as many elements in each document are told; of one length, or of chance, they are not."""
    mongo.polls.insert_many(
        {
            "labels": ["x"] * (number % 5 + 2),
            "votes": [1] * (number % 5 + 2),
            "south_west": [1.5, 2.5],
            "north_east": [3.5, 4.5],
            "tags": ["t"] * (number % 4),
            "marks": ["m"] * ((number + 1) % 4),
        }
        for number in range(80)
    )
    findings = reviewed(mongo)

    assert told(findings, "parallel_arrays") == ["polls.labels"]
    assert "labels, votes" in next(each.title for each in findings if each.check == "parallel_arrays")


def test_names_with_a_number_in_them_are_data(mongo: Database[Document]) -> None:
    """Dozens of fields item_1001, item_1002 … in few objects each are data; questions 1 to 40 are fields."""
    mongo.players.insert_many(
        {
            "inventory": {f"item_{1000 + (number * 7 + each) % 60}": 1 for each in range(4)},
            "answers": {f"q{each}": each for each in range(40)},
        }
        for number in range(200)
    )

    assert told(reviewed(mongo), "keys_are_data") == ["players.inventory"]


def test_rows_of_meta_keys(mongo: Database[Document]) -> None:
    """A document for each meta_key and meta_value of a user is a row of attributes."""
    keys = ("theme", "city", "size", "avatar")
    mongo.user_meta.insert_many(
        {"user_id": user, "meta_key": key, "meta_value": f"{key} {user}"}
        for user in range(60)
        for key in keys
    )
    mongo.texts.insert_many(
        {"page_id": page, "locale": key, "text_value": "x"} for page in range(60) for key in keys
    )

    assert told(reviewed(mongo), "entity_attribute_value") == ["user_meta"]


def test_shard_key_on_the_time_of_writing(mongo: Database[Document]) -> None:
    """createdAt only grows, in whatever order documents were restored; a birthday and a hash do not."""
    for name in ("orders", "people", "logs"):
        mongo[name].insert_many(
            {
                "createdAt": NOW - timedelta(minutes=number * 7919 % 5000),
                "born": NOW - timedelta(days=number * 7919 % 9000),
            }
            for number in range(300)
        )
    keys: dict[str, Any] = {
        "orders": (("createdAt", 1),),
        "people": (("born", 1),),
        "logs": (("createdAt", "hashed"),),
    }
    findings = reviewed(mongo, shard_keys=keys)

    assert told(findings, "monotonic_shard_key") == ["orders.createdAt"]
    (finding,) = [each for each in findings if each.check == "monotonic_shard_key"]
    assert not finding.verified
    assert "by its name" in finding.unverified_because


def test_case_changed_by_an_expression(mongo: Database[Document]) -> None:
    """A comparison in lower case and $regexMatch with i are matches without regard to case; $add is none."""
    mongo.users.insert_many({"login": f"User{number}", "city": "Rom", "age": number} for number in range(50))
    operations = [
        Operation("users", "find", {"$expr": {"$eq": [{"$toLower": "$login"}, "user1"]}}),
        Operation(
            "users",
            "find",
            {"$expr": {"$regexMatch": {"input": "$city", "regex": "^rom", "options": "i"}}},
        ),
        Operation("users", "find", {"$expr": {"$gt": [{"$add": ["$age", 1]}, 3]}}),
    ]

    assert told(reviewed(mongo, operations=operations), "case_insensitive_match_without_collation") == [
        "users.city",
        "users.login",
    ]


def test_positions_and_pairs_of_any_type(mongo: Database[Document]) -> None:
    """Tuples by position and values of attribute pairs are of several types on purpose; a zip is not."""
    mongo.companies.insert_many(
        {
            "sizes": [[[150, 75], "a.png"], [[250, 125], "b.png"]],
            "traits": [{"k": ("colour", "power")[number % 2], "v": ("red", 100)[number // 2 % 2]}],
            "zip": "" if number % 9 == 0 else number,
        }
        for number in range(90)
    )

    assert told(reviewed(mongo), "mixed_types") == ["companies.zip"]


def test_fixes_of_mixed_types_lose_nothing(mongo: Database[Document]) -> None:
    """Ja and nein become true and false, "?" stays; dates in text become dates, whichever are more."""
    mongo.people.insert_many(
        {
            "_id": number,
            "newsletter": (True, False, True, False, "nein", "Ja", "?")[number % 7],
            "joined": NOW if number % 3 == 0 else "2024-05-01T10:00:00Z",
        }
        for number in range(70)
    )
    for finding in reviewed(mongo):
        if finding.check == "mixed_types":
            command = next(line for line in finding.fix.splitlines() if ".updateMany(" in line)
            mongo.people.update_many(
                *json_util.loads(f"[{command.partition('.updateMany(')[2].removesuffix(');')}]")
            )

    people = list(mongo.people.find().sort("_id", 1).limit(7))
    assert [each["newsletter"] for each in people] == [True, False, True, False, False, True, "?"]
    assert all(isinstance(each["joined"], datetime) for each in people)


def test_ids_find_their_collection_among_many(mongo: Database[Document]) -> None:
    """The users behind ownerId are found beside thirty small collections that come before by name."""
    for number in range(30):
        mongo[f"a{chr(97 + number % 26)}{chr(97 + number // 26)}"].insert_one({"x": number})
    users = [ObjectId() for _ in range(100)]
    mongo.users.insert_many({"_id": user, "name": "x"} for user in users)
    mongo.tasks.insert_many({"ownerId": str(user)} for user in users)
    (finding,) = [each for each in reviewed(mongo) if each.check == "id_as_string"]

    assert finding.severity == "warn"
    assert "document of users" in finding.why


def test_log_ins_without_a_date_of_expiry(mongo: Database[Document]) -> None:
    """Old log-ins and tokens that nothing removes are told; visits, trainings, api keys and new are not."""
    old, new = NOW - timedelta(days=200), NOW - timedelta(days=2)
    mongo.user_sessions.insert_many({"sid": "a", "createdAt": old, "lastActive": old} for _ in range(50))
    mongo.reset_tokens.insert_many({"token": "a", "created_at": old} for _ in range(50))
    mongo.login_sessions.insert_many({"sid": "a", "createdAt": new} for _ in range(50))
    mongo.training_sessions.insert_many({"userId": 1, "createdAt": old} for _ in range(50))
    mongo.sessions.insert_many(
        {"userId": 1, "ip": "1.2.3.4", "startedAt": old, "pages": 3} for _ in range(50)
    )
    mongo.api_tokens.insert_many({"token": "a", "createdAt": old} for _ in range(50))
    mongo.carts_archive.insert_many({"expiresAt": old} for _ in range(50))

    assert told(reviewed(mongo), "missing_ttl") == ["reset_tokens.created_at", "user_sessions.lastActive"]
    mongo.user_sessions.create_index("lastActive", expireAfterSeconds=10**8)
    assert told(reviewed(mongo), "missing_ttl") == ["reset_tokens.created_at"]


def test_text_in_order_is_a_counter_or_test_data(mongo: Database[Document]) -> None:
    """Numbers in text of one length only grow; addresses and names in the order of a generator do not."""
    mongo.orders.insert_many({"no": f"ORD-{number:06d}"} for number in range(3000))
    mongo.users.insert_many({"email": f"p{number:06d}@example.com"} for number in range(3000))
    mongo.people.insert_many({"nick": f"nick{number}"} for number in range(3000))
    keys: dict[str, Any] = {
        "orders": (("no", 1),),
        "users": (("email", 1),),
        "people": (("nick", 1),),
    }

    assert told(reviewed(mongo, shard_keys=keys), "monotonic_shard_key") == ["orders.no"]


def test_join_by_a_pipeline(mongo: Database[Document]) -> None:
    """A $lookup whose pipeline compares fields of no index is told; with an index on one it is not."""
    mongo.stock.insert_many({"sku": number, "store": number % 9} for number in range(2000))
    mongo.orders.insert_many({"sku": number} for number in range(10))
    equal = [{"$eq": ["$sku", "$$wanted"]}, {"$eq": ["$store", "$$where"]}]
    stage = {
        "from": "stock",
        "let": {"wanted": "$sku", "where": "$store"},
        "pipeline": [{"$match": {"$expr": {"$and": equal}}}],
        "as": "stock",
    }
    operation = Operation("orders", "aggregate", pipeline=({"$lookup": stage},))

    assert told(reviewed(mongo, operations=[operation]), "unindexed_lookup") == ["stock.sku"]
    mongo.stock.create_index("store")
    assert not told(reviewed(mongo, operations=[operation]), "unindexed_lookup")


def test_net_of_an_invoice_and_days_of_leave(mongo: Database[Document]) -> None:
    """The net of an invoice is money; a balance of days, and the net weight of a parcel, are not."""
    mongo.invoices.insert_many(
        {"net": 1.25 + number, "weight": {"net": 1.35 + number}} for number in range(60)
    )
    mongo.staff.insert_many({"vacationBalance": 1.5 + number} for number in range(60))

    assert told(reviewed(mongo), "money_as_double") == ["invoices.net"]


def test_one_text_index(mongo: Database[Document]) -> None:
    """Where a collection has its text index, the fix makes no second one, which the server would refuse."""
    mongo.posts.insert_many({"title": f"title {number}", "body": "x"} for number in range(1500))
    mongo.posts.create_index([("body", "text")])
    operation = Operation("posts", "find", {"title": {"$regex": "itle 7"}})
    (finding,) = [
        each for each in reviewed(mongo, operations=[operation]) if each.check == "unanchored_regex"
    ]

    assert "createIndex" not in finding.fix
    assert "body_text is the one text index" in finding.fix


def test_expressions_as_the_profiler_saw_them(mongo: Database[Document]) -> None:
    """A case changed by $expr and a join by a pipeline are told from the profiler, without values."""
    mongo.users.insert_many({"login": f"User{number}", "score": number} for number in range(1200))
    mongo.command("profile", 2)
    list(mongo.users.find({"$expr": {"$eq": [{"$toLower": "$login"}, "user17"]}}))
    match = {"$match": {"$expr": {"$eq": ["$score", "$$wanted"]}}}
    stage = {"from": "users", "let": {"wanted": "$score"}, "pipeline": [match], "as": "same"}
    list(mongo.users.aggregate([{"$match": {"login": "User3"}}, {"$lookup": stage}]))
    mongo.command("profile", 0)
    findings = reviewed(mongo)

    assert told(findings, "case_insensitive_match_without_collation") == ["users.login"]
    assert told(findings, "unindexed_lookup") == ["users.score"]
    assert "user17" not in str([each.as_dict() for each in findings])


def test_what_cannot_be_told_is_said(mongo: Database[Document]) -> None:
    """Young statistics and absent operations are named; a unique index is none that could be unused."""
    mongo.orders.insert_many({"no": number, "state": "x"} for number in range(20))
    mongo.orders.create_index("state")
    mongo.orders.create_index("no", unique=True)
    source = scratch_source(mongo, title="test")

    operations, statistics = not_judged(source)
    assert "No operation is on record" in operations
    assert statistics.endswith("Without an access so far: orders.state_1.")
    declared = [Operation("orders", "find", {"no": 1})]
    assert not_judged(source, operations=declared) == [statistics]


@pytest.mark.parametrize(("per_hour", "severity"), [(1.0, "info"), (100.0, "warn"), (None, "warn")])
def test_an_index_for_what_is_seldom_run(
    mongo: Database[Document], per_hour: float | None, severity: str
) -> None:
    """A search of 3,000 documents once an hour is worth no index; a hundred times, or unknown, it is."""
    mongo.items.insert_many({"batch": number} for number in range(3000))
    source = scratch_source(mongo, title="test")
    shapes = {"items": infer("items", source.batches("items"))}
    (finding,) = advise_indexes(
        source, shapes, [Operation("items", "delete", {"batch": 7}, per_hour=per_hour)]
    )

    assert finding.severity == severity


def test_day_and_month_are_not_swapped(mongo: Database[Document]) -> None:
    """Dates of numbers are converted in the order that all of them allow; in none where nothing tells."""
    mongo.orders.insert_many(
        {
            "_id": number,
            "american": f"05/{number % 28 + 1:02d}/2024",
            "german": f"{number % 28 + 1:02d}.05.2024",
            "either": f"{number % 12 + 1:02d}/{number % 11 + 1:02d}/2024",
            "due": f"{number % 28 + 1:02d}/05/2024" if number % 2 else NOW,
        }
        for number in range(60)
    )
    findings = reviewed(mongo)
    fixes = {each.object.rpartition(".")[2]: each.fix for each in findings if each.check == "date_as_string"}
    mixed = next(each for each in findings if each.check == "mixed_types")
    for name in ("american", "german"):
        inside = fixes[name].partition(".updateMany(")[2].removesuffix(");")
        mongo.orders.update_many(*json_util.loads(f"[{inside}]"))

    assert fixes["either"].startswith("// ")
    assert mixed.object.endswith(".due")
    assert "updateMany" not in mixed.fix
    tenth = mongo.orders.find_one({"_id": 9}) or {}
    assert tenth["american"] == tenth["german"] == datetime(2024, 5, 10, tzinfo=UTC)


def test_the_trials_of_a_review_are_bounded(
    mongo: Database[Document], mongo_server: MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many findings those whose trial is another are tried, up to a limit; the rest keep their counts."""
    monkeypatch.setattr(tried, "MOST_TRIALS", 2)
    for tenant in range(5):
        mongo[f"tenant{tenant}"].insert_one({"at": f"2024-01-0{1 + tenant}"})

    findings = [each for each in reviewed(mongo, engine=mongo_server) if each.check == "date_as_string"]
    again = tried.tried([findings[-1]] * 500, mongo_server)

    attempts = [[each for each in finding.evidence if each.kind == "attempt"] for finding in findings]
    assert sorted(map(len, attempts)) == [0, 0, 0, 1, 1]
    assert all(each.verified for each in findings)
    assert len(again) == 500 and all(each.evidence[-1].kind == "attempt" for each in again)
