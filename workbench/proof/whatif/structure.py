"""The structure of a source as pg_dump writes it, with the login that the source's connection has."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from psycopg2.extensions import connection as AnyConnection
from psycopg2.extensions import make_dsn

from workbench.engines.postgres import Binaries
from workbench.errors import SourceError

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


@contextlib.contextmanager
def dumped_structure(
    source: AnyConnection, binaries: Binaries, *, timeout_s: float, without: Sequence[str] = ()
) -> Iterator[Path]:
    """A schema-only dump of the database behind *source*, in a READ ONLY transaction; gone after the block.

    *without* are the patterns of tables that the login may not read. Raises SourceError with pg_dump's words.
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
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        dumped = Path(folder) / "structure.sql"
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
            *(f"--exclude-table={each}" for each in without),
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
        yield dumped
