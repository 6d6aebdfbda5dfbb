"""The optimization commands as a user runs them: what they print, refuse, leave alone and leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from workbench.areas.optimization import (
    advise_indexes,
    drop_rows,
    kept_take_home,
    prove_indexes,
    workload_of,
)
from workbench.areas.optimization.sizes import bytes_of
from workbench.catalog.digest import activity_counters, catalog_digest, data_digest
from workbench.engines.mongo import Document, MongoServer
from workbench.engines.postgres import Server, installed_binaries, private_cluster
from workbench.errors import BadInput
from workbench.proof.trials import Trial
from workbench.source import Options, open_source

ODD = """o'd <b>"x" 50%\N{ELEPHANT}\x1b[31m"""
SHOP = """
create table customers (customer_id int primary key, name text not null, country text);
create table orders (
    order_id int primary key,
    customer_id int not null references customers,
    status text not null,
    placed timestamptz not null,
    note text
);
insert into customers
select g, 'name ' || g, (array['de', 'us', 'fr', 'jp'])[1 + g % 4] from generate_series(1::int, 2000::int) g;
insert into orders
select
    g,
    1 + (g * 7919) % 2000,
    (array['new', 'paid', 'done', 'done', 'done'])[1 + g % 5],
    timestamptz '2026-01-01' + g * interval '10 minutes',
    repeat('x', g % 80)
from generate_series(1::int, 30000::int) g;
create index orders_status_idx on orders (status);
create index orders_status_idx2 on orders (status);
"""
WORKLOAD = """
-- name: of_customer
-- weight: 100
select * from orders where customer_id = 711;
-- name: latest
select order_id from orders where placed >= timestamptz '2026-05-01' order by placed desc limit 10;
-- name: pay
update orders set status = 'paid' where order_id = 17;
-- name: wrong
selec 1;
-- name: elsewhere
select * from nowhere;
"""
AT_ONCE = 3


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, its stdout and its stderr."""

    status: int
    said: str
    complained: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON that any reader takes: it has no NaN."""
        assert self.status == 0, self.complained
        return json.loads(self.said, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@dataclass
class Cli:
    """Runs the command line in *folder*, and requires that nothing is left of it on the engine."""

    folder: Path
    server: Server

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder / "tmp"), "COLUMNS": "160", **variables},
            start_new_session=True,
        )

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        run = self.start("optimization", *arguments, **variables)
        said, complained = run.communicate(timeout=240)
        assert self.left(run.pid) == []
        return Ended(run.returncode, said, complained)

    def left(self, pid: int) -> list[str]:
        """The databases of the process on the shared engine."""
        with self.server.session() as conn:
            rows = conn.execute(
                "select datname from pg_catalog.pg_database where datname like %s", [f"wb\\_%\\_{pid}\\_%"]
            )
            return [name for (name,) in rows.fetchall()]

    def each(self, calls: Sequence[Sequence[str]]) -> list[Ended]:
        """Several calls at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda call: self(*call), calls))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> Iterator[Cli]:
    (tmp_path / "shop.sql").write_text(SHOP)
    (tmp_path / "work.sql").write_text(WORKLOAD)
    yield Cli(tmp_path, server)
    assert list((tmp_path / "tmp").glob("*")) == []


@pytest.fixture(scope="module")
def live() -> Iterator[Server]:
    """Somebody's server: a shop whose statements are counted, one who may only read, and a stranger."""
    with private_cluster() as (server, _), server.session("postgres") as conn:
        conn.execute("create database shop")
        conn.execute("create database without_tables")
        with server.session("shop") as shop:
            shop.execute("create extension pg_stat_statements")
            shop.execute(SHOP)
            shop.execute("create role reader login")
            shop.execute("create role stranger login")
            shop.execute("grant select on all tables in schema public to reader")
            shop.execute("vacuum analyze")
            for number in range(20):
                shop.execute("select * from orders where customer_id = %s", [number])
        yield server


def refusal(ended: Ended, says: str, status: int = 2) -> None:
    """The call printed nothing but one line of complaint, which has *says*."""
    assert ended.status == status, ended
    assert ended.said == ""
    (line,) = ended.complained.splitlines()
    assert line.startswith("workbench: ") and says in line, line


# What is printed


def test_the_advice_as_json_has_statements_bytes_shares_bound_and_proof(cli: Cli) -> None:
    """Each index has its DDL, bytes and share; the whole its cost, bound, calls and time; all is proved."""
    found = cli(
        *("indexes", "--source", "shop.sql", "--workload", "work.sql", "--budget", "1MB", "--json")
    ).json

    (index,) = [each for each in found["indexes"] if each["statements"] == ["of_customer"]]
    assert index["create"][-1].startswith(
        'create index concurrently "orders_customer_id_idx" on "public"."orders"'
    )
    assert index["drop"] == ['drop index concurrently "public"."orders_customer_id_idx"']
    assert index["bytes"] > 0 and 0 < index["share"] <= 1
    assert index["proof"]["outcome"] == "accepted" and index["proof"]["bytes"] == pytest.approx(
        index["bytes"], rel=0.1
    )
    assert sum(each["share"] for each in found["indexes"]) == pytest.approx(1)
    assert sum(each["bytes"] for each in found["indexes"]) == found["size_bytes"] <= found["budget_bytes"]
    assert found["budget_bytes"] == 1_000_000
    assert 0 < found["bound"] <= found["relative_cost"] < 1
    assert found["whatif_calls"] > 0 and found["elapsed_s"] > 0
    assert all(each["index"] and each["bytes"] > 0 and each["reason"] for each in found["rejected"])
    assert [(each["name"], each["where"]) for each in found["workload"]["unread"]] == [
        ("work:4", "work.sql:10"),
        ("elsewhere", "work.sql:12"),
    ]
    assert {each["statement"] for each in found["statements"]} == {"of_customer", "latest", "pay"}
    assert found["trial"]["accepted"] is True
    outcomes = {each["statement"]: each["outcome"] for each in found["trial"]["statements"]}
    assert outcomes["of_customer"] == "faster"
    (duplicate,) = [each for each in found["drop"] if each["kind"] == "duplicate"]
    assert duplicate["index"] == "public.orders_status_idx2"
    assert "orders_status_idx2" in duplicate["drop"][-1] and duplicate["bytes"] > 0


def test_the_advice_for_people_fits_a_terminal_and_takes_home_what_stood_the_trial(cli: Cli) -> None:
    """At 80 columns nothing is cut into letters; behind the tables are the statements that were accepted."""
    ended = cli("indexes", "--source", "shop.sql", "--workload", "work.sql", COLUMNS="80")

    assert ended.status == 0 and ended.complained == "", "progress is for a terminal alone"
    tables = [line for line in ended.said.splitlines() if line[:1] in "┃│"]
    assert tables and all(len(line) <= 80 for line in tables)
    assert "│ public.orders (customer_id)" in ended.said
    assert "not read: work.sql:10 work:4: syntax error" in ended.said
    home = ended.said.partition("To take home")[2]
    assert 'create index concurrently "orders_customer_id_idx"' in home
    assert '-- drop index concurrently "public"."orders_customer_id_idx";' in home
    assert 'drop index concurrently "public"."orders_status_idx2";' in home


def test_where_no_index_helps_the_command_says_so_and_why(cli: Cli) -> None:
    """A look-up by the key needs nothing: no table of indexes, a sentence; likewise without a budget."""
    (cli.folder / "keys.sql").write_text("select * from orders where order_id = 1;")

    nothing, no_room = cli.each(
        [
            ("indexes", "--source", "shop.sql", "--workload", "keys.sql", "--rows", "none"),
            ("indexes", "--source", "shop.sql", "--workload", "work.sql", "--budget", "0", "--rows", "none"),
        ]
    )

    for ended in (nothing, no_room):
        assert ended.status == 0, ended.complained
        assert "no index is advised: " in ended.said
        assert "create index" not in ended.said
    assert "fits in 0 B" in no_room.said


def test_slow_statements_and_structure_print_tables_and_json(cli: Cli) -> None:
    """Both say the same to people and to programs; what could not be read is listed."""
    source = ("--source", "shop.sql", "--workload", "work.sql")
    slow, slow_json, structure, structure_json = cli.each(
        [
            ("slow", *source),
            ("slow", *source, "--json"),
            ("structure", *source),
            ("structure", *source, "--json"),
        ]
    )

    assert "of_customer" in slow.said and "not read: work.sql:10 work:4" in slow.said
    first = slow_json.json["statements"][0]
    assert first["statement"] == "of_customer" and first["plan"]["Node Type"] and first["sql"]
    assert [each["name"] for each in slow_json.json["workload"]["unread"]] == ["work:4", "elsewhere"]
    assert "public.orders" in structure.said
    assert {each["table"] for each in structure_json.json["tables"]} == {"public.orders", "public.customers"}


def test_odd_names_reach_no_terminal_and_survive_in_json(cli: Cli) -> None:
    """Quotes, HTML and an escape in names of schema, table and column: quoted in DDL, printed harmless."""
    name = '"' + ODD.replace('"', '""') + '"'
    (cli.folder / "odd.sql").write_text(
        f"create schema {name}; create table {name}.{name} (id int primary key, {name} int);"
        f"insert into {name}.{name} select g, g % 900 from generate_series(1, 20000) g;"
    )
    (cli.folder / "odd-work.sql").write_text(f"select id from {name}.{name} where {name} = 3;")
    call = ("indexes", "--source", "odd.sql", "--workload", "odd-work.sql")

    people, programs = cli.each([call, (*call, "--json")])

    assert people.status == 0 and "\x1b" not in people.said
    (index,) = programs.json["indexes"]
    assert f"on {name}.{name}" in index["create"][-1]
    assert index["proof"]["outcome"] == "accepted"


# Bad input


def test_bad_input_is_one_line_before_anything_is_done(cli: Cli, live: Server) -> None:
    """What, where, what to do, and status 2: for workloads, budgets, times, rows, settings, sources."""
    (cli.folder / "without.sql").write_text("create view v as select 1;")
    shop = live.url("shop")
    own = ("indexes", "--source", "shop.sql")
    cases: list[tuple[tuple[str, ...], str]] = [
        ((*own, "--workload", "nofile.sql"), "nofile.sql: there is no such file"),
        ((*own, "--workload", "statistics"), "no server has counted its use"),
        (("indexes", "--source", "without.sql"), "has no statement to advise on: name one with --workload"),
        ((*own, "--budget", "5XB"), "a budget of '5XB' cannot be read: write 500MB"),
        ((*own, "--prove-limit", "nan"), "--prove-limit nan: give more than 0 seconds"),
        ((*own, "--rows", "copied"), "shop.sql has its rows already: --rows own"),
        ((*own, "--set", "work_mem"), "write --set work_mem=64MB"),
        (("indexes", "--source", shop, "--rows", "own"), "a named database, which is only read"),
        (("indexes", "--source", live.url("shop", user="stranger")), "may not read"),
        (("slow", "--source", "postgresql://nobody@127.0.0.1:1/shop"), "is the server up"),
        (("indexes", "--source", "mongodb://127.0.0.1:1/shop"), "run workbench optimization operations"),
        (("operations", "--source", shop), "holds tables: run workbench optimization indexes"),
    ]

    for ended, (_, says) in zip(cli.each([call for call, _ in cases]), cases, strict=True):
        refusal(ended, says)


def test_a_workload_that_cannot_be_read_and_limits_that_cannot_be_are_refused(
    server: Server, tmp_path: Path
) -> None:
    """Empty, binary, without one statement that parses; a deadline, volume or setting that makes no sense."""
    (tmp_path / "shop.sql").write_text(SHOP)
    (tmp_path / "good.sql").write_text("select 1 from orders;")
    (tmp_path / "empty.sql").write_text("")
    (tmp_path / "binary.sql").write_bytes(bytes(range(128, 256)))
    (tmp_path / "none.sql").write_text("selec 1; select * from nowhere;")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("empty.sql", {}, "empty.sql holds no statement"),
        ("binary.sql", {}, "binary.sql is not UTF-8"),
        ("none.sql", {}, 'none.sql:1: syntax error .* relation "nowhere" does not exist'),
        ("good.sql", {"budget": "-1"}, "a budget of '-1' cannot be read"),
        ("good.sql", {"deadline_s": 0}, "a deadline of 0 s cannot be: give more than 0"),
        ("good.sql", {"volume": 0}, "a volume of 0 times the rows cannot be"),
        ("good.sql", {"sample_rows": -1}, "a sample of -1 rows cannot be"),
        ("good.sql", {"settings": {"nosuch": "1"}}, 'unrecognized configuration parameter "nosuch"'),
        ("good.sql", {"settings": {"work_mem": "lots"}}, 'invalid value for parameter "work_mem"'),
        ("good.sql", {"settings": {"shared_buffers": "1GB"}}, "cannot be changed without restarting"),
    ]
    with open_source(str(tmp_path / "shop.sql"), server) as opened:
        for workload, options, says in cases:
            with pytest.raises(BadInput, match=says):
                advise_indexes(opened, workload_of(opened, str(tmp_path / workload)), **options)


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500_000_000), (" 2 GiB ", 2**31), ("1.5kB", 1500), ("1000", 1000), ("25%", 50), ("200%", 400)],
)
def test_a_budget_is_read_in_all_its_forms(text: str, size: int) -> None:
    """Units of 10^3 and of 2^10, plain bytes, and a part of the whole."""
    assert bytes_of(text, whole=200) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "5XB", "1e9", "nan", "5 %%"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    """The line says how one is written."""
    with pytest.raises(BadInput, match="write 500MB"):
        bytes_of(text, whole=200)


# A named database


def test_a_named_database_is_only_read(cli: Cli, live: Server) -> None:
    """Structure, rows and activity are the same after each command, even where its rows were copied."""
    (cli.folder / "writes.sql").write_text(
        "delete from orders where order_id = 3; update customers set name = 'x'; drop table orders;"
        "select * from orders where customer_id = 7; select pg_catalog.pg_sleep(60);"
    )
    source = ("--source", live.url("shop"))

    def state() -> Any:
        with live.session("shop") as conn:
            return catalog_digest(conn), data_digest(conn), activity_counters(conn)

    before = state()
    ended = cli.each(
        [
            ("indexes", *source, "--rows", "none", "--json"),
            ("indexes", *source, "--rows", "copied", "--json"),
            ("slow", *source, "--workload", "writes.sql", "--execute", "--timeout", "1", "--json"),
            ("structure", *source, "--json"),
        ]
    )
    planned, proved, slow, structure = (each.json for each in ended)

    assert state() == before
    assert planned["trial"] is None and planned["indexes"][0]["proof"] is None
    assert proved["trial"]["accepted"] and "copied" in proved["trial"]["rows"]
    outcomes = {each["sql"]: each["outcome"] for each in slow["statements"]}
    assert outcomes["select pg_catalog.pg_sleep(60)"] == "timed out"
    assert outcomes["delete from orders where order_id = 3"] == "planned"
    assert [each["name"] for each in slow["workload"]["unread"]] == ["writes:3"]
    assert structure["tables"]


def test_the_report_reads_a_named_database_and_writes_what_it_found(cli: Cli, live: Server) -> None:
    """The page is there, each index says that it was not tried, and the database is as before."""

    def state() -> Any:
        with live.session("shop") as conn:
            return catalog_digest(conn), data_digest(conn), activity_counters(conn)

    before = state()
    run = cli.start("report", "--only", "optimization", "--source", live.url("shop"), "--out", "out")
    _, complained = run.communicate(timeout=240)

    assert run.returncode == 0, complained
    assert state() == before and cli.left(run.pid) == []
    found = json.loads((cli.folder / "out" / "findings.json").read_text())
    missing = [each for each in found if each["check"] == "missing_index"]
    assert missing and all(not each["verified"] and each["unverified_because"] for each in missing)
    page = (cli.folder / "out" / "04_optimization.html").read_text()
    assert "which is only read, and nobody allowed a copy of its rows" in page


def test_a_role_that_may_only_select_gets_advice_and_hears_what_it_lacks(cli: Cli, live: Server) -> None:
    """Its statements are others' and not shown: the keys make a workload, and the grant is named."""
    found = cli("indexes", "--source", live.url("shop", user="reader"), "--json").json

    assert found["workload"]["origin"] == "assumed from keys and foreign keys"
    assert any("grant pg_read_all_stats to reader" in note for note in found["workload"]["notes"])
    assert "public.orders" in [each["table"] for each in found["indexes"]]


def test_a_table_that_is_locked_is_named_after_a_short_wait(cli: Cli, live: Server) -> None:
    """Somebody holds it for himself: one line with the table and the process, not a wait without end."""
    with live.session("shop") as holder:
        process = holder.info.backend_pid
        holder.execute("begin")
        holder.execute("lock table orders in access exclusive mode")
        ended = cli("indexes", "--source", live.url("shop"), "--rows", "copied")
        holder.execute("rollback")

    refusal(ended, f"a lock that another session holds: public.orders (process {process})")


@pytest.mark.skipif(
    not [each for each in installed_binaries() if 13 <= each.major < 18], reason="no older PostgreSQL is here"
)
def test_of_an_older_server_the_advice_says_whose_plans_these_are(cli: Cli) -> None:
    """The clone is of our version: another planner may choose other plans."""
    older = next(each for each in installed_binaries() if 13 <= each.major < 18)
    with private_cluster(binaries=older) as (server, _), server.session("postgres") as conn:
        conn.execute(SHOP)
        conn.execute("vacuum analyze")

        ended = cli("indexes", "--source", server.url("postgres"), "--workload", "work.sql", "--rows", "none")

    assert f"the source is PostgreSQL {older.major}." in ended.said


# Collections


def test_operations_on_collections_are_advised_from_the_profiler(
    cli: Cli, mongo: Database[Document], mongo_server: MongoServer
) -> None:
    """With what was recorded, an index that was tried; without, one line that says what to switch on."""
    mongo.orders.insert_many([{"_id": n, "customer": n % 500, "placed": n} for n in range(5_000)])
    source = ("operations", "--source", mongo_server.url(mongo.name))
    refusal(cli(*source), "db.setProfilingLevel(1", status=1)
    mongo.command("profile", 2)
    for number in range(5):
        list(mongo.orders.find({"customer": number}).sort("placed", -1).limit(3))
    mongo.command("profile", 0)

    people, programs = cli.each([source, (*source, "--json")])

    assert people.status == 0, people.complained
    assert 'createIndex({"customer": 1, "placed": -1})' in people.said
    (index,) = programs.json["indexes"]
    assert 'createIndex({"customer": 1, "placed": -1})' in index["ddl"] and index["undo"]


# Ctrl-C


@pytest.mark.parametrize("phase", ["while the clone plans", "while the copy is measured"])
def test_an_interrupt_leaves_nothing(cli: Cli, live: Server, phase: str) -> None:
    """One line, status 130; no private cluster, no scratch database, no process is left."""
    lines = (f"select count(*) from orders o, customers c where o.customer_id = {n};" for n in range(300))
    (cli.folder / "long.sql").write_text("select * from orders where customer_id = 4;\n" + "\n".join(lines))
    rows = "none" if phase == "while the clone plans" else "copied"
    run = cli.start(
        *("optimization", "indexes", "--source", live.url("shop"), "--workload", "long.sql"),
        *("--rows", rows, "--sample-rows", "0"),
    )
    deadline = time.monotonic() + 90
    while not (postmasters(run.pid) if rows == "none" else cli.left(run.pid)):
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()
        time.sleep(0.02)
    clones = postmasters(run.pid)
    os.killpg(run.pid, signal.SIGINT)
    said, complained = run.communicate(timeout=60)

    assert run.returncode == 130, complained
    assert said == "" and complained.strip() == "workbench: interrupted: nothing half-done is left behind"
    assert cli.left(run.pid) == []
    deadline = time.monotonic() + 15  # the keeper removes it, once its last user has left
    while left := [each for each in clones if each.exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


def postmasters(pid: int) -> list[Path]:
    """The folders of private clusters that the process *pid* holds open."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir() if Path(f"/proc/{pid}/fd").exists() else ():
        try:
            target = each.resolve()
        except OSError:
            continue
        found += [part for part in (target, *target.parents) if part.name.startswith("private-")]
    return found


def test_what_a_trial_rejects_is_not_taken_home_nor_are_drops_that_need_it(server: Server) -> None:
    """With an index of the example's advice rejected its statement and the drops that rest on it are gone."""
    with open_source("ecommerce", server, Options(scale=0.01)) as opened:
        advised = advise_indexes(opened, workload_of(opened), sample_rows=0)
        trial = prove_indexes(opened, advised, runs=3, limit_s=30)
    assert trial is not None
    accepted = replace(
        trial, accepted=True, indexes=tuple(replace(each, outcome="accepted") for each in trial.indexes)
    )
    rejected = replace(accepted, indexes=tuple(replace(each, outcome="rejected") for each in trial.indexes))
    resting = {each.index.qualified for each in advised.advice.droppable if each.needs_new}

    def dropped(trial: Trial | None) -> set[str]:
        return {row["index"] for row in drop_rows(advised, trial)}

    assert resting and resting <= dropped(None) and resting <= dropped(accepted)
    assert dropped(rejected) == dropped(None) - resting
    assert [each.do for each in kept_take_home(advised, accepted)][: len(advised.indexes)] == [
        each.do for each in advised.take_home
    ]
    assert kept_take_home(advised, rejected) == []
    assert kept_take_home(advised, replace(accepted, accepted=False)) == []
