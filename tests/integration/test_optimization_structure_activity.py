"""What a live server's counters say: vacuum that is behind, what holds it back, what nobody reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from workbench.areas.optimization.structure import Limits, StructureReview, review_structure
from workbench.engines.postgres import Connection, Server, installed_binaries, private_cluster
from workbench.proof.findings import Finding
from workbench.source import open_source

AT_ONCE = Limits(age_days=0, lag_rows=100, index_bytes=50_000, updates=100, big_table_rows=5_000)
ROWS = "select i, md5(i::text) from generate_series(1, 10000) i"


def make(conn: Connection, *statements: str) -> None:
    """*statements*, each of which the counters show before the next."""
    for statement in statements:
        conn.execute(statement)
        conn.execute("select pg_stat_force_next_flush()")


def reviewed(
    server: Server, conn: Connection, limits: Limits = AT_ONCE, schemas: Sequence[str] | None = None
) -> StructureReview:
    """The database of *conn* as a named source, which is only read."""
    with open_source(server.url(conn.info.dbname), server) as opened:
        return review_structure(opened, limits=limits, schemas=schemas)


def objects(review: StructureReview, check: str) -> list[str]:
    return [finding.object for finding in review.findings if finding.check == check]


def one(review: StructureReview, check: str) -> Finding:
    (finding,) = [each for each in review.findings if each.check == check]
    return finding


def closed(server: Server, conn: Connection, check: str, limits: Limits = AT_ONCE) -> Finding:
    """The one finding of *check*, after its fix was run and found to close it."""
    finding = one(reviewed(server, conn, limits), check)
    make(conn, *[line for line in finding.fix.splitlines() if not line.startswith("--")])
    assert objects(reviewed(server, conn, limits), check) == []
    return finding


# Vacuum


def test_dead_rows_beyond_the_tables_own_threshold(pg: Connection, server: Server) -> None:
    """Dead rows count against the table's own threshold, and VACUUM closes the finding."""
    make(
        pg,
        "create table t (id int, v text)",
        "create table patient (id int, v text) with (autovacuum_vacuum_threshold = 1000000)",
        f"insert into t {ROWS}",
        f"insert into patient {ROWS}",
        "vacuum (analyze)",
        "delete from t where id <= 5000",
        "delete from patient where id <= 5000",
    )

    finding = closed(server, pg, "vacuum_behind")
    assert finding.object == "public.t"
    assert "5000 dead rows, and autovacuum comes at 2050" in finding.title
    assert finding.verified
    assert finding.fix == 'vacuum (analyze, verbose) "public"."t";'


def test_rows_inserted_since_the_last_vacuum(pg: Connection, server: Server) -> None:
    """An insert-only table has a threshold of its own; where the table switches it off, nothing is said."""
    make(
        pg,
        "create table log (id int, v text)",
        "create table quiet (id int, v text) with (autovacuum_vacuum_insert_threshold = -1)",
        f"insert into log {ROWS}",
        f"insert into quiet {ROWS}",
        "analyze",
        "insert into log select * from log",
        "insert into quiet select * from quiet",
        "analyze",
    )

    finding = closed(server, pg, "vacuum_behind")
    assert finding.object == "public.log"
    assert finding.severity == "info"
    assert "20000 rows were inserted since the last VACUUM" in finding.title


def test_statistics_that_are_out_of_date(pg: Connection, server: Server) -> None:
    """Rows changed since the last ANALYZE, against the threshold; a tenth of them is no matter."""
    make(
        pg,
        "create table t (id int, v text)",
        "create table near (id int, v text)",
        f"insert into t {ROWS}",
        f"insert into near {ROWS}",
        "vacuum (analyze)",
        "update t set v = v where id <= 5000",
        "update near set v = v where id <= 1000",
    )

    assert closed(server, pg, "statistics_stale").object == "public.t"


def test_autovacuum_switched_off_for_a_table(pg: Connection, server: Server) -> None:
    """The storage parameter is found and reset by the fix; the one of TOAST alone is left alone."""
    make(
        pg,
        "create table t (id int) with (autovacuum_enabled = off)",
        "create table on_purpose (id int, v text) with (toast.autovacuum_enabled = off)",
    )
    found = objects(reviewed(server, pg), "autovacuum_off")
    make(pg, "alter table t reset (autovacuum_enabled)")

    assert found == ["autovacuum", "public.t"]  # the engine of the tests has it off as a whole
    assert objects(reviewed(server, pg), "autovacuum_off") == ["autovacuum"]


def test_a_big_table_that_waits_for_a_fifth_to_die(pg: Connection, server: Server) -> None:
    """A default threshold on a big table that is updated; not on one that is only read, or small."""
    make(
        pg,
        "create table big (id int, v text)",
        "create table still (id int, v text)",
        "create table small (id int, v text)",
        f"insert into big {ROWS}",
        f"insert into still {ROWS}",
        "insert into small select i from generate_series(1, 1000) i",
        "vacuum (analyze)",
        "update big set v = v where id <= 500",
        "update small set v = v where id <= 500",
    )

    finding = closed(server, pg, "autovacuum_late")
    assert finding.object == "public.big"
    assert "autovacuum_vacuum_scale_factor = 0.01" in finding.fix


@contextlib.contextmanager
def waiting(server: Server, name: str) -> Iterator[None]:
    """A transaction with a snapshot that stays open."""
    with server.session(name) as conn:
        conn.execute("begin isolation level repeatable read")
        conn.execute("select count(*) from pg_class")
        yield


def test_a_session_that_holds_vacuum_back(pg: Connection, server: Server) -> None:
    """An old snapshot is found while it is open, named where dead rows pile up, and not once it ends."""
    make(pg, "create table t (id int, v text)", f"insert into t {ROWS}", "vacuum (analyze)")
    limits = Limits(lag_rows=100, held_s=0.0)
    with waiting(server, pg.info.dbname):
        make(pg, "delete from t where id <= 5000")
        review = reviewed(server, pg, limits)
        young = reviewed(server, pg, Limits(lag_rows=100))
    finding = one(review, "vacuum_held_back")

    assert "session pid" in finding.title
    assert finding.fix.startswith("-- ask its owner first")
    assert "holds the horizon" in one(review, "vacuum_behind").why
    assert objects(young, "vacuum_held_back") == []
    assert objects(reviewed(server, pg, limits), "vacuum_held_back") == []


def test_rows_older_than_autovacuum_lets_them_become(pg: Connection, server: Server) -> None:
    """The age of a table against its own limit; VACUUM FREEZE closes it."""
    make(
        pg,
        "create table old (id int) with (autovacuum_freeze_max_age = 100000)",
        "create table same (id int)",
        "insert into old values (1)",
        "insert into same values (1)",
    )
    pg.execute("""
        do $$
        begin
          for i in 1..115000 loop
            perform pg_catalog.pg_current_xact_id();
            commit;
          end loop;
        end
        $$
    """)

    finding = closed(server, pg, "wraparound_age")
    assert finding.object == "public.old"
    assert finding.severity == "warn"
    assert finding.fix == 'vacuum (freeze, verbose) "public"."old";'


# What nobody reads


def test_an_index_without_a_scan(pg: Connection, server: Server) -> None:
    """Unused is an index that no query scanned, that enforces nothing, and that no foreign key needs."""
    make(
        pg,
        "create table parents (id int primary key)",
        "create table t (id int primary key, u int unique, parent_id int references parents, n int, v text)",
        "create index t_parent on t (parent_id)",
        "create index t_n on t (n)",
        "create index t_v on t (v)",
        "insert into t select i, i, null, i, md5(i::text) from generate_series(1, 10000) i",
        "vacuum (analyze)",
        "set enable_seqscan = off",
        "select * from t where n = 7",
        "reset enable_seqscan",
    )
    young = reviewed(server, pg, Limits(index_bytes=50_000))

    finding = closed(server, pg, "unused_index")
    assert finding.object == "public.t.t_v"
    assert not finding.verified
    assert finding.fix.startswith(
        'drop index concurrently "public"."t_v";\n-- undo: CREATE INDEX t_v ON public.t'
    )
    assert objects(young, "unused_index") == []
    assert any("unused indexes and tables: the counters cover" in line for line in young.not_judged)


def test_an_index_of_partitions_is_one(pg: Connection, server: Server) -> None:
    """A scan of one partition's index is a use of the partitioned index; without any it is dropped whole."""
    make(
        pg,
        "create table p (id int not null, a int, b int) partition by range (id)",
        "create table p1 partition of p for values from (0) to (10000)",
        "create table p2 partition of p for values from (10000) to (20000)",
        "create index p_a on p (a)",
        "create index p_b on p (b)",
        "insert into p select i, i, i from generate_series(0, 19999) i",
        "vacuum (analyze)",
        "set enable_seqscan = off",
        "select * from p1 where a = 7",
        "reset enable_seqscan",
    )

    finding = closed(server, pg, "unused_index")
    assert finding.object == "public.p.p_b"
    assert finding.fix.startswith('drop index "public"."p_b";')
    assert "ONLY" not in finding.fix


def test_a_table_that_nobody_reads(pg: Connection, server: Server) -> None:
    """Written and never read is a question; one read is an answer, and a small one is not asked about."""
    make(
        pg,
        "create table audit (id int, v text)",
        "create table tiny (id int)",
        "create table other (id int)",
        f"insert into audit {ROWS}",
        "insert into tiny values (1)",
    )
    nobody = reviewed(server, pg)
    make(pg, "select count(*) from other")
    before = reviewed(server, pg)
    make(pg, "select count(*) from audit")

    finding = one(before, "unread_table")
    assert finding.object == "public.audit"
    assert "10000 rows were written" in finding.title
    assert "drop" not in finding.fix.lower()
    assert objects(nobody, "unread_table") == []
    assert any("nothing at all was read" in line for line in nobody.not_judged)
    assert objects(reviewed(server, pg), "unread_table") == []


def test_an_index_larger_than_its_table(pg: Connection, server: Server) -> None:
    """Wide keys make an index larger than a table whose long values lie elsewhere; a usual one is smaller."""
    make(
        pg,
        "create table t (id int primary key, v text)",
        "alter table t alter v set storage external",
        "insert into t select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 70) j) "
        "from generate_series(1, 500) i",
        "create index wide on t (v)",
        "vacuum (analyze)",
    )

    finding = one(reviewed(server, pg), "index_larger_than_table")
    assert finding.object == "public.t.wide"
    assert "drop" not in finding.fix.lower()


# Everywhere


def test_a_thousand_tables_take_a_constant_number_of_queries(pg: Connection, server: Server) -> None:
    """However many tables there are, their facts come in the same few statements."""
    counted = (
        "select coalesce(sum(calls), 0) from pg_stat_statements "
        "where dbid = (select oid from pg_database where datname = current_database())"
    )
    pg.execute("create extension pg_stat_statements; create extension pgstattuple")

    def statements() -> int:
        before = pg.execute(counted).fetchone()
        reviewed(server, pg)
        after = pg.execute(counted).fetchone()
        assert before and after
        return int(after[0] - before[0])

    pg.execute("create table t0 (id int primary key, v text)")
    few = statements()
    for start in range(1, 1000, 250):
        pg.execute(
            ";".join(
                f"create table t{number} (id int primary key, v text)" for number in range(start, start + 250)
            )
        )
    many = statements()

    assert many <= few + 40  # relations are counted in batches of 1,000


@pytest.mark.skipif(
    not [each for each in installed_binaries() if 13 <= each.major < 18],
    reason="no PostgreSQL older than 18 is installed",
)
def test_an_older_server_is_reviewed(server: Server) -> None:
    """What an older version does not count is left out, and nothing else."""
    older = next(each for each in installed_binaries() if 13 <= each.major < 18)
    with private_cluster(binaries=older) as (old, _), old.scratch_database() as name:
        with old.session(name) as conn:
            for statement in (
                "create table t (id int primary key, a bool, n bigint, b bool, v text)",
                "create index t_n on t (n)",
                "insert into t select i, true, i, true, md5(i::text) from generate_series(1, 20000) i",
                "vacuum (analyze)",
                "update t set n = n + 1",
            ):
                conn.execute(statement)
        with open_source(old.url(name), server) as opened:
            review = review_structure(opened, limits=AT_ONCE)

    assert {"autovacuum_off", "vacuum_behind", "low_hot_share"} <= {each.check for each in review.findings}
    hot = one(review, "low_hot_share")
    assert ("does not count" in hot.title) == (older.major < 16)
