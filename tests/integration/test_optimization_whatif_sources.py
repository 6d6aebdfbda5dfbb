"""The clone of a source that shows little, of an older one, of one that has grown: what is lost is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from workbench.engines.postgres import (
    Connection,
    Server,
    default_binaries,
    installed_binaries,
    private_cluster,
)
from workbench.errors import BadInput
from workbench.proof.whatif import IndexDefinition, Key, StatisticsClone, statistics_clone
from workbench.proof.whatif.files import PAGE, SEGMENT_PAGES

STRUCTURE = """
create schema "Odd ""S";
create table "Odd ""S"."T 1" (gone int, a int, b int, c text);
alter table "Odd ""S"."T 1" drop column gone;
insert into "Odd ""S"."T 1" select i % 10, i % 20, (i % 20)::text from generate_series(1, 10000) i;
create statistics "Odd ""S"."s""t" on a, b, c from "Odd ""S"."T 1";
create table never (a int, b text);
create table empty (a int primary key);
create table secret (a int, b text);
insert into secret select i % 5, i::text from generate_series(1, 5000) i;
create view shown as select * from secret;
create table guarded (a int);
insert into guarded select i % 3 from generate_series(1, 3000) i;
alter table guarded enable row level security;
create policy seen on guarded using (a = 1);
create materialized view counts as select a, count(*) as n from "Odd ""S"."T 1" group by a;
create table parent (id int, a int);
create table child () inherits (parent);
insert into parent select i, i % 3 from generate_series(1, 500) i;
insert into child select i, i % 7 from generate_series(1, 5000) i;
analyze;
insert into never select i, 'x' from generate_series(1, 1000) i;
"""
QUERIES = (
    """select * from "Odd ""S"."T 1" where a = 3 and b = 13""",
    """select * from "Odd ""S"."T 1" where a = 3 and b = 13 and c = '13'""",
    """select a, b, c, count(*) from "Odd ""S"."T 1" group by 1, 2, 3""",
    "select * from never where a = 5",
    "select * from empty where a = 3",
    "select * from counts where n > 10",
    "select * from parent where a = 2",
)


def older_programs() -> list[int]:
    """Places in the list of installed servers; none where there is no other version."""
    own = default_binaries().major
    return [number for number, each in enumerate(installed_binaries()) if 13 <= each.major < own]


@pytest.fixture(scope="module", params=["own", "older"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A cluster of our version, and one of an older version where there is one."""
    found = older_programs()
    if request.param == "older" and not found:
        pytest.skip("no PostgreSQL from 13 to 17 is installed here")
    binaries = installed_binaries()[found[0]] if request.param == "older" else None
    with private_cluster(binaries=binaries) as (private, _), private.session() as conn:
        conn.execute(STRUCTURE)
        conn.execute("create role limited login")
        conn.execute('grant usage on schema "Odd ""S", public to limited')
        conn.execute('grant select on all tables in schema public, "Odd ""S" to limited')
        conn.execute("revoke select on secret from limited")
        yield private


def total_cost(conn: Connection, query: str) -> float:
    found = conn.execute("explain (format json) " + query).fetchone()
    assert found
    return float(found[0][0]["Plan"]["Total Cost"])


def test_all_that_a_superuser_sees_is_carried_over(server: Server, cluster: Server) -> None:
    """Extended statistics, inheritance, materialized views and odd names: costs are the source's."""
    with cluster.session() as source:
        source.execute("set jit = off")
        with statistics_clone(source, server) as made:
            assert made.lost == (
                "no statistics, as ANALYZE was not run: the planner guesses as in the source: public.never",
            )
            for query in QUERIES:
                assert made.cost(query).total_cost == total_cost(source, query), query


def test_a_login_with_few_rights_is_told_what_is_lost(server: Server, cluster: Server) -> None:
    """What it may not read is named with its reason, and the rest is planned as ever."""
    with cluster.session(user="limited") as source:
        source.set_session(readonly=True)
        source.execute("set jit = off")
        with statistics_clone(source, server) as made:
            lost = "\n".join(made.lost)
            plain = QUERIES[3]
            assert made.cost(plain).total_cost == total_cost(source, plain)
    assert "tables that the login may not read: public.secret" in lost
    assert "view public.shown" in lost
    assert "row security hides them from the login (give it BYPASSRLS), of: public.guarded" in lost
    assert 'statistics object "Odd ""S"."s""t": only the owner of its table may read it' in lost


def test_a_volume_makes_tables_longer(server: Server, pg: Connection) -> None:
    """At a hundred times the volume an index pays that did not; files pass a segment and take no room."""
    pg.execute("create table big (id int, v text)")
    pg.execute("insert into big select i, 'x' from generate_series(1, 1000) i")
    pg.execute("analyze big")
    by_id = IndexDefinition("public", "big", (Key("id"),))
    factors = (1.0, 100.0, 40_000.0)
    costs = []
    for volume in factors:
        with statistics_clone(pg, server, volume=volume) as made:
            (candidate,) = made.add([by_id]).indexes
            costs.append(made.cost("select * from big").total_cost)
            indexed = made.cost("select * from big where id = 5", indexes=[candidate.oid])
            assert indexed.indexes == (candidate.oid,)
            assert indexed.total_cost < 20
    assert [after / before for before, after in pairwise(costs)] == pytest.approx([100, 400], rel=0.01)
    assert costs[-1] > SEGMENT_PAGES
    assert PAGE == 8192


def test_what_refers_to_a_grown_table_grows_with_it(server: Server, pg: Connection) -> None:
    """At ten times the volume a referenced row has as many rows as before, a status has ten times more."""
    pg.execute("create table customers (id int primary key)")
    pg.execute("create table orders (id int primary key, customer int references customers, status int)")
    pg.execute("insert into customers select generate_series(1, 100)")
    pg.execute("insert into orders select i, 1 + i % 100, i % 5 from generate_series(1, 10000) i")
    pg.execute("analyze")
    with statistics_clone(pg, server, volume={"public.orders": 10, "public.customers": 10}) as made:
        assert made.explain("select from orders where customer = 5").estimated_rows == pytest.approx(
            100, rel=0.2
        )
        assert made.explain("select from orders where status = 3").estimated_rows == pytest.approx(
            20_000, rel=0.1
        )


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (0.0, "a volume of 0.0 cannot be"),
        ({"public.nothing": 2.0}, "public.nothing is no table of the source"),
    ],
)
def test_a_volume_that_cannot_be_is_bad_input(
    volume: float | dict[str, float], message: str, server: Server, pg: Connection
) -> None:
    """A factor of nothing, and of a table that is not there, are told in one line."""
    with pytest.raises(BadInput, match=message), statistics_clone(pg, server, volume=volume):
        pass


def test_code_of_the_source_runs_without_rights(server: Server, pg: Connection) -> None:
    """Planning runs immutable functions: they are no superuser's, and may not change the catalog."""
    pg.execute(
        "create function whoami() returns boolean immutable language sql "
        "return (select rolsuper from pg_catalog.pg_roles where rolname = current_user)"
    )
    pg.execute("create table t (a int)")
    with statistics_clone(pg, server) as made:
        assert isinstance(made, StatisticsClone)
        found = made.connection.execute("select public.whoami()").fetchone()
    assert found == (False,)


_KILLED = """
import os, signal, sys
from workbench.engines.postgres import engine
from workbench.proof.whatif import statistics_clone
with engine() as server, server.session(sys.argv[1]) as source, statistics_clone(source, server) as made:
    print(made.server.host, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_of_a_killed_process(database: str, tmp_path: Path) -> None:
    """The private cluster and the dumped structure in it are gone when their process is."""
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, database],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    socket = Path(killed.stdout.strip())
    deadline = time.monotonic() + 30
    while socket.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not socket.exists()
    assert list(tmp_path.rglob("*.sql")) == []
