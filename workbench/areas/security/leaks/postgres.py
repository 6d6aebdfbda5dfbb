"""The places of PostgreSQL in which a value, a password or a key may stand in clear."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg2.errors
from psycopg2 import sql

from workbench.areas.security.leaks.files import folder, parts
from workbench.areas.security.leaks.model import Content, PlaceReader, Places
from workbench.engines.postgres import Connection, Server
from workbench.errors import EngineError, FeatureUnavailable
from workbench.sql import fetch, read

_PAGE = 8192
_SHORT_HEADER, _LONG_HEADER = 24, 40  # of a page of the write-ahead log; the first page of a segment: long


@dataclass(frozen=True)
class PostgresGround:
    """A database of a cluster whose files can be read: *data* is its data directory, *log* the server's log.

    *report* is a folder that the workbench wrote, *audit_schema* that of the audit trail.
    """

    server: Server
    database: str
    data: Path
    log: Path
    report: Path | None = None
    audit_schema: str = "audit"

    def places(self) -> Places:
        """Every place by its name; each is read when it is called."""
        readers: dict[str, PlaceReader] = {
            "dump": self._dump,
            "roles": self._roles,
            "write-ahead log": self._wal,
            "heap files": partial(self._relations, "heap"),
            "index files": partial(self._relations, "index"),
            "statistics": self._statistics,
            "server log": self._server_log,
            "pg_stat_statements": self._statements,
            "pg_stat_activity": partial(self._query, "activity"),
            "settings": partial(self._query, "settings"),
            "audit trail": self._audit,
            "temporary files": self._temporary,
        }
        if self.report is not None:
            readers["report"] = self._report
        return readers

    def _program(self, program: str, *arguments: str) -> bytes:
        info = self.server.conninfo(self.database)
        environment = {
            **self.server.binaries.environment(),
            "PGHOST": info["host"],
            "PGPORT": info["port"],
            "PGUSER": info["user"],
            **({"PGPASSWORD": info["password"]} if "password" in info else {}),
        }
        done = subprocess.run(
            [str(self.server.binaries.path(program)), "--no-password", *arguments],
            capture_output=True,
            env=environment,
            cwd="/",
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise EngineError(f"{program} of {self.database}: {said[-1]}")
        return done.stdout

    def _dump(self) -> Content:
        yield "pg_dump --create", self._program("pg_dump", "--create", "--dbname", self.database)

    def _roles(self) -> Content:
        yield "pg_dumpall --globals-only", self._program("pg_dumpall", "--globals-only")

    def _wal(self) -> Content:
        with self.server.session(self.database) as conn:
            conn.execute("select pg_catalog.pg_switch_wal()")
        for segment in sorted((self.data / "pg_wal").iterdir()):
            if segment.is_file() and len(segment.name) == 24:
                yield segment.name, without_page_headers(segment.read_bytes())

    def _relations(self, place: str) -> Content:
        with self.server.session(self.database) as conn:
            conn.execute("checkpoint")
            relations = fetch(conn, "security/leaks/relations.sql")
        for each in relations:
            if each["place"] == place:
                first = self.data / each["path"]
                for file in [first, *sorted(first.parent.glob(f"{first.name}.*"))]:
                    yield from parts(file, each["name"])

    def _statistics(self) -> Content:
        yield from self._query("statistics")
        yield from self._relations("statistics")

    def _server_log(self) -> Content:
        yield from parts(self.log, self.log.name)

    def _statements(self) -> Content:
        try:
            yield from self._query("statements")
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.ObjectNotInPrerequisiteState):
            raise FeatureUnavailable(
                "pg_stat_statements",
                self.server.description,
                hint="preload its library and create the extension in this database",
            ) from None

    def _query(self, name: str) -> Content:
        with self.server.session(self.database) as conn:
            texts = conn.execute(read(f"security/leaks/{name}.sql")).fetchall()
        yield name, "\n".join(text or "" for (text,) in texts).encode()

    def _audit(self) -> Content:
        with self.server.session(self.database) as conn:
            tables = fetch(conn, "security/leaks/audit_tables.sql", {"schema": self.audit_schema})
            if not tables:
                raise FeatureUnavailable(
                    "an audit trail",
                    f"the database {self.database}",
                    hint=f"its schema {self.audit_schema!r} has no table: apply the design",
                )
            for each in tables:
                yield from _rows(conn, each["nspname"], each["relname"])

    def _temporary(self) -> Content:
        for file in sorted(self.data.glob("base/pgsql_tmp/**/*")):
            if file.is_file():
                yield from parts(file, file.name)

    def _report(self) -> Content:
        assert self.report is not None
        yield from folder(self.report)


def without_page_headers(segment: bytes) -> bytes:
    """A segment of the write-ahead log as one stream of records: a secret may lie across two pages."""
    pages = range(0, len(segment), _PAGE)
    return b"".join(
        segment[start + (_SHORT_HEADER if start else _LONG_HEADER) : start + _PAGE] for start in pages
    )


def _rows(conn: Connection, schema: str, table: str) -> Content:
    statement = sql.SQL("select pg_catalog.to_json(t)::text from {} t").format(sql.Identifier(schema, table))
    rows: Iterator[tuple[str]] = iter(conn.execute(statement).fetchall())
    yield f"{schema}.{table}", "\n".join(text for (text,) in rows).encode()
