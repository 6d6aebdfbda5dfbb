"""The audit trail on a real server, put there by a deployer that is no superuser."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator

import psycopg2
import pytest

from tests.audit_trail import Trail, audit_cluster, open_trail
from workbench.areas.security.audit import audit_parts, repair_script
from workbench.areas.security.intent.model import Identity
from workbench.engines.postgres import Server
from workbench.errors import BadInput


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with audit_cluster() as server:
        yield server


@pytest.fixture
def trail(cluster: Server) -> Iterator[Trail]:
    with open_trail(cluster) as opened:
        yield opened


def test_each_statement_leaves_the_rows_that_changed(trail: Trail) -> None:
    """Old values of changed columns for an update, of all for a deletion, the key for an insertion."""
    trail.deployer.execute("create table s.t (id int primary key, a text, b text)")
    trail.watch("t")

    trail.writer.execute("insert into s.t values (1, 'x', 'y'), (2, 'x', 'y')")
    trail.writer.execute("update s.t set a = 'z' where id = 1")
    trail.writer.execute("update s.t set a = a, b = b")
    trail.writer.execute("update s.t set a = 'z' where false")
    trail.writer.execute("delete from s.t where id = 2")

    assert trail.entries() == [
        ("I", {"id": 1}, None, None),
        ("I", {"id": 2}, None, None),
        ("U", {"id": 1}, {"a": "x"}, None),
        ("D", {"id": 2}, {"id": 2, "a": "x", "b": "y"}, None),
    ]


def test_the_row_trigger_leaves_the_same(trail: Trail) -> None:
    """The lean row trigger and the statement trigger leave the same entries, whatever is written."""
    trail.deployer.execute(
        "create table s.t (id int, k text, a text, n numeric, hidden text, primary key (id, k))"
    )
    trail.deployer.execute("create table s.r (like s.t including all)")
    trail.watch("t", by_row=("r",), redacted=("t.hidden", "r.hidden"))

    for table in ("t", "r"):
        for statement in (
            "insert into s.{} values (1, 'x', 'a', 1.10, 'h'), (2, 'y', null, 'NaN', null)",
            "update s.{} set n = 1.1 where id = 1",
            "update s.{} set hidden = 'other' where id = 1",
            "update s.{} set id = 5 where id = 1",
            "update s.{} set a = a",
            "insert into s.{} values (2, 'y', 'b') on conflict (id, k) do update set a = excluded.a",
            "delete from s.{}",
        ):
            trail.writer.execute(statement.format(table))

    columns = "action, record_key, old_values, redacted_columns"
    by_table = {
        name: trail.auditor.execute(
            f"select {columns} from audit.log where table_name = %s order by entry_id", [f"s.{name}"]
        ).fetchall()
        for name in ("t", "r")
    }
    assert sorted(map(str, by_table["t"])) == sorted(map(str, by_table["r"]))
    assert len(by_table["t"]) == 9


def test_a_changed_key_keeps_both_halves(trail: Trail) -> None:
    """A primary key that is updated reads as the end of one row and the beginning of another."""
    trail.deployer.execute("create table s.t (id int primary key, a text)")
    trail.watch("t")
    trail.writer.execute("insert into s.t values (2, 'y'), (1, 'x')")

    trail.writer.execute("update s.t set id = id + 1")

    assert sorted(trail.entries()[2:], key=lambda entry: str(entry[1])) == [
        ("D", {"id": 1}, {"id": 1, "a": "x"}, None),
        ("U", {"id": 2}, {"a": "y"}, None),
        ("I", {"id": 3}, None, None),
    ]


def test_every_way_to_write_is_counted_once(trail: Trail) -> None:
    """ON CONFLICT, MERGE, COPY, a writable CTE and a cascade are logged, each row once."""
    trail.deployer.execute("create table s.p (id int primary key, a text)")
    trail.deployer.execute("create table s.c (id int primary key, p int references s.p on delete cascade)")
    trail.watch("p", "c")

    trail.writer.execute("insert into s.p values (1, 'a'), (2, 'b'), (3, 'c')")
    trail.writer.execute(
        "insert into s.p values (3, 'd'), (4, 'd') on conflict (id) do update set a = excluded.a"
    )
    trail.writer.execute("insert into s.p values (4, 'e') on conflict do nothing")
    trail.writer.execute("insert into s.c select g, 1 + g % 2 from generate_series(1, 6) g")
    assert trail.counts() == {"I": 3 + 1 + 6, "U": 1}

    trail.writer.execute(
        """
        merge into s.p using (values (3, 'm'), (5, 'n'), (4, 'gone')) v (id, a) on v.id = p.id
        when matched and v.a = 'gone' then delete
        when matched then update set a = v.a
        when not matched then insert values (v.id, v.a)
        """
    )
    assert trail.counts() == {"I": 11, "U": 2, "D": 1}

    with trail.writer.cursor() as cur:
        cur.copy_expert("copy s.p from stdin", io.StringIO("6\tx\n7\ty\n"))
    trail.writer.execute(
        "with gone as (delete from s.p where id > 5 returning *) update s.p set a = 'w' where id = 5"
    )
    assert trail.counts() == {"I": 13, "U": 3, "D": 3}

    trail.writer.execute("delete from s.p where id = 1")  # three rows of s.c go with it
    assert trail.counts()["D"] == 3 + 1 + 3


def test_partitions_are_counted_once_whatever_is_named(trail: Trail) -> None:
    """Through parent or leaf each row is logged once, under the table; a row that moves twice."""
    trail.deployer.execute(
        """
        create table s.p (id int, r int, a text, primary key (id, r)) partition by list (r);
        create table s.p1 partition of s.p for values in (1) partition by range (id);
        create table s.p11 partition of s.p1 for values from (0) to (100);
        create table s.p2 (a text, r int not null, id int not null);
        alter table s.p attach partition s.p2 for values in (2);
        """
    )
    trail.watch("p")

    trail.writer.execute("insert into s.p values (1, 1, 'x'), (2, 2, 'y')")
    trail.writer.execute("update s.p set a = 'z'")
    trail.writer.execute("update s.p11 set a = 'leaf'")
    trail.writer.execute("update s.p1 set a = 'middle'")
    trail.writer.execute("delete from s.p2")
    trail.writer.execute("update s.p set r = 2")

    assert trail.entries("action, table_name, partition_name, record_key ->> 'id', old_values ->> 'a'") == [
        ("I", "s.p", None, "1", None),
        ("I", "s.p", None, "2", None),
        ("U", "s.p", None, "1", "x"),
        ("U", "s.p", None, "2", "y"),
        ("U", "s.p", "s.p11", "1", "z"),
        ("U", "s.p", "s.p1", "1", "leaf"),
        ("D", "s.p", "s.p2", "2", "z"),
        ("D", "s.p", None, "1", "middle"),
        ("I", "s.p", None, "1", None),
    ]


def test_truncate_leaves_an_entry_its_rows_or_is_refused(trail: Trail) -> None:
    """As declared; and the rows are logged although row security is forced on the table."""
    trail.deployer.execute("create table s.t (id int primary key, a text)")
    trail.watch("t")
    trail.writer.execute("insert into s.t values (1, 'x'), (2, 'y'); truncate s.t")
    assert trail.entries("action")[2:] == [("T",)]

    trail.deployer.execute(
        "alter table s.t enable row level security; alter table s.t force row level security"
    )
    trail.deployer.execute("create policy own on s.t to writer using (id = 1) with check (true)")
    trail.watch("t", truncate="rows")
    trail.writer.execute("insert into s.t values (1, 'x'), (2, 'y'); truncate s.t")
    assert trail.entries("action, old_values")[5:] == [
        ("D", {"id": 1, "a": "x"}),
        ("D", {"id": 2, "a": "y"}),
        ("T", {"rows": "logged"}),
    ]

    trail.watch("t", truncate="refused")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="delete its rows instead"):
        trail.writer.execute("truncate s.t")


def test_hidden_columns_leave_no_value(trail: Trail) -> None:
    """What is redacted shows that it changed, what is omitted nothing, nor what is computed from it."""
    trail.deployer.execute(
        """
        create table s.t (
            id int primary key, email text, pin text, a text,
            shown text generated always as (email || a) stored,
            pins text generated always as (lower(pin)) stored
        )
        """
    )
    trail.watch("t", redacted=("t.email",), omitted=("t.pin",))

    trail.writer.execute("insert into s.t values (1, 'Marker-1', 'Marker-2', 'x')")
    trail.writer.execute("update s.t set pin = 'Marker-3'")
    trail.writer.execute("update s.t set email = 'Marker-4'")
    trail.writer.execute("update s.t set a = 'y'")
    trail.writer.execute("delete from s.t")

    assert trail.entries() == [
        ("I", {"id": 1}, None, None),
        ("U", {"id": 1}, None, ["email", "shown"]),
        ("U", {"id": 1}, {"a": "x"}, ["shown"]),
        ("D", {"id": 1}, {"id": 1, "a": "y"}, ["email", "shown"]),
    ]
    assert "arker" not in str(trail.superuser.execute("select l::text from audit.log l").fetchall())


def test_a_hidden_column_in_a_key_is_refused(trail: Trail) -> None:
    """An entry names its row by the key, so a label on it is a contradiction; kept is none."""
    trail.deployer.execute("create table s.t (email text primary key, a text)")

    with pytest.raises(BadInput, match=r"test\.yaml:7: s\.t\.email is in the key of its table"):
        trail.watch("t", omitted=("t.email",))
    trail.watch("t", omitted=("t.a",))


def test_rows_without_a_key_are_told_apart_by_all_of_them(trail: Trail) -> None:
    """A table without key is logged row by row, equal rows each for itself, by either trigger."""
    for name in ("t", "r"):
        trail.deployer.execute(f"create table s.{name} (a text, b int)")
    trail.watch("t", by_row=("r",))

    for name in ("t", "r"):
        trail.writer.execute(f"insert into s.{name} values ('x', 1), ('x', 1), ('y', 2)")
        trail.writer.execute(f"update s.{name} set b = 3 where a = 'y'")
        trail.writer.execute(f"update s.{name} set b = b")
        trail.writer.execute(f"delete from s.{name} where a = 'x'")

    counted = trail.auditor.execute(
        "select table_name, action::text, count(*) from audit.log group by 1, 2 order by 1, 2"
    )
    assert counted.fetchall() == [("s.r", "D", 3), ("s.r", "I", 4), ("s.t", "D", 3), ("s.t", "I", 4)]


def test_who_it_was(trail: Trail) -> None:
    """The login, the role that was set, the actor as claimed, application and query identifier."""
    trail.deployer.execute("create table s.t (id int primary key)")
    trail.superuser.execute("create role other; grant other to writer; grant pg_read_all_stats to keeper")
    trail.watch("t")
    trail.deployer.execute("grant usage on schema s to other; grant all on all tables in schema s to other")
    trail.writer.execute("set app.actor = 'alice'; set application_name = 'shop'")
    trail.writer.execute("insert into s.t values (1)")
    trail.writer.execute("set role other")
    trail.writer.execute("insert into s.t values (2)")
    trail.writer.execute("reset role")
    trail.superuser.execute("drop owned by other; drop role other; revoke pg_read_all_stats from keeper")

    assert trail.entries(
        "actor, actor_verified, login_role, acting_role, application_name, query_id is not null"
    ) == [
        ("alice", False, "writer", "writer", "shop", True),
        ("alice", False, "writer", "other", "shop", True),
    ]


def test_an_identity_that_was_proved_is_marked(trail: Trail) -> None:
    """Where the design's function proves an identity it is the actor, whatever a setting claims."""
    trail.deployer.execute("create table s.t (id int primary key); create schema access")
    trail.deployer.execute(
        "create function access.current_identity() returns int language sql stable "
        "as $$ select nullif(current_setting('app.proved', true), '')::int $$"
    )
    trail.watch("t")
    assert trail.intent
    intent = dataclasses.replace(trail.intent, identity=Identity(("s", "t"), "id", "int"))
    assert trail.catalog
    for part in audit_parts(intent, trail.catalog):
        trail.deployer.execute(part.apply)
    trail.writer.execute("set app.actor = 'mallory'; insert into s.t values (1)")
    trail.writer.execute("set app.proved = '42'; insert into s.t values (2)")

    assert trail.entries("actor, actor_verified") == [("mallory", False), ("42", True)]


def test_the_trail_is_nobodys_to_change(trail: Trail) -> None:
    """The writer sees nothing of it, the auditor reads, and not even its owner changes an entry."""
    trail.deployer.execute("create table s.t (id int primary key)")
    trail.watch("t")
    trail.writer.execute("insert into s.t values (1)")

    for statement in (
        "select * from audit.log",
        "delete from audit.log",
        "insert into audit.watched values (1, 1, '')",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            trail.writer.execute(statement)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        trail.auditor.execute("delete from audit.log")
    for statement in (
        "delete from audit.log",
        "update audit.log set actor = 'x'",
        "truncate audit.log",
        "truncate audit.log_default",
        "truncate audit.seals cascade",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="append-only"):
            trail.deployer.execute("set role keeper; " + statement)
    assert len(trail.entries()) == 1


def test_a_trail_that_fails_fails_the_statement(trail: Trail) -> None:
    """No change without its entry: where the log refuses, the row is as it was."""
    trail.deployer.execute(
        "create table s.t (id int primary key, a text); create table s.r (like s.t including all)"
    )
    trail.watch("t", by_row=("r",))
    trail.writer.execute("insert into s.t values (1, 'x'); insert into s.r values (1, 'x')")
    trail.superuser.execute("alter table audit.log add constraint never check (action <> 'U') not valid")

    for table in ("t", "r"):
        with pytest.raises(psycopg2.errors.CheckViolation):
            trail.writer.execute(f"update s.{table} set a = 'y'")
        assert trail.writer.execute(f"select a from s.{table}").fetchall() == [("x",)]


def test_settings_of_a_session_hide_no_change(trail: Trail) -> None:
    """A session that prints numbers roughly, or skips ordinary triggers where it may, is logged exactly."""
    trail.deployer.execute("create table s.t (id int primary key, f float8, i interval, b bytea)")
    trail.watch("t")
    trail.writer.execute("insert into s.t values (1, 0.1, '1 day', '\\x01')")

    trail.writer.execute(
        "set extra_float_digits = -15; set datestyle = 'SQL, DMY'; set bytea_output = 'escape'"
    )
    trail.writer.execute("update s.t set f = 0.1 + 1e-12")
    trail.superuser.execute("set session_replication_role = replica; update s.t set i = '2 days'")

    assert trail.entries("old_values")[1:] == [({"f": 0.1},), ({"i": "1 day"},)]


def test_odd_names_types_and_widths(trail: Trail) -> None:
    """Quoted names, enums, domains, arrays, composites, infinity, out-of-line values, 1,600 columns."""
    name = 'Odd "T" <b>\'s %s'
    quoted = '"Odd ""T"" <b>\'s %s"'
    trail.deployer.execute(
        f"""
        create type s.mood as enum ('sad', 'ok');
        create domain s.amount as numeric(10, 2);
        create type s.pair as (x int, y text);
        create table s.{quoted} (
            "The Id" uuid, "k'2" int generated always as identity, m s.mood, d s.amount, p s.pair, a int[][],
            j jsonb, t timestamptz, big text, primary key ("The Id", "k'2")
        );
        """
    )
    trail.deployer.execute(
        "create table s.wide (id int primary key, " + ", ".join(f"c{n} int2" for n in range(1, 1600)) + ")"
    )
    trail.watch(name, "wide")

    trail.writer.execute("insert into s.wide (id, c7) values (1, 7)")
    trail.writer.execute("update s.wide set c7 = 8")
    big = "".join(str(n) for n in range(5000))
    trail.writer.execute(
        f"insert into s.{quoted} values ('00000000-0000-0000-0000-000000000001', default, 'sad', 1.5, (1, "
        f"'a'), '{{{{1,2}},{{3,4}}}}', '{{\"n\": [1.10]}}', 'infinity', '{big}')"
    )
    trail.writer.execute(f"update s.{quoted} set m = 'ok', d = 2")
    trail.writer.execute(f"delete from s.{quoted}")

    *_, updated, deleted = trail.entries("old_values, record_key")
    assert updated[0] == {"m": "sad", "d": 1.5}
    assert deleted[0] == {
        **deleted[1],  # type: ignore[dict-item]
        "m": "ok", "d": 2, "p": {"x": 1, "y": "a"}, "a": [[1, 2], [3, 4]], "j": {"n": [1.1]}, "t": "infinity",
        "big": big,
    }  # fmt: skip
    assert trail.entries("old_values")[1] == ({"c7": 7},)


def test_row_security_hides_no_row_from_the_trail(trail: Trail) -> None:
    """The trigger sees what the statement changed; a policy on the table takes nothing from it."""
    trail.deployer.execute("create table s.t (id int primary key, who text)")
    trail.watch("t")
    trail.deployer.execute(
        "alter table s.t enable row level security; alter table s.t force row level security"
    )
    trail.deployer.execute("create policy p on s.t to writer using (true)")

    trail.writer.execute(
        "insert into s.t values (1, 'a'), (2, 'b'); update s.t set who = 'c'; delete from s.t"
    )

    assert trail.counts() == {"I": 2, "U": 2, "D": 2}


def test_columns_that_come_and_go_are_logged_at_once(trail: Trail) -> None:
    """In a session whose plans are made already, a new column is logged and a dropped one breaks nothing."""
    trail.deployer.execute(
        "create table s.t (id int primary key, a text, b text); create table s.r (like s.t including all)"
    )
    trail.watch("t", by_row=("r",))
    for table in ("t", "r"):
        trail.writer.execute(f"insert into s.{table} values (1, 'a', 'b'); update s.{table} set a = 'x'")
        trail.deployer.execute(
            f"alter table s.{table} add column c text default 'c'; alter table s.{table} drop column a"
        )
        trail.writer.execute(f"update s.{table} set c = 'y', b = 'z'")
        assert trail.entries("old_values")[-1] == ({"b": "b", "c": "c"},)


def test_another_way_of_auditing_takes_the_place_of_the_first(trail: Trail) -> None:
    """From statement to row and back, whole and partitioned: each row is logged once, and no gap is left."""
    trail.deployer.execute(
        "create table s.t (id int primary key); create table s.p (id int primary key) partition by range (id)"
    )
    trail.deployer.execute("create table s.p1 partition of s.p default")
    for by_row, truncate in (((), "rows"), (("t", "p"), "logged"), ((), "refused"), (("t", "p"), "rows")):
        trail.watch("t", "p", by_row=by_row, truncate=truncate)
        assert trail.gaps() == []
        before = len(trail.entries())
        trail.writer.execute(
            "insert into s.t values (1); insert into s.p1 values (1); delete from s.p; delete from s.t"
        )
        assert len(trail.entries()) == before + 4


def test_inheritance_is_audited_by_row(trail: Trail) -> None:
    """A statement trigger would cut a child's rows to the parent's columns, so both have the row trigger."""
    trail.deployer.execute(
        "create table s.p (id int primary key, a text); "
        "create table s.c (b text, primary key (id)) inherits (s.p)"
    )
    trail.watch("p", "c")
    trail.writer.execute("insert into s.p values (1, 'x'); insert into s.c values (2, 'y', 'z')")
    trail.writer.execute("update s.p set a = 'w'; delete from s.p")

    assert trail.entries("table_name, action, old_values")[4:] == [
        ("s.p", "D", {"id": 1, "a": "w"}),
        ("s.c", "D", {"id": 2, "a": "w", "b": "z"}),
    ]


def test_coverage_is_complete_and_undone_without_a_trace(trail: Trail) -> None:
    """Nothing is missing after the design; after its undo no trigger, schema or policy of it is left."""
    trail.deployer.execute("create table s.t (id int primary key); create table s.r (id int primary key)")
    trail.watch("t", by_row=("r",), truncate="rows")
    assert trail.gaps() == []

    for statement in trail.undo:
        trail.deployer.execute(statement)

    left = "select (select count(*) from pg_trigger where not tgisinternal), to_regnamespace('audit'), "
    left += "(select count(*) from pg_policy), has_table_privilege('keeper', 's.t', 'select')"
    assert trail.superuser.execute(left).fetchall() == [(0, None, 0, False)]
    with pytest.raises(BadInput, match="apply the design first"):
        trail.gaps()


def test_every_mutation_is_seen_by_the_registry_and_mended(trail: Trail) -> None:
    """Each way to break a part shows in the registry or in what is logged, and mending leaves no gap."""
    trail.deployer.execute(
        """
        create table s.p (id int primary key, email text) partition by range (id);
        create table s.p1 partition of s.p for values from (0) to (100);
        create table s.r (id int, email text, primary key (id)) partition by range (id);
        create table s.r1 partition of s.r for values from (0) to (100);
        """
    )
    trail.watch("p", by_row=("r",), redacted=("p.email", "r.email"))
    assert trail.intent and trail.catalog
    tried = 0
    for part in audit_parts(trail.intent, trail.catalog):
        for mutation in part.mutations:
            if mutation.by == "superuser" or part.kind == "grant":
                continue  # who owns and who reads the trail is noticed by attacks, not by the registry
            trail.deployer.execute(mutation.break_it)
            assert trail.gaps() != [], (part.object, mutation.name)
            trail.deployer.execute(mutation.mend)
            assert trail.gaps() == [], (part.object, mutation.name)
            tried += 1
    assert tried > 20


def test_drift_is_named_and_repaired(trail: Trail) -> None:
    """A new partition, a condition, another body, a grant: named, and gone after the repair script."""
    trail.deployer.execute("create table s.p (id int primary key, a text) partition by range (id)")
    trail.deployer.execute("create table s.p1 partition of s.p for values from (0) to (100)")
    trail.watch("p")
    trail.deployer.execute("create table s.p2 partition of s.p for values from (100) to (200)")
    trail.deployer.execute(
        "create or replace trigger audit_update after update on s.p referencing old table as old_rows "
        "new table as new_rows for each statement when (current_user <> 'writer') "
        "execute function audit.record_statement('{}', '{}')"
    )
    trail.deployer.execute("alter function audit.record_statement() security invoker")
    trail.deployer.execute("grant insert on audit.log to writer")

    gaps = trail.gaps()
    assert {(gap.relation, gap.part, gap.problem) for gap in gaps} == {
        ("audit", "record_statement", "other rights"),
        ("audit.log", "writer", "may insert"),
        ("s.p", "audit_update", "not always"),
        *(("s.p2", f"audit_{event}", "missing") for event in ("insert", "update", "delete", "truncate")),
    }

    assert trail.intent and trail.catalog
    trail.deployer.execute(repair_script(trail.intent, trail.catalog, gaps))
    assert trail.gaps() == []
    assert repair_script(trail.intent, trail.catalog, []) == ""
