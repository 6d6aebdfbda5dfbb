"""Designs: rows found back whatever their types, known best cases, predictions against measurements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128
from pymongo.database import Database

from workbench.catalog.reflect import reflect
from workbench.documents.design import (
    BuildFailed,
    BuiltDesign,
    Choice,
    Design,
    DesignComparison,
    PatternError,
    RowQueries,
    Verification,
    Verifier,
    as_dict,
    build,
    choose_designs,
    collection_names,
    design_of,
    patterns_of,
    picture_of,
    relationships,
    shell_script,
)
from workbench.documents.design.price import Rates, calibrate
from workbench.documents.design.statistics import measure
from workbench.engines.mongo import MongoServer
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.source import OpenSource, Options, open_source

Sources = Callable[[str], AbstractContextManager[OpenSource]]


@pytest.fixture
def source(server: Server, tmp_path: Path) -> Sources:
    """Opens a script's text as a source."""

    @contextmanager
    def opened(text: str) -> Iterator[OpenSource]:
        path = tmp_path / "schema.sql"
        path.write_text(text)
        with open_source(str(path), server) as found:
            yield found

    return opened


@pytest.fixture(scope="module")
def rates(mongo_server: MongoServer) -> Rates:
    """What operations cost here, measured once for all tests of the file."""
    with mongo_server.scratch_database(label="test") as database:
        return calibrate(mongo_server, database, cold_ms=0.005)


def built(pg: Connection, mongo: Database[Any], *wanted: tuple[Any, ...]) -> tuple[Design, Verifier]:
    """The design of *wanted* (key, kind, bound, order, columns), built in *mongo*, and its verifier."""
    catalog = reflect(pg)
    keys = {each.name: each for each in relationships(catalog)}
    choices = [Choice(keys[name], *rest) for name, *rest in wanted]
    design = design_of(catalog, choices, [(each.schema, each.name) for each in catalog.base_tables])
    names = collection_names([design])
    queries = RowQueries(catalog)
    build(pg, queries, [design], mongo, names=names)
    return design, Verifier(pg, queries, mongo, names)


def verified(pg: Connection, mongo: Database[Any], *wanted: tuple[Any, ...]) -> Verification:
    design, verifier = built(pg, mongo, *wanted)
    return verifier.verify(design)


TYPES = r"""
create type mood as enum ('sad', 'o''k');
create type pair as (a int, b text);
create domain price as numeric(12, 2);
create table "Odd $.Table" (
  id bigint, "part.key" text, "$money" price, n numeric, f8 float8, f4 float4, flag bool, u uuid, bytes bytea,
  ts timestamptz, t0 timestamp, d date, j json, jb jsonb, ints int[], amounts numeric[], words text[],
  days date[], r int4range, times tstzrange, every interval, m mood, p pair, small smallint,
  "_id" int, "Caps ""quoted"" 🐘" text, cash money, address inet,
  primary key (id, "part.key")
);
insert into "Odd $.Table"
select
  g, 'k' || g, g * 1.10,
  case g when 1 then 'NaN' when 2 then 'Infinity' when 3 then 0.00000000000000001000 when 4 then 1e40
    when 5 then -12345678901234567890.123456789 else g / 7.0 end,
  case g when 1 then 'NaN' when 2 then '-Infinity' when 3 then 1e-7 when 4 then 1e15 when 5 then '-0'
    when 6 then 0.0001 when 7 then 1e300 else g / 7.0 end,
  case g when 1 then 'NaN' when 2 then '-Infinity' when 3 then 1e-7 when 4 then 1e6 when 5 then 1234567
    when 6 then 0.0001 when 7 then '-0' else g / 7.0 end,
  g % 2 = 0, md5(g::text)::uuid, decode(md5(g::text), 'hex'),
  case g when 1 then 'infinity' when 2 then '12345-06-07 01:02:03.4567+02'
    when 3 then '0044-03-15 12:00:00.5 BC' when 4 then '1969-12-31 23:59:59.999999+00'
    else timestamptz '2024-02-29 12:00:00.123456+00' + g * interval '1 day' end,
  case g when 1 then '-infinity' when 2 then '0001-03-01 12:00:00.5 BC'
    else timestamp '2024-01-01 00:00:00.001' end,
  case g when 1 then 'infinity' when 2 then '12345-06-07' when 3 then '0044-03-15 BC'
    else date '0001-01-01' + g end,
  case g when 8 then json '[1, 2.50, null, {"": 1, "$a.b": "é\n", "$ref": 3}]'
    else '{"b": 1e2, "a": 12345678901234567890.5}' end,
  case g when 8 then jsonb 'null' when 7 then '"text"' when 6 then '[]'
    else '{"b": 1e2, "aa": {"$date": 123456789012345678901}}' end,
  case g when 1 then '{}'::int[] when 2 then '{{1,2},{3,null}}'::int[] else array[g, null] end,
  array[g * 1.50, 'NaN'], array['a,"b', '', null, '{}'], array[date '2024-01-01', 'infinity'],
  case g when 1 then 'empty'::int4range when 2 then '[,5)' else int4range(g, g + 3) end,
  tstzrange('2024-01-01', null), '1 year 2 mons -3 days 04:05:06.789', 'o''k', row(g, 'x,y')::pair, g,
  g, E'tab\t<b>"', g::text::money, '10.0.0.1/24'
from generate_series(1, 9) g;
insert into "Odd $.Table" (id, "part.key") values (10, 'all else null');
create table keyless (x int, t text);
insert into keyless select g % 3, 'v' from generate_series(1, 2500) g;
"""


def test_rows_of_every_type_are_found_back(pg: Connection, mongo: Database[Any]) -> None:
    """Numbers with their scale, far and infinite times, documents, arrays, odd names: all are exact."""
    pg.execute(TYPES)

    found = verified(pg, mongo)

    assert found.equal, found.unequal
    assert found.rows == 10 + 2500
    document = mongo["Odd _.Table"].find_one({"_id.part_key": "k8"})
    assert document is not None
    assert document["_money"] == Decimal128("8.80")
    assert document["j"][3] == {"": 1, "$a.b": "é\n", "$ref": 3}
    assert document["jb"] is None  # a null of json, which is not an absent field
    assert document["_id_"] == 8


def test_what_documents_cannot_hold_is_counted(pg: Connection, mongo: Database[Any]) -> None:
    """Microseconds and numbers beyond 34 digits are counted by column."""
    pg.execute(TYPES)
    catalog = reflect(pg)
    design = design_of(catalog, [], [(each.schema, each.name) for each in catalog.base_tables])

    losses = build(pg, RowQueries(catalog), [design], mongo).losses

    assert 'public."Odd $.Table".n: 1 numbers of more than 34 digits are strings' in losses
    assert 'public."Odd $.Table".ts: 7 times lose what is finer than a millisecond' in losses


SHOP = """
create table customer (customer_id int primary key, name text not null, city text);
create table purchase (purchase_id int primary key, customer_id int not null references customer,
                       total numeric(9, 2), at timestamptz not null);
create table purchase_line (purchase_id int references purchase, line int, price numeric(9, 2) not null,
                            primary key (purchase_id, line));
create table line_note (purchase_id int, line int, n int, words text, primary key (purchase_id, line, n),
                        foreign key (purchase_id, line) references purchase_line);
create table empty_child (id int primary key, customer_id int references customer);
insert into customer select g, 'customer ' || g, 'city ' || g % 7 from generate_series(1, 200) g;
insert into purchase select g, g % 150 + 1, 0, timestamptz '2024-01-01' + g * interval '3 hours'
from generate_series(1, 1500) g;
insert into purchase_line select g % 1500 + 1, g / 1500 + 1, g * 0.10 from generate_series(1, 4000) g;
insert into line_note select purchase_id, line, 1, 'note' from purchase_line where line = 2;
analyze;
"""

DESIGNS: dict[str, list[tuple[Any, ...]]] = {
    "reference": [],
    "embed, two deep": [
        ("purchase_line_purchase_id_fkey", "embed"),
        ("line_note_purchase_id_line_fkey", "embed"),
    ],
    "subset": [("purchase_customer_id_fkey", "subset", 5, (("at", -1),))],
    "bucket": [("purchase_line_purchase_id_fkey", "bucket", 2)],
    "outlier": [("purchase_customer_id_fkey", "outlier", 4, (("at", 1),))],
    "computed": [("purchase_customer_id_fkey", "computed", 0, (), ("total",))],
    "extended in an embedded array": [
        ("purchase_customer_id_fkey", "extended", 0, (), ("name", "city")),
        ("purchase_line_purchase_id_fkey", "embed"),
    ],
    "everything at once": [
        ("purchase_customer_id_fkey", "subset", 3, (("at", -1),), ("total",)),
        ("purchase_line_purchase_id_fkey", "embed"),
        ("line_note_purchase_id_line_fkey", "computed"),
    ],
}


@pytest.mark.parametrize("wanted", DESIGNS.values(), ids=DESIGNS)
def test_every_kind_of_design_holds_the_rows(
    pg: Connection, mongo: Database[Any], wanted: list[tuple[Any, ...]]
) -> None:
    """Rows, copies, summaries: each place of each kind of design equals the rows by count and checksum."""
    pg.execute(SHOP)

    found = verified(pg, mongo, *wanted)

    assert found.equal, found.unequal
    assert found.rows == 200 + 1500 + 4000 + 1500 + 0


def test_bounds_and_orders_are_kept(pg: Connection, mongo: Database[Any]) -> None:
    """A subset holds the newest first; a bucket and an overflow no more than their bound."""
    pg.execute(SHOP)

    built(
        pg,
        mongo,
        ("purchase_customer_id_fkey", "subset", 5, (("at", -1),)),
        ("purchase_line_purchase_id_fkey", "bucket", 2),
    )

    newest = [each["purchase_id"] for each in mongo.customer.find_one({"_id": 2})["latest_purchase"]]
    assert newest == [1351, 1201, 1051, 901, 751]
    assert max(each["count"] for each in mongo.purchase_line_buckets.find()) == 2
    (last,) = mongo.purchase_line_buckets.find({"_id.purchase_id": 2}).sort("_id.bucket", -1).limit(1)
    assert (last["_id"]["bucket"], [each["line"] for each in last["rows"]]) == (1, [3])


def test_equal_rows_make_equal_bytes(pg: Connection, mongo: Database[Any]) -> None:
    """The documents are the same, byte by byte, whenever they are made."""
    pg.execute(SHOP)
    wanted = DESIGNS["everything at once"]

    built(pg, mongo, *wanted)
    first = [bytes(each) for each in mongo.purchase.find_raw_batches()]
    mongo.client.drop_database(mongo.name)
    built(pg, mongo, *wanted)

    assert [bytes(each) for each in mongo.purchase.find_raw_batches()] == first


@pytest.mark.parametrize(
    ("collection", "tamper", "what"),
    [
        ("purchase", {"$set": {"purchase_line.0.price": Decimal128("0.11")}}, "public.purchase_line"),
        ("purchase", {"$pop": {"purchase_line": 1}}, "public.purchase_line"),
        ("customer", {"$set": {"city": "elsewhere"}}, "public.customer"),
        ("customer", {"$unset": {"city": ""}}, "public.customer"),
        ("customer", {"$pop": {"latest_purchase": 1}}, "customer.latest_purchase"),
    ],
)
def test_a_tampered_document_fails(
    pg: Connection, mongo: Database[Any], collection: str, tamper: dict[str, Any], what: str
) -> None:
    """One changed, missing or cut value of one document is seen, and the place is named."""
    pg.execute(SHOP)
    design, verifier = built(
        pg,
        mongo,
        ("purchase_customer_id_fkey", "subset", 3, (("at", -1),)),
        ("purchase_line_purchase_id_fkey", "embed"),
    )

    mongo[collection].update_one({"_id": 2}, tamper)

    assert [each.what for each in verifier.verify(design).unequal] == [what]


def test_a_document_beyond_the_limit_is_refused(pg: Connection, mongo: Database[Any]) -> None:
    """More than 16 MB in one document fails with its key and a remedy, not with the server's words."""
    pg.execute(
        """
        create table album (id int primary key);
        create table photo (album_id int references album, n int, data bytea, primary key (album_id, n));
        insert into album values (1);
        insert into photo select 1, g, decode(repeat('00', 1000000), 'hex') from generate_series(1, 17) g;
        """
    )

    with pytest.raises(BuildFailed, match=r"_id 1 would have 17\.0 MB, the limit is 16 MB"):
        built(pg, mongo, ("photo_album_id_fkey", "embed"))


def test_fan_out_is_measured_with_growth(pg: Connection) -> None:
    """Children a parent, parents without, rows without a parent, and whether they come for ever."""
    pg.execute(SHOP + "insert into empty_child values (1, null), (2, 3);")
    catalog = reflect(pg)
    found = relationships(catalog)

    statistics = measure(
        pg, catalog, [(each.schema, each.name) for each in catalog.base_tables], found, rows=200_000
    )

    of = {each.relationship.name: each for each in statistics.fan_outs.values()}
    purchases = of["purchase_customer_id_fkey"]
    assert (purchases.children, purchases.mean, purchases.maximum) == (1500, 10.0, 10)
    assert purchases.childless == 0.25
    assert purchases.growing is True
    assert purchases.per_day == pytest.approx(0.0533, abs=0.001)
    assert of["purchase_line_purchase_id_fkey"].growing is None  # no time says
    assert (of["empty_child_customer_id_fkey"].children, of["empty_child_customer_id_fkey"].orphans) == (1, 1)


def test_a_bounded_share_of_large_tables_is_consistent(pg: Connection, mongo: Database[Any]) -> None:
    """With a bound on the rows, what refers to a row that is left out is left out too, in every design."""
    pg.execute(SHOP + "insert into customer select g, 'n' from generate_series(201, 8000) g; analyze;")
    catalog = reflect(pg)
    tables = [(each.schema, each.name) for each in catalog.base_tables]
    statistics = measure(pg, catalog, tables, relationships(catalog), rows=1000)
    queries = RowQueries(catalog, statistics.scope)
    keys = {each.name: each for each in relationships(catalog)}
    design = design_of(catalog, [Choice(keys["purchase_line_purchase_id_fkey"], "embed")], tables)
    names = collection_names([design])
    build(pg, queries, [design], mongo, names=names)

    found = Verifier(pg, queries, mongo, names).verify(design)

    assert found.equal, found.unequal
    assert statistics.table(("public", "customer")).rows == 1000
    assert any("1,000 of 8,000 rows are taken" in note for note in statistics.notes)


def cheapest(found: DesignComparison) -> BuiltDesign:
    """The design of the lowest price, whatever the clock of a busy machine said of it."""
    return min(found.built, key=lambda each: each.price.per_hour_ms)


def choices_of(design: Design) -> dict[str, str]:
    return {each.relationship.name: each.kind for each in design.choices}


def test_few_children_read_with_their_parent_are_embedded(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """One-to-few, read together: embedding is chosen, takes one operation and one document."""
    with source(SHOP) as opened:
        patterns = patterns_of(
            [
                {
                    "name": "page",
                    "root": "purchase",
                    "by": ["purchase_id"],
                    "include": ["purchase_line"],
                    "per_hour": 1000,
                },
                {"name": "new", "kind": "insert", "root": "purchase_line", "per_hour": 10},
            ],
            reflect(opened.connection),
        )

        found = choose_designs(opened, patterns, mongo_server, rates=rates)

    assert choices_of(cheapest(found).design) == {"purchase_line_purchase_id_fkey": "embed"}
    embedded, referenced = cheapest(found).measured[0], found.baseline.measured[0]
    assert embedded is not None and referenced is not None
    assert (embedded.operations, referenced.operations) == (1.0, 2.0)
    assert embedded.documents_examined == 1.0 < referenced.documents_examined
    assert all(each.verification.equal for each in found.built)
    assert found.finding().verified


@pytest.mark.parametrize(("changes", "apart"), [(500, True), (5, False)])
def test_children_that_change_on_their_own_are_not_embedded(
    source: Sources, mongo_server: MongoServer, rates: Rates, changes: int, apart: bool
) -> None:
    """Children changed ten times as often as their parent stand apart, and it is told why."""
    with source(SHOP) as opened:
        patterns = patterns_of(
            [
                {
                    "name": "purchase",
                    "root": "purchase",
                    "by": ["purchase_id"],
                    "include": ["purchase_line"],
                    "per_hour": 1000,
                },
                {
                    "name": "moved",
                    "kind": "update",
                    "root": "purchase_line",
                    "set": ["price"],
                    "per_hour": changes,
                },
            ],
            reflect(opened.connection),
        )

        found = choose_designs(opened, patterns, mongo_server, rates=rates)

    reasons = [each.reason for each in found.excluded if each.kind == "embed"]
    assert any("their writers would wait for one document" in reason for reason in reasons) == apart


def test_children_that_come_for_ever_are_not_embedded(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """Where children come for as long as the parent is there, the newest are copied, and it is told why."""
    with source(SHOP) as opened:
        patterns = patterns_of(
            [
                {
                    "name": "customer",
                    "root": "customer",
                    "by": ["customer_id"],
                    "include": [{"table": "purchase", "newest": 5, "order_by": "-at"}],
                    "per_hour": 1000,
                },
                {"name": "new", "kind": "insert", "root": "purchase", "per_hour": 20},
            ],
            reflect(opened.connection),
        )

        found = choose_designs(opened, patterns, mongo_server, rates=rates)

    assert choices_of(cheapest(found).design) == {"purchase_customer_id_fkey": "subset"}
    reasons = {each.kind: each.reason for each in found.excluded}
    assert "the array would have no bound" in reasons["embed"]
    new = cheapest(found).measured[1]
    assert new is not None and new.modified == 2.0  # the row, and its copy
    assert found.baseline.price.days_to_limit is None


def test_a_parent_that_changes_often_is_not_copied(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """Copies of a parent save a read and cost every change its fan-out; the frequencies decide."""
    with source(SHOP) as opened:
        catalog = reflect(opened.connection)

        def found_with(changes: int) -> Any:
            return choose_designs(
                opened,
                patterns_of(
                    [
                        {
                            "name": "purchase with name",
                            "root": "purchase",
                            "by": ["purchase_id"],
                            "include": [{"table": "customer", "columns": ["name"]}],
                            "per_hour": 1000,
                        },
                        {
                            "name": "rename",
                            "kind": "update",
                            "root": "customer",
                            "set": ["name"],
                            "per_hour": changes,
                        },
                    ],
                    catalog,
                ),
                mongo_server,
                rates=rates,
            )

        seldom, often = found_with(1), found_with(20_000)

    assert choices_of(cheapest(seldom).design) == {"purchase_customer_id_fkey": "extended"}
    assert choices_of(cheapest(often).design) == {}
    copied = next(each for each in often.built if choices_of(each.design))
    rename = copied.measured[1]
    assert rename is not None and rename.modified > 5  # the customer and its purchases
    assert copied.price.patterns[1].documents_written > 5


def test_a_count_and_sum_that_are_read_are_kept(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """A summary read often and written seldom is kept in the parent, and counts up with an insert."""
    with source(SHOP) as opened:
        patterns = patterns_of(
            [
                {
                    "name": "spent",
                    "root": "purchase",
                    "by": ["customer_id"],
                    "aggregate": {"count": True, "sum": ["total"]},
                    "per_hour": 5000,
                },
                {"name": "new", "kind": "insert", "root": "purchase", "per_hour": 1},
            ],
            reflect(opened.connection),
        )

        found = choose_designs(opened, patterns, mongo_server, rates=rates)

    assert choices_of(cheapest(found).design) == {"purchase_customer_id_fkey": "computed"}
    read = cheapest(found).measured[0]
    assert read is not None and read.documents_examined == 1.0


def test_a_schema_alone_is_enough_and_says_what_it_assumes(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """Without patterns the keys suggest them; tables without keys and without rows are named."""
    with source(SHOP + "create table loose (x int);") as opened:
        found = choose_designs(opened, None, mongo_server, rates=rates, keep=1)

    assert choices_of(cheapest(found).design)["purchase_line_purchase_id_fkey"] == "embed"
    assert any("assumed from the keys" in note for note in found.notes)
    assert any("public.loose" in note for note in found.notes)
    assert any("public.empty_child" in note for note in found.notes)
    assert all(each.verification.equal for each in found.built)


def test_a_design_is_taken_away(source: Sources, mongo_server: MongoServer, rates: Rates) -> None:
    """The choice as a picture, as plain data, and as commands that make its collections and indexes."""
    with source(SHOP) as opened:
        catalog = reflect(opened.connection)
        patterns = patterns_of(
            [
                {"name": "page", "root": "purchase", "by": ["purchase_id"], "include": ["purchase_line"]},
                {"name": "of customer", "root": "purchase", "by": ["customer_id"], "sort": ["-at"]},
            ],
            catalog,
        )
        found = choose_designs(opened, patterns, mongo_server, rates=rates)

        best = cheapest(found)
        picture = picture_of(catalog, best)
        data = json.loads(json.dumps(as_dict(found)))

    assert "purchase holds purchase_line" in picture.alt
    assert "purchase_line[]" in picture.svg
    assert [each["name"] for each in data["patterns"]][:2] == ["page", "of customer"]
    assert data["designs"][0]["rows_found_back"] > 5000
    script = shell_script(best)
    assert 'db.createCollection("purchase");' in script
    assert 'db.getCollection("purchase").createIndex({"customer_id": 1, "at": -1});' in script
    assert 'purchase_line")' not in script


def test_circles_and_tables_of_themselves_stay_references(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """Tables that refer to themselves or to each other are compared without being embedded in themselves."""
    with source(
        """
        create table part (id int primary key, of int references part on delete cascade, name text);
        create table left_side (id int primary key, other int);
        create table right_side (id int primary key, other int references left_side on delete cascade);
        alter table left_side add foreign key (other) references right_side on delete cascade;
        insert into part select g, nullif(g / 2, 0), 'p' from generate_series(1, 300) g;
        insert into left_side select g from generate_series(1, 50) g;
        insert into right_side select g, g from generate_series(1, 50) g;
        update left_side set other = id;
        analyze;
        """
    ) as opened:
        found = choose_designs(opened, None, mongo_server, rates=rates, keep=2)

    assert all(each.verification.equal for each in found.built)
    assert "part_of_fkey" not in choices_of(cheapest(found).design)


def test_rows_that_refer_to_nothing_keep_their_place(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """Where a foreign key does not hold for all rows, embedding is refused, for some would be lost."""
    with source(
        """
        create table p (id int primary key);
        create table p_part (p_id int, n int, primary key (p_id, n));
        insert into p select generate_series(1, 20);
        insert into p_part select g, 1 from generate_series(1, 30) g;
        alter table p_part add foreign key (p_id) references p on delete cascade not valid;
        """
    ) as opened:
        found = choose_designs(opened, None, mongo_server, rates=rates)

    assert [each.reason for each in found.excluded if each.kind == "embed"] == [
        "10 rows refer to no parent and would have no place"
    ]
    assert all(each.verification.equal for each in found.built)


EMPTY = (
    "create table a (id int primary key);"
    "create table b (a_id int references a, n int, primary key (a_id, n));"
)


def test_tables_without_rows_are_not_compared(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """Where no table has a row no design can be built or run, which is told in a line."""
    with source(EMPTY) as opened, pytest.raises(BadInput, match=r"have no rows \(public\.a, public\.b\)"):
        choose_designs(opened, None, mongo_server, rates=rates)


def test_a_table_without_rows_among_others_is_noted(
    source: Sources, mongo_server: MongoServer, rates: Rates
) -> None:
    """With rows in one table the designs are built, and it is said which table nothing was measured on."""
    with source(EMPTY + "insert into a select generate_series(1, 10);") as opened:
        found = choose_designs(opened, None, mongo_server, rates=rates)

    assert any("1 tables have no rows (public.b)" in note for note in found.notes)
    assert all(each.verification.equal for each in found.built)


def test_wrong_calls_are_told(source: Sources, mongo_server: MongoServer, rates: Rates) -> None:
    """Bounds that cannot be, values of the wrong type and a workload without a pattern are one line each."""
    with source(SHOP) as opened:
        catalog = reflect(opened.connection)
        wrong = patterns_of(
            [{"name": "x", "root": "purchase", "filter": [{"column": "total", "op": ">", "value": "much"}]}],
            catalog,
        )

        with pytest.raises(BadInput, match="at least 1000"):
            choose_designs(opened, None, mongo_server, rates=rates, rows=5)
        with pytest.raises(BadInput, match="between 1 and 10"):
            choose_designs(opened, None, mongo_server, rates=rates, keep=0)
        with pytest.raises(BadInput, match="is an access pattern"):
            choose_designs(opened, [], mongo_server, rates=rates)
        with pytest.raises(PatternError, match=r"'much' of public\.purchase\.total is no numeric"):
            choose_designs(opened, wrong, mongo_server, rates=rates)


@pytest.fixture(scope="module")
def example(server: Server, mongo_server: MongoServer) -> DesignComparison:
    """The shop with its declared workload, small."""
    with open_source("ecommerce", server, Options(scale=0.002)) as opened:
        return choose_designs(opened, None, mongo_server)


def test_the_example_is_compared_with_its_declared_workload(example: DesignComparison) -> None:
    """The shop's workload: lines and stock stand with what they are part of, and all rows are found back."""
    found = example

    kinds = choices_of(cheapest(found).design)
    assert kinds["order_items_order_id_currency_code_fkey"] == "embed"
    assert kinds.get("orders_user_id_fkey") != "embed"  # orders come for as long as a user is there
    assert all(each.verification.equal and each.verification.rows > 10_000 for each in found.built)
    assert {each.name for each in found.unmapped} == {"product_search", "category_subtree"}
    assert len(found.built) >= 3
    assert 0 <= found.agreed <= found.compared


def test_the_model_foresees_what_is_touched(example: DesignComparison) -> None:
    """Operations, documents read and written are as priced, for every pattern of every built design."""
    for each in example.built:
        for price, measured in zip(each.price.patterns, each.measured, strict=True):
            assert measured is not None, price.plan.pattern.name
            assert measured.operations == pytest.approx(price.operations, abs=0.2), price.plan.pattern.name
            assert measured.modified == pytest.approx(price.documents_written, rel=0.6, abs=1), price.plan
            if not price.plan.pattern.writes:
                assert measured.documents_examined <= 6 * price.documents_read + 1, price.plan.pattern.name
