"""The workload of real logs, in each of PostgreSQL's formats."""

from __future__ import annotations

import gzip
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql as composed

from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.errors import BadInput, FeatureUnavailable
from workbench.proof.workload import is_log, runnable, workload_of_log

TABLE = 'create table orders (order_id int, status text, "we\'ird" text)'
SETTINGS = {
    "logging_collector": "on",
    "log_destination": "stderr,csvlog,jsonlog",
    "log_directory": "log",
    "log_filename": "w.log",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_min_duration_statement": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_format": "json",
}
FORMATS = ("csv", "json", "log")


def wait_for(path: Path, text: str) -> None:
    """Until the log's collector has written *text*."""
    deadline = time.monotonic() + 30
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{path} lacks {text}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs of a small session in the three formats, with plans of auto_explain in both of its formats."""
    folder = tmp_path_factory.mktemp("logs")
    with private_cluster(settings=SETTINGS) as (server, cluster):
        with server.session() as conn:
            conn.execute("create database elsewhere")
            conn.execute(TABLE + "; insert into orders values (1, 'new', 'x'); analyze orders")
            for number in (1, 2, 3):
                conn.execute(
                    "select *\n  from orders\n\twhere status = 'a\nb''c' and order_id = %s", [number]
                )
            conn.execute(
                "prepare by_id(int, text) as select 1 from orders where order_id = $1 and status = $2"
            )
            conn.execute("execute by_id(5, 'it''s; $1')")
            conn.execute("set auto_explain.log_min_duration = 0")
            conn.execute("select count(*) from orders where status like 'pl%'")
            conn.execute("set auto_explain.log_format = 'text'")
            conn.execute("set log_min_duration_statement = -1")
            conn.execute("select max(order_id)\nfrom orders\nwhere status = 'x\ny'")
            conn.execute("set auto_explain.log_format = 'yaml'")
            conn.execute("select min(order_id) from orders")
            with pytest.raises(Exception, match="nothing"):
                conn.execute("select nothing from orders")
        with server.session("elsewhere") as other:
            other.execute("create table there (id int)")
            other.execute("select * from there")
        for name in FORMATS:
            written = cluster.data / "log" / f"w.{name}"
            wait_for(written, "select * from there")
            shutil.copy(written, folder)
    return folder


@pytest.fixture(scope="module")
def conn(server: Server) -> Iterator[Connection]:
    """A copy of the structure that the logs are of."""
    with server.scratch_database(label="test") as name, server.session(name) as session:
        session.execute(TABLE)
        yield session


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_the_same_workload(logs: Path, conn: Connection, name: str) -> None:
    """Calls, times, parameters and plans are read from csvlog, jsonlog and stderr's lines alike."""
    found = workload_of_log(logs / f"w.{name}", conn, database="postgres")
    several, prepared, planned, text = (
        next(each for each in found.statements if part in each.sql)
        for part in ("b''c'", "select 1 from", "count(*)", "max(order_id)")
    )

    assert len(found.statements) == 5
    assert several.observed is not None
    assert (several.weight, several.observed.calls, several.values) == (3, 3, ())
    assert several.sql.startswith("select *\n  from orders\n\twhere status = 'a\nb''c' and order_id = ")
    assert several.observed.mean_ms == pytest.approx(several.observed.total_ms / 3)
    assert (several.observed.max_ms or 0) >= several.observed.mean_ms
    assert prepared.values == ("'5'::integer", "'it''s; $1'::text")
    assert planned.observed is not None
    assert planned.weight == 1
    assert planned.observed.plan is not None
    assert planned.observed.plan["Plan"]["Node Type"] == "Aggregate"  # type: ignore[index]
    assert text.sql == "select max(order_id)\nfrom orders\nwhere status = 'x\ny'"
    assert not any("there" in each.sql for each in found.statements)
    assert not found.unread
    assert any("utility statements" in note for note in found.notes)
    assert any("1 plans are neither JSON nor text" in note for note in found.notes)
    assert not any("could not be read" in note for note in found.notes)
    for each in found.statements:
        conn.execute(composed.SQL("explain ") + runnable(each))
    assert int(several.where.rpartition(":")[2]) > 1


def test_a_folder_reads_each_log_once(logs: Path, conn: Connection) -> None:
    """A log that is there in three formats is read in one."""
    found = workload_of_log(logs, conn, database="postgres")

    assert [each.weight for each in found.statements if "b''c'" in each.sql] == [3]


def test_gzipped_and_cut_off(logs: Path, conn: Connection, tmp_path: Path) -> None:
    """A gzipped log is read; one that is cut off is read as far as it goes, which is said."""
    data = gzip.compress((logs / "w.csv").read_bytes())
    (tmp_path / "w.csv.gz").write_bytes(data)
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress((logs / "w.log").read_bytes())[:-600])

    whole = workload_of_log(tmp_path / "w.csv.gz", conn, database="postgres")
    cut = workload_of_log(tmp_path / "cut.log.gz", conn, database="postgres")

    assert len(whole.statements) == 5
    assert cut.statements
    assert any("ends too early" in note for note in cut.notes)


def test_a_database_is_chosen(logs: Path, conn: Connection, tmp_path: Path) -> None:
    """Where the log has several databases, none of them this one, it is asked which; one is taken."""
    with pytest.raises(BadInput, match="elsewhere, postgres: say which"):
        workload_of_log(logs / "w.csv", conn)
    lines = (logs / "w.log").read_text().splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if "duration" in line)
    end = next(number for number, line in enumerate(lines) if "@elsewhere" in line)
    (tmp_path / "one.log").write_text("".join(lines[begin:end]))

    found = workload_of_log(tmp_path / "one.log", conn)

    assert len(found.statements) == 5
    assert any("those of postgres are taken" in note for note in found.notes)


PREFIXES = {
    "of a service": "2026-01-01 00:00:0{n} UTC:10.0.0.1(5432):me@shop:[{p}]:{level}:  ",
    "for pgbadger": "2026-01-01 00:00:0{n} UTC [{p}]: [{n}-1] user=me,db=shop,app=x,client=y {level}:  ",
    "by default": "2026-01-01 00:00:00.00{n} UTC [{p}] {level}:  ",
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_prefixes_and_processes(conn: Connection, tmp_path: Path, prefix: str) -> None:
    """Each process's parameters belong to its own statement, whatever the prefix and the interleaving."""
    execute = "execute <unnamed>: select 1 from orders where"

    def line(number: int, process: int, level: str, text: str) -> str:
        return prefix.format(n=number, p=process, level=level) + text + "\n"

    path = tmp_path / "any"
    path.write_text(
        "\trest of an older message\n"
        + line(1, 7, "LOG", f"duration: 5.0 ms  {execute} order_id = $1")
        + line(1, 8, "LOG", f"duration: 9.25 ms  {execute} status = $1 and\n\t  order_id = $2")
        + line(2, 7, "DETAIL", "Parameters: $1 = '42'")
        + line(3, 8, "DETAIL", "parameters: $1 = 'a''b', $2 = NULL")
        + line(4, 8, "LOG", "duration: 0.1 ms  bind <unnamed>: select 1 from orders where order_id = $1")
        + line(5, 8, "LOG", "duration: 0.1 ms")
        + "no line of a log\n"
    )

    found = workload_of_log(path, conn, database="shop")

    assert [(each.values, each.observed and each.observed.total_ms) for each in found.statements] == [
        (("'a''b'::text", "NULL::integer"), 9.25),
        (("'42'::integer",), 5.0),
    ]
    assert any("2 lines of the log could not be read" in note for note in found.notes)
    assert any("does not name databases" in note for note in found.notes) == ("shop" not in prefix)
    assert any("no statement is below 5 ms" in note for note in found.notes)


def test_what_is_not_understood_is_listed(conn: Connection, tmp_path: Path) -> None:
    """A statement that is cut off, or on a table that is not here, stands with its line and the reason."""
    path = tmp_path / "w.log"
    start = "2026-01-01 00:00:00 UTC [1] me@shop LOG:  duration: 1.0 ms  statement: "
    other = start.replace("shop", "other")
    path.write_text(
        f"{start}select 1 from orders\n{start}select 1 from gone\n{start}select 1 from orders whe'\n"
        f"{other}select 'of another database\n"
    )

    found = workload_of_log(path, conn, database="shop")

    assert len(found.statements) == 1
    assert [(each.where.rpartition(":")[2], each.reason.partition(" at ")[0]) for each in found.unread] == [
        ("2", 'relation "gone" does not exist'),
        ("3", "unterminated quoted string"),
    ]


@pytest.mark.parametrize(
    "text", ["", "2026-01-01 00:00:00 UTC [1] LOG:  database system is ready\n", "words\n"]
)
def test_a_log_without_durations(conn: Connection, tmp_path: Path, text: str) -> None:
    """What to switch on is said."""
    path = tmp_path / "w.log"
    path.write_text(text)

    with pytest.raises(FeatureUnavailable, match=r"log_min_duration_statement = 0 .* auto_explain"):
        workload_of_log(path, conn)


def test_no_log(conn: Connection, tmp_path: Path) -> None:
    """What is not there, or a folder without a log, is said in a line."""
    with pytest.raises(BadInput, match="No such file"):
        workload_of_log(tmp_path / "none.log", conn)
    with pytest.raises(BadInput, match=r"has no \.csv, \.json or \.log file"):
        workload_of_log(tmp_path, conn)


def test_logs_are_told_by_their_names(tmp_path: Path) -> None:
    """A rotated or gzipped log, and a folder of them, is told from a file and a folder of SQL."""
    for name in (
        "logs/postgresql.log.2026-01-01-00",
        "logs/b.csv.gz",
        "sql/one.sql",
        "both/a.sql",
        "both/a.log",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [is_log(tmp_path / name) for name in ("logs", "logs/b.csv.gz", "sql", "sql/one.sql", "both")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert is_log(tmp_path / "logs" / "postgresql.log.2026-01-01-00")
    assert not is_log(tmp_path / "nowhere")
