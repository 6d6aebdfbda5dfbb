"""Column order, empty columns, TOAST, HOT updates and partitioning: found, proved, and left alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.areas.optimization.structure import (
    Limits,
    StructureReview,
    review_structure,
    structure_rows,
)
from workbench.areas.optimization.structure.reading import read_structure
from workbench.areas.optimization.structure.rows import row_bytes
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput, SchemaNotFound, SourceTimeout
from workbench.proof.findings import Finding
from workbench.proof.workload.model import Statement, StatementKind, Workload
from workbench.source import OpenSource, Options, open_source

LOW = Limits(
    padding_bytes=50_000,
    toast_bytes=500_000,
    partition_bytes=500_000,
    bloat_bytes=10**12,
    index_bytes=10**12,
)


@contextmanager
def file_source(tmp_path: Path, server: Server, text: str) -> Iterator[OpenSource]:
    path = tmp_path / "schema.sql"
    path.write_text(text, encoding="utf-8")
    with open_source(str(path), server) as opened:
        yield opened


@contextmanager
def live_source(server: Server, *statements: str) -> Iterator[OpenSource]:
    """A named database, only read, that *statements* made."""
    with server.scratch_database(label="structure") as name:
        with server.session(name) as conn:
            for statement in statements:
                conn.execute(statement)
            conn.execute("select pg_stat_force_next_flush()")
        with open_source(server.url(name), server) as opened:
            yield opened


def found(review: StructureReview, check: str) -> list[Finding]:
    return [finding for finding in review.findings if finding.check == check]


def statement(sql: str, *values: str, kind: StatementKind = "select", weight: float = 1.0) -> Statement:
    return Statement(sql[:40], sql, kind, weight, values)


# Column order

PADDED = """
    create table padded (a bool not null, b bigint not null, c bool not null, d bigint not null);
    insert into padded select true, i, false, i from generate_series(1, 20000) i;
    create table dense (b bigint not null, d bigint not null, a bool not null, c bool not null);
    insert into dense select i, i, true, false from generate_series(1, 20000) i;
    create table mixed ("select" smallint, at timestamptz, n int, note text, "Flag" bool, total numeric);
    insert into mixed
    select nullif(i % 3, 0), now(), i, repeat('x', i % 40), true, i * 1.5 from generate_series(1, 20000) i;
"""


VALUES = {
    "bool": "true",
    "smallint": "1",
    "int": "2",
    "bigint": "3",
    "timestamptz": "now()",
    "date": "now()",
    "uuid": "gen_random_uuid()",
    "float8": "0.5",
    "text": "'same'",
    "name": "'n'",
    "timetz": "now()",
}


def test_bytes_of_a_row_are_exact(pg: Connection) -> None:
    """What is computed from alignments and the null bitmap is what the rows take on their pages."""
    choose = random.Random(1)
    for number in range(12):
        types = [choose.choice(list(VALUES)) for _ in range(choose.choice([3, 8, 9, 20]))]
        values = [VALUES[kind] for kind in types]
        if number % 2:
            values[0] = f"case when i % 2 = 0 then {values[0]} end"
        columns = ", ".join(f"c{place} {kind}" for place, kind in enumerate(types))
        pg.execute(f"create table t{number} ({columns})")
        pg.execute(f"insert into t{number} select {', '.join(values)} from generate_series(1, 200) i")
    pg.execute("create extension pageinspect; analyze")
    on_pages = dict(
        pg.execute("""
            select c.relname, avg(ceil(i.lp_len / 8.0) * 8)::float8
            from pg_class c
            cross join generate_series(0, c.relpages - 1) as page
            cross join heap_page_items(get_raw_page(c.oid::regclass::text, page)) as i
            where c.relname ~ '^t[0-9]+$' and i.lp_len > 0
            group by c.relname
        """).fetchall()
    )

    computed = {table.name: row_bytes(table.columns) for table in read_structure(pg, is_live=False).tables}
    assert computed == pytest.approx(on_pages, abs=1e-6)
    assert len(computed) == 12


def test_padding_is_proved_by_both_orders_in_a_copy(tmp_path: Path, server: Server) -> None:
    """Bytes lost to alignment are computed exactly, and the copies differ by just as much."""
    with file_source(tmp_path, server, PADDED) as opened:
        review = review_structure(opened, limits=LOW)
    padded = next(each for each in found(review, "column_order") if each.object == "public.padded")
    facts = padded.evidence[0].facts

    assert "A row takes 56.0 bytes and would take 48.0" in padded.why
    assert padded.fix.endswith("b, d, a, c")
    assert padded.verified
    assert facts["rows"] == 20_000
    assert facts["now_bytes"] / facts["best_bytes"] == pytest.approx(60 / 52, abs=0.01)
    assert "public.dense" not in [each.object for each in found(review, "column_order")]


def test_the_proposed_order_is_not_found_again(tmp_path: Path, server: Server) -> None:
    """A table made in the order that was proposed loses nothing that is worth saying."""
    with file_source(tmp_path, server, PADDED) as opened:
        before = {each.object: each for each in found(review_structure(opened, limits=LOW), "column_order")}
    again = PADDED + "".join(
        f"create table again_{number} as select {each.fix.splitlines()[-1][3:]} from {name};"
        f"drop table {name};"
        for number, (name, each) in enumerate(before.items())
    )
    with file_source(tmp_path, server, again) as opened:
        after = review_structure(opened, limits=LOW)

    assert set(before) == {"public.padded", "public.mixed"}
    assert found(after, "column_order") == []


def test_padding_of_a_named_database_is_measured_on_sampled_rows(server: Server) -> None:
    """Where nothing may be written, sampled rows are laid out in both orders by the server itself."""
    with live_source(server, PADDED, "analyze") as opened:
        review = review_structure(opened, limits=LOW)
    padded = next(each for each in found(review, "column_order") if each.object == "public.padded")

    assert padded.verified
    assert padded.evidence[0].facts["now_bytes"] == 56
    assert padded.evidence[0].facts["best_bytes"] == 48


def test_padding_below_the_limit_is_not_said_but_at_more_rows_it_is(tmp_path: Path, server: Server) -> None:
    """A few kilobytes are not worth a word; at 100 times the rows they may be."""
    small = PADDED.replace("20000", "500")
    with file_source(tmp_path, server, small) as opened:
        now = review_structure(opened, limits=LOW)
        later = review_structure(opened, limits=LOW, volume=100)

    assert found(now, "column_order") == []
    assert "at 100 times the rows" in found(later, "column_order")[0].title


# Columns without a value


def test_three_values_in_a_million_are_found(server: Server) -> None:
    """D122: the sample says "only NULL", the count says 3: no finding, and the share is told."""
    with live_source(
        server,
        "create table cases (id int, legal_hold text, never text)",
        "insert into cases select i, case when i in (7, 500000, 999999) then 'hold' end, null "
        "from generate_series(1, 1000000) i",
        "set default_statistics_target = 1; analyze cases; set default_statistics_target = default",
        # should the sample have met one of the three, the statistics are made to say that it did not
        "select pg_restore_attribute_stats('schemaname', 'public', 'relname', 'cases', "
        "'attname', 'legal_hold', 'inherited', false, "
        "'null_frac', 1::real, 'avg_width', 0, 'n_distinct', 0::real)",
    ) as opened:
        review = review_structure(opened, limits=LOW)
    held = next(row for row in review.columns if row["column"] == "public.cases.legal_hold")

    assert held == {
        "column": "public.cases.legal_hold",
        "sample_saw": "only null",
        "rows": 1_000_000,
        "rows_with_value": 3,
        "share_with_value": 3e-06,
        "holds": False,
    }
    assert [each.object for each in found(review, "only_null_column")] == ["public.cases.never"]


def test_an_empty_column_is_a_question_with_what_depends_on_it(tmp_path: Path, server: Server) -> None:
    """Views, indexes, keys and functions that name the column are listed; nothing is dropped."""
    with file_source(
        tmp_path,
        server,
        """
        create table kinds (id int primary key);
        create table things (id int primary key, kind_id int references kinds, currency text not null,
          made_at timestamptz not null default now(), n int);
        insert into things (id, currency, n) select i, 'EUR', i from generate_series(1, 2000) i;
        create index things_kind on things (kind_id);
        create view things_of_kind as select id, kind_id from things;
        create function kind_of(integer) returns integer language sql
          as 'select kind_id from public.things where id = $1';
        """,
    ) as opened:
        review = review_structure(opened, limits=LOW)
    (empty,) = found(review, "only_null_column")
    (same,) = found(review, "one_value_column")

    assert empty.object == "public.things.kind_id"
    assert empty.verified
    assert "none of 2000 rows has a value" in empty.title
    dependents = empty.evidence[0].facts["dependents"]
    for part in (
        "things_kind_id_fkey",
        "index things_kind",
        "view things_of_kind",
        "function public.kind_of",
    ):
        assert any(part in each for each in dependents), part
    assert "drop" not in empty.fix.lower()
    assert same.object == "public.things.currency"  # not made_at: what is loaded at once has one moment


def test_a_count_that_takes_too_long_is_given_up_and_said(server: Server) -> None:
    """The count has a time-out; what it did not reach is no finding, and a line says so."""
    with live_source(
        server,
        "create table big (id int, nothing text)",
        "insert into big select i from generate_series(1, 300000) i",
        "analyze",
    ) as opened:
        review = review_structure(opened, limits=Limits(column_check_s=0.001))

    assert found(review, "only_null_column") == []
    assert any("columns of public.big" in line and "0.001 s" in line for line in review.not_judged)


def test_columns_that_may_not_be_read_are_said(server: Server) -> None:
    """Statistics that a role may see without the right to the rows suggest nothing that it may claim."""
    with live_source(
        server,
        "create table t (id int, secret text)",
        "insert into t select i from generate_series(1, 2000) i",
        "analyze",
    ) as opened:
        name = opened.connection.info.dbname
        role = f"{name}_r"
        with server.session(name) as conn:
            conn.execute(f'create role "{role}" login')
        try:
            with open_source(server.url(name, user=role), server) as narrow:
                review = review_structure(narrow, limits=LOW)
        finally:
            with server.session(name) as conn:
                conn.execute(f'drop role "{role}"')

    assert review.columns == []
    assert found(review, "only_null_column") == []


def test_rows_that_a_policy_hides_make_no_wrong_count(server: Server) -> None:
    """A role that sees a part of the rows gets no finding about all of them."""
    with live_source(
        server,
        "create table t (id int, seen bool, v text)",
        "insert into t select i, i < 2000, case when i >= 2000 then 'x' end from generate_series(1, 2001) i",
        "set default_statistics_target = 1; analyze t; set default_statistics_target = default",
        "select pg_restore_attribute_stats('schemaname', 'public', 'relname', 't', 'attname', 'v', "
        "'inherited', false, 'null_frac', 1::real, 'avg_width', 0, 'n_distinct', 0::real)",
    ) as opened:
        name = opened.connection.info.dbname
        role = f"{name}_r"
        with server.session(name) as conn:
            conn.execute(f'create role "{role}" login; grant select on t to "{role}"')
            conn.execute("alter table t enable row level security")
            conn.execute("create policy p on t using (seen)")
        try:
            with open_source(server.url(name, user=role), server) as narrow:
                review = review_structure(narrow, limits=LOW)
        finally:
            with server.session(name) as conn:
                conn.execute(f'drop owned by "{role}"; drop role "{role}"')

    assert found(review, "only_null_column") == []
    assert review.columns == []


# TOAST


def test_compression_is_proposed_where_it_pays(tmp_path: Path, server: Server) -> None:
    """Values stored uncompressed that shrink are found and proved; random bytes are left alone."""
    with file_source(
        tmp_path,
        server,
        """
        create table pages (id int primary key, body text);
        alter table pages alter body set storage external;
        insert into pages select i, repeat('lorem ipsum ' || i, 300) from generate_series(1, 400) i;
        create table pictures (id int primary key, body text);
        alter table pictures alter body set storage external;
        insert into pictures
        select i, (select string_agg(encode(sha512((i * 1000 + j)::text::bytea), 'base64'), '')
          from generate_series(1, 40) j) from generate_series(1, 400) i;
        """,
    ) as opened:
        review = review_structure(opened, limits=LOW)
    (pages,) = found(review, "toast_uncompressed")

    assert pages.object == "public.pages"
    assert pages.verified
    assert pages.evidence[0].facts["after_bytes"] < pages.evidence[0].facts["before_bytes"] / 2
    assert pages.fix == "alter table public.pages alter column body set storage extended;"


def test_toast_of_a_named_database_is_not_tried(server: Server) -> None:
    """A copy of a named database has no rows: the finding says that it was not tried, and small ones stay."""
    with live_source(
        server,
        "create table pages (id int primary key, body text)",
        "alter table pages alter body set storage external",
        "insert into pages select i, repeat('lorem ipsum ' || i, 300) from generate_series(1, 400) i",
        "analyze",
    ) as opened:
        (pages,) = found(review_structure(opened, limits=LOW), "toast_uncompressed")
        usual = review_structure(opened)

    assert not pages.verified
    assert "no rows" in pages.unverified_because
    assert found(usual, "toast_uncompressed") == []


def test_values_that_no_method_shrinks_are_left_alone(tmp_path: Path, server: Server) -> None:
    """lz4 is proposed where values are compressed by pglz, and neither for random ones nor without lz4."""
    text = """
        create table lines (id int primary key, body text);
        alter table lines alter body set compression pglz;
        insert into lines
        select i, (select string_agg('line ' || (i * j) || ' of text, ', '') from generate_series(1, 900) j)
        from generate_series(1, 300) i;
        create table noise (id int primary key, body bytea);
        alter table noise alter body set compression pglz;
        insert into noise
        select i, (select string_agg(sha512((i * 1000 + j)::text::bytea), '') from generate_series(1, 60) j)
        from generate_series(1, 400) i;
    """
    with live_source(server, text, "analyze") as opened:
        live = found(review_structure(opened, limits=LOW), "toast_compression")
        has_lz4 = opened.connection.execute(
            "select enumvals @> array['lz4'] from pg_settings where name = 'default_toast_compression'"
        ).fetchone() == (True,)
    with file_source(tmp_path, server, text) as opened:
        copied = found(review_structure(opened, limits=LOW), "toast_compression")

    assert [each.object for each in live] == (["public.lines"] if has_lz4 else [])
    assert "public.noise" not in [each.object for each in copied]
    assert all(each.verified for each in copied)


def test_statements_that_return_long_values(tmp_path: Path, server: Server) -> None:
    """What a statement gives out of TOAST is counted in pages; filters and lengths are near misses."""
    workload = Workload(
        [
            statement("select * from pages where id < $1", "100"),
            statement("select p.id, length(p.body) from pages p where id < $1", "100"),
            statement("select id from pages where body like $1", "'%x%'", weight=2),
        ]
    )
    text = """
        create table pages (id int primary key, body text);
        insert into pages
        select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 200) j)
        from generate_series(1, 400) i;
    """
    with file_source(tmp_path, server, text) as opened:
        review = review_structure(opened, limits=LOW, workload=workload)
        usual = review_structure(opened, workload=workload)
    with live_source(server, text, "analyze") as opened:
        (live,) = found(review_structure(opened, limits=LOW, workload=workload), "long_values_read")
    (finding,) = found(review, "long_values_read")

    assert finding.verified
    assert "1 statements (25 % of the workload) return body" in finding.title
    facts = finding.evidence[0].facts
    assert facts["fetched_pages"] > facts["pages"]
    assert facts["sent_bytes"] > 99 * 6_000
    assert not live.verified
    assert found(usual, "long_values_read") == []


# HOT updates

UPDATED = """
    create table accounts (id int primary key, balance int, note text);
    insert into accounts select i, i, repeat('x', 30 + i % 50) from generate_series(1, 5000) i;
    create table roomy (id int primary key, balance int, note text) with (fillfactor = 70);
    insert into roomy select i, i, repeat('x', 30 + i % 50) from generate_series(1, 5000) i;
    create table watched (id int primary key, seen_at timestamptz not null, n int) with (fillfactor = 70);
    insert into watched select i, now() + i * interval '1 s', i from generate_series(1, 5000) i;
    create index watched_seen_at on watched (seen_at);
"""


def test_what_keeps_updates_on_their_page_is_tried_on_a_copy(tmp_path: Path, server: Server) -> None:
    """The same updates with another fill factor, or one index fewer: HOT and WAL are counted."""
    workload = Workload(
        [
            statement("update accounts set balance = $1 where id = $2", "1", "2", kind="update"),
            statement("update roomy set balance = $1 where id = $2", "1", "2", kind="update"),
            statement("update public.watched set seen_at = now() where id = $1", "2", kind="update"),
        ]
    )
    with file_source(tmp_path, server, UPDATED) as opened:
        review = review_structure(opened, limits=LOW, workload=workload)
        without = review_structure(opened, limits=LOW)
    by_object = {each.object: each for each in found(review, "low_hot_share")}

    assert set(by_object) == {"public.accounts", "public.watched"}  # roomy has room already
    accounts, watched = by_object["public.accounts"], by_object["public.watched"]
    assert accounts.verified
    assert accounts.fix.startswith('alter table "public"."accounts" set (fillfactor = ')
    facts = accounts.evidence[0].facts
    assert facts["now"]["hot_share"] < 0.85
    assert facts["trials"][-1]["hot_share"] > facts["now"]["hot_share"] + 0.15
    assert facts["trials"][-1]["wal_bytes"] < facts["now"]["wal_bytes"]
    assert "watched_seen_at" in watched.title
    assert watched.evidence[0].facts["now"]["hot_share"] < 0.01
    assert found(without, "low_hot_share") == []


def test_hot_updates_of_a_live_server_by_its_counters(server: Server) -> None:
    """Few HOT updates are found with the cause that the counters show; many are a near miss."""
    with live_source(
        server,
        UPDATED,
        "vacuum (analyze)",
        "update watched set seen_at = seen_at + interval '1 day'",
        "update accounts set balance = balance + 1",
        "update roomy set balance = balance + 1 where id % 4 = 0",
    ) as opened:
        review = review_structure(opened, limits=Limits(updates=1000))
    by_object = {each.object: each for each in found(review, "low_hot_share")}

    assert set(by_object) == {"public.accounts", "public.watched"}
    assert "found no room on their page" in by_object["public.accounts"].title
    assert "fillfactor = 90" in by_object["public.accounts"].fix
    assert not by_object["public.accounts"].verified


def test_updates_that_cannot_be_tried_are_said(tmp_path: Path, server: Server) -> None:
    """Values of other rows break a check: a line says so, and other tables are tried all the same."""
    text = (
        UPDATED
        + """
        create table strict (id int primary key, n int check (n = id), note text);
        insert into strict select i, i, repeat('x', 40) from generate_series(1, 5000) i;
    """
    )
    workload = Workload(
        [
            statement("update strict set n = $1 where id = $2", "1", "1", kind="update"),
            statement("update accounts set balance = $1 where id = $2", "1", "2", kind="update"),
        ]
    )
    with file_source(tmp_path, server, text) as opened:
        review = review_structure(opened, limits=LOW, workload=workload)

    assert [each.object for each in found(review, "low_hot_share")] == ["public.accounts"]
    assert any("HOT updates of public.strict" in x and "check constraint" in x for x in review.not_judged)


# Partitioning

EVENTS = """
    create table events (id bigint generated always as identity primary key, at timestamptz not null,
      tenant_id int not null, payload text);
    insert into events (at, tenant_id, payload)
    select '2024-01-01'::timestamptz + i * interval '26 minutes', i % 50, md5(i::text)
    from generate_series(1, 20000) i;
"""
OF_A_MONTH = "select count(*), max(payload) from events where at >= $1 and at < $2"


def test_partitioning_is_advised_where_it_prunes(tmp_path: Path, server: Server) -> None:
    """Reads of a month scan one partition in twelve; planning, time, keys lost and retention are told."""
    workload = Workload([statement(OF_A_MONTH, "'2024-03-01'", "'2024-04-01'")])
    with file_source(tmp_path, server, EVENTS) as opened:
        review = review_structure(opened, limits=LOW, workload=workload)
        small = review_structure(opened, workload=workload)
    (advice,) = found(review, "partitioning")
    facts = advice.evidence[0].facts

    assert advice.verified
    assert "by range of at" in advice.title
    assert facts["pruned_share"] == 1
    assert facts["partitions"] >= 12
    assert facts["statements_tried"][0]["scanned"] == 1
    assert facts["time_ratio"] < 1
    assert facts["keys_lost_names"] == ["events_pkey (PRIMARY KEY (id))"]
    assert facts["drop_wal_bytes"] < facts["delete_wal_bytes"]
    assert facts["planning_after_ms"] > 0
    assert found(small, "partitioning") == []
    assert small.partitioning == []


def test_partitioning_that_prunes_nothing_is_shown_and_not_advised(tmp_path: Path, server: Server) -> None:
    """Where the workload asks by another column, the trial is a row that says no."""
    workload = Workload(
        [
            statement("select * from events where id = $1", "7", weight=99),
            statement(OF_A_MONTH, "'2024-03-01'", "'2024-04-01'"),
        ]
    )
    with file_source(tmp_path, server, EVENTS) as opened:
        review = review_structure(opened, limits=LOW, workload=workload)
    (row,) = review.partitioning

    assert found(review, "partitioning") == []
    assert row["by"] == "range (at)"
    assert str(row["verdict"]).startswith("no: 99 % of the workload reads most of the partitions")


def test_a_hash_is_not_advised_where_it_was_not_timed(tmp_path: Path, server: Server) -> None:
    """A hash prunes every search by its key; only time tells whether that is worth it."""
    workload = Workload([statement("select max(payload) from events where tenant_id = $1", "7")])
    with live_source(server, EVENTS, "analyze") as opened:
        live = review_structure(opened, limits=LOW, workload=workload)
    with file_source(tmp_path, server, EVENTS + "create index on events (tenant_id, payload);") as opened:
        copied = review_structure(opened, limits=LOW, workload=workload)

    assert found(live, "partitioning") == []
    assert live.partitioning[0]["pruned_share"] == 1
    assert str(live.partitioning[0]["verdict"]).startswith("not known: a hash has nothing but speed to give")
    assert copied.partitioning[0]["time_ratio"] is not None


def test_a_statement_that_never_ends_is_listed(tmp_path: Path, server: Server) -> None:
    """A statement takes a tenth of the time at the most; the others are tried, and it is named."""
    endless = "select count(*) from events a, events b, events c where a.id <> b.id and a.at > $1"
    workload = Workload(
        [
            statement(endless, "'2020-01-01'", weight=5),
            statement(OF_A_MONTH, "'2024-03-01'", "'2024-04-01'"),
        ]
    )
    with file_source(tmp_path, server, EVENTS) as opened:
        limits = replace(LOW, partition_s=10)
        (advice,) = found(review_structure(opened, limits=limits, workload=workload), "partitioning")

    assert "timeout" in advice.evidence[0].facts["statements_not_tried"][0]
    assert "not tried" in advice.evidence[0].summary


def test_partitioning_of_a_named_database_is_planned_without_rows(server: Server) -> None:
    """Pruning is proved on an empty copy with the source's span of time; times are not, and it says so."""
    workload = Workload([statement(OF_A_MONTH, "'2024-03-01'", "'2024-04-01'")])
    with live_source(server, EVENTS, "analyze") as opened:
        review = review_structure(opened, limits=LOW, workload=workload)
        without = review_structure(opened, limits=LOW)
    (advice,) = found(review, "partitioning")

    assert not advice.verified
    assert "no query was timed" in advice.unverified_because
    assert advice.evidence[0].facts["statements_tried"][0]["scanned"] == 1
    assert any("partitioning of public.events: it depends on the workload" in x for x in without.not_judged)


# What holds for all of it


def test_a_database_that_we_loaded_has_no_activity(tmp_path: Path, server: Server) -> None:
    """Counters of our own loading are no one's activity: no finding rests on them, and a line says so."""
    text = (
        "create table t (id int primary key, n int); create index t_n on t (n);"
        "insert into t select i, i from generate_series(1, 20000) i; update t set n = n + 1;"
        "create table off (id int) with (autovacuum_enabled = false);"
    )
    with file_source(tmp_path, server, text) as opened:
        review = review_structure(opened, limits=Limits(age_days=0, lag_rows=0, index_bytes=0, updates=1))
    activity = {"vacuum_behind", "statistics_stale", "unused_index", "unread_table", "low_hot_share"}

    assert activity.isdisjoint(each.check for each in review.findings)
    assert [each.object for each in found(review, "autovacuum_off")] == ["public.off"]
    assert any("just loaded by us" in line for line in review.not_judged)


def test_the_example_is_sound(server: Server) -> None:
    """The e-commerce example has no finding at the usual limits, and a row a table."""
    with open_source("ecommerce", server, Options(scale=0.01)) as opened:
        review = review_structure(opened)

    assert review.findings == []
    assert structure_rows(review, most=1)[0]["table"] == "shop.stock_movements"
    assert any("generated" in line for line in review.not_judged)


def test_odd_tables_do_no_harm(pg: Connection, server: Server) -> None:
    """1,600 columns, quotes, capitals, per cents and 63 bytes in names, views, empty tables."""
    columns = ", ".join(f"c{number} bool" for number in range(1600))
    pg.execute(f"create table widest ({columns})")
    pg.execute("insert into widest (c0) select true from generate_series(1, 2000)")
    odd = '"Odd ""name"" %s <b>"'
    pg.execute(f'create table {odd} ("a %" bool, "b""" bigint, "C" bool, {"x" * 63} text)')
    pg.execute(f"insert into {odd} select true, i, false, null from generate_series(1, 20000) i")
    pg.execute("create table nothing (); create view v as select * from nothing")
    pg.execute("create materialized view m as select 1 as one; analyze")
    with open_source(server.url(pg.info.dbname), server) as opened:
        review = review_structure(opened, limits=LOW)

    assert found(review, "column_order")[0].verified
    assert {row["table"] for row in review.tables} == {
        "public.widest", f"public.{odd}", "public.nothing", "public.m",
    }  # fmt: skip
    assert f"public.{odd}.{'x' * 63}" in [each.object for each in found(review, "only_null_column")]


def test_a_table_that_is_locked_is_an_error_in_one_line(pg: Connection, server: Server) -> None:
    """Sizes wait for an exclusive lock no longer than the time-out, and the error says what to do."""
    pg.execute("create table t (id int)")
    with open_source(server.url(pg.info.dbname), server, Options(lock_timeout_s=0.2)) as opened:
        pg.execute("begin; lock table t in access exclusive mode")
        with pytest.raises(SourceTimeout, match="could not be read in time") as error:
            review_structure(opened)
        pg.execute("rollback")
        review = review_structure(opened)

    assert "\n" not in str(error.value)
    assert [row["table"] for row in review.tables] == ["public.t"]


def test_what_cannot_be_is_refused(pg: Connection, server: Server) -> None:
    """A volume of nothing and a schema that is not there are errors in one line."""
    pg.execute("create table t (id int)")
    with open_source(server.url(pg.info.dbname), server) as opened:
        with pytest.raises(BadInput, match="volume"):
            review_structure(opened, volume=0)
        with pytest.raises(SchemaNotFound, match="'c' is not in database"):
            review_structure(opened, schemas=["c"])
