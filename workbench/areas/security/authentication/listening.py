"""A private server that listens on this machine's own address and lets nobody in without a password."""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg2
from psycopg2 import sql as composed
from psycopg2.extensions import encrypt_password

from workbench import sql
from workbench.areas.security.authentication.model import LoginAttempt
from workbench.engines.postgres import Binaries, Cluster, Connection, Server, private_cluster
from workbench.errors import EngineError

ADDRESS = "127.0.0.1"
IN = "in"
_FOLDER = "security/authentication"
_ATTEMPTS = 3
_PATIENCE_S = 20
_SETTINGS = {
    "listen_addresses": ADDRESS,
    "password_encryption": "scram-sha-256",
    "log_statement": "ddl",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_connections": "on",
}


@dataclass
class Listener:
    """A running server; *server* is the superuser's access, with its password. *log* is the server's log."""

    server: Server
    cluster: Cluster
    passwords: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def log(self) -> Path:
        return self.cluster.log

    def execute(self, name: str, **parts: composed.Composable) -> None:
        """The statements of the file *name*, as the superuser."""
        with self.server.session() as conn:
            for statement in sql.read(f"{_FOLDER}/{name}.sql").split(";\n\n"):
                conn.execute(composed.SQL(statement).format(**parts))

    def make_role(self, role: str, *, connections: int = -1, until: str = "infinity") -> str:
        """A login with a new password, of which the server gets the verifier alone; the password."""
        password = self.passwords[role] = secrets.token_urlsafe(18)
        with self.server.session() as conn:
            verifier = encrypt_password(password, role, scope=conn, algorithm="scram-sha-256")
        self.execute(
            "role",
            role=composed.Identifier(role),
            verifier=composed.Literal(verifier),
            connections=composed.Literal(connections),
            until=composed.Literal(until),
        )
        return password

    def use_rules(self, rules: Sequence[str]) -> None:
        """*rules* take the place of pg_hba.conf's. Raises EngineError where one of them is in error."""
        (self.cluster.data / "pg_hba.conf").write_text("\n".join((*rules, "")))
        with self.server.session() as conn:
            found = sql.fetch(conn, f"{_FOLDER}/rules.sql")[0]
            if found["errors"]:
                raise EngineError(f"pg_hba.conf: {found['errors']}")
        self.reload()

    def reload(self) -> None:
        """The configuration read again; in force for every connection that is made afterwards."""
        with self.server.session() as conn:
            before = _loaded_at(conn)
            conn.execute("select pg_catalog.pg_reload_conf()")
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with self.server.session() as conn:  # a new one has the postmaster's
                if _loaded_at(conn) > before:
                    return
            time.sleep(0.02)
        raise EngineError(
            f"the server did not read its configuration again in {_PATIENCE_S} s: see {self.log}"
        )

    def login(self, claim: str, expected: str, role: str, **options: str) -> LoginAttempt:
        """What became of a login of *role* over TCP, closed again at once."""
        observed, detail, conn = self.opened(role, **options)
        if conn is not None:
            conn.close()
        return self.compared(claim, expected, observed, detail)

    def opened(self, role: str, **options: str) -> tuple[str, str, Connection | None]:
        """``in`` and the connection; or the SQLSTATE or what the client says, and all its words."""
        given = {
            "password": self.passwords.get(role, ""),
            "sslmode": "disable",
            "host": "localhost",
            **options,
        }
        info = {
            **given,
            "hostaddr": ADDRESS,
            "port": str(self.server.port),
            "user": role,
            "dbname": "postgres",
            "connect_timeout": "10",
            "passfile": str(self.cluster.home / "no-passwords"),
            "gssencmode": "disable",
        }
        with _own_environment():
            try:
                conn: Connection = psycopg2.connect(
                    psycopg2.extensions.make_dsn(**{key: value for key, value in info.items() if value}),
                    connection_factory=Connection,
                )
            except psycopg2.OperationalError as exc:
                words = " ".join(str(exc).split())
                return _code(words), words, None
        conn.autocommit = True
        return IN, "", conn

    def compared(self, claim: str, expected: str, observed: str, detail: str = "") -> LoginAttempt:
        """The attempt, with the engine's name."""
        shown = detail.replace(str(self.server.port), "PORT")
        return LoginAttempt(claim, expected, observed, expected == observed, self.server.description, shown)


# libpq says why a login failed in words alone; these are the server's and OpenSSL's own
_CODES = (
    ("password authentication failed", "28P01"),
    ("too many connections for role", "53300"),
    ("no pg_hba.conf entry", "28000"),
    ("pg_hba.conf rejects", "28000"),
    ("requires a valid client certificate", "28000"),
    ("certificate authentication failed", "28000"),
    ("no password supplied", "no password"),
    ("certificate verify failed", "unknown authority"),
    ("does not match host name", "wrong host name"),
    ("channel binding required", "no channel binding"),
    ("unknown ca", "unknown authority"),
    ("protocol version", "old protocol"),
)


def _code(words: str) -> str:
    lowered = words.lower()
    return next((code for said, code in _CODES if said in lowered), words)


def _loaded_at(conn: Connection) -> datetime.datetime:
    row = conn.execute("select pg_catalog.pg_conf_load_time()").fetchone()
    assert row is not None
    loaded: datetime.datetime = row[0]
    return loaded


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """libpq takes what it is not told from the variables PG…: for the block there are none."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(taken)


@contextlib.contextmanager
def listening(binaries: Binaries | None = None) -> Iterator[Listener]:
    """A server on a free port of this machine whose superuser has a password; gone after the block."""
    with contextlib.ExitStack() as stack:
        server, cluster = _started(stack, binaries)
        password = secrets.token_urlsafe(18)
        with server.session() as conn:
            verifier = encrypt_password(password, server.user, scope=conn, algorithm="scram-sha-256")
        first = Listener(server, cluster)
        first.execute("superuser", role=composed.Identifier(server.user), verifier=composed.Literal(verifier))
        yield Listener(replace(server, password=password), cluster)


def _started(stack: contextlib.ExitStack, binaries: Binaries | None) -> tuple[Server, Cluster]:
    """Somebody may take the port between the question and the start: then another is asked for."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            return stack.enter_context(
                private_cluster(
                    settings=_SETTINGS, hba=["local all all trust"], binaries=binaries, port=_free_port()
                )
            )
        except EngineError:
            if not left:
                raise
    raise AssertionError("unreachable")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((ADDRESS, 0))
        return int(found.getsockname()[1])
