"""Seals, time travel and retention of the audit trail, against who can do everything."""

from __future__ import annotations

import dataclasses
import json
import random
import runpy
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.audit_trail import Trail, audit_cluster, open_trail
from workbench import sql
from workbench.areas.security.audit import (
    Anchor,
    as_of,
    ensure_partitions,
    keep_anchor,
    kept_anchors,
    prove_forms,
    retirable_months,
    retire_month,
    seal,
    unsealed_entries,
    verify,
)
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput, NotAuthorized

KEY = b"kept by the caller"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with audit_cluster() as server:
        yield server


@pytest.fixture
def trail(cluster: Server) -> Iterator[Trail]:
    with open_trail(cluster) as opened:
        opened.deployer.execute("create table s.t (id int primary key, a text)")
        opened.watch("t")
        yield opened


def sealed(trail: Trail, seals: int = 3) -> list[Anchor]:
    """Anchors of *seals* seals of ten entries each."""
    anchors = []
    for number in range(seals):
        trail.writer.execute(
            "insert into s.t select g, 'a' from generate_series(%s, %s) g", [number * 10, number * 10 + 9]
        )
        anchors.append(seal(trail.auditor))
    return anchors


def as_superuser(trail: Trail, statement: str) -> None:
    """Run *statement* with every trigger of the trail off."""
    tables = ("audit.log", "audit.seals", "audit.seal_months")
    off = "; ".join(f"alter table {table} disable trigger all" for table in tables)
    on = "; ".join(f"call audit.protect('{table}', true)" for table in tables)
    trail.superuser.execute(f"begin; {off}; {statement}; {on}; commit")


def test_an_untouched_trail_verifies(trail: Trail) -> None:
    """Nothing is found, before the first seal, after some, and with entries that are not sealed yet."""
    assert verify(trail.auditor, []) == []
    anchors = sealed(trail)
    trail.writer.execute("insert into s.t values (100, 'late')")

    assert verify(trail.auditor, anchors) == []
    assert [anchor.entries for anchor in anchors] == [10, 20, 30]
    assert unsealed_entries(trail.auditor) == 1


@pytest.mark.parametrize(
    ("statement", "kind", "counts"),
    [
        ("update audit.log set actor = 'nobody' where entry_id = 15", "changed", (10, 10)),
        ("delete from audit.log where entry_id = 15", "deleted", (10, 9)),
        (
            "insert into audit.log overriding system value "
            "select (jsonb_populate_record(l, '{\"entry_id\": 99}')).* from audit.log l where entry_id = 15",
            "inserted",
            (10, 11),
        ),
        (
            "with x as (select entry_id, record_key from audit.log where entry_id in (15, 16)) "
            "update audit.log l set record_key = x.record_key from x "
            "where l.entry_id in (15, 16) and l.entry_id <> x.entry_id",
            "changed",
            (10, 10),
        ),
        (
            "update audit.log set recorded_at = recorded_at - interval '400 days' where entry_id = 15",
            "deleted",
            (10, 9),
        ),
    ],
)
def test_a_superuser_who_edits_is_found(
    trail: Trail, statement: str, kind: str, counts: tuple[int, int]
) -> None:
    """Changed, deleted, inserted, exchanged, moved in time: the second seal is named."""
    anchors = sealed(trail)

    as_superuser(trail, statement)

    found = {each.kind: each for each in verify(trail.auditor, anchors)}
    assert kind in found
    assert found[kind].seal_id == 2
    assert (found[kind].sealed, found[kind].found) == counts


def test_a_chain_that_was_computed_again_is_shown_by_the_anchor_alone(trail: Trail) -> None:
    """Who changes an entry and every seal after it contradicts nothing in the database."""
    anchors = sealed(trail)
    as_superuser(trail, "update audit.log set actor = 'nobody' where entry_id = 15")
    as_superuser(trail, "delete from audit.seal_months where seal_id > 1")
    as_superuser(trail, "delete from audit.seals where seal_id > 1")
    trail.superuser.execute("select audit.seal()")
    trail.superuser.execute("select audit.seal()")

    assert verify(trail.auditor, []) == []
    (found,) = verify(trail.auditor, anchors)
    assert (found.kind, found.seal_id) == ("chain rewritten", 2)
    assert found.first_transaction == anchors[0].to_transaction


def test_a_chain_that_was_cut_or_bent_is_found(trail: Trail) -> None:
    """A seal that is gone, a seal that was edited, an anchor that somebody else signed."""
    anchors = [keep_anchor(each, Path("/dev/null"), KEY) for each in sealed(trail)]
    assert verify(trail.auditor, anchors, key=KEY) == []
    forged = dataclasses.replace(anchors[1], hash="00" * 32)
    assert [each.kind for each in verify(trail.auditor, [*anchors, forged], key=KEY)] == ["anchor forged"]

    as_superuser(trail, "update audit.seals set sealed_at = sealed_at - interval '1 hour' where seal_id = 2")
    assert [(each.kind, each.seal_id) for each in verify(trail.auditor, anchors)] == [("chain broken", 2)]
    as_superuser(
        trail, "delete from audit.seal_months where seal_id = 3; delete from audit.seals where seal_id = 3"
    )
    assert ("seal gone", 3) in [(each.kind, each.seal_id) for each in verify(trail.auditor, anchors)]


def test_settings_and_functions_of_the_database_change_no_verdict(trail: Trail) -> None:
    """Another date style or time zone sees the same seals; what is put in the trail's schema is not asked."""
    anchors = sealed(trail)
    as_superuser(trail, "delete from audit.log where entry_id = 15")
    trail.superuser.execute(
        "set datestyle = 'SQL, DMY'; set timezone = 'Asia/Tokyo'; set bytea_output = 'escape'"
    )
    trail.superuser.execute("set search_path = audit, pg_catalog")
    trail.superuser.execute(
        "create function audit.sha256(bytea) returns bytea language sql as $$ select ''::bytea $$"
    )

    (found,) = verify(trail.superuser, anchors)
    assert (found.kind, found.seal_id) == ("deleted", 2)


def test_a_detached_month_is_found(trail: Trail) -> None:
    """A partition that was taken out of the log takes its month's entries from every seal."""
    anchors = sealed(trail)
    month = datetime.now(UTC)
    trail.superuser.execute(f"alter table audit.log detach partition audit.log_{month:%Y_%m}")

    (found,) = verify(trail.auditor, anchors)
    assert (found.kind, found.seal_id, found.sealed, found.found) == ("month gone", 1, 10, 0)


def test_a_transaction_that_commits_late_is_in_a_later_seal(trail: Trail) -> None:
    """Its entries have lower numbers than entries that are sealed; none is lost and none is doubted."""
    with trail.server.session(trail.name, user="writer") as slow:
        slow.execute("begin; insert into s.t values (1, 'slow')")
        trail.writer.execute("insert into s.t values (2, 'fast')")
        first = seal(trail.auditor)
        slow.execute("commit")
    second = seal(trail.auditor)

    assert (first.entries, second.entries) == (0, 2)
    assert verify(trail.auditor, [first, second]) == []


def test_writers_wait_neither_for_each_other_nor_for_a_seal(trail: Trail) -> None:
    """Two transactions that both wrote entries, and an open seal, hold no lock that another waits for."""
    with (
        trail.server.session(trail.name, user="writer") as other,
        trail.server.session(trail.name, user="auditor") as sealing,
    ):
        for conn in (trail.writer, other):
            conn.execute("set lock_timeout = '2s'")
        trail.writer.execute("begin; insert into s.t values (1, 'x')")
        sealing.execute("begin; select audit.seal()")
        other.execute("begin; insert into s.t values (2, 'y')")
        waiting = trail.superuser.execute("select count(*) from pg_locks where not granted").fetchone()
        for conn in (other, trail.writer, sealing):
            conn.execute("commit")
    assert waiting == (0,)


def test_seals_while_many_write_lose_nothing(trail: Trail) -> None:
    """Four writers and a sealer at once: every entry is in exactly one seal, and the chain verifies."""

    def write(number: int) -> None:
        with trail.server.session(trail.name, user="writer") as conn:
            for each in range(25):
                conn.execute("insert into s.t values (%s, 'x')", [1000 * number + each])

    writers = [threading.Thread(target=write, args=[number]) for number in range(1, 5)]
    for each in writers:
        each.start()
    anchors = [seal(trail.auditor)]
    while any(each.is_alive() for each in writers):
        anchors.append(seal(trail.auditor))
    for each in writers:
        each.join()
    anchors.append(seal(trail.auditor))

    assert anchors[-1].entries == 100
    assert verify(trail.auditor, anchors) == []


def test_a_trail_of_another_cluster_is_not_sealed(trail: Trail) -> None:
    """Where transactions count from below the last seal, new entries would be covered by none."""
    sealed(trail, 1)
    as_superuser(trail, "update audit.seals set to_transaction = '9999999999'")
    with pytest.raises(BadInput, match="restored into another cluster"):
        seal(trail.auditor)


def test_anchors_are_kept_in_a_file(trail: Trail, tmp_path: Path) -> None:
    """One a line, as they were; a line that is none is named."""
    path = tmp_path / "anchors"
    kept = [keep_anchor(each, path, KEY) for each in sealed(trail)]
    assert kept_anchors(path) == kept
    assert verify(trail.auditor, kept_anchors(path), key=KEY) == []

    path.write_text(path.read_text() + json.dumps({"seal_id": 1}) + "\n")
    with pytest.raises(BadInput, match=r"anchors:4: this is no anchor"):
        kept_anchors(path)


def now(conn: Connection) -> datetime:
    row = conn.execute("select clock_timestamp()").fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def rows_of(conn: Connection, table: str) -> list[str]:
    return sorted(
        json.dumps(row, sort_keys=True) for (row,) in conn.execute(f"select to_jsonb(t) from s.{table} t")
    )


@pytest.mark.parametrize("kind", ["statement", "row", "partitioned", "no key"])
def test_a_random_history_is_travelled_exactly(trail: Trail, kind: str) -> None:
    """Inserted, updated, key changed, deleted, truncated: as of each moment the rows kept aside."""
    key = "" if kind == "no key" else ", primary key (id)"
    partition = " partition by range (id)" if kind == "partitioned" else ""
    trail.deployer.execute(f"create table s.h (id int not null, a text, n numeric, j jsonb{key}){partition}")
    if kind == "partitioned":
        trail.deployer.execute(
            "create table s.h1 partition of s.h for values from (0) to (10); "
            "create table s.h2 partition of s.h default"
        )
    trail.watch("t", "h", by_row=("h",) if kind == "row" else (), truncate="rows")
    draw = random.Random(7)
    kept: list[tuple[datetime, list[str]]] = []
    for _ in range(60):
        low, high = sorted(draw.choices(range(20), k=2))
        statement = draw.choice(
            [
                "insert into s.h select g, 'a' || g, g / 3.0, '{\"x\": 1.10}' "
                f"from generate_series({low}, {high}) g"
                + ("" if kind == "no key" else " on conflict (id) do update set a = 'again', n = 'NaN'"),
                f"update s.h set a = 'u{high}', j = null where id = {low}",
                f"update s.h set n = n + 1 where id between {low} and {high}",
                f"update s.h set id = 19 - {low} where id = {low}"
                if kind == "no key"
                else f"update s.h set id = {low} where id = {high} and {low} not in (select id from s.h)",
                f"delete from s.h where id between {low} and {high}",
                *(["truncate s.h"] if draw.random() < 0.2 else []),
            ]
        )
        trail.writer.execute(statement)
        kept.append((now(trail.writer), rows_of(trail.superuser, "h")))

    for moment, rows in kept:
        past = as_of(trail.superuser, ("s", "h"), moment)
        assert sorted(json.dumps(dict(row.values), sort_keys=True) for row in past) == rows


def test_one_row_is_followed_and_what_was_redacted_says_so(trail: Trail) -> None:
    """By its key alone; a redacted value that changed since is said to be redacted, not guessed."""
    trail.deployer.execute("create table s.u (id int primary key, email text, a text)")
    trail.watch("t", "u", redacted=("u.email",))
    before = now(trail.writer)
    trail.writer.execute("insert into s.u values (1, 'one@x', 'a'), (2, 'two@x', 'b')")
    moment = now(trail.writer)
    trail.writer.execute("update s.u set email = 'new@x', a = 'c' where id = 1")

    (row,) = as_of(trail.superuser, ("s", "u"), moment, key={"id": 1})
    assert row.shown() == {"id": 1, "email": "redacted", "a": "a"}
    assert "email" not in row.values
    assert [each.shown()["email"] for each in as_of(trail.superuser, ("s", "u"), moment)] == [
        "redacted",
        "two@x",
    ]
    assert as_of(trail.superuser, ("s", "u"), before) == []
    assert as_of(trail.superuser, ("s", "u"), moment, key={"id": 9}) == []


def test_columns_that_came_and_went(trail: Trail) -> None:
    """A dropped column has its value where the trail has one; an added one breaks nothing."""
    trail.writer.execute("insert into s.t values (1, 'x'), (2, 'y')")
    moment = now(trail.writer)
    trail.writer.execute("update s.t set a = 'z' where id = 1")
    trail.deployer.execute("alter table s.t drop column a; alter table s.t add column b int default 5")
    trail.writer.execute("delete from s.t where id = 2")

    assert [dict(row.values) for row in as_of(trail.superuser, ("s", "t"), moment)] == [
        {"id": 1, "a": "x", "b": 5},
        {"id": 2, "b": 5},
    ]


def test_a_deferrable_key_is_none(trail: Trail) -> None:
    """Two rows may have it at a time: they are told apart by all of them, and travelled exactly."""
    trail.deployer.execute("create table s.d (id int primary key deferrable initially deferred, a text)")
    trail.watch("t", "d")
    trail.writer.execute("insert into s.d values (1, 'x'), (2, 'y')")
    before, rows = now(trail.writer), rows_of(trail.superuser, "d")
    trail.writer.execute(
        "begin; update s.d set id = 2 where a = 'x'; update s.d set id = 1 where a = 'y'; commit"
    )

    past = as_of(trail.superuser, ("s", "d"), before)
    assert sorted(json.dumps(dict(row.values), sort_keys=True) for row in past) == rows
    assert rows_of(trail.superuser, "d") != rows


def test_generated_columns_are_as_their_sources_were(trail: Trail) -> None:
    """A stored one has its old value; a virtual one, which no trigger sees, is left out."""
    virtual = ", w text generated always as (a || '!') virtual" if trail.server.version >= 180_000 else ""
    trail.deployer.execute(
        "create table s.g (id int primary key, a text, "
        f"v text generated always as (a || '?') stored{virtual})"
    )
    trail.watch("t", "g")
    trail.writer.execute("insert into s.g (id, a) values (1, 'x'), (2, 'y')")
    moment = now(trail.writer)
    trail.writer.execute("update s.g set a = 'z' where id = 1; delete from s.g where id = 2")

    assert trail.entries("old_values")[2:] == [({"a": "x", "v": "x?"},), ({"id": 2, "a": "y", "v": "y?"},)]
    assert [dict(row.values) for row in as_of(trail.superuser, ("s", "g"), moment)] == [
        {"id": 1, "a": "x", "v": "x?"},
        {"id": 2, "a": "y", "v": "y?"},
    ]
    assert trail.gaps() == []


def test_what_cannot_be_known_is_not_told(trail: Trail) -> None:
    """Rows that a truncation took unlogged, rows that row security hides, a table that is none."""
    trail.writer.execute("insert into s.t values (1, 'x')")
    moment = now(trail.writer)
    trail.writer.execute("truncate s.t; insert into s.t values (2, 'y')")
    with pytest.raises(BadInput, match=r"s\.t was truncated at .* from then on only"):
        as_of(trail.superuser, ("s", "t"), moment)
    assert len(as_of(trail.superuser, ("s", "t"), now(trail.writer))) == 1

    trail.deployer.execute("alter table s.t enable row level security; grant select on s.t to auditor")
    trail.deployer.execute("grant usage on schema s to auditor")
    with pytest.raises(NotAuthorized, match="row-level security"):
        as_of(trail.auditor, ("s", "t"), now(trail.writer))
    with pytest.raises(BadInput, match=r"no table s\.gone"):
        as_of(trail.superuser, ("s", "gone"), moment)


def test_entries_of_the_default_partition_move_and_none_is_lost(trail: Trail) -> None:
    """A month that had no partition is an alarm in the registry; made later, it takes its entries along."""
    month = datetime.now(UTC).date().replace(day=1)
    partition = f"log_{month:%Y_%m}"
    trail.superuser.execute(f"drop table audit.{partition}")
    trail.writer.execute("insert into s.t values (1, 'x'), (2, 'y')")
    before = trail.entries("*")
    assert {"entries wait in the default partition", "no partition for that month"} <= {
        gap.problem for gap in trail.gaps()
    }

    assert ensure_partitions(trail.deployer, month, month) == [partition]

    assert trail.entries("*") == before
    assert trail.auditor.execute("select distinct tableoid::regclass::text from audit.log").fetchall() == [
        (f"audit.{partition}",)
    ]
    assert trail.gaps() == []
    assert ensure_partitions(trail.deployer, month, month) == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ensure_partitions(trail.auditor, month, month)


def old_entries(trail: Trail) -> date:
    """A month that is long over, with ten entries."""
    month = date(2024, 2, 1)
    ensure_partitions(trail.deployer, month, month)
    trail.writer.execute("insert into s.t select g, 'a' from generate_series(1, 10) g")
    as_superuser(trail, "update audit.log set recorded_at = '2024-02-29 23:59:59+00'")
    return month


def test_a_month_is_retired_into_a_file(trail: Trail, tmp_path: Path) -> None:
    """Exported, detached, append-only still; the chain verifies with the retirement and says so without."""
    month = old_entries(trail)
    trail.writer.execute("insert into s.t values (100, 'now')")
    anchors = [seal(trail.auditor)]
    assert retirable_months(trail.auditor, date(2026, 3, 1), months=24) == [month]
    assert retirable_months(trail.auditor, date(2026, 2, 28), months=24) == []

    retired = retire_month(trail.deployer, month, tmp_path, anchors)

    assert retired.entries == 10
    assert len(Path(retired.file).read_text().splitlines()) == 11
    assert len(trail.entries()) == 1
    assert verify(trail.auditor, anchors, retired=[retired]) == []
    assert [each.kind for each in verify(trail.auditor, anchors)] == ["month gone"]
    for statement in ("delete from audit.log_2024_02", "truncate audit.log_2024_02"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="append-only"):
            trail.deployer.execute(statement)
    assert trail.gaps() == []


def test_a_month_is_not_retired_unless_it_may_be(trail: Trail, tmp_path: Path) -> None:
    """Without an anchor, unsealed, not over, not there, by the auditor: nothing changes, no file is left."""
    month = old_entries(trail)
    anchor = seal(trail.auditor)
    this_month = datetime.now(UTC).date()
    refused: list[tuple[Connection, date, list[Anchor], str]] = [
        (trail.deployer, month, [], "seal the trail and keep its anchor"),
        (trail.deployer, month, [dataclasses.replace(anchor, hash="00")], "not the trail of this anchor"),
        (trail.deployer, this_month, [anchor], "not over yet"),
        (trail.deployer, date(2020, 1, 1), [anchor], "no partition audit.log_2020_01"),
        (trail.auditor, month, [anchor], "only members of the audit owner"),
    ]
    for conn, when, anchors, said in refused:
        with pytest.raises(BadInput, match=said):
            retire_month(conn, when, tmp_path, anchors)
    trail.writer.execute("insert into s.t values (100, 'now')")
    as_superuser(trail, "update audit.log set recorded_at = '2024-02-29 23:59:59+00'")
    with pytest.raises(BadInput, match="1 of 11 entries"):
        retire_month(trail.deployer, month, tmp_path, [anchor])
    assert list(tmp_path.iterdir()) == []
    assert len(trail.entries()) == 11


def test_a_month_is_dropped_only_when_asked(trail: Trail, tmp_path: Path) -> None:
    """Its entries are in the file then, and nowhere else."""
    month = old_entries(trail)
    retired = retire_month(trail.deployer, month, tmp_path, [seal(trail.auditor)], drop=True)

    there: Any = trail.superuser.execute("select to_regclass('audit.log_2024_02')").fetchone()
    assert (retired.dropped, there) == (True, (None,))


def test_each_form_of_writing_is_proved_and_a_gap_shows(trail: Trail) -> None:
    """What the rows say and what the trail says agree for every form; without one trigger they do not."""
    trail.deployer.execute(
        """
        create table s.p (id int primary key, a text, b int) partition by range (id);
        create table s.p1 partition of s.p for values from (0) to (100);
        create table s.p2 partition of s.p default;
        create table s.c (
            id int primary key, p int references s.p, kept text generated always as ('x' || p) stored
        );
        create table s.n (a text, b int);
        insert into s.p select g, 'a' || g, g from generate_series(1, 20) g;
        insert into s.c select g, g from generate_series(1, 20) g;
        insert into s.n select 'a' || g % 3, g % 3 from generate_series(1, 20) g;
        insert into s.t select g, 'a' || g from generate_series(1, 20) g;
        analyze
        """
    )
    trail.watch("t", "p", "c", "n", by_row=("t",))
    assert trail.intent and trail.catalog

    proofs = prove_forms(trail.superuser, trail.intent, trail.catalog)
    assert [each for each in proofs if not each.as_expected or each.stopped] == []
    by_form = {(each.table[1], each.form): each for each in proofs}
    assert by_form["p", "update through a partition"].logged == (0, 5, 0, 0)
    assert by_form["p", "truncate"].logged == (0, 0, 0, 3)
    assert by_form["t", "update of the key"].logged == (5, 0, 5, 0)
    assert by_form["n", "update"].logged == (5, 0, 5, 0)
    assert by_form["c", "copy"].logged == (5, 0, 0, 0)
    assert by_form["t", "update of nothing"].logged == (0, 0, 0, 0)
    assert not by_form["p", "update of the key"].rules
    assert by_form["c", "delete"].rules

    trail.deployer.execute("drop trigger audit_update on s.p1; alter table s.c disable trigger audit_insert")
    wrong = [
        each for each in prove_forms(trail.superuser, trail.intent, trail.catalog) if not each.as_expected
    ]
    assert {(each.table[1], each.form) for each in wrong} == {
        ("p", "update through a partition"),
        ("c", "insert"),
        ("c", "copy"),
    }
    assert len(trail.entries()) == 20  # of the rows above; nothing that was tried is left


def test_what_the_trail_costs_is_measured(cluster: Server) -> None:
    """Few rows say nothing of the cost: that every figure is there, and that no role is left."""
    bench = runpy.run_path(str(sql.asset_root("bench") / "_security_audit.py"))

    rows = bench["rows"](cluster, count=200, one_by_one=20, rounds=1)

    assert len({row["benchmark"] for row in rows}) == len(rows) == 16
    assert all(
        set(row) == {"benchmark", "value", "unit", "peer", "peer_value", "ratio", "limit", "ok"}
        for row in rows
    )
    assert [row["limit"] for row in rows if row["limit"]] == [0.5, 1.0]
    assert "entries/s" in {row["unit"] for row in rows}
    with cluster.session() as conn:
        assert conn.execute("select count(*) from pg_roles where rolname like 'wb\\_audit%'").fetchone() == (
            0,
        )
