"""The engine's life: started on demand, shared, stopped with its last user, recovered after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from workbench.engines import places
from workbench.engines.binaries import installed_binaries, service_user
from workbench.engines.postgres import Server, engine, private_cluster, shared_cluster
from workbench.errors import EngineError, FeatureUnavailable


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """An empty cache folder of this test alone, which a call can move; what was made for it goes with it."""
    homes: list[Path] = []

    def use(folder: Path) -> Path:
        monkeypatch.setenv("WORKBENCH_CACHE", str(folder))
        homes.append(places.reachable_home(places.cache_folder(), service_user()))
        return folder

    use(tmp_path / "cache")
    yield use
    for home in homes:
        wait_for(lambda home=home: not any(home.rglob("postmaster.pid")), "the server stops")
        shutil.rmtree(home)


def start_user(body: str, **environment: str) -> subprocess.Popen[str]:
    """Another process that runs *body* with the engine held."""
    script = "from workbench.engines.postgres import engine\nwith engine() as server:\n" + textwrap.indent(
        textwrap.dedent(body), "    "
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


HOLD = "print(server.version, flush=True)\ninput()"


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited 20 s for: {what}"
        time.sleep(0.05)


def server_process() -> psutil.Process | None:
    """The postmaster of the shared cluster, if it runs."""
    try:
        pid = int((shared_cluster().data / "postmaster.pid").read_text().split()[0])
        return psutil.Process(pid)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def test_two_processes_share_one_server_and_the_last_one_stops_it(fresh_cache: object) -> None:
    """Parallel users get the same server; it stops when the last of them has left, not before."""
    first, second = start_user(HOLD), start_user(HOLD)
    assert first.stdout and second.stdout
    assert first.stdout.readline() == second.stdout.readline() != ""
    running = server_process()
    assert running is not None

    first.communicate("\n")
    time.sleep(0.5)
    assert running.is_running(), "it stopped while the second user was there"

    second.communicate("\n")
    wait_for(lambda: server_process() is None, "the server stops with its last user")


def test_a_killed_client_leaves_no_server_and_no_database(fresh_cache: object) -> None:
    """kill -9 of the only user stops the server; the next user finds no scratch database of the dead one."""
    user = start_user(
        """
        left = server.scratch_database(label="left")
        name = left.__enter__()
        server.template_database("kept", lambda name: None)
        print(name, flush=True)
        input()
        """
    )
    assert user.stdout
    left = user.stdout.readline().strip()
    user.kill()
    user.wait()
    wait_for(lambda: server_process() is None, "the server stops after its client was killed")

    with engine() as server, server.session() as conn:
        names = {name for (name,) in conn.execute("select datname from pg_catalog.pg_database").fetchall()}
    assert left not in names
    assert "wbt_kept" in names, "templates are what the cache is for"


def test_a_killed_server_is_recovered_with_its_databases(fresh_cache: object) -> None:
    """kill -9 of the server: the next connection starts it again, and committed rows are there."""
    with engine() as server, server.scratch_database() as name:
        with server.session(name) as conn:
            conn.execute("create table t as select 1 as n")
        shared_cluster().kill()

        with server.session(name) as conn:
            assert conn.execute("select n from t").fetchone() == (1,)


def test_a_cluster_that_cannot_start_is_made_anew(fresh_cache: object) -> None:
    """A data directory that a crash of the machine ruined is replaced: nothing in it has to last."""
    with engine():
        pass
    wait_for(lambda: server_process() is None, "the server stops")
    (shared_cluster().data / "global" / "pg_control").write_bytes(b"")

    with engine() as server, server.session() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_terminated_client_drops_its_database(server: Server) -> None:
    """An exception in the block drops the scratch database before it goes on."""
    with pytest.raises(ZeroDivisionError), server.scratch_database() as name:
        raise ZeroDivisionError
    with server.session() as conn:
        assert (
            conn.execute("select 1 from pg_catalog.pg_database where datname = %s", [name]).fetchone() is None
        )


def test_a_template_is_built_once_and_never_seen_half_built(server: Server) -> None:
    """A second call finds the template; a build that fails leaves nothing under the name."""
    built: list[str] = []

    def build(name: str) -> None:
        built.append(name)
        with server.session(name) as conn:
            conn.execute("create table t (id int)")

    def fail(name: str) -> None:
        raise ZeroDivisionError

    key = f"test_{os.getpid()}"
    with pytest.raises(ZeroDivisionError):
        server.template_database(key, fail)
    name = server.template_database(key, build)
    try:
        assert server.template_database(key, build) == name
        assert len(built) == 1
        with server.scratch_database(template=name) as copy, server.session(copy) as conn:
            assert conn.execute("select count(*) from t").fetchone() == (0,)
    finally:
        server.drop_database(name)


def test_only_databases_of_ours_are_dropped(server: Server) -> None:
    """A name that the workbench did not make is refused before anything is sent."""
    with pytest.raises(ValueError, match="was not made by the workbench"):
        server.drop_database("postgres")


def test_the_engine_is_fit_for_scratch_work(server: Server) -> None:
    """Statistics of statements are on, nothing listens on TCP, no plan depends on jit or autovacuum."""
    with server.session() as conn:
        settings = dict(
            conn.execute(
                "select name, setting from pg_catalog.pg_settings where name = any(%s)",
                [["shared_preload_libraries", "listen_addresses", "jit", "autovacuum", "fsync"]],
            ).fetchall()
        )
    assert settings == {
        "shared_preload_libraries": "pg_stat_statements",
        "listen_addresses": "",
        "jit": "off",
        "autovacuum": "off",
        "fsync": "off",
    }


def test_a_url_survives_odd_names(server: Server) -> None:
    """Names with spaces, quotes, percent signs and emoji are percent-encoded, and libpq reads them back."""
    odd = 'a b"c%d/e?🐘'
    parts = psycopg2.extensions.parse_dsn(server.url(odd))
    assert parts["dbname"] == odd
    assert parts["host"] == server.host


def test_what_the_caller_tells_libpq_does_not_matter(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """PG* variables are about the caller's own servers, not about the engine."""
    for name, value in {
        "PGSERVICE": "nowhere",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "PGHOST": "db.example.org",
        "PGDATABASE": "other",
        "PGUSER": "somebody",
    }.items():
        monkeypatch.setenv(name, value)
    with server.scratch_database() as name, server.session(name) as conn:
        conn.execute("create table t (id int)")
    assert os.environ["PGSERVICE"] == "nowhere"


def test_a_missing_extension_names_itself_and_the_way(server: Server) -> None:
    """FeatureUnavailable says what is missing, on which engine, and how to get it."""
    server.require_extension("ltree")
    with pytest.raises(
        FeatureUnavailable, match=r"timescaledb is not available on PostgreSQL .*WORKBENCH_POSTGRES_BIN"
    ):
        server.require_extension("timescaledb")


def test_an_interrupt_during_a_statement_with_a_notice_is_not_lost(server: Server) -> None:
    """Ctrl-C while a statement runs that sends a notice ends the program like any other."""
    with server.session() as conn:
        timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()

        with pytest.raises(KeyboardInterrupt):
            conn.execute("do $$ begin raise notice 'said'; perform pg_sleep(0.3); end $$")
            timer.join()

        assert conn.notices == []


def test_a_private_cluster_has_its_own_settings_and_is_gone_afterwards() -> None:
    """WAL level and passwords of one's own; the folder is removed when the block ends."""
    with private_cluster(
        settings={"wal_level": "logical", "max_wal_senders": "4"},
        hba=["local all wb_superuser trust", "local all all scram-sha-256"],
    ) as (server, cluster):
        with server.session() as conn:
            assert conn.execute("show wal_level").fetchone() == ("logical",)
            conn.execute("create role guest login password 'right'")
        with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
            server.connect_once("postgres", user="guest")
        assert "private" in server.description
    wait_for(lambda: not cluster.home.exists(), "the private cluster's folder is removed")


def test_a_private_cluster_that_cannot_start_says_why_and_leaves_nothing() -> None:
    """A setting that PostgreSQL refuses comes back in its own words."""
    before = set(places.reachable_home(places.cache_folder(), service_user()).glob("private-*"))
    with (
        pytest.raises(EngineError, match=r"does not start.*shared_buffers"),
        private_cluster(settings={"shared_buffers": "nonsense"}),
    ):
        pass
    assert set(places.reachable_home(places.cache_folder(), service_user()).glob("private-*")) <= before


def test_an_installed_older_version_serves_too() -> None:
    """A private cluster of an installed PostgreSQL, where the machine has one."""
    older = [each for each in installed_binaries() if each.major < 18]
    if not older:
        pytest.skip("no PostgreSQL older than 18 is installed here")
    with private_cluster(binaries=older[0]) as (server, _):
        assert server.version // 10_000 == older[0].major
        with server.scratch_database() as name, server.session(name) as conn:
            assert conn.execute("select 1").fetchone() == (1,)


def test_a_long_cache_path_still_gets_a_socket(tmp_path: Path, fresh_cache: Callable[[Path], Path]) -> None:
    """A socket's path may have 107 bytes; a deeper cache folder puts the socket elsewhere."""
    fresh_cache(tmp_path / ("deep" * 20) / ("deeper" * 10))
    with engine() as server, server.session() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_wrong_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that is a file, and a bin folder without a server, are one line each."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EngineError, match="WORKBENCH_CACHE"), engine():
        pass
    monkeypatch.setenv("WORKBENCH_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(EngineError, match="has no program 'postgres'"):
        installed_binaries()


def test_a_server_by_url_is_an_engine_too(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """WORKBENCH_POSTGRES_URL: scratch databases are made there and dropped; a dead URL is one line."""
    monkeypatch.setenv("WORKBENCH_POSTGRES_URL", server.url("postgres"))
    with engine() as remote, remote.scratch_database() as name, remote.session(name) as conn:
        assert remote.description.endswith("remote")
        assert conn.execute("select current_database()").fetchone() == (name,)

    monkeypatch.setenv("WORKBENCH_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(EngineError, match=r"127\.0\.0\.1"), engine():
        pass


def test_a_client_that_gets_sigterm_mid_way_is_like_one_that_left(fresh_cache: object) -> None:
    """SIGTERM of the only user stops the server as well."""
    user = start_user(HOLD)
    assert user.stdout and user.stdout.readline()
    user.send_signal(signal.SIGTERM)
    user.wait()
    wait_for(lambda: server_process() is None, "the server stops after SIGTERM")
