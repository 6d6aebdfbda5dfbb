"""Bloat: fresh tables have none, waste is what a rewrite gives back, an estimate says its error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.areas.optimization.structure import Limits, StructureReview, review_structure
from workbench.areas.optimization.structure.bloat import (
    HEAP_ERROR_SHARE,
    INDEX_ERROR_SHARE,
    estimate_errors,
    index_bloat,
    table_bloat,
    usable_extension,
)
from workbench.areas.optimization.structure.reading import read_structure
from workbench.engines.postgres import Connection, Server
from workbench.source import open_source

TABLES = {
    "fresh": """
        create table fixed (a bigint not null, b int not null, c timestamptz not null);
        insert into fixed select i, i, now() from generate_series(1, 20000) i;
        create index on fixed (a); create index on fixed (b, a);
        create table nullable (a bigint, b int, c timestamptz, d text, e text, f int,
          g int, h int, i int, j int);
        insert into nullable
        select i, case when i % 2 = 0 then i end, case when i % 3 = 0 then now() end,
          case when i % 5 > 0 then md5(i::text) end, repeat('x', i % 200), i, i, i, i, nullif(i % 7, 0)
        from generate_series(1, 10000) i;
        create index on nullable (b); create index on nullable (d); create index on nullable (j);
        create table wide (id int primary key, a text, b text);
        insert into wide select i, repeat(md5(i::text), 20), repeat(md5((i * 3)::text), 10 + i % 20)
        from generate_series(1, 3000) i;
        create table toasted (id int primary key, a text);
        insert into toasted
        select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 200) j)
        from generate_series(1, 400) i;
        create table filled (id int primary key, a text) with (fillfactor = 70);
        insert into filled select i, md5(i::text) from generate_series(1, 15000) i;
        create table one_a_page (id int, a text); alter table one_a_page alter a set storage plain;
        insert into one_a_page
        select i, (select substr(string_agg(md5((i * j)::text), ''), 1, 4060) from generate_series(1, 130) j)
        from generate_series(1, 400) i;
        create table four_a_page (id int, a text);
        insert into four_a_page
        select i, (select substr(string_agg(md5((i * j)::text), ''), 1, 1600) from generate_series(1, 50) j)
        from generate_series(1, 2000) i;
        create table flags (a bool not null, b bigint not null, c bool not null, d bigint not null);
        insert into flags select true, i, false, i from generate_series(1, 20000) i;
        create table dropped (a int, b bigint, c text, d int); alter table dropped drop column b;
        insert into dropped select i, 'x', i from generate_series(1, 15000) i;
        create table lengths (id int, a text);
        insert into lengths select i, repeat('x', (i * 7919) % 1800) from generate_series(1, 5000) i;
        create table random_keys (id uuid primary key, j jsonb);
        insert into random_keys select md5(i::text)::uuid, jsonb_build_object('a', i, 'b', md5(i::text))
        from generate_series(1, 20000) i;
        create table numbers (id bigint primary key, v numeric(12, 2), w numeric, d date, t time, n inet);
        insert into numbers
        select i, i * 1.25, i * 1.000001, '2024-01-01'::date + i % 700, '10:00', '10.0.0.1'
        from generate_series(1, 15000) i;
        create index on numbers (v); create index on numbers (d);
    """,
    "used": """
        create table updated (id int primary key, n int, t text);
        insert into updated select i, i, md5(i::text) from generate_series(1, 20000) i;
        create index on updated (t); create index on updated (n);
        update updated set n = n + 1;
        create table half (id int primary key, n int, t text, k int);
        insert into half select i, i, md5(i::text), i % 50 from generate_series(1, 20000) i;
        create index on half (t); create index on half (k);
        delete from half where id % 2 = 0;
        create table mostly (id int primary key, t text, v numeric(12, 2), ts timestamp);
        insert into mostly select i, repeat('é', 1 + i % 30), i * 1.5, now() from generate_series(1, 20000) i;
        create index on mostly (v); create index on mostly (ts);
        delete from mostly where id % 10 > 0;
        create table cleared (id int primary key, t text);
        insert into cleared select i, md5(i::text) from generate_series(1, 20000) i;
        delete from cleared where id < 18000;
        create table halved_toast (id int primary key, a text);
        insert into halved_toast
        select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 200) j)
        from generate_series(1, 600) i;
        delete from halved_toast where id % 4 > 0;
    """,
}
LOW = Limits(bloat_bytes=100_000, index_bytes=100_000)


def make(conn: Connection, *parts: str) -> None:
    """The tables of *parts*, vacuumed and analysed, with all of it counted."""
    for part in parts:
        conn.execute(TABLES[part])
    conn.execute("select pg_stat_force_next_flush()")
    conn.execute("vacuum (analyze)")


@pytest.fixture
def used(server: Server) -> Iterator[str]:
    """A database of which half the tables had rows updated and deleted."""
    with server.scratch_database(label="bloat") as name:
        with server.session(name) as conn:
            make(conn, "fresh", "used")
        yield name


def reviewed(server: Server, name: str, limits: Limits = LOW) -> StructureReview:
    with open_source(server.url(name), server) as opened:
        return review_structure(opened, limits=limits)


def named(review: StructureReview, check: str) -> list[str]:
    return [finding.object for finding in review.findings if finding.check == check]


def test_what_is_said_is_what_a_rewrite_gives_back(pg: Connection) -> None:
    """19 of 20 estimates, and counts of heaps, are within the error that is stated with them."""
    pg.execute("create extension pgstattuple")
    make(pg, "fresh", "used")
    structure = read_structure(pg, is_live=True)
    extension, why = usable_extension(pg)
    counted = {
        **table_bloat(pg, structure, limit_s=60, extension=extension),
        **index_bloat(pg, structure, limit_s=60, extension=extension),
    }
    pg.execute("vacuum full")
    rewritten = dict(
        pg.execute("select oid, pg_relation_size(oid) from pg_class where relkind in ('r', 'i')").fetchall()
    )
    errors = estimate_errors(structure, counted, rewritten)

    assert not why
    assert len(errors) >= 25
    for kind, limit in (("table", HEAP_ERROR_SHARE), ("index", INDEX_ERROR_SHARE)):
        of_kind = [row for row in errors if row["kind"] == kind]
        estimated = [abs(row["estimated_error"]) for row in of_kind]
        exact = [abs(row["counted_error"]) for row in of_kind]
        assert sum(error > limit for error in estimated) <= len(estimated) / 20, sorted(estimated)[-3:]
        assert sum(error > limit for error in exact) <= len(exact) / 20, sorted(exact)[-3:]


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "estimated"])
def test_fresh_tables_have_no_bloat(server: Server, counted: bool) -> None:
    """D119: wide, TOASTed, nullable, loosely filled or large in indexes, a fresh table has none."""
    with server.scratch_database(label="bloat") as name:
        with server.session(name) as conn:
            make(conn, "fresh")
            if counted:
                conn.execute("create extension pgstattuple")
        review = reviewed(server, name)

    assert [each for each in review.findings if each.check.endswith("_bloat")] == []
    for row in review.tables:
        assert row["bloat_known_by"] == ("pgstattuple" if counted else "estimate")
        assert row["bloat_bytes"] <= max(0.1 * row["heap_bytes"], 64 * 8192), row  # type: ignore[operator]


def test_counted_bloat_is_found_and_gone_after_its_rewrite(server: Server, used: str) -> None:
    """D119, D120: by pgstattuple it is proved; vacuum comes before the rewrite, which names its lock."""
    with server.session(used) as conn:
        conn.execute("create extension pgstattuple")
    review = reviewed(server, used)
    (half,) = [
        each for each in review.findings if (each.check, each.object) == ("table_bloat", "public.half")
    ]
    with server.session(used) as conn:
        for table in ("updated", "half", "mostly", "cleared", "halved_toast"):
            conn.execute(f"vacuum (full, analyze) {table}")
    after = reviewed(server, used)

    assert set(named(review, "table_bloat")) >= {"public.half", "public.mostly", "public.updated"}
    assert "public.mostly.mostly_v_idx" in named(review, "index_bloat")
    assert named(review, "toast_bloat") == ["public.halved_toast"]
    assert half.verified
    assert half.evidence[0].kind == "counted"
    assert half.fix.startswith('vacuum (analyze) "public"."half";')
    assert "ACCESS EXCLUSIVE" in half.fix
    assert [line for line in half.fix.splitlines() if "full" in line] == [
        '-- vacuum (full, analyze) "public"."half";'
    ]
    assert [each for each in after.findings if each.check.endswith("_bloat")] == []


def test_bloat_of_a_file_is_rewritten_in_a_copy(tmp_path: Path, server: Server) -> None:
    """What a file's own statements left behind is counted, and proved by rewriting a copy."""
    path = tmp_path / "left.sql"
    path.write_text(TABLES["used"] + "vacuum mostly;", encoding="utf-8")
    with open_source(str(path), server) as opened:
        review = review_structure(opened, limits=LOW)
        sizes = opened.connection.execute("select pg_table_size('half')").fetchone()
    by_object = {(each.check, each.object): each for each in review.findings}
    half = by_object["table_bloat", "public.half"]
    index = by_object["index_bloat", "public.mostly.mostly_v_idx"]

    assert half.verified
    assert [each.kind for each in half.evidence] == ["counted", "rewritten"]
    assert half.evidence[1].facts["after_bytes"] < 0.6 * half.evidence[1].facts["before_bytes"]
    assert index.evidence[1].facts["after_bytes"] < 0.2 * index.evidence[1].facts["before_bytes"]
    assert by_object["toast_bloat", "public.halved_toast"].evidence[1].facts["holds"]
    assert sizes
    assert sizes[0] >= half.evidence[1].facts["before_bytes"]  # what is looked at stays as it was


def test_an_estimate_says_its_error_and_is_not_called_proved(server: Server, used: str) -> None:
    """Without pgstattuple, which is never created in a named database, bloat is an estimate and says so."""
    review = reviewed(server, used)
    (mostly,) = [
        each for each in review.findings if (each.check, each.object) == ("table_bloat", "public.mostly")
    ]
    with server.session(used) as conn:
        extensions = conn.execute(
            "select count(*) from pg_extension where extname = 'pgstattuple'"
        ).fetchone()

    assert extensions == (0,)
    assert "give or take 5 points" in mostly.title
    assert not mostly.verified
    assert "estimate" in mostly.unverified_because
    assert any("pgstattuple is not installed" in line for line in review.not_judged)


def test_partitions_are_summed_up(server: Server) -> None:
    """D119: bloat of partitions is told of the partitioned table, and the fix names the guilty ones alone."""
    with server.scratch_database(label="bloat") as name:
        with server.session(name) as conn:
            conn.execute("""
                create table events (id int not null, t text) partition by range (id);
                create table events_1 partition of events for values from (0) to (10000);
                create table events_2 partition of events for values from (10000) to (20000);
                insert into events select i, md5(i::text) from generate_series(0, 19999) i;
                delete from events where id < 9000;
            """)
            conn.execute("select pg_stat_force_next_flush()")
            conn.execute("vacuum (analyze)")
            conn.execute("create extension pgstattuple")
        review = reviewed(server, name)

    (finding,) = [each for each in review.findings if each.check == "table_bloat"]
    assert finding.object == "public.events"
    assert "(2 partitions)" in finding.title
    assert '"events_1"' in finding.fix
    assert "events_2" not in finding.fix
    (row,) = review.tables
    assert row["table"] == "public.events"
    assert row["partitions"] == 2


def test_statistics_that_no_longer_hold_give_no_estimate(server: Server) -> None:
    """What has changed since the last ANALYZE is not estimated, and the review says so."""
    with server.scratch_database(label="bloat") as name:
        with server.session(name) as conn:
            conn.execute("create table t (id int, v text)")
            conn.execute("insert into t select i, md5(i::text) from generate_series(1, 20000) i")
            conn.execute("select pg_stat_force_next_flush()")
            conn.execute("vacuum (analyze)")
            conn.execute("delete from t where id > 5000")
            conn.execute("select pg_stat_force_next_flush()")
        review = reviewed(server, name)

    assert named(review, "table_bloat") == []
    assert any(
        "changed too much since it was analysed (analyze it): public.t" in x for x in review.not_judged
    )


def test_a_role_without_rights_gets_what_it_may_see(server: Server, used: str) -> None:
    """A login that may read neither tables nor pgstattuple still gets sizes, and is told what is lost."""
    role = f"{used}_reader"
    with server.session(used) as conn:
        conn.execute("create extension pgstattuple")
        conn.execute(f'create role "{role}" login')
    try:
        with open_source(server.url(used, user=role), server) as opened:
            review = review_structure(opened, limits=LOW)
    finally:
        with server.session(used) as conn:
            conn.execute(f'drop role "{role}"')

    assert any("may not use pgstattuple (grant pg_stat_scan_tables" in line for line in review.not_judged)
    assert any("may not read the statistics" in line for line in review.not_judged)
    assert any("grant pg_read_all_stats" in line for line in review.not_judged)
    assert named(review, "toast_bloat") == []
    assert {row["table"] for row in review.tables} >= {"public.half", "public.fixed"}


def test_an_empty_table_has_nothing_to_say(server: Server) -> None:
    """Tables without a row, and names that need quotes, do no harm."""
    with server.scratch_database(label="bloat") as name:
        with server.session(name) as conn:
            conn.execute('create schema "Odd %s"')
            conn.execute("""create table "Odd %s"."q""uote <b>" ("a ""%" int primary key, "select" text)""")
            conn.execute("create view v as select 1 as one")
        review = reviewed(server, name)

    assert {finding.object for finding in review.findings} <= {"autovacuum"}  # the engine's own setting
    assert [row["table"] for row in review.tables] == ['"Odd %s"."q""uote <b>"']
