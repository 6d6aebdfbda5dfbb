"""The roles that a load needs: a loader without rights of its own, and the roles that the script names.

Roles belong to the cluster, which other loads share. A load holds a shared advisory lock on each role
that it uses; a role is made or dropped under one exclusive lock, and dropped only where no load holds it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql

from workbench.engines.postgres import Connection, Server
from workbench.sql import fetch, read

MARK = "made by the workbench for a script"
_LOCK = sql.SQL("select pg_catalog.{}(pg_catalog.hashtextextended(%s, 7))")


@dataclass
class LoaderRoles:
    """The *loader* logs in with *password* and owns the scratch database.

    The script's roles are members of the *group*, which may create in the script's schemas; the loader
    is a member of the script's roles, so that it may hand objects to them.
    """

    loader: str
    group: str
    password: str = field(repr=False)
    _conn: Connection = field(repr=False)
    named: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def need(self, names: Iterable[str]) -> None:
        """Make those of the roles *names* that the cluster lacks; somebody else's stays as it is."""
        wanted = [
            name for name in dict.fromkeys(names) if name not in self.named and name not in self.unknown
        ]
        if not wanted:
            return
        with _exclusively(self._conn):
            for role in fetch(self._conn, "script/needed_roles.sql", {"names": wanted, "mark": MARK}):
                name = role["name"]
                if role["exists"] and not role["ours"]:
                    self.unknown.add(name)
                    continue
                _hold(self._conn, name)
                if not role["exists"]:
                    _create(self._conn, name)
                    self.created.append(name)
                self.named.append(name)
                self._conn.execute(sql.SQL("grant {} to {}").format(*_identifiers(name, self.loader)))
                self._conn.execute(sql.SQL("grant {} to {}").format(*_identifiers(self.group, name)))

    def prepare(self, server: Server, dbname: str) -> None:
        """Let the roles work in the database *dbname*, which the loader owns."""
        with server.session(dbname) as conn:
            conn.execute(
                sql.SQL(read("script/roles/prepare_database.sql")).format(
                    database=sql.Identifier(dbname),
                    loader=sql.Identifier(self.loader),
                    group=sql.Identifier(self.group),
                )
            )
            for name in self.named:
                conn.execute(
                    sql.SQL(
                        "alter default privileges for role {} grant usage, create on schemas to {}"
                    ).format(*_identifiers(name, self.group))
                )
            if conn.server_version >= 150_000:
                with _exclusively(self._conn):  # the rights on a parameter are one row of the cluster
                    conn.execute(
                        sql.SQL("grant set on parameter session_replication_role to {}").format(
                            sql.Identifier(self.loader)
                        )
                    )

    def settle(self, server: Server, dbname: str) -> None:
        """Take the group's rights out of the loaded database: its privileges are the script's."""
        with server.session(dbname) as conn:
            conn.execute(sql.SQL("drop owned by {}").format(sql.Identifier(self.group)))


@contextlib.contextmanager
def loader_roles(server: Server) -> Iterator[LoaderRoles]:
    """Roles for one load, dropped after the block; their database must be gone by then."""
    suffix = secrets.token_hex(6)
    with server.session() as conn:
        roles = LoaderRoles(
            f"wb_script_{suffix}", f"wb_script_{suffix}_creators", secrets.token_urlsafe(24), conn
        )
        try:
            with _exclusively(conn):
                for name in (roles.loader, roles.group):
                    _hold(conn, name)
                _drop_unheld(
                    conn, [row["name"] for row in fetch(conn, "script/marked_roles.sql", {"mark": MARK})]
                )
                conn.execute(
                    sql.SQL(read("script/roles/create_loader.sql")).format(
                        loader=sql.Identifier(roles.loader),
                        group=sql.Identifier(roles.group),
                        password=sql.Literal(roles.password),
                        mark=sql.Literal(MARK),
                    )
                )
            yield roles
        finally:
            with _exclusively(conn):
                for name in (roles.loader, roles.group, *roles.named):
                    conn.execute(
                        _LOCK.format(sql.Identifier("pg_advisory_unlock_shared")), [_lock_name(name)]
                    )
                _drop_unheld(conn, [roles.loader, *roles.named, roles.group])


@contextlib.contextmanager
def _exclusively(conn: Connection) -> Iterator[None]:
    """Nobody else makes or drops a script's roles meanwhile."""
    conn.execute(_LOCK.format(sql.Identifier("pg_advisory_lock")), ["workbench script roles"])
    try:
        yield
    finally:
        conn.execute(_LOCK.format(sql.Identifier("pg_advisory_unlock")), ["workbench script roles"])


def _lock_name(role: str) -> str:
    return f"workbench script role {role}"


def _hold(conn: Connection, role: str) -> None:
    conn.execute(_LOCK.format(sql.Identifier("pg_advisory_lock_shared")), [_lock_name(role)])


def _create(conn: Connection, role: str) -> None:
    conn.execute(
        sql.SQL(read("script/roles/create_role.sql")).format(
            role=sql.Identifier(role), mark=sql.Literal(MARK)
        )
    )


def _drop_unheld(conn: Connection, names: Iterable[str]) -> None:
    """Drop those roles that no load holds; one that objects still depend on waits for a later load."""
    for name in names:
        (free,) = conn.execute(
            _LOCK.format(sql.Identifier("pg_try_advisory_lock")), [_lock_name(name)]
        ).fetchone() or (False,)
        if not free:
            continue
        try:
            with contextlib.suppress(
                psycopg2.errors.UndefinedObject, psycopg2.errors.DependentObjectsStillExist
            ):
                conn.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
                conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
        finally:
            conn.execute(_LOCK.format(sql.Identifier("pg_advisory_unlock")), [_lock_name(name)])


def _identifiers(*names: str) -> list[sql.Identifier]:
    return [sql.Identifier(name) for name in names]
