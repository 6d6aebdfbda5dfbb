"""A running PostgreSQL in which scratch databases may be made."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from workbench.engines.binaries import Binaries
from workbench.errors import EngineError, FeatureUnavailable, ServerTooOld

SUPERUSER = "wb_superuser"
OLDEST_SUPPORTED = 13
_SCRATCH, _TEMPLATE = "wb_", "wbt_"
_TEMPLATES_KEPT = 6
Query: TypeAlias = str | sql.Composable
Cursor: TypeAlias = psycopg2.extensions.cursor


class Connection(psycopg2.extensions.connection):
    """A psycopg2 connection with a short way to run one statement."""

    def execute(self, query: Query, parameters: Any = None) -> Cursor:
        """The cursor after *query* ran; values travel as *parameters*."""
        cur: Cursor = self.cursor()
        cur.execute(query, parameters)
        return cur


def scratch_name(label: str) -> str:
    """A new name for a scratch database; whoever looks at the server sees *label* and our process in it."""
    words = re.sub(r"[^a-z0-9]+", "_", label.lower())[:24]
    return f"{_SCRATCH}{words}_{os.getpid()}_{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def _without_service() -> Iterator[None]:
    """libpq reads the service that PGSERVICE names before anything that it is told."""
    service = os.environ.pop("PGSERVICE", None)
    try:
        yield
    finally:
        if service is not None:
            os.environ["PGSERVICE"] = service


def describe_version(conn: psycopg2.extensions.connection) -> str:
    """``PostgreSQL 18.6``, as the server says it."""
    return f"PostgreSQL {(conn.get_parameter_status('server_version') or '').split()[0]}"


def require_supported(conn: psycopg2.extensions.connection, where: str) -> None:
    """ServerTooOld where the server behind *conn* is older than the oldest supported one."""
    if conn.server_version < OLDEST_SUPPORTED * 10_000:
        raise ServerTooOld(
            f"{where} runs {describe_version(conn)}: the oldest supported version is {OLDEST_SUPPORTED}; "
            "dump its schema with pg_dump --schema-only and name the file as the source"
        )


@dataclass(frozen=True)
class Server:
    """Where a PostgreSQL is, and what may be made in it."""

    host: str
    port: int
    user: str
    label: str  # embedded, installed, private …, or remote
    binaries: Binaries
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    revive: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    maintenance_database: str = "postgres"

    def conninfo(self, dbname: str, *, user: str | None = None) -> dict[str, str]:
        """Keyword arguments for psycopg2.connect, and through the environment for psql."""
        info = {
            **self.options,
            "host": self.host,
            "port": str(self.port),
            "user": user or self.user,
            "dbname": dbname,
        }
        if self.password is not None:
            info["password"] = self.password
        return info

    def url(self, dbname: str, *, user: str | None = None) -> str:
        """The same as a postgresql:// URL, every part percent-encoded."""
        info = self.conninfo(dbname, user=user)
        login = quote(info.pop("user"), safe="")
        if password := info.pop("password", None):
            login += ":" + quote(password, safe="")
        return f"postgresql://{login}@/{quote(info.pop('dbname'), safe='')}?{urlencode(info)}"

    def connect_once(self, dbname: str, *, user: str | None = None) -> Connection:
        """One attempt, without starting anything."""
        settings = {"application_name": "workbench", "connect_timeout": "15", "options": ""}
        dsn = psycopg2.extensions.make_dsn(**{**settings, **self.conninfo(dbname, user=user)})
        with _without_service():
            conn: Connection = psycopg2.connect(dsn, connection_factory=Connection)
        return conn

    def connect(
        self,
        dbname: str | None = None,
        *,
        user: str | None = None,
        autocommit: bool = True,
        notices: bool = False,
    ) -> Connection:
        """A connection to *dbname*; a server of ours that has died is started again first.

        Without *notices* the server sends none: psycopg2 swallows an interrupt that comes before it reads
        one, and the program would go on.
        """
        dbname = dbname or self.maintenance_database
        try:
            conn = self.connect_once(dbname, user=user)
        except psycopg2.OperationalError as exc:
            if self.revive is None or 'database "' in str(exc):
                raise EngineError(
                    f"{self.label} PostgreSQL at {self.host}: {str(exc).strip().splitlines()[-1]}"
                ) from exc
            self.revive()
            conn = self.connect_once(dbname, user=user)
        conn.autocommit = True
        if not notices:
            conn.execute("set client_min_messages = error")
        conn.autocommit = autocommit
        return conn

    @contextlib.contextmanager
    def session(self, dbname: str | None = None, *, user: str | None = None) -> Iterator[Connection]:
        """An autocommit connection, closed after the block."""
        with contextlib.closing(self.connect(dbname, user=user)) as conn:
            yield conn

    @cached_property
    def _identity(self) -> tuple[str, int]:
        with self.session() as conn:
            return describe_version(conn), conn.server_version

    @property
    def version(self) -> int:
        """As PQserverVersion gives it: 180006."""
        return self._identity[1]

    @property
    def description(self) -> str:
        """The name that stands beside each proof: ``PostgreSQL 18.6, embedded``."""
        return f"{self._identity[0]}, {self.label}"

    @cached_property
    def extension_names(self) -> frozenset[str]:
        """The extensions that can be created here."""
        with self.session() as conn:
            return frozenset(
                name
                for (name,) in conn.execute("select name from pg_catalog.pg_available_extensions").fetchall()
            )

    def require_extension(self, name: str) -> None:
        """FeatureUnavailable where the extension *name* cannot be created here."""
        if name not in self.extension_names:
            raise FeatureUnavailable(
                f"the extension {name}",
                self.description,
                hint="name the bin folder of a PostgreSQL that has it in WORKBENCH_POSTGRES_BIN",
            )

    @contextlib.contextmanager
    def scratch_database(
        self, *, template: str | None = None, owner: str | None = None, label: str = "scratch"
    ) -> Iterator[str]:
        """The name of a fresh database, a copy of *template*; dropped after the block."""
        name = scratch_name(label)
        try:  # an interrupt can come when the database is made and before anybody knows it
            self.create_database(name, template=template, owner=owner)
            yield name
        finally:
            self.drop_database(name)

    def create_database(self, name: str, *, template: str | None = None, owner: str | None = None) -> None:
        """Make the database *name*, a `scratch_name`, which the caller drops; prefer `scratch_database`."""
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        if template and self.version >= 150_000:
            statement += sql.SQL(" strategy file_copy")
        if owner:
            statement += sql.SQL(" owner {}").format(sql.Identifier(owner))
        with self.session() as conn:
            try:
                conn.execute(statement)
            except psycopg2.errors.InsufficientPrivilege as exc:
                raise EngineError(
                    f"{self.user} may not create scratch databases on {self.host}: grant it CREATEDB, "
                    "or unset WORKBENCH_POSTGRES_URL to use the embedded engine"
                ) from exc
            except psycopg2.errors.DiskFull as exc:
                raise EngineError(
                    f"no space left for a scratch database in {self.host}: free some, "
                    "or name another cache folder in WORKBENCH_CACHE"
                ) from exc

    def drop_database(self, name: str) -> None:
        """Drop a database of ours together with its connections; nothing happens where it is gone."""
        if not name.startswith((_SCRATCH, _TEMPLATE)):
            raise ValueError(f"{name!r} was not made by the workbench: it will not be dropped")
        with self.session() as conn:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def template_database(self, key: str, build: Callable[[str], None]) -> str:
        """The database that *build* fills once for *key*; later calls, of any process, find it made.

        *build* gets the name of an empty database. It is never seen half-built. The templates used
        longest ago are dropped when there are more than a few.
        """
        name = _TEMPLATE + key.lower()
        with self.session() as conn:
            conn.execute("select pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended(%s, 1))", [name])
            found = conn.execute(
                "select true from pg_catalog.pg_database where datname = %s", [name]
            ).fetchone()
            if not found:
                with self.scratch_database(label="build") as building:
                    build(building)
                    conn.execute(
                        sql.SQL("alter database {} rename to {}").format(
                            sql.Identifier(building), sql.Identifier(name)
                        )
                    )
            conn.execute(
                sql.SQL("comment on database {} is {}").format(
                    sql.Identifier(name),
                    sql.Literal(conn.execute("select pg_catalog.clock_timestamp()::text").fetchone()[0]),  # type: ignore[index]
                )
            )
            self._evict_templates(conn)
        return name

    def _evict_templates(self, conn: Connection) -> None:
        stale = conn.execute(
            """
            select datname
            from pg_catalog.pg_database
            where datname like %s
            order by pg_catalog.shobj_description(oid, 'pg_database') desc nulls last
            offset %s
            """,
            [_TEMPLATE.replace("_", r"\_") + "%", _TEMPLATES_KEPT],
        ).fetchall()
        for (name,) in stale:
            with contextlib.suppress(
                psycopg2.Error
            ):  # somebody copies it at this moment: the next call drops it
                conn.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))

    def drop_leftovers(self) -> None:
        """Drop the scratch databases that killed processes left; call it only while nobody else is here."""
        with self.session() as conn:
            names = conn.execute(
                "select datname from pg_catalog.pg_database where datname like %s",
                [_SCRATCH.replace("_", r"\_") + "%"],
            ).fetchall()
        for (name,) in names:
            self.drop_database(name)
