"""Access patterns: what a file may say, how a wrong one is told, and what SQL says of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbench.catalog.model import Catalog, Column, Constraint, Table
from workbench.documents.design.assumed import patterns_of_keys, with_assumed_writes
from workbench.documents.design.layout import design_of
from workbench.documents.design.model import Choice, relationships
from workbench.documents.design.patterns import PatternError, patterns_of, read_patterns
from workbench.documents.design.workload import Workload, patterns_of_sql
from workbench.errors import BadInput


def column(name: str, position: int, kind: str = "integer", *, nullable: bool = False) -> Column:
    return Column(name, position, kind, kind, nullable)


def primary(*columns: str) -> Constraint:
    return Constraint("pk", "primary key", columns, f"primary key ({', '.join(columns)})")


def foreign(name: str, columns: tuple[str, ...], parent: str, referenced: tuple[str, ...]) -> Constraint:
    return Constraint(
        name, "foreign key", columns, "", references=("shop", parent), referenced_columns=referenced
    )


def table(name: str, columns: list[Column], *constraints: Constraint) -> Table:
    return Table("shop", name, "table", "me", tuple(columns), constraints)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Users, their orders with a second key to users, lines of orders, tags many-to-many."""
    return Catalog(
        "shop",
        "PostgreSQL 18",
        180_000,
        (
            table("users", [column("user_id", 1), column("email", 2, "text")], primary("user_id")),
            table(
                "orders",
                [
                    column("order_id", 1),
                    column("user_id", 2),
                    column("packed_by", 3, nullable=True),
                    column("created_at", 4, "timestamp with time zone"),
                    column("status", 5, "text"),
                ],
                primary("order_id"),
                foreign("orders_user_fkey", ("user_id",), "users", ("user_id",)),
                foreign("orders_packer_fkey", ("packed_by",), "users", ("user_id",)),
            ),
            table(
                "order_items",
                [column("order_id", 1), column("line", 2), column("price", 3, "numeric")],
                primary("order_id", "line"),
                foreign("items_order_fkey", ("order_id",), "orders", ("order_id",)),
            ),
            table("tags", [column("tag_id", 1), column("label", 2, "text")], primary("tag_id")),
            table(
                "order_tags",
                [column("order_id", 1), column("tag_id", 2)],
                primary("order_id", "tag_id"),
                foreign("tags_order_fkey", ("order_id",), "orders", ("order_id",)),
                foreign("tags_tag_fkey", ("tag_id",), "tags", ("tag_id",)),
            ),
            table("log", [column("line", 1, "text")]),
            replace(table("recent", [column("order_id", 1)]), kind="view"),
        ),
    )


def test_a_file_says_reads_and_writes(catalog: Catalog, tmp_path: Path) -> None:
    """A pattern file names roots, keys, what is read along and how often; defaults fill the rest."""
    path = tmp_path / "patterns.json"
    path.write_text(
        json.dumps(
            [
                {
                    "name": "order page",
                    "root": "shop.orders",
                    "by": "order_id",
                    "include": [
                        {"table": "order_items", "newest": 3, "order_by": "-line"},
                        {"table": "users", "via": "packed_by", "columns": ["email"]},
                    ],
                    "per_hour": 1200,
                },
                {"name": "pack", "kind": "update", "root": "orders", "set": ["status"]},
            ]
        )
    )

    page, pack = read_patterns(path, catalog)

    assert (page.root, page.by, page.per_hour) == (("shop", "orders"), ("order_id",), 1200.0)
    items, packer = page.include
    assert (items.relationship.name, items.to_parent, items.newest) == ("items_order_fkey", False, 3)
    assert items.order == (("line", -1),)
    assert (packer.relationship.name, packer.to_parent, packer.columns) == (
        "orders_packer_fkey",
        True,
        ("email",),
    )
    assert (pack.by, pack.set, pack.per_hour) == (("order_id",), ("status",), 1.0)


READ = {"name": "x", "root": "orders", "by": ["order_id"]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "not a list of patterns"),
        ([], "holds no pattern"),
        (["x"], "pattern 1: is not an object"),
        ([{"root": "orders"}], '"name" is missing'),
        ([{**READ, "kind": "select"}], "none of read, insert, update, delete"),
        ([{**READ, "root": "ordres"}], "did you mean 'orders'?"),
        ([{**READ, "root": "shop.order"}], "did you mean 'shop.orders'?"),
        ([{**READ, "by": ["oder_id"]}], "shop.orders has no column 'oder_id': did you mean 'order_id'?"),
        ([{**READ, "by": [1]}], '"by" is not a list of column names'),
        ([{**READ, "per_hours": 2}], "'per_hours' is not known: did you mean 'per_hour'?"),
        ([{**READ, "per_hour": 0}], '"per_hour" is 0, not a number above 0'),
        ([{**READ, "per_hour": float("nan")}], "not a number above 0"),
        ([{**READ, "per_hour": True}], "not a number above 0"),
        ([{**READ, "limit": -1}], '"limit" is -1'),
        ([{**READ, "set": ["status"]}], '"set" belongs to an update, this is a read'),
        ([{**READ, "kind": "update"}], 'name the columns in "set"'),
        ([{**READ, "kind": "update", "set": ["order_id"]}], "cannot change: write a delete and an insert"),
        ([{"name": "x", "kind": "delete", "root": "log"}], 'has no primary key: say "by" which columns'),
        ([{**READ, "include": [{"table": "users"}]}], "several foreign keys join shop.orders and shop.users"),
        ([{**READ, "include": [{"table": "users", "via": "user"}]}], "did you mean 'user_id'?"),
        ([{**READ, "include": ["log"]}], "no foreign key joins shop.orders and shop.log"),
        ([{**READ, "include": [{"table": "order_items", "newest": 5}]}], "the newest 5 by what?"),
        ([{**READ, "filter": [{"column": "status", "op": "like"}]}], "the comparison 'like' is none of"),
        ([{**READ, "filter": [{"column": "status", "op": "in", "value": "x"}]}], "needs a list of values"),
        ([READ, READ], "two patterns are named 'x'"),
    ],
)
def test_a_wrong_pattern_is_told_in_one_line(catalog: Catalog, data: Any, words: str) -> None:
    """Each mistake is one line that says where it is and what to do."""
    with pytest.raises(PatternError) as told:
        patterns_of(data, catalog)

    assert words in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[{]", "is not JSON"),
        (b"\xff\xfe[\x00", "is not UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_none(catalog: Catalog, tmp_path: Path, content: bytes | None, words: str) -> None:
    """A missing, broken or undecodable file is named with the reason."""
    path = tmp_path / "patterns.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(PatternError, match=words) as told:
        read_patterns(path, catalog)

    assert str(path) in str(told.value)


def mapped(catalog: Catalog, tmp_path: Path, text: str) -> Workload:
    path = tmp_path / "workload.sql"
    path.write_text(text)
    return patterns_of_sql(path, catalog)


def test_sql_statements_become_patterns(catalog: Catalog, tmp_path: Path) -> None:
    """Root, key, joins along foreign keys, order and limit are read off a statement."""
    found = mapped(
        catalog,
        tmp_path,
        """
        -- name: page   per_hour: ignored
        -- per_hour: 1_200
        select o.*, i.price
        from shop.orders o join shop.order_items i on i.order_id = o.order_id
        where o.order_id = $1;
        select * from orders where user_id = %(user)s and status in ('new', 'paid')
        order by created_at desc limit 20;
        -- per_hour: 5
        update shop.orders set status = 'paid' where order_id = :id;
        insert into shop.order_items values (1, 2, 3);
        delete from shop.order_items where order_id = $1 and line = $2;
        """,
    )

    assert found.unmapped == ()
    page, latest, paid, line, gone = found.patterns
    assert (page.root[1], page.by, page.per_hour) == ("orders", ("order_id",), 1200.0)
    assert [(each.table[1], each.to_parent, each.columns) for each in page.include] == [
        ("order_items", False, ("price",))
    ]
    assert (latest.by, latest.sort, latest.limit) == (("user_id",), (("created_at", -1),), 20)
    assert [(each.column, each.operator, each.value) for each in latest.where] == [
        ("status", "in", ("new", "paid"))
    ]
    assert (paid.kind, paid.set, paid.by, paid.per_hour) == ("update", ("status",), ("order_id",), 5.0)
    assert (line.kind, gone.kind, gone.by) == ("insert", "delete", ("order_id", "line"))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("select * from orders where status ilike '%x%'", "is compared with a value"),
        ("select 1", "not a select from tables"),
        ("with x as (select 1) select * from orders where order_id = 1", "common table expressions"),
        ("select * from orders o join log l on l.line = o.status where o.order_id = 1", "not joined along"),
        ("select * from pg_catalog.pg_class where relname = 'x'", "the server's own"),
        ("select * from recent where order_id = 1", "is a view"),
        ("select * from orders as o(a, b) where a = 1", "other names"),
        ("update orders set order_id = 2 where order_id = 1", "changes the key"),
        ("update orders set status = 'x'", "a batch over the table"),
        ("insert into order_tags select order_id, 1 from orders", "inserts what a query reads"),
        ("create table x (y int)", "reads and writes no rows"),
    ],
)
def test_what_is_no_pattern_is_listed_with_the_reason(
    catalog: Catalog, tmp_path: Path, statement: str, words: str
) -> None:
    """A statement that cannot be mapped is named with the reason, and never dropped."""
    found = mapped(catalog, tmp_path, statement)

    assert found.patterns == ()
    (left,) = found.unmapped
    assert words in left.reason


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("selct 1", ':3: syntax error at or near "selct"'),
        ("select *\nfrom orders\nwhere where order_id = 1", ':5: syntax error at or near "where"'),
        ("select * from users where email = 'x", ":3: unterminated quoted string"),
        ("select * from ordres where order_id = 1", ":3: find: there is no table 'ordres': did you mean"),
        ("select * from sales.orders where order_id = 1", "there is no table 'sales.orders'"),
        ("select state from orders where order_id = 1", "no column 'state': did you mean 'status'?"),
        ("select o.* from orders o where o.order = 1", "no column 'order'"),
        ("update orders set state = 'x' where order_id = 1", "no column 'state'"),
        ("insert into orders (order_id, state) values (1, 'x')", "no column 'state'"),
        ("delete from orders where orderid = 1", "no column 'orderid': did you mean 'order_id'?"),
        ("-- per_hour: -5\nselect * from orders where order_id = 1", ":4: find: per_hour is '-5', not"),
        ("-- per_hour: 0\nselect * from orders where order_id = 1", "per_hour is '0', not a number above 0"),
        ("-- per_hour: often\nselect * from orders where order_id = 1", "per_hour is 'often', not"),
        ("-- per_hour:\nselect * from orders where order_id = 1", "per_hour is '', not a number above 0"),
    ],
)
def test_a_mistake_in_a_workload_is_named_with_its_line(
    catalog: Catalog, tmp_path: Path, statement: str, words: str
) -> None:
    """What does not parse, is not in the schema or is no frequency is an error, and not left out."""
    first = "select * from users where user_id = 1;\n-- name: find\n"

    with pytest.raises(PatternError) as told:
        mapped(catalog, tmp_path, first + statement)

    assert words in str(told.value) and str(tmp_path / "workload.sql") in str(told.value)


def test_names_that_are_no_columns_are_no_mistakes(catalog: Catalog, tmp_path: Path) -> None:
    """Names of results, aliases, the server's columns, those of subqueries and of conflicts pass."""
    statements = [
        "select status as state, xmin from orders where order_id = 1 order by state",
        "select o from orders o where o.order_id = 1",
        "select * from orders where order_id = (select x.y from (values (1)) as x(y))",
        "insert into users (user_id, email) values (1, 'x') on conflict (user_id) do update "
        "set email = excluded.email",
        "update shop.users set email = users.email where user_id = 1",
    ]

    found = mapped(catalog, tmp_path, ";\n".join(statements) + ";\n-- the end\n")

    assert len(found.patterns) + len(found.unmapped) == len(statements)


def test_a_limit_does_not_outlive_a_condition_that_is_left_out(catalog: Catalog, tmp_path: Path) -> None:
    """Where a condition cannot be said, all rows of the key are read, whatever the limit."""
    found = mapped(
        catalog, tmp_path, "select * from orders where user_id = 1 and length(status) > 3 order by 1 limit 5"
    )

    (pattern,) = found.patterns
    assert pattern.limit is None
    assert any("length(status) > 3" in note for note in pattern.notes)


def test_keys_suggest_patterns_that_say_that_they_are_assumed(catalog: Catalog) -> None:
    """Without a workload, parents are read with their children, rows by key, and every table is written."""
    patterns, notes = patterns_of_keys(catalog, {})

    assert all(each.assumed for each in patterns)
    by_name = {each.name: each for each in patterns}
    tags = by_name["shop.orders with shop.order_tags"]
    assert [each.table[1] for each in tags.include[0].include] == ["tags"]  # what the join table joins
    assert by_name["shop.users with shop.orders by user_id"].include[0].newest == 20
    assert by_name["shop.orders with shop.order_items"].include[0].newest is None
    assert "shop.order_tags by its key" not in by_name
    assert any("shop.log" in note for note in notes)


def test_of_many_assumed_patterns_the_largest_tables_stay(catalog: Catalog) -> None:
    """More patterns than asked for are left out from the smallest tables on, and counted."""
    kept, notes = patterns_of_keys(catalog, {("shop", "order_items"): 1000.0}, most=3)

    assert len(kept) == 3
    assert all("order_items" in each.name for each in kept)
    assert any("left out" in note for note in notes)


def test_a_workload_of_reads_pays_for_writes(catalog: Catalog, tmp_path: Path) -> None:
    """Tables that are read and never written get an insert and a change at a hundredth of their reads."""
    read = mapped(catalog, tmp_path, "-- per_hour: 500\nselect * from orders where order_id = 1")

    written = with_assumed_writes(catalog, read.patterns)[1:]

    assert [(each.kind, each.per_hour, each.assumed) for each in written] == [
        ("insert", 5.0, True),
        ("update", 5.0, True),
    ]


def test_choices_that_contradict_each_other_are_refused(catalog: Catalog) -> None:
    """Rows have one home, and nothing is embedded in itself."""
    keys = {each.name: each for each in relationships(catalog)}
    tables = [("shop", each) for each in ("orders", "order_tags", "tags", "order_items", "users")]

    with pytest.raises(BadInput, match="would stand in two places"):
        design_of(
            catalog,
            [Choice(keys["tags_order_fkey"], "embed"), Choice(keys["tags_tag_fkey"], "embed")],
            tables,
        )
    with pytest.raises(BadInput, match="split over documents"):
        design_of(
            catalog,
            [Choice(keys["items_order_fkey"], "embed"), Choice(keys["orders_user_fkey"], "bucket", 10)],
            tables,
        )


def test_an_embedded_row_does_not_repeat_the_key_of_its_parent(catalog: Catalog) -> None:
    """The columns of the foreign key stand in the parent alone, and are still found there."""
    keys = {each.name: each for each in relationships(catalog)}
    tables = [("shop", "orders"), ("shop", "order_items")]

    design = design_of(catalog, [Choice(keys["items_order_fkey"], "embed")], tables)

    (collection,) = design.collections
    (place,) = design.homes(("shop", "order_items"))
    assert (collection.name, place.names) == ("orders", ("order_items",))
    assert (place.path("order_id"), place.path("line")) == ("_id", "order_items.line")
