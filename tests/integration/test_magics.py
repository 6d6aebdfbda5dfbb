"""`%sql` in a shell, and in notebooks that papermill and nbval run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import papermill
import pytest
from IPython.core.interactiveshell import InteractiveShell
from papermill.exceptions import PapermillExecutionError

from workbench import magics
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.errors import BadInput, SourceUnreachable

SECRET = "geheim-7Zq$"


class Shell:
    """An IPython shell in this process, whose cells raise what they raised."""

    def __init__(self) -> None:
        self.ip = InteractiveShell()
        self.ip.run_line_magic("load_ext", "workbench.magics")

    def __call__(self, cell: str) -> Any:
        done = self.ip.run_cell(cell)
        if error := done.error_in_exec or done.error_before_exec:
            raise error
        return done.result

    def __getitem__(self, name: str) -> Any:
        return self.ip.user_ns[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.ip.user_ns[name] = value


@pytest.fixture
def bare() -> Iterator[Shell]:
    """A shell with the extension and without a connection."""
    shell = Shell()
    yield shell
    magics.unload_ipython_extension(shell.ip)


@pytest.fixture
def shell(bare: Shell, server: Server, database: str) -> Shell:
    """A shell that is connected to an empty scratch database."""
    magics.connect_sql(server.url(database))
    return bare


def test_select_returns_rows_and_a_frame(shell: Shell) -> None:
    """Rows are a list, and a DataFrame that has its columns also without rows."""
    rows = shell("%sql select 1 as a, 'x' as b")

    assert rows == [(1, "x")]
    assert "<td>x</td>" in rows._repr_html_()
    assert "| 1 | x |" in str(rows)
    assert rows.DataFrame().to_dict("records") == [{"a": 1, "b": "x"}]
    assert list(shell("%sql select 1 as a where false").DataFrame().columns) == ["a"]


def test_names_from_the_database_are_escaped(shell: Shell) -> None:
    """Markup in a value or in a column's name stays text."""
    html = shell("""%sql select '<script>1</script>' as "<b>x" """)._repr_html_()

    assert "<script>" not in html
    assert "<b>" not in html


def test_binds_text_and_assignment(shell: Shell) -> None:
    """`:n`, `{n}`, `$n` and `rows <<` work, also with NumPy's numbers."""
    shell["n"], shell["table"] = np.int64(3), "pg_class"

    shell("%sql rows << select :n::int + 1 as a, {n} as b, $n as c from {table} limit 1")

    assert shell["rows"] == [(4, 3, 3)]


def test_assignment_in_a_cell_of_several_lines(shell: Shell) -> None:
    """`%%sql rows <<` takes the cell's last result."""
    shell("%%sql rows <<\nselect 1;\nselect 2 as b\n")

    assert shell["rows"] == [(2,)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select '{1,2}'::int[]", [1, 2]),
        ("""select '{"a":1}'::json""", {"a": 1}),
        ("select ':a \\:b'", ":a \\:b"),
        ("select '12:30'::time::text", "12:30:00"),
        ("select (array[1,2,3])[2:3]", [2, 3]),
        ("select (array[1,2,3])[:2]", [1, 2]),
        ("select '100%'", "100%"),
        ("select 7 % 4", 3),
        ("select $$a ; :b$$", "a ; :b"),
        ("select $t$x$t$", "x"),
        ("select 1 -- :comment; more", 1),
        ("select 1; -- after the end", 1),
        ("select 1; /* after\nthe end */", 1),
    ],
)
def test_plain_sql_stays_as_it_is(shell: Shell, statement: str, expected: object) -> None:
    """Arrays, JSON, slices, casts, strings and comments are no binds and no templates."""
    assert shell(f"%%sql\n{statement}")[0][0] == expected


def test_bad_query_raises_without_ending_the_session(shell: Shell) -> None:
    """A statement that the server refuses raises in the server's words; the next one runs."""
    with pytest.raises(magics.StatementFailed, match='relation "nowhere" does not exist'):
        shell("%sql select * from nowhere")

    assert shell("%sql select 1") == [(1,)]


def test_bad_url_raises_and_does_not_fall_back(shell: Shell) -> None:
    """Where a connection fails, the statement behind it does not run on the former connection."""
    with pytest.raises(SourceUnreachable):
        shell("%sql postgresql://nobody@localhost:1/none select 1")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@localhost:1/none",
        f"postgresql://localhost:1/none?user=me&password={SECRET}",
        f"postgresql://me:{SECRET}@localhost:notaport/none",
        f"postgresql://me:{SECRET}@[::1/none",
        f"nosuchsystem://me:{SECRET}@localhost/none",
        f"postgresql+nosuchdriver://me:{SECRET}@localhost/none",
        f"me:{SECRET}@localhost",
        *(f"postgresql://me:{sign}{SECRET}{sign}@localhost:1/none" for sign in "@/?#:%"),
    ],
)
def test_no_password_in_what_a_bad_url_raises(
    bare: Shell, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the message, nor the traceback that is shown, nor the output quotes a password."""
    with pytest.raises((SourceUnreachable, BadInput)) as failed:
        bare(f"%sql {url}")

    printed = capsys.readouterr()
    shown = "".join(failed.value._render_traceback_())  # type: ignore[attr-defined]
    assert SECRET not in f"{failed.value}{shown}{printed.out}{printed.err}"
    assert failed.value.__suppress_context__ or failed.value.__context__ is None


def test_no_password_of_a_good_url_is_shown(bare: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection by password shows its name alone, also with displaycon and in --connections."""
    with private_cluster(
        hba=["local all wb_superuser trust", "local all all scram-sha-256"],
    ) as (server, _):
        with server.session() as conn:
            conn.execute("create role me login password %s", [SECRET])
        url = server.url("postgres", user="me").replace("me@", f"me:{SECRET.replace('$', '%24')}@")
        bare["url"] = url
        bare("%config SqlMagic.displaycon = True")
        assert bare("%sql {url} select current_user") == [("me",)]
        listed = bare("%sql --connections")
        with pytest.raises(magics.StatementFailed) as failed:
            bare("%sql select 1/0")
        bare("%sql --close me@postgres")

    printed = capsys.readouterr()
    assert " * me@postgres" in printed.out
    assert SECRET not in f"{listed}{failed.value}{printed.out}{printed.err}"
    assert "%24" not in f"{listed}{failed.value}{printed.out}{printed.err}"


def test_unbound_name_does_not_show_the_namespace(shell: Shell) -> None:
    """An undefined bind is named; the notebook's variables are not quoted."""
    shell["password"] = SECRET

    with pytest.raises(BadInput, match=":x is not defined") as failed:
        shell("%sql select :x")

    assert SECRET not in str(failed.value)


def test_parameters_of_a_failed_statement_are_hidden(shell: Shell) -> None:
    """The server's error comes without the values that were bound."""
    shell["password"] = SECRET

    with pytest.raises(magics.StatementFailed) as failed:
        shell("%sql select * from nowhere where a = :password")

    assert SECRET not in str(failed.value)


def test_statements_that_refuse_a_transaction_run(shell: Shell, server: Server) -> None:
    """VACUUM and CREATE DATABASE work: each statement commits by itself."""
    shell("%sql create table t (a int)")
    shell("%sql vacuum (analyze) t")
    shell("%%sql\nbegin;\ninsert into t values (1);\nrollback;")

    assert shell("%sql select count(*) from t") == [(0,)]


def test_read_only_refuses_a_write(bare: Shell, server: Server, database: str) -> None:
    """On a read-only connection a write raises and changes nothing; reading works."""
    with server.session(database) as conn:
        conn.execute("create table t (a int)")
    magics.connect_sql(server.url(database), read_only=True, timeout_s=5)

    with pytest.raises(magics.StatementFailed, match="read-only transaction"):
        bare("%sql insert into t values (1)")

    assert bare("%sql select count(*) from t") == [(0,)]
    assert bare("%sql show statement_timeout") == [("5s",)]


def test_close_by_name_ends_the_session(shell: Shell, database: str, pg: Connection) -> None:
    """`--close` works for a socket's URL; then %sql says that it has no connection."""
    shell(f"%sql --close wb_superuser@{database}")

    with pytest.raises(BadInput, match="no connection"):
        shell("%sql select 1")
    left = "select count(*) from pg_catalog.pg_stat_activity where datname = %s and pid <> pg_backend_pid()"
    assert pg.execute(left, [database]).fetchone() == (0,)


def test_two_connections_by_name(shell: Shell, server: Server, database: str) -> None:
    """The whole name of a connection chooses it, not a part that another one shares."""
    with server.scratch_database(label="other") as other:
        magics.connect_sql(server.url(other))

        assert shell("%sql select current_database()") == [(other,)]
        assert shell(f"%sql wb_superuser@{database} select current_database()") == [(database,)]
        assert shell("%sql select current_database()") == [(database,)]
        with pytest.raises(BadInput, match="this is no open connection"):
            shell("%sql wb_superuser@wb select 1")


def test_persist_and_append(shell: Shell) -> None:
    """A DataFrame becomes a table; a second one of that name is refused without --append."""
    shell("import pandas as pd; frame = pd.DataFrame({'a': [1, 2]})")

    shell("%sql --persist frame")
    shell("%sql --append frame")
    with pytest.raises(ValueError, match="already exists"):
        shell("%sql --persist frame")

    assert shell("%sql select count(*) from frame") == [(4,)]


def test_file(shell: Shell, tmp_path: Path) -> None:
    """`--file` runs a script and returns its last rows."""
    script = tmp_path / "script.sql"
    script.write_text("create table t (a int); insert into t values (1), (2); select * from t order by a;")

    assert shell(f"%sql --file {script}") == [(1,), (2,)]


def test_meta_commands_are_refused_before_anything_runs(shell: Shell) -> None:
    """A backslash command gets one line that says so, and no statement of its cell runs."""
    with pytest.raises(BadInput, match="command of psql"):
        shell("%%sql\ncreate table t (a int);\n\\d t")

    assert shell("%sql select to_regclass('t')") == [(None,)]


def test_display_is_limited_and_rows_are_kept(shell: Shell) -> None:
    """A long result shows its first rows; all of them are there."""
    rows = shell("%sql select * from generate_series(1, 1000)")

    assert len(rows) == 1000
    assert str(rows).count("\n") < 110
    assert "1000 rows, truncated to displaylimit of 100" in rows._repr_html_()


def test_feedback_for_statements_without_rows(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A write says how many rows it changed; a query says nothing but its rows."""
    shell("%%sql\ncreate table t as select 1 as a;\nupdate t set a = 2")
    shell("%sql select 1")

    assert capsys.readouterr().out.count("1 rows affected.") == 2


def test_loading_the_original_afterwards_changes_nothing(shell: Shell) -> None:
    """`%load_ext sql`, a habit of its users, does not bring the swallowed errors back."""
    shell("%load_ext sql")

    with pytest.raises(magics.StatementFailed):
        shell("%sql select * from nowhere")


def test_a_dropped_server_session_is_replaced(shell: Shell, server: Server, database: str) -> None:
    """After the server ended the session, one statement fails and the next one runs."""
    with server.session() as conn:
        conn.execute(
            "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where datname = %s",
            [database],
        )
    with contextlib.suppress(magics.StatementFailed):
        shell("%sql select 1")

    assert shell("%sql select 2") == [(2,)]


# -- notebooks

GOOD = "%sql select 1 as one"


def notebook(folder: Path, url: str, *cells: str) -> Path:
    """A notebook that connects to *url* and has *cells*."""
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(source)
            for source in (
                "%load_ext workbench.magics",
                f"from workbench.magics import connect_sql\nconnect_sql({url!r})",
                *cells,
            )
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / "small.ipynb"
    nbformat.write(book, path)
    return path


def by_papermill(path: Path) -> str:
    """The executed notebook as text; PapermillExecutionError where a cell failed."""
    out = path.with_name("out.ipynb")
    papermill.execute_notebook(path, out, progress_bar=False, cwd=path.parent)
    return out.read_text()


def by_nbval(path: Path) -> subprocess.CompletedProcess[str]:
    """What ``pytest --nbval-lax`` made of the notebook."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )


def test_a_good_notebook_passes_both(server: Server, database: str, tmp_path: Path) -> None:
    """A query and an assertion on it pass papermill and nbval."""
    path = notebook(tmp_path, server.url(database), GOOD, "rows = _\nassert rows == [(1,)]", "%sql vacuum")

    assert "<td>1</td>" in by_papermill(path)
    checked = by_nbval(path)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    "bad",
    [
        "%sql select * from nowhere",
        f"%sql postgresql://me:{SECRET}@localhost:1/none select 1",
        "%sql select :undefined",
    ],
)
def test_a_bad_cell_fails_both(server: Server, database: str, tmp_path: Path, bad: str) -> None:
    """A bad query, a bad URL and an unbound name fail papermill and nbval, and show no secret."""
    path = notebook(tmp_path, server.url(database), "token = 'tell-nobody'", GOOD, bad)

    with pytest.raises(PapermillExecutionError):
        by_papermill(path)
    outputs = [
        output
        for cell in nbformat.read(path.with_name("out.ipynb"), as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    assert SECRET not in str(outputs)
    assert "tell-nobody" not in str(outputs)
    checked = by_nbval(path)
    assert checked.returncode == 1, checked.stdout
    assert "1 failed" in checked.stdout
