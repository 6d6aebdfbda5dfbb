"""Workloads that files and the example declare, checked against the database that they are for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql as composed

from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.workload import Workload, runnable, workload_of_example, workload_of_files
from workbench.source import Options, open_source

SCHEMA = """
create schema "Odd ""schema";
create table "Odd ""schema"."T 1" ("a'b" int);
create table orders (
  order_id bigint primary key, user_id int, status text, total numeric, created_at timestamptz, data jsonb
);
"""


@pytest.fixture(scope="module")
def conn(server: Server) -> Iterator[Connection]:
    """A small schema; nothing of these tests writes to it."""
    with server.scratch_database(label="test") as name, server.session(name) as session:
        session.execute(SCHEMA)
        yield session


def of(conn: Connection, tmp_path: Path, text: str) -> Workload:
    path = tmp_path / "w.sql"
    path.write_text(text)
    return workload_of_files(path, conn)


def planned(conn: Connection, workload: Workload) -> int:
    """How many of the statements the server plans with their values."""
    for each in workload.statements:
        conn.execute(composed.SQL("explain ") + runnable(each))
    return len(workload.statements)


def test_comments_declare_name_weight_and_values(conn: Connection, tmp_path: Path) -> None:
    """Comments before a statement name it, weigh it, and give its placeholders values."""
    found = of(
        conn,
        tmp_path,
        """
        -- name: of a user
        -- per_hour: 1_200
        -- values: status = 'it''s; -- new', user = -42
        select * from orders where user_id = :user and status = %(status)s and total > 3-:user;
        -- weight: 2.5
        -- values: 7
        delete from orders where order_id = ?;
        select count(*) from orders where user_id = $1
        """,
    )

    assert [(each.name, each.weight, each.kind, each.values) for each in found.statements] == [
        ("of a user", 1200, "select", ("-42", "'it''s; -- new'")),
        ("w:2", 2.5, "delete", ("7",)),
        ("w:3", 1, "select", None),
    ]
    assert found.statements[0].where == f"{tmp_path}/w.sql:5"
    assert (
        runnable(found.statements[0]).as_string(conn)
        == "select * from orders where user_id = (-42) and status = 'it''s; -- new' and total > 3-(-42)"
    )
    assert not found.unread
    assert planned(conn, Workload(found.statements[:2])) == 2


def test_sets_of_values_share_the_weight(conn: Connection, tmp_path: Path) -> None:
    """Each line of values is the statement once more, with its part of the weight."""
    found = of(
        conn,
        tmp_path,
        "-- weight: 6\n-- values: 1, 'paid'\n-- values: $2 = 'new', $1 = 2\n"
        "select 1 from orders where user_id = $1 and status = $2",
    )

    assert [(each.name, each.weight, each.values) for each in found.statements] == [
        ("w", 3, ("1", "'paid'")),
        ("w (2)", 3, ("2", "'new'")),
    ]


def test_what_is_not_understood_is_listed_and_the_rest_goes_on(conn: Connection, tmp_path: Path) -> None:
    """Each statement that the server would refuse stands with its line and the reason."""
    found = of(
        conn,
        tmp_path,
        """select 1 from orders;
selec 1 from orders;
select 1 from missing;
select nothing
from orders
where orders.absent = 1;
select missing(order_id) from orders;
select 1 from orders where;
create index on orders (status);
select * into copied from orders;
-- weight: heavy
select 2 from orders;
-- values: id = 3
select 3 from orders where order_id = :other;
-- values: 'x'
select 4 from orders where order_id = $1;
-- values: (select 1)
select 5 from orders where order_id = $1;
select 6 from orders where order_id = $1 and user_id = :id;
select 7 from orders;
select 'without end from orders;
select 8 from orders;
""",
    )

    assert [each.sql for each in found.statements] == ["select 1 from orders", "select 7 from orders"]
    assert [(int(each.where.rpartition(":")[2]), each.reason.partition(":")[0]) for each in found.unread] == [
        (2, 'syntax error at or near "selec"'),
        (3, 'relation "missing" does not exist'),
        (4, 'column "nothing" does not exist'),
        (7, "function missing(bigint) does not exist"),
        (8, "syntax error at end of input"),
        (9, "INDEX is no SELECT, INSERT, UPDATE, DELETE or MERGE"),
        (10, "SELECT INTO creates a table"),
        (12, "weight is 'heavy', not a number above 0"),
        (14, "values names id, which is no parameter of the statement"),
        (16, "with the values 'x'"),
        (18, "values holds a column or a query"),
        (19, "it mixes kinds of placeholders"),
        (21, "unterminated quoted string at or near \"'without end from orders;"),
    ]


def test_placeholders_are_not_looked_for_in_strings(conn: Connection, tmp_path: Path) -> None:
    """Times, casts, slices, operators of jsonb and percent signs are no placeholders."""
    found = of(
        conn,
        tmp_path,
        """
        select '10:30 :no %(no)s ? $1 %s', status::text, (array[1, 2])[1:2], 7 %2 -- :no
        from orders where data ? 'key' and status like 'a%%';
        select 1 from orders where data ? :key;
        select 1 from orders where user_id=? and status=%s;
        """,
    )

    assert [each.values for each in found.statements] == [(), None, None]
    assert found.statements[0].sql.endswith("like 'a%%'")
    assert found.statements[1].sql.endswith("data ? $1")
    assert [each.reason.partition(":")[0] for each in found.unread] == []


def test_a_query_that_writes_or_locks_is_told_from_one_that_reads(conn: Connection, tmp_path: Path) -> None:
    """A SELECT whose common table expression writes, or that locks rows, does not only read."""
    found = of(
        conn,
        tmp_path,
        """
        select 1 from orders; values (1); with a as (select 1) select * from a; table orders;
        with a as (delete from orders returning *) select * from a;
        select * from orders for update;
        select * from (select * from orders for key share) x;
        merge into orders o using (values (1)) v on o.order_id = 1 when matched then delete;
        insert into orders select * from orders on conflict do nothing;
        """,
    )

    assert [(each.kind, each.reads_only) for each in found.statements] == [
        *[("select", True)] * 4,
        ("delete", False),
        ("other", False),
        ("other", False),
        ("merge", False),
        ("insert", False),
    ]


def test_a_folder_gives_its_files_names(conn: Connection, tmp_path: Path) -> None:
    """Files come in the order of their names; set search_path counts for the file that it stands in."""
    (tmp_path / "b.sql").write_text('select "a\'b" from "T 1"')
    (tmp_path / "a.SQL").write_text(
        'set search_path = "Odd ""schema", public;\nselect "a\'b" from "T 1" where "a\'b" = ?; table orders;'
    )
    (tmp_path / "c.sql").write_bytes(b"select '\xff'")
    (tmp_path / "notes.txt").write_text("no sql")

    found = workload_of_files(tmp_path, conn)

    assert [(each.name, each.search_path) for each in found.statements] == [
        ("a", ('Odd "schema', "public")),
        ("a:2", ('Odd "schema', "public")),
    ]
    assert [(each.name, each.reason) for each in found.unread] == [
        ("b", 'relation "T 1" does not exist'),
        ("c", "is not UTF-8: save it as UTF-8"),
    ]


@pytest.mark.parametrize("text", ["", "\n-- nothing\n", ";;"])
def test_a_file_without_a_statement(conn: Connection, tmp_path: Path, text: str) -> None:
    """It is said in a line."""
    with pytest.raises(BadInput, match="holds no statement"):
        of(conn, tmp_path, text)


def test_no_file(conn: Connection, tmp_path: Path) -> None:
    """What cannot be read, or an empty folder, is said in a line."""
    with pytest.raises(BadInput, match="No such file"):
        workload_of_files(tmp_path / "none.sql", conn)
    with pytest.raises(BadInput, match=r"has no \.sql file"):
        workload_of_files(tmp_path, conn)


def test_constants_that_statistics_replaced_are_parameters(conn: Connection, tmp_path: Path) -> None:
    """What pg_stat_statements writes and PREPARE does not take is put into words that it takes."""
    found = of(
        conn,
        tmp_path,
        """
        -- values: 'year', 2024, '7 days', '1', 5
        select * from orders where extract($1 from created_at) = $2 and status <> 'ü'
          and created_at > now() - interval $3 - interval $4 day limit $5
        """,
    )

    assert planned(conn, found) == 1
    assert "cast('1' as interval day) limit 5" in runnable(found.statements[0]).as_string(conn)


def test_types_that_were_lost_with_the_constants(conn: Connection, tmp_path: Path) -> None:
    """A parameter that only another could give a type has one that fits; equal names stay apart."""
    found = of(
        conn,
        tmp_path,
        """
        -- name: same
        select sum(case when status = $1 then $2 else $3 end) from orders where total <= $4 + $5;
        -- name: same
        select jsonb_build_object($1, status), g from orders, generate_series($2, $3) g;
        -- name: same
        select missing($1, 'x') from orders;
        """,
    )

    assert [(each.name, "numeric" in each.sql, "as text" in each.sql) for each in found.statements] == [
        ("same", True, False),
        ("same (2)", False, True),
    ]
    assert [each.reason for each in found.unread] == ["function missing(unknown, unknown) does not exist"]


def test_nothing_is_left_and_nothing_is_run(conn: Connection, tmp_path: Path) -> None:
    """No statement stays prepared, no row is written, the session's settings are as they were."""
    before = conn.execute("select count(*), current_setting('search_path') from orders").fetchall()
    of(conn, tmp_path, "set search_path = public; insert into orders values (1); select 1/0; select x;")

    assert conn.execute("select * from pg_prepared_statements").fetchall() == []
    assert conn.execute("select count(*), current_setting('search_path') from orders").fetchall() == before


def test_a_backslash_is_no_way_out(conn: Connection, tmp_path: Path) -> None:
    """A session that reads backslashes in strings as escapes is asked as pglast reads them."""
    conn.execute("set standard_conforming_strings = off")
    try:
        found = of(conn, tmp_path, r"select '\'; drop table orders; --' from orders")
    finally:
        conn.execute("reset standard_conforming_strings")

    assert [each.sql for each in found.statements] == ["select '\\'"]
    assert [each.reason.partition(" ")[0] for each in found.unread] == ["DROP"]
    assert conn.execute("select to_regclass('orders') is not null").fetchone() == (True,)


def test_thousands_of_statements(conn: Connection, tmp_path: Path) -> None:
    """Each of 5,000 statements is asked for, those that are refused among them."""
    text = "".join(
        f"select {n} from orders where {'absent' if n % 100 == 0 else 'user_id'} = {n};\n"
        for n in range(1, 5001)
    )

    found = of(conn, tmp_path, text)

    assert (len(found.statements), len(found.unread)) == (4950, 50)
    assert found.unread[1].where.endswith("w.sql:200")
    assert found.statements[-1].name == "w:4999"


def test_the_examples_workload_has_values_of_its_data(server: Server) -> None:
    """Each declared query of the example has values that its data holds, and is weighted as declared."""
    with open_source("ecommerce", server, Options(scale=0.001)) as opened:
        found = workload_of_example(opened.connection)
        by_name = {each.name: each for each in found.statements}
        rows = opened.connection.execute(runnable(by_name["user_by_email"])).fetchall()

        assert planned(opened.connection, found) == 22
    assert len(rows) == 1
    assert by_name["user_by_email"].weight == 20_000
    assert not found.unread


def test_another_database_is_not_the_example(conn: Connection) -> None:
    """It is said in a line."""
    with pytest.raises(BadInput, match="not the e-commerce example"):
        workload_of_example(conn)
