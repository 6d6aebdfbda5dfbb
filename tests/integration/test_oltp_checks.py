"""The checks of sql/oltp/checks/: what each finds, what it must leave alone, and that its fix closes it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import sql
from workbench.areas.oltp import review, run_checks, verify
from workbench.engines.postgres import Connection, Server
from workbench.errors import SchemaNotFound
from workbench.proof.findings import Finding

PAGES = Path(__file__).resolve().parents[2] / "docs" / "checks"
CHECKS = sql.files("oltp/checks")
ODD = 'Odd "name" %s é 🐘 <b>'


def found(conn: Connection, check: str) -> list[str]:
    """The objects of the findings of *check*."""
    return [finding.object for finding in run_checks(conn) if finding.check == check]


def proved(conn: Connection, check: str) -> Finding:
    """The one finding of *check*, verified or not."""
    (finding,) = [f for f in verify(run_checks(conn), conn, "engine") if f.check == check]
    return finding


def closed(conn: Connection, check: str) -> Finding:
    """The one finding of *check*, after its fix was run for good and found to close it."""
    finding = proved(conn, check)
    assert finding.verified, finding.unverified_because
    for statement in re.split(r";\n", finding.fix):
        conn.execute(statement)
    assert finding.object not in found(conn, check)
    return finding


def statements_of(conn: Connection, action: Callable[[], object]) -> int:
    """How many statements *action* sends on *conn*, as the server's own statistics count them."""
    query = (
        "select coalesce(sum(calls), 0) from pg_stat_statements "
        "where dbid = (select oid from pg_database where datname = current_database())"
    )
    conn.execute("create extension if not exists pg_stat_statements")
    before = conn.execute(query).fetchone()
    action()
    after = conn.execute(query).fetchone()
    assert before and after
    return int(after[0] - before[0])


def kinds(finding: Finding) -> list[str]:
    return [evidence.kind for evidence in finding.evidence]


# What holds for all checks


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_has_a_page_and_tests(name: str) -> None:
    """A check is a file with a header, a page of the same name, and tests that name it."""
    stem = Path(name).stem
    check = stem.partition("_")[2]
    header = sql.header(name)

    assert header[check]
    assert header["level"] in ("error", "warn", "info")
    assert header["needs"] == "PostgreSQL 13"
    assert header["near miss"]
    assert f'"{check}"' in Path(__file__).read_text(encoding="utf-8")
    page = (PAGES / f"{check}.md").read_text(encoding="utf-8")
    for heading in ("# ", "## Why", "## Example", "## Fix", "## Near misses", "## Proof"):
        assert heading in page, f"{check}.md has no {heading!r}"


def test_an_empty_database_has_no_findings(pg: Connection) -> None:
    """Without tables nothing is found."""
    assert run_checks(pg) == []
    assert verify([], pg, "engine") == []


def test_a_clean_schema_has_no_findings(pg: Connection) -> None:
    """What is designed well stays unmentioned."""
    pg.execute("""
        create table customers (
          id bigint generated always as identity primary key,
          email text not null unique,
          created_at timestamptz not null
        );
        create table orders (
          id bigint generated always as identity primary key,
          customer_id bigint not null references customers,
          total numeric(12, 2) not null check (total >= 0)
        );
        create index on orders (customer_id);
    """)

    assert run_checks(pg) == []


def test_only_the_named_schemas_are_reviewed(pg: Connection) -> None:
    """A schema that was not asked for is left out, one that is not there is an error."""
    pg.execute("create schema a; create schema b; create table a.t (x int); create table b.t (x int)")

    assert [finding.object for finding in run_checks(pg, schemas=["b"])] == ["b.t"]
    with pytest.raises(SchemaNotFound, match="'c' is not in database"):
        run_checks(pg, schemas=["c"])


def test_tables_that_are_not_the_schemas_own_are_left_out(pg: Connection) -> None:
    """Temporary tables, migration ledgers and system schemas are not reviewed."""
    pg.execute("""
        create temporary table t (x int);
        create table flyway_schema_history (x int);
        create table "SequelizeMeta" (x int);
        create table migrations (id serial, migration text, batch int);
    """)

    assert run_checks(pg) == []


def test_a_members_table_of_an_extension_is_left_out(pg: Connection) -> None:
    """An extension's tables are its author's."""
    pg.execute("""
        create table of_extension (price real, at timestamp);
        insert into pg_catalog.pg_depend
          (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
        select 'pg_catalog.pg_class'::regclass, 'of_extension'::regclass, 0,
          'pg_catalog.pg_extension'::regclass, e.oid, 0, 'e'
        from pg_catalog.pg_extension e
        where e.extname = 'plpgsql';
    """)

    assert run_checks(pg) == []


def test_checks_need_no_privilege_and_write_nothing(server: Server, database: str, pg: Connection) -> None:
    """A role that may read no table sees the same structure in a read-only session."""
    pg.execute("create table t (x int)")
    pg.execute(
        "create table p (id int primary key); create table c (id serial primary key, p_id int references p)"
    )
    pg.execute("drop role if exists wb_test_reader")
    pg.execute("create role wb_test_reader login")
    try:
        with server.session(database, user="wb_test_reader") as reader:
            reader.execute("set default_transaction_read_only = on")
            seen = [(finding.check, finding.object) for finding in run_checks(reader)]
    finally:
        pg.execute("drop role wb_test_reader")

    assert seen == [("unindexed_foreign_key", "public.c.c_p_id_fkey"), ("missing_primary_key", "public.t")]


def test_the_number_of_queries_does_not_grow_with_the_tables(pg: Connection) -> None:
    """300 tables are checked by as many statements as none, and all their fixes are proved."""
    none = statements_of(pg, lambda: run_checks(pg))
    pg.execute("""
        do $$
        begin
          create table parent (id int primary key);
          for i in 1..300 loop
            execute format('create table t_%s (id int primary key, parent_id int references parent)', i);
          end loop;
        end $$
    """)
    findings = run_checks(pg)

    assert len(findings) == 300
    assert statements_of(pg, lambda: run_checks(pg)) == none
    assert all(finding.verified for finding in verify(findings, pg, "engine"))


def test_odd_names_travel_through_findings_and_fixes(pg: Connection) -> None:
    """Quotes, capitals, per cent signs and emoji are quoted in objects and fixes."""
    quoted = '"' + ODD.replace('"', '""') + '"'
    pg.execute(
        """
        create schema ODD;
        create table ODD.ODD (ODD int primary key);
        create table ODD."child %" (ODD int, price real, at timestamp, other int references ODD.ODD);
        create index on ODD."child %" (ODD);
        create index on ODD."child %" (ODD);
        create sequence ODD."seq %";
        alter table ODD."child %" alter column ODD set default nextval('ODD."seq %"');
        alter table ODD."child %" add constraint ODD check (ODD > 0) not valid;
    """.replace("nextval('ODD.", "nextval('" + quoted.replace("'", "''") + ".").replace("ODD", quoted)
    )

    findings = verify(run_checks(pg), pg, "engine")

    assert {finding.check for finding in findings} == {
        "missing_primary_key",
        "unindexed_foreign_key",
        "duplicate_index",
        "money_as_floating_point",
        "timestamp_without_time_zone",
        "constraint_not_valid",
        "unowned_sequence",
    }
    assert [finding.unverified_because for finding in findings if not finding.verified] == []
    assert all(finding.object.startswith(quoted + ".") for finding in findings)


def test_findings_come_worst_first_and_are_the_same_each_time(pg: Connection) -> None:
    """Severity, then object decides the order; a second run gives the same list."""
    pg.execute("""
        create table z (x int, at timestamp);
        create table a (id smallint primary key, at timestamp);
        create sequence s as smallint owned by a.id;
        select setval('s', 32000);
        alter table a alter column id set default nextval('s');
    """)
    findings = run_checks(pg)

    assert [(f.severity, f.object) for f in findings] == [
        ("error", "public.a.id"),
        ("warn", "public.z"),
        ("info", "public.a"),
        ("info", "public.z"),
    ]
    assert run_checks(pg) == findings


# The proof


def test_a_proof_leaves_the_copy_as_it_was(pg: Connection) -> None:
    """All fixes are rolled back: the same findings are there after it."""
    pg.execute("""
        create table p (id int primary key);
        create table c (p_id int references p, price float8, at timestamp);
        create sequence s;
        alter table c add column n int default nextval('s');
    """)
    before = run_checks(pg)

    verify(before, pg, "engine")

    assert run_checks(pg) == before


def test_a_fix_that_brings_up_another_finding_is_not_verified(pg: Connection) -> None:
    """A key widened under a second foreign key would mismatch there: the finding says so."""
    pg.execute("""
        create table p (id bigint primary key);
        create table c (id int primary key references p);
        create table g (id int primary key references c);
    """)
    finding = proved(pg, "foreign_key_type_mismatch")

    assert not finding.verified
    assert "brings up another: foreign_key_type_mismatch on public.g.id" in finding.unverified_because


def test_one_bad_fix_does_not_spoil_the_others(pg: Connection) -> None:
    """Of fixes tried together only the one that brings up a new finding is refused."""
    pg.execute("""
        create table p (id bigint primary key);
        create table c (id int primary key references p);
        create table g (id int primary key references c);
        create table a (x int);
        create table b (x int);
        create table d (x int);
    """)
    findings = verify(run_checks(pg), pg, "engine")

    assert [f.object for f in findings if not f.verified] == ["public.c.id"]
    assert [f.object for f in findings if f.verified] == ["public.a", "public.b", "public.d"]


def test_a_fix_that_cannot_run_says_why(pg: Connection) -> None:
    """A partition key's type cannot be changed in place."""
    pg.execute("create table t (id int, at timestamp, primary key (id, at)) partition by range (at)")

    finding = proved(pg, "timestamp_without_time_zone")

    assert not finding.verified
    assert "the fix fails in the scratch copy" in finding.unverified_because


def test_what_the_copy_does_not_show_is_not_verified(pg: Connection, server: Server) -> None:
    """A finding about an object that the copy lacks is reported as not proved."""
    pg.execute("create table t (x int)")
    with server.scratch_database() as other, server.session(other) as scratch:
        (finding,) = review(pg, scratch, engine="engine")

    assert not finding.verified
    assert "does not show it" in finding.unverified_because


def test_views_on_a_column_are_dropped_and_created_again(pg: Connection) -> None:
    """A type changes beneath views: they are there again, with theirs, their comments, indexes and grants."""
    pg.execute("""
        create table t (id int primary key, at timestamp);
        create view "V %" with (security_barrier = true) as select at from t;
        create materialized view m as select at, count(*) from "V %" group by at;
        create unique index on m (at);
        create view w as select m.at from m cross join "V %";
        comment on view "V %" is 'it''s 100 %';
        comment on column w.at is 'when';
        grant select on w to public;
    """)

    finding = closed(pg, "timestamp_without_time_zone")

    assert finding.fix.index("drop view public.w") < finding.fix.index("drop materialized view public.m")
    assert pg.execute("""
        select
          obj_description('"V %"'::regclass),
          col_description('w'::regclass, 1),
          (select reloptions from pg_class where oid = '"V %"'::regclass),
          (select count(*) from pg_index where indrelid = 'm'::regclass),
          (select relacl::text like '%=r/%' from pg_class where oid = 'w'::regclass),
          (select format_type(atttypid, null) from pg_attribute where attrelid = 'w'::regclass and attnum = 1)
    """).fetchone() == ("it's 100 %", "when", ["security_barrier=true"], 1, True, "timestamp with time zone")


def test_grants_to_roles_that_the_copy_lacks_are_left_out(pg: Connection, server: Server) -> None:
    """The fix names them for the source; the copy's server need not know them."""
    pg.execute("create table t (id int primary key, at timestamp); create view v as select at from t")
    with server.scratch_database() as other, server.session(other) as scratch:
        scratch.execute(
            "create table t (id int primary key, at timestamp); create view v as select at from t"
        )
        (finding,) = run_checks(pg)
        granted = replace(finding, fix=finding.fix + '\ngrant select on public.v to "no such role";')
        (proof,) = verify([granted], scratch, "engine")

    assert proof.verified
    assert proof.fix == granted.fix
    assert proof.evidence[0].facts["left_out"] == 1


# Tables without a primary key


def test_a_table_without_a_primary_key(pg: Connection) -> None:
    """It gets an identity column, under a name that is free."""
    pg.execute("create table t (id text, x int)")

    finding = closed(pg, "missing_primary_key")

    assert finding.object == "public.t"
    assert (
        finding.fix == "alter table public.t add column t_id bigint generated always as identity primary key;"
    )
    assert kinds(finding) == ["fix-closes-finding", "key-holds"]


def test_partitions_with_keys_are_keyed(pg: Connection) -> None:
    """Where all partitions have a primary key the parent is left alone; where one lacks it, not."""
    pg.execute("""
        create table t (id int, k int) partition by list (k);
        create table t_1 partition of t (primary key (id)) for values in (1);
    """)
    assert found(pg, "missing_primary_key") == []

    pg.execute("create table t_2 partition of t for values in (2)")
    finding = proved(pg, "missing_primary_key")
    assert finding.object == "public.t"


def test_a_partitioned_table_gets_a_key_with_its_partition_key(pg: Connection) -> None:
    """There is one finding for it and none for its partitions."""
    pg.execute("""
        create table t (x int, "At" date) partition by range ("At");
        create table t_1 partition of t for values from ('2026-01-01') to ('2027-01-01');
    """)

    finding = closed(pg, "missing_primary_key")

    assert 'add primary key (id, "At")' in finding.fix


def test_a_table_partitioned_by_an_expression_gets_keys_on_its_partitions(pg: Connection) -> None:
    """No primary key is possible on the parent there."""
    pg.execute("""
        create table t (x int) partition by list ((x % 2));
        create table t_0 partition of t for values in (0);
        create table t_1 partition of t for values in (1);
    """)

    closed(pg, "missing_primary_key")


def test_a_unique_key_becomes_the_primary_key(pg: Connection) -> None:
    """A unique index on a NOT NULL column is used as it is."""
    pg.execute("create table t (code text not null); create unique index t_code on t (code)")

    finding = closed(pg, "missing_primary_key")

    assert finding.severity == "info"
    assert finding.fix == "alter table public.t add primary key using index t_code;"


def test_a_referenced_unique_constraint_becomes_the_primary_key(pg: Connection) -> None:
    """The foreign keys that rest on it are put back."""
    pg.execute("""
        create table t (code text not null constraint t_code unique);
        create table c (id int primary key, code text references t (code) on delete cascade);
        create index on c (code);
    """)

    closed(pg, "missing_primary_key")

    assert (
        "ON DELETE CASCADE"
        in pg.execute("select pg_get_constraintdef(oid) from pg_constraint where contype = 'f'").fetchone()[0]
    )


@pytest.mark.parametrize(
    "index",
    [
        "create unique index on t (code) where code > ''",
        "create unique index on t (lower(code))",
        "create unique index on t (other)",
    ],
)
def test_what_does_not_identify_each_row_is_no_key(pg: Connection, index: str) -> None:
    """A partial index, an expression, a nullable column cannot become the primary key."""
    pg.execute(f"create table t (code text not null, other text); {index}")

    assert "add column id" in closed(pg, "missing_primary_key").fix


def test_a_linking_table_gets_both_columns_as_key_where_its_rows_allow_it(pg: Connection) -> None:
    """The rows decide between the two columns and a new one."""
    pg.execute("""
        create table a (id int primary key); create table b (id int primary key);
        create table ab (b_id int references b, a_id int references a);
        create index on ab (a_id); create index on ab (b_id);
        insert into a values (1), (2); insert into b values (1); insert into ab values (1, 1), (1, 2);
    """)
    finding = proved(pg, "missing_primary_key")
    assert "generated always as identity" in run_checks(pg)[0].fix
    assert (
        finding.fix == 'alter table "public"."ab" add primary key ("a_id", "b_id");' or not finding.verified
    )

    pg.execute("insert into ab values (1, 1)")
    assert "generated always as identity" in proved(pg, "missing_primary_key").fix


def test_a_column_of_distinct_values_becomes_the_primary_key(pg: Connection) -> None:
    """The statistics point to the column, the fix proves that it is unique."""
    pg.execute(
        "create table things (thing_id int, x int);"
        "insert into things select g, 1 from generate_series(1, 50) g;"
        "analyze"
    )

    assert closed(pg, "missing_primary_key").fix == "alter table public.things add primary key (thing_id);"


# Foreign keys without an index


FOREIGN_KEY = """
    create table p (id int primary key, a int, b int, t text collate "C" unique, unique (a, b));
    create table c (
      id int primary key, p_id int references p, a int, b int, foreign key (a, b) references p (a, b)
    );
    create index on c (a, b);
"""


def test_a_foreign_key_without_an_index(pg: Connection) -> None:
    """The index that the fix makes is the one that the lookup then uses."""
    pg.execute(FOREIGN_KEY)
    pg.execute("insert into p select g, g, g from generate_series(1, 5000) g")
    pg.execute("insert into c select g, g, g, g from generate_series(1, 5000) g")

    finding = closed(pg, "unindexed_foreign_key")

    assert (finding.severity, finding.object) == ("warn", "public.c.c_p_id_fkey")
    assert finding.fix == "create index concurrently on public.c (p_id);"
    plan = finding.evidence[1]
    assert plan.kind == "plan"
    assert plan.facts["plan_before"] == ["Seq Scan"]
    assert plan.facts["cost_after"] < plan.facts["cost_before"] / 2
    assert plan.facts["runs"] == 5


def test_an_empty_table_is_proved_by_the_plan_alone(pg: Connection) -> None:
    """Without rows nothing is timed: no index path before, one after."""
    pg.execute(FOREIGN_KEY)

    facts = proved(pg, "unindexed_foreign_key").evidence[1].facts

    assert (facts["index_path_before"], facts["index_path_after"]) == (False, True)
    assert "elapsed_after_ms" not in facts


def test_where_the_index_saves_little_now_the_finding_is_an_information(pg: Connection) -> None:
    """Two rows are read faster without an index."""
    pg.execute(FOREIGN_KEY)
    pg.execute("insert into p values (1, 1, 1); insert into c values (1, 1, 1, 1)")

    finding = proved(pg, "unindexed_foreign_key")

    assert (finding.severity, finding.verified) == ("info", True)
    assert "saves little" in finding.evidence[1].summary


@pytest.mark.parametrize(
    "index",
    [
        "create index on c (p_id)",
        "create index on c (p_id, a)",
        "create index on c using hash (p_id)",
        "create index on c (p_id desc nulls last)",
        "create index on c (p_id) where p_id is not null",
        "create unique index on c (p_id) include (a)",
        "alter table c drop constraint c_pkey, add primary key (p_id, id)",
        "create index on c (p_id) where (p_id is not null) and p_id is not null",
    ],
)
def test_an_index_that_covers_the_foreign_key(pg: Connection, index: str) -> None:
    """An index whose first column is the key covers it, partial on NOT NULL or not."""
    pg.execute(FOREIGN_KEY)
    pg.execute(index)

    assert found(pg, "unindexed_foreign_key") == []


@pytest.mark.parametrize(
    "index",
    [
        "create index on c (a, p_id)",
        "create index on c (p_id) where a > 0",
        "create index on c (p_id) where p_id > 0",
        "create index on c using brin (p_id)",
        "create index on c ((p_id + 0))",
        "create index on c (id) include (p_id)",
        "create index i on c (p_id); update pg_index set indisvalid = false where indexrelid = 'i'::regclass",
    ],
)
def test_an_index_that_does_not_cover_the_foreign_key(pg: Connection, index: str) -> None:
    """Behind others, partial otherwise, lossy, on an expression, included or invalid."""
    pg.execute(FOREIGN_KEY)
    pg.execute(index)

    assert found(pg, "unindexed_foreign_key") == ["public.c.c_p_id_fkey"]


@pytest.mark.parametrize(
    ("index", "severity"),
    [
        ("create index on c (b, a)", None),
        ("create index on c (b, a, id)", None),
        ("create unique index on c (b)", None),
        ("create index on c (a, b) where a is not null and b is not null", None),
        ("create index on c using hash (a)", "info"),
        ("create index on c (a)", "info"),
        ("create index on c (a, id, b)", "info"),
        ("create index on c (id, a, b)", "warn"),
    ],
)
def test_a_composite_foreign_key(pg: Connection, index: str, severity: str | None) -> None:
    """Its columns must lead the index in any order; a part of them in front is worth a mention only."""
    pg.execute("""
        create table p (a int, b int, primary key (a, b));
        create table c (id int primary key, a int, b int, foreign key (a, b) references p);
    """)
    pg.execute(index)

    assert [f.severity for f in run_checks(pg) if f.check == "unindexed_foreign_key"] == (
        [severity] if severity else []
    )


@pytest.mark.parametrize(
    ("index", "objects"),
    [
        ("create index on c (p_id)", []),
        ("create index on c (p_id, id)", []),
        ("create index on c (kind)", ["public.c.c_p_id_kind_fkey"]),
        ("create index on c (id, p_id)", ["public.c.c_p_id_kind_fkey"]),
    ],
)
def test_the_columns_that_reference_a_key_of_their_own_are_enough(
    pg: Connection, index: str, objects: list[str]
) -> None:
    """Where one column alone tells the referenced row, an index on it finds the same rows."""
    pg.execute("""
        create table p (id int primary key, kind text, unique (id, kind));
        create table c (
          id int primary key, p_id int, kind text, foreign key (p_id, kind) references p (id, kind)
        );
    """)
    pg.execute(index)

    assert found(pg, "unindexed_foreign_key") == objects


def test_an_index_of_another_collation_does_not_cover(pg: Connection) -> None:
    """The lookup compares under the column's collation."""
    pg.execute("""
        create table p (t text primary key);
        create table c (id int primary key, t text references p);
        create index on c (t collate "C");
    """)
    assert found(pg, "unindexed_foreign_key") == ["public.c.c_t_fkey"]

    pg.execute("create index on c (t text_pattern_ops)")
    assert found(pg, "unindexed_foreign_key") == []


def test_two_foreign_keys_on_one_column_are_one_finding(pg: Connection) -> None:
    """One index serves both; a key whose columns lead another's is served by the wider index."""
    pg.execute("""
        create table p (id int primary key, k int, unique (id, k));
        create table q (id int primary key);
        create table c (
          id int primary key, r int references p, k int,
          constraint second foreign key (r) references q,
          constraint third foreign key (r, k) references p (id, k)
        );
    """)

    finding = closed(pg, "unindexed_foreign_key")

    assert finding.object == "public.c.third"
    assert finding.fix == "create index concurrently on public.c (r, k);"


def test_a_partitioned_table_is_one_finding(pg: Connection) -> None:
    """The fix indexes the partitions one by one, then the parent; indexes on all partitions are enough."""
    pg.execute("""
        create table p (id int primary key);
        create table t (id int, p_id int references p, primary key (id)) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        create table t_2 partition of t for values from (10) to (20) partition by range (id);
        create table t_3 partition of t_2 for values from (10) to (20);
    """)
    assert found(pg, "unindexed_foreign_key") == ["public.t.t_p_id_fkey"]

    finding = proved(pg, "unindexed_foreign_key")
    assert finding.verified, finding.unverified_because
    assert finding.fix.splitlines() == [
        "create index concurrently on public.t_1 (p_id);",
        "create index concurrently on public.t_3 (p_id);",
        "create index on public.t (p_id);",
    ]

    pg.execute("create index on t_1 (p_id)")
    assert proved(pg, "unindexed_foreign_key").verified
    pg.execute("create index on t_3 (p_id)")
    assert found(pg, "unindexed_foreign_key") == []


def test_foreign_keys_on_each_partition_are_one_finding(pg: Connection) -> None:
    """Keys declared on the partitions alone are reported once, with an index for each that lacks one."""
    pg.execute("""
        create table p (id int primary key);
        create table t (id int primary key, p_id int) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        create table t_2 partition of t for values from (10) to (20);
        create table t_3 partition of t for values from (20) to (30);
        alter table t_1 add foreign key (p_id) references p;
        alter table t_2 add foreign key (p_id) references p;
    """)

    finding = closed(pg, "unindexed_foreign_key")

    assert finding.object == "public.t.p_id"
    assert len(finding.fix.splitlines()) == 2


def test_a_foreign_key_that_no_index_could_serve_is_left_to_the_type_check(pg: Connection) -> None:
    """An integer that references a numeric is cast in the lookup, so its index would be idle."""
    pg.execute(
        "create table p (id numeric primary key); create table c (id int primary key, p_id int references p)"
    )

    assert found(pg, "unindexed_foreign_key") == []
    assert found(pg, "foreign_key_type_mismatch") == ["public.c.p_id"]


def test_a_foreign_key_that_is_not_enforced_needs_no_index(pg: Connection) -> None:
    """No lookup is made for it; nor can it be validated."""
    if pg.server_version < 180000:
        pytest.skip("NOT ENFORCED foreign keys came with PostgreSQL 18")
    pg.execute("""
        create table p (id int primary key);
        create table c (id int primary key, p_id int references p not enforced);
    """)

    assert run_checks(pg) == []


# Redundant indexes


@pytest.mark.parametrize(
    "index",
    [
        "create index b on t (x, y)",
        "create index b on t using btree (x asc nulls last, y)",
        "create unique index b on t (x, y)",
    ],
)
def test_a_duplicate_index(pg: Connection, index: str) -> None:
    """Of two indexes of one definition the plain one, else the later by name goes."""
    pg.execute("create table t (id int primary key, x int, y int); create index a on t (x, y)")
    pg.execute(index)

    finding = closed(pg, "duplicate_index")

    assert finding.object == ("public.t.a" if "unique" in index else "public.t.b")
    assert kinds(finding) == ["fix-closes-finding", "plan"]
    assert finding.evidence[1].facts["indexes_after"] == ["b" if "unique" in index else "a"]


@pytest.mark.parametrize(
    "index",
    [
        "create index b on t (y, x)",
        "create index b on t (x, y desc)",
        "create index b on t (x, y nulls first)",
        "create index b on t using hash (x)",
        "create index b on t (x, (y + 1))",
        "create index b on t (x, y) where x > 0",
        "create index b on t (x, y) include (id)",
        "create index b on t (x, s)",
        "create index b on t (x, y); update pg_index set indisvalid = false where indexrelid = 'b'::regclass",
    ],
)
def test_what_is_no_duplicate(pg: Connection, index: str) -> None:
    """Another order, direction, method, expression, predicate or included column is another index."""
    pg.execute("create table t (id int primary key, x int, y int, s text); create index a on t (x, y)")
    pg.execute(index)

    assert found(pg, "duplicate_index") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s", 's collate "C"'),
        ("s", "s text_pattern_ops"),
        ("lower(s)", "upper(s)"),
    ],
)
def test_text_indexes_that_differ_are_no_duplicates(pg: Connection, one: str, other: str) -> None:
    """Collation, operator class and expression count."""
    pg.execute(
        f"create table t (id int primary key, s text); create index on t ({one}); create index on t ({other})"
    )

    assert run_checks(pg) == []


def test_a_unique_constraint_on_the_primary_key_is_a_duplicate(pg: Connection) -> None:
    """The constraint is dropped with its index; where a foreign key rests on it, it stays."""
    pg.execute("create table t (id int primary key); alter table t add constraint again unique (id)")
    assert closed(pg, "duplicate_index").fix == "alter table public.t drop constraint again;"

    pg.execute("alter table t add constraint again unique (id)")
    pg.execute("create table c (id int primary key)")
    pg.execute("alter table c add foreign key (id) references t (id)")
    pg.execute("update pg_constraint set conindid = 'again'::regclass where contype = 'f'")
    assert found(pg, "duplicate_index") == []


def test_unique_indexes_that_enforce_different_things_both_stay(pg: Connection) -> None:
    """NULLS NOT DISTINCT beside NULLS DISTINCT, and a replica identity."""
    if pg.server_version < 150000:
        pytest.skip("NULLS NOT DISTINCT came with PostgreSQL 15")
    pg.execute("""
        create table t (id int primary key, x int, y int not null);
        create unique index on t (x);
        create unique index on t (x) nulls not distinct;
        create unique index y_1 on t (y);
        create unique index y_2 on t (y);
        alter table t replica identity using index y_2;
    """)

    assert found(pg, "duplicate_index") == ["public.t.y_1"]


def test_duplicates_on_partitions_are_one_finding(pg: Connection) -> None:
    """Copies made by hand beside the parent's index go together."""
    pg.execute("""
        create table t (id int primary key, x int) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        create table t_2 partition of t for values from (10) to (20);
        create index on t (x);
        create index a_1 on t_1 (x);
        create index a_2 on t_2 (x);
    """)

    finding = closed(pg, "duplicate_index")

    assert finding.fix.splitlines() == [
        "drop index concurrently public.a_1;",
        "drop index concurrently public.a_2;",
    ]


def test_a_duplicate_on_a_partitioned_table(pg: Connection) -> None:
    """It is dropped on the parent, and without CONCURRENTLY, which PostgreSQL refuses there."""
    pg.execute("""
        create table t (id int primary key, x int) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        create index a on t (x);
        create index b on t (x);
    """)

    assert closed(pg, "duplicate_index").fix == "drop index public.b;"


@pytest.mark.parametrize(
    "wide",
    [
        "create index wide on t (x, y)",
        "create unique index wide on t (x, y)",
        "create index wide on t (x) include (y)",
        "alter table t add constraint wide unique (x, y)",
    ],
)
def test_an_index_that_begins_another(pg: Connection, wide: str) -> None:
    """The wider index serves what the narrow one did."""
    pg.execute("create table t (id int primary key, x int, y int); create index narrow on t (x)")
    pg.execute(wide)

    finding = closed(pg, "prefix_redundant_index")

    assert (finding.severity, finding.object) == ("info", "public.t.narrow")
    assert finding.evidence[1].facts["indexes_after"] == ["wide"]


@pytest.mark.parametrize(
    "indexes",
    [
        "create unique index on t (x); create index on t (x, y)",
        "create index on t (y); create index on t (x, y)",
        "create index on t (x desc); create index on t (x, y)",
        "create index on t (x nulls first); create index on t (x, y)",
        "create index on t using hash (x); create index on t (x, y)",
        "create index on t (x) where y > 0; create index on t (x, y)",
        "create index on t (x); create index on t (x, y) where y > 0",
        "create index on t ((x + 1)); create index on t (x, y)",
        "create index on t (x) include (s); create index on t (x, y)",
        "create index on t (s text_pattern_ops); create index on t (s, x)",
        'create index on t (s collate "C"); create index on t (s, x)',
        "create index on t (x); create index w on t (x, y); "
        "update pg_index set indisvalid = false where indexrelid = 'w'::regclass",
        "create index n on t (x); create index on t (x, y); alter table t cluster on n",
        "create index on t using gin (a); create index on t using gin (a, b)",
    ],
)
def test_what_is_not_redundant(pg: Connection, indexes: str) -> None:
    """What enforces, sorts, compares, filters or carries something else stays."""
    pg.execute("create table t (id int primary key, x int, y int, s text, a int[], b int[])")
    pg.execute(indexes)

    assert found(pg, "prefix_redundant_index") == []


def test_a_narrow_index_beside_a_much_wider_one_stays(pg: Connection) -> None:
    """Four times as large is too large to stand in for it."""
    pg.execute("""
        create table t (id int primary key, x int, s text);
        insert into t select g, g % 10, repeat(md5(g::text), 5) from generate_series(1, 20000) g;
        create index on t (x);
        create index on t (x, s);
    """)

    assert found(pg, "prefix_redundant_index") == []


def test_three_in_a_row_are_two_findings_that_close_together(pg: Connection) -> None:
    """(x) and (x, y) both begin (x, y, id); a duplicate is reported once."""
    pg.execute("""
        create table t (id int primary key, x int, y int);
        create index a on t (x);
        create index b on t (x, y);
        create index c on t (x, y, id);
        create index d on t (x);
    """)
    findings = verify(run_checks(pg), pg, "engine")

    assert [(f.check, f.object, f.verified) for f in findings] == [
        ("duplicate_index", "public.t.d", True),
        ("prefix_redundant_index", "public.t.a", True),
        ("prefix_redundant_index", "public.t.b", True),
    ]


# Invalid indexes


def test_an_invalid_index(pg: Connection) -> None:
    """What a failed CREATE INDEX CONCURRENTLY left is built again."""
    pg.execute("create table t (id int primary key, x int); insert into t values (1, 1), (2, 1)")
    with pytest.raises(Exception, match="could not create unique index"):
        pg.execute("create unique index concurrently u on t (x)")
    finding = proved(pg, "invalid_index")
    assert (finding.severity, finding.object, finding.verified) == ("error", "public.t.u", False)
    assert "Key (x)=(1) is duplicated" in finding.unverified_because

    pg.execute("delete from t where id = 2")
    assert closed(pg, "invalid_index").fix == "reindex index concurrently public.u;"


def test_what_reindex_concurrently_left_is_dropped(pg: Connection) -> None:
    """Its name ends with _ccnew."""
    pg.execute("""
        create table t (id int primary key, x int);
        create index t_x_ccnew on t (x);
        update pg_index set indisvalid = false where indexrelid = 't_x_ccnew'::regclass;
    """)

    assert closed(pg, "invalid_index").fix == "drop index concurrently public.t_x_ccnew;"


def test_a_partitioned_index_that_waits_for_its_partitions_is_no_invalid_one(pg: Connection) -> None:
    """CREATE INDEX ON ONLY is the documented way, and invalid until all are attached."""
    pg.execute("""
        create table t (id int primary key, x int) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        create index on only t (x);
    """)

    assert found(pg, "invalid_index") == []


def test_an_index_that_is_being_built_is_no_invalid_one(
    server: Server, database: str, pg: Connection
) -> None:
    """While CREATE INDEX CONCURRENTLY waits for a transaction, its index is left alone."""
    pg.execute("create table t (id int primary key, x int)")
    with server.session(database) as blocker, server.session(database) as builder:
        blocker.execute("begin; insert into t values (1, 1)")
        building = threading.Thread(target=builder.execute, args=("create index concurrently i on t (x)",))
        building.start()
        building_now = "select true from pg_index where indexrelid = to_regclass('i') and not indisvalid"
        while building.is_alive() and not pg.execute(building_now).fetchone():
            time.sleep(0.01)
        seen = found(pg, "invalid_index")
        blocker.execute("rollback")
        building.join()

    assert seen == []


# Foreign keys whose types differ


@pytest.mark.parametrize(
    ("key", "column", "kind"),
    [
        ("bigint", "int", "refused-value"),
        ("int", "smallint", "refused-value"),
        ("int", "bigint", "plan"),
        ("numeric", "int", "plan"),
    ],
)
def test_a_foreign_key_of_another_type(pg: Connection, key: str, column: str, kind: str) -> None:
    """The column gets the type of the key it references."""
    pg.execute(
        f"create table p (id {key} primary key);"
        f"create table c (id int primary key, p_id {column} references p)"
    )
    pg.execute("create index on c (p_id)")

    finding = closed(pg, "foreign_key_type_mismatch")

    assert finding.object == "public.c.p_id"
    assert kinds(finding) == ["fix-closes-finding", kind]
    if kind == "refused-value":
        assert finding.evidence[1].facts["sqlstate"] == "22003"


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("int", "int"),
        ("varchar(10)", "varchar(20)"),
        ("text", "varchar(20)"),
        ("int", "quantity"),
        ("quantity", "int"),
        ("numeric(10, 2)", "numeric(10, 2)"),
        ("numeric(10)", "numeric(12)"),
    ],
)
def test_types_that_hold_the_same_do_not_differ(pg: Connection, key: str, column: str) -> None:
    """Length, precision, a domain, varchar for text."""
    pg.execute("create domain amount_base as int; create domain quantity as amount_base")
    pg.execute(
        f"create table p (id {key} primary key);"
        f"create table c (id int primary key, p_id {column} references p)"
    )

    assert found(pg, "foreign_key_type_mismatch") == []


def test_a_partitioned_foreign_key_differs_once(pg: Connection) -> None:
    """The partitions' copies are not reported."""
    pg.execute("""
        create table p (id bigint primary key);
        create table t (id int primary key, p_id int references p) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        create index on t (p_id);
    """)

    assert closed(pg, "foreign_key_type_mismatch").object == "public.t.p_id"


# Integer keys near overflow


@pytest.mark.parametrize(
    ("declared", "last", "severity"),
    [
        ("id serial primary key", 2_000_000_000, "error"),
        ("id int generated always as identity primary key", 1_600_000_000, "warn"),
        ("id smallserial primary key", 30_000, "error"),
    ],
)
def test_a_key_near_its_last_number(pg: Connection, declared: str, last: int, severity: str) -> None:
    """The key is widened, and with it what references it."""
    pg.execute(f"create table t ({declared})")
    column = declared.split()[1].replace("smallserial", "smallint").replace("serial", "int")
    pg.execute(
        f"create table c (id bigint primary key, t_id {column} references t); create index on c (t_id)"
    )
    pg.execute("select setval('t_id_seq', %s)", (last,))

    finding = closed(pg, "integer_key_near_overflow")

    assert (finding.severity, finding.object) == (severity, "public.t.id")
    assert "alter table public.c alter column t_id type bigint;" in finding.fix
    assert finding.evidence[1].facts["sqlstate"] in ("22003", "2200H")


def test_a_bigint_that_a_narrow_sequence_feeds(pg: Connection) -> None:
    """The sequence ends before the column does: it alone is widened."""
    pg.execute("create sequence s as int; create table t (id bigint primary key default nextval('s'))")
    pg.execute("alter sequence s owned by t.id; select setval('s', 2000000000)")

    finding = closed(pg, "integer_key_near_overflow")

    assert finding.fix == "alter sequence public.s as bigint no maxvalue;"


def test_a_sequence_that_feeds_no_column(pg: Connection) -> None:
    """It is a finding of its own."""
    pg.execute("create sequence s maxvalue 1000; select setval('s', 950)")

    assert closed(pg, "integer_key_near_overflow").object == "public.s"


def test_a_key_that_no_sequence_feeds(pg: Connection) -> None:
    """The largest value in the statistics speaks for it."""
    pg.execute(
        "create table t (id smallint primary key);"
        "insert into t select generate_series(30000, 32000);"
        "analyze t"
    )

    assert closed(pg, "integer_key_near_overflow").object == "public.t.id"


@pytest.mark.parametrize(
    "statements",
    [
        "create table t (id serial primary key); select setval('t_id_seq', 1000000000)",
        "create table t (id bigserial primary key); select setval('t_id_seq', 2000000000)",
        "create table t (id serial primary key)",
        "create sequence s maxvalue 1000 cycle; select setval('s', 950)",
        "create table t (id int primary key, year smallint); "
        "insert into t select g, 32000 from generate_series(1, 50) g; analyze t",
        "create sequence s increment -1; select nextval('s')",
    ],
)
def test_what_is_far_from_overflow(pg: Connection, statements: str) -> None:
    """Half used, wide, unused, cycling, no key, or counting down."""
    pg.execute(statements)

    assert found(pg, "integer_key_near_overflow") == []


# Money as floating point


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("price", "warn"),
        ("unit_price", "warn"),
        ("UnitPrice", "warn"),
        ("price_usd", "warn"),
        ("ListPriceEUR", "warn"),
        ("discount_amount", "warn"),
        ("shipping_cost", "warn"),
        ("annual_salary", "warn"),
        ("fee", "warn"),
        ("tax_amount", "warn"),
        ("order_total", "warn"),
        ("total_revenue", "warn"),
        ("freight", "warn"),
        ("account_balance", "warn"),
        ("price_per_unit", "warn"),
        ("total_due", "warn"),
        ("replacement_cost", "warn"),
        ("price2", "warn"),
        ("amount", "info"),
        ("cost", "info"),
        ("total", "info"),
        ("balance", "info"),
        ("tax", "info"),
    ],
)
def test_a_floating_point_column_that_looks_like_money(pg: Connection, name: str, severity: str) -> None:
    """The last word decides, and how sure one can be of it the severity."""
    pg.execute(f'create table t (id int primary key, "{name}" real)')

    assert [f.severity for f in run_checks(pg)] == [severity]


@pytest.mark.parametrize(
    "name",
    [
        "rate",
        "latitude",
        "percent",
        "discount",
        "discount_rate",
        "total_count",
        "price_factor",
        "avg_price",
        "cost_center",
        "tax_code",
        "tax_rate",
        "price_change_pct",
        "white_balance",
        "weight",
        "freight_weight",
        "total_hours",
        "log_price",
        "average_cost",
        "predicted_price",
        "amount_ml",
        "score",
        "value",
        "interest_rate",
        "total_distance_km",
        "priceless",
        "cost_factor",
        "feed",
        "totality",
    ],
)
def test_a_floating_point_column_that_is_not_money(pg: Connection, name: str) -> None:
    """Rates, counts, measures and statistics may be floating point."""
    pg.execute(f'create table t (id int primary key, "{name}" float8)')

    assert run_checks(pg) == []


def test_money_that_is_exact_and_costs_of_edges_are_left_alone(pg: Connection) -> None:
    """numeric and integer amounts; a graph's costs are no money."""
    pg.execute("""
        create table t (id int primary key, price numeric(10, 2), price_cents bigint);
        create table ways (id int primary key, source int, target int, cost float8, reverse_cost float8);
    """)

    assert run_checks(pg) == []


def test_money_becomes_numeric(pg: Connection) -> None:
    """The proof adds up ten times 0.1 in the column's type and counts what the fix would round."""
    pg.execute("""
        create domain cash as double precision;
        create table t (id int primary key, price cash);
        insert into t values (1, 0.1), (2, 1.23456);
    """)

    finding = closed(pg, "money_as_floating_point")

    assert finding.object == "public.t.price"
    facts = finding.evidence[1].facts
    assert facts["sum_of_ten_times_0.1"] == "0.9999999999999999"
    assert facts["rows_rounded"] == 1


# Timestamps without time zone


def test_a_timestamp_without_time_zone(pg: Connection) -> None:
    """One finding a table; a default that strips the zone is put right as well."""
    pg.execute("""
        create domain moment as timestamp;
        create table t (
          id int primary key,
          created_at timestamp not null default (now() at time zone 'utc'),
          updated_at timestamp(3) default now(),
          "Seen" moment
        );
        insert into t (id, created_at) values (1, '2026-01-01 12:00');
    """)

    finding = closed(pg, "timestamp_without_time_zone")

    assert (finding.severity, finding.object) == ("info", "public.t")
    assert 'created_at, updated_at, "Seen"' in finding.title
    assert pg.execute("select created_at = timestamptz '2026-01-01 12:00Z' from t").fetchone() == (True,)
    pg.execute("set timezone = 'America/New_York'")
    assert pg.execute("insert into t (id) values (2) returning created_at = now()").fetchone() == (True,)


@pytest.mark.parametrize(
    "columns",
    [
        "at timestamptz",
        "on_day date",
        "opens time",
        "starts_at_local timestamp",
        "local_time timestamp",
        '"startsAtLocal" timestamp',
        "starts_at timestamp, time_zone text",
        'starts_at timestamp, "tzName" text',
        "birth_date timestamp",
    ],
)
def test_a_timestamp_that_means_the_wall_clock(pg: Connection, columns: str) -> None:
    """Local by name, a zone beside it, or no timestamp at all."""
    pg.execute(f"create table t (id int primary key, {columns})")

    assert run_checks(pg) == []


# Constraints that are not valid


def test_a_constraint_that_was_never_validated(pg: Connection) -> None:
    """Where all rows keep it, validating closes the finding."""
    pg.execute("""
        create table t (id int primary key, x int);
        insert into t values (1, 1);
        alter table t add constraint positive check (x > 0) not valid;
    """)

    finding = closed(pg, "constraint_not_valid")

    assert (finding.severity, finding.object) == ("warn", "public.t.positive")
    assert finding.evidence[1].facts == {"rows": 0}


@pytest.mark.parametrize("constraint", ["check (x > 0)", "foreign key (x) references p"])
def test_rows_that_break_it_are_an_error(pg: Connection, constraint: str) -> None:
    """They are counted, and the fix lists them."""
    pg.execute("create table p (id int primary key); create table t (id int primary key, x int)")
    pg.execute("create index on t (x); insert into t values (1, -1), (2, -2), (3, null)")
    pg.execute(f"alter table t add constraint broken {constraint} not valid")

    finding = proved(pg, "constraint_not_valid")

    assert (finding.severity, finding.verified) == ("error", True)
    assert finding.title.startswith("2 rows break public.t.broken")
    assert sorted(row[0] for row in pg.execute(finding.fix).fetchall()) == [1, 2]


def test_not_null_and_domain_constraints_count_too(pg: Connection) -> None:
    """A domain's constraint, and from PostgreSQL 18 NOT NULL, can be NOT VALID."""
    pg.execute("create domain d as int; alter domain d add constraint positive check (value > 0) not valid")
    assert closed(pg, "constraint_not_valid").object == "public.d.positive"

    if pg.server_version >= 180000:
        pg.execute(
            "create table t (id int primary key, x int);"
            "alter table t add constraint known not null x not valid"
        )
        assert closed(pg, "constraint_not_valid").object == "public.t.known"


def test_constraints_that_cannot_be_or_are_validated(pg: Connection) -> None:
    """NOT ENFORCED is a decision; a partition's copy is its parent's."""
    pg.execute("create table t (id int primary key, x int check (x > 0))")
    if pg.server_version >= 180000:
        pg.execute("alter table t add constraint c check (x < 9) not enforced")
    assert run_checks(pg) == []

    pg.execute("""
        create table q (id int primary key, x int) partition by range (id);
        create table q_1 partition of q for values from (0) to (10);
        alter table q add constraint positive check (x > 0) not valid;
    """)
    assert found(pg, "constraint_not_valid") == ["public.q.positive"]
    assert proved(pg, "constraint_not_valid").verified


# Disabled triggers


TRIGGER = """
    create function nothing() returns trigger language plpgsql as 'begin return new; end';
    create table t (id int primary key, x int) partition by range (id);
    create table t_1 partition of t for values from (0) to (10);
    create trigger guard before insert on t for each row execute function nothing();
"""


def test_a_disabled_trigger(pg: Connection) -> None:
    """One finding for a partitioned table, and one for a partition where it is disabled there alone."""
    pg.execute(TRIGGER)
    pg.execute("alter table t disable trigger guard")
    assert closed(pg, "disabled_trigger").object == "public.t.guard"

    pg.execute("alter table t_1 disable trigger guard")
    assert closed(pg, "disabled_trigger").object == "public.t_1.guard"


@pytest.mark.parametrize("state", ["enable", "enable replica", "enable always"])
def test_a_trigger_that_fires(pg: Connection, state: str) -> None:
    """On a replica only is a decision, too."""
    pg.execute(TRIGGER)
    pg.execute(f"alter table t {state} trigger guard")

    assert found(pg, "disabled_trigger") == []


def test_a_foreign_key_whose_triggers_are_disabled(pg: Connection) -> None:
    """DISABLE TRIGGER ALL is an error: the rows that came in meanwhile are counted."""
    pg.execute("""
        create table p (id int primary key);
        create table c (id int primary key, p_id int references p);
        create index on c (p_id);
        alter table c disable trigger all;
        insert into c values (1, 7);
    """)

    finding = closed(pg, "disabled_trigger")

    assert (finding.severity, finding.object) == ("error", "public.c.c_p_id_fkey")
    assert finding.evidence[1].facts == {"rows": 1}


# Sequences that nothing owns


def test_a_sequence_that_its_column_does_not_own(pg: Connection) -> None:
    """The proof drops the table: the sequence stays behind before the fix, and goes after it."""
    pg.execute("create sequence s; create table t (id int primary key default nextval('s'))")

    finding = closed(pg, "unowned_sequence")

    assert (finding.severity, finding.object) == ("info", "public.s")
    assert finding.fix == "alter sequence public.s owned by public.t.id;"
    assert finding.evidence[1].facts["left_before"] == 1
    assert finding.evidence[1].facts["left_after"] == 0


def test_a_partitioned_table_uses_its_sequence_once(pg: Connection) -> None:
    """The partitions' copies of the default are one use."""
    pg.execute("""
        create sequence s;
        create table t (id int primary key default nextval('s')) partition by range (id);
        create table t_1 partition of t for values from (0) to (10);
        alter table t_1 alter column id set default nextval('s');
    """)

    assert closed(pg, "unowned_sequence").object == "public.s"


@pytest.mark.parametrize(
    "statements",
    [
        "create table t (id serial primary key)",
        "create table t (id int generated always as identity primary key)",
        "create sequence s",
        "create sequence s; create table t (id int primary key default nextval('s')); "
        "create table u (id int primary key default nextval('s'))",
        "create schema other; create sequence other.s; "
        "create table t (id int primary key default nextval('other.s'))",
    ],
)
def test_a_sequence_that_need_not_be_owned(pg: Connection, statements: str) -> None:
    """A serial, an identity, the application's own, a shared one, one of another schema."""
    pg.execute(statements)

    assert run_checks(pg) == []
