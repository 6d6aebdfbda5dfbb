"""Trials: a change of indexes tried on a copy with data, and what is said of it rests on what was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from workbench.catalog.digest import catalog_digest, data_digest
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.proof.trials import (
    Change,
    IndexTrial,
    NamedIndex,
    StatementTrial,
    Trial,
    TrialDatabase,
    named,
    trial_database,
    try_change,
)
from workbench.proof.trials.database import prepared
from workbench.proof.whatif.model import IndexDefinition, Key
from workbench.proof.workload.model import Statement, StatementKind, Workload
from workbench.source import Options, open_source

BIG = """
create table events (id int primary key, who int not null, kind text not null, at timestamptz not null,
  amount float8 not null, note text not null);
insert into events
select n, n % 2000, case n % 100 when 0 then 'rare' else 'usual' end,
  timestamptz '2024-01-01 00:00+00' + n * interval '1 minute', n / 7.0, repeat('x', 60)
from generate_series(1, 30000) n;
"""


def database(pg: Connection, ddl: str = BIG) -> TrialDatabase:
    pg.execute(ddl)
    return prepared(pg, "rows of the test", "PostgreSQL", settings={"max_parallel_workers_per_gather": "0"})


def reads(name: str, sql: str, *, weight: float = 1.0, values: tuple[str, ...] | None = ()) -> Statement:
    return Statement(name, sql, "select", weight, values)


def writes(name: str, sql: str, kind: StatementKind) -> Statement:
    return Statement(name, sql, kind)


def index(columns: str, *, table: str = "events", include: str = "", where: str = "") -> IndexDefinition:
    return IndexDefinition(
        "public",
        table,
        tuple(Key(each) for each in columns.split()),
        tuple(include.split()),
        where,
    )


def tried(
    db: TrialDatabase,
    statements: Sequence[Statement],
    create: Sequence[IndexDefinition] = (),
    drop: Sequence[str] = (),
    **options: object,
) -> Trial:
    return try_change(db, Workload(statements), Change(named(create), drop), **options)


def of(trial: Trial, name: str) -> StatementTrial:
    return next(each for each in trial.statements if each.name == name)


def about(trial: Trial, name: str) -> IndexTrial:
    return next(each for each in trial.indexes if each.name == f"public.{name}")


BY_WHO = reads("by_who", "select * from events where who = 7")
BY_ID = reads("by_id", "select * from events where id = 7")


def test_an_index_that_serves_is_accepted_with_its_figures(pg: Connection) -> None:
    """The statement is faster by times and buffers, its rows are equal, and its share is measured."""
    trial = tried(database(pg), [BY_WHO, BY_ID], [index("who")])

    statement = of(trial, "by_who")
    assert (statement.outcome, statement.results.outcome, statement.results.rows) == ("faster", "equal", 15)
    assert statement.ratio is not None and statement.ratio.high < 1 and statement.ratio.pairs >= 5
    assert statement.with_change.buffers < statement.without.buffers
    assert statement.with_change.indexes == ("public.events_who_idx",)
    assert of(trial, "by_id").outcome == "same plan"
    accepted = about(trial, "events_who_idx")
    assert accepted.outcome == "accepted" and accepted.used_by == ("by_who",)
    assert accepted.saved_ms > 0 and accepted.build_ms > 0
    assert trial.accepted and trial.relative_time < 1 and trial.size_bytes == accepted.size_bytes > 8192


def test_the_statements_to_take_home_ran_and_the_copy_is_as_it_was(pg: Connection) -> None:
    """CREATE and DROP INDEX CONCURRENTLY ran on the copy, which then has the indexes and rows that it had."""
    db = database(pg)
    before = catalog_digest(pg), data_digest(pg)
    trial = tried(
        db, [BY_WHO, writes("shift", "update events set who = 7 where id < 9", "update")], [index("who")]
    )

    take_home = about(trial, "events_who_idx").take_home
    assert take_home.ran
    assert take_home.do == (
        'create index concurrently "events_who_idx" on "public"."events" using btree ("who")',
    )
    assert take_home.undo == ('drop index concurrently "public"."events_who_idx"',)
    assert (catalog_digest(pg), data_digest(pg)) == before


def test_an_index_that_no_plan_uses_is_rejected(pg: Connection) -> None:
    """Nothing is measured for an index that the planner does not take, and nothing is left of the set."""
    trial = tried(database(pg), [BY_ID], [index("amount")])

    assert about(trial, "events_amount_idx").outcome == "rejected"
    assert "none of the plans of the 1 statements uses it" in about(trial, "events_amount_idx").why
    assert trial.rejected[0].left_out == ("public.events_amount_idx",)
    assert not trial.accepted and trial.size_bytes == 0


TRAPS = """
create table traps (c int, filler text);
insert into traps select (n * 7919) % 20000, repeat('x', 500) from generate_series(1, 20000) n;
"""
BELIEVES_IN_INDEXES = "set random_page_cost = 0.01; set enable_bitmapscan = off; set cpu_index_tuple_cost = 0"
TRAP = reads("trap", "select sum(length(filler)) from traps where c >= 0")


def test_an_index_that_slows_a_query_is_found_out_and_left_out(pg: Connection) -> None:
    """Where a plan with a new index runs longer the index goes, and the others of the set stay.

    The planner is told that pages in no order cost nothing, and fetches the whole table by the index.
    """
    db = database(pg, BIG + TRAPS)
    pg.execute(BELIEVES_IN_INDEXES)
    trial = tried(db, [TRAP, BY_WHO], [index("c", table="traps"), index("who")])

    assert about(trial, "traps_c_idx").outcome == "rejected"
    assert "trap is slower" in about(trial, "traps_c_idx").why
    assert about(trial, "events_who_idx").outcome == "accepted"
    assert trial.slower == () and of(trial, "trap").outcome == "same plan"
    assert [each.name for each in trial.kept.create] == ["events_who_idx"]


def test_an_index_that_slows_one_query_and_is_worth_it_is_kept_and_says_so(pg: Connection) -> None:
    """Where the workload as a whole takes clearly less time with the culprit it stays, with the figures."""
    db = database(pg, TRAPS)
    pg.execute(BELIEVES_IN_INDEXES)
    quick = reads("quick", "select * from traps where c = 77", weight=1000)
    trial = tried(db, [TRAP, quick], [index("c", table="traps")])

    assert about(trial, "traps_c_idx").outcome == "accepted"
    assert about(trial, "traps_c_idx").slower == ("trap",)
    assert trial.accepted and [each.name for each in trial.slower] == ["trap"]
    assert "trap is slower" in trial.why and "which is kept" in trial.why


def test_of_two_indexes_that_do_the_same_the_smaller_stays(pg: Connection) -> None:
    """The wider of two indexes that serve the same statement saves nothing by itself, used first or not."""
    trial = tried(database(pg), [BY_WHO], [index("who"), index("who note")])

    assert about(trial, "events_who_note_idx").outcome == "rejected"
    assert about(trial, "events_who_idx").outcome == "accepted"


def test_equal_results_are_compared_as_multisets_and_in_order(pg: Connection) -> None:
    """Rows in another order are equal, and said not to be in order; a LIMIT without an order is left open."""
    statements = [
        reads("unordered", "select who, id from events where who < 40"),
        reads("ordered", "select id from events where who < 40 order by id"),
        reads("open", "select id, note from events where who < 40 limit 5"),
        reads("floats", "select sum(amount), avg(amount) from events where who < 40"),
    ]
    trial = tried(database(pg), statements, [index("who", include="id amount note")])

    assert of(trial, "unordered").results.outcome == "equal"
    assert of(trial, "unordered").results.in_order is False
    assert of(trial, "ordered").results.in_order is True
    assert of(trial, "open").results.outcome in ("left open", "not compared")
    assert of(trial, "floats").results.outcome in ("equal", "equal to 12 digits")


def test_what_cannot_be_run_is_reported_and_the_rest_goes_on(pg: Connection) -> None:
    """A missing table, a missing value, an error at run time and a time-out are named, each for itself."""
    statements = [
        reads("missing", "select * from nowhere"),
        reads("unknown_value", "select * from events where who = $1", values=None),
        reads("division", "select 1 / (who - 7) from events where who = 7"),
        reads("endless", "select pg_sleep(30) from events where who = 7"),
        reads("with_value", "select * from events where who = $1 and kind <> '$2'", values=("7",)),
    ]
    trial = tried(database(pg), statements, [index("who")], timeout_s=0.5, runs=3)

    missing = of(trial, "missing")
    assert (missing.outcome, missing.why) == ("failed", 'relation "nowhere" does not exist')
    assert of(trial, "unknown_value").outcome == "not tried"
    assert of(trial, "unknown_value").why == "no value is known for its parameter $1"
    assert (of(trial, "division").outcome, of(trial, "division").why) == ("failed", "division by zero")
    assert of(trial, "endless").outcome == "timed out"
    assert of(trial, "with_value").outcome == "faster"
    assert about(trial, "events_who_idx").outcome == "accepted"
    assert any("unknown_value" in each for each in trial.not_tried)


def test_a_statement_that_only_ends_with_the_index_is_faster(pg: Connection) -> None:
    """Where only the side without the index runs into the time-out the gain is told against it."""
    db = database(pg)
    heavy = reads(
        "heavy",
        "select count(*) from events a where a.id <= 6000"
        " and exists (select from events b where b.who = a.who + 5000 and b.kind <> a.note)",
    )
    pg.execute("set enable_hashjoin = off; set enable_mergejoin = off; set enable_material = off")
    trial = tried(db, [heavy], [index("who")], timeout_s=1, runs=3)

    assert of(trial, "heavy").outcome == "faster"
    assert of(trial, "heavy").without.over_ms == 1000
    assert "against more than 1,000 ms without the change" in of(trial, "heavy").why


def test_writes_are_measured_and_undone(pg: Connection) -> None:
    """An update of a column that a new index holds loses its place in the page, and writes more WAL."""
    db = database(pg, BIG.replace("not null);", "not null) with (fillfactor = 40);"))
    before = data_digest(pg)
    moved = writes("moved", "update events set who = who + 1 where id between 1000 and 1500", "update")
    trial = tried(db, [replace(BY_WHO, weight=10_000), moved], [index("who")])

    found = of(trial, "moved")
    assert found.without.changed_rows == found.with_change.changed_rows == 501
    assert found.without.hot_rows > 400 and found.with_change.hot_rows == 0
    assert found.with_change.wal_bytes > found.without.wal_bytes > 0
    assert found.results.outcome == "not compared"
    assert data_digest(pg) == before


def test_writing_is_probed_for_each_table_of_a_new_index(pg: Connection) -> None:
    """Inserting writes more WAL with the index, deleting does not; an update leaves its page."""
    db = database(pg, BIG.replace("not null);", "not null) with (fillfactor = 40);"))
    before = data_digest(pg)
    trial = tried(db, [BY_WHO], [index("who")], probe_rows=500)

    costs = {cost.kind: cost for cost in trial.writes}
    assert set(costs) == {"insert", "delete", "update indexed", "update other"}
    assert all(400 <= cost.rows <= 500 and not cost.why for cost in trial.writes)
    assert costs["insert"].with_wal_bytes > costs["insert"].without_wal_bytes + 20
    assert costs["delete"].with_wal_bytes == costs["delete"].without_wal_bytes
    assert (costs["update indexed"].column, costs["update other"].column) == ("who", "kind")
    assert costs["update indexed"].without_hot > 0.9 and costs["update indexed"].with_hot == 0
    assert costs["update other"].without_hot == costs["update other"].with_hot > 0.9
    assert data_digest(pg) == before


def test_a_table_with_as_many_columns_as_there_can_be_is_tried(pg: Connection) -> None:
    """Rows of 1,600 columns are read and written, fewer of them."""
    columns = ", ".join(f"c{n} int default {n}" for n in range(1_598))
    db = database(
        pg,
        f"create table wide (id int primary key, k int, {columns});"
        "insert into wide (id, k) select n, n % 500 from generate_series(1, 2000) n;",
    )
    by_k = reads("by_k", "select id from wide where k = 7", weight=100)
    trial = tried(db, [by_k], [index("k", table="wide")])

    assert about(trial, "wide_k_idx").outcome == "accepted"
    assert {cost.rows for cost in trial.writes if not cost.why} == {20}
    assert trial.not_tried == ()


def test_an_unused_existing_index_may_be_dropped(pg: Connection) -> None:
    """No measured statement needs it, and the statements to drop it and make it again ran."""
    db = database(pg, BIG + "create index spare on events (amount);")
    trial = tried(db, [BY_WHO, BY_ID], drop=["public.spare"])

    dropped = about(trial, "spare")
    assert (dropped.outcome, dropped.action, dropped.take_home.ran) == ("accepted", "drop", True)
    assert dropped.take_home.undo == (
        "CREATE INDEX CONCURRENTLY spare ON public.events USING btree (amount)",
    )
    assert trial.accepted and trial.kept.drop == ("public.spare",)
    assert [each.name for each in reflect(pg).table("public", "events").indexes] == ["events_pkey", "spare"]


def test_an_existing_index_that_a_query_needs_is_kept(pg: Connection) -> None:
    """Without it the query is slower, and the drop is rejected with the figures."""
    db = database(pg, BIG + "create index used on events (who);")
    trial = tried(db, [BY_WHO], drop=["public.used"])

    assert about(trial, "used").outcome == "rejected"
    assert "by_who is slower" in about(trial, "used").why
    assert not trial.accepted


def test_an_index_that_is_needed_besides_plans_is_not_dropped(pg: Connection) -> None:
    """Keys, replica identity, clustering, uniqueness and a foreign key's look-up speak against a drop."""
    db = database(
        pg,
        """
        create table parents (id int primary key, code int not null);
        create table children (id int primary key, p int references parents, q int, r int not null, s int);
        create index by_parent on children (p, q);
        create unique index only_once on children (q);
        create unique index identity_ on children (r);
        alter table children replica identity using index identity_;
        create index ordered on children (s);
        cluster children using ordered;
        create index free on children (s, q);
        """,
    )
    names = ["parents_pkey", "by_parent", "only_once", "identity_", "ordered", "free"]
    trial = tried(db, [reads("one", "select 1 from children")], drop=[f"public.{name}" for name in names])
    why = {name: about(trial, name).why for name in names}

    assert "the index of the constraint parents_pkey" in why["parents_pkey"]
    assert "children_p_fkey" in why["parents_pkey"] and "refers to its columns" in why["parents_pkey"]
    assert "finds the rows of the foreign key children_p_fkey" in why["by_parent"]
    assert "it is unique" in why["only_once"]
    assert "replica identity" in why["identity_"]
    assert "clustered" in why["ordered"]
    assert about(trial, "free").outcome == "accepted"


def test_a_new_index_can_take_over_a_foreign_keys_look_up(pg: Connection) -> None:
    """Where an accepted index begins with the key the old one may go, and not where it is rejected."""
    ddl = """
    create table parents (id int primary key);
    create table children (id int primary key, p int not null references parents, q int, note text);
    insert into parents select n from generate_series(1, 500) n;
    insert into children select n, n % 500 + 1, n, repeat('x', 100) from generate_series(1, 30000) n;
    create index by_parent on children (p);
    """
    db = database(pg, ddl)
    covered = reads("covered", "select q from children where p between 3 and 40")
    wider = index("p q", table="children")
    trial = tried(db, [covered], [wider], ["public.by_parent"])
    unused = tried(db, [reads("one", "select 1")], [wider], ["public.by_parent"])

    assert about(trial, "children_p_q_idx").outcome == "accepted"
    assert about(trial, "by_parent").outcome == "accepted"
    assert about(unused, "by_parent").outcome == "rejected"
    assert "children_p_fkey" in about(unused, "by_parent").why


def test_a_partitioned_table_gets_the_recipe_that_does_not_block(pg: Connection) -> None:
    """The index is made on the parent alone, on each partition concurrently, and attached."""
    db = database(
        pg,
        """
        create table logs (id int not null, at date not null, who int not null) partition by range (at);
        create table logs_1 partition of logs for values from ('2024-01-01') to ('2024-07-01');
        create table logs_2 partition of logs for values from ('2024-07-01') to ('2025-01-01')
          partition by list (who);
        create table logs_2_a partition of logs_2 for values in (1, 2, 3);
        create table "logs 2 'b'" partition of logs_2 default;
        insert into logs select n, date '2024-01-01' + n % 366, n % 5000 from generate_series(1, 50000) n;
        """,
    )
    trial = tried(db, [reads("who", "select * from logs where who = 77")], [index("who", table="logs")])

    found = about(trial, "logs_who_idx")
    assert (found.outcome, found.used_by, found.take_home.ran) == ("accepted", ("who",), True)
    assert found.size_bytes > 100_000
    assert found.take_home.do[0] == 'create index "logs_who_idx" on only "public"."logs" using btree ("who")'
    assert sum("create index concurrently" in each for each in found.take_home.do) == 3
    assert sum("attach partition" in each for each in found.take_home.do) == 4
    assert any("CONCURRENTLY cannot be used on a partitioned table" in note for note in found.take_home.notes)
    assert [cost.table for cost in trial.writes][:1] == ["public.\"logs 2 'b'\""] or trial.writes


def test_an_index_that_cannot_be_built_leaves_nothing(pg: Connection) -> None:
    """A definition that the engine refuses is rejected with its words, a name or an expression alike."""
    db = database(pg)
    bad = IndexDefinition("public", "events", (Key("now() - at", is_expression=True),))
    trial = tried(db, [BY_WHO], [index("who"), index("nothing"), bad])

    assert about(trial, "events_nothing_idx").why == 'it cannot be built: column "nothing" does not exist'
    assert "IMMUTABLE" in about(trial, "events_now_at_idx").why
    assert about(trial, "events_who_idx").outcome == "accepted"
    assert len(reflect(pg).table("public", "events").indexes) == 1


def test_partial_and_expression_indexes_with_odd_names_are_tried(pg: Connection) -> None:
    """Quotes, capitals, per cent signs and braces in names and texts reach the engine as they are."""
    db = database(
        pg,
        """
        create schema "S %s";
        create table "S %s"."T""{}" ("Col %s" int, "b{0}" text);
        insert into "S %s"."T""{}" select n, 'V%' || n from generate_series(1, 50000) n;
        """,
    )
    table = 'T"{}'
    definitions = [
        IndexDefinition("S %s", table, (Key('lower("b{0}")', is_expression=True),)),
        IndexDefinition("S %s", table, (Key("Col %s"),), predicate="\"b{0}\" like 'V%9'"),
    ]
    statements = [
        reads("expression", 'select * from "S %s"."T""{}" where lower("b{0}") = \'v%77\''),
        reads("partial", 'select * from "S %s"."T""{}" where "Col %s" < 99 and "b{0}" like \'V%9\''),
    ]
    trial = tried(db, statements, definitions)

    assert [each.outcome for each in trial.indexes] == ["accepted", "accepted"]
    assert any(each.startswith("analyze ") for each in trial.indexes[0].take_home.do)


def test_names_are_readable_unique_and_fit() -> None:
    """The same definitions get the same names, none longer than 63 bytes, taken or used twice."""
    long = IndexDefinition("public", "t" * 40, (Key("ä" * 30), Key("b" * 30)))
    definitions = [index("who"), index("who", include="note"), long, replace(long, included=("c",))]
    found = named(definitions, {("public", "events_who_idx")})

    names = [each.name for each in found]
    assert len(set(names)) == 4 and all(len(name.encode()) <= 63 for name in names)
    assert all(name.startswith(("events_who", "t" * 40)) for name in names)
    assert "events_who_idx" not in names
    assert named(definitions, {("public", "events_who_idx")}) == found
    assert named([index("who")])[0].name == "events_who_idx"


def test_what_cannot_be_asked_is_refused_in_one_line(pg: Connection) -> None:
    """A missing index to drop, a name that is taken, too long or twice there, and no time are bad input."""
    db = database(pg)
    who = index("who")
    wrong = [
        (Change(drop=["public.none"]), "there is no index public.none"),
        (Change([NamedIndex("events_pkey", who)]), "public.events_pkey is there already"),
        (Change([NamedIndex("x" * 64, who)]), "1 to 63 bytes"),
        (Change([NamedIndex("x", who), NamedIndex("x", who)]), "created twice"),
        (Change(drop=["public.events_pkey", "events_pkey"]), "dropped twice"),
    ]
    for change, message in wrong:
        with pytest.raises(BadInput, match=message):
            try_change(db, Workload([BY_WHO]), change)
    with pytest.raises(BadInput, match="at least one run"):
        try_change(db, Workload([BY_WHO]), Change(), limit_s=0)


def test_nothing_to_try_says_so(pg: Connection) -> None:
    """An empty change, and an empty workload, give a trial that recommends nothing."""
    db = database(pg)

    assert not tried(db, [BY_WHO]).accepted
    empty = tried(db, [], [index("who")])
    assert (empty.accepted, empty.relative_time, empty.statements) == (False, None, ())


def test_the_limit_ends_the_measuring_and_what_is_left_is_named(pg: Connection) -> None:
    """With no time left statements are not tried, nothing is claimed of them, and the copy is restored."""
    db = database(pg)
    trial = tried(db, [BY_WHO, BY_ID], [index("who")], limit_s=0.000001)

    assert {each.outcome for each in trial.statements} == {"not tried"}
    assert about(trial, "events_who_idx").outcome == "not judged"
    assert not trial.accepted and any("limit" in each for each in trial.not_tried)
    assert len(reflect(pg).table("public", "events").indexes) == 1


def test_the_own_rows_of_the_example_are_tried_on(server: Server) -> None:
    """The example's copy has rows, and a role without rights can do the same for a script."""
    with open_source("ecommerce", server, Options(scale=0.01)) as opened, trial_database(opened) as db:
        found = tried(
            db,
            [
                reads(
                    "failed", "select * from shop.orders where payment_status = 'failed' order by created_at"
                )
            ],
            [IndexDefinition("shop", "orders", (Key("payment_status"), Key("created_at")))],
        )
        with pytest.raises(BadInput, match="has its rows already"), trial_database(opened, "copied"):
            pass
        with pytest.raises(BadInput, match="has rows of its own"), trial_database(opened, "generated"):
            pass

    assert found.rows_from == "the source's own rows" and "18" in found.engine
    assert found.settings["jit"] == "off" and found.settings["work_mem"]
    assert of(found, "failed").outcome == "faster"


def test_a_script_without_rows_is_filled_and_tried_on(server: Server, tmp_path) -> None:
    """A file's empty tables are filled, and its copy belongs to a role without rights, which is enough."""
    path = tmp_path / "shop.sql"
    path.write_text(
        "create table customers (id serial primary key, city text not null);"
        "create table orders (id serial primary key, customer int not null references customers,"
        " state text not null check (state in ('open', 'paid', 'sent')));"
    )
    with (
        open_source(str(path), server) as opened,
        trial_database(opened, "generated", rows_each=30_000) as db,
    ):
        found = tried(
            db,
            [reads("of_customer", "select * from orders where customer = 5")],
            [index("customer", table="orders")],
        )

    assert "rows made with seed 1: 2 of 2 tables have rows, 45,000 in all" in found.rows_from
    assert of(found, "of_customer").outcome == "faster"
    assert {cost.kind for cost in found.writes if not cost.why} >= {"insert", "delete"}


def test_a_named_databases_rows_are_copied_when_allowed_alone(server: Server, database: str) -> None:
    """By default its rows stay where they are; with "copied" they are tried on, and it is only read."""
    with server.session(database) as conn:
        conn.execute(BIG + "analyze;")
        with open_source(server.url(database), server) as opened:
            with pytest.raises(BadInput, match="not copied unasked"), trial_database(opened):
                pass
            before = data_digest(conn), catalog_digest(conn)
            with trial_database(opened, "copied", settings={"work_mem": "8MB"}) as db:
                found = tried(db, [BY_WHO], [index("who")])
            with trial_database(opened, "generated", scale=0.1) as db:
                (rows,) = db.connection.execute("select count(*) from events").fetchone()
            assert (data_digest(conn), catalog_digest(conn)) == before

    assert "rows copied from the source: 30,000" in found.rows_from
    assert found.settings["work_mem"] == "8MB"
    assert about(found, "events_who_idx").outcome == "accepted"
    assert rows == 3_000
