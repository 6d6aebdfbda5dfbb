"""What of a script runs, what is left out, what is refused; and how the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import ScriptError, ScriptFailed, ScriptRefused
from workbench.script import digest
from workbench.script.sanitize import brief, plan, read_script, redact, render


def left_out(script: str) -> list[tuple[int, str]]:
    return [(left.line, left.statement) for step in plan(script, "f.sql").steps if (left := step.listed)]


def running(script: str) -> str:
    """What psql would get, without the lock."""
    lines = render(plan(script, "f.sql").steps).text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict")))


@pytest.mark.parametrize(
    "statement",
    [
        "create database shop",
        "drop database if exists shop",
        "alter database shop set search_path = app",
        "comment on database shop is 'x'",
        "grant connect on database shop to public",
        "alter database shop owner to someone",
        "create tablespace fast location '/ssd'",
        "alter system set work_mem = '1GB'",
        "alter role someone set search_path = app",
        "drop role someone",
        "grant a to b",
        "create event trigger e on ddl_command_end execute function f()",
        "create subscription s connection 'host=x' publication p",
        "load 'age'",
        "alter table t set tablespace fast",
        "set default_tablespace = fast",
        "import foreign schema s from server x into public",
    ],
)
def test_cluster_commands_are_left_out_and_listed(statement: str) -> None:
    """What belongs to the server or another database is listed with its line, and does not run."""
    assert left_out(f"select 1;\n{statement};\n") == [(2, statement)]
    assert running(f"{statement};\nselect 1;\n").strip() == "select 1;"


@pytest.mark.parametrize(
    "script",
    [
        "create role app login superuser password 'x';",
        "create language plpgsql;",
        "set statement_timeout = 0;",
        "\\echo hi",
        "\\pset pager off",
        "\\o",
        "\\dt app.*",
        "\\set ON_ERROR_STOP off",
        "\\encoding utf8",
    ],
)
def test_what_is_not_missed_is_not_listed(script: str) -> None:
    """What changes nothing of the schema, or is satisfied otherwise, neither runs nor is listed."""
    assert left_out(script + "\nselect 1;") == []
    assert running(script + "\nselect 1;").strip() == "select 1;"


def test_roles_are_collected_wherever_they_are_named() -> None:
    """Owners, grantees, policies, memberships and blocks name roles; predefined ones are not ours."""
    script = """
alter table t owner to "Weird ""Owner";
grant select on t to reader, public, pg_read_all_data;
create policy p on t to tenant;
alter default privileges for role admin grant select on tables to auditor;
create schema authorization boss;
set role worker;
set session authorization 'postgres';
grant a to b;
create user made;
do $$ begin if true then create role "In Block"; end if; end $$;
"""
    assert plan(script, "f.sql").roles == (
        'Weird "Owner', "reader", "tenant", "admin", "auditor", "boss", "worker", "postgres", "a", "b",
        "made", "In Block",
    )  # fmt: skip


def test_session_authorization_becomes_a_role() -> None:
    """SET SESSION AUTHORIZATION needs a superuser; SET ROLE has the effect that a dump wants."""
    script = 'set session authorization "O\'Brien";\nreset session authorization;\n'

    assert running(script).split("\n")[:2] == ['set role "O\'Brien";', "reset role;"]


def test_tablespace_is_blanked_and_the_table_stays() -> None:
    """A table in a tablespace is made in the default one; the word in a string or name stays."""
    script = "create table t (a text default 'tablespace x', \"tablespace y\" int) tablespace fast;"

    assert running(script).split() == script.replace(" tablespace fast", " ").split()


def test_psql_variables_that_are_plain_values_run() -> None:
    """A value without quotes, backslashes or commands may stand bare."""
    assert ":app" in running("\\set app shop\ncreate schema :app;")


@pytest.mark.parametrize("value", ["'a''b", "a;b", "$$", "/*", "'\\\\! ls'", ":other", "--"])
def test_psql_variables_that_may_hold_commands_are_refused(value: str) -> None:
    """A bare variable is scanned as SQL by psql: its value must be closed in itself."""
    with pytest.raises(ScriptRefused, match=r"f\.sql:2: :app"):
        plan(f"\\set app {value}\nselect :app;", "f.sql")


def test_array_slice_is_no_variable() -> None:
    """``a[1:n]`` looks like a variable and is none while nothing sets n."""
    assert plan("select a[1:n] from t;", "f.sql").statements == 1


def test_unknown_meta_command_is_an_error_with_its_line() -> None:
    """psql knows no such command: the line is named."""
    with pytest.raises(ScriptFailed, match=r"f\.sql:2: psql knows no command \\nonsense"):
        plan("select 1;\n\\nonsense\n", "f.sql")


def test_quit_ends_the_script() -> None:
    r"""Nothing after ``\q`` is looked at."""
    assert running("select 1;\n\\q\n\\! ls\nselect 2;").strip() == "select 1;"


def test_connect_is_left_out() -> None:
    r"""``\c`` is listed: everything goes into the one database."""
    assert left_out("\\c shop\nselect 1;") == [(1, "\\c shop")]


def test_passwords_are_starred_out() -> None:
    """No password of the file stands in what we print."""
    script = "alter role app password 'hunter2';\nalter role b with encrypted password E'hunter2' login;"

    assert [text for _, text in left_out(script)] == [
        "alter role app password '***'",
        "alter role b with encrypted password '***' login",
    ]
    assert "hunter2" not in redact("connection 'host=x password=hunter2 dbname=y'")


def test_brief_is_one_short_line() -> None:
    """The first characters on one line, marked where cut."""
    assert brief("select\n  1,\n\t2") == "select 1, 2"
    assert len(brief("select " + "x" * 200)) == 80


# -- reading the file


def write(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "schema.sql"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("select 'ü';".encode(), "select 'ü';"),
        (b"\xef\xbb\xbfselect 1;", "select 1;"),
        ("select 'ü';".encode("utf-16"), "select 'ü';"),
        (b"\xfe\xff" + "select 'ü';".encode("utf-16-be"), "select 'ü';"),
        (
            "SET client_encoding = 'LATIN1';\nselect 'ü';".encode("latin1"),
            "SET client_encoding = 'LATIN1';\nselect 'ü';",
        ),
        ("\\encoding WIN1252\nselect '€';".encode("cp1252"), "\\encoding WIN1252\nselect '€';"),
        ("set names 'latin9';\nselect '€';".encode("iso8859-15"), "set names 'latin9';\nselect '€';"),
    ],
)  # fmt: skip
def test_encodings_that_the_file_declares(tmp_path: Path, content: bytes, expected: str) -> None:
    """UTF-8, a byte order mark, or what the file sets as client_encoding."""
    assert read_script(write(tmp_path, content)) == expected


def test_encoding_that_the_user_names(tmp_path: Path) -> None:
    """Any encoding of Python or PostgreSQL can be named."""
    path = write(tmp_path, "select 'ü';".encode("latin1"))

    assert read_script(path, encoding="latin1") == "select 'ü';"
    with pytest.raises(ScriptError, match="there is no encoding 'klingon'"):
        read_script(path, encoding="klingon")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        ("select 1;\nselect 'ü';".encode("latin1"), r":2: byte 19 is not UTF-8: name the file's encoding"),
        (b"PGDMP\x01\x0e\x00", "use pg_restore -f out.sql first"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "is no text"),
        (b"select 1;\nselect\x00 2;", r":2: is no text"),
    ],
)
def test_what_is_no_script_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    """Binary junk, archives, other encodings and empty files each get one clear line."""
    path = write(tmp_path, content)
    with pytest.raises(ScriptError, match=message) as raised:
        read_script(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    """A missing file and a directory are named as such."""
    with pytest.raises(ScriptError, match=r"missing\.sql: there is no such file"):
        read_script(tmp_path / "missing.sql")
    with pytest.raises(ScriptError, match="is a directory"):
        read_script(tmp_path)


def test_comments_alone_are_no_script() -> None:
    """A file without any statement is an error, not an empty schema."""
    with pytest.raises(ScriptError, match="no statement"):
        plan("-- nothing\n\\echo hi\n", "f.sql")


def test_digest_is_of_the_bytes(tmp_path: Path) -> None:
    """The digest changes with any byte, and with nothing else."""
    path = write(tmp_path, b"select 1;")
    before = digest(path)
    path.touch()
    assert digest(path) == before
    path.write_bytes(b"select 1; ")
    assert digest(path) != before
