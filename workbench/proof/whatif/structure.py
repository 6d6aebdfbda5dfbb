"""The structure of a source as pg_dump writes it, with the login that the source's connection has."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from psycopg2.extensions import connection as AnyConnection
from psycopg2.extensions import make_dsn, quote_ident

from workbench import script
from workbench.engines.postgres import Binaries, Server
from workbench.errors import ScriptFailed, SourceError
from workbench.script import LoadReport

_MOST_LEFT_OUT = 40
_ENTRY = re.compile(
    r"^-- Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*); Owner:", re.MULTILINE
)

_LOGIN = (
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "options",
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "target_session_attrs",
)


def dumped_structure(
    source: AnyConnection,
    binaries: Binaries,
    folder: Path,
    *,
    timeout_s: float,
    without: Sequence[tuple[str, str]] = (),
) -> Path:
    """A schema-only dump of the database behind *source*, in a READ ONLY transaction, in *folder*.

    *without* are tables that the login may not read, by schema and name. Raises SourceError with
    pg_dump's words.
    """
    login = {name: value for name, value in source.info.dsn_parameters.items() if name in _LOGIN}
    options = f"-c default_transaction_read_only=on -c statement_timeout={int(timeout_s * 1000)}"
    login["options"] = f"{login.get('options', '')} {options}".strip()
    environment = {
        **binaries.environment(),
        "HOME": os.environ.get("HOME", ""),
        "PGAPPNAME": "workbench",
        "PGCONNECT_TIMEOUT": "10",
    }
    if source.info.password:
        environment["PGPASSWORD"] = source.info.password
    dumped = folder / "structure.sql"
    arguments = [
        str(binaries.path("pg_dump")),
        "--schema-only",
        "--no-owner",
        "--no-privileges",
        "--no-publications",
        "--no-subscriptions",
        "--no-security-labels",
        f"--lock-wait-timeout={int(min(timeout_s, 10) * 1000)}ms",
        "--no-password",
        f"--file={dumped}",
        *(
            f"--exclude-table={quote_ident(schema, source)}.{quote_ident(table, source)}"
            for schema, table in without
        ),
        f"--dbname={make_dsn(**login)}",
    ]
    made = subprocess.run(
        arguments, capture_output=True, text=True, env=environment, cwd=folder, stdin=subprocess.DEVNULL
    )
    if made.returncode:
        lines = [line for line in made.stderr.splitlines() if "error:" in line]
        words = (lines or made.stderr.splitlines()[-1:] or ["no message"])[0]
        raise SourceError(
            f"database {source.info.dbname}: its structure cannot be dumped, so no plan can be made: "
            f"{words.partition('error: ')[2] or words}"
        )
    return dumped


@contextlib.contextmanager
def loaded_structure(
    server: Server, dumped: Path, *, timeout_s: float
) -> Iterator[tuple[str, LoadReport, list[str]]]:
    """The database with the structure *dumped*, the load's report, and what had to be left out.

    What cannot be loaded, as it needs a table that the login may not read, is left out of the dump.
    Raises ScriptError and EngineError as `loaded_script`.
    """
    left_out: list[str] = []
    with contextlib.ExitStack() as stack:
        while True:
            try:
                loaded = script.loaded_script(server, dumped, timeout_s=timeout_s)
                name, load = stack.enter_context(loaded)
                break
            except ScriptFailed as exc:
                title = _leave_out(dumped, exc.line) if len(left_out) < _MOST_LEFT_OUT else None
                if title is None:
                    raise
                left_out.append(f"{title}: {exc.reason}")
        yield name, load, left_out


def _leave_out(dumped: Path, line: int | None) -> str | None:
    """Empty the entry of the dump that has *line*, so that all others keep their lines; its title."""
    lines = dumped.read_text(encoding="utf-8").splitlines(keepends=True)
    starts = [number for number, text in enumerate(lines) if _ENTRY.match(text)]
    before = [number for number in starts if line and number < line]
    if not before:
        return None
    start = before[-1]
    end = next((number for number in starts if number > start), len(lines))
    found = _ENTRY.match(lines[start])
    dumped.write_text("".join([*lines[:start], *"\n" * (end - start), *lines[end:]]), encoding="utf-8")
    return f"{found['type'].lower()} {found['schema']}.{found['name']}" if found else None
