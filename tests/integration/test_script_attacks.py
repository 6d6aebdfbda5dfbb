"""Attempts of a script to get out of its scratch database: each is really tried."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from workbench.engines.postgres import Server
from workbench.errors import ScriptError, ScriptFailed, ScriptRefused
from workbench.script import LoadReport, as_loader, loaded_script
from workbench.script.psql import Login, run_psql
from workbench.script.roles import loader_roles

Load = Callable[[str], LoadReport]


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Path]:
    """A file that anybody may make, and that nobody must have made at the end of the test."""
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    folder.chmod(0o777)
    yield folder / "sprung"
    assert list(folder.iterdir()) == [], "the script left something behind"
    folder.rmdir()


@pytest.fixture
def load(server: Server, tmp_path: Path, trap: Path) -> Load:
    """Load a script in which TRAP stands for the path of the trap; what it made is gone afterwards."""

    def run(text: str) -> LoadReport:
        path = tmp_path / "attack.sql"
        path.write_text(text.replace("TRAP", str(trap)))
        with loaded_script(server, path, timeout_s=20) as (_, report):
            return report

    return run


META_COMMANDS = {
    "shell": r"\! touch TRAP",
    "shell_glued": r"\!touch TRAP",
    "shell_after_sql": "select 1; \\! touch TRAP",
    "shell_within_a_statement": "select (1 \\! touch TRAP\n);",
    "output_to_program": "\\o |touch TRAP\nselect 1;",
    "output_to_file": "\\o TRAP\nselect 1;",
    "send_to_program": "select 1 \\g |touch TRAP",
    "send_to_file": "select 1 \\g TRAP",
    "send_to_file_with_options": "select 1 \\gx (format=csv) TRAP",
    "backquotes": "\\set x `touch TRAP`",
    "backquotes_in_echo": "\\echo `touch TRAP`",
    "backquotes_in_condition": "\\if `touch TRAP && echo 1`\n\\endif",
    "backquotes_in_pset": "\\pset null `touch TRAP`",
    "backquotes_after_a_quoted_word": r"\echo 'it''s' `touch TRAP`",
    "copy_to_program": "\\copy (select 1) to program 'touch TRAP'",
    "copy_from_program": "create table t (a text);\n\\copy t from program 'touch TRAP'",
    "copy_to_file": "\\copy (select 1) to 'TRAP'",
    "copy_from_file": "create table t (a text);\n\\copy t from '/etc/passwd'",
    "write_the_buffer": "select 1 \\w TRAP",
    "include": r"\i /etc/passwd",
    "include_relative": r"\ir ../attack.sql",
    "environment": r"\setenv PAGER 'touch TRAP'",
    "change_folder": r"\cd /tmp",
    "editor": r"\e TRAP",
    "edit_a_function": r"\ef",
    "history": r"\s TRAP",
    "import_a_large_object": r"\lo_import /etc/passwd",
    "export_a_large_object": r"\lo_export 1 TRAP",
    "watch": "select 1 \\watch 1",
    "prompt": r"\prompt password x",
    "second_on_the_line": "\\echo hi \\! touch TRAP",
    "after_a_separator": "\\timing \\\\ \\! touch TRAP",
    "after_a_closed_comment": "/* /* */ */ \\! touch TRAP",
    "after_a_closed_quote": "select 'a''' \\! touch TRAP",
    "after_an_escape_string": "select E'\\'' \\! touch TRAP",
    "after_a_backslash_in_a_plain_string": "select '\\' \\! touch TRAP",
    "after_a_dollar_quote": "select $a$ $b$ $a$ \\! touch TRAP",
    "dollar_within_a_name": "select a$b$ from t \\! touch TRAP\n $b$",
    "after_a_quoted_name": 'select 1 as "a""" \\! touch TRAP',
    "after_a_line_comment": "select 1 -- it's\n \\! touch TRAP",
    "after_copy_data": "create table t (a text);\ncopy t from stdin;\nx\n\\.\n\\! touch TRAP",
    "old_strings": "set standard_conforming_strings = off;\n"
    "select 'a\\' ; \\! touch TRAP\n';\\! touch TRAP\n",
    "in_a_skipped_branch": "\\if false\n\\! touch TRAP\n\\endif",
}


@pytest.mark.parametrize("text", META_COMMANDS.values(), ids=META_COMMANDS)
def test_meta_command_is_refused(load: Load, text: str) -> None:
    """A meta-command that reaches the shell, a file or the terminal is refused with its line."""
    with pytest.raises((ScriptRefused, ScriptFailed)) as refused:
        load("create table kept (a int);\n" + text + "\n")

    assert "attack.sql:" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "select '\\! touch TRAP';",
        "select $$ \\! touch TRAP $$;",
        "-- \\! touch TRAP\nselect 1;",
        "/* \\! touch TRAP */ select 1;",
        'select 1 as "\\! touch TRAP";',
        "create table t (a text);\ncopy t from stdin;\n\\\\! touch TRAP\n\\.\n",
        "select E'\\\\! touch TRAP';",
    ],
)
def test_backslash_within_quotes_is_no_meta_command(load: Load, text: str) -> None:
    """A backslash in a string, a comment, a name or COPY data is content, and the script loads."""
    assert load(text).left_out == ()


SMUGGLED = {
    "gset": "select '\\! touch TRAP' as x \\gset\nselect 1 :x ;",
    "gset_with_a_prefix": "select '\\! touch TRAP' as x \\gset p_\n:p_x\n;",
    "set": "\\set x '\\\\! touch TRAP'\n:x\n;",
    "set_by_octal": "\\set x '\\134! touch TRAP'\n:x\n;",
    "set_in_two_halves": "\\set b '\\\\'\n\\set x :b '! touch TRAP'\n:x\n;",
    "set_twice": "\\set x 1\n\\set x '\\\\! touch TRAP'\nselect :x ;",
    "quote_in_a_variable": "\\set q '$$'\nselect :q ;\n\\echo $$\n",
    "copy_in_a_variable": "create table t (a text);\n\\set c 'copy t from stdin;'\n:c\n\\echo\n\\.\n",
    "last_error": "select 1 :LAST_ERROR_MESSAGE ;",
    "copy_in_a_skipped_branch": "create table t (a text);\n"
    "\\if false\ncopy t from stdin;\n\\endif\n\\! touch TRAP\n\\.\n",
    "copy_word_in_a_variable": "create table t (a text);\n"
    "\\set c copy\n:c t from stdin;\n\\! touch TRAP\n\\.\n",
    "half_a_copy_in_a_variable": "create table t (a text);\n"
    "\\set c py\nco:c t from stdin;\n\\! touch TRAP\n\\.\n",
    "table_in_a_variable": "create table t (a text);\n\\set n t\ncopy :n from stdin;\n\\! touch TRAP\n\\.\n",
    "joined_copy": "create table t (a text);\nselect 1 \\; copy t from stdin;\n\\! touch TRAP\n\\.\n",
    "copy_that_sets": "create table t (a text);\ncopy t from stdin \\gset\nx\n\\.\n\\! touch TRAP\n",
    "server_value_over_a_plain_one": "\\set x 1\nselect '\\! touch TRAP' as x \\gset\nselect 1 :x ;",
    "sql_after_copy": "create table t (a text);\ncopy t from stdin; select '\nx\n\\.\n\\! touch TRAP\n';",
}


@pytest.mark.parametrize("text", SMUGGLED.values(), ids=SMUGGLED)
def test_smuggled_meta_command_is_refused(load: Load, text: str) -> None:
    """What would make psql read the file otherwise than the lexer does is refused."""
    with pytest.raises(ScriptRefused, match=r"attack\.sql:\d+: "):
        load(text)


def test_gexec_cannot_make_psql_read_lines_as_data(load: Load) -> None:
    r"""COPY run by \gexec would eat the lines that lock psql again; it cannot run."""
    with pytest.raises(ScriptFailed, match=r"attack\.sql:2: cannot COPY"):
        load(
            "create table t (a text);\nselect 'copy t from stdin' \\gexec\n"
            "select '\n\\.\n\\! touch TRAP\n';\n"
        )


def test_old_strings_set_behind_the_lexer(load: Load) -> None:
    """standard_conforming_strings turned off by a function call shifts quotes; psql's own lock holds."""
    with pytest.raises(ScriptError):
        load(
            "select set_config('standard_conforming_'||'strings','off',false);\n"
            "select 'a\\' , ';\n\\! touch TRAP\n--';\n"
        )


CONFINED = {
    "shell": "\\! touch TRAP",
    "backquotes": "\\echo `touch TRAP`",
    "output_to_program": "\\o |touch TRAP\nselect 1;",
    "output_to_file": "\\o TRAP\nselect 1;",
    "copy_to_file": "\\copy (select 1) to 'TRAP'",
    "copy_to_program": "\\copy (select 1) to program 'touch TRAP'",
    "include": "\\i TRAP",
    "copy_from_file": "create table t (a text);\n\\copy t from '/etc/passwd'\nselect a from t;",
    "history": "\\s TRAP",
    "write": "select 1 \\w TRAP",
}


@pytest.mark.parametrize("text", CONFINED.values(), ids=CONFINED)
def test_psql_itself_has_no_means(server: Server, trap: Path, text: str) -> None:
    """Let past the lexer and without its lock, psql can still start no program and open no file."""
    with loader_roles(server) as roles, server.scratch_database(owner=roles.loader) as name:
        login = Login(server, name, roles.loader, roles.password)
        outcome = run_psql(
            login,
            text.replace("TRAP", str(trap)) + "\n",
            stop_on_error=False,
            statement_timeout_s=5,
            timeout_s=10,
        )
    assert outcome.status == 0 or outcome.errors or outcome.output or outcome.status == 3
    assert "root:" not in outcome.output


STATEMENTS = {
    "copy_to_program": "copy (select 1) to program 'touch TRAP';",
    "copy_from_program": "create table t (a text); copy t from program 'touch TRAP';",
    "copy_to_file": "copy (select 1) to 'TRAP';",
    "copy_from_file": "create table t (a text); copy t from '/etc/passwd';",
}


@pytest.mark.parametrize("text", STATEMENTS.values(), ids=STATEMENTS)
def test_copy_of_server_files_is_refused(load: Load, text: str) -> None:
    """COPY to and from a file or program of the server is refused before it runs."""
    with pytest.raises(ScriptRefused, match="server"):
        load(text)


LEFT_OUT = {
    "program_in_a_block": "do $$ begin execute 'copy (select 1) to program ''touch TRAP'''; end $$;",
    "program_by_gexec": "select 'copy (select 1) to program ''touch TRAP''' \\gexec",
    "read_a_file": "select pg_read_file('/etc/passwd');",
    "list_a_folder": "select pg_ls_dir('/');",
    "import_a_large_object": "select lo_import('/etc/passwd');",
    "export_a_large_object": "select lo_export(lo_create(0), 'TRAP');",
    "become_superuser": "set role wb_superuser;",
    "become_superuser_by_block": "do $$ begin execute 'set role wb_superuser'; end $$;",
    "superuser_session": "set session authorization wb_superuser;",
    "promote_itself": "do $$ begin execute format('alter role %I superuser', session_user); end $$;",
    "make_a_superuser": "do $$ begin execute 'create role evil superuser login'; end $$;",
    "read_as_predefined_role": "do $$ begin"
    " execute format('grant pg_read_server_files to %I', session_user); end $$;",
    "write_as_predefined_role": "set role pg_write_server_files;",
    "untrusted_function": "create function f() returns text"
    " language c as '/lib/x86_64-linux-gnu/libc.so.6', 'system';",
    "internal_function": "create function f() returns text language internal as 'pg_read_file_all';",
    "give_to_superuser": "create function f() returns int language sql security definer as 'select 1';\n"
    "alter function f() owner to wb_superuser;",
    "system_setting": "do $$ begin execute 'alter system set archive_command = ''touch TRAP'''; end $$;",
    "read_password_hashes": "select * from pg_authid;",
    "stop_others": "select pg_reload_conf();",
    "event_trigger": "do $$ begin"
    " execute 'create event trigger e on ddl_command_end execute function pg_sleep()'; end $$;",
    "database": "do $$ begin execute 'drop database postgres'; end $$;",
    "other_users_role": "do $$ begin execute 'drop role wb_superuser'; end $$;",
}


@pytest.mark.parametrize("text", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_needs_a_superuser_does_not_run(load: Load, server: Server, text: str) -> None:
    """SQL that needs more rights than the loader's fails on the server; it is listed or an error."""
    try:
        report = load("create table kept (a int);\n" + text + "\n")
    except ScriptError as failed:
        assert "attack.sql:" in str(failed)
    else:
        assert report.left_out, "the attack ran"
    with server.session() as conn:
        (evil,) = conn.execute(
            "select count(*) from pg_roles where rolsuper and rolname <> %s", [server.user]
        ).fetchone()  # type: ignore[misc]
    assert evil == 0


def test_trigger_runs_with_the_loaders_rights(server: Server, tmp_path: Path, trap: Path) -> None:
    """A trigger that the script left in wait has no more rights when the database is used as the loader."""
    path = tmp_path / "wait.sql"
    path.write_text(
        "create table t (a int);\n"
        "create function f() returns trigger language plpgsql as $$ begin\n"
        f"  execute 'copy (select 1) to program ''touch {trap}'''; return new; end $$;\n"
        "create trigger x before insert on t for each row execute function f();\n"
    )

    with (
        loaded_script(server, path) as (name, report),
        as_loader(server, report).session(name) as conn,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        conn.execute("insert into t values (1)")


def test_loader_reaches_no_other_database(server: Server, database: str, tmp_path: Path) -> None:
    """The loader has no attribute, owns one database and lives as long as its load."""
    path = tmp_path / "plain.sql"
    path.write_text("select 1;")
    with loaded_script(server, path) as (_, report), server.session() as conn:
        attributes = conn.execute(
            "select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles"
            " where rolname = %s",
            [report.role],
        ).fetchone()
        assert attributes == (False, False, False, False, False)
    with server.session() as conn:
        assert not conn.execute("select 1 from pg_roles where rolname = %s", [report.role]).fetchone()
